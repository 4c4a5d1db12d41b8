import math

import numpy as np
import pytest

from prodintel_lib.analyses.load.events import _interval, measure_events, parse_event
from prodintel_lib.analyses.load.local_hours import zone_named
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window, parse_time

UTC, PARIS = zone_named("UTC"), zone_named("Europe/Paris")
MONDAY = parse_time("2025-11-03")
QUARTERS_OF_WEEK = 4 * 168
FRIDAY = parse_event("2025-11-28/2025-11-29 black-friday", UTC)


def weeks(levels, *, event_times=1.0):
    """Return weeks of one level each, Friday of the fourth so many times as high."""
    quarters = np.repeat(np.asarray(levels, dtype=float), QUARTERS_OF_WEEK)
    friday = 3 * QUARTERS_OF_WEEK + 4 * 4 * 24
    quarters[friday : friday + 96] *= event_times
    return quarters


def test_parse_event_reads_dates_on_the_local_clock():
    event = parse_event(" 2025-11-28/2025-12-02 black friday ", PARIS)
    assert event.name == "black friday"
    assert event.window == Window(parse_time("2025-11-27T23:00:00Z"), parse_time("2025-12-01T23:00:00Z"))


def test_parse_event_takes_a_zone_that_is_written():
    assert parse_event("2025-11-28T10:00Z/2025-11-28T12:00 sale", PARIS).window == Window(
        parse_time("2025-11-28T10:00:00Z"), parse_time("2025-11-28T11:00:00Z")
    )


@pytest.mark.parametrize("text", ["black-friday", "2025-11-28/2025-12-02", "2025-11-31/2025-12-02 x", "a/b c"])
def test_parse_event_says_how_one_is_written(text):
    with pytest.raises(ParameterError, match=r"START/END NAME; this one is[\s\S]*black-friday`: the end is the first"):
        parse_event(text, UTC)


def test_parse_event_refuses_an_end_before_its_start():
    with pytest.raises(ParameterError, match="A window ends after it starts"):
        parse_event("2025-12-02/2025-11-28 x", UTC)


def test_measure_events_sets_it_against_the_median_of_other_weeks(hours_of):
    hours = hours_of(MONDAY, weeks([1.0, 2.0, 4.0, 2.0], event_times=6.0))
    row = measure_events(hours, [FRIDAY]).row(0, named=True)
    # Three other weeks had 1, 2 and 4 a second in these hours; the event had 12.
    assert (row["requests"], row["expected"], row["ratio"]) == (12 * 86400, 2 * 86400.0, 6.0)
    assert (row["peak_ratio"], row["against"], row["n"]) == (6.0, "other weeks", 3)
    # Student's t of two degrees, a standard deviation of log 2, a further week, and what is not known of the median.
    reach = 4.302652730 * math.log(2) * math.sqrt(1 + math.pi / 6)
    assert row["ratio_low"] == pytest.approx(6 * math.exp(-reach))
    assert row["says"] == "within what is usual"


def test_measure_events_is_sure_where_weeks_are_alike(hours_of):
    levels = [1.0, 1.02, 0.98, 1.0, 1.01, 0.99]
    row = measure_events(hours_of(MONDAY, weeks(levels, event_times=3.0)), [FRIDAY]).row(0, named=True)
    assert row["says"] == "more than usual"
    assert 2.8 < row["ratio_low"] < 3.0 < row["ratio_high"] < 3.2


def test_measure_events_of_many_weeks_is_not_led_astray_by_an_odd_one(hours_of):
    levels = [1.0, 1.02, 0.98, 1.0, 1.01, 0.99, 1.02, 0.98, 1.0]
    even = measure_events(hours_of(MONDAY, weeks(levels, event_times=3.0)), [FRIDAY]).row(0, named=True)
    odd = measure_events(hours_of(MONDAY, weeks([*levels, 20.0], event_times=3.0)), [FRIDAY]).row(0, named=True)
    assert (even["n"], odd["n"]) == (8, 9)
    assert odd["ratio"] == pytest.approx(even["ratio"], rel=0.02)
    assert 2.7 < odd["ratio_low"] < odd["ratio_high"] < 3.5


@pytest.mark.parametrize("weeks_known", [3, 7, 8, 20])
def test_interval_holds_what_a_further_week_has_as_often_as_it_says(weeks_known):
    hits = 0
    for seed in range(600):
        levels = np.exp(0.2 * np.random.default_rng(seed).normal(size=weeks_known + 1))
        low, high = _interval(levels[1:], 3 * levels[0] / float(np.median(levels[1:])))
        hits += low <= 3.0 <= high
    assert 0.93 <= hits / 600 <= 0.98


def test_measure_events_does_not_learn_from_another_event(hours_of):
    quarters = weeks([1.0] * 5, event_times=4.0)
    before = 2 * QUARTERS_OF_WEEK + 4 * 4 * 24
    quarters[before : before + 96] = 50.0
    other = parse_event("2025-11-21/2025-11-22 early", UTC)
    both = measure_events(hours_of(MONDAY, quarters), [FRIDAY, other])
    assert both.select("event", "ratio", "n").rows() == [("black-friday", 4.0, 3), ("early", 50.0, 3)]


def test_measure_events_falls_back_on_other_days(hours_of):
    quarters = np.ones(4 * 24 * 6)
    quarters[4 * 24 * 4 : 4 * 24 * 5] = 2.0
    event = parse_event("2025-11-07/2025-11-08 sale", UTC)
    row = measure_events(hours_of(MONDAY, quarters), [event]).row(0, named=True)
    assert (row["ratio"], row["against"], row["n"]) == (2.0, "other days", 5)


def test_measure_events_says_what_is_not_known(hours_of):
    hours = hours_of(MONDAY, np.ones(4 * 24 * 3))
    frame = measure_events(hours, [parse_event("2025-11-04/2025-11-05 sale", UTC), FRIDAY])
    assert frame.select("event", "requests", "ratio", "says").rows() == [
        ("sale", 86400, None, "fewer than 3 other weeks or days hold the same hours: the usual level is not known"),
        ("black-friday", 0, None, "nothing was recorded of it"),
    ]
