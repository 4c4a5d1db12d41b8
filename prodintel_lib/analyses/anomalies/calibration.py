"""What an alarm is worth: the probability that what was found is real."""

from __future__ import annotations

import math
from typing import Final

INTERCEPT: Final = -1.192
WEIGHT_OF_SCORE: Final = 0.061
WEIGHT_OF_POINTS: Final = 0.562
WEIGHT_OF_AGREEING: Final = 0.132
WEIGHT_OF_EFFECT: Final = 0.086
MOST_DOUBLINGS: Final = 5.0
MOST_CONFIDENCE: Final = 0.95
"""No more is promised: of alarms that fits on other kinds of series held for .85 to .95, .70 to .90 were real."""


def confidence_of(score: float, points: int, agreeing: int, effect: float) -> float:
    """Return the probability that an alarm is real, at most 0.95; it never falls as any argument grows.

    Parameters
    ----------
    score : float
        The largest score, -log10 of a chance.
    points : int
        Points at or above the threshold.
    agreeing : int
        Other series of the same finding; 0 where it is alone.
    effect : float
        How many times the value doubled or halved: the absolute log2 of value over expectation.

    Returns
    -------
    float
        Above 0 and at most 0.95.

    Notes
    -----
    A logistic regression on alarms at 3 and 4 whose truth is known: files of the Numenta benchmark and of a cloud's own
    services with their labels, a recording of a small shop without issues, and planted series; each kind of series
    weighs alike. Fitted by `benchmarks.anomalies.calibration`, whose README shows how often alarms of kinds left out of
    the fit were real. That share depends on how often something is wrong at all, which differs from place to place.
    """
    odds = (
        INTERCEPT
        + WEIGHT_OF_SCORE * math.log2(max(score, 1.0))
        + WEIGHT_OF_POINTS * math.log2(max(points, 1))
        + WEIGHT_OF_AGREEING * math.log2(1 + max(agreeing, 0))
        + WEIGHT_OF_EFFECT * min(effect, MOST_DOUBLINGS)
    )
    return min(1.0 / (1.0 + math.exp(-odds)), MOST_CONFIDENCE)
