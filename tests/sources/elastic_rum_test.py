"""Elastic RUM intake, version 2 and 3."""

import os

import orjson

from prodintel_lib.sources.elastic_rum import METRICS, NO_REQUEST, NOT_AN_EVENT, read_elastic_rum_parts
from prodintel_lib.sources.parts import joined_parts

TIME_US = 1_759_155_600_000_000
METADATA = {
    "metadata": {
        "service": {"name": "shop-web", "version": "2.4", "environment": "prod", "agent": {"name": "rum-js"}},
        "network": {"connection": {"type": "4g"}},
        "labels": {"team": "web"},
    }
}
PAGE = {"url": "https://shop.example/cart?step=2", "referer": "https://shop.example/"}


def transaction(**changes):
    made = {"id": "t1", "trace_id": "ab" * 16, "type": "page-load", "name": "/cart", "duration": 900.5}
    return {"transaction": made | {"timestamp": TIME_US, "context": {"page": PAGE}} | changes}


def read(stream, *documents):
    file = stream(*documents)
    os.utime(file.path, ns=(TIME_US * 1000, TIME_US * 1000))
    return joined_parts(read_elastic_rum_parts(file))


def rows(result):
    return [
        {key: cell for key, cell in row.items() if cell is not None} for row in result.frames["rum_events"].to_dicts()
    ]


def test_read_elastic_rum_reads_a_page_load_with_marks_and_vitals(stream):
    marks = {"agent": {"timeToFirstByte": 90, "firstContentfulPaint": 300.5, "largestContentfulPaint": 1200}}
    made = transaction(marks=marks, experience={"cls": 0.1, "fid": 8, "inp": 96}, session={"id": "s-1", "sequence": 2})
    (row,) = rows(read(stream, METADATA, made))
    assert orjson.loads(row.pop("attributes")) == {
        "type": "page-load",
        "session.sequence": 2,
        "metadata.service.agent.name": "rum-js",
        "metadata.labels.team": "web",
    }
    assert row == {
        "time_us": TIME_US,
        "event_kind": "view",
        "event_name": "page-load",
        "user_bucket": 14,
        "visitor_id": "s-1",
        "session_id": "s-1",
        "view_id": "t1",
        "duration_ms": 900.5,
        "url_path": "/cart",
        "url_query": "step=2",
        "http_route": "/cart",
        "referrer": "https://shop.example/",
        "lcp_ms": 1200.0,
        "inp_ms": 96.0,
        "cls_score": 0.1,
        "fcp_ms": 300.5,
        "ttfb_ms": 90.0,
        "fid_ms": 8.0,
        "network_type": "4g",
        "service_name": "shop-web",
        "service_version": "2.4",
        "deployment_environment_name": "prod",
        "trace_id": "ab" * 16,
    }


def test_read_elastic_rum_takes_the_time_the_file_was_written_where_there_is_none(stream):
    made = transaction()
    made["transaction"].pop("timestamp")
    span = {"span": {"id": "p", "start": 12.5, "duration": 3, "context": {"http": {"url": "/api/x"}}}}
    view, request = rows(read(stream, METADATA, made, span))
    assert (view["time_us"], request["time_us"]) == (TIME_US, TIME_US + 12_500)
    assert orjson.loads(view["attributes"])["time_is"] == "when the file was written"
    assert "time_is" not in orjson.loads(rows(read(stream, METADATA, transaction()))[0]["attributes"])


def test_read_elastic_rum_lets_each_trace_be_a_visitor_where_nobody_is_named(stream):
    first, second = rows(read(stream, METADATA, transaction(), transaction(trace_id="cd" * 16)))
    assert (first["visitor_id"], second["visitor_id"]) == ("ab" * 16, "cd" * 16)


def test_read_elastic_rum_forgets_one_batchs_metadata_at_the_next(stream):
    other = {"metadata": {"service": {"name": "other", "agent": {"name": "rum-js"}}}}
    made = rows(read(stream, METADATA, transaction(), other, transaction()))
    assert [row["service_name"] for row in made] == ["shop-web", "other"]
    assert "network_type" not in made[1]


def test_read_elastic_rum_reads_an_error(stream):
    frames = [
        {"function": "pay", "abs_path": "https://shop.example/app.js", "lineno": 12, "colno": 3},
        {"filename": "app.js", "lineno": 1},
    ]
    error = {
        "id": "e1",
        "timestamp": TIME_US,
        "transaction_id": "t1",
        "exception": {"type": "TypeError", "message": "price is undefined", "stacktrace": frames},
        "context": {"page": PAGE, "environment": {"language": "de-DE", "browserWidth": 390}},
    }
    log = {"id": "e2", "timestamp": TIME_US, "log": {"message": "failed"}}
    first, second = rows(read(stream, METADATA, {"error": error}, {"error": log}))
    assert first["exception_stacktrace"] == (
        "    at pay (https://shop.example/app.js:12:3)\n    at <anonymous> (app.js:1:None)"
    )
    assert (first["event_kind"], first["error_type"], first["exception_message"], first["view_id"]) == (
        "error",
        "TypeError",
        "price is undefined",
        "t1",
    )
    assert (first["browser_language"], first["viewport_width_px"], first["error_source"]) == ("de-DE", 390, "exception")
    assert (second["error_source"], second["exception_message"]) == ("console", "failed")


def test_read_elastic_rum_counts_what_is_no_event(stream):
    span = {"span": {"id": "p", "start": 1, "duration": 2, "type": "app"}}
    result = read(stream, METADATA, span, {"metricset": {}}, {"transaction": 1}, {"a": {}}, {"span": {}, "error": {}})
    assert result.dropped == {NO_REQUEST: 1, METRICS: 1}
    assert [item.reason for item in result.quarantined] == [NOT_AN_EVENT] * 3


def test_read_elastic_rum_reads_version_3_as_version_2(stream):
    long = transaction(
        type="page-load",
        marks={"agent": {"largestContentfulPaint": 1200}},
        session={"id": "s-1"},
        context={"page": PAGE, "user": {"id": "u-1"}},
    )
    short = {
        "x": {
            "id": "t1", "tid": "ab" * 16, "t": "p-load", "n": "/cart", "d": 900.5, "timestamp": TIME_US,
            "k": {"a": {"lp": 1200}}, "ses": {"id": "s-1"},
            "c": {"p": {"url": PAGE["url"], "rf": PAGE["referer"]}, "u": {"id": "u-1"}},
        }
    }  # fmt: skip
    metadata = {
        "m": {
            "se": {"n": "shop-web", "ve": "2.4", "en": "prod", "a": {"n": "rum-js"}},
            "n": {"c": {"t": "4g"}},
            "l": {"team": "web"},
        }
    }
    (expected,) = rows(read(stream, METADATA, long))
    (row,) = rows(read(stream, metadata, short))
    expected.pop("attributes")
    assert orjson.loads(row.pop("attributes"))["type"] == "p-load"
    assert row == expected


def test_read_elastic_rum_reads_the_vendors_version_3(shared_data, stream):
    folder = shared_data / "formats" / "elastic_apm"
    result = read(stream, (folder / "testdata__intake-v3__rum_events.ndjson").read_bytes())
    assert (result.rows_read, result.kept, result.dropped) == (9, {"rum_events": 5}, {NO_REQUEST: 4})
    made = rows(result)
    assert [(row["event_kind"], row.get("request_path"), row.get("http_response_status_code")) for row in made] == [
        ("view", None, 200),
        ("request", "/test/e2e/general-usecase/app.e2e-bundle.min.js", None),
        ("request", "/test/e2e/common/data.json", 200),
        ("request", "/data", 200),
        ("request", "/fetch", 200),
    ]
    assert {row["visitor_id"] for row in made} == {"uId"}
    assert {row["url_path"] for row in made} == {"/test/e2e/general-usecase/"}


def test_read_elastic_rum_reads_the_vendors_version_2(shared_data, stream):
    folder = shared_data / "formats" / "elastic_apm"
    names = ("errors_rum", "transactions_spans_rum", "transactions_spans_rum_2")
    kinds = [
        [row["event_kind"] for row in rows(read(stream, (folder / f"testdata__intake-v2__{name}.ndjson").read_bytes()))]
        for name in names
    ]
    assert kinds == [["error"], ["view", "request"], ["view", "request"]]
