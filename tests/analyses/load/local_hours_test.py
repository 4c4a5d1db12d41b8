import numpy as np
import pytest

from prodintel_lib.analyses.load.local_hours import (
    DAY_US,
    HOUR_US,
    day_length_s,
    local_to_us,
    utc_offsets_us,
    zone_named,
)
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import parse_time

PARIS = zone_named("Europe/Paris")


def day_of(text):
    return parse_time(text) // DAY_US


def test_zone_named_offers_the_nearest_name():
    with pytest.raises(ParameterError, match=r"there is no `Europe/Pariss`\.\nHint: did you mean `Europe/Paris`"):
        zone_named("Europe/Pariss")
    with pytest.raises(ParameterError, match="write a name such as Europe/Paris, or UTC"):
        zone_named("???")


def test_utc_offsets_us_change_where_the_clock_is_set():
    change = parse_time("2025-03-30T01:00:00Z")
    offsets = utc_offsets_us(np.array([change - 1, change, change + 90 * DAY_US]), PARIS)
    assert (offsets // HOUR_US).tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2025-03-30", "Europe/Paris", 23),
        ("2025-03-31", "Europe/Paris", 24),
        ("2025-10-26", "Europe/Paris", 25),
        ("2025-10-05", "Australia/Lord_Howe", 23.5),
        ("2024-09-08", "America/Santiago", 23),
    ],
)
def test_day_length_s_counts_the_hours_a_day_has(day, zone, hours):
    assert day_length_s(day_of(day), zone_named(zone)) == hours * 3600


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2025-07-01T00:00", "2025-06-30T22:00:00Z"),
        ("2025-10-26T02:30", "2025-10-26T00:30:00Z"),
        ("2025-03-30T02:00", "2025-03-30T01:00:00Z"),
        ("2025-03-30T02:40", "2025-03-30T01:00:00Z"),
        ("2025-03-30T03:00", "2025-03-30T01:00:00Z"),
    ],
)
def test_local_to_us_takes_the_first_of_two_and_the_change_for_none(local, utc):
    assert local_to_us(parse_time(local), PARIS) == parse_time(utc)


def test_add_up_hours_leaves_out_the_hour_a_clock_skips(hours_of):
    hours = hours_of(parse_time("2025-03-29T23:00:00Z"), np.ones(4 * 23), zone="Europe/Paris")
    assert len(hours.start_us) == 23
    assert hours.hour_of_day.tolist() == [0, 1, *range(3, 24)]
    assert set(hours.day.tolist()) == {day_of("2025-03-30")}


def test_add_up_hours_keeps_two_hours_of_one_name_apart(hours_of):
    hours = hours_of(parse_time("2025-10-25T22:00:00Z"), np.repeat(np.arange(25.0), 4), zone="Europe/Paris")
    assert hours.hour_of_day.tolist() == [0, 1, 2, 2, *range(3, 24)]
    assert hours.rates.tolist() == list(range(25))
    assert (np.diff(hours.start_us) == HOUR_US).all()


def test_add_up_hours_follows_a_clock_that_is_half_an_hour_off(hours_of):
    hours = hours_of(parse_time("2025-01-01T18:30:00Z"), [1, 1, 1, 1, 2, 2, 2, 2], zone="Asia/Kolkata")
    assert hours.hour_of_day.tolist() == [0, 1]
    assert hours.rates.tolist() == [1.0, 2.0]


def test_local_hours_rate_is_unknown_where_less_than_half_was_recorded(hours_of):
    hours = hours_of(0, [4.0, np.nan, np.nan, np.nan, 2.0, 4.0, np.nan, np.nan])
    assert np.isnan(hours.rates[0])
    assert hours.rates[1] == 3.0


def test_local_hours_number_the_week_from_monday(hours_of):
    hours = hours_of(parse_time("2025-11-24T00:00:00Z"), np.ones(4 * 170))
    assert hours.hour_of_week[[0, 33, 167, 168]].tolist() == [0, 33, 167, 0]
    assert (hours.week[168] - hours.week[167], hours.week[0]) == (1, hours.week[167])
