"""What load tests are made of is the same to the byte on every engine."""

import json
import random

import polars as pl
import pytest

from prodintel_lib.rollups.arrivals import (
    ARRIVALS_KEYS,
    ARRIVALS_SCHEMA,
    PAYLOAD_SIZES_KEYS,
    PAYLOAD_SIZES_SCHEMA,
    build_arrivals,
    build_payload_sizes,
)
from prodintel_lib.rollups.load_answers import LOAD_ANSWERS_KEYS, LOAD_ANSWERS_SCHEMA, build_load_answers
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA, build_request_paths, load_requests
from prodintel_lib.rollups.load_steps import LOAD_STEPS_KEYS, LOAD_STEPS_SCHEMA, build_load_steps
from prodintel_lib.tables import RUM_EVENTS, SPANS, conform

from .same_on_engines import assert_same_on, run

S = 1_000_000
TABLES = {"spans": SPANS, "rum": RUM_EVENTS}
STATUS = ("http_response_status_code",)
PATHS_SCHEMA = {"url_path": pl.String(), "views": pl.Int64(), "bad": pl.Int64()}
ATTRIBUTES = (
    {"http.request.body.size": 17, "http.response.body.size": 2048},
    {"bytes": 512, "protocol": "HTTP/1.1"},
    {"http.response_content_length": "99"},
    {"note": '"bytes":7'},
    {"user_agent.synthetic.type": "bot"},
    None,
)


def asked(scan, source):
    return load_requests(scan("spans"), scan("rum"), source=source)


ROLLUPS = {
    "spans": (lambda scan: asked(scan, "spans"), LOAD_REQUESTS_SCHEMA, list(LOAD_REQUESTS_SCHEMA)),
    "rum": (lambda scan: asked(scan, "rum"), LOAD_REQUESTS_SCHEMA, list(LOAD_REQUESTS_SCHEMA)),
    "paths": (lambda scan: build_request_paths(scan("rum")), PATHS_SCHEMA, ["url_path"]),
    "arrivals": (lambda scan: build_arrivals(asked(scan, "rum"), bucket_s=60), ARRIVALS_SCHEMA, ARRIVALS_KEYS),
    "sizes": (lambda scan: build_payload_sizes(asked(scan, "spans")), PAYLOAD_SIZES_SCHEMA, PAYLOAD_SIZES_KEYS),
    "answers": (
        lambda scan: build_load_answers(load_requests(scan("spans"), scan("rum"), source="rum", keep=STATUS)),
        LOAD_ANSWERS_SCHEMA,
        LOAD_ANSWERS_KEYS,
    ),
    "kept": (
        lambda scan: load_requests(scan("spans"), scan("rum"), source="spans", keep=("trace_id", "attributes")),
        {**LOAD_REQUESTS_SCHEMA, "trace_id": pl.String(), "attributes": pl.String()},
        [*LOAD_REQUESTS_SCHEMA, "trace_id", "attributes"],
    ),
    "steps": (lambda scan: build_load_steps(asked(scan, "rum"), gap_min=1), LOAD_STEPS_SCHEMA, LOAD_STEPS_KEYS),
}


def attributes_of(chance):
    own = chance.choice(ATTRIBUTES)
    return None if own is None else json.dumps({**own, "resource": {"bytes": 1}}, separators=(",", ":"))


def span(chance, number):
    return {
        "time_us": chance.randrange(500) * S,
        "duration_ms": chance.choice([None, 0.0, round(chance.expovariate(0.02), 6)]),
        "trace_id": f"{number // 2:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": f"{number - 1:016x}" if number % 2 else None,
        "span_kind": chance.choice(["server", "server", "client"]),
        "span_name": chance.choice(["tick", None]),
        "http_request_method": chance.choice(["GET", "POST", None]),
        "http_route": chance.choice(["/orders", "/é 'x'", None]),
        "http_response_body": chance.choice(["", "é{}", None]),
        "status_code": chance.choice(["ok", "error", None]),
        "session_id": chance.choice(["s1", "s2", None]),
        "attributes": attributes_of(chance),
    }


def event(chance, number):
    return {
        # Whole seconds, so that many requests share a moment.
        "time_us": chance.randrange(900) * S,
        "event_kind": chance.choice(["view", "view", "request", "action"]),
        "user_bucket": 0,
        "visitor_id": chance.choice([f"v{number % 20}", None]),
        "duration_ms": chance.choice([None, 1.5, 12.25]),
        "http_request_method": chance.choice(["GET", "POST", None]),
        "url_path": chance.choice(["/", "/p/1", None]),
        "request_path": chance.choice(["/api/1", "/api/2", None]),
        "http_route": chance.choice([None, None, "/given"]),
        "http_response_status_code": chance.choice([200, 404, 503, None]),
        "user_agent_synthetic_type": "bot" if chance.random() < 0.05 else None,
        "attributes": attributes_of(chance),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, chance, paths = tmp_path_factory.mktemp("load"), random.Random(11), {}
    for name, make in (("spans", span), ("rum", event)):
        frame = pl.DataFrame([make(chance, number) for number in range(1500)], infer_schema_length=None)
        paths[name] = folder / f"{name}.parquet"
        conform(frame, TABLES[name]).write_parquet(paths[name])
    return paths


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ROLLUPS)
def test_load_rollups_give_the_same_on_every_engine(files, name, engine, needs, needs_program):
    assert_same_on(engine, files, ROLLUPS[name], tables=TABLES, more_than=3, needs=needs, needs_program=needs_program)


def test_load_steps_count_every_request_of_a_known_visitor_once(files):
    of_visitors = run("polars", files, ROLLUPS["rum"], tables=TABLES).filter(pl.col("visitor") != "")
    steps = run("polars", files, ROLLUPS["steps"], tables=TABLES)
    by_session = steps.group_by("session_key").agg(pl.col("step_no").max().alias("last"), pl.len().alias("n"))
    assert steps.height == of_visitors.height
    assert (by_session["last"] == by_session["n"]).all()
