from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.correlation.lags import (
    _correlate,
    _lag_interval,
    _permuted_p_value,
    _smooth_length,
    peak_p_value,
    scan_lags,
)
from prodintel_lib.analyses.correlation.preparation import prepare_series

from .made import frame, linked, noise, with_memory


def naive_correlations(one, other, max_lag):
    n = len(one)
    return [
        float(sum(one[t] * other[t + lag] for t in range(n) if 0 <= t + lag < n))
        for lag in range(-max_lag, max_lag + 1)
    ]


def test_correlate_is_the_sum_of_products_at_every_lag():
    one, other = noise(0, 37), noise(1, 37)
    assert _correlate(one, other, np.arange(-6, 7)) == pytest.approx(naive_correlations(one, other, 6))


@pytest.mark.parametrize(("at_least", "length"), [(2, 2), (97, 100), (2048, 2048), (2890, 2916), (4330, 4374)])
def test_smooth_length_is_the_least_of_factors_two_three_and_five(at_least, length):
    found = _smooth_length(at_least)
    rest = found
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    assert (found, rest) == (length, 1)


def test_scan_lags_finds_the_pair_its_lag_and_who_leads():
    found = scan_lags(prepare_series(linked(lag=3)), max_lag=10, false_discovery_rate=0.05)
    assert found.pairs_tested == 3
    assert (found.first.tolist(), found.second.tolist(), found.lag.tolist()) == ([0], [1], [3])
    assert (found.lag_low.tolist(), found.lag_high.tolist()) == ([2.5], [3.5])
    assert found.low[0] < 0.7 < found.high[0]
    assert found.q_value[0] < 1e-6


def test_scan_lags_turns_a_pair_whose_second_leads():
    series = linked(lag=4).with_columns(pl.col("signal").replace({"a": "z"}))
    prepared = prepare_series(series)
    found = scan_lags(prepared, max_lag=10, false_discovery_rate=0.05)
    names = prepared.signals["signal"]
    assert [
        (names[int(a)], names[int(b)], int(lag)) for a, b, lag in zip(found.first, found.second, found.lag, strict=True)
    ] == [("z", "b", 4)]


def test_scan_lags_is_silent_on_slow_series_that_have_nothing_to_do_with_each_other():
    slow = [frame(f"s{seed}", np.exp(0.2 * with_memory(noise(seed), 0.97))) for seed in range(12)]
    raw = np.corrcoef([part["value"].to_numpy() for part in slow])
    assert np.abs(raw[np.triu_indices(12, k=1)]).max() > 0.45
    found = scan_lags(prepare_series(pl.concat(slow)), max_lag=10, false_discovery_rate=0.05)
    assert (found.pairs_tested, (found.q_value <= 0.05).sum()) == (66, 0)


def test_scan_lags_is_silent_on_errors_that_only_share_their_traffic():
    rng = np.random.default_rng(0)
    traffic = 300 * np.exp(np.repeat(rng.normal(0, 0.8, 40), 10))
    errors = [frame(f"e{rate}", rng.poisson(traffic * rate / 1000), exposure=traffic) for rate in (10, 20, 40, 80)]
    raw = np.corrcoef([part["value"].to_numpy() for part in errors])
    assert raw[2, 3] > 0.8
    found = scan_lags(prepare_series(pl.concat(errors)), max_lag=5, false_discovery_rate=0.05)
    assert (found.pairs_tested, (found.q_value <= 0.05).sum()) == (6, 0)


def test_scan_lags_finds_rare_errors_that_come_together():
    rng = np.random.default_rng(3)
    moments = rng.choice(400, size=14, replace=False)
    one, other = np.zeros(400), np.zeros(400)
    one[moments] = other[moments] = 1.0
    series = pl.concat([frame(name, values, exposure=np.full(400, 50.0)) for name, values in
                        (("one", one), ("other", other), ("away", np.roll(one, 57)))])  # fmt: skip
    prepared = prepare_series(series)
    found = scan_lags(prepared, max_lag=5, false_discovery_rate=0.05)
    names = prepared.signals["signal"].to_list()
    assert [(names[a], names[b]) for a, b in zip(found.first, found.second, strict=True)] == [("one", "other")]


def test_scan_lags_does_not_pair_a_family_nor_what_is_out_of_focus():
    prepared = prepare_series(linked())
    family = prepared.signals.with_columns(pl.Series("family", ["f", "f", ""]))
    assert scan_lags(replace(prepared, signals=family), max_lag=5, false_discovery_rate=0.05).pairs_tested == 2
    focus = frozenset({"pattern"})
    assert scan_lags(prepared, max_lag=5, false_discovery_rate=0.05, focus=focus).pairs_tested == 0


def test_scan_lags_searches_at_most_a_fifth_of_the_windows():
    found = scan_lags(prepare_series(linked(n=60)), max_lag=500, false_discovery_rate=0.05)
    assert found.max_lag == 12


def test_peak_p_value_of_one_lag_without_skewness_is_students():
    nothing = np.zeros(1)
    found = peak_p_value(np.array([0.3]), np.array([-0.1]), nothing, nothing, 98.0, 1)
    assert found[0] == pytest.approx(0.002426, rel=1e-3)


def test_peak_p_value_pays_for_lags_and_for_heavy_tails():
    nothing, high, low = np.zeros(1), np.array([0.3]), np.array([0.0])
    one = peak_p_value(high, low, nothing, nothing, 98.0, 1)[0]
    many = peak_p_value(high, low, nothing, nothing, 98.0, 21)[0]
    assert many == pytest.approx(1 - (1 - one) ** 21)
    assert peak_p_value(high, low, np.ones(1), nothing, 98.0, 1)[0] > 4 * one
    assert peak_p_value(high, low, nothing, np.full(1, 6.0), 98.0, 1)[0] > 4 * one
    assert peak_p_value(high, low, -np.ones(1), nothing, 98.0, 1)[0] == pytest.approx(one)


def test_lag_interval_holds_the_lags_that_are_nearly_as_likely():
    strengths = np.array([0.0, 0.1, 0.38, 0.4, 0.39, 0.1, -0.4])
    assert _lag_interval(strengths, 3, 100.0) == (2, 4)
    assert _lag_interval(strengths, 3, 10_000.0) == (3, 3)


def test_permuted_p_value_of_a_chance_correlation_is_not_small():
    one, other = noise(0), noise(1)
    strengths = _correlate(one, other, np.arange(-10, 11)) / np.sqrt((one**2).sum() * (other**2).sum())
    found = _permuted_p_value(one, other, 10, float(np.abs(strengths).max()), np.random.default_rng(0))
    assert 0.05 < found <= 1.0
    assert _permuted_p_value(one, other, 10, 0.5, np.random.default_rng(0)) < 1e-6
