"""Counts and ratios with their exposure: few events are no reason to shout, and little history is some."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from prodintel_lib.analyses.anomalies.learned_counts import Earlier, Trials, learn_and_score
from prodintel_lib.analyses.anomalies.model import Part, Streaming
from prodintel_lib.analyses.anomalies.stretches import find_stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Unit


@dataclass(frozen=True)
class Counts(Streaming):
    """The chance of so many or so few events, given how many the past had per exposure.

    Notes
    -----
    The predictive distribution of `predictive.score_counts`, two-sided: what the past had is itself a draw, which
    matters while the past is short, and events come in bunches as the past shows them to. The expected rate is that of
    the week before, or that of the same time of the days before, whichever was nearer. A point is judged by itself and
    together with the two and the five before it, where it goes to the same side. What is surprising is learned from
    as if it were hardly so (`learned_counts.learn_and_score`). A pause that parts two recordings (`find_stretches`)
    parts what is learned; to a ratio the recordings before still count as ten points each, thirty at most, since how
    often requests fail is a matter of the service, as how many come is not.
    """

    @property
    def name(self) -> str:
        """The name in results."""
        return "counts"

    @property
    def unit(self) -> Unit:
        """The scale of the scores."""
        return "-log10 p"

    def _look(self, series: SeriesMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return score_counts_of(series, find_stretches(series, events=self.events))

    def explain(self, series: SeriesMatrix, *, row: int, column: int) -> tuple[Part, ...]:
        """Say how many there were for each of the exposure, and how many were expected."""
        one, fitted = self._one(series, row, column)
        stretches = find_stretches(series.until(column).after(self.history), events=self.events)
        score, rate = score_counts_of(one.after(fitted.history).without(self.events), stretches)
        return (Part(self.name, float(score[0, -1]), float(one.levels[0, -1]), float(rate[0, -1])),)


def score_counts_of(
    series: SeriesMatrix, stretches: tuple[slice, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and expected rates, each stretch by itself but for ratios."""
    trials = Trials.of(series)
    score, rate = np.full(trials.hits.shape, math.nan), np.full(trials.hits.shape, math.nan)
    done: list[tuple[Trials, NDArray[np.float64]]] = []
    for columns in stretches:
        own = trials.columns(columns)
        if done and not own.is_ratio:
            # A recording begins within a bucket, whose count is a part of one.
            own.hits[:, 0] = own.exposure[:, 0] = math.nan
        earlier = Earlier.of(done) if done and own.is_ratio else Earlier.none(len(own.hits))
        score[:, columns], rate[:, columns], learned = learn_and_score(own, earlier)
        done.append((replace(own, hits=learned), rate[:, columns]))
    return score, rate
