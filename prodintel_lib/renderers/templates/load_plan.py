"""What a run of a load model sends, and when: the same seed gives the same sessions, whatever sends them.

Session k has a stream of random numbers of its own, so that any number of processes can share the sessions out. The
generator is sfc32 (Doty-Humphrey, PractRand): words of 32 bits, the same in every language.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORD = 0xFFFFFFFF
WARM_UP = 15
STARTS, SESSION, SETUP = 1, 2, 3  # what a stream is for: each has its own numbers
BLOCK_SESSIONS = 20  # their number follows the curve, and when each begins is chance
SMALLEST_UNIFORM = 2.0**-53
FARTHEST_LOGIT = 700.0  # exp() of more overflows

Data = dict[str, Any]


class Stream:
    """Random numbers that depend on what they are for, the run's seed and a number, and on nothing else."""

    def __init__(self, kind: int, seed: int, number: int) -> None:
        self._a, self._b, self._c, self._counter = kind, seed & WORD, number & WORD, 1
        for _ in range(WARM_UP):
            self.word()

    def word(self) -> int:
        """Return 32 random bits."""
        word = (self._a + self._b + self._counter) & WORD
        self._counter = (self._counter + 1) & WORD
        self._a = self._b ^ (self._b >> 9)
        self._b = (self._c + (self._c << 3)) & WORD
        self._c = (((self._c << 21) | (self._c >> 11)) + word) & WORD
        return word

    def uniform(self) -> float:
        """Return a number from 0 up to, but not including, 1, of 53 random bits."""
        return ((self.word() >> 5) * 67_108_864 + (self.word() >> 6)) / 9_007_199_254_740_992

    def normal(self) -> float:
        """Return a number of the standard normal distribution (Box and Muller's; the sine's half is not used)."""
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def pick(self, reach: Sequence[float]) -> int:
        """Return a place by weight; `reach` holds the running sums of the weights."""
        return min(bisect_right(reach, self.uniform() * reach[-1]), len(reach) - 1)


@dataclass(frozen=True)
class Setting:
    """How a run uses the model: LoadDefaults of the model says what each means."""

    scale: float
    compress: float
    multiplier: float
    start_s: float
    length_s: float
    seed: int

    @property
    def run_s(self) -> float:
        """How long sessions begin for."""
        return self.length_s / self.compress


@dataclass(frozen=True)
class Piece:
    """A stretch of the run in which sessions begin at one rate, and how many are expected."""

    begin_s: float
    end_s: float
    expected: float


def curve_pieces(curve: Data, setting: Setting) -> list[Piece]:
    """Cut the part of the curve that is run at the edges of its buckets, in the run's seconds."""
    bucket_s, sessions = curve["bucket_s"], curve["sessions"]
    at_s, end_s = setting.start_s, setting.start_s + setting.length_s
    number = int(at_s // bucket_s)
    rate = setting.scale * setting.multiplier / setting.compress / bucket_s
    pieces = []
    while at_s < end_s:
        to_s = min((number + 1) * bucket_s, end_s)
        if to_s > at_s:
            expected = sessions[number % len(sessions)] * (to_s - at_s) * rate
            begin_s, until_s = (each / setting.compress for each in (at_s - setting.start_s, to_s - setting.start_s))
            pieces.append(Piece(begin_s, until_s, expected))
        at_s, number = max(at_s, to_s), number + 1
    return pieces


def blocks_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Group pieces in order until each group expects enough sessions; a rest joins the group before it."""
    blocks: list[list[Piece]] = []
    block: list[Piece] = []
    expected = 0.0
    for piece in pieces:
        block.append(piece)
        expected += piece.expected
        if expected >= BLOCK_SESSIONS:
            blocks.append(block)
            block, expected = [], 0.0
    if block and blocks:
        blocks[-1] += block
    elif block:
        blocks.append(block)
    return blocks


def draw_starts_s(curve: Data, setting: Setting) -> list[float]:
    """Draw when each session begins, in order: as many as the curve says, as irregular as people are within a block."""
    starts = []
    for place, block in enumerate(blocks_of(curve_pieces(curve, setting))):
        # Running sums throughout: since Python 3.12, sum() rounds in another way than other languages do.
        reach = list(accumulate(piece.expected for piece in block))
        expected = reach[-1]
        if not expected:
            continue
        stream = Stream(STARTS, setting.seed, place)
        whole = math.floor(expected)
        for _ in range(whole + (stream.uniform() < expected - whole)):
            piece = block[stream.pick(reach)]
            starts.append(piece.begin_s + stream.uniform() * (piece.end_s - piece.begin_s))
    return sorted(starts)


@dataclass(frozen=True)
class Step:
    """One request of a session: the endpoint's place, the gap after the step before, and which variant is sent."""

    endpoint: int
    gap_s: float
    variant: int | None


@dataclass(frozen=True)
class State:
    """Where a session is: its arcs, the running sums of their weights, and whether a guard may forbid one."""

    end_logit: float
    arcs: list[Data]
    reach: list[float]
    guarded: bool


class Behaviour:
    """How the sessions of a model walk."""

    def __init__(self, model: Data) -> None:
        self._guards: dict[int, list[Data]] = {}
        for guard in model.get("guards", []):
            self._guards.setdefault(guard["endpoint"], []).append(guard)
        self._classes = [{**one, "states": [self._state(state) for state in one["states"]]} for one in model["classes"]]
        self._class_reach = list(accumulate(one["weight"] for one in model["classes"]))
        self._variant_reach = [list(accumulate(one["n"] for one in each["variants"])) for each in model["endpoints"]]
        self._levels: list[float] = model["gap_levels"]
        self._gaps: list[list[float]] = [gap["seconds"] for gap in model["gaps"]]
        self._longest = model["longest"]

    def _state(self, state: Data) -> State:
        arcs = state["arcs"]
        guarded = any(arc["endpoint"] in self._guards for arc in arcs)
        return State(state["end_logit"], arcs, list(accumulate(arc["weight"] for arc in arcs)), guarded)

    def walk(self, seed: int, number: int) -> Iterator[Step]:
        """Yield the steps of a session; the load model's LoadClass says how one walks."""
        stream = Stream(SESSION, seed, number)
        one = self._classes[stream.pick(self._class_reach)]
        pace, state, made = stream.normal(), one["states"][0], Counter[int]()
        for done in range(self._longest):
            if not state.arcs or stream.uniform() < end_chance(one, state, done):
                return
            arc = self._arc(state, made, stream)
            if arc is None:
                return
            gap_s = self._gap_s(arc, one["session_correlation"], pace, stream) if done else 0.0
            endpoint = arc["endpoint"]
            yield Step(endpoint, gap_s, self.draw_variant(endpoint, stream))
            made[endpoint] += 1
            state = one["states"][arc["state"]]

    def draw_variant(self, endpoint: int, stream: Stream) -> int | None:
        """Draw what is sent to an endpoint; None where nothing can be."""
        reach = self._variant_reach[endpoint]
        return stream.pick(reach) if reach else None

    def planned(self, curve: Data, setting: Setting) -> list[tuple[int, float]]:
        """Return the sessions that send something, by number, and when each begins."""
        starts = list(enumerate(draw_starts_s(curve, setting)))
        if all(self._surely_begins(one) for one in self._classes):
            return starts
        return [(number, at_s) for number, at_s in starts if next(self.walk(setting.seed, number), None)]

    def _surely_begins(self, one: Data) -> bool:
        """Say whether no session of a class can end before its first step, so that none has to be walked to know."""
        first = one["states"][0]
        open_arcs = any(arc["endpoint"] not in self._guards for arc in first.arcs)
        return open_arcs and end_chance(one, first, 0) < SMALLEST_UNIFORM

    def _arc(self, state: State, made: Counter[int], stream: Stream) -> Data | None:
        if not state.guarded:
            return state.arcs[stream.pick(state.reach)]
        allowed = [arc for arc in state.arcs if self._allows(arc["endpoint"], made)]
        return allowed[stream.pick(list(accumulate(arc["weight"] for arc in allowed)))] if allowed else None

    def _allows(self, endpoint: int, made: Counter[int]) -> bool:
        guards = self._guards.get(endpoint, [])
        return all(made[guard["needs"]] > (made[guard["used_by"]] if "used_by" in guard else 0) for guard in guards)

    def _gap_s(self, arc: Data, correlation: float, pace: float, stream: Stream) -> float:
        own = stream.normal()
        if "gap" not in arc:
            return 0.0
        z = math.sqrt(correlation) * pace + math.sqrt(1 - correlation) * own
        return interpolated(0.5 * math.erfc(-z / math.sqrt(2)), self._levels, self._gaps[arc["gap"]])


def end_chance(one: Data, state: State, done: int) -> float:
    """Return how likely a session of a class ends in a state after so many steps."""
    shift = one["end_shift"][bisect_left(one["step_bounds"], done)] if done else 0.0
    return 1 / (1 + math.exp(-max(state.end_logit + shift, -FARTHEST_LOGIT)))


def interpolated(at: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the height of a line through points at a place."""
    left = max(0, min(bisect_right(xs, at) - 1, len(xs) - 2))
    share = (at - xs[left]) / (xs[left + 1] - xs[left])
    return ys[left] + share * (ys[left + 1] - ys[left])
