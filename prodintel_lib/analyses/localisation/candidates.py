"""Every combination of up to so many attribute values, counted; those that could explain something are kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.localisation.cells import UNNAMED, sum_by
from prodintel_lib.analyses.localisation.scoring import evidence_of, fold_of, strength_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prodintel_lib.analyses.localisation.cells import Cells

MIN_BAD: Final = 3
ONE_TIME_SHARE: Final = 0.2
DENSE: Final = 8
"""A table of counts may have so many places a cell before sorting the keys is cheaper than leaving most of it empty."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a combination must reach to be told of.

    Attributes
    ----------
    max_attributes, max_causes : int
    min_coverage : float
        Share of the whole excess that it explains itself.
    min_contrast : float
        How many times worse it became than the rest did.
    max_p : float
    dispersion : float
        Variance of the counts over that of independent events.
    """

    max_attributes: int
    max_causes: int
    min_coverage: float
    min_contrast: float
    max_p: float
    dispersion: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of combinations and how they stand against what was expected; arrays of shape (combinations,)."""

    bad: NDArray[np.float64]
    total: NDArray[np.float64]
    expected: NDArray[np.float64]
    reference: NDArray[np.float64]
    strength: NDArray[np.float64]
    fold: NDArray[np.float64]
    excess: NDArray[np.float64]
    stands_out: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Whole:
    """Counts of all cells together that are not explained yet."""

    bad: float
    total: float
    expected: float | None
    reference: float | None
    sign: int

    @classmethod
    def of(cls, cells: Cells) -> Whole:
        """Add up all cells."""
        return cls(
            float(cells.bad.sum()),
            float(cells.total.sum()),
            None if cells.expected is None else float(cells.expected.sum()),
            None if cells.reference is None else float(cells.reference.sum()),
            cells.sign,
        )

    @property
    def excess(self) -> float:
        """The bad events beyond what the baseline's rates make; without a baseline all of them."""
        if self.expected is None:
            return self.bad if self.sign > 0 else self.total - self.bad
        return max(self.sign * (self.bad - self.expected), 0.0)

    @property
    def surely_excess(self) -> float:
        """The excess of which a candidate must explain its share: without a baseline the usual ones are not known."""
        return self.excess * (ONE_TIME_SHARE if self.expected is None else 1.0)


def count_tested(cells: Cells, max_attributes: int) -> int:
    """Return an upper bound of how many combinations of values occur."""
    sizes = [len(values) for values in cells.values]
    return sum(
        min(int(np.prod([sizes[d] for d in some], dtype=np.float64)), len(cells.total))
        for some in _choices(len(sizes), max_attributes)
    )


def tally(
    counts: tuple[NDArray[np.float64], ...], whole: Whole, *, limits: Limits, min_evidence: float, denominator: float
) -> Tally:
    """Compare combinations with what was expected of them: by the baseline, else by everything outside of them.

    Parameters
    ----------
    counts : arrays of shape (combinations,)
        Bad and total, with a baseline also expected and reference.
    whole : Whole
        The cells among which they stand.
    min_evidence : float
        The log likelihood ratio to reach.
    denominator : float
        The excess of which they must explain a share.
    """
    bad, total = counts[0], counts[1]
    sign = whole.sign
    outside_bad, outside = whole.bad - bad, whole.total - total
    with np.errstate(divide="ignore", invalid="ignore"):
        if whole.expected is None:
            reference = outside
            expected = np.where(outside > 0, total * outside_bad / outside, bad)
        else:
            expected, reference = counts[2], counts[3]
    fold = fold_of(bad, expected, sign)
    excess = sign * (bad - expected)
    stands_out = (
        (np.maximum(bad, expected) >= MIN_BAD)
        & (excess >= limits.min_coverage * denominator)
        & (fold >= limits.min_contrast)
        & (outside > 0)
        & (evidence_of(bad, total, expected, reference, sign) >= min_evidence)
    )
    return Tally(bad, total, expected, reference, strength_of(bad, expected, sign), fold, excess, stands_out)


def find_candidates(
    cells: Cells, *, limits: Limits, min_evidence: float, most: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Count every combination and return the strongest of those that stand out.

    Returns
    -------
    codes : array of int32, shape (candidates, D)
        `UNNAMED` where a dimension is left open; strongest first, fewer attributes first among equals.
    strength : array of float, shape (candidates,)
    """
    whole = Whole.of(cells)
    kept = _drop_small_values(cells, limits.min_coverage * whole.surely_excess)
    found_codes, found_strength = [], []
    for dimensions in _choices(len(cells.dimensions), limits.max_attributes):
        codes, counts = _count(cells, kept, dimensions)
        seen = tally(counts, whole, limits=limits, min_evidence=min_evidence, denominator=whole.surely_excess)
        rows = np.flatnonzero(seen.stands_out)
        some = np.full((len(rows), len(cells.dimensions)), UNNAMED, dtype=np.int32)
        some[:, dimensions] = codes[rows]
        found_codes.append(some)
        found_strength.append(seen.strength[rows])
    every, strength = np.concatenate(found_codes), np.concatenate(found_strength)
    order = np.argsort(-strength, kind="stable")[:most]
    return every[order], strength[order]


def _choices(dimensions: int, most: int) -> Iterator[list[int]]:
    for size in range(1, min(most, dimensions) + 1):
        yield from (list(some) for some in combinations(range(dimensions), size))


def _drop_small_values(cells: Cells, floor: float) -> list[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Give each dimension new codes in which 0 stands for nulls and for values too small to be part of a cause.

    Whatever lies in a value lies in it whole: where its bad events (where less is worse, those expected of it) do not
    reach the excess asked for, no combination with it does. Returns the old code of each new one, and the cells' codes.
    """
    floor = max(floor, MIN_BAD)
    kept = []
    for row, values in zip(cells.codes, cells.values, strict=True):
        ceiling = _ceiling(cells, row, len(values))
        named = np.flatnonzero(ceiling >= floor)
        renumbered = np.zeros(len(values) + 1, dtype=np.int64)
        renumbered[named] = np.arange(1, len(named) + 1)
        kept.append((np.concatenate([[UNNAMED], named]).astype(np.int32), renumbered[row]))
    return kept


def _ceiling(cells: Cells, row: NDArray[np.int32], size: int) -> NDArray[np.float64]:
    """Return the largest excess that each value could hold."""
    most = cells.bad if cells.sign > 0 else cells.total if cells.expected is None else cells.expected
    return sum_by(row + 1, most, size + 1)[1:]


def _count(
    cells: Cells, kept: list[tuple[NDArray[np.int32], NDArray[np.int64]]], dimensions: list[int]
) -> tuple[NDArray[np.int32], tuple[NDArray[np.float64], ...]]:
    """Add up the cells of each combination of values of `dimensions`; those with a dropped value are left out."""
    sizes = [len(kept[d][0]) for d in dimensions]
    key = np.zeros(len(cells.total), dtype=np.int64)
    for d, size in zip(dimensions, sizes, strict=True):
        key = key * size + kept[d][1]
    places = int(np.prod(sizes, dtype=np.float64))
    if places > DENSE * len(key):
        keys, key = np.unique(key, return_inverse=True)
    else:
        keys = np.arange(places)
    sums = [sum_by(key, array, len(keys)) for array in cells.counts]
    parts = np.stack(np.unravel_index(keys, sizes), axis=1)
    rows = np.flatnonzero((parts > 0).all(axis=1) & (sums[1] > 0))
    codes = np.stack([kept[d][0][parts[rows, i]] for i, d in enumerate(dimensions)], axis=1)
    return codes, tuple(array[rows] for array in sums)
