"""Where a series left its level for good: change points, looked for at regular moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies.model import Streaming
from prodintel_lib.analyses.changepoints import find_change
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit

MIN_P: Final = 1e-30


@dataclass(frozen=True)
class ChangePoints(Streaming):
    """Whether the last points are an interval unlike the days before it.

    Parameters
    ----------
    every : int
        Points between two looks; the points in between have no score.
    recent : int
        The change must last into the `recent` points that end at the look.
    past : int
        Points looked at in all.

    Notes
    -----
    `find_change` of each series at each look, as a finding needs it: a second look at the series that have an alarm,
    not a scan of thousands. A daily rhythm is a change to it: give it residuals, or a `past` of a few hours.
    """

    every: int = 12
    recent: int = 12
    past: int = 288

    @property
    def name(self) -> str:
        """The name in results."""
        return "change points"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "-log10 p"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values = series.levels
        score, expected = np.full(values.shape, math.nan), np.full(values.shape, math.nan)
        looks = [at for at in range(self.every - 1, values.shape[1], self.every) if at >= self.recent]
        for at in looks:
            times = series.time_us[max(0, at + 1 - self.past) : at + 1]
            window = Window(int(times[-min(self.recent, len(times))]), int(times[-1]) + 1)
            for row, recent in enumerate(values[:, max(0, at + 1 - self.past) : at + 1]):
                known = ~np.isnan(recent)
                if not known[-1]:
                    continue
                change = find_change(times[known], recent[known], window=window, is_count=series.kind == "count")
                score[row, at] = 0.0 if change is None else -math.log10(max(change.p_value, MIN_P))
                expected[row, at] = np.median(recent[known]) if change is None else change.before
        return score, expected
