from itertools import product
from math import comb

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.guards import Look, TooClose, choose_plan
from prodintel_lib.scenarios.guards.plans import (
    MIN_REQUESTS,
    conclude,
    fixed_size,
    follow,
    lower_bound,
    upper_bound,
)


def look(n, green, red):
    return Look(n=n, green_at_most=green, red_at_least=red)


def naive_course(looks, share):
    """Go through every sequence of answers, one by one."""
    red = expected = 0.0
    for answers in product((0, 1), repeat=looks[-1].n):
        chance = share ** sum(answers) * (1 - share) ** (len(answers) - sum(answers))
        n, colour = next(
            (each.n, colour) for each in looks if (colour := conclude(looks, each.n, sum(answers[: each.n])))
        )
        red += chance * (colour == "red")
        expected += chance * n
    return red, expected


def naive_tail(k, n, share):
    """Return the chance of `k` or more among `n`."""
    return sum(comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(k, n + 1))


LOOKS = (look(3, -1, 2), look(5, 0, 3), look(9, 1, 4), look(12, 2, 3))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.9, 1.0])
def test_follow_equals_going_through_every_sequence(share):
    red, expected = naive_course(LOOKS, share)
    course = follow(LOOKS, share)
    assert course.red == pytest.approx(red, abs=1e-12)
    assert course.expected == pytest.approx(expected, abs=1e-9)


def test_conclude_goes_on_between_the_bounds_and_never_after_the_last_look():
    assert [conclude(LOOKS, 5, bad) for bad in range(4)] == ["green", "", "", "red"]
    assert [conclude(LOOKS, 12, bad) for bad in range(5)] == ["green", "green", "green", "red", "red"]
    assert conclude(LOOKS, 4, 4) == ""


@pytest.mark.parametrize(("healthy", "bad"), [(0.01, 0.2), (0.05, 0.15), (0.02, 0.5)])
def test_fixed_size_is_the_smallest_that_keeps_both_promises(healthy, bad):
    def keeps(n):
        critical = next(k for k in range(n + 2) if naive_tail(k, n, healthy) <= 0.01)
        return naive_tail(critical, n, bad) >= 0.9

    found = fixed_size(healthy, bad, power=0.9, false_alarm=0.01, at_most=2_000)
    assert found == next(n for n in range(MIN_REQUESTS, 2_000) if keeps(n))


@pytest.mark.parametrize(
    ("healthy", "bad", "at_once"), [(0.01, 0.3, 1), (0.02, 0.1, 4), (0.01, 0.03, 16), (0.1, 0.9, 3)]
)
def test_choose_plan_keeps_both_promises_by_its_own_figures(healthy, bad, at_once):
    plan = choose_plan(healthy, bad, at_once=at_once)
    assert follow(plan.looks, bad).red == pytest.approx(plan.power)
    assert follow(plan.looks, healthy).red == pytest.approx(plan.false_alarm)
    assert plan.power >= 0.9
    assert plan.false_alarm <= 0.01
    last = plan.looks[-1]
    assert last.red_at_least == last.green_at_most + 1
    assert all(each.green_at_most < each.red_at_least for each in plan.looks)
    assert plan.looks[0].n >= MIN_REQUESTS


def test_choose_plan_saves_requests_where_many_are_needed():
    plan = choose_plan(0.01, 0.03)
    assert plan.fixed_requests == 590
    assert plan.expected_healthy < 300
    assert plan.expected_bad < 400
    assert plan.max_requests <= 1.5 * 590 + 40


def test_choose_plan_looks_after_multiples_of_what_is_sent_at_once():
    plan = choose_plan(0.02, 0.1, at_once=8)
    assert {each.n % 8 for each in plan.looks} <= {0, plan.fixed_requests % 8}


def test_choose_plan_says_how_many_would_be_needed():
    assert choose_plan(0.05, 0.06) == TooClose(6706)
    assert choose_plan(0.05, 0.06, max_requests=10_000).fixed_requests == 6706


@pytest.mark.parametrize(("healthy", "bad"), [(0.1, 0.1), (0.2, 0.1), (0.0, 0.0)])
def test_choose_plan_of_levels_that_do_not_differ_is_too_close(healthy, bad):
    assert choose_plan(healthy, bad) == TooClose(None)


def test_choose_plan_of_a_perfect_and_a_hopeless_level_needs_the_least():
    plan = choose_plan(0.0, 1.0)
    assert plan.max_requests == MIN_REQUESTS
    assert plan.power == pytest.approx(1.0)
    assert plan.false_alarm == pytest.approx(0.0)


@pytest.mark.parametrize(
    "wrong", [{"healthy": -0.1}, {"bad": 1.2}, {"at_once": 0}, {"power": 0.01}, {"false_alarm": 0.0}, {"power": 1.0}]
)
def test_choose_plan_refuses_what_is_no_share(wrong):
    asked = {"healthy": 0.1, "bad": 0.5} | wrong
    with pytest.raises(ParameterError, match="A plan needs shares from 0 to 1"):
        choose_plan(asked.pop("healthy"), asked.pop("bad"), **asked)


def test_bounds_are_clopper_and_pearsons():
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert lower_bound(59, 59) == pytest.approx(0.05 ** (1 / 59))
    assert naive_tail(12, 40, lower_bound(12, 40)) == pytest.approx(0.05)
    assert 1 - naive_tail(13, 40, upper_bound(12, 40)) == pytest.approx(0.05)
    assert (upper_bound(3, 3), lower_bound(0, 3)) == (1.0, 0.0)
