"""A class's next steps: a Markov chain of variable order, with a chance to end and guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from prodintel_lib.analyses.behaviour.contexts import (
    MIN_VISITS,
    STEP_BOUNDS,
    context_keys,
    list_moves,
    shift_logits,
)
from prodintel_lib.analyses.behaviour.guards import allowed_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.contexts import Moves
    from prodintel_lib.analyses.behaviour.guards import Guard
    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

START: Final = "<start>"
END: Final = "<end>"
NEVER: Final = -40.0
_ALWAYS: Final = 40.0
_SWEEPS: Final = 25
_CHOICE_ROUNDS: Final = 200
_CHOICE_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a session goes from where it is.

    Attributes
    ----------
    order : int
        Endpoints remembered at most.
    contexts : tuple of tuple of int
        What a state remembers, the latest endpoint first; the number of endpoints stands for START. The first is START.
    visits : array of int, shape (states,)
        How often the sessions were in a state.
    arc_from, arc_to, arc_state : array of int, shape (arcs,)
        Between states, by the state they leave: the endpoint asked for next, and the state that leads to.
    arc_weight : array of float, shape (arcs,)
        Among the arcs of a state that the guards allow, one is taken in proportion to its weight. They sum to 1.
    end_logit : array of float, shape (states,)
        Log odds that the session ends, before any step is chosen.
    end_shift : array of float, shape (parts,)
        What is added to them by the steps made so far: by the parts of `contexts.STEP_BOUNDS`.
    """

    order: int
    contexts: tuple[tuple[int, ...], ...]
    visits: Ints
    arc_from: Ints
    arc_to: Ints
    arc_state: Ints
    arc_weight: Floats
    end_logit: Floats
    end_shift: Floats

    def to_dict(self, endpoints: Sequence[str]) -> dict[str, Any]:
        """Return the chain as plain values, endpoints by name."""
        names = [*endpoints, START]
        return {
            "order": self.order,
            "step_bounds": list(STEP_BOUNDS),
            "end_shift": self.end_shift.tolist(),
            "states": [
                {"after": [names[code] for code in context], "visits": int(visits), "end_logit": float(logit)}
                for context, visits, logit in zip(self.contexts, self.visits, self.end_logit, strict=True)
            ],
            "arcs": [
                {"from": int(here), "endpoint": names[to], "state": int(there), "weight": float(weight)}
                for here, to, there, weight in zip(
                    self.arc_from, self.arc_to, self.arc_state, self.arc_weight, strict=True
                )
            ],
        }


def fit_chain(log: SessionLog, *, order: int, counts_steps: bool, guards: Sequence[Guard] = ()) -> Chain:
    """Fit a chain to the sessions of a class.

    Parameters
    ----------
    log : SessionLog
    order : int
        Endpoints to remember at most; a longer context is kept apart where it was visited `contexts.MIN_VISITS` times.
    counts_steps : bool
        Whether the chance to end also depends on the steps made.
    guards : sequence of Guard

    Notes
    -----
    Variable-length Markov chains (Bühlmann and Wyner 1999, doi:10.1214/aos/1018031204), with contexts cut by their
    number of visits; the order is chosen by held-out sessions (contexts.choose_memory). What was never seen is never
    made: shares are not smoothed. Where a guard forbids an arc, the others share what is left, so an arc's weight is
    estimated from the visits in which it was allowed (`_weigh`), not from all.
    """
    moves = list_moves(log, depth=order)
    contexts, state = _states(moves, order)
    going = moves.target != moves.states
    cells, counts = np.unique(state[going] * (moves.states + 1) + moves.target[going], return_counts=True)
    arc_from, arc_to = cells // (moves.states + 1), cells % (moves.states + 1)
    place = {context: number for number, context in enumerate(contexts)}
    arcs = zip(arc_from.tolist(), arc_to.tolist(), strict=True)
    arc_state = np.array([_next_state(place, contexts[here], to, order) for here, to in arcs], dtype=np.int64)
    weight = counts / np.bincount(arc_from, counts, len(contexts))[arc_from]
    if guards:
        weight = _guarded_weights(log, guards, state[going], (arc_from, arc_to, counts.astype(np.float64)), weight)
    end_logit, end_shift = _fit_end(moves, state, len(contexts), counts_steps=counts_steps)
    visits = np.bincount(state, minlength=len(contexts))
    return Chain(order, contexts, visits, arc_from, arc_to, arc_state, weight, end_logit, end_shift)


def _states(moves: Moves, order: int) -> tuple[tuple[tuple[int, ...], ...], Ints]:
    """Return the contexts that are kept, START first, and the state of each move."""
    keys = context_keys(moves, order)
    contexts: list[tuple[int, ...]] = []
    state = np.zeros(len(moves.target), dtype=np.int64)
    whole = np.ones(len(moves.target), dtype=np.bool_)
    for length in range(1, order + 1):
        past = moves.past[:, length - 1]
        whole &= past <= moves.states
        first, inverse, counts = np.unique(keys[length], return_index=True, return_inverse=True, return_counts=True)[1:]
        kept = whole[first] & ((counts >= MIN_VISITS) | (length == 1))
        # START is the largest code of the first context and is put first.
        ranked = np.flatnonzero(kept)
        ranked = ranked[np.argsort(moves.done[first[ranked]] != 0, kind="stable")] if length == 1 else ranked
        number = np.full(len(first), -1)
        number[ranked] = len(contexts) + np.arange(len(ranked))
        contexts += [tuple(moves.past[row, :length].tolist()) for row in first[ranked]]
        state = np.where(number[inverse] >= 0, number[inverse], state)
    return tuple(contexts), state


def _next_state(place: dict[tuple[int, ...], int], context: tuple[int, ...], to: int, order: int) -> int:
    longest = (to, *context)[:order]
    while longest not in place:
        longest = longest[:-1]
    return place[longest]


def _guarded_weights(
    log: SessionLog, guards: Sequence[Guard], state: Ints, arcs: tuple[Ints, Ints, Floats], plain: Floats
) -> Floats:
    """Weigh the arcs of each state that a guarded endpoint can be reached from."""
    guarded, allowed = allowed_targets(log, guards)
    arc_from, arc_to, counts = arcs
    weights = plain.copy()
    is_guarded = np.isin(arc_to, guarded)
    touched = np.unique(arc_from[is_guarded])
    rows_of = np.argsort(state, kind="stable")
    bounds = np.searchsorted(state[rows_of], np.stack([touched, touched + 1]))
    for here, low, high in zip(touched.tolist(), *bounds.tolist(), strict=True):
        patterns, visits = np.unique(allowed[rows_of[low:high]], axis=0, return_counts=True)
        arc = np.flatnonzero(arc_from == here)
        may = np.ones((len(patterns), len(arc)), dtype=np.bool_)
        of_guarded = np.flatnonzero(is_guarded[arc])
        may[:, of_guarded] = patterns[:, np.searchsorted(guarded, arc_to[arc[of_guarded]])]
        weights[arc] = _weigh(counts[arc], visits.astype(np.float64), may)
    return weights


def _weigh(counts: Floats, visits: Floats, may: NDArray[np.bool_]) -> Floats:
    """Return the weights by which the arcs were chosen among those allowed.

    Notes
    -----
    Luce's choice axiom with choice sets that vary, by the minorisation of Hunter (2004), doi:10.1214/aos/1079120141.
    """
    weights = counts / counts.sum()
    for _ in range(_CHOICE_ROUNDS):
        sums = may @ weights
        used = np.where(sums > 0, visits / np.maximum(sums, 1e-300), 0.0)
        fresh = counts / np.maximum(may.T @ used, 1e-300)
        fresh /= fresh.sum()
        if float(np.abs(fresh - weights).max()) < _CHOICE_TOLERANCE:
            return np.asarray(fresh)
        weights = fresh
    return np.asarray(weights)


def _fit_end(moves: Moves, state: Ints, states: int, *, counts_steps: bool) -> tuple[Floats, Floats]:
    """Return the log odds to end by state, and their shift by how far the session has come.

    Notes
    -----
    Each state's and each part's number of ends is matched in turn, as in iterative proportional fitting.
    """
    parts = len(STEP_BOUNDS) + 1
    started = moves.done > 0
    cell = (state * parts + moves.part)[started]
    is_end = (moves.target == moves.states)[started]
    visits = np.bincount(cell, minlength=states * parts).reshape(states, parts).astype(np.float64)
    ends = np.bincount(cell, is_end, minlength=states * parts).reshape(states, parts)
    seen, ended = visits.sum(axis=1), ends.sum(axis=1)
    share = np.divide(ended, seen, out=np.zeros(states), where=seen > 0)
    open_ended = (share > 0) & (share < 1)
    logit = np.where(share >= 1, _ALWAYS, NEVER)
    logit[open_ended] = np.log(share[open_ended] / (1 - share[open_ended]))
    shift = np.zeros(parts)
    if counts_steps:
        used = np.flatnonzero(open_ended)
        for _ in range(_SWEEPS):
            for part in range(parts):
                shift[part] = shift_logits(logit[used], visits[used, part], float(ends[used, part].sum()))
            logit[used] = _match_states(logit[used], shift, visits[used], ended[used])
    return logit, shift


def _match_states(logit: Floats, shift: Floats, visits: Floats, ended: Floats) -> Floats:
    """Move each state's log odds one Newton step towards its number of ends."""
    chance = 1 / (1 + np.exp(-(logit[:, None] + shift)))
    slope = ended - (visits * chance).sum(axis=1)
    bend = (visits * chance * (1 - chance)).sum(axis=1) + 1e-9
    return np.asarray(logit + np.clip(slope / bend, -1.0, 1.0))
