"""Stretches of series beyond the threshold."""

import math

import numpy as np
import pytest

from prodintel_lib.analyses.anomalies import FixedThreshold, Scores, SeriesMatrix
from prodintel_lib.analyses.anomaly_findings import ScoredSignals
from prodintel_lib.analyses.anomaly_findings.episodes import chance_of, find_episodes, score_signals
from prodintel_lib.analyses.production import SignalSet

from . import made


def episodes(scores, *, values=None, expected=None, minutes=1.0, threshold=4.0):
    times = made.START_US + (np.arange(len(scores)) * minutes * 60_000_000).astype(np.int64)
    levels = np.asarray([values if values is not None else scores], dtype=np.float64)
    signals = SignalSet(
        "latency", SeriesMatrix(("a",), times, levels), made.about({"a": ("shop", "/a")}, grain="route", worse=1)
    )
    usual = np.where(np.isnan(levels), math.nan, 1.0 if expected is None else np.asarray([expected]))
    scored = Scores("made", "-log10 p", ("a",), times, np.asarray([scores], dtype=np.float64), usual, 0, 0)
    found = find_episodes(ScoredSignals(signals, scored), threshold=threshold)
    width = round(minutes * 60_000_000)
    return [((one.start_us - times[0]) // width, (one.last_us - times[0]) // width, one) for one in found]


def test_find_episodes_reaches_over_half_the_threshold_on_both_sides():
    [(first, last, one)] = episodes([0, 2, 2.5, 5, 6, 2.1, 1.9, 0])
    assert (first, last, one.score, one.value, len(one.hot_us)) == (1, 5, 6.0, 5.5, 2)
    assert one.detected_us == one.hot_us[0] + 60_000_000


def test_find_episodes_bridges_a_calm_of_five_buckets_and_no_more():
    assert [(first, last) for first, last, _ in episodes([0, 5, 0, 0, 0, 0, 5, 0])] == [(1, 6)]
    assert [(first, last) for first, last, _ in episodes([0, 5, 0, 0, 0, 0, 0, 5, 0])] == [(1, 1), (7, 7)]


def test_find_episodes_passes_over_a_missing_point_and_stops_at_a_long_gap():
    assert [(first, last) for first, last, _ in episodes([0, 5, math.nan, 3, 0])] == [(1, 3)]
    assert [(first, last) for first, last, _ in episodes([0, 5, *[math.nan] * 6, 3, 0])] == [(1, 1)]


def test_find_episodes_parts_what_is_off_to_the_other_side():
    lower, higher = episodes([0, 3, 5, 5, 5, 3, 0], values=[1, 0.5, 0.5, 0.2, 3.0, 2.0, 1])
    assert (lower[:2], lower[2].is_worse, lower[2].change) == ((1, 3), False, pytest.approx(-0.65))
    assert (higher[:2], higher[2].is_worse, higher[2].change) == ((4, 5), True, 2.0)


def test_find_episodes_expects_what_was_expected_before_it_was_learned_from():
    [(_, _, one)] = episodes([0, 5, 5, 0], values=[1, 4, 6, 1], expected=[1, 1, 3, 5])
    assert (one.value, one.expected) == (5.0, 1.0)


def test_find_episodes_of_calm_is_nothing():
    assert episodes([0, 3.9, math.nan, 3.9]) == []


def test_score_signals_scores_the_window_and_a_little_before():
    shop = made.Shop(buckets=100, window_from=60)
    [one] = score_signals(shop.production(), shop.series()[:1], FixedThreshold(upper=0.5))
    assert (one.scores.time_us[0], one.scores.time_us[-1]) == (made.at(30), made.at(99))


def test_chance_of_a_limit_is_unknown():
    assert math.isnan(chance_of(1.0, "beyond"))
