"""From scores to alarms: one for an event, and silence after it unless it becomes worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import Scores, SeriesMatrix

Severity = Literal["low", "medium", "high", "critical"]

DEFAULT_THRESHOLD: Final = 4.0
"""A chance of one in ten thousand at a point and view: of a week at five minutes, four views make 0.8 false alarms."""
QUIET_HOURS: Final = 30.0
"""Over a day: what comes again at the same hour of the next day is the same event."""
END_SHARE: Final = 0.5
WORSE_BY: Final = 1.0
LONG_HOURS: Final = 1.0
LARGE_RATIO: Final = 2.0
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
_US_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """One event in one series.

    Attributes
    ----------
    key : str
    start_us, last_us : int
        From the first point at the threshold to the last one at half of it without a break, or the last there is.
    peak_us : int
        Where the score is largest.
    score : float
        The score there.
    value, expected : float
        The level there, and what was expected of it.
    points : int
        Points from start to last that have a score.
    severity : {"low", "medium", "high", "critical"}
    reason : str
        What raised the severity.
    """

    key: str
    start_us: int
    last_us: int
    peak_us: int
    score: float
    value: float
    expected: float
    points: int
    severity: Severity
    reason: str


def hold(scores: Scores, *, quiet_hours: float = QUIET_HOURS) -> NDArray[np.float64]:
    """Keep each score that is above all scores of the quiet period before it, and set the others to 0.

    Returns
    -------
    array, shape (series, points)
        No NaN: an abstention is 0. Scores for those who choose a threshold afterwards: whichever it is, a point that
        reaches it is the first of the quiet period, or worse than those before. `find_alarms` knows its threshold and
        is quieter.
    """
    from scipy.ndimage import maximum_filter1d  # noqa: PLC0415 - scipy costs half a second to import

    steps = np.diff(scores.time_us[:50])
    points = max(1, round(quiet_hours * _US_PER_HOUR / float(np.median(steps)))) if len(steps) else 1
    known = np.nan_to_num(scores.score)
    # The filter at `origin` ends at each point; one step later it ends just before it.
    highest = maximum_filter1d(known, size=points, axis=1, mode="constant", cval=0.0, origin=(points - 1) // 2)
    before = np.zeros(known.shape)
    before[:, 1:] = highest[:, :-1]
    return np.where(known > before, known, 0.0)


def find_alarms(
    series: SeriesMatrix,
    scores: Scores,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    quiet_hours: float = QUIET_HOURS,
) -> tuple[Alarm, ...]:
    """Find the events of all series, by start and then key.

    Parameters
    ----------
    series : SeriesMatrix
        As scored.
    scores : Scores
    threshold : float
        In the unit of the scores.
    quiet_hours : float
        That long after the end of an event, a point raises another alarm only when its score is higher than the
        event's highest by more than 1: ten times rarer, where scores are -log10 p.

    Raises
    ------
    ParameterError
        Where the threshold is not above 0, or the scores are of other series.
    """
    if not threshold > 0:
        raise ParameterError(
            f"An alarm's threshold must be above 0; it is {threshold}.", hint="0 is what an abstention counts as."
        )
    if scores.score.shape != series.values.shape:
        raise ParameterError(
            f"The scores have shape {scores.score.shape}, the series {series.values.shape}.",
            hint="give the series that were scored.",
        )
    quiet_us = round(quiet_hours * _US_PER_HOUR)
    alarms: list[Alarm] = []
    for row in np.flatnonzero((np.nan_to_num(scores.score) >= threshold).any(axis=1)).tolist():
        bar, quiet_until_us = threshold, -1
        for column in np.flatnonzero(scores.score[row] >= threshold).tolist():
            # The event's own points are below the bar as well, since its highest set it.
            if scores.time_us[column] <= quiet_until_us and scores.score[row, column] <= bar:
                continue
            last = _last_column(scores.score[row], column, threshold)
            alarms.append(_describe(series, scores, threshold, row, column, last))
            bar, quiet_until_us = alarms[-1].score + WORSE_BY, alarms[-1].last_us + quiet_us
    return tuple(sorted(alarms, key=lambda alarm: (alarm.start_us, alarm.key)))


def _last_column(score: NDArray[np.float64], column: int, threshold: float) -> int:
    calm = np.flatnonzero(score[column:] < END_SHARE * threshold)
    last = column + int(calm[0]) - 1 if len(calm) else len(score) - 1
    known = np.flatnonzero(~np.isnan(score[column : last + 1]))
    return column + int(known[-1])


def _describe(series: SeriesMatrix, scores: Scores, threshold: float, row: int, column: int, last: int) -> Alarm:
    stretch = scores.score[row, column : last + 1]
    peak = column + int(np.nanargmax(stretch))
    value, expected = float(series.levels[row, peak]), float(scores.expected[row, peak])
    hours = int(series.time_us[last] - series.time_us[column]) / _US_PER_HOUR
    score = float(scores.score[row, peak])
    severity, reason = _grade(value, expected, hours=hours, score=score, threshold=threshold)
    return Alarm(
        key=series.keys[row],
        start_us=int(series.time_us[column]),
        last_us=int(series.time_us[last]),
        peak_us=int(series.time_us[peak]),
        score=score,
        value=value,
        expected=expected,
        points=int(np.count_nonzero(~np.isnan(stretch))),
        severity=severity,
        reason=reason,
    )


def _grade(value: float, expected: float, *, hours: float, score: float, threshold: float) -> tuple[Severity, str]:
    """Raise the severity by one step for each of: size, length, and how far beyond the threshold."""
    reasons = []
    if _is_large(value, expected):
        reasons.append(f"{value:.3g} where {expected:.3g} was expected")
    if hours >= LONG_HOURS:
        reasons.append(f"lasted {hours:.1f} h")
    if score >= 2.0 * threshold:
        reasons.append(f"score {score:.1f}, at least twice the threshold of {threshold:g}")
    return SEVERITIES[len(reasons)], "; ".join(reasons) or "short, and near the threshold"


def _is_large(value: float, expected: float) -> bool:
    if math.isnan(value) or math.isnan(expected):
        return False
    low, high = sorted((abs(value), abs(expected)))
    return value * expected < 0 or high >= LARGE_RATIO * low
