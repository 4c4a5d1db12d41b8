"""Scores of every series, and the stretches in which one is beyond the threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from prodintel_lib.analyses.anomaly_findings.model import ScoredSignals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Detector, SeriesMatrix
    from prodintel_lib.analyses.anomalies.model import Unit
    from prodintel_lib.analyses.production import Production, SignalName, SignalSet

LEAD_BUCKETS: Final = 30
"""So many buckets before the window are scored as well: what began in them did not begin in the window."""
END_SHARE: Final = 0.5
CALM_BUCKETS: Final = 5
CALM_S: Final = 120
MAX_KEPT: Final = 60
"""Series of a signal that are kept for show beside those of findings."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of one series beyond the threshold.

    Attributes
    ----------
    about : dict
        The series' row of ABOUT_SCHEMA.
    row : int
        Of the series in its signal's matrix.
    width_us : int
        Of a bucket of that matrix.
    start_us, last_us : int
        Starts of the first and the last abnormal bucket: those at half the threshold or more next to those beyond it.
    hot_us : tuple of int
        Starts of the buckets at the threshold or beyond.
    peak_us : int
        Where the score is highest.
    score : float
        There.
    value : float
        The level over the hot buckets together.
    expected : float
        Of shares and levels as the first hot bucket expected it, before the event was learned from; of counts, which
        have their hours, over all hot buckets.
    exposure : float
        What the value is a share of; the number of hot buckets for counts, NaN for levels.
    change : float
        The mean of level less expectation over the hot buckets: its sign is the direction.
    """

    signal: SignalName
    about: dict[str, Any]
    row: int
    width_us: int
    start_us: int
    last_us: int
    hot_us: tuple[int, ...]
    peak_us: int
    score: float
    value: float
    expected: float
    exposure: float
    change: float

    @property
    def key(self) -> tuple[str, str]:
        """What tells the series from all others."""
        return self.signal, str(self.about["key"])

    @property
    def service(self) -> str:
        """The service it is of, "" where it is of none."""
        return str(self.about["service_name"])

    @property
    def route(self) -> str:
        """The route it is of, "" where it is of none."""
        return str(self.about["route"])

    @property
    def is_worse(self) -> bool | None:
        """Whether the change is for the worse; None where either direction may be."""
        worse = int(self.about["worse"])
        return self.change * worse > 0 if worse else None

    @property
    def is_neutral(self) -> bool:
        """Whether nobody need suffer from it; fewer requests may mean that some no longer get through."""
        return self.is_worse is None and not (self.signal == "throughput" and self.change < 0)

    @property
    def end_us(self) -> int:
        """The end of the last abnormal bucket."""
        return self.last_us + self.width_us

    @property
    def detected_us(self) -> int:
        """The end of the first bucket at the threshold: when it could be known."""
        return self.hot_us[0] + self.width_us

    def overlaps(self, other: Episode, *, slack_us: int) -> bool:
        """Say whether the two have a bucket in common, or lie no more than `slack_us` apart."""
        return self.start_us <= other.last_us + slack_us and other.start_us <= self.last_us + slack_us


def calm_us(bucket_us: int) -> int:
    """Return how far apart two series may begin and be one event: five buckets, two minutes at least.

    Examples
    --------
    >>> calm_us(10_000_000), calm_us(300_000_000)
    (120000000, 1500000000)
    """
    return max(CALM_BUCKETS * bucket_us, CALM_S * 1_000_000)


def chance_of(score: float, unit: Unit) -> float:
    """Return the chance of a point at least as abnormal, by what the score says; NaN where it says none.

    Examples
    --------
    >>> chance_of(4.0, "-log10 p"), round(chance_of(3.0, "z"), 4)
    (0.0001, 0.0027)
    """
    if unit == "-log10 p":
        return float(10.0**-score)
    return math.erfc(score / math.sqrt(2.0)) if unit == "z" else math.nan


def score_signals(production: Production, series: Sequence[SignalSet], detector: Detector) -> tuple[ScoredSignals, ...]:
    """Score the window's points of every series, and a few before it, each by what came before that point.

    Parameters
    ----------
    production : Production
        Whose window is asked about.
    series : sequence of SignalSet
    detector : Detector
        Fitted, for each signal, on what came before the first point that is scored.

    Returns
    -------
    tuple of ScoredSignals
        Of the signals that have a point there, in the order given.
    """
    scored = []
    for signals in series:
        times = signals.matrix.time_us
        lead_us = production.window.start_us - LEAD_BUCKETS * signals.matrix.step_us
        first, end = np.searchsorted(times, (lead_us, production.window.end_us))
        if first == end:
            continue
        asked = _columns(signals.matrix, slice(int(first), int(end)))
        fitted = detector.fit(_columns(signals.matrix, slice(0, int(first)))) if first else detector
        scored.append(ScoredSignals(signals, fitted.score(asked)))
    return tuple(scored)


def _columns(matrix: SeriesMatrix, columns: slice) -> SeriesMatrix:
    exposure = None if matrix.exposure is None else matrix.exposure[:, columns]
    return replace(matrix, time_us=matrix.time_us[columns], values=matrix.values[:, columns], exposure=exposure)


def find_episodes(scored: ScoredSignals, *, threshold: float) -> list[Episode]:
    """Find every stretch in which a series reaches the threshold, by series and start.

    Hot buckets no more than CALM_BUCKETS apart, and off to the same side, are one stretch. A stretch reaches back and
    on over the buckets next to it that are off to that side with at least half the threshold; a longer gap in the
    record ends it.
    """
    matrix, scores = scored.signals.matrix, scored.scores
    offset = int(np.searchsorted(matrix.time_us, scores.time_us[0]))
    levels = matrix.levels[:, offset : offset + len(scores.time_us)]
    found = []
    for row in np.flatnonzero((np.nan_to_num(scores.score) >= threshold).any(axis=1)).tolist():
        known = np.flatnonzero(~np.isnan(scores.score[row]))
        seen = _Seen(
            scores.time_us[known],
            scores.score[row, known],
            levels[row, known],
            scores.expected[row, known],
            _exposure_of(matrix, row, offset + known),
        )
        for side in (seen.side > 0, seen.side <= 0):
            one_sided = np.where(side, seen.score, 0.0)
            stretches = _stretches(one_sided, seen.times, threshold, CALM_BUCKETS * matrix.step_us)
            found += [_episode(scored.signals, row, seen, stretch) for stretch in stretches]
    return sorted(found, key=lambda one: (one.row, one.start_us))


@dataclass(frozen=True, slots=True)
class _Seen:
    """The points of one series that have a score."""

    times: NDArray[np.int64]
    score: NDArray[np.float64]
    level: NDArray[np.float64]
    expected: NDArray[np.float64]
    exposure: NDArray[np.float64]

    @property
    def side(self) -> NDArray[np.float64]:
        """Above 0 where there was more than expected; where nothing was expected, more is."""
        off = self.level - self.expected
        return np.where(np.isnan(off), 1.0, off)


def _episode(signals: SignalSet, row: int, seen: _Seen, stretch: tuple[int, int, NDArray[np.int64]]) -> Episode:
    first, last, hot = stretch
    kind = signals.matrix.kind
    peak = int(hot[np.argmax(seen.score[hot])])
    return Episode(
        signal=signals.signal,
        about=signals.about.row(row, named=True),
        row=row,
        width_us=signals.matrix.step_us,
        start_us=int(seen.times[first]),
        last_us=int(seen.times[last]),
        hot_us=tuple(seen.times[hot].tolist()),
        peak_us=int(seen.times[peak]),
        score=float(seen.score[peak]),
        value=_mean_of_known(seen.level[hot], weights=seen.exposure[hot]),
        expected=_mean_of_known(seen.expected[hot if kind == "count" else hot[:1]]),
        exposure=math.nan if kind == "level" else float(seen.exposure[hot].sum()),
        change=_mean_of_known(seen.level[hot] - seen.expected[hot]),
    )


def _exposure_of(matrix: SeriesMatrix, row: int, columns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.ones(len(columns)) if matrix.exposure is None else matrix.exposure[row, columns]


def _mean_of_known(values: NDArray[np.float64], *, weights: NDArray[np.float64] | None = None) -> float:
    known = ~np.isnan(values)
    if not known.any():
        return math.nan
    return float(np.average(values[known], weights=None if weights is None else weights[known]))


def _stretches(
    score: NDArray[np.float64], times: NDArray[np.int64], threshold: float, slack_us: int
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Give the first and last known point of each stretch, and its hot ones."""
    hot = np.flatnonzero(score >= threshold)
    if not len(hot):
        return
    warm = score >= END_SHARE * threshold
    broken = np.diff(times) > slack_us
    for group in np.split(hot, np.flatnonzero(np.diff(times[hot]) > slack_us) + 1):
        first, last = int(group[0]), int(group[-1])
        while first > 0 and warm[first - 1] and not broken[first - 1]:
            first -= 1
        while last + 1 < len(score) and warm[last + 1] and not broken[last]:
            last += 1
        yield first, last, group


def keep_shown(scored: Sequence[ScoredSignals], episodes: Sequence[Episode]) -> tuple[ScoredSignals, ...]:
    """Keep the series with an episode, and of each signal those with the highest scores besides."""
    kept = []
    for one in scored:
        best = np.nan_to_num(one.scores.score).max(axis=1)
        rows = {episode.row for episode in episodes if episode.signal == one.signals.signal}
        rows |= set(np.argsort(-best, kind="stable")[:MAX_KEPT].tolist())
        kept.append(_chosen(one, sorted(rows)))
    return tuple(kept)


def _chosen(one: ScoredSignals, rows: list[int]) -> ScoredSignals:
    matrix, scores = one.signals.matrix, one.scores
    keys = tuple(matrix.keys[row] for row in rows)
    exposure = None if matrix.exposure is None else matrix.exposure[rows]
    chosen = replace(matrix, keys=keys, values=matrix.values[rows], exposure=exposure)
    signals = replace(one.signals, matrix=chosen, about=one.signals.about[rows])
    picked = replace(scores, keys=keys, score=scores.score[rows], expected=scores.expected[rows])
    return ScoredSignals(signals, picked)
