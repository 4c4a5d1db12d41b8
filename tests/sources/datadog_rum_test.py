"""Datadog RUM events: the vendor's samples, versions of views, and answers of the API."""

import orjson
import pytest

from prodintel_lib.sources.datadog import read_datadog
from prodintel_lib.sources.datadog_rum import NOT_AN_EVENT, PARTIAL, SUPERSEDED, read_datadog_rum_parts
from prodintel_lib.sources.parts import joined_parts

DATE_MS = 1_759_155_600_000


def event(kind="view", **changes):
    made = {
        "type": kind,
        "date": DATE_MS,
        "application": {"id": "app"},
        "session": {"id": "s-1", "type": "user"},
        "source": "browser",
        "view": {"id": "v-1", "url": "https://shop.example/cart?step=2", "referrer": "https://shop.example/"},
    }
    return made | changes


def version(number, **of_view):
    view = event()["view"] | of_view
    return event(view=view, _dd={"document_version": number, "format_version": 2})


def read(stream, *events):
    return joined_parts(read_datadog_rum_parts(stream(*events)))


def only(result, table="rum_events"):
    assert result.quarantined == ()
    (row,) = result.frames[table].to_dicts()
    return {name: value for name, value in row.items() if value is not None}


SAMPLES = {
    "action": {"event_kind": "action", "action_type": "click", "target_name": "Options", "duration_ms": 566.25},
    "app_start": {"event_kind": "action", "action_type": "application_start"},
    "error": {
        "event_kind": "error",
        "error_source": "network",
        "http_request_method": "POST",
        "request_path": "/api/v1/logs-analytics/aggregate",
        "exception_stacktrace": "Failed to load",
        "network_type": "4g",
    },
    "extended_error": {"user_id": "4815162342", "viewport_width_px": 1920, "viewport_height_px": 1080},
    "long_task": {"event_kind": "custom", "event_name": "long_task", "duration_ms": 71.455},
    "long_animation_frame": {"event_kind": "custom", "event_name": "long_task", "duration_ms": 82.0},
    "resource": {
        "event_kind": "request",
        "http_response_status_code": 200,
        "duration_ms": 246.58,
        "trace_id": "00000000000000000000000000001ed2",
        "url_path": "/rum/explorer",
    },
    "resource-graphql": {"request_path": "/graphql"},
    "transition": {"event_kind": "custom", "event_name": "transition"},
    "view": {
        "event_kind": "view",
        "duration_ms": 4115.295,
        "lcp_ms": 20.0,
        "inp_ms": 20.0,
        "fid_ms": 20.0,
        "fcp_ms": 420.725,
        "cls_score": 0.1,
        "os_name": "iOS",
        "device_type": "tablet",
        "timezone_name": "Europe/Paris",
    },
    "view-with-tab": {"event_kind": "view", "url_path": "/rum/explorer"},
    "vital": {"event_kind": "custom", "event_name": "user-timing", "duration_ms": 0.0001},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_read_datadog_rum_reads_the_vendors_samples(shared_data, stream, name):
    sample = shared_data / "formats" / "datadog" / "rum_samples" / f"samples__rum-events__{name}.json"
    row = only(read(stream, sample.read_bytes()))
    assert row.items() >= (SAMPLES[name] | {"session_id": "cacbf45c-3a05-48ce-b066-d76349460599"}).items()


def test_read_datadog_rum_keeps_the_last_version_of_each_view_and_counts_the_others(stream):
    result = read(
        stream,
        version(2, time_spent=2),
        version(5, time_spent=5),
        event("action", action={"type": "click"}),
        version(3, time_spent=3),
        version(5, time_spent=5),
        version(1, id="v-2"),
    )
    assert result.dropped == {SUPERSEDED: 3}
    views = result.frames["rum_events"].filter(result.frames["rum_events"]["event_kind"] == "view")
    assert [(row["view_id"], orjson.loads(row["attributes"])["_dd.document_version"]) for row in views.to_dicts()] == [
        ("v-1", 5),
        ("v-2", 1),
    ]


def test_read_datadog_rum_keeps_versions_over_parts(stream):
    parts = list(read_datadog_rum_parts(stream(version(1), version(2), version(3)), part_rows=1))
    assert [(part.kept, part.dropped) for part in parts] == [
        ({}, {SUPERSEDED: 1}),
        ({}, {SUPERSEDED: 1}),
        ({"rum_events": 1}, {}),
    ]


def test_read_datadog_rum_drops_partial_updates(stream):
    assert read(stream, event("view_update")).dropped == {PARTIAL: 1}


@pytest.mark.parametrize(("kind", "expected"), [("user", None), ("synthetics", "test"), ("ci_test", "test")])
def test_read_datadog_rum_tells_synthetic_sessions(stream, kind, expected):
    row = only(read(stream, event(session={"id": "s-1", "type": kind})))
    assert row.get("user_agent_synthetic_type") == expected


def test_read_datadog_rum_tells_a_bot_by_its_device(stream):
    row = only(read(stream, event(device={"type": "bot"})))
    assert (row["user_agent_synthetic_type"], row["device_type"]) == ("bot", "other")


def test_read_datadog_rum_takes_a_custom_action_for_an_event_of_its_name(stream):
    action = {"type": "custom", "target": {"name": "purchase"}}
    row = only(read(stream, event("action", action=action, context={"total": 12.5})))
    assert (row["event_kind"], row["event_name"]) == ("custom", "purchase")
    assert orjson.loads(row["attributes"])["context.total"] == 12.5


def test_read_datadog_rum_keeps_evaluated_flags_as_exposures(stream):
    result = read(stream, event(feature_flags={"new-checkout": "b", "beta": True}, usr={"id": "u-1"}))
    assert result.rows_read == 3
    rows = result.frames["exposures"].select("source", "feature_flag_key", "feature_flag_result_variant", "user_id")
    assert rows.rows() == [("datadog", "new-checkout", "b", "u-1"), ("datadog", "beta", "true", "u-1")]


def test_read_datadog_rum_quarantines_what_it_cannot_read(stream):
    result = read(
        stream, event("view", date="soon"), event("telemetry"), {"type": "view"}, [1], event(view="x"), event(), b"{"
    )
    assert result.kept == {"rum_events": 1}
    assert [item.line for item in result.quarantined] == [1, 2, 3, 4, 5, 7]
    assert {item.reason for item in result.quarantined} == {NOT_AN_EVENT, "not valid JSON"}


def test_read_datadog_reads_rum_events_of_an_answer(stream):
    inner = event("resource", resource={"url": "https://api.example/x", "duration": 5e6}) | {
        "browser": {"name": "Chrome", "version": "99.0"},
        "device": {"type": "Desktop"},
        "geo": {"country_iso_code": "IE", "country_subdivision": "Leinster"},
        "os": {"name": "Mac OS X"},
        "session": {"id": "s-1", "type": "user", "ip": "192.0.2.7"},
    }
    inner.pop("date")
    told = {"attributes": inner, "service": "web-ui", "tags": ["env:prod", "version:35"]}
    item = {"type": "rum", "id": "x", "attributes": told | {"timestamp": "2025-09-29T14:20:00.500Z"}}
    broken = {"type": "rum", "id": "y", "attributes": {"timestamp": "2025-09-29T14:20:00Z"}}
    result = read_datadog(stream({"data": [item, broken]}))
    assert [item.reason for item in result.quarantined] == [NOT_AN_EVENT]
    row = result.frames["rum_events"].row(0, named=True)
    expected = {
        "time_us": 1_759_155_600_500_000,
        "event_kind": "request",
        "browser_name": "Chrome",
        "device_type": "desktop",
        "os_name": "macOS",
        "geo_country_iso_code": "IE",
        "geo_region_iso_code": "Leinster",
        "client_address": "192.0.2.7",
        "service_name": "web-ui",
        "service_version": "35",
        "deployment_environment_name": "prod",
        "duration_ms": 5.0,
    }
    assert {name: row[name] for name in expected} == expected
