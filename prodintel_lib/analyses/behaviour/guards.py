"""What must have happened before a step can be made: guards, found where no session breaks them and a chain would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Bools = NDArray[np.bool_]
    Counts = NDArray[np.int32]
    Ints = NDArray[np.int64]

MIN_GUARDED_SESSIONS: Final = 30
MAX_GUARD_ENDPOINTS: Final = 64
MAX_GUARD_STEPS: Final = 300_000
MAX_CHANCE: Final = 0.01
"""That no session breaks the guard although nothing forbids it, times the number of guards that were looked at."""

NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Guard:
    """One endpoint is never asked for before another; or not more often than the other allows.

    Attributes
    ----------
    endpoint : int
        What is guarded.
    needs : int
        What must have come before.
    used_by : int
        What uses up what `needs` gave: before each step to `endpoint`, there were more steps to `needs` than to this
        one. `NONE` where one step to `needs` is enough for good.
    sessions : int
        Sessions with the guarded endpoint, none of which broke it.
    broken_share : float
        Of such sessions made by the chain without the guard: how many would break it.
    """

    endpoint: int
    needs: int
    used_by: int
    sessions: int
    broken_share: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """How often each rule was put to the test, and how often it was broken."""

    sessions: int
    broken: int


def find_candidates(log: SessionLog) -> list[Guard]:
    """Return every guard that no session breaks, whether or not it says more than the chain does.

    Notes
    -----
    WESSBAS (Vögele et al. 2018, doi:10.1007/s10270-016-0566-5) mines guards and actions from invariants of the counts
    of services; the two forms here are those of its invariants that can forbid a step.
    """
    asked = np.bincount(log.codes, minlength=len(log.endpoints))
    known = np.sort(np.argsort(-asked, kind="stable")[:MAX_GUARD_ENDPOINTS])
    before = counts_before(log, known)
    found: list[Guard] = []
    for endpoint in known.tolist():
        rows = np.flatnonzero(log.codes == endpoint)
        sessions = len(np.unique(log.session_of[rows]))
        if sessions < MIN_GUARDED_SESSIONS:
            continue
        counts = before[rows]
        for place in np.flatnonzero((counts > 0).all(axis=0)).tolist():
            found.append(Guard(endpoint, int(known[place]), NONE, sessions, 0.0))
            left = counts[:, [place]] > counts
            used = left.all(axis=0) & (counts > 0).any(axis=0)
            found += [
                Guard(endpoint, int(known[place]), int(known[user]), sessions, 0.0) for user in np.flatnonzero(used)
            ]
    return found


def counts_before(log: SessionLog, endpoints: Sequence[int] | Ints) -> Counts:
    """Return how often each endpoint came before each step of its session, shape (steps, endpoints)."""
    counts = np.zeros((len(log.codes), len(endpoints)), dtype=np.int32)
    begins = log.offsets[:-1]
    for place, endpoint in enumerate(endpoints):
        before = np.concatenate([[0], np.cumsum(log.codes == endpoint)])[:-1]
        counts[:, place] = before - np.repeat(before[begins], log.lengths)
    return counts


def keep_those_that_matter(candidates: Sequence[Guard], made: SessionLog) -> tuple[Guard, ...]:
    """Keep the guards that a chain without them breaks too often for their being kept to be chance.

    Parameters
    ----------
    candidates : sequence of Guard
    made : SessionLog
        Sessions that the model makes without guards.

    Notes
    -----
    Where the chain breaks a guard in a share v of its sessions, n sessions keep it by chance with probability
    ``(1 - v)^n``; times the number of candidates (Bonferroni) that must be below `MAX_CHANCE`. A guard that follows
    from two others, or from a stricter one of the same endpoint, is left out.
    """
    tested = [(guard, _try(guard, made)) for guard in candidates]
    kept = []
    for guard, seen in tested:
        if not seen.sessions or not seen.broken:
            continue
        # The rule of three's side: no more is believed of the chain than its own sessions show.
        share = seen.broken / seen.sessions
        chance = len(candidates) * (1 - share) ** guard.sessions
        if chance < MAX_CHANCE:
            kept.append(Guard(guard.endpoint, guard.needs, guard.used_by, guard.sessions, share))
    return _without_implied(kept, candidates)


def _try(guard: Guard, made: SessionLog) -> _Seen:
    """Count the made sessions that meet and break a guard; of one that counts, only those that keep the plain one."""
    watched = [guard.needs] if guard.used_by == NONE else [guard.needs, guard.used_by]
    rows = np.flatnonzero(made.codes == guard.endpoint)
    before = counts_before(made, watched)[rows]
    broken = before[:, 0] < 1 if guard.used_by == NONE else before[:, 0] <= before[:, 1]
    of_session = made.session_of[rows]
    everyone, breaks = np.unique(of_session), np.unique(of_session[broken])
    if guard.used_by != NONE:
        plain = np.unique(of_session[before[:, 0] < 1])
        everyone, breaks = np.setdiff1d(everyone, plain), np.setdiff1d(breaks, plain)
    return _Seen(len(everyone), len(breaks))


def _without_implied(guards: Sequence[Guard], candidates: Sequence[Guard]) -> tuple[Guard, ...]:
    """Leave out what follows from another guard and a rule no session breaks; of several uses keep the one broken most.

    Endpoints that need each other's guard alike (a page's parts) do not stand in for each other both ways.
    """
    never = {(rule.endpoint, rule.needs) for rule in candidates if rule.used_by == NONE}
    strictest: dict[tuple[int, int], Guard] = {}
    for guard in guards:
        pair = (guard.endpoint, guard.needs)
        counted = strictest.get(pair)
        if guard.used_by != NONE and (counted is None or guard.broken_share > counted.broken_share):
            strictest[pair] = guard
    plain = [guard for guard in guards if guard.used_by == NONE and (guard.endpoint, guard.needs) not in strictest]
    middles = {(guard.endpoint, guard.needs) for guard in plain} | set(strictest)
    kept = [
        guard
        for guard in plain
        if not any(
            endpoint == guard.endpoint and (middle, guard.needs) in never and (guard.needs, middle) not in never
            for endpoint, middle in middles
        )
    ]
    return tuple(sorted([*strictest.values(), *kept], key=lambda guard: (guard.endpoint, guard.needs)))


def allowed_targets(log: SessionLog, guards: Sequence[Guard]) -> tuple[Ints, Bools]:
    """Return the guarded endpoints, and whether each was allowed before each step, shape (steps, guarded)."""
    guarded = np.unique([guard.endpoint for guard in guards]).astype(np.int64)
    allowed = np.ones((len(log.codes), len(guarded)), dtype=np.bool_)
    for guard in guards:
        watched = [guard.needs] if guard.used_by == NONE else [guard.needs, guard.used_by]
        before = counts_before(log, watched)
        place = int(np.searchsorted(guarded, guard.endpoint))
        allowed[:, place] &= before[:, 0] > (0 if guard.used_by == NONE else before[:, 1])
    return guarded, allowed
