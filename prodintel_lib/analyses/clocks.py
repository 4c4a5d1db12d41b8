"""Which services' clocks are wrong, by how much, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.statistics import Z95, Proportion
from prodintel_lib.engines import collect
from prodintel_lib.markup import number, paragraph, table, text
from prodintel_lib.rollups.clocks import CLOCK_EDGES_KEYS, CLOCK_EDGES_SCHEMA, build_clock_edges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import narwhals as nw
    import polars as pl

# A source that keeps whole milliseconds can put either end of a span one millisecond off.
MIN_OFFSET_US: Final = 1000
# The standard error of a median is sqrt(pi / 2) that of a mean, and a normal's quartiles are 1.349 sigma apart.
_MEDIAN_SE_PER_IQR: Final = math.sqrt(math.pi / 2) / 1.349
_US_PER_MS: Final = 1000
_MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How far one service's clock is from the reference's.

    Attributes
    ----------
    service_name, reference : str
        The reference is the service at which requests enter: the one whose clock is taken for right.
    offset_us : int
        Positive where the clock is ahead.
    low_us, high_us : int
        95 % interval of the median.
    pairs, outside : int
        Calls compared on the way from the reference, the fewest of its steps; those of them in which the callee's span
        lay outside the call.
    """

    service_name: str
    reference: str
    offset_us: int
    low_us: int
    high_us: int
    pairs: int
    outside: int

    @property
    def sentence(self) -> str:
        """Say whose clock was how wrong, how that is known, and that it was corrected."""
        way = "ahead of" if self.offset_us > 0 else "behind"
        low, high = sorted((abs(self.low_us), abs(self.high_us)))
        return (
            f"The clock of {self.service_name} is {_span(abs(self.offset_us))} {way} {self.reference} "
            f"(n {self.pairs:,} pairs of a call and its answer, 95 % CI {_span(low)} to {_span(high)}); "
            "its times were corrected."
        )


@dataclass(frozen=True, slots=True)
class ClockOffsets:
    """The clocks that are wrong.

    Attributes
    ----------
    offsets : tuple of ClockOffset
        Only clocks that were found wrong; farthest first.
    pairs : int
        Calls of one service by another that could be compared.
    services : int
        Services among them.
    """

    offsets: tuple[ClockOffset, ...]
    pairs: int
    services: int

    @property
    def by_service_us(self) -> dict[str, int]:
        """Service to how far its clock is ahead, µs: what rollups.clocks.correct_clocks takes."""
        return {offset.service_name: offset.offset_us for offset in self.offsets}

    def sentences(self) -> tuple[str, ...]:
        """Say what was found, in one sentence a clock; one sentence where all agree or nothing can be told."""
        if self.offsets:
            return tuple(offset.sentence for offset in self.offsets)
        if not self.pairs:
            return ("Clocks could not be compared: no call of one service was recorded on both sides.",)
        return (f"The clocks of {self.services:,} services agree (n {self.pairs:,} pairs of a call and its answer).",)

    def _repr_html_(self) -> str:
        if not self.offsets:
            return str(paragraph(text(self.sentences()[0])))
        rows = [
            [
                text(offset.service_name),
                text(offset.reference),
                number(offset.offset_us / _US_PER_MS, digits=1, unit="ms"),
                text(f"{offset.low_us / _US_PER_MS:,.1f} to {offset.high_us / _US_PER_MS:,.1f} ms"),
                number(offset.outside),
                number(offset.pairs),
            ]
            for offset in self.offsets
        ]
        return str(
            table(
                ["Clock of", "Against", "Ahead by", "95 % CI", "Answers outside their call", "of calls"],
                rows,
                align="llrrrr",
                caption="A callee's span lies inside its caller's when both clocks agree. Times of these services are "
                "corrected by the median.",
            )
        )


def find_clock_offsets(spans: nw.LazyFrame[Any]) -> ClockOffsets:
    """Find the services whose clocks are wrong; see estimate_clock_offsets.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``, on any engine.
    """
    edges = collect(build_clock_edges(spans), schema=CLOCK_EDGES_SCHEMA, sort_by=CLOCK_EDGES_KEYS)
    return estimate_clock_offsets(edges)


def estimate_clock_offsets(edges: pl.DataFrame) -> ClockOffsets:
    """Put the clocks of all services on that of the service at which requests enter.

    Along the calls with the most pairs, each service's clock is that of its neighbour plus the median difference. A
    difference counts only where the clocks must differ: most callee spans lie outside their calls (the lower end of
    Wilson's interval is above one half), the middle half of the differences has one sign, the interval of their median
    leaves out zero, and it is more than a millisecond. Otherwise the two clocks are taken to agree.

    Parameters
    ----------
    edges : polars.DataFrame
        As rollups.clocks.build_clock_edges gives it.

    Notes
    -----
    The interval of a median is that of McGill, Tukey and Larsen (1978), doi:10.1080/00031305.1978.10479236, with 1.96
    standard errors in place of their 1.7, which serves to compare two medians. Steps of a path are independent samples:
    their half-widths add as squares. A clock is taken to be off by the same amount for the whole time; one that was set
    right in the middle of it fails the second condition, or is corrected by what holds for most calls.
    """
    steps = [_Step.of(row) for row in edges.sort("caller", "callee").iter_rows(named=True)]
    offsets: list[ClockOffset] = []
    waiting = {name for step in steps for name in (step.caller, step.callee)}
    services = len(waiting)
    while waiting:
        reference = max(sorted(waiting), key=lambda name: sum(step.outgoing(name) for step in steps))
        reached = {reference: ClockOffset(reference, reference, 0, 0, 0, 0, 0)}
        for step, known in _spread(steps, reached):
            found = _beyond(reached[known], step, known)
            reached[found.service_name] = found
        offsets += [found for found in reached.values() if abs(found.offset_us) > MIN_OFFSET_US]
        waiting -= reached.keys()
    ordered = sorted(offsets, key=lambda offset: (-abs(offset.offset_us), offset.service_name))
    return ClockOffsets(tuple(ordered), sum(step.pairs for step in steps), services)


@dataclass(frozen=True, slots=True)
class _Step:
    """Two neighbours in the service graph, and how far the callee's clock is ahead."""

    caller: str
    callee: str
    pairs: int
    outside: int
    ahead_us: float
    half_us: float

    @classmethod
    def of(cls, row: dict[str, Any]) -> _Step:
        half_us = Z95 * _MEDIAN_SE_PER_IQR * (row["offset_us_p75"] - row["offset_us_p25"]) / math.sqrt(row["pairs"])
        ahead_us = row["offset_us_p50"]
        differ = (
            Proportion.of(row["outside"], row["pairs"]).low > 0.5
            and row["offset_us_p25"] * row["offset_us_p75"] > 0
            and abs(ahead_us) > max(half_us, MIN_OFFSET_US)
        )
        if not differ:
            ahead_us = half_us = 0.0
        return cls(row["caller"], row["callee"], row["pairs"], row["outside"], ahead_us, half_us)

    def outgoing(self, name: str) -> int:
        """Return how many more calls a service makes than it answers here."""
        return self.pairs * ((self.caller == name) - (self.callee == name))


def _spread(steps: list[_Step], reached: dict[str, ClockOffset]) -> Iterator[tuple[_Step, str]]:
    """Yield the best known step that leads on, with the end that is known, until none does (Prim's algorithm)."""
    while True:
        leading = [step for step in steps if (step.caller in reached) != (step.callee in reached)]
        if not leading:
            return
        best = max(leading, key=lambda step: step.pairs)
        yield best, best.caller if best.caller in reached else best.callee


def _beyond(known: ClockOffset, step: _Step, name: str) -> ClockOffset:
    forward = step.caller == name
    offset_us = known.offset_us + (step.ahead_us if forward else -step.ahead_us)
    half_us = math.hypot((known.high_us - known.low_us) / 2, step.half_us)
    return ClockOffset(
        service_name=step.callee if forward else step.caller,
        reference=known.reference,
        offset_us=round(offset_us),
        low_us=round(offset_us - half_us),
        high_us=round(offset_us + half_us),
        pairs=min(known.pairs, step.pairs) if known.pairs else step.pairs,
        outside=step.outside if step.ahead_us else known.outside,
    )


def _span(time_us: int) -> str:
    """Write a length of time: milliseconds below a second, seconds above."""
    ms = time_us / _US_PER_MS
    return f"{ms:,.1f} ms" if ms < _MS_PER_S else f"{ms / _MS_PER_S:,.3f} s"
