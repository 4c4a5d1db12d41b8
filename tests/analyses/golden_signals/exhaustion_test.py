import numpy as np
import pytest

from prodintel_lib.analyses.golden_signals.exhaustion import find_exhaustion


def test_find_exhaustion_of_a_line_is_where_it_reaches_one():
    hours = np.arange(48.0)
    found = find_exhaustion(hours, 0.2 + 0.01 * hours)
    assert found.hours == pytest.approx((1 - 0.67) / 0.01)
    assert found.low == pytest.approx(33.0, abs=0.5)
    assert found.high == pytest.approx(33.0, abs=0.5)


def test_find_exhaustion_holds_the_truth_in_its_interval():
    chance = np.random.default_rng(1)
    hours = np.arange(72.0)
    hits = 0
    for _ in range(40):
        found = find_exhaustion(hours, 0.3 + 0.005 * hours + chance.normal(0, 0.01, 72))
        true = 0.7 / 0.005 - 71
        hits += found.low is not None and found.low <= true <= (found.high or np.inf)
    assert hits >= 34


def test_find_exhaustion_looks_at_the_stretch_after_a_restart():
    hours = np.arange(64.0)
    levels = np.where(hours < 40, 0.1 + 0.02 * hours, 0.1 + 0.02 * (hours - 40))
    assert find_exhaustion(hours, levels).hours == pytest.approx((1 - levels[-1]) / 0.02, rel=0.05)


def test_find_exhaustion_of_noise_gives_no_time():
    chance = np.random.default_rng(2)
    found = [find_exhaustion(np.arange(100.0), 0.5 + chance.normal(0, 0.05, 100)).hours for _ in range(40)]
    assert found.count(None) >= 39


def test_find_exhaustion_does_not_draw_a_line_too_far():
    hours = np.arange(20.0)
    found = find_exhaustion(hours, 0.1 + 0.003 * hours)
    assert found.hours is None
    assert "no further can be foreseen" in found.says


def test_find_exhaustion_of_what_falls_says_so():
    assert find_exhaustion(np.arange(30.0), 0.9 - 0.01 * np.arange(30.0)).says.startswith("falling (p ")


def test_find_exhaustion_of_what_is_full_is_now():
    found = find_exhaustion(np.arange(20.0), np.minimum(1.0, 0.5 + 0.05 * np.arange(20.0)))
    assert (found.hours, found.says) == (0.0, "it is full")


def test_find_exhaustion_of_few_points_abstains():
    assert find_exhaustion(np.arange(5.0), np.arange(5.0) / 10).says == "5 points are too few to see a trend"
