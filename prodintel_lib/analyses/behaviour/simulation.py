"""Sessions made by a model of behaviour: what a load test sends, without sending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour.contexts import STEP_BOUNDS
from prodintel_lib.analyses.behaviour.gaps import ANY
from prodintel_lib.analyses.behaviour.guards import NONE
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.guards import Guard
    from prodintel_lib.analyses.behaviour.model import BehaviourClass, BehaviourModel
    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_REDRAWS: Final = 200
"""After so many steps that a guard forbids, a session ends: nothing it may do is likely."""

MAX_LENGTH_RATIO: Final = 10
"""Sessions end at so many times the longest one seen."""

_GRID: Final = 2_049
_TICKS_PER_S: Final = 2.0**20


@dataclass(frozen=True, slots=True)
class ArrivalCurve:
    """How many sessions begin in each stretch of time.

    Attributes
    ----------
    bucket_s : float
    sessions : array of float, shape (buckets,)
        Beginning in each bucket, from time 0 on.
    """

    bucket_s: float
    sessions: Floats

    @property
    def duration_s(self) -> float:
        """Length of the curve."""
        return self.bucket_s * len(self.sessions)

    @classmethod
    def of(cls, log: SessionLog, *, bucket_s: float = 60.0, scale: float = 1.0) -> ArrivalCurve:
        """Count the sessions of a log by bucket, from the first request on, `scale` times over."""
        since_s = (log.starts_us - log.starts_us.min()) / US_PER_S
        return cls(bucket_s, np.bincount((since_s // bucket_s).astype(np.int64)).astype(np.float64) * scale)

    def draw_starts_s(self, rng: np.random.Generator) -> Floats:
        """Draw the starts of sessions, in order.

        Notes
        -----
        An open arrival process: nobody waits for anybody. Each bucket gets as many as the curve says, a fraction as a
        chance of one more, at random places. A Poisson number around each count would add chance to a curve that holds
        its own already.
        """
        whole = np.floor(self.sessions)
        counts = (whole + (rng.random(len(whole)) < self.sessions - whole)).astype(np.int64)
        bucket = np.repeat(np.arange(len(counts)), counts)
        return np.sort((bucket + rng.random(len(bucket))) * self.bucket_s)


def simulate(
    model: BehaviourModel, arrivals: ArrivalCurve, *, seed: int, duration_s: float | None = None, guarded: bool = True
) -> pl.DataFrame:
    """Make sessions.

    Parameters
    ----------
    model : BehaviourModel
    arrivals : ArrivalCurve
    seed : int
    duration_s : float, optional
        Requests from then on are left out, as a log that stops there would lack them; default: none are.
    guarded : bool
        Whether the guards hold; without them the chains alone decide.

    Returns
    -------
    polars.DataFrame
        ``session, endpoint, t`` (seconds from the start of the curve), by session and time.

    Raises
    ------
    ParameterError
        Where `duration_s` is not above 0.

    Notes
    -----
    All sessions take a step at once, so the work goes by the longest session's steps, each in numpy. A step that a
    guard forbids is drawn again, which is what the chains' weights were fitted for.
    """
    if duration_s is not None and not duration_s > 0:
        raise ParameterError(
            f"A simulation must last longer than 0 s; duration_s is {duration_s}.", hint="leave duration_s out."
        )
    rng = np.random.default_rng(seed)
    starts_s = arrivals.draw_starts_s(rng)
    rows = walk(model.classes, model.guards if guarded else (), starts_s, rng=rng,
                endpoints=len(model.endpoints), longest=MAX_LENGTH_RATIO * model.longest)  # fmt: skip
    names = pl.Series(model.endpoints, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "session": rows.session,
            "endpoint": names.gather(rows.endpoint) if len(rows.endpoint) else [],
            "t": rows.time_s,
        },
        schema={"session": pl.Int64, "endpoint": pl.String, "t": pl.Float64},
    )
    return frame if duration_s is None else frame.filter(pl.col("t") < duration_s)


@dataclass(frozen=True, slots=True)
class Walked:
    """Steps of made sessions, by session and then in order: arrays of one length."""

    session: Ints
    endpoint: Ints
    time_s: Floats


class _Automaton:
    """The chains of all classes as one table of states and arcs."""

    def __init__(self, classes: Sequence[BehaviourClass], endpoints: int) -> None:
        sizes = [len(one.chain.contexts) for one in classes]
        self.start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.end_logit = np.concatenate([one.chain.end_logit for one in classes])
        self.end_shift = np.stack([one.chain.end_shift for one in classes])
        arc_from = np.concatenate([one.chain.arc_from + at for one, at in zip(classes, self.start, strict=True)])
        self.arc_state = np.concatenate([one.chain.arc_state + at for one, at in zip(classes, self.start, strict=True)])
        self.arc_to = np.concatenate([one.chain.arc_to for one in classes])
        self.bounds = np.searchsorted(arc_from, np.arange(len(self.end_logit) + 1))
        weight = np.concatenate([one.chain.arc_weight for one in classes])
        # A state's arcs fill the stretch from its number to the next: one search serves all states.
        running = np.cumsum(weight)
        before = np.concatenate([[0.0], running])[self.bounds[:-1]]
        self.reach = running - before[arc_from] + arc_from
        last = np.unique(self.bounds[1:])
        self.reach[last[last > 0] - 1] = arc_from[last[last > 0] - 1] + 1.0
        self.has_arcs = np.diff(self.bounds) > 0
        self.curve, self.table = _gap_table(classes, self, endpoints)

    def draw(self, state: Ints, rng: np.random.Generator) -> Ints:
        """Draw an arc for each state."""
        arc = np.searchsorted(self.reach, state + rng.random(len(state)), side="right")
        # A share next to 1 may round up to the next state's stretch.
        return np.minimum(arc, self.bounds[state + 1] - 1)


def _gap_table(classes: Sequence[BehaviourClass], automaton: _Automaton, endpoints: int) -> tuple[Ints, Floats]:
    """Return the curve of each arc (-1: none, from START), and the curves' quantiles on a fine grid."""
    shares = np.linspace(0, 1, _GRID)
    curves: list[Floats] = []
    of_arc = np.full(len(automaton.arc_to), -1, dtype=np.int64)
    for which, one in enumerate(classes):
        if one.gaps.rest is None:
            continue
        rest = len(curves)
        curves.append(one.gaps.rest.quantiles_s(shares))
        number_of = {}
        for pair, curve in one.gaps.curves.items():
            number_of[pair] = len(curves)
            curves.append(curve.quantiles_s(shares))
        chain = one.chain
        latest = np.array([context[0] for context in chain.contexts])[chain.arc_from]
        low = automaton.bounds[automaton.start[which]]
        of_arc[low : low + len(latest)] = [
            -1 if before == endpoints else number_of.get((before, after), number_of.get((ANY, after), rest))
            for before, after in zip(latest.tolist(), chain.arc_to.tolist(), strict=True)
        ]
    return of_arc, np.stack(curves) if curves else np.zeros((1, _GRID))


def walk(
    classes: Sequence[BehaviourClass],
    guards: Sequence[Guard],
    starts_s: Floats,
    *,
    rng: np.random.Generator,
    endpoints: int,
    longest: int,
) -> Walked:
    """Walk every session to its end, all of them a step at a time."""
    automaton = _Automaton(classes, endpoints)
    shares = np.array([one.share.share for one in classes])
    which = rng.choice(len(classes), size=len(starts_s), p=shares / shares.sum())
    alike = np.array([one.gaps.session_correlation for one in classes])[which]
    walkers = _Walkers(
        automaton,
        guards,
        which,
        starts_s,
        endpoints,
        pace=(np.sqrt(alike) * rng.standard_normal(len(which)), np.sqrt(1 - alike)),
    )
    for done in range(longest):
        if not len(walkers.alive):
            break
        walkers.step(done, rng)
    return walkers.rows()


class _Walkers:
    """Sessions on their way."""

    def __init__(
        self,
        automaton: _Automaton,
        guards: Sequence[Guard],
        which: Ints,
        time_s: Floats,
        endpoints: int,
        *,
        pace: tuple[Floats, Floats],
    ) -> None:
        self.automaton = automaton
        self.which = which
        self.state = automaton.start[which]
        self.pace, self.own_pace = pace
        self.time_s = _on_ticks(time_s)
        self.alive = np.arange(len(which))
        self.guards = guards
        watched = sorted({code for guard in guards for code in (guard.needs, guard.used_by) if code != NONE})
        self.column = np.full(endpoints, -1)
        self.column[watched] = np.arange(len(watched))
        self.counts = np.zeros((len(which), len(watched)), dtype=np.int32)
        self.of_endpoint: dict[int, list[Guard]] = {}
        for guard in guards:
            self.of_endpoint.setdefault(guard.endpoint, []).append(guard)
        self.made: list[tuple[Ints, Ints, Floats]] = []

    def step(self, done: int, rng: np.random.Generator) -> None:
        """Let every session end or take one step."""
        machine = self.automaton
        state = self.state[self.alive]
        part = int(np.searchsorted(STEP_BOUNDS, done, side="left"))
        logit = machine.end_logit[state] + (machine.end_shift[self.which[self.alive], part] if done else 0.0)
        chance = 1 / (1 + np.exp(-np.clip(logit, -40, 40)))
        stays = machine.has_arcs[state] & (rng.random(len(state)) >= chance)
        self.alive, state = self.alive[stays], state[stays]
        arc = machine.draw(state, rng)
        if self.guards:
            arc, allowed = self._redraw(state, arc, rng)
            self.alive, arc = self.alive[allowed], arc[allowed]
        curve = machine.curve[arc]
        gap_s = np.where(curve >= 0, _interpolate(machine.table, curve, self._shares(rng)), 0.0)
        self.time_s[self.alive] += _on_ticks(gap_s)
        self.state[self.alive] = machine.arc_state[arc]
        endpoint = machine.arc_to[arc]
        column = self.column[endpoint]
        counted = column >= 0
        self.counts[self.alive[counted], column[counted]] += 1
        self.made.append((self.alive, endpoint, self.time_s[self.alive]))

    def _shares(self, rng: np.random.Generator) -> Floats:
        """Draw how long each walker takes, as a share of the gaps that are shorter: alike within a session."""
        from scipy.special import ndtr  # noqa: PLC0415 - costs a quarter of a second to import

        own = rng.standard_normal(len(self.alive))
        return np.asarray(ndtr(self.pace[self.alive] + self.own_pace[self.alive] * own), dtype=np.float64)

    def _redraw(self, state: Ints, arc: Ints, rng: np.random.Generator) -> tuple[Ints, Bools]:
        """Draw arcs that a guard forbids again, and say which are allowed in the end."""
        wrong = np.flatnonzero(self._forbidden(np.arange(len(arc)), arc))
        for _ in range(MAX_REDRAWS):
            if not len(wrong):
                break
            arc[wrong] = self.automaton.draw(state[wrong], rng)
            wrong = wrong[self._forbidden(wrong, arc[wrong])]
        allowed = np.ones(len(arc), dtype=np.bool_)
        allowed[wrong] = False
        return arc, allowed

    def _forbidden(self, places: Ints, arc: Ints) -> Bools:
        endpoint = self.automaton.arc_to[arc]
        found = np.zeros(len(arc), dtype=np.bool_)
        for guarded, guards in self.of_endpoint.items():
            mine = np.flatnonzero(endpoint == guarded)
            counts = self.counts[self.alive[places[mine]]]
            for guard in guards:
                used = 0 if guard.used_by == NONE else counts[:, self.column[guard.used_by]]
                found[mine] |= counts[:, self.column[guard.needs]] <= used
        return found

    def rows(self) -> Walked:
        """Return all steps, by session and in order."""
        if not self.made:
            return Walked(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
        session, endpoint, time_s = (np.concatenate(parts) for parts in zip(*self.made, strict=True))
        order = np.argsort(session, kind="stable")
        return Walked(session[order], endpoint[order], time_s[order])


def _on_ticks(seconds: Floats) -> Floats:
    """Round to a power of two near a microsecond: sums and differences of such are exact, and equal gaps stay equal."""
    return np.asarray(np.round(seconds * _TICKS_PER_S) / _TICKS_PER_S)


def _interpolate(table: Floats, curve: Ints, shares: Floats) -> Floats:
    at = shares * (table.shape[1] - 1)
    low = np.minimum(at.astype(np.int64), table.shape[1] - 2)
    left = table[curve, low]
    return np.asarray(left + (at - low) * (table[curve, low + 1] - left))
