import polars as pl

from prodintel_lib.analyses.journeys.exemplars import name_session
from prodintel_lib.analyses.journeys.passes import Part
from prodintel_lib.scenarios.monitors.clients import choose_clients


def part(*sessions):
    """Make a part of sessions: ``(browser, country, device, converted, errors, routes, duration_s)``."""
    rows = [
        {
            "session_no": n, "visitor_id": f"v{n}", "session_id": None, "user_bucket": n, "start_us": n,
            "browser_name": browser, "geo_country_iso_code": country, "device_type": device, "converted": converted,
            "errors": errors, "steps": len(routes), "duration_s": float(duration_s),
        }
        for n, (browser, country, device, converted, errors, routes, duration_s) in enumerate(sessions)
    ]  # fmt: skip
    steps = [
        {"session_no": n, "step_no": at, "route": route}
        for n, session in enumerate(sessions)
        for at, route in enumerate(session[5], 1)
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return Part(frame.with_columns(pl.col("session_no").cast(pl.Int64)), pl.DataFrame(steps))


def told(chosen):
    return [each.select("browser_name", "geo_country_iso_code", "device_type").row(0) for each in chosen]


BUY = ("/", "/thanks")


def test_choose_clients_takes_the_one_that_adds_most_each_time():
    sessions = [
        *[("Chrome", "DE", "mobile", True, 0, BUY, 60)] * 5,
        *[("Chrome", "DE", "desktop", True, 0, BUY, 60)] * 2,
        *[("Safari", "GB", "mobile", True, 0, BUY, 60)] * 2,
        *[("Firefox", "DE", "desktop", True, 0, BUY, 60)] * 1,
    ]

    chosen = choose_clients(part(*sessions), most=9, has_conversions=True)

    # Chrome, DE and mobile are 0.7 + 0.8 + 0.7; then Safari and GB add 0.4, desktop and Firefox 0.4 with fewer sessions.
    assert told(chosen) == [("Chrome", "DE", "mobile"), ("Safari", "GB", "mobile"), ("Firefox", "DE", "desktop")]
    assert told(choose_clients(part(*sessions), most=1, has_conversions=True)) == [("Chrome", "DE", "mobile")]


def test_choose_clients_asks_for_sessions_that_went_well_and_did_what_the_site_is_for():
    sessions = part(
        ("Chrome", "DE", "mobile", True, 1, BUY, 60),
        ("Safari", "DE", "mobile", False, 0, BUY, 60),
        ("Firefox", "DE", "mobile", True, 0, ("/thanks",), 60),
        ("Edge", "DE", "mobile", True, 0, BUY, 60),
    )

    assert told(choose_clients(sessions, most=4, has_conversions=True)) == [("Edge", "DE", "mobile")]


def test_choose_clients_takes_the_most_walked_journey_where_no_conversion_is_known():
    sessions = part(
        ("Chrome", "DE", "mobile", False, 0, ("/", "/a"), 60),
        ("Chrome", "DE", "mobile", False, 0, ("/", "/b"), 60),
        ("Chrome", "DE", "mobile", False, 0, ("/", "/b"), 90),
    )

    (chosen,) = choose_clients(sessions, most=4, has_conversions=False)

    assert chosen["alike"].to_list() == [2, 2]


def test_choose_clients_puts_the_session_of_usual_length_first():
    (chosen,) = choose_clients(
        part(*[("Chrome", "DE", "mobile", True, 0, BUY, seconds) for seconds in (600, 20, 61)]),
        most=1,
        has_conversions=True,
    )

    assert chosen["session"][0] == name_session(2, 2, "v2", None)


def test_choose_clients_leaves_out_what_hardly_anybody_has():
    common = [("Chrome", "DE", "mobile", True, 0, BUY, 60)] * 40
    rare = ("Safari", "DE", "mobile", True, 0, BUY, 60)

    assert told(choose_clients(part(*common, rare), most=4, has_conversions=True)) == [("Chrome", "DE", "mobile")]


def test_choose_clients_finds_none_where_nothing_went_well():
    assert choose_clients(part(("Chrome", "DE", "mobile", True, 2, BUY, 60)), most=4, has_conversions=True) == []
