import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.experience import measure_experience
from prodintel_lib.analyses.frontend_errors.network import find_requests_behind, measure_failures
from prodintel_lib.analyses.journeys import passes as passes_module
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Lake, Manifest, SourceEntry
from prodintel_lib.scenarios.ui_from_findings import build_error_tests
from prodintel_lib.tables import RUM_EVENTS, conform
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).parent))
from planted import CONVERSIONS, HOUR_US, START_US, site_events

WINDOW = Window(START_US - 24 * HOUR_US, START_US + 48 * HOUR_US)
REQUEST = "GET /api/cart/{n}"
CLIENT = ("visitor_id", "session_id", "user_bucket", "browser_name", "browser_version", "device_type",
          "geo_country_iso_code", "service_version", "utc_offset_min")  # fmt: skip


def with_requests(events):
    """Add what the cart asks for: it fails half a second before TIMEOUT, which the French meet in the evening."""
    timeouts = events.filter(pl.col("error_type") == "timeout").select("session_id", pl.col("time_us").alias("met_us"))
    carts = events.filter((pl.col("event_kind") == "view") & (pl.col("url_path") == "/cart"))
    asked = carts.join(timeouts, on="session_id", how="left").select(
        *CLIENT,
        pl.coalesce(pl.col("met_us") - 500_000, pl.col("time_us") + 1).alias("time_us"),
        pl.lit("request").alias("event_kind"),
        pl.lit("GET").alias("http_request_method"),
        (pl.lit("/api/cart/") + pl.col("session_id").str.slice(1)).alias("request_path"),
        pl.when(pl.col("met_us").is_null()).then(200).otherwise(504).cast(pl.Int64).alias("http_response_status_code"),
    )
    far = asked.head(40).with_columns(
        pl.col("time_us") + 900_000_000, pl.lit(500, dtype=pl.Int64).alias("http_response_status_code"),
        pl.lit("/api/other").alias("request_path"),
    )  # fmt: skip
    return pl.concat([events, conform(asked, RUM_EVENTS), conform(far, RUM_EVENTS)])


@pytest.fixture(scope="module")
def events():
    return with_requests(site_events(3000, seed=4))


@pytest.fixture(scope="module")
def workspace(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "prodintel.yaml").write_text("name: site\n")
    lake = Lake(folder / "lake")
    files = lake.write(RUM_EVENTS, events)
    lake.publish(Manifest(1, {"rum": SourceEntry(0, 0, "0" * 64, "otlp", events.height, {}, {}, 0, files)}))
    return open_workspace(folder)


@pytest.fixture(scope="module")
def found(workspace):
    return measure_experience(open_view(workspace), window=WINDOW, conversions=CONVERSIONS).errors


def opened(workspace, *, engine="polars"):
    return open_passes(open_view(workspace, engine=engine), window=WINDOW, conversions=CONVERSIONS, gap_min=30)


def id_of(found, message):
    return found.patterns.filter(pl.col("message").str.starts_with(message))["pattern_id"][0]


def test_find_requests_behind_names_what_failed_near_by_and_leaves_others_out(found, workspace):
    timeout, price = id_of(found, "GET"), id_of(found, "undefined")
    assert find_requests_behind(opened(workspace), [timeout, price]) == {timeout: REQUEST}
    assert find_requests_behind(opened(workspace), []) == {}


def test_measure_failures_counts_on_the_clients_and_in_the_hours_of_the_pattern(found, workspace, events):
    timeout = id_of(found, "GET")
    share = measure_failures(opened(workspace), found, {timeout: REQUEST})[timeout]
    local_hour = (pl.col("time_us") + pl.col("utc_offset_min") * 60_000_000) // HOUR_US % 24
    there = events.filter(
        (pl.col("event_kind") == "request") & pl.col("request_path").str.contains("/cart/"),
        pl.col("geo_country_iso_code") == "FR", local_hour.is_between(19, 21),
    )  # fmt: skip
    assert (share.n, share.hits) == (there.height, there.filter(pl.col("http_response_status_code") == 504).height)
    assert 0.4 < share.share < 0.6, "half of them is what was planted"


def test_measure_failures_of_a_pattern_that_keeps_to_nothing_counts_all(found, workspace, events):
    chunk = id_of(found, "chunk")
    share = measure_failures(opened(workspace), found, {chunk: REQUEST})[chunk]
    asked = events.filter(pl.col("request_path").str.contains("/cart/"))
    assert (share.n, share.hits) == (asked.height, asked.filter(pl.col("http_response_status_code") == 504).height)


def test_measure_failures_tells_no_share_of_few_requests(found, workspace):
    assert measure_failures(opened(workspace), found, {id_of(found, "GET"): "GET /never"}) == {}


def test_requests_behind_are_the_same_in_slices_and_on_another_engine(found, workspace, monkeypatch):
    timeout = id_of(found, "GET")
    whole = measure_failures(opened(workspace), found, find_requests_behind(opened(workspace), [timeout]))
    other = opened(workspace, engine="duckdb")
    assert measure_failures(other, found, find_requests_behind(other, [timeout])) == whole
    monkeypatch.setattr(passes_module, "ROWS_AT_ONCE", 500)
    parts = opened(workspace)
    assert len(parts.slices) > 1
    assert measure_failures(parts, found, find_requests_behind(parts, [timeout])) == whole


def test_build_error_tests_gives_the_client_the_measured_share_of_failing_requests(found, workspace):
    timeout = id_of(found, "GET")
    share = measure_failures(opened(workspace), found, {timeout: REQUEST})[timeout]
    made = {
        scenario.provenance.finding_id: scenario for scenario in build_error_tests(opened(workspace), found).scenarios
    }
    assert made[timeout].client.request_failure_rate == round(share.share, 3)
    assert made[id_of(found, "undefined")].client.request_failure_rate == 0
