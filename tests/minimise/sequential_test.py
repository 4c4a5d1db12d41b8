import random

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.minimise.sequential import MOST_RUNS, SequentialTest


def answer(test, draws):
    shown = runs = 0
    while (decided := test.decide(shown, runs)) is None:
        shown += next(draws)
        runs += 1
    return decided


def share_of_yes(test, rate, *, seed, trials=4000):
    chance = random.Random(seed)
    draws = iter(lambda: chance.random() < rate, None)
    return sum(answer(test, draws) for _ in range(trials)) / trials


def test_decide_takes_four_runs_that_show_it_and_two_that_do_not():
    test = SequentialTest()
    assert [test.decide(n, n) for n in range(5)] == [None, None, None, None, True]
    assert [test.decide(0, n) for n in range(3)] == [None, None, False]


def test_decide_keeps_to_its_confidence_at_both_shares():
    # Wald's bounds hold about: what overshoots them errs less often than 5 %; 1 % is for chance in 4,000 trials.
    test = SequentialTest(confidence=0.95)
    assert share_of_yes(test, test.often, seed=1) >= 0.95 - 0.03
    assert share_of_yes(test, test.seldom, seed=2) <= 0.05 + 0.01


def test_decide_takes_more_runs_for_more_confidence():
    assert SequentialTest(confidence=0.99).decide(4, 4) is None
    assert SequentialTest(confidence=0.99).decide(6, 6) is True


def test_decide_ends_and_says_no_where_it_cannot_be_told():
    test = SequentialTest(often=0.5, seldom=0.45)
    assert test.decide(MOST_RUNS // 2, MOST_RUNS - 1) is None
    assert test.decide(MOST_RUNS // 2, MOST_RUNS) is False


def test_like_asks_no_more_than_the_original_did():
    assert SequentialTest.like(1.0, confidence=0.95) == SequentialTest(0.9, pytest.approx(0.4), 0.95)
    flaky = SequentialTest.like(0.6, confidence=0.95)
    assert (flaky.often, flaky.seldom) == (0.6, pytest.approx(0.2667, abs=1e-4))


@pytest.mark.parametrize("confidence", [0.5, 1.0, -1])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(ParameterError, match=r"between 0\.5 and 1; got"):
        SequentialTest(confidence=confidence)
