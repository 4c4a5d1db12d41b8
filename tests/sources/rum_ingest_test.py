"""Every source of users' events is told by its content and ends in the lake, each row accounted for."""

import orjson
import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.sources.detect import recognise
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.workspace import open_workspace

LINE = b'192.0.2.7 - - [29/Sep/2025:14:20:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux) Firefox/144.0"'
TIME_US = 1_759_155_600_000_000
EXPORTS = {
    "access_log": LINE,
    "access_json": orjson.dumps(
        {"time": "2025-09-29T14:20:00Z", "remote_addr": "192.0.2.7", "uri": "/", "status": 200}
    ),
    "datadog_rum": orjson.dumps(
        {"type": "view", "date": TIME_US // 1000, "application": {}, "session": {"id": "s"}, "view": {"id": "v"}}
    ),
    "elastic_rum": b'{"metadata":{"service":{"name":"web","agent":{"name":"rum-js","version":"5"}}}}\n'
    b'{"error":{"id":"e","timestamp":1759155600000000}}',
    "ga4": orjson.dumps({"event_name": "page_view", "event_timestamp": str(TIME_US), "event_params": []}),
    "posthog": orjson.dumps(
        {"event": "$pageview", "distinct_id": "d", "properties": {}, "timestamp": "2025-09-29T14:20:00Z"}
    ),
    "mixpanel": orjson.dumps({"event": "Page View", "properties": {"time": TIME_US // 1_000_000, "distinct_id": "d"}}),
    "har": orjson.dumps(
        {
            "log": {
                "version": "1.2",
                "creator": {"name": "x"},
                "entries": [
                    {
                        "startedDateTime": "2025-09-29T14:20:00Z",
                        "request": {"url": "https://shop.example/", "method": "GET"},
                        "response": {"status": 200},
                    }
                ],
            }
        }
    ),
    "otlp": orjson.dumps(
        {
            "resourceLogs": [
                {
                    "scopeLogs": [
                        {"logRecords": [{"eventName": "browser.page_view", "timeUnixNano": str(TIME_US * 1000)}]}
                    ]
                }
            ]
        }
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_recognise_tells_sources_of_users_events(name):
    assert recognise(EXPORTS[name]) == name


@pytest.mark.parametrize(
    "head",
    [
        b'{"metadata":{"service":{"name":"api","agent":{"name":"python","version":"6"}}}}',
        b'{"log": {"level": "info"}, "message": "x"}',
        b'{"m": 5, "se": 1}',
        b'{"status": 200, "request": "GET /"}',
    ],
)
def test_recognise_leaves_others_alone(head):
    assert recognise(head) is None


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: shop\nsources:\n  - path: evidence\n", encoding="utf-8")
    (tmp_path / "evidence").mkdir()
    return open_workspace(tmp_path)


def test_ingest_reads_every_source_of_users_events(workspace):
    for name, content in EXPORTS.items():
        (workspace.root / "evidence" / name).write_bytes(content + b"\n")
    report = ingest(workspace)
    assert {source.format: source.kept for source in report.sources} == {name: {"rum_events": 1} for name in EXPORTS}
    assert (report.rows_read, report.quarantined, report.dropped) == (len(EXPORTS), 0, {})
    events = collect(
        workspace.scan("rum_events"), schema=RUM_EVENTS.schema, sort_by=["time_us", "event_kind", "visitor_id"]
    )
    assert events.height == len(EXPORTS)
    assert events["time_us"].unique().to_list() == [TIME_US]


def test_ingest_accounts_for_what_it_cannot_read(workspace):
    for name, content in EXPORTS.items():
        broken = b"?" if name == "access_log" else b'{"x": 1}'
        (workspace.root / "evidence" / name).write_bytes(content + b"\n" + broken + b"\n")
    report = ingest(workspace)
    assert {source.format: (source.rows_read, source.quarantined) for source in report.sources} == dict.fromkeys(
        EXPORTS, (2, 1)
    )


def test_ingest_keeps_a_visitor_in_one_bucket_whatever_the_source(workspace):
    for name, key in (("posthog", "distinct_id"), ("ga4", "user_pseudo_id")):
        made = orjson.loads(EXPORTS[name]) | {key: "same"}
        (workspace.root / "evidence" / name).write_bytes(orjson.dumps(made))
    ingest(workspace)
    frame = collect(
        workspace.scan("rum_events"),
        schema={"visitor_id": pl.String(), "user_bucket": pl.Int64()},
        sort_by=["user_bucket"],
    )
    assert frame.unique().height == 1
