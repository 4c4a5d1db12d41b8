import json

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load import measure_profiles
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError
from prodintel_lib.windows import US_PER_S, Window, parse_time

S = US_PER_S
START_S = parse_time("2025-10-20T00:00:00Z") // S
DAY_S = 86_400


def window(days, *, start_s=START_S):
    return Window(start_s * S, (start_s + round(days * DAY_S)) * S)


def evenly(days, *, every_s=30, start_s=START_S):
    """Return a request every so many seconds, one of three to /b."""
    times = np.arange(start_s, start_s + days * DAY_S, every_s)
    return times, np.where(np.arange(len(times)) % 3 == 0, "/b", "/a").tolist()


def test_measure_profiles_measures_a_fortnight_across_a_change_of_the_clock(arrivals_of):
    load = measure_profiles(arrivals_of(*evenly(14)), window=window(14), time_zone="Europe/Paris")
    assert (load.requests, load.left_out, load.recorded_s) == (14 * 2880, 0, 14 * DAY_S)
    # The last Sunday of October has 25 hours, and as many requests more.
    sunday = load.days.row(by_predicate=pl.col("date") == "2025-10-26", named=True)
    assert (sunday["length_h"], sunday["requests"], sunday["is_whole"]) == (25.0, 25 * 120, True)
    assert load.days.filter("is_whole")["rps"].unique().to_list() == [1 / 30]
    doubled = load.hours.filter(pl.col("local").str.starts_with("2025-10-26 02:00"))["local"].to_list()
    assert doubled == ["2025-10-26 02:00 +02:00", "2025-10-26 02:00 +01:00"]
    two = load.profile.row(by_predicate=(pl.col("cycle") == "hour of day") & (pl.col("slot") == 2), named=True)
    assert (two["n"], two["rps"]) == (15, pytest.approx(1 / 30))
    assert load.quiet_cycle == "week"
    assert load.forecast["rps"].to_numpy() == pytest.approx(1 / 30)
    assert load.says == ()


def test_measure_profiles_finds_the_fullest_second_bucket_hour_and_day(arrivals_of):
    times, endpoints = evenly(3)
    # Seven in one second of the second day, and a hundred spread over an hour of the third.
    burst = [START_S + DAY_S + 3601] * 7
    spread = list(range(START_S + 2 * DAY_S + 7200, START_S + 2 * DAY_S + 10_800, 36))
    whole = arrivals_of([*times, *burst, *spread], [*endpoints, *["/b"] * (7 + len(spread))])
    load = measure_profiles(whole, window=window(3), time_zone="UTC")
    assert load.busiest.select("unit", "local", "requests").rows() == [
        ("second", "2025-10-21 01:00 +00:00", 7),
        ("60 s", "2025-10-21 01:00 +00:00", 9),
        ("hour", "2025-10-22 02:00 +00:00", 220),
        ("day", "2025-10-22 00:00 +00:00", 2980),
    ]


def test_measure_profiles_counts_quiet_time_and_leaves_out_gaps(arrivals_of):
    minutes = [*range(30), *range(42, 60), *range(600, 630)]
    load = measure_profiles(
        arrivals_of([START_S + 60 * minute for minute in minutes], ["/a"] * len(minutes)),
        window=window(1),
        time_zone="UTC",
    )
    # Twelve minutes without a request are quiet, nine hours are a gap in the record.
    assert load.recorded_s == (60 + 30) * 60


def test_measure_profiles_takes_rare_requests_for_rare(arrivals_of):
    times = START_S + 1800 * np.arange(48)
    load = measure_profiles(arrivals_of(times, ["/a"] * 48), window=window(1), time_zone="UTC")
    assert load.recorded_s == 47 * 1800 + 60
    assert load.requests == 48


def test_measure_profiles_believes_what_was_recorded(arrivals_of):
    recorded = (START_S + 60 * np.arange(1440, dtype=np.int64)) * S
    load = measure_profiles(
        arrivals_of([START_S, START_S + 600], ["/a", "/a"]), window=window(1), time_zone="UTC", recorded_us=recorded
    )
    assert (load.requests, load.recorded_s) == (2, DAY_S)
    assert load.hours["rps"].to_list() == [2 / 3600, *[0.0] * 23]


def test_measure_profiles_leaves_out_what_lies_outside_or_across_the_edge(arrivals_of):
    frame = arrivals_of([START_S - 60, START_S, START_S + 60, START_S + 120], ["/a"] * 4)
    load = measure_profiles(frame, window=Window(START_S * S, (START_S + 150) * S), time_zone="UTC")
    assert (load.requests, load.left_out) == (2, 2)


def test_measure_profiles_says_what_is_too_little(arrivals_of):
    load = measure_profiles(arrivals_of(*evenly(0.25)), window=window(1), time_zone="UTC")
    assert load.says == (
        "1 day was recorded: how much hours of other days differ is not known.",
        "No day was recorded whole: days of the week are not compared.",
        "Not all hours of a day were seen: which are quiet is not known.",
    )
    html = load._repr_html_()
    for said in load.says:
        assert said in html


def test_measure_profiles_shows_events_and_escapes_their_names(arrivals_of):
    load = measure_profiles(
        arrivals_of(*evenly(9)),
        window=window(9),
        time_zone="UTC",
        events=["2025-10-22/2025-10-23 <b>sale"],
    )
    assert load.events.select("event", "ratio", "against").rows() == [("<b>sale", 1.0, "other days")]
    html = load._repr_html_()
    assert "&lt;b&gt;sale" in html
    assert "<b>sale" not in html
    assert "Quietest stretches of the day" in html


def test_measure_profiles_writes_plain_values(arrivals_of):
    load = measure_profiles(arrivals_of(*evenly(2)), window=window(2), time_zone="UTC")
    read = json.loads(json.dumps(load.to_dict(), allow_nan=False))
    assert read["requests"] == 2 * 2880
    assert read["mean_rps"] == pytest.approx(1 / 30)
    assert len(read["hours"]) == 48


def test_measure_profiles_refuses_what_it_cannot_use(arrivals_of):
    frame = arrivals_of([START_S], ["/a"])
    with pytest.raises(MissingColumnsError, match="`arrivals` needs column `failed`"):
        measure_profiles(frame.drop("failed"), window=window(1), time_zone="UTC")
    with pytest.raises(ParameterError, match="must divide a quarter of an hour; it is 7 s"):
        measure_profiles(frame, window=window(1), time_zone="UTC", bucket_s=7)
    with pytest.raises(ParameterError, match="do not begin at a multiple of 900 s"):
        measure_profiles(arrivals_of([START_S + 60], ["/a"]), window=window(1), time_zone="UTC", bucket_s=900)
    with pytest.raises(NoDataError, match="No request was recorded in 2025-10-19"):
        measure_profiles(frame, window=window(1, start_s=START_S - DAY_S), time_zone="UTC")
    with pytest.raises(ParameterError, match="there is no `Mars`"):
        measure_profiles(frame, window=window(1), time_zone="Mars")
