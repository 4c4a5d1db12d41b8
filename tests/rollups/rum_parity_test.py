"""Sessions and steps are the same on every engine, and the one-sort version for Polars gives the same as the portable."""

import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.histograms import bin_of
from prodintel_lib.rollups.rum_paths import PATHS_SCHEMA, build_paths
from prodintel_lib.rollups.rum_sessions import (
    SESSION_EVENTS_SCHEMA,
    SESSIONS_SCHEMA,
    STEPS_SCHEMA,
    build_session_events,
    build_sessions,
    build_steps,
)
from prodintel_lib.rollups.rum_sorted import sort_sessions
from prodintel_lib.rollups.rum_sorted_sessions import sum_sessions, sum_steps
from prodintel_lib.tables import RUM_EVENTS, conform

S = 1_000_000
MIDNIGHT = 86_400 * S
CONVERSIONS = ("purchase", "/thanks")
TAGS = {name: SESSION_EVENTS_SCHEMA[name] for name in ("session_key", "route", "view_no", "step_no")}
KINDS = ("view", "view", "view", "action", "action", "vital", "error", "request", "custom")
ROUTES = pl.DataFrame({"url_path": ["/p/1", "/p/2", "/p/3"], "route": ["/p/{id}"] * 3})


def some_events(seed):
    """Make events around midnight with every kind of null, tie and late arrival."""
    chance = random.Random(seed)
    rows = []
    for number in range(60):
        visitor, at = f"v{number}", MIDNIGHT + chance.randrange(-3600, 3600) * S
        has_ids, has_views = chance.random() < 0.7, chance.random() < 0.8
        for event in range(chance.randrange(1, 25)):
            # Whole seconds, and often none: ties are the rule in logs.
            at += chance.choice([0, 0, 0, 300_000, S, 7 * S, 600 * S, 1799 * S, 1800 * S, 4000 * S])
            kind = chance.choice(KINDS)
            rows.append(
                {
                    "time_us": at,
                    "event_kind": kind,
                    "user_bucket": number % 4,
                    "visitor_id": visitor,
                    "session_id": chance.choice(["s1", "s2"]) if has_ids and chance.random() < 0.9 else None,
                    "view_id": f"w{chance.randrange(max(1, event - 3), event + 2)}" if has_views else None,
                    "url_path": chance.choice(["/", "/p/1", "/p/2", "/p/3", "/pay", "/thanks", None]),
                    "http_route": chance.choice([None, None, None, None, "/given"]),
                    "event_name": chance.choice(["purchase", "look", None]) if kind == "custom" else None,
                    "duration_ms": chance.choice([None, 12.5, 900.0]),
                    "action_type": chance.choice(["click", "click", "click", "scroll"]),
                    "target_test_id": chance.choice(["buy", "buy", None]),
                    "target_name": chance.choice(["Buy", None]),
                    "target_role": chance.choice(["button", None]),
                    "error_source": chance.choice(["validation", "console", None]),
                    "error_type": chance.choice(["timeout", None, None]),
                    "http_response_status_code": chance.choice([200, 404, 503, None]),
                    "lcp_ms": chance.choice([None, 0.0, chance.expovariate(0.001)]),
                    "cls_score": chance.choice([None, chance.random()]),
                    "device_type": chance.choice(["mobile", "desktop", None]),
                    "browser_name": chance.choice(["Safari", None]),
                    "user_is_new": chance.choice([True, False, None]),
                    "utc_offset_min": chance.choice([-150, 0, 60, None]),
                    "user_agent_synthetic_type": "bot" if chance.random() < 0.03 else None,
                }
            )
    return conform(pl.DataFrame(rows, infer_schema_length=None), RUM_EVENTS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write the events as the lake does: a file a day."""
    folder = tmp_path_factory.mktemp("rum")
    events = some_events(1)
    before, after = pl.col("time_us") < MIDNIGHT, pl.col("time_us") >= MIDNIGHT
    events.filter(before).write_parquet(folder / "before.parquet")
    events.filter(after).write_parquet(folder / "after.parquet")
    ROUTES.write_parquet(folder / "routes.parquet")
    return folder


def scan(engine, folder):
    events = scan_parquet(
        [folder / "before.parquet", folder / "after.parquet"], schema=RUM_EVENTS.schema, engine=engine
    )
    return events, scan_parquet([folder / "routes.parquet"], schema=dict(ROUTES.schema), engine=engine)


def tagged_on(engine, folder):
    events, routes = scan(engine, folder)
    return build_session_events(events, gap_min=30, routes=routes)


def binned(engine, folder):
    events = scan(engine, folder)[0].select("lcp_ms")
    return events.with_columns(bin_of("lcp_ms").alias("bin")).group_by("bin").agg(nw.len().alias("n"))


RESULTS = {
    "tags": (lambda *where: tagged_on(*where).select(*TAGS), TAGS, list(TAGS)),
    "sessions": (
        lambda *where: build_sessions(tagged_on(*where), conversions=CONVERSIONS),
        SESSIONS_SCHEMA,
        ["session_key"],
    ),
    "steps": (
        lambda *where: build_steps(tagged_on(*where), conversions=CONVERSIONS),
        STEPS_SCHEMA,
        ["session_key", "step_no"],
    ),
    "paths": (lambda *where: build_paths(scan(*where)[0]), PATHS_SCHEMA, ["url_path"]),
    "bins": (binned, {"bin": pl.Int64(), "n": pl.Int64()}, ["bin"]),
}


def run(engine, folder, name):
    build, schema, keys = RESULTS[name]
    return collect(build(engine, folder), schema=schema, sort_by=keys)


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", RESULTS)
def test_sessions_are_the_same_on_every_engine(files, name, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    expected, found = run("polars", files, name), run(engine, files, name)
    assert expected.height > 5
    assert found.schema == expected.schema
    assert found.write_csv().encode() == expected.write_csv().encode()


def test_sessions_cross_midnight(files):
    sessions = run("polars", files, "sessions")
    assert sessions.filter(pl.col("start_us") < MIDNIGHT, pl.col("end_us") >= MIDNIGHT).height > 3


@pytest.mark.parametrize("seed", range(8))
def test_sort_sessions_gives_what_the_portable_version_gives(seed):
    events = some_events(seed).sample(fraction=1.0, shuffle=True, seed=seed)
    tagged = build_session_events(nw.from_native(events.lazy()), gap_min=30, routes=nw.from_native(ROUTES.lazy()))
    rows = sort_sessions(events.lazy(), gap_min=30, routes=ROUTES, conversions=CONVERSIONS)
    sessions = sum_sessions(rows, conversions=CONVERSIONS)
    steps = sum_steps(rows, sessions)
    keyed = steps.with_columns(sessions["session_key"].gather(steps["session_no"]).alias("session_key"))
    for found, portable, schema, keys in (
        (sessions, build_sessions(tagged, conversions=CONVERSIONS), SESSIONS_SCHEMA, ["session_key"]),
        (keyed, build_steps(tagged, conversions=CONVERSIONS), STEPS_SCHEMA, ["session_key", "step_no"]),
    ):
        expected = collect(portable, schema=schema, sort_by=keys)
        assert expected.height > 50
        fast = collect(nw.from_native(found.lazy()), schema=schema, sort_by=keys)
        assert fast.write_csv() == expected.write_csv()


def test_sort_sessions_of_nothing_is_nothing():
    rows = sort_sessions(pl.LazyFrame(schema=RUM_EVENTS.schema), gap_min=30, routes=ROUTES)
    sessions = sum_sessions(rows, conversions=())
    assert (sessions.height, sum_steps(rows, sessions).height) == (0, 0)
