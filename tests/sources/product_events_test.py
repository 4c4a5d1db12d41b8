"""Exports of GA4, PostHog and Mixpanel; the documents were written by hand from the vendors' documentation."""

import orjson
import pytest

from prodintel_lib.sources import ga4, mixpanel, posthog
from prodintel_lib.sources.countries import country_code
from prodintel_lib.sources.parts import joined_parts

TIME_US = 1_759_155_600_000_000


def read(parts):
    return joined_parts(parts)


def only(result, table="rum_events"):
    assert result.quarantined == ()
    assert result.kept == {table: 1}
    row = {name: value for name, value in result.frames[table].row(0, named=True).items() if value is not None}
    row.pop("user_bucket", None)
    return row


def google(name="page_view", params=None, **changes):
    told = {"page_location": "https://shop.example/cart?step=2", "ga_session_id": 77, "ga_session_number": 1} | (
        params or {}
    )
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    return {
        "event_date": "20250929",
        "event_timestamp": str(TIME_US),
        "event_name": name,
        "event_params": [
            {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
            for key, value in told.items()
        ],
        "user_pseudo_id": "123.456",
        "device": {
            "category": "smart tv",
            "operating_system": "Macintosh",
            "language": "de-de",
            "time_zone_offset_seconds": "7200",
            "web_info": {"browser": "Chrome", "browser_version": "141.0"},
        },
        "geo": {"country": "Germany", "region": "Bavaria"},
        "stream_id": "9",
    } | changes


GOOGLE = {
    "time_us": TIME_US,
    "visitor_id": "123.456",
    "session_id": "123.456.77",
    "url_path": "/cart",
    "url_query": "step=2",
    "browser_name": "Chrome",
    "browser_version": "141.0",
    "os_name": "macOS",
    "device_type": "tv",
    "browser_language": "de-de",
    "utc_offset_min": 120,
    "geo_country_iso_code": "DE",
    "geo_region_iso_code": "Bavaria",
    "user_is_new": True,
    "service_name": "9",
}


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        (
            "page_view",
            {"page_title": "Cart", "page_referrer": "https://shop.example/"},
            {"event_kind": "view", "page_title": "Cart", "referrer": "https://shop.example/"},
        ),
        (
            "click",
            {"link_text": "Pay", "link_id": "pay"},
            {"event_kind": "action", "action_type": "click", "target_name": "Pay", "target_selector": "#pay"},
        ),
        ("form_submit", {"form_id": "f"}, {"event_kind": "action", "action_type": "submit", "target_selector": "#f"}),
        (
            "exception",
            {"description": "no price"},
            {"event_kind": "error", "error_source": "exception", "exception_message": "no price"},
        ),
        ("LCP", {"value": 10.0, "metric_value": 2400.5}, {"event_kind": "vital", "lcp_ms": 2400.5}),
        ("CLS", {"value": 0.25}, {"event_kind": "vital", "cls_score": 0.25}),
        ("purchase", {"transaction_id": "T1"}, {"event_kind": "custom"}),
    ],
)
def test_read_ga4_reads_events(stream, name, params, expected):
    row = only(read(ga4.read_ga4_parts(stream(google(name, params)))))
    assert orjson.loads(row.pop("attributes"))["event_date"] == "20250929"
    assert row == GOOGLE | {"event_name": name} | expected


def test_read_ga4_keeps_parameters_and_properties_without_a_column(stream):
    properties = [{"key": "plan", "value": {"string_value": "pro"}}]
    made = google("purchase", {"transaction_id": "T1"}, user_properties=properties, ecommerce={"purchase_revenue": 9.5})
    told = orjson.loads(only(read(ga4.read_ga4_parts(stream(made))))["attributes"])
    assert told.items() >= {
        "param.transaction_id": "T1", "user.plan": "pro", "ecommerce.purchase_revenue": 9.5, "geo.country": "Germany",
    }.items()  # fmt: skip


def test_read_ga4_puts_an_impression_of_an_experiment_among_the_exposures(stream):
    made = google("experience_impression", {"exp_variant_string": "OPT-new-checkout-b"})
    row = only(read(ga4.read_ga4_parts(stream(made))), "exposures")
    row.pop("attributes")
    assert row == {
        "time_us": TIME_US,
        "source": "ga4",
        "feature_flag_key": "OPT-new-checkout",
        "feature_flag_result_variant": "b",
        "visitor_id": "123.456",
        "session_id": "123.456.77",
    }


def test_read_ga4_quarantines_what_it_cannot_read(stream):
    rows = [google(event_timestamp="soon"), {"event_name": 1}, google(event_params=[{"key": "a"}]), 5]
    result = read(ga4.read_ga4_parts(stream(*rows)))
    assert [item.reason for item in result.quarantined] == [
        "missing or impossible time", ga4.NOT_AN_EVENT, ga4.NOT_AN_EVENT, ga4.NOT_AN_EVENT,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Bosnia & Herzegovina", "BA"),
        ("us", "US"),
        ("Côte d’Ivoire", "CI"),
        (7, None),
    ],
)
def test_country_code_reads_the_usual_names(name, expected):
    assert country_code(name) == expected


def hog(event="$pageview", properties=None, **changes):
    told = {
        "$session_id": "s-1",
        "$device_id": "d-1",
        "$pageview_id": "p-1",
        "$current_url": "https://shop.example/cart?step=2",
        "$pathname": "/cart",
        "$referrer": "$direct",
        "$browser": "Mobile Safari",
        "$browser_version": 18.5,
        "$os": "iOS",
        "$device_type": "Mobile",
        "$viewport_width": 390,
        "$geoip_country_code": "US",
        "$geoip_subdivision_1_code": "CA",
        "$ip": "192.0.2.7",
    } | (properties or {})
    made = {
        "uuid": "u", "event": event, "distinct_id": "d-1", "timestamp": "2025-09-29 14:20:00+00:00", "properties": told,
    }  # fmt: skip
    return made | changes


HOG = {
    "time_us": TIME_US,
    "visitor_id": "d-1",
    "session_id": "s-1",
    "view_id": "p-1",
    "url_path": "/cart",
    "url_query": "step=2",
    "browser_name": "Safari",
    "browser_version": "18.5",
    "os_name": "iOS",
    "device_type": "mobile",
    "viewport_width_px": 390,
    "geo_country_iso_code": "US",
    "geo_region_iso_code": "US-CA",
    "client_address": "192.0.2.7",
}
TARGET = {"target_role": "button", "target_name": "Pay", "target_test_id": "pay-now", "target_selector": "#pay"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (hog(), {"event_kind": "view", "event_name": "$pageview"}),
        (
            hog("$web_vitals", {"$web_vitals_LCP_value": 2400.5, "$web_vitals_CLS_value": 0.1}),
            {"event_kind": "vital", "event_name": "$web_vitals", "lcp_ms": 2400.5, "cls_score": 0.1},
        ),
        (
            hog("$exception", {"$exception_list": [{"type": "TypeError", "value": "no price"}]}),
            {
                "event_kind": "error", "event_name": "$exception", "error_source": "exception",
                "error_type": "TypeError", "exception_message": "no price",
            },
        ),
        (
            hog(
                "$autocapture",
                {"$event_type": "click"},
                elements_chain='button.btn:attr__id="pay"attr__data-testid="pay-now"nth-child="1"text="Pay";div:nth-child="2"',
            ),
            {"event_kind": "action", "event_name": "$autocapture", "action_type": "click"} | TARGET,
        ),
        (
            hog(
                "$autocapture",
                {
                    "$event_type": "submit",
                    "$elements": [
                        {"tag_name": "button", "$el_text": "Pay", "attr__id": "pay", "attr__data-testid": "pay-now"},
                    ],
                },
            ),
            {"event_kind": "action", "event_name": "$autocapture", "action_type": "submit"} | TARGET,
        ),
        (
            hog("purchase", {"$is_identified": True}, distinct_id="ann"),
            {"event_kind": "custom", "event_name": "purchase", "user_id": "ann"},
        ),
    ],
    ids=["view", "vitals", "exception", "chain", "elements", "custom"],
)  # fmt: skip
def test_read_posthog_reads_events(stream, document, expected):
    row = only(read(posthog.read_posthog_parts(stream(document))))
    row.pop("attributes")
    assert row == HOG | expected


def test_read_posthog_reads_properties_in_a_text_and_results_of_the_api(stream):
    text = hog() | {"properties": orjson.dumps(hog()["properties"]).decode()}
    result = read(posthog.read_posthog_parts(stream({"results": [hog(), text]})))
    first, second = result.frames["rum_events"].to_dicts()
    assert first == second


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("$feature_flag_called", {"$feature_flag": "new-checkout", "$feature_flag_response": True}),
        ("$experiment_started", {"experiment_name": "new-checkout", "variant": "true"}),
    ],
)
def test_read_posthog_puts_flags_among_the_exposures(stream, name, properties):
    row = only(read(posthog.read_posthog_parts(stream(hog(name, properties)))), "exposures")
    row.pop("attributes")
    assert row == {
        "time_us": TIME_US,
        "source": "posthog",
        "feature_flag_key": "new-checkout",
        "feature_flag_result_variant": "true",
        "visitor_id": "d-1",
        "session_id": "s-1",
    }


def test_read_posthog_quarantines_what_it_cannot_read(stream):
    rows = [hog(timestamp="soon"), hog() | {"properties": "{"}, {"event": "x"}, "text", hog("$feature_flag_called")]
    result = read(posthog.read_posthog_parts(stream(*rows)))
    assert [item.reason for item in result.quarantined] == [posthog.NOT_AN_EVENT] * 4 + ["no usable feature_flag_key"]


def panel(event="$mp_web_page_view", **changes):
    told = {
        "time": TIME_US // 1_000_000,
        "distinct_id": "$device:d-1",
        "$device_id": "d-1",
        "$browser": "Chrome",
        "$browser_version": 141,
        "$os": "Windows",
        "mp_country_code": "DE",
        "$region": "Bavaria",
        "$current_url": "https://shop.example/cart?step=2",
        "current_page_title": "Cart",
        "$referrer": "https://shop.example/",
        "$insert_id": "i-1",
    }
    return {"event": event, "properties": told | changes}


PANEL = {
    "time_us": TIME_US,
    "visitor_id": "d-1",
    "url_path": "/cart",
    "url_query": "step=2",
    "page_title": "Cart",
    "referrer": "https://shop.example/",
    "browser_name": "Chrome",
    "browser_version": "141",
    "os_name": "Windows",
    "geo_country_iso_code": "DE",
    "geo_region_iso_code": "Bavaria",
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (panel(), {"event_kind": "view", "event_name": "$mp_web_page_view"}),
        (panel(time=TIME_US // 1000), {"event_kind": "view", "event_name": "$mp_web_page_view"}),
        (
            panel("$mp_click", **{"$el_tag_name": "BUTTON", "$el_text": "Pay", "$el_id": "pay", "distinct_id": "ann"}),
            {
                "event_kind": "action", "event_name": "$mp_click", "action_type": "click", "target_role": "button",
                "target_name": "Pay", "target_selector": "#pay", "user_id": "ann",
            },
        ),
        (panel("Purchase"), {"event_kind": "custom", "event_name": "Purchase"}),
    ],
    ids=["view", "milliseconds", "click", "custom"],
)  # fmt: skip
def test_read_mixpanel_reads_events(stream, document, expected):
    row = only(read(mixpanel.read_mixpanel_parts(stream(document))))
    assert orjson.loads(row.pop("attributes"))["$insert_id"] == "i-1"
    assert row == PANEL | expected


def test_read_mixpanel_puts_experiments_among_the_exposures(stream):
    made = panel("$experiment_started", **{"Experiment name": "new-checkout", "Variant name": "Control"})
    row = only(read(mixpanel.read_mixpanel_parts(stream(made))), "exposures")
    assert (row["source"], row["feature_flag_key"], row["feature_flag_result_variant"], row["visitor_id"]) == (
        "mixpanel",
        "new-checkout",
        "Control",
        "d-1",
    )


def test_read_mixpanel_quarantines_what_it_cannot_read(stream):
    rows = [panel(time="soon"), {"event": "x"}, panel(time=5), [1]]
    result = read(mixpanel.read_mixpanel_parts(stream(*rows)))
    assert [item.reason for item in result.quarantined] == [
        mixpanel.NOT_AN_EVENT, mixpanel.NOT_AN_EVENT, "missing or impossible time", mixpanel.NOT_AN_EVENT,
    ]  # fmt: skip


def test_read_mixpanel_quarantines_what_is_nested_too_deep(stream):
    deep = b'{"event":"x","properties":{"time":1759155600,"a":' + b'{"a":' * 1000 + b"1" + b"}" * 1002
    result = read(mixpanel.read_mixpanel_parts(stream(deep, panel())))
    assert [item.reason for item in result.quarantined] == [mixpanel.NOT_AN_EVENT]
    assert result.kept == {"rum_events": 1}
