import math
from itertools import permutations

import numpy as np
import pytest

from prodintel_lib.analyses.behaviour.mixture import count_features
from prodintel_lib.analyses.behaviour.selection import MIN_STABILITY, adjusted_rand, choose_number

from .made import BACK, FORWARD, log_of, walks


def naive_adjusted_rand(labels, others):
    pairs = [(i, j) for i in range(len(labels)) for j in range(i)]
    same = np.array([labels[i] == labels[j] for i, j in pairs])
    alike = np.array([others[i] == others[j] for i, j in pairs])
    expected = same.sum() * alike.sum() / len(pairs)
    return ((same & alike).sum() - expected) / ((same.sum() + alike.sum()) / 2 - expected)


def test_adjusted_rand_equals_counting_all_pairs():
    rng = np.random.default_rng(4)
    labels, others = rng.integers(0, 3, 40), rng.integers(0, 4, 40)
    assert adjusted_rand(labels, others) == pytest.approx(naive_adjusted_rand(labels, others))
    assert adjusted_rand(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])) == pytest.approx(4 / 7)


def test_adjusted_rand_of_one_class_each_is_one():
    assert adjusted_rand(np.zeros(5, dtype=int), np.ones(5, dtype=int)) == 1.0


def test_choose_number_finds_two_ways_to_behave():
    paths = walks(FORWARD, sessions=300, seed=1) + walks(BACK, sessions=300, seed=2)
    number, trials = choose_number(count_features(log_of(*paths)), max_classes=6, rng=np.random.default_rng(0))
    assert number == 2
    one, two, *more = trials
    assert (one.classes, one.verdict, math.isnan(one.gain)) == (1, "accepted", True)
    assert (two.classes, two.verdict) == (2, "accepted")
    assert two.gain > 2 * two.gain_error > 0
    assert two.stability >= MIN_STABILITY
    assert [trial.verdict for trial in more] == ["predicts other sessions no better"] * 2


def test_choose_number_finds_one_where_all_behave_alike():
    data = count_features(log_of(*walks(FORWARD, sessions=600, seed=3)))
    number, trials = choose_number(data, max_classes=6, rng=np.random.default_rng(0))
    assert number == 1
    assert [trial.classes for trial in trials] == [1, 2, 3]


def test_choose_number_refuses_classes_that_do_not_come_back():
    # Twelve ways to behave, a few sessions each: any two of them are better than one, but which two is chance.
    orders = ["".join(order) for order in permutations("abcd")][:12]
    paths = [order * 4 for order in orders for _ in range(20)]
    number, trials = choose_number(count_features(log_of(*paths)), max_classes=2, rng=np.random.default_rng(0))
    assert number == 1
    assert trials[1].gain > 2 * trials[1].gain_error
    assert trials[1].stability < MIN_STABILITY
    assert trials[1].verdict == "other classes come out of other sessions"


def test_choose_number_refuses_a_class_of_too_few_sessions():
    paths = ["abcabcabcabc"] * 400 + ["acbacbacbacb"] * 12
    number, trials = choose_number(count_features(log_of(*paths)), max_classes=2, rng=np.random.default_rng(0))
    assert number == 1
    assert trials[1].verdict == "a class of too few sessions"
    assert trials[1].smallest_share == pytest.approx(12 / 412)


def test_choose_number_tries_no_more_classes_than_sessions_can_show():
    trials = choose_number(count_features(log_of(*["ab"] * 59)), max_classes=8, rng=np.random.default_rng(0))[1]
    assert [trial.classes for trial in trials] == [1]


def test_choose_number_goes_on_where_too_few_classes_do_not_come_back():
    # Six scripts alike in all but their order: three or four classes can be made of them in many ways, six in one.
    orders = ["abcd", "acbd", "bacd", "bdac", "cadb", "dcab"]
    paths = [order * 3 for order in orders for _ in range(100)]
    number, trials = choose_number(count_features(log_of(*paths)), max_classes=8, rng=np.random.default_rng(0))
    assert [trial.verdict for trial in trials[2:4]] == ["other classes come out of other sessions"] * 2
    assert [trial.stability < MIN_STABILITY for trial in trials[2:4]] == [True, True]
    assert number == 6
