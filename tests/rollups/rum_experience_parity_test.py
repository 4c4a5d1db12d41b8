"""The rollups behind vitals, front-end errors and features give the same to the byte on every engine."""

import random

import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.rum_errors import (
    PAGE_VISITS_KEYS,
    PAGE_VISITS_SCHEMA,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    build_page_visits,
    build_session_errors,
)
from prodintel_lib.rollups.rum_features import FEATURE_USE_KEYS, FEATURE_USE_SCHEMA, build_feature_use
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_views import PAGE_VIEWS_KEYS, PAGE_VIEWS_SCHEMA, build_page_views
from prodintel_lib.rollups.rum_vitals import (
    VIEW_VITALS_KEYS,
    VIEW_VITALS_SCHEMA,
    VITAL_CELLS_KEYS,
    VITAL_CELLS_SCHEMA,
    VITALS,
    build_view_vitals,
    build_vital_cells,
)
from prodintel_lib.tables import RUM_EVENTS, conform

S = 1_000_000
MIDNIGHT = 20_000 * 86_400 * S
CONVERSIONS = ["purchase"]
ROLLUPS = {
    "view vitals": (build_view_vitals, VIEW_VITALS_SCHEMA, VIEW_VITALS_KEYS),
    "vital cells": (build_vital_cells, VITAL_CELLS_SCHEMA, VITAL_CELLS_KEYS),
    "page visits": (build_page_visits, PAGE_VISITS_SCHEMA, PAGE_VISITS_KEYS),
    "session errors": (
        lambda events: build_session_errors(events, conversions=CONVERSIONS),
        SESSION_ERRORS_SCHEMA,
        SESSION_ERRORS_KEYS,
    ),
    "page views": (
        lambda events: build_page_views(events, conversions=CONVERSIONS),
        PAGE_VIEWS_SCHEMA,
        PAGE_VIEWS_KEYS,
    ),
    "feature use": (
        lambda events: build_feature_use(events, conversions=CONVERSIONS),
        FEATURE_USE_SCHEMA,
        FEATURE_USE_KEYS,
    ),
}


def some_events(seed):
    """Events of visitors around midnight, with every kind of event and null."""
    chance = random.Random(seed)
    rows = []
    for visitor in range(60):
        at = MIDNIGHT + chance.randrange(-3600, 3600) * S
        for _ in range(chance.randrange(2, 25)):
            at += chance.choice([1, 30, 600, 2400]) * S
            kind = chance.choice(["view", "view", "vital", "action", "error", "custom", "request"])
            path = chance.choice(["/", "/cart", "/é 'x'", None])
            rows.append(
                {
                    "time_us": at,
                    "event_kind": kind,
                    "user_bucket": 0,
                    "visitor_id": f"{seed} {visitor}",
                    "session_id": chance.choice([None, "s"]),
                    "view_id": chance.choice([None, f"{visitor} {path}"]),
                    "url_path": path,
                    "event_name": chance.choice(["share", "purchase"]) if kind == "custom" else None,
                    "target_name": chance.choice([None, "Pay", 'a "quoted" name']) if kind == "action" else None,
                    "target_role": chance.choice([None, "button"]),
                    "target_selector": chance.choice([None, "#pay"]),
                    "error_type": chance.choice([None, "TypeError"]) if kind == "error" else None,
                    "exception_message": chance.choice([None, "x is 5", "é"]) if kind == "error" else None,
                    "error_source": chance.choice([None, "exception", "validation"]) if kind == "error" else None,
                    "exception_stacktrace": chance.choice([None, "at f (a.js:1:2)\n" * 300]),
                    "utc_offset_min": chance.choice([None, -300, 0, 345]),
                    "device_type": chance.choice([None, "mobile"]),
                    "browser_name": chance.choice([None, "Safari", "Chrome"]),
                    "user_agent_synthetic_type": "bot" if visitor % 11 == 0 else None,
                    **{
                        name: round(chance.lognormvariate(4, 2), 3)
                        for name in VITALS
                        if kind in {"vital", "view"} and chance.random() < 0.3
                    },
                }
            )
    return conform(pl.DataFrame(rows, infer_schema_length=None), RUM_EVENTS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    paths = [folder / f"{seed}.parquet" for seed in (1, 2)]
    for seed, path in enumerate(paths):
        some_events(seed).write_parquet(path)
    return paths


def run(engine, files, name):
    build, schema, keys = ROLLUPS[name]
    events = build_session_events(scan_parquet(files, schema=RUM_EVENTS.schema, engine=engine), gap_min=30)
    return collect(build(events), schema=schema, sort_by=list(keys))


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ROLLUPS)
def test_rollups_of_experience_give_the_same_on_every_engine(files, name, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    expected, found = run("polars", files, name), run(engine, files, name)
    assert expected.height > 50
    assert found.schema == expected.schema
    assert found.write_csv().encode() == expected.write_csv().encode()
