import sys
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_sorted import sort_sessions
from prodintel_lib.rollups.rum_sorted_vitals import REPORTED, count_reports, list_reports
from prodintel_lib.rollups.rum_vitals import (
    VITAL_CELLS_KEYS,
    VITAL_CELLS_SCHEMA,
    VITAL_DIMENSIONS,
    VITALS,
    build_vital_cells,
)
from prodintel_lib.tables import RUM_EVENTS, conform

sys.path.insert(0, str(Path(__file__).parent))
from rum_experience_parity_test import some_events

ROUTES = pl.DataFrame({"url_path": ["/cart"], "route": ["/learned/{id}"]})
COUNTS = ("views", "good", "poor")


def reports_of(events):
    return list_reports(sort_sessions(events.lazy(), gap_min=30, routes=ROUTES, keep=REPORTED))


def portable_cells(events):
    tagged = build_session_events(nw.from_native(events.lazy()), gap_min=30, routes=nw.from_native(ROUTES.lazy()))
    return collect(build_vital_cells(tagged), schema=VITAL_CELLS_SCHEMA, sort_by=VITAL_CELLS_KEYS)


@pytest.mark.parametrize("seed", range(4))
def test_list_reports_counted_are_the_cells_of_the_portable_version(seed):
    events = some_events(seed).sample(fraction=1.0, shuffle=True, seed=seed)
    found = reports_of(events).with_columns(
        pl.lit(pl.Series(list(VITALS))).gather(pl.col("vital")).alias("vital"),
        pl.col(VITAL_DIMENSIONS).cast(pl.String),
    )
    counted = found.group_by(VITAL_CELLS_KEYS).agg(
        pl.len().alias("views"), pl.col("good").sum(), pl.col("poor").sum()
    )  # fmt: skip
    cells = collect(nw.from_native(counted.lazy()), schema=VITAL_CELLS_SCHEMA, sort_by=VITAL_CELLS_KEYS)
    expected = portable_cells(events)
    assert expected.height > 200
    assert cells.write_csv() == expected.write_csv()


@pytest.mark.parametrize("by", [("route", "device_type"), ("browser_name",)])
def test_count_reports_sums_the_cells(by):
    events = some_events(7)
    keys = [*by, "vital", "bin"]
    expected = portable_cells(events).group_by(keys).agg(pl.col(COUNTS).sum()).sort(keys)
    found = count_reports(reports_of(events), by)
    assert found.select(*keys, *COUNTS).sort(keys).rows() == expected.rows()


def rows_of(*rows):
    whole = [
        {"event_kind": "vital", "visitor_id": "v", "user_bucket": 0, "device_type": "mobile", **row} for row in rows
    ]
    return conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)


def test_list_reports_takes_the_last_of_a_view_even_from_the_next_session():
    hour_us = 3_600_000_000
    found = reports_of(
        rows_of(
            {"time_us": 0, "event_kind": "view", "view_id": "a", "url_path": "/", "cls_score": 0.3},
            {"time_us": hour_us, "view_id": "a", "cls_score": 0.05, "device_type": None},
        )
    )
    assert found.select("route", "device_type", "good", "poor").cast(
        {"route": pl.String, "device_type": pl.String}
    ).rows() == [("/", "mobile", True, False)]


def test_list_reports_leaves_out_what_is_no_measure():
    found = reports_of(
        rows_of(
            {"time_us": 0, "view_id": "a", "lcp_ms": -1.0},
            {"time_us": 1, "view_id": "b", "lcp_ms": float("inf")},
            {"time_us": 2, "view_id": "c", "lcp_ms": 0.0},
        )
    )
    assert found.select("vital", "good").rows() == [(0, True)]


def test_count_reports_of_nothing_is_nothing():
    assert count_reports(reports_of(pl.DataFrame(schema=RUM_EVENTS.schema)), ("route", "device_type")).height == 0
