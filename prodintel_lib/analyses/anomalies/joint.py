"""Moments at which many signals together are unlike the history, though none need be so alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from prodintel_lib.analyses.anomalies.model import Part, Scores, SeriesMatrix
from prodintel_lib.analyses.anomalies.seasonal import median_of_known
from prodintel_lib.errors import NoDataError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import Unit
    from prodintel_lib.windows import Window

MIN_MOMENTS: Final = 50
CALIBRATION_SHARE: Final = 0.3
JOINT_KEY: Final = "all signals together"
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True)
class _Forest:
    """What was learned: the trees, the signals' centres and spreads, and the sorted scores of held-back moments."""

    model: Any
    keys: tuple[str, ...]
    centres: NDArray[np.float64]
    spreads: NDArray[np.float64]
    calibration: NDArray[np.float64]


@dataclass(frozen=True)
class IsolationForest:
    """An isolation forest over the moments of a history, a column a signal.

    Parameters
    ----------
    trees : int
    seed : int
        The same seed gives the same scores.
    events : tuple of Window
        Named events and holidays: neither learned from nor scored.

    Notes
    -----
    Liu, Ting & Zhou (2008), doi:10.1109/ICDM.2008.17, as scikit-learn has it. The forest learns from the first seven
    tenths of the history; its score becomes -log10 of the share of the other three tenths that were at least as odd
    (conformal: a score above log10 of their number cannot be). Unlike the streaming detectors it learns nothing from
    the points it scores. A moment at which a signal is missing is not scored.
    """

    trees: int = 100
    seed: int = 0
    events: tuple[Window, ...] = field(default=(), kw_only=True)
    forest: _Forest | None = field(default=None, kw_only=True, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name in results."""
        return "isolation forest"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "-log10 p"

    def fit(self, history: SeriesMatrix) -> Self:
        """Grow the forest.

        Raises
        ------
        NoDataError
            Where fewer than 50 moments of the history have all signals.
        """
        from sklearn.ensemble import IsolationForest as Trees  # noqa: PLC0415 - costs seconds to import

        moments = history.without(self.events).levels.T
        moments = moments[~np.isnan(moments).any(axis=1)]
        if len(moments) < MIN_MOMENTS:
            raise NoDataError(
                f"An isolation forest needs {MIN_MOMENTS} moments at which all {len(history.keys)} signals are known; "
                f"the history has {len(moments)}.",
                hint="give a longer history, or leave out the signals with gaps.",
            )
        centres = median_of_known(moments.T)
        spreads = np.maximum(_MAD_TO_SIGMA * median_of_known(np.abs(moments - centres).T), moments.std(axis=0) / 4)
        spreads = np.where(spreads > 0, spreads, 1.0)
        scaled = (moments - centres) / spreads
        cut = round(len(scaled) * (1.0 - CALIBRATION_SHARE))
        model = Trees(n_estimators=self.trees, random_state=self.seed).fit(scaled[:cut])
        calibration = np.sort(-model.score_samples(scaled[cut:]))
        return replace(self, forest=_Forest(model, history.keys, centres, spreads, calibration))

    def score(self, series: SeriesMatrix) -> Scores:
        """Score each moment; the result has one row for all signals together."""
        forest = self._fitted(series)
        moments = series.without(self.events).levels.T
        known = ~np.isnan(moments).any(axis=1)
        score = np.full(len(moments), math.nan)
        if known.any():
            score[known] = _tail(_oddness(forest, moments[known]), forest.calibration)
        return Scores(
            detector=self.name,
            unit=self.unit,
            keys=(JOINT_KEY,),
            time_us=series.time_us,
            score=score[None, :],
            expected=np.full((1, len(moments)), math.nan),
            missing=int((~known).sum()),
            unlearned=0,
        )

    def explain(self, series: SeriesMatrix, *, row: int = 0, column: int) -> tuple[Part, ...]:
        """Say how much less odd the moment would be were one signal at its usual value, largest difference first.

        A part's score is that difference of the forest's own score, which lies between 0 and 1; `row` must be 0, the
        row of all signals together.
        """
        forest = self._fitted(series)
        if row != 0:
            raise ParameterError(f"The joint score has one row, 0; asked was {row}.", hint="leave `row` out.")
        moment = series.levels[:, column]
        if np.isnan(moment).any():
            return ()
        usual = np.repeat(moment[None, :], len(moment), axis=0)
        np.fill_diagonal(usual, forest.centres)
        gains = _oddness(forest, moment[None, :])[0] - _oddness(forest, usual)
        return tuple(
            Part(forest.keys[i], float(gains[i]), float(moment[i]), float(forest.centres[i]))
            for i in np.argsort(-gains, kind="stable")
        )

    def _fitted(self, series: SeriesMatrix) -> _Forest:
        if self.forest is None:
            raise ParameterError("An isolation forest scores only after `fit`.", hint="fit it on a history first.")
        if self.forest.keys != series.keys:
            raise ParameterError(
                f"The forest was fitted on {len(self.forest.keys)} signals and is to score {len(series.keys)} that are "
                "not the same.",
                hint="fit and score the same keys in the same order.",
            )
        return self.forest


def _oddness(forest: _Forest, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    oddness: NDArray[np.float64] = -forest.model.score_samples((moments - forest.centres) / forest.spreads)
    return oddness


def _tail(oddness: NDArray[np.float64], calibration: NDArray[np.float64]) -> NDArray[np.float64]:
    as_odd = len(calibration) - np.searchsorted(calibration, oddness, side="left")
    return np.asarray(-np.log10((as_odd + 1.0) / (len(calibration) + 1.0)), dtype=np.float64)
