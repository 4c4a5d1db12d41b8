import polars as pl
import pytest

from prodintel_lib.analyses.journeys.exposures import (
    REASONS,
    choose_windows,
    tally_dwell,
    tally_exposures,
)
from prodintel_lib.analyses.journeys.passes import Part
from prodintel_lib.rollups.rum_sorted_sessions import NUMBERED_STEPS_SCHEMA

STEP = {
    "session_no": 0, "step_no": 1, "route": "/pay", "next_route": "/thanks", "dwell_s": 10.0, "is_return": False,
    "at_risk": True, "dropped": False, "device_type": "mobile", "entry_route": "/",
}  # fmt: skip
WINDOWS = pl.DataFrame({"route": ["/pay"], "window_s": [20.0]})


def part(*steps):
    rows = [STEP | step for step in steps]
    return Part(pl.DataFrame(), pl.DataFrame(rows, schema=NUMBERED_STEPS_SCHEMA))


def reasons(bits):
    return [reason.name for place, reason in enumerate(REASONS) if bits & (1 << place)]


def test_choose_windows_takes_what_three_quarters_of_those_who_went_on_stayed():
    stayed = part(*({"dwell_s": float(n)} for n in range(1, 101)), *({"dwell_s": 9e9, "next_route": None},) * 300)
    found = choose_windows([tally_dwell(stayed)])
    assert found["route"].to_list() == ["/pay"]
    assert found["window_s"][0] == pytest.approx(75, rel=0.01)
    few = part(*({"dwell_s": float(n)} for n in range(1, 30)))
    assert choose_windows([tally_dwell(few)]).is_empty()


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({}, []),
        ({"error_after_s": 20.0}, ["error"]),
        ({"error_after_s": 20.1}, []),
        ({"validation_error_after_s": 1.0, "rage_click_after_s": 2.0}, ["validation failure", "rage click"]),
        ({"failed_request_after_s": 3.0}, ["failed request"]),
        ({"is_return": True}, ["back and forth"]),
        (
            {
                "load_ms": 4000.0,
                "lcp_ms": 4000.0,
                "inp_ms": 500.0,
                "cls_score": 0.25,
                "fcp_ms": 3000.0,
                "ttfb_ms": 1800.0,
            },
            [],
        ),
        (
            {
                "load_ms": 4001.0,
                "lcp_ms": 4001.0,
                "inp_ms": 501.0,
                "cls_score": 0.26,
                "fcp_ms": 3001.0,
                "ttfb_ms": 1801.0,
            },
            ["slow page", "poor LCP", "poor INP", "poor CLS", "poor FCP", "poor TTFB"],
        ),
    ],
)
def test_tally_exposures_says_what_happened_in_time(step, expected):
    found = tally_exposures(part(step), WINDOWS)
    assert [reasons(bits) for bits in found["happened"]] == [expected]


def test_tally_exposures_counts_an_event_within_a_minute_where_the_page_has_no_window():
    found = tally_exposures(
        part({"route": "/a", "error_after_s": 60.0}, {"route": "/b", "error_after_s": 60.1}), WINDOWS
    )
    assert {route: reasons(bits) for route, bits in found.select("route", "happened").iter_rows()} == {
        "/a": ["error"],
        "/b": [],
    }


def test_tally_exposures_knows_what_was_not_measured():
    found = tally_exposures(part({"lcp_ms": 900.0, "inp_ms": 80.0}), WINDOWS)
    assert reasons(found["not_measured"][0]) == ["slow page", "poor CLS", "poor FCP", "poor TTFB"]


def test_tally_exposures_counts_steps_at_risk_alike_together():
    found = tally_exposures(
        part({}, {"dropped": True}, {"at_risk": False}, {"step_no": 12}, {"step_no": 40}, {"device_type": None}),
        WINDOWS,
    )
    counts = found.select("position", "device_type", "steps", "dropped").sort("position", "device_type")
    assert counts.rows() == [(1, None, 1, 0), (1, "mobile", 2, 1), (12, "mobile", 2, 0)]
