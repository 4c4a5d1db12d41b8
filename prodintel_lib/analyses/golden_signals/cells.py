"""Durations as cells of their logarithm: the form in which their shape is tested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.rollups.request_bins import COARSE_GROWTH, COARSE_ZERO

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG_WIDTH: Final = math.log(COARSE_GROWTH)
"""Width of a bin on the scale of natural logarithms: bin b begins at ``b * LOG_WIDTH``."""

RESOLUTIONS_MS: Final = (1000.0, 100.0, 15.625, 10.0, 1.0, 0.1)
TELLS_UNTIL: Final = 12.0
"""A recorder's steps are wider than a bin up to so many of them: a bin there may hold no step at all."""

MIN_TELLING_CELLS: Final = 2
MIN_TELLING_SHARE: Final = 0.02
UNEVEN_UNTIL: Final = 120.0
MIN_UNEVEN_CELLS: Final = 5
MIN_COUNT_TO_TELL: Final = 5
SLOPE_WITHIN: Final = 0.3
SURE_DEVIATIONS: Final = 4.0
HALF: Final = 0.5
ON_EDGE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Cells:
    """A histogram over log durations whose cells touch.

    Attributes
    ----------
    edges : array, shape (cells + 1,)
        Natural logarithms of milliseconds, increasing.
    counts : array, shape (cells,)
    resolution_ms : float
        The step in which durations were recorded; 0 where none shows.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    resolution_ms: float = 0.0

    @property
    def widths(self) -> NDArray[np.float64]:
        """Widths of the cells."""
        return np.diff(self.edges)

    @property
    def middles(self) -> NDArray[np.float64]:
        """Middles of the cells."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def n(self) -> float:
        """All that was counted."""
        return float(self.counts.sum())


def read_cells(bins: NDArray[np.int64], counts: NDArray[np.float64]) -> Cells:
    """Lay out counted bins of request_bins as cells without holes.

    Durations recorded in whole milliseconds leave bins empty between 1, 2 and 3 ms, and a comb has many modes. Where
    the bins show such a step, cells reach from half a step below a multiple of it to half a step above one.

    Parameters
    ----------
    bins, counts : arrays, shape (bins,)
        As request_bins, increasing, each once; NO_BIN left out.

    Notes
    -----
    A duration of 0 has no logarithm: it counts as the shortest that was seen.
    """
    is_zero = bins <= COARSE_ZERO
    positive, held = bins[~is_zero], counts[~is_zero].astype(np.float64)
    if not len(positive):
        return Cells(np.array([math.log(1e-6), 0.0]), np.array([float(counts.sum())]))
    held = held.copy()
    held[0] += float(counts[is_zero].sum())
    every = np.arange(positive[0], positive[-1] + 1)
    full = np.zeros(len(every))
    full[positive - positive[0]] = held
    edges = np.append(every, every[-1] + 1) * LOG_WIDTH
    resolution = find_resolution_ms(edges, full)
    return _snapped(edges, full, resolution) if resolution else Cells(edges, full)


def find_resolution_ms(edges: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the step in which durations were recorded, the largest that shows; 0 where none does."""
    low, high = np.exp(edges[:-1]), np.exp(edges[1:])
    for step in RESOLUTIONS_MS:
        multiples = np.maximum(np.ceil(high / step - ON_EDGE), 1) - np.maximum(np.ceil(low / step - ON_EDGE), 1)
        if _is_comb(multiples, counts, high <= TELLS_UNTIL * step) or _is_uneven(multiples, (low, high), counts, step):
            return step
    return 0.0


def _is_comb(multiples: NDArray[np.float64], counts: NDArray[np.float64], telling: NDArray[np.bool_]) -> bool:
    """Say whether every occupied cell holds a multiple, and some cell between them holds none."""
    occupied = telling & (counts > 0)
    if occupied.sum() < MIN_TELLING_CELLS or counts[occupied].sum() < MIN_TELLING_SHARE * counts.sum():
        return False
    after_first = slice(int(occupied.argmax()), None)
    return bool((multiples[occupied] > 0).all() and (telling & (multiples == 0))[after_first].any())


def _is_uneven(
    multiples: NDArray[np.float64],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    counts: NDArray[np.float64],
    step: float,
) -> bool:
    """Say whether counts go up and down with the number of multiples in a cell, which is now one more, now one less.

    Regresses the bends of log counts on those of log multiples by width: the slope is 1 where durations come in steps
    and 0 where they do not.
    """
    low, high = ends
    usable = (low >= TELLS_UNTIL * step) & (high <= UNEVEN_UNTIL * step) & (multiples > 0)
    usable &= counts >= MIN_COUNT_TO_TELL
    if usable.sum() < MIN_UNEVEN_CELLS:
        return False
    kept = np.flatnonzero(usable)
    middle = kept[1:-1][(np.diff(kept)[1:] == 1) & (np.diff(kept)[:-1] == 1)]
    if not len(middle):
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        crowding, logs = np.log(multiples / (high - low)), np.log(counts)
    bend = crowding[middle - 1] - 2 * crowding[middle] + crowding[middle + 1]
    seen = logs[middle - 1] - 2 * logs[middle] + logs[middle + 1]
    weight = 1 / (1 / counts[middle - 1] + 4 / counts[middle] + 1 / counts[middle + 1])
    information = float((weight * bend**2).sum())
    if not information or not seen.any():
        return False
    slope = float((weight * bend * seen).sum()) / information
    explained = slope**2 * information / float((weight * seen**2).sum())
    return abs(slope - 1) < SLOPE_WITHIN and slope * math.sqrt(information) > SURE_DEVIATIONS and explained > HALF


def _snapped(edges: NDArray[np.float64], counts: NDArray[np.float64], step: float) -> Cells:
    """Move every edge half a step below the first multiple after it, so that a cell is as wide as what it can hold."""
    moved = np.log((np.ceil(np.exp(edges) / step - ON_EDGE) - 0.5) * step)
    kept = np.diff(moved) > 0
    first = int(kept.argmax())
    return Cells(np.concatenate([moved[first : first + 1], moved[1:][kept]]), counts[kept], step)
