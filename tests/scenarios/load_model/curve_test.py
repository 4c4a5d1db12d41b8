from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load.model import HOURS_SCHEMA
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.renderers.templates.load_plan import Setting, draw_starts_s
from prodintel_lib.scenarios.load_model import choose_curve
from prodintel_lib.scenarios.load_model.curve import choose_buckets
from prodintel_lib.windows import to_us


def at(text):
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


def steps(*sessions):
    """Return load steps of sessions, each a list of times: ``["2026-03-29T10:00:00", ...]``."""
    rows = [(number, place + 1, at(text)) for number, times in enumerate(sessions) for place, text in enumerate(times)]
    return pl.DataFrame(rows, schema=["session_key", "step_no", "time_us"], orient="row")


def curve(frame, **options):
    chosen = {"profiles": None, "time_zone": "UTC", "source": "spans", **options}
    return choose_curve(frame, **chosen)


class Hours:
    """The part of LoadProfiles that tells which hours were recorded."""

    def __init__(self, *recorded):
        rows = [{"start_us": at(text), "recorded_s": seconds} for text, seconds in recorded]
        self.hours = pl.DataFrame(rows, schema={name: HOURS_SCHEMA[name] for name in ("start_us", "recorded_s")})


def test_choose_curve_counts_a_short_recording_by_the_second():
    made = curve(
        steps(["2026-03-02T10:00:01", "2026-03-02T10:00:05.5"], ["2026-03-02T10:00:01.9"], ["2026-03-02T10:00:03"])
    )
    assert made.sessions == (2, 0, 1, 0, 0)
    assert (made.bucket_s, made.start_us, made.end_us) == (1, at("2026-03-02T10:00:01"), at("2026-03-02T10:00:06"))
    assert made.local_start_s == 36_001


def test_choose_curve_takes_the_local_day_with_most_sessions():
    # By the clock of New York the two of the night are of the first day.
    frame = steps(["2026-01-05T12:00:00"], ["2026-01-06T03:00:00"], ["2026-01-06T04:00:00"], ["2026-01-06T12:00:00"])
    assert sum(curve(frame).sessions) == 3
    made = curve(frame, time_zone="America/New_York")
    assert sum(made.sessions) == 3
    assert made.start_us == at("2026-01-05T12:00:00")
    assert made.local_start_s == 7 * 3600
    assert sum(curve(frame, time_zone="America/New_York", day="2026-01-06").sessions) == 1
    assert sum(curve(frame, day="whole").sessions) == 4


def test_choose_curve_has_a_day_of_23_hours_where_the_clock_is_set_forward():
    hours = Hours(*((f"2026-03-28T{hour:02d}:00:00", 3600.0) for hour in (22, 23)),
                  *((f"2026-03-29T{hour:02d}:00:00", 3600.0) for hour in range(24)))  # fmt: skip
    made = curve(steps(["2026-03-29T08:00:30"]), profiles=hours, time_zone="Europe/Berlin")
    assert (made.start_us, made.end_us) == (at("2026-03-28T23:00:00"), at("2026-03-29T22:00:00"))
    assert (made.bucket_s * len(made.sessions), made.local_start_s) == (23 * 3600, 0)
    # Nine hours of real time after midnight, for one of them is missing.
    assert made.sessions.index(1) == (9 * 3600 + 30) // made.bucket_s


def test_choose_curve_reaches_over_hours_that_were_recorded_whole():
    frame = steps(["2026-03-02T10:20:00"], ["2026-03-02T10:40:00"])
    partly = curve(frame, profiles=Hours(("2026-03-02T10:00:00", 1800.0)))
    assert (partly.start_us, partly.end_us) == (at("2026-03-02T10:20:00"), at("2026-03-02T10:40:01"))
    whole = curve(frame, profiles=Hours(("2026-03-02T10:00:00", 3600.0), ("2026-03-02T12:00:00", 1000.0)))
    assert (whole.start_us, whole.end_us) == (at("2026-03-02T10:00:00"), at("2026-03-02T11:00:00"))


@pytest.mark.parametrize(("most", "count"), [(3600, 3600), (1500, 720), (700, 360), (13, 12), (11, 6), (2, 2), (1, 1)])
def test_choose_curve_keeps_to_the_number_of_buckets(most, count):
    # All at one moment: the narrowest bucket says it best.
    times = [["2026-03-02T10:00:00.5"]] * 50 + [["2026-03-02T10:30:00.5", "2026-03-02T10:59:59.5"]] * 50
    made = curve(steps(*times), max_buckets=most)
    assert (made.bucket_s * len(made.sessions), len(made.sessions)) == (3600, count)
    assert sum(made.sessions) == 100


def poisson_day(rng, per_hour):
    """Return the starts, s, of a day whose rate goes up and down smoothly."""
    drawn = rng.uniform(0, 86_400, rng.poisson(2 * 24 * per_hour))
    return np.sort(drawn[rng.random(len(drawn)) < 0.5 * (1 - 0.8 * np.cos(2 * np.pi * drawn / 86_400))])


@pytest.mark.parametrize("seed", range(5))
def test_choose_buckets_takes_wide_ones_of_arrivals_by_chance(seed):
    since_s = poisson_day(np.random.default_rng(seed), per_hour=100)
    assert choose_buckets(since_s, length_s=86_400, max_buckets=1500) <= 48


@pytest.mark.parametrize("seed", range(5))
def test_choose_buckets_keeps_narrow_ones_of_bursts(seed):
    rng = np.random.default_rng(seed)
    parents = rng.uniform(0, 86_400, 60)
    since_s = np.concatenate([poisson_day(rng, per_hour=20), *(at + rng.uniform(0, 60, 30) for at in parents)])
    assert choose_buckets(since_s[since_s < 86_400], length_s=86_400, max_buckets=1500) >= 720


def test_a_plan_of_the_curve_is_as_irregular_as_chance():
    """Arrivals at random have gaps whose spread is their mean, beside a rate that changes slowly; so has their plan."""
    since_s = poisson_day(np.random.default_rng(3), per_hour=100)
    buckets = choose_buckets(since_s, length_s=86_400, max_buckets=1500)
    counts = np.bincount((since_s * buckets / 86_400).astype(int), minlength=buckets).astype(float)
    setting = Setting(scale=1, compress=1, multiplier=1, start_s=0, length_s=86_400, seed=5)
    planned_s = draw_starts_s({"bucket_s": 86_400 / buckets, "sessions": counts.tolist()}, setting)
    assert len(planned_s) == len(since_s)
    assert spread(np.array(planned_s)) == pytest.approx(spread(since_s), abs=0.1)


def spread(starts_s):
    gaps_s = np.diff(starts_s)
    return gaps_s.std() / gaps_s.mean()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"day": "2026-03-04"}, "No session began on 2026-03-04 by the clock of UTC"),
        ({"day": "tomorrow"}, "A day is `busiest`, `whole` or a date; got `tomorrow`"),
        ({"time_zone": "Europe/Pariss"}, "there is no `Europe/Pariss`"),
        ({"max_buckets": 0}, "max_buckets is 0"),
    ],
)
def test_choose_curve_says_what_cannot_be(options, says):
    with pytest.raises(ParameterError, match=says):
        curve(steps(["2026-03-02T10:00:00"]), **options)


def test_choose_curve_names_the_days_there_are():
    frame = steps(["2026-03-02T10:00:00"], ["2026-03-03T10:00:00"], ["2026-03-03T11:00:00"])
    with pytest.raises(ParameterError) as raised:
        curve(frame, day="2026-03-09")
    assert raised.value.hint == "sessions began on 2026-03-03, 2026-03-02, most of them first."


def test_choose_curve_needs_sessions():
    with pytest.raises(NoDataError, match="needs sessions"):
        curve(steps(["2026-03-02T10:00:00"]).clear())
