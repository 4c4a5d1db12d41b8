"""Many series on one grid of times, and what every detector takes and gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

import numpy as np

from prodintel_lib.errors import NoDataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.windows import Window

Kind = Literal["level", "count", "ratio"]
Unit = Literal["-log10 p", "z", "beyond"]

DAY_US: Final = 86_400_000_000
STEP_POINTS: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class SeriesMatrix:
    """Series that share one grid of times.

    Attributes
    ----------
    keys : tuple of str, length (series,)
        What each series is of: a service, a route, a metric.
    time_us : array, shape (points,)
        Strictly increasing, in regular steps: what has no value at a time is a NaN there, not a missing time, since a
        day is counted in steps.
    values : array, shape (series, points)
        NaN where a point is missing. Levels for ``level``; events for ``count``; hits of `exposure` for ``ratio``.
    exposure : array, shape (series, points), or None
        Trials of a ratio; for counts, what they are counted over where that varies (requests, seconds observed).
    kind : {"level", "count", "ratio"}
        How chance moves the values.
    """

    keys: tuple[str, ...]
    time_us: NDArray[np.int64]
    values: NDArray[np.float64]
    exposure: NDArray[np.float64] | None = None
    kind: Kind = "level"

    def __post_init__(self) -> None:
        shape = (len(self.keys), len(self.time_us))
        if self.values.shape != shape:
            raise ParameterError(
                f"A series matrix needs values of shape {shape} (keys, times); they have {self.values.shape}.",
                hint="one row a key, one column a time.",
            )
        if self.exposure is not None and self.exposure.shape != shape:
            raise ParameterError(
                f"A series matrix needs exposure of shape {shape}, as its values; it has {self.exposure.shape}.",
                hint="give each value its exposure, or none at all.",
            )
        if self.kind == "ratio" and self.exposure is None:
            raise ParameterError(
                "A ratio needs its exposure (the trials of each point); it has none.",
                hint="give hits as values and trials as exposure.",
            )
        if not self.values.size:
            raise NoDataError(f"There is nothing to score: {shape[0]} series of {shape[1]} points.")
        if (np.diff(self.time_us) <= 0).any():
            at = int(np.argmax(np.diff(self.time_us) <= 0)) + 1
            raise ParameterError(
                f"Times must increase; point {at} ({self.time_us[at]}) does not come after {self.time_us[at - 1]}.",
                hint="sort the points and merge those of one time.",
            )

    @property
    def step_us(self) -> int:
        """The usual distance of the first points, which is the same whatever comes later; a day where there is one."""
        return int(np.median(np.diff(self.time_us[:STEP_POINTS]))) if len(self.time_us) > 1 else DAY_US

    @property
    def points_a_day(self) -> int:
        """How many of the usual steps make a day; at least 1."""
        return max(1, round(DAY_US / self.step_us))

    @property
    def levels(self) -> NDArray[np.float64]:
        """The values per exposure, NaN where there was none; the values themselves where no exposure is known."""
        if self.exposure is None:
            return self.values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.exposure > 0, self.values / self.exposure, math.nan)

    def rows(self, rows: slice) -> SeriesMatrix:
        """Return some of the series."""
        exposure = None if self.exposure is None else self.exposure[rows]
        return replace(self, keys=self.keys[rows], values=self.values[rows], exposure=exposure)

    def columns(self, columns: slice) -> SeriesMatrix:
        """Return some of the points."""
        exposure = None if self.exposure is None else self.exposure[:, columns]
        return replace(self, time_us=self.time_us[columns], values=self.values[:, columns], exposure=exposure)

    def until(self, column: int) -> SeriesMatrix:
        """Return the points up to `column`, that one included."""
        return self.columns(slice(0, column + 1))

    def without(self, windows: Sequence[Window]) -> SeriesMatrix:
        """Return the series with the points in `windows` missing: they are neither learned from nor scored."""
        if not windows:
            return self
        inside = np.zeros(len(self.time_us), dtype=np.bool_)
        for window in windows:
            inside |= (self.time_us >= window.start_us) & (self.time_us < window.end_us)
        return replace(self, values=np.where(inside[None, :], math.nan, self.values))

    def after(self, history: SeriesMatrix | None) -> SeriesMatrix:
        """Return the series with `history` before them.

        Raises
        ------
        ParameterError
            Where the history is of other series, or does not end before these begin.
        """
        if history is None:
            return self
        if (history.keys, history.kind) != (self.keys, self.kind) or (history.exposure is None) != (
            self.exposure is None
        ):
            raise ParameterError(
                f"The detector was fitted on {len(history.keys)} {history.kind} series, and is to score "
                f"{len(self.keys)} {self.kind} series that are not the same.",
                hint="fit and score the same keys in the same order.",
            )
        if history.time_us[-1] >= self.time_us[0]:
            raise ParameterError(
                f"The history ends at {history.time_us[-1]}, not before the first point to score, {self.time_us[0]}.",
                hint="end the history where the scored points begin.",
            )
        exposure = None
        if self.exposure is not None and history.exposure is not None:
            exposure = np.concatenate([history.exposure, self.exposure], axis=1)
        times = np.concatenate([history.time_us, self.time_us])
        values = np.concatenate([history.values, self.values], axis=1)
        return replace(self, time_us=times, values=values, exposure=exposure)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How abnormal each point is by what came before it.

    Attributes
    ----------
    detector : str
    unit : {"-log10 p", "z", "beyond"}
        ``beyond`` is 1 outside of a limit and 0 within.
    keys, time_us
        As scored.
    score : array, shape (series, points)
        NaN where the detector abstained.
    expected : array, shape (series, points)
        What the detector took for normal; NaN where it had no idea.
    missing, unlearned : int
        Points without a score: those that had no value, and those with too little past.
    """

    detector: str
    unit: Unit
    keys: tuple[str, ...]
    time_us: NDArray[np.int64]
    score: NDArray[np.float64]
    expected: NDArray[np.float64]
    missing: int
    unlearned: int


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for a score: a view or a signal, its own score, and value against expectation."""

    name: str
    score: float
    value: float
    expected: float


class Detector(Protocol):
    """What all detectors do. A fitted one is another object: nothing is kept between two series."""

    @property
    def name(self) -> str:
        """The name in results."""

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""

    def fit(self, history: SeriesMatrix) -> Self:
        """Return the detector with what came before the points to score."""

    def score(self, series: SeriesMatrix) -> Scores:
        """Score every point with the history and the points before it, never with a later one."""

    def explain(self, series: SeriesMatrix, *, row: int, column: int) -> tuple[Part, ...]:
        """Say what made one point's score, largest part first."""


@dataclass(frozen=True)
class Streaming(ABC):
    """A detector that goes on learning: each point is judged by the history and all points before it.

    Parameters
    ----------
    events : tuple of Window
        Named events and holidays: neither learned from nor scored.
    """

    events: tuple[Window, ...] = field(default=(), kw_only=True)
    history: SeriesMatrix | None = field(default=None, kw_only=True, repr=False, compare=False)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in results."""

    @property
    @abstractmethod
    def unit(self) -> Unit:
        """The scale of the scores."""

    @abstractmethod
    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scores and expectations, each of shape (series, points)."""

    def fit(self, history: SeriesMatrix) -> Self:
        """Return the detector with a history, whose points are learned from and not scored."""
        return replace(self, history=history)

    def score(self, series: SeriesMatrix) -> Scores:
        """Score every point of `series`, shape (series, points)."""
        score, expected = self._look(series.after(self.history).without(self.events))
        first = score.shape[1] - len(series.time_us)
        score, expected = score[:, first:], expected[:, first:]
        missing = np.isnan(series.levels)
        return Scores(
            detector=self.name,
            unit=self.unit,
            keys=series.keys,
            time_us=series.time_us,
            score=score,
            expected=expected,
            missing=int(missing.sum()),
            unlearned=int((np.isnan(score) & ~missing).sum()),
        )

    def explain(self, series: SeriesMatrix, *, row: int, column: int) -> tuple[Part, ...]:
        """Say what the point at `row` and `column` was, and what was expected."""
        one, fitted = self._one(series, row, column)
        scores = fitted.score(one)
        value = float(one.levels[0, -1])
        return (Part(self.name, float(scores.score[0, -1]), value, float(scores.expected[0, -1])),)

    def _one(self, series: SeriesMatrix, row: int, column: int) -> tuple[SeriesMatrix, Self]:
        rows = slice(row, row + 1)
        history = None if self.history is None else self.history.rows(rows)
        return series.rows(rows).until(column), replace(self, history=history)
