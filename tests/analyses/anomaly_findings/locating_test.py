"""Whom a finding hit, read from the requests of its time."""

import orjson
import polars as pl
import pytest

from prodintel_lib.analyses.anomaly_findings import find_anomalies, locate, locate_all, locating
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Lake, Manifest, SourceEntry
from prodintel_lib.tables import SPANS, conform
from prodintel_lib.workspace import open_workspace

from . import made

PER_BUCKET = 20
BROKEN = range(30, 40)


def span(number, bucket, **values):
    """One request to pay: every second from Britain, a user for every tenth."""
    return {
        "trace_id": f"{number:032x}", "span_id": "1", "span_kind": "server", "service_name": "gateway",
        "time_us": made.at(bucket) + number % PER_BUCKET * 1000, "duration_ms": 120.0, "http_request_method": "POST",
        "http_route": "/pay", "http_response_status_code": 200, "user_id": f"anna{number // 10}@example.org",
        "session_id": f"s{number // 5}", "service_version": "1",
        "attributes": orjson.dumps({"shop.region": "GB" if number % 2 else "DE"}).decode(),
    } | values  # fmt: skip


def requests_of(change):
    rows = []
    for bucket in range(made.BUCKETS):
        for place in range(PER_BUCKET):
            number = bucket * PER_BUCKET + place
            rows.append(span(number, bucket, **(change(number) if bucket in BROKEN else {})))
    return rows


def view_of(folder, rows):
    (folder / "prodintel.yaml").write_text("name: shop\n")
    lake = Lake(folder / "lake")
    files = lake.write(SPANS, conform(pl.DataFrame(rows, infer_schema_length=None), SPANS))
    lake.publish(Manifest(1, {"made": SourceEntry(0, 0, "0" * 64, "otlp", 0, {}, {}, 0, tuple(files))}))
    return open_view(open_workspace(folder))


def failing_in_britain(number):
    return {"http_response_status_code": 500} if number % 2 else {}


def found_in(shop):
    found = find_anomalies(shop.production(), shop.series(), detector=made.Known())
    assert len(found.findings) == 1
    return found


def test_locate_counts_people_and_says_what_sets_them_apart(tmp_path):
    shop = made.Shop().fail("POST /pay", 30, 39)
    found = locate_all(view_of(tmp_path, requests_of(failing_in_britain)), found_in(shop), shop.production())
    [one] = found.findings
    assert (one.affected_requests.hits, one.affected_requests.n) == (100, 200)
    assert (one.affected_users.hits, one.affected_users.n) == (20, 20)
    assert (one.affected_sessions.hits, one.affected_sessions.n) == (40, 40)
    assert [cause.attributes for cause in one.places.causes] == [{"shop.region": "GB"}]
    assert one.recommendation == "Look at what shop.region = GB has of its own: nothing else stands out."
    assert "100 of 200 requests from outside went bad (50.0 %)" in one.severity_reason
    assert one.severity == "critical"
    assert "anna" not in one._repr_html_()


def test_locate_counts_slow_requests_against_their_own_route_before(tmp_path):
    shop = made.Shop()
    for key in shop.slow:
        shop.slow[key][:] = 0
    shop.slowed("POST /pay", 30, 39, slow=60)
    slow = requests_of(lambda number: {"duration_ms": 900.0} if number % 4 == 0 else {"duration_ms": 125.0})
    one = locate(view_of(tmp_path, slow), found_in(shop).findings[0], shop.production())
    assert (one.type, one.affected_requests.hits, one.affected_requests.n) == ("LATENCY_DEGRADATION", 50, 200)


def test_locate_says_nothing_of_people_where_requests_name_none(tmp_path):
    rows = [row | {"user_id": None, "session_id": None} for row in requests_of(failing_in_britain)]
    shop = made.Shop().fail("POST /pay", 30, 39)
    one = locate(view_of(tmp_path, rows), found_in(shop).findings[0], shop.production())
    assert (one.affected_users, one.affected_sessions) == (None, None)
    assert one.affected_requests.hits == 100


def test_locate_reads_attributes_of_no_more_than_a_bounded_part(tmp_path, monkeypatch):
    monkeypatch.setattr(locating, "MAX_REQUESTS", 40)
    shop = made.Shop().fail("POST /pay", 30, 39)
    one = locate(view_of(tmp_path, requests_of(failing_in_britain)), found_in(shop).findings[0], shop.production())
    assert one.places.total == 40
    assert one.affected_requests.n == 200


def test_locate_leaves_a_gauge_as_it_is(tmp_path):
    shop = made.Shop().gauge("payment", "db.pool.used", [0.3] * 30 + [0.95] * 10 + [0.3] * 20)
    finding = found_in(shop).findings[0]
    assert locate(view_of(tmp_path, requests_of(failing_in_britain)), finding, shop.production()) is finding


def test_locate_all_locates_the_severest_first(tmp_path):
    shop = made.Shop(buckets=90).fail("POST /pay", 30, 39).fail("GET /home", 60, 65, failed=8)
    found = find_anomalies(shop.production(), shop.series(), detector=made.Known())
    assert len(found.findings) == 2
    located = locate_all(view_of(tmp_path, requests_of(failing_in_britain)), found, shop.production(), most=1)
    assert [one.affected_users is not None for one in located.findings] == [True, False]


@pytest.mark.parametrize("engine", ["duckdb"])
def test_locate_counts_the_same_on_another_engine(tmp_path, engine):
    shop = made.Shop().fail("POST /pay", 30, 39)
    view_of(tmp_path, requests_of(failing_in_britain))
    other = open_view(open_workspace(tmp_path), engine=engine)
    one = locate(other, found_in(shop).findings[0], shop.production())
    assert (one.affected_requests.hits, one.affected_users.hits, one.affected_users.n) == (100, 20, 20)
