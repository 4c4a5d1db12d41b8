"""Browsers' events among OTLP's log records."""

import orjson
import pytest

from prodintel_lib.sources.otlp import read_otlp, read_otlp_parts

START_US = 1_759_155_600_000_000
TRACE = "5b8efff798038103d269b633813fc60c"
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
RESOURCE = {
    "service.name": "shop-web",
    "service.version": "2.4.1",
    "deployment.environment.name": "production",
    "user_agent.original": AGENT,
    "browser.language": "de-DE",
}
SESSION = {
    "session.id": "s-1",
    "visitor.id": "v-1",
    "browser.view.id": "view-1",
    "url.path": "/product/7",
    "url.query": "ref=mail",
    "browser.viewport.width": 390,
    "browser.viewport.height": 844,
    "browser.utc_offset_min": 120,
    "browser.timezone": "Europe/Berlin",
    "network.connection.type": "4g",
}
# What every row of these resource and session attributes has.
SHARED = {
    "time_us": START_US,
    "session_id": "s-1",
    "visitor_id": "v-1",
    "user_bucket": 5,
    "view_id": "view-1",
    "url_path": "/product/7",
    "url_query": "ref=mail",
    "viewport_width_px": 390,
    "viewport_height_px": 844,
    "utc_offset_min": 120,
    "timezone_name": "Europe/Berlin",
    "network_type": "4g",
    "user_agent_original": AGENT,
    "browser_language": "de-DE",
    "browser_name": "Safari",
    "browser_version": "18.5",
    "os_name": "iOS",
    "device_type": "mobile",
    "service_name": "shop-web",
    "service_version": "2.4.1",
    "deployment_environment_name": "production",
}


@pytest.fixture
def events(attributes):
    """Return a function that wraps records, each a name, its attributes and what else it says, in a document."""

    def wrap(*records, resource=RESOURCE, shared=SESSION):
        made = [
            {"timeUnixNano": str(START_US * 1000), "attributes": attributes(shared | own), **more}
            | ({"eventName": name} if name else {})
            for name, own, more in records
        ]
        scoped = {"scope": {}, "logRecords": made}
        return {"resourceLogs": [{"resource": {"attributes": attributes(resource)}, "scopeLogs": [scoped]}]}

    return wrap


def only(result, table="rum_events"):
    """Return the one row of a result, without what it does not have."""
    assert result.quarantined == ()
    assert result.kept == {table: 1}
    return {name: value for name, value in result.frames[table].row(0, named=True).items() if value is not None}


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        (
            "browser.page_view",
            {
                "page.title": "Tea",
                "http.request.header.referer": "https://news.example/",
                "browser.load.duration": 812.5,
            },
            {
                "event_kind": "view",
                "page_title": "Tea",
                "referrer": "https://news.example/",
                "duration_ms": 812.5,
            },
        ),
        (
            "browser.web_vital",
            {"browser.web_vital.name": "lcp", "browser.web_vital.value": 2400.5},
            {"event_kind": "vital", "lcp_ms": 2400.5},
        ),
        (
            "browser.web_vital",
            {"browser.web_vital.name": "CLS", "browser.web_vital.value": 0},
            {"event_kind": "vital", "cls_score": 0.0},
        ),
        (
            "browser.user_action",
            {
                "browser.user_action.type": "click",
                "element.role": "button",
                "element.name": "Add to cart",
                "element.test_id": "add",
                "element.selector": "#add",
                "element.value": "2",
            },
            {
                "event_kind": "action",
                "action_type": "click",
                "target_role": "button",
                "target_name": "Add to cart",
                "target_test_id": "add",
                "target_selector": "#add",
                "target_value": "2",
            },
        ),
        (
            "browser.user_action.click",
            {"browser.css_selector": "html > body"},
            {"event_kind": "action", "action_type": "click", "target_selector": "html > body"},
        ),
        (
            "exception",
            {"exception.type": "TypeError", "exception.message": "no", "exception.stacktrace": "at a.js:1"},
            {
                "event_kind": "error",
                "error_source": "exception",
                "error_type": "TypeError",
                "exception_message": "no",
                "exception_stacktrace": "at a.js:1",
            },
        ),
        (
            "exception",
            {"exception.message": "Enter a postcode", "error.source": "validation"},
            {"event_kind": "error", "error_source": "validation", "exception_message": "Enter a postcode"},
        ),
        (
            "browser.request",
            {
                "http.request.method": "POST",
                "http.request.path": "/api/cart?x=1",
                "http.response.status_code": 503,
                "http.request.duration": 41.5,
                "trace.id": TRACE,
            },
            {
                "event_kind": "request",
                "http_request_method": "POST",
                "request_path": "/api/cart",
                "http_response_status_code": 503,
                "duration_ms": 41.5,
                "trace_id": TRACE,
            },
        ),
        (
            "browser.resource_timing",
            {"url.full": "https://cdn.example/app.js?v=2", "browser.resource_timing.duration": 20.0},
            {"event_kind": "request", "request_path": "/app.js", "duration_ms": 20.0},
        ),
        (
            "browser.navigation_timing",
            {"browser.resource_timing.response_start": 90.0, "browser.navigation_timing.load_event_end": 1200.0},
            {"event_kind": "vital", "ttfb_ms": 90.0, "duration_ms": 1200.0},
        ),
        ("browser.console", {"browser.console.method": "error"}, {"event_kind": "error", "error_source": "console"}),
        ("browser.console", {"browser.console.method": "warn"}, {"event_kind": "custom", "action_type": "warn"}),
        ("purchase", {"user.id": "u-9"}, {"event_kind": "custom", "user_id": "u-9"}),
    ],
)
def test_read_otlp_reads_a_browsers_event(stream, events, name, own, expected):
    row = only(read_otlp(stream(events((name, own, {})))))
    row.pop("attributes", None)
    assert row == SHARED | {"event_name": name} | expected


def test_read_otlp_keeps_what_an_event_says_more(stream, events):
    own = {"element.input_type": "password", "retries": 0, "is_first": False}
    row = only(read_otlp(stream(events(("browser.user_action.change", own, {})))))
    assert orjson.loads(row["attributes"]) == own | {
        "resource": {"browser.language": "de-DE", "user_agent.original": AGENT}
    }


def test_read_otlp_reads_the_specifications_page_view(shared_data, stream):
    row = only(read_otlp(stream((shared_data / "formats" / "otlp" / "events.json").read_bytes())))
    assert (row["event_kind"], row["url_path"], row["page_title"], row["referrer"], row["visitor_id"]) == (
        "view",
        "/online-guid-generator.aspx",
        "Free Online GUID Generator",
        "https://wwww.google.com",
        "unknown",
    )


def test_read_otlp_reads_a_vital_with_its_fields_in_the_body(stream, events, attributes):
    body = {"kvlistValue": {"values": attributes({"name": "inp", "value": 120.0, "delta": 1.5, "id": "v3-1"})}}
    row = only(read_otlp(stream(events(("browser.web_vital", {}, {"body": body})))))
    told = orjson.loads(row["attributes"])
    assert (row["inp_ms"], told["delta"], told["id"]) == (120.0, 1.5, "v3-1")


def test_read_otlp_leaves_services_records_in_the_logs(stream, events):
    records = [
        ("exception", {"exception.type": "KeyError"}, {}),
        ("gen_ai.choice", {}, {}),
        (None, {}, {"body": {"stringValue": "paid"}}),
    ]
    document = events(*records, resource={"service.name": "orders"}, shared={"session.id": "s-1"})
    assert read_otlp(stream(document)).kept == {"logs": 3}


def test_read_otlp_sorts_events_from_logs_of_one_batch(stream, events):
    result = read_otlp(stream(events(("browser.page_view", {}, {}), (None, {}, {}), ("purchase", {}, {}))))
    assert (result.rows_read, result.kept) == (3, {"logs": 1, "rum_events": 2})


def test_read_otlp_puts_an_evaluated_flag_among_the_exposures(stream, events):
    own = {
        "feature_flag.key": "new-checkout",
        "feature_flag.result.variant": "treatment",
        "feature_flag.provider.name": "flagd",
    }
    row = only(read_otlp(stream(events(("feature_flag.evaluation", own, {})))), "exposures")
    row.pop("attributes")
    assert row == {
        "time_us": START_US,
        "source": "flagd",
        "feature_flag_key": "new-checkout",
        "feature_flag_result_variant": "treatment",
        "visitor_id": "v-1",
        "session_id": "s-1",
    }


def test_read_otlp_quarantines_an_event_without_a_time(stream, events):
    result = read_otlp(stream(events(("purchase", {}, {"timeUnixNano": "0"}), ("purchase", {}, {"timeUnixNano": []}))))
    assert [item.reason for item in result.quarantined] == ["missing or impossible time", "missing or impossible time"]
    assert result.rows_read == 2


def test_read_otlp_keeps_a_number_it_cannot_read_as_an_attribute(stream, events):
    own = {"browser.web_vital.name": "lcp", "browser.web_vital.value": -4.0, "http.response.status_code": "none"}
    row = only(read_otlp(stream(events(("browser.web_vital", own, {})))))
    told = orjson.loads(row["attributes"])
    assert "lcp_ms" not in row
    assert (told["lcp_ms"], told["http.response.status_code"]) == (-4.0, "none")


def test_read_otlp_parts_gives_events_in_parts(stream, events):
    documents = [events(("purchase", {"n": number}, {})) for number in range(5)]
    parts = list(read_otlp_parts(stream(*documents), part_rows=2))
    assert [part.kept for part in parts] == [{"rum_events": 2}, {"rum_events": 2}, {"rum_events": 1}]


def test_read_otlp_takes_a_title_and_a_url_of_an_event_for_the_pages_only_in_a_page_view(stream, events):
    row = only(read_otlp(stream(events(("add_to_cart", {"title": "Green tea", "url": "https://x.example/7"}, {})))))
    assert ("page_title" in row, row["url_path"]) == (False, "/product/7")
    assert orjson.loads(row["attributes"]).items() >= {"title": "Green tea", "url": "https://x.example/7"}.items()
