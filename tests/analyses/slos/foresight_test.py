import numpy as np
import pytest

from prodintel_lib.analyses.slos.counts import Course
from prodintel_lib.analyses.slos.foresight import foresee_budget
from prodintel_lib.windows import US_PER_S

from .made import START_US, course_of, promise

DAY = 288


def _chances(course, objective=None):
    return {row["horizon"]: row["probability"] for row in foresee_budget(objective or promise(), course).foreseen}


def test_foresee_budget_is_calm_where_nothing_fails():
    chances = _chances(course_of([10] * 28 * DAY, [0] * 28 * DAY))
    # No future of a thousand uses it up; what 28 days may not have shown comes on top.
    for name, hours in (("6h", 6), ("24h", 24), ("period", 672)):
        unseen = 0.25 * (hours / (672 + hours)) ** 2
        assert chances[name] == pytest.approx(1 - (1 - 0.5 / 1001) * (1 - unseen))


def test_foresee_budget_is_certain_once_used_up():
    foresight = foresee_budget(promise(), course_of([100], [1]))
    assert [row["probability"] for row in foresight.foreseen] == [1.0, 1.0, 1.0]
    assert foresight.foreseen[0]["reason"] == "used up already: 1 of 100 requests were bad"
    assert foresight.forecast.is_empty()


def test_foresee_budget_abstains_where_little_was_recorded():
    foresight = foresee_budget(promise(), course_of([100] * 72, [0] * 72))
    assert [row["probability"] is None for row in foresight.foreseen] == [False, True, True]
    assert foresight.foreseen[1]["reason"] == "6 h 00 min were recorded; 1 d 0 h are needed to look so far ahead"
    assert foresight.forecast.height == 6
    assert foresee_budget(promise(), course_of([0], [0])).foreseen[0]["probability"] is None


def test_foresee_budget_sees_an_outage_that_lasts():
    calm, burning = [0] * (28 * DAY - 12), [30] * 12
    before = _chances(course_of([100] * 28 * DAY, [0] * 28 * DAY))
    during = _chances(course_of([100] * 28 * DAY, calm + burning))
    assert before["6h"] < 0.05
    # 8,064 may fail, 360 did, 360 an hour do: 21 h more of what has lasted one. One in 22 outages does.
    assert during["24h"] == pytest.approx(1 / 22, abs=0.02)
    assert during["6h"] < 0.005


def test_foresee_budget_takes_an_outage_that_is_over_for_over():
    # 95 % of the budget are spent, a quarter of that in the last hour.
    before, outage = [1] * (28 * DAY - 12), [10] * 12
    ongoing = _chances(course_of([100] * 28 * DAY, before + outage), promise(0.9893))
    over = _chances(course_of([100] * 28 * DAY, before + outage[:-1] + [0]), promise(0.9893))
    assert ongoing["24h"] > over["24h"] + 0.05


def test_foresee_budget_lets_old_failures_leave_the_period():
    # All failures lie in the first day; they are gone a day from now, and a future of 7 days draws it again one day in 7.
    old = [12] * DAY + [0] * 6 * DAY
    foresight = foresee_budget(promise(0.98, period_days=7), course_of([100] * 7 * DAY, old))
    left = foresight.forecast.filter(foresight.forecast["time_us"] == foresight.forecast["time_us"].min())
    assert left["left"][0] > 0.1
    assert foresight.forecast["left_high"].max() == pytest.approx(1.0)


def test_foresee_budget_is_the_same_each_time_and_knows_no_later_bucket():
    rng = np.random.default_rng(5)
    bad = rng.binomial(100, 0.008, size=20 * DAY)
    one, two = (foresee_budget(promise(), course_of([100] * 20 * DAY, bad)) for _ in range(2))
    assert one.foreseen == two.foreseen
    assert one.forecast.equals(two.forecast)


def test_foresee_budget_takes_what_was_not_recorded_to_be_like_what_was():
    # Every other bucket was recorded: as many hours, with gaps in each.
    total, bad = np.full(28 * DAY, 100), np.zeros(28 * DAY, dtype=np.int64)
    bad[::12] = 10
    recorded = np.arange(28 * DAY) % 2 == 0
    course = Course(START_US, 300 * US_PER_S, np.where(recorded, total, 0), np.where(recorded, bad, 0), recorded)
    left = foresee_budget(promise(0.9), course).forecast["left"]
    # Of each hour 600 requests were recorded, of which 10 were bad and 60 may be.
    assert left.to_list() == pytest.approx([5 / 6] * len(left))


def test_foresee_budget_draws_from_before_the_period_as_well():
    calm = course_of([100] * 7 * DAY, [0] * 7 * DAY)
    bad_before = course_of([100] * 28 * DAY, [20] * 21 * DAY + [0] * 7 * DAY)
    objective = promise(0.99, period_days=7)
    assert _chances(calm, objective)["24h"] < 0.01
    assert _chances(bad_before, objective)["24h"] > 0.4
    # What failed before the period is not of this budget.
    assert foresee_budget(objective, bad_before).forecast["left_high"][0] == 1.0


def test_foresee_budget_draws_old_days_less_often():
    objective = promise(0.99, period_days=7)
    old = course_of([100] * 28 * DAY, [20] * DAY + [0] * 27 * DAY)
    recent = course_of([100] * 28 * DAY, [0] * 20 * DAY + [20] * DAY + [0] * 7 * DAY)
    assert _chances(old, objective)["period"] < _chances(recent, objective)["period"] - 0.1


def test_foresee_budget_counts_hours_back_from_now():
    # Ninety minutes: the last hour whole, half an hour before it; all of it recorded, nothing scaled but that half.
    foresight = foresee_budget(promise(0.5, period_days=1), course_of([100] * 18 * 8, [40] * 18 * 8))
    assert foresight.forecast["left"].to_list() == pytest.approx([0.2] * foresight.forecast.height)
    assert foresight.forecast["time_us"][0] == START_US + 144 * 300 * US_PER_S + 3600 * US_PER_S
