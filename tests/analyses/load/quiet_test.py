import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load.quiet import _seen, find_quiet
from prodintel_lib.windows import parse_time

MONDAY = parse_time("2025-11-03")
WEEK = 4 * 168


def test_find_quiet_finds_the_hours_of_the_week_with_the_fewest_requests(hours_of):
    quarters = np.full(3 * WEEK, 2.0)
    # Sunday from 03:00 to 05:00, and across the end of the week.
    for week, level in enumerate((0.4, 0.5, 0.6)):
        quarters[week * WEEK + 4 * 147 : week * WEEK + 4 * 149] = level
    cycle, quiet = find_quiet(hours_of(MONDAY, quarters))
    assert cycle == "week"
    first = quiet.row(by_predicate=(pl.col("length_h") == 2) & (pl.col("rank") == 1), named=True)
    assert (first["label"], first["n"]) == ("Sunday 03:00", 3)
    assert first["expected"] == pytest.approx(0.5 * 7200)
    assert first["most_seen"] == pytest.approx(0.6 * 7200)
    roots = np.sqrt(np.array([0.4, 0.5, 0.6]) * 7200)
    assert first["high"] == pytest.approx((roots.mean() + 4.302652730 * roots.std(ddof=1) * (4 / 3) ** 0.5) ** 2)


def test_find_quiet_stretches_do_not_overlap_even_across_the_week(hours_of):
    quarters = np.full(2 * WEEK, 2.0)
    for week in range(2):
        quarters[week * WEEK : week * WEEK + 4 * 2] = 1.0
        quarters[week * WEEK + 4 * 166 : (week + 1) * WEEK] = 1.0
    _, quiet = find_quiet(hours_of(MONDAY, quarters))
    longest = quiet.filter(pl.col("length_h") == 4)
    assert longest["label"][0] == "Sunday 22:00"
    assert longest["expected"][0] == 4 * 3600
    # The stretch across the week's end was seen once, between the two weeks.
    assert longest["n"][0] == 1
    starts = longest["slot"].to_numpy()
    apart = (starts[:, None] - starts[None, :]) % 168
    assert apart[~np.eye(3, dtype=bool)].min() >= 4


def test_find_quiet_of_some_days_speaks_of_the_day(hours_of):
    quarters = np.tile(np.repeat([*range(5, 15), 1, *range(15, 28)], 4).astype(float), 4)
    cycle, quiet = find_quiet(hours_of(MONDAY, quarters))
    assert cycle == "day"
    assert quiet.row(0)[:5] == (1, 1, 10, "10:00", 3600.0)


def test_find_quiet_says_nothing_of_half_a_day(hours_of):
    cycle, quiet = find_quiet(hours_of(MONDAY, np.ones(4 * 12)))
    assert (cycle, quiet.height) == ("", 0)


def test_find_quiet_gives_no_interval_for_what_was_seen_twice(hours_of):
    _, quiet = find_quiet(hours_of(MONDAY, np.ones(4 * 24 * 2)))
    assert quiet.select("low", "high", "n").unique().rows() == [(None, None, 2)]


def test_seen_takes_hours_a_week_apart_for_no_stretch(hours_of):
    quarters = np.concatenate([np.ones(4), np.full(WEEK, np.nan), np.ones(4)])
    hours = hours_of(MONDAY, quarters)
    assert hours.hour_of_week.tolist() == [0, 1]
    assert _seen(hours, hours.hour_of_week, 0, 2, 168).tolist() == []
