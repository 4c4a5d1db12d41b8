"""The set of combinations that together explain the most, found by a beam search over the candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.localisation.candidates import Limits, Tally, Whole, find_candidates, tally
from prodintel_lib.analyses.localisation.cells import UNNAMED, sum_by
from prodintel_lib.analyses.localisation.scoring import fold_of, log_likelihood, strength_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.localisation.cells import Cells

POOL: Final = 40
"""Candidates of one counting; there are as many countings as causes."""
BEAM: Final = 12
PER_ATTRIBUTE: Final = 0.98
"""A further attribute must make an explanation stronger by two per cent."""
PER_CAUSE: Final = 0.9
"""A further cause by a ninth: halves of one cause are always a little stronger than the cause, by chance alone."""
MIN_LOG_FOLD: Final = 0.3
"""The logarithm of a further cause's fold, as a share of the largest: what is left is often the first one's fringe."""
UNAFFECTED_P: Final = 0.01
NEARLY_ALL: Final = 0.97


@dataclass(frozen=True, slots=True)
class _State:
    """Some candidates, the regions they cover (1 or 0), and what each holds that those before it do not.

    `owned` has a row of counts for each of the chosen, `excesses` and `log_folds` what came of them.
    """

    chosen: tuple[int, ...]
    covered: NDArray[np.float64]
    owned: NDArray[np.float64]
    score: float = 0.0
    excesses: tuple[float, ...] = ()
    log_folds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Regions:
    """The cells merged where the same candidates cover them: the search asks for nothing finer.

    Attributes
    ----------
    masks : array of float, shape (candidates, regions)
        1 where the candidate covers the region.
    counts : array of float, shape (regions, 2 or 4)
        Bad, total, and with a baseline expected and reference.
    attributes : array of int, shape (candidates,)
    sign : int
    denominator : float
        The excess of which a candidate must explain its share.
    """

    masks: NDArray[np.float64]
    counts: NDArray[np.float64]
    attributes: NDArray[np.int64]
    sign: int
    denominator: float

    @classmethod
    def of(cls, cells: Cells, pool: NDArray[np.int32]) -> _Regions:
        masks = np.stack([cells.covered_by(codes) for codes in pool])
        packed = np.ascontiguousarray(np.packbits(masks, axis=0).T)
        keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        _, first, region = np.unique(keys, return_index=True, return_inverse=True)
        counts = np.stack([sum_by(region, array, len(first)) for array in cells.counts], axis=1)
        attributes = (pool != UNNAMED).sum(axis=1)
        return cls(masks[:, first].astype(np.float64), counts, attributes, cells.sign, Whole.of(cells).surely_excess)

    def tally_left(self, state: _State, *, limits: Limits, min_evidence: float) -> Tally:
        """Tally the candidates over what a state leaves uncovered."""
        left = self.counts * (1.0 - state.covered)[:, None]
        counts = tuple((self.masks @ left).T)
        return tally(counts, self._add_up(left), limits=limits, min_evidence=min_evidence, denominator=self.denominator)

    def add(self, state: _State, candidate: int) -> _State:
        """Return the state with one more candidate, every one measured anew against what lies outside of all."""
        mine = self.masks[candidate] * (1.0 - state.covered)
        owned = np.concatenate([state.owned, (mine @ self.counts)[None, :]])
        chosen, covered = (*state.chosen, candidate), np.maximum(state.covered, self.masks[candidate])
        if owned.shape[1] > 2:
            expected = owned[:, 2]
        else:
            outside = self._add_up(self.counts * (1.0 - covered)[:, None])
            expected = owned[:, 1] * (outside.bad / outside.total if outside.total else 1.0)
        strength = strength_of(owned[:, 0], expected, self.sign) * PER_ATTRIBUTE ** self.attributes[list(chosen)]
        folds = np.log(np.maximum(fold_of(owned[:, 0], expected, self.sign), 1.0))
        excesses = self.sign * (owned[:, 0] - expected)
        score = float(strength.sum()) * PER_CAUSE ** (len(chosen) - 1)
        return _State(chosen, covered, owned, score, tuple(excesses.tolist()), tuple(folds.tolist()))

    def are_distinct(self, state: _State, limits: Limits) -> bool:
        """Say whether each of the chosen has its share, and became worse than what lies outside of all of them."""
        outside = self._add_up(self.counts * (1.0 - state.covered)[:, None])
        if not outside.total or min(state.excesses) < limits.min_coverage * sum(state.excesses):
            return False
        for i in state.chosen:
            inside = self._add_up(self.counts * self.masks[i][:, None])
            if inside.expected is None or outside.expected is None:
                usual, around = inside.total * outside.bad / outside.total, 1.0
            else:
                usual = inside.expected
                around = float(fold_of(np.float64(outside.bad), np.float64(outside.expected), self.sign))
            fold = float(fold_of(np.float64(inside.bad), np.float64(usual), self.sign))
            if fold < limits.min_contrast * max(around, 1.0):
                return False
        return True

    def _add_up(self, counts: NDArray[np.float64]) -> Whole:
        sums = [float(value) for value in counts.sum(axis=0)]
        expected, reference = (sums[2], sums[3]) if len(sums) > 2 else (None, None)
        return Whole(sums[0], sums[1], expected, reference, self.sign)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Combinations as arrays of codes, `UNNAMED` where they say nothing of a dimension.

    Attributes
    ----------
    causes : list of array of int32, shape (D,)
        The one with the most excess first.
    pool : array of int32, shape (candidates, D)
        What they were chosen from.
    """

    causes: list[NDArray[np.int32]]
    pool: NDArray[np.int32]


def find_explanation(cells: Cells, *, limits: Limits, min_evidence: float) -> Explanation:
    """Return the combinations that explain what went wrong, none where nothing stands out.

    Notes
    -----
    A combination is measured over the cells that those before it do not cover, against the rest of the uncovered. One
    after the other would go wrong where two causes share an attribute (their parent looks like one large cause) or
    where they lie across each other (a large innocent group holds both), so `BEAM` sets are followed at once and
    whole sets are compared.
    """
    pool = _gather_pool(cells, limits=limits, min_evidence=min_evidence)
    if not len(pool):
        return Explanation([], pool)
    regions = _Regions.of(cells, pool)
    nothing = _State((), np.zeros(regions.masks.shape[1]), np.empty((0, regions.counts.shape[1])))
    beam, best = [nothing], nothing
    for _ in range(limits.max_causes):
        beam = _grow(beam, regions, limits=limits, min_evidence=min_evidence)
        distinct = [state for state in beam if regions.are_distinct(state, limits)]
        # Sums are rounded so that the order of adding up does not choose among equals.
        best = max([best, *distinct], key=lambda state: round(state.score, 9))
    found = [pool[i] for i in best.chosen]
    narrowed = [_narrow(cells, found, i, limits=limits) for i in range(len(found))]
    return Explanation(_keep_large(cells, narrowed, limits.min_coverage), pool)


def _gather_pool(cells: Cells, *, limits: Limits, min_evidence: float) -> NDArray[np.int32]:
    """Return the candidates among all cells, and among those that the strongest of them leave.

    Beside a large cause a smaller one may not stand out at first: the rest that it is compared with is bad as well.
    """
    left, pool = cells, np.empty((0, len(cells.dimensions)), dtype=np.int32)
    for _ in range(limits.max_causes):
        some, _ = find_candidates(left, limits=limits, min_evidence=min_evidence, most=POOL)
        if not len(some):
            break
        pool = np.concatenate([pool, some])
        left = left.only(~left.covered_by(some[0]))
    _, first = np.unique(pool, axis=0, return_index=True)
    return pool[np.sort(first)]


def _grow(beam: list[_State], regions: _Regions, *, limits: Limits, min_evidence: float) -> list[_State]:
    """Add one candidate to each state in every way that stands out; the strongest sets, each once."""
    grown: dict[frozenset[int], _State] = {}
    for state in beam:
        seen = regions.tally_left(state, limits=limits, min_evidence=min_evidence)
        worth = seen.strength * PER_ATTRIBUTE**regions.attributes
        rows = np.flatnonzero(seen.stands_out)
        for i in rows[np.argsort(-worth[rows], kind="stable")][: 2 * BEAM].tolist():
            key = frozenset((*state.chosen, i))
            if len(key) == len(state.chosen):
                continue
            new = regions.add(state, i)
            is_fringe = min(new.log_folds) < MIN_LOG_FOLD * max(new.log_folds)
            if not is_fringe and (key not in grown or new.score > grown[key].score):
                grown[key] = new
    return sorted(grown.values(), key=lambda state: (-round(state.score, 9), state.chosen))[:BEAM]


def _narrow(cells: Cells, found: list[NDArray[np.int32]], place: int, *, limits: Limits) -> NDArray[np.int32]:
    """Add the attribute without which a combination takes in events that are clearly not affected.

    A small healthy fringe hardly changes the strength, so the strength cannot decide this; a test of the fringe can.
    """
    codes = found[place]
    unsaid = [d for d in np.flatnonzero(codes == UNNAMED).tolist() if cells.values[d]]
    if len(codes) - len(unsaid) >= limits.max_attributes:
        return codes
    others = np.zeros(len(cells.total), dtype=bool)
    for other in (codes for i, codes in enumerate(found) if i != place):
        others |= cells.covered_by(other)
    mask = cells.covered_by(codes)
    inside, outside = cells.only(mask & ~others), cells.only(~mask & ~others)
    best, best_evidence = codes, limits.dispersion * math.log(max(len(unsaid), 1) / UNAFFECTED_P)
    for dimension in unsaid:
        value, evidence = _main_value(inside, outside, dimension)
        if value != UNNAMED and evidence > best_evidence:
            best, best_evidence = codes.copy(), evidence
            best[dimension] = value
    if best is codes:
        return codes
    return _narrow(cells, [*found[:place], best, *found[place + 1 :]], place, limits=limits)


def _keep_large(cells: Cells, causes: list[NDArray[np.int32]], min_coverage: float) -> list[NDArray[np.int32]]:
    """Return the causes by their excess, without those whose own part of it became too small by narrowing."""
    masks = [cells.covered_by(codes) for codes in causes]
    free = np.ones(len(cells.total), dtype=bool)
    outside = Whole.of(cells.only(~np.logical_or.reduce([~free, *masks])))
    expected = cells.expected
    if expected is None:
        expected = cells.total * (outside.bad / outside.total if outside.total else 0.0)
    excess = cells.sign * (cells.bad - expected)
    order = sorted(range(len(causes)), key=lambda i: -float(excess[masks[i]].sum()))
    own = []
    for i in order:
        own.append(float(excess[masks[i] & free].sum()))
        free &= ~masks[i]
    return [causes[i] for i, part in zip(order, own, strict=True) if part >= min_coverage * sum(own)]


def _main_value(inside: Cells, outside: Cells, dimension: int) -> tuple[int, float]:
    """Return the value that holds nearly the whole excess, and the evidence that the rest differs from it.

    `UNNAMED` where there is none, or where the rest is affected as well, if less.
    """
    row, size = inside.codes[dimension], len(inside.values[dimension])
    expected = inside.expected
    if expected is None:
        expected = inside.total * (outside.bad.sum() / max(outside.total.sum(), 1.0))
    bad, total, usual = (sum_by(row + 1, array, size + 1)[1:] for array in (inside.bad, inside.total, expected))
    excess = inside.sign * (bad - usual)
    value = int(np.argmax(excess))
    pair_bad = np.array([bad[value], inside.bad.sum() - bad[value]])
    pair = np.array([total[value], inside.total.sum() - total[value]])
    pair_usual = np.array([usual[value], expected.sum() - usual[value]])
    fold = fold_of(pair_bad, pair_usual, inside.sign)
    if excess[value] < NEARLY_ALL * excess.sum() or fold[1] ** 2 > max(fold[0], 1.0):
        return UNNAMED, 0.0
    together = log_likelihood(pair_bad.sum(keepdims=True), pair.sum(keepdims=True))
    return value, float(log_likelihood(pair_bad, pair).sum() - together[0])
