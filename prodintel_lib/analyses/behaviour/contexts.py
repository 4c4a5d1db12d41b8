"""What came before each step: the contexts that a chain may remember, and which of them help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ORDERS: Final = (1, 2, 3, 5, 8)
MIN_VISITS: Final = 4
"""A context of more than one endpoint is kept apart where it was visited so often."""

STEP_BOUNDS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 64)
"""How far a session has come: the last step of each part but the last."""

_MAX_JUDGED_STEPS: Final = 200_000
_ERRORS: Final = 1.0
_FLOOR: Final = 1e-9
_RIDGE: Final = 0.5
_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Moves:
    """Every step with what came before it, and the end of every session.

    Attributes
    ----------
    states : int
        Number of endpoints; as a target it stands for END, in the past for START, and one more for before START.
    past : array of int, shape (moves, orders)
        The endpoint one step back, two steps back ...
    target : array of int, shape (moves,)
    done : array of int, shape (moves,)
        Steps of the session so far.
    session : array of int, shape (moves,)
    """

    states: int
    past: Ints
    target: Ints
    done: Ints
    session: Ints

    @property
    def part(self) -> Ints:
        """Return which part of a session each move is in, by `STEP_BOUNDS`."""
        return np.searchsorted(np.asarray(STEP_BOUNDS), self.done, side="left").astype(np.int64)


def list_moves(log: SessionLog, *, depth: int = max(ORDERS)) -> Moves:
    """List the moves of every session, its end included."""
    states = len(log.endpoints)
    lengths = log.lengths
    ends = np.cumsum(lengths + 1) - 1
    target = np.full(len(log.codes) + log.size, states)
    inner = np.ones(len(target), dtype=np.bool_)
    inner[ends] = False
    target[inner] = log.codes
    begins = ends - lengths
    done = np.arange(len(target)) - np.repeat(begins, lengths + 1)
    past = np.empty((len(target), depth), dtype=np.int64)
    for back in range(1, depth + 1):
        shifted = np.concatenate([np.full(back, states), target[:-back]])[: len(target)]
        past[:, back - 1] = np.where(done >= back, shifted, np.where(done == back - 1, states, states + 1))
    return Moves(states, past, target, done, np.repeat(np.arange(log.size), lengths + 1))


def context_keys(moves: Moves, order: int) -> list[Ints]:
    """Return a number for the context of each move, for each length of context from 0 to `order`."""
    keys = [np.zeros(len(moves.target), dtype=np.int64)]
    for back in range(order):
        longer = keys[-1] * (moves.states + 2) + moves.past[:, back]
        keys.append(np.unique(longer, return_inverse=True)[1].astype(np.int64))
    return keys


@dataclass(frozen=True, slots=True)
class MemoryTrial:
    """How well one kind of memory predicts sessions it has not seen.

    Attributes
    ----------
    order : int
        Endpoints that are remembered.
    counts_steps : bool
        Whether the chance to end depends on how many steps were made.
    held_out : float
        Mean log-likelihood of a session.
    """

    order: int
    counts_steps: bool
    held_out: float


def choose_memory(
    parts: Sequence[SessionLog], *, rng: np.random.Generator
) -> tuple[int, bool, tuple[MemoryTrial, ...]]:
    """Choose how much of a session's past its next step depends on, within its class.

    Parameters
    ----------
    parts : sequence of SessionLog
        The sessions of each class: a mixture of chains without memory would look like one chain with it.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of (order, counts_steps, trials)
        The simplest kind of memory within one standard error of the best.

    Notes
    -----
    Each half of a class's sessions is predicted by the other. Contexts back off to shorter ones, the further the more
    different things followed them (Witten and Bell 1991, doi:10.1109/18.87000, method C, interpolated). One standard
    error is the rule of Breiman et al. (1984), Classification and Regression Trees, chapter 3: a memory too short
    loses whole paths, one too long only rests on fewer visits. WESSBAS keeps to first order and puts the rest into
    guards; here guards come on top.
    """
    steps = sum(len(part.codes) for part in parts)
    if steps > _MAX_JUDGED_STEPS:
        share = _MAX_JUDGED_STEPS / steps
        parts = [part.take(np.flatnonzero(rng.random(part.size) < share)) for part in parts]
    listed = [list_moves(part) for part in parts if part.size > 1]
    halves = [_half(moves, rng) for moves in listed]
    kinds = [(order, counts) for order in ORDERS for counts in (False, True)]
    if not listed:
        return 1, False, ()
    scores = [
        np.concatenate(
            [_held_out(moves, half, order, counts_steps=counts) for moves, half in zip(listed, halves, strict=True)]
        )
        for order, counts in kinds
    ]
    trials = tuple(
        MemoryTrial(order, counts, float(score.mean())) for (order, counts), score in zip(kinds, scores, strict=True)
    )
    best = max(scores, key=lambda score: float(score.mean()))
    for (order, counts), score in zip(kinds, scores, strict=True):
        lost = best - score
        if float(lost.mean()) <= _ERRORS * float(lost.std(ddof=1) / np.sqrt(len(lost))):
            return order, counts, trials
    return 1, False, trials


def _half(moves: Moves, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return whether each move is of the first of two random halves of the sessions."""
    sessions = int(moves.session[-1]) + 1
    return np.asarray((rng.permutation(sessions) % 2 == 0)[moves.session], dtype=np.bool_)


def _held_out(moves: Moves, half: NDArray[np.bool_], order: int, *, counts_steps: bool) -> Floats:
    """Return the log-likelihood of each session by the other half of them."""
    keys = context_keys(moves, order)
    is_end = moves.target == moves.states
    at_start = moves.done == 0
    found = np.zeros(len(moves.target))
    for train in (half, ~half):
        going = train & ~is_end
        next_one = _backed_off(keys, moves.target, going, 1 / moves.states)
        ending = np.clip(_backed_off(keys, is_end.astype(np.int64), train & ~at_start, 0.5, of=1), _FLOOR, 1 - _FLOOR)
        if counts_steps:
            ending = _by_part(ending, moves, is_end, train & ~at_start)
        score = np.where(is_end, np.log(ending), np.log1p(-ending) + np.log(next_one))
        score = np.where(at_start, np.log(next_one), score)
        found[~train] = score[~train]
    return np.asarray(np.bincount(moves.session, found), dtype=np.float64)


def _backed_off(
    keys: list[Ints], target: Ints, train: NDArray[np.bool_], base: float, *, of: int | None = None
) -> Floats:
    """Return the probability of each move's target (or of target `of`), from short contexts to long ones."""
    asked = target if of is None else np.full(len(target), of)
    chance = np.full(len(target), base)
    width = int(target.max()) + 2
    shorter, is_open = np.full(len(target), -1), np.ones(len(target), dtype=np.bool_)
    for length, key in enumerate(keys):
        cells, at = np.unique(np.concatenate([key * width + target, key * width + asked]), return_inverse=True)
        own, wanted = at[: len(target)], at[len(target) :]
        hits = np.bincount(own[train], minlength=len(cells))[wanted]
        visits = np.bincount(key[train], minlength=int(key.max()) + 1)[key]
        kinds = np.bincount(cells[np.unique(own[train])] // width, minlength=int(key.max()) + 1)[key]
        # Where nothing was seen, all is left to the shorter context.
        unseen = np.maximum(kinds, 1)
        longer = (hits + unseen * chance) / (visits + unseen)
        # Of a context that was met in the very same visits as the shorter one, or after which only one thing ever
        # came, a longer one holds no more evidence: to count it again would only make what is known look surer.
        tells_more = is_open & (visits != shorter) & ((length < 2) | (visits >= MIN_VISITS))
        chance = np.where(tells_more, longer, chance)
        shorter, is_open = visits, kinds > 1
    return np.asarray(chance, dtype=np.float64)


def _by_part(ending: Floats, moves: Moves, is_end: NDArray[np.bool_], train: NDArray[np.bool_]) -> Floats:
    """Shift the chance to end by how far the session has come."""
    logit = np.log(ending) - np.log1p(-ending)
    shift = np.zeros(len(STEP_BOUNDS) + 1)
    part = moves.part
    for which in range(len(shift)):
        mine = train & (part == which)
        shift[which] = shift_logits(logit[mine], np.ones(int(mine.sum())), float(is_end[mine].sum()))
    return np.clip(_sigmoid(logit + shift[part]), _FLOOR, 1 - _FLOOR)


def shift_logits(logits: Floats, visits: Floats, hits: float) -> float:
    """Return what to add to all logits so that as many hits are expected as were counted.

    Notes
    -----
    Newton's method on the log-likelihood with a weak pull (`_RIDGE`) to no shift, so that a part without any end, or of
    nothing but ends, stays finite.
    """
    shift = 0.0
    for _ in range(_ROUNDS):
        chance = _sigmoid(logits + shift)
        slope = hits - float((visits * chance).sum()) - _RIDGE * shift
        bend = float((visits * chance * (1 - chance)).sum()) + _RIDGE
        shift += float(np.clip(slope / bend, -2.0, 2.0))
    return shift


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -40, 40))), dtype=np.float64)
