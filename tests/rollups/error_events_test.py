"""Errors of three tables in one form, each failure once."""

import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.error_events import (
    DEFINITION_KEYS,
    DEFINITIONS_SCHEMA,
    ERROR_EVENTS_SCHEMA,
    STACK_END_CHARS,
    build_error_definitions,
    build_error_events,
    build_error_rows,
)
from prodintel_lib.tables import LOGS, RUM_EVENTS, SPANS, conform

KEYS = list(ERROR_EVENTS_SCHEMA)


def lazy(table, rows, **given):
    whole = [{**given, **row} for row in rows]
    frame = pl.DataFrame(whole, infer_schema_length=None) if whole else pl.DataFrame(schema=table.schema)
    return nw.from_native(conform(frame, table).lazy())


def make_tables(logs=(), spans=(), rum=()):
    return (
        lazy(LOGS, logs, time_us=5),
        lazy(SPANS, spans, time_us=0, duration_ms=1.0, span_kind="server", service_name="shop"),
        lazy(RUM_EVENTS, rum, time_us=0, event_kind="error", user_bucket=0, visitor_id="v"),
    )


def events(logs=(), spans=(), rum=(), **options):
    return collect(
        build_error_events(*make_tables(logs, spans, rum), **options), schema=ERROR_EVENTS_SCHEMA, sort_by=KEYS
    )


def span(trace, span_id, parent=None, **rest):
    return {"trace_id": trace, "span_id": span_id, "parent_span_id": parent, **rest}


def test_build_error_events_takes_what_was_thrown_for_the_message_and_keeps_the_records_own_words():
    found = events(
        logs=[
            {"severity_text": "ERROR", "body": "could not pay", "error_type": "KeyError", "exception_message": "'GB'"},
            {"severity_text": "WARN", "body": "slow"},
            {"severity_text": "INFO", "body": "fine"},
        ]
    )
    assert found.select("origin", "level", "error_type", "message", "note").rows() == [
        ("log", "error", "KeyError", "'GB'", "could not pay"),
        ("log", "warning", "", "slow", ""),
    ]
    assert events(logs=[{"severity_text": "WARN", "body": "slow"}], levels=["error"]).height == 0


def test_build_error_events_counts_a_failed_span_with_an_error_logged_in_it_as_the_log():
    found = events(
        logs=[{"severity_text": "ERROR", "body": "boom", "trace_id": "t", "span_id": "a", "service_name": "shop"}],
        spans=[
            span("t", "a", http_response_status_code=500, http_route="/pay", http_request_method="POST", user_id="u"),
            span("t", "b", http_response_status_code=503, http_route="/other"),
        ],
    )
    assert found.select("origin", "message", "route", "http_status", "client_key").rows() == [
        ("log", "boom", "POST /pay", 500, "user u"),
        ("span", "/other answered 503", "/other", 503, "user u"),
    ]


@pytest.mark.parametrize(
    ("logged", "left"),
    [
        ({"error_type": "TimeoutError", "exception_message": "other words"}, 0),
        ({"error_type": "Other", "exception_message": "no connection"}, 0),
        ({"error_type": "Other", "exception_message": "other words"}, 1),
        ({"error_type": "TimeoutError"}, 0),
        ({"error_type": "TimeoutError", "exception_message": "x", "service_name": "cards"}, 1),
        ({"error_type": "TimeoutError", "exception_message": "x", "trace_id": "z"}, 1),
    ],
)
def test_build_error_events_counts_an_exception_logged_elsewhere_in_its_trace_once(logged, left):
    log = {"severity_text": "ERROR", "body": "b", "trace_id": "t", "span_id": "z", "service_name": "shop", **logged}
    thrown = span(
        "t", "c", span_kind="client", status_code="error", error_type="db.exc.TimeoutError",
        exception_message="no connection",
    )  # fmt: skip
    found = events(logs=[log], spans=[thrown])
    assert found.filter(pl.col("origin") == "span").height == left


def test_build_error_events_counts_a_call_only_where_its_callee_is_silent():
    answered = {"span_kind": "client", "http_response_status_code": 502, "status_code": "error"}
    found = events(
        spans=[
            span("t", "call", **answered, peer_service="orders"),
            span("t", "served", "call", service_name="orders", span_name="served"),
            span("u", "call", **answered, server_address="cards.example"),
            span("v", "call", **answered, exception_message="reset"),
            span("v", "served", "call", service_name="orders", span_name="served"),
        ]
    )
    assert found.select("trace_id", "message", "is_answer").rows() == [
        ("u", "call of cards.example answered 502", True),
        ("v", "reset", False),
    ]


def test_build_error_events_counts_an_exception_where_it_is_innermost():
    thrown = {"exception_message": "boom", "status_code": "error"}
    found = events(
        spans=[
            span("t", "outer", **thrown),
            span("t", "inner", "outer", span_kind="internal", **thrown),
            span("u", "outer", **thrown),
            span("u", "inner", "outer", span_kind="internal", service_name="cards", **thrown),
        ]
    )
    assert found.select("trace_id", "span_id").sort("trace_id", "span_id").rows() == [
        ("t", "inner"),
        ("u", "inner"),
        ("u", "outer"),
    ]


def test_build_error_events_says_how_a_refused_request_was_answered_and_when_it_ended():
    refused = span(
        "t", "a", http_response_status_code=402, http_route="/pay", http_request_method="POST", time_us=10,
        duration_ms=2.5, error_type="402",
    )  # fmt: skip
    assert events(spans=[{**refused, "error_type": None}]).select(
        "level", "message", "error_type", "time_us", "end_us"
    ).rows() == [("warning", "POST /pay answered 402", "", 10, 2510)]
    assert events(spans=[refused]).select("level", "error_type").rows() == [("error", "")]
    assert events(spans=[span("t", "a", http_response_status_code=200)]).height == 0


def test_build_error_events_knows_the_client_from_the_trace_and_tells_bots():
    log = {"severity_text": "ERROR", "body": "b"}
    found = events(
        logs=[{**log, "trace_id": trace} for trace in ("t", "u", "v")],
        spans=[
            span("t", "a", session_id="s", user_agent_original="Mozilla/5.0 (compatible; Examplebot/2.1)"),
            span("u", "a", session_id="s", user_id="me", user_agent_original="Mozilla/5.0 Firefox/140.0"),
            span("v", "b", "a", user_agent_original="probe"),
        ],
    )
    assert found.select("trace_id", "client_key", "is_bot").sort("trace_id").rows() == [
        ("t", "session s", True),
        ("u", "user me", False),
        ("v", "", False),
    ]


def test_build_error_events_cuts_long_stacks_at_both_ends_and_finds_them_in_the_body():
    long = "a" * 3 * STACK_END_CHARS + "the end"
    said = [{"severity_text": "ERROR", "exception_stacktrace": long}, {"severity_text": "ERROR", "body": "x\n  at y"}]
    stacks = events(logs=said)["stacktrace"].sort().to_list()
    assert stacks[0].endswith("the end")
    assert len(stacks[0]) == 2 * STACK_END_CHARS + 1
    assert stacks[1] == "x\n  at y"


def test_build_error_events_of_browsers_are_errors_and_requests_without_a_trace():
    request = {
        "event_kind": "request",
        "http_request_method": "GET",
        "request_path": "/a/b",
        "client_address": "1.2.3.4",
    }
    found = events(
        rum=[
            {"exception_message": "x is undefined", "error_source": "exception", "session_id": "s", "url_path": "/p"},
            {"error_source": "validation", "target_test_id": "email", "target_value": "?"},
            {**request, "http_response_status_code": 500},
            {**request, "http_response_status_code": 404, "user_agent_synthetic_type": "bot"},
            {**request, "http_response_status_code": 503, "trace_id": "t"},
            {**request, "http_response_status_code": 200},
            {"event_kind": "view"},
        ]
    )
    assert found.select("origin", "level", "message", "field", "route", "client_key", "is_bot").rows() == [
        ("browser", "error", "", "email", "", "address v", False),
        ("browser", "error", "x is undefined", "", "/p", "session s", False),
        ("request", "error", "GET <*> answered 500", "", "/a/b", "address 1.2.3.4", False),
        ("request", "warning", "GET answered 404", "", "/a/b", "address 1.2.3.4", True),
    ]  # fmt: skip


def test_build_error_events_of_requests_are_named_by_learned_routes():
    routes = pl.DataFrame({"url_path": ["/o/17"], "route": ["/o/{id}"]})
    request = {"event_kind": "request", "http_request_method": "GET", "request_path": "/o/17"}
    found = events(
        rum=[{**request, "http_response_status_code": status} for status in (404, 500)],
        routes=nw.from_native(routes.lazy()),
    )
    assert found.select("message", "route").rows() == [
        ("GET /o/{id} answered 500", "/o/{id}"),
        ("GET answered 404", "/o/{id}"),
    ]


def definitions(*tables):
    return collect(
        build_error_definitions(build_error_events(*tables)), schema=DEFINITIONS_SCHEMA, sort_by=DEFINITION_KEYS
    )


def test_build_error_definitions_puts_together_what_differs_in_numbers_alone():
    said = {"severity_text": "ERROR", "error_type": "E", "service_name": "pay"}
    found = definitions(
        *make_tables(
            logs=[
                {**said, "time_us": 9, "body": "card 17 refused", "exception_stacktrace": "at f (a.js:1:2)"},
                {**said, "time_us": 3, "body": "card 4 refused", "exception_stacktrace": "at f (a.js:7:2)"},
                {**said, "body": "card 4 refused", "exception_stacktrace": "at g (a.js:7:2)"},
            ]
        )
    )
    assert found.select(
        "shape", "stack_shape", "rows", "first_us", "last_us", "example", "example_stacktrace"
    ).rows() == [
        ("card <*> refused", "at f (a.js:0:0)", 2, 3, 9, "card 17 refused", "at f (a.js:1:2)"),
        ("card <*> refused", "at g (a.js:0:0)", 1, 5, 5, "card 4 refused", "at g (a.js:7:2)"),
    ]


def test_build_error_rows_gives_each_error_its_pattern_and_leaves_out_the_rest():
    tables = make_tables(logs=[{"severity_text": "ERROR", "body": body} for body in ("a 1", "a 2", "b")])
    named = definitions(*tables).with_columns(pattern_no=pl.int_range(pl.len())).filter(pl.col("shape") == "a <*>")
    patterns = nw.from_native(named.select(*DEFINITION_KEYS, "pattern_no").lazy())
    rows = collect(
        build_error_rows(build_error_events(*tables), patterns),
        schema={**ERROR_EVENTS_SCHEMA, "pattern_no": pl.Int64()},
        sort_by=["message"],
    )
    assert rows.select("message", "pattern_no").rows() == [("a 1", 0), ("a 2", 0)]


def some_tables(seed):
    """Traces of a shop that calls cards, with logs in some spans, and browsers: every kind of null and failure."""
    chance = random.Random(seed)
    spans, logs, rum = [], [], []
    for number in range(400):
        trace, parent = f"{number:032x}", None
        for depth, (service, kind) in enumerate((("shop", "server"), ("shop", "client"), ("cards", "server"))):
            thrown = chance.choice([None, None, "no 'x'", f"item {number} gone"])
            spans.append(
                {
                    "time_us": number * 1000 + depth, "duration_ms": chance.choice([0.25, 7.0]), "trace_id": trace,
                    "span_id": f"{depth}", "parent_span_id": parent if chance.random() < 0.9 else None,
                    "span_name": f"{kind} {number}", "span_kind": kind, "service_name": chance.choice([service, None]),
                    "status_code": chance.choice(["ok", "error", None]),
                    "http_response_status_code": chance.choice([200, 404, 503, None]),
                    "http_route": chance.choice(["/é 'x'", None]), "http_request_method": chance.choice(["GET", None]),
                    "error_type": chance.choice([None, "a.KeyError", "500"]), "exception_message": thrown,
                    "exception_stacktrace": chance.choice([None, f'Traceback\n  File "a.py", line {number}\nE']),
                    "session_id": chance.choice([None, "s"]), "user_id": chance.choice([None, "u"]),
                    "peer_service": chance.choice([None, "cards"]),
                    "user_agent_original": chance.choice([None, "Mozilla/5.0", "nmap"]),
                }
            )  # fmt: skip
            if chance.random() < 0.3:
                logs.append(
                    {
                        "time_us": number * 1000, "severity_text": chance.choice(["ERROR", "WARN", "INFO", None]),
                        "body": chance.choice([None, f"order {number} lost", "x\n  at y (z.js:1:2)"]),
                        "service_name": chance.choice([service, None]), "trace_id": chance.choice([trace, None]),
                        "span_id": chance.choice([f"{depth}", None]), "error_type": chance.choice([None, "KeyError"]),
                        "exception_message": chance.choice([None, "no 'x'"]),
                    }
                )  # fmt: skip
            parent = f"{depth}"
        rum.append(
            {
                "time_us": number, "event_kind": chance.choice(["error", "request", "view"]), "user_bucket": 0,
                "visitor_id": "v", "http_request_method": chance.choice(["GET", None]),
                "request_path": chance.choice(["/a/1", None]), "url_path": "/p", "session_id": chance.choice(["s", None]),
                "http_response_status_code": chance.choice([200, 404, 500, None]),
                "error_source": chance.choice(["validation", "exception", None]), "target_test_id": "t",
                "exception_message": chance.choice(["e", None]), "client_address": chance.choice(["1.1.1.1", None]),
                "error_type": chance.choice(["TypeError", None]), "trace_id": chance.choice([None, "t"]),
                "user_agent_synthetic_type": chance.choice([None, "bot"]),
            }
        )  # fmt: skip
    tables = zip((LOGS, SPANS, RUM_EVENTS), (logs, spans, rum), strict=True)
    return [conform(pl.DataFrame(rows, infer_schema_length=None), table) for table, rows in tables]


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_error_events_are_the_same_on_every_engine(tmp_path, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    names = ("logs", "spans", "rum")
    for name, frame in zip(names, some_tables(3), strict=True):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    schemas = (LOGS.schema, SPANS.schema, RUM_EVENTS.schema)

    def run(which):
        tables = [
            scan_parquet([tmp_path / f"{name}.parquet"], schema=schema, engine=which)
            for name, schema in zip(names, schemas, strict=True)
        ]
        found = build_error_events(*tables)
        return (
            collect(found, schema=ERROR_EVENTS_SCHEMA, sort_by=KEYS),
            collect(build_error_definitions(found), schema=DEFINITIONS_SCHEMA, sort_by=DEFINITION_KEYS),
        )

    expected, found = run("polars"), run(engine)
    assert expected[0].height > 500
    assert set(expected[0]["origin"]) == {"log", "span", "browser", "request"}
    assert [frame.write_csv() for frame in found] == [frame.write_csv() for frame in expected]
