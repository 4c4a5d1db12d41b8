"""Groups of series in which it is known what is an incident: what the confidence of an alarm is fitted on, in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies import SeriesMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Kind

STEP_US: Final = 60_000_000
MEMBERS: Final = 4
"""Series that a cause can show in."""
POINTS: Final = 900
LENGTHS: Final = (60, 200, POINTS)
DOUBLINGS: Final = (0.3, 3.5)
DRIFT: Final = 0.005
JUMP_CHANCE: Final = 0.0005
"""Of a point that something harmless moves the level for a while, by up to a quarter."""
JUMP: Final = 0.25
JUMP_POINTS: Final = 20


@dataclass(frozen=True, slots=True)
class Planted:
    """Series in groups of four neighbours, and where something was planted.

    Attributes
    ----------
    series : SeriesMatrix
    is_planted : array of bool, shape (series, points)
    """

    series: SeriesMatrix
    is_planted: NDArray[np.bool_]


def plant(kind: Kind, *, groups: int, seed: int) -> Planted:
    """Make groups of series of one kind; two thirds of the groups have an incident of some size in some of the four.

    What is harmless is in all of them: bunched events, a wandering level, values with heavy tails, and short jumps of
    the level by up to a quarter. A third of the groups begin late, so that there is little before the incident.
    """
    chance = np.random.default_rng(seed)
    size = (groups * MEMBERS, POINTS)
    usual = _draw_usual(chance, kind, groups)
    drift = np.cumsum(chance.normal(0.0, DRIFT, size), axis=1)
    relative = np.exp(np.clip(drift - drift.mean(axis=1, keepdims=True), -1.0, 1.0) + _draw_jumps(chance, size))
    is_planted, factor = _draw_incidents(chance, groups)
    rate = usual * relative * factor
    if kind == "level":
        values, exposure = rate * (1.0 + 0.05 * chance.standard_t(4, size)), None
    elif kind == "count":
        values, exposure = chance.poisson(_bunched(chance, rate)).astype(np.float64), None
    else:
        exposure = chance.poisson(chance.choice([20.0, 200.0, 1_000.0], (size[0], 1)), size).astype(np.float64)
        share = np.clip(_bunched(chance, rate * exposure) / np.maximum(exposure, 1.0), 0.0, 1.0)
        values = chance.binomial(exposure.astype(np.int64), share).astype(np.float64)
    late = np.repeat(chance.choice(LENGTHS, groups), MEMBERS)
    values[np.arange(POINTS)[None, :] < (POINTS - late)[:, None]] = np.nan
    keys = tuple(f"{kind} {row // MEMBERS}.{row % MEMBERS}" for row in range(size[0]))
    times = np.arange(POINTS, dtype=np.int64) * STEP_US
    return Planted(SeriesMatrix(keys, times, values, exposure, kind), is_planted)


def _draw_usual(chance: np.random.Generator, kind: Kind, groups: int) -> NDArray[np.float64]:
    low, high = {"level": (1.0, 1_000.0), "count": (0.05, 200.0), "ratio": (0.002, 0.1)}[kind]
    usual = np.exp(chance.uniform(np.log(low), np.log(high), (groups, 1)))
    return np.repeat(usual, MEMBERS, axis=0)


def _draw_jumps(chance: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    begins = chance.random(size) < JUMP_CHANCE
    heights = np.where(begins, chance.uniform(-JUMP, JUMP, size), 0.0)
    sums = np.cumsum(heights, axis=1)
    before = np.zeros(size)
    before[:, JUMP_POINTS:] = sums[:, :-JUMP_POINTS]
    return sums - before


def _draw_incidents(chance: np.random.Generator, groups: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    is_planted = np.zeros((groups * MEMBERS, POINTS), dtype=np.bool_)
    factor = np.ones(is_planted.shape)
    for group in np.flatnonzero(chance.random(groups) < 2 / 3).tolist():
        begin = POINTS - int(chance.integers(10, 45))
        end = begin + int(chance.integers(1, 30))
        members = group * MEMBERS + chance.permutation(MEMBERS)[: int(chance.integers(1, MEMBERS + 1))]
        is_planted[members, begin:end] = True
        factor[members, begin:end] = 2.0 ** chance.uniform(*DOUBLINGS)
    return is_planted, factor


def _bunched(chance: np.random.Generator, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw rates so that counts of them come in bunches, of one to four."""
    bunch = chance.choice([0.02, 1.0, 3.0], (len(mean), 1))
    return chance.gamma(np.maximum(mean, 1e-9) / bunch, bunch)
