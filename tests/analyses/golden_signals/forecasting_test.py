import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from prodintel_lib.analyses.golden_signals import forecasting
from prodintel_lib.analyses.golden_signals.forecasting import Method, forecast_counts


def rhythm(days, seed=1, level=500.0):
    chance = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    return chance.poisson(level * (1 + 0.6 * np.sin(2 * np.pi * hours / 24))).astype(np.float64)


def test_forecast_counts_of_an_exact_rhythm_is_that_rhythm():
    day = np.arange(24.0) + 1
    found = forecast_counts(np.tile(day, 6), steps=24, periods=(24,), day=24)
    assert_allclose(found.values, day)
    assert (found.low <= day).all()
    assert (found.high >= day).all()


def test_forecast_counts_interval_holds_the_next_day_about_as_often_as_it_says():
    hits = []
    for seed in range(30):
        counts = rhythm(9, seed)
        found = forecast_counts(counts[:-24], steps=24, periods=(24,), day=24)
        hits += list((counts[-24:] >= found.low) & (counts[-24:] <= found.high))
    assert 0.72 <= np.mean(hits) <= 0.95


def test_forecast_counts_follows_a_new_level():
    counts = rhythm(8)
    counts[-30:] *= 3
    found = forecast_counts(counts, steps=24, periods=(24,), day=24)
    assert found.values.sum() > 2 * counts[:24].sum()
    assert found.method.follows_level


def test_forecast_counts_uses_the_week_where_it_says_more():
    hours = np.arange(24 * 28)
    weekend = np.where(hours // 24 % 7 >= 5, 0.4, 1.0)
    counts = np.round(500 * weekend * (1 + 0.5 * np.sin(2 * np.pi * hours / 24)))
    assert forecast_counts(counts, steps=24, periods=(24, 168), day=24).method.period == 168


def test_forecast_counts_knows_only_the_past():
    counts = rhythm(10)
    until = forecast_counts(counts[:200], steps=24, periods=(24,), day=24)
    later = counts.copy()
    later[200:] = 9_999.0
    again = forecast_counts(later[:200], steps=24, periods=(24,), day=24)
    assert_allclose(until.high, again.high)


def test_forecast_counts_passes_over_missing_steps():
    counts = rhythm(8)
    counts[50:55] = math.nan
    found = forecast_counts(counts, steps=24, periods=(24,), day=24)
    assert np.isfinite(found.values).all()


def test_forecast_counts_of_too_short_a_past_is_none():
    assert forecast_counts(rhythm(1), steps=24, periods=(24,), day=24) is None


def test_forecast_counts_of_nothing_foretells_nothing():
    found = forecast_counts(np.zeros(24 * 7), steps=24, periods=(24,), day=24)
    assert found is not None
    assert found.values.max() == 0.0


def test_forecast_counts_without_a_rhythm_is_a_level():
    chance = np.random.default_rng(2)
    found = forecast_counts(chance.poisson(40, 120).astype(np.float64), steps=20, periods=(), day=120)
    assert found.method == Method(0, 30)
    assert found.values[0] == pytest.approx(40, abs=5)
    assert found.coverage == pytest.approx(0.85, abs=0.12)


@pytest.mark.parametrize(("hours", "share"), [(30, 0.0), (72, 0.025), (720, 0.0925)])
def test_part_below_leaves_out_less_where_fewer_errors_are_independent(hours, share):
    assert forecasting._part_below(np.arange(hours), 24) == pytest.approx(share)


def test_method_words_name_cycle_and_level():
    assert Method(24, 1).words({24: "day"}) == "the same hour of the last day"
    assert (
        Method(168, 2, follows_level=True).words({168: "week"}) == "the mean of the last 2 weeks, at the present level"
    )
    assert Method(0, 6).words({}) == "the mean of the last 6 steps"
