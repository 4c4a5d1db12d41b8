"""What sets failing requests apart: an input, what the session did before, how much of it, or two requests at once.

Features are made of what sessions sent, the same for every system; the one that separates bad from good requests best
is taken, if it separates them well. No feature is named after anything found in a particular data set.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from prodintel_lib.scenarios.recorded import MASK, MIN_MACHINE_LENGTH, leaves
from prodintel_lib.scenarios.wakes import find_wake
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.recorded import RecordedRequest

Shape = Literal["at_once", "input", "history", "size", "wait", "wake", "crowd"]

MIN_BAD: Final = 5
MIN_GOOD: Final = 5
MIN_YOUDEN: Final = 0.5
# Where two features separate alike, the earlier kind is the simpler story.
PREFERENCE: Final[Sequence[Shape]] = ("at_once", "input", "size", "history", "wait")
NUMERIC: Final = frozenset({"size", "wait"})
MAX_P: Final = 0.01


@dataclass(frozen=True, slots=True)
class Case:
    """One request of interest and what its session did before."""

    request: RecordedRequest
    before: tuple[RecordedRequest, ...]

    @property
    def bad(self) -> bool:
        """Whether it went bad."""
        return self.request.bad


class Name(NamedTuple):
    """What a feature is.

    `label` is the request it speaks of where it is not the one of interest; for a wake, what others sent (as
    wakes.kinds_of names it), and `within_s` how many seconds before it counts.
    """

    shape: Shape
    says: str
    label: str = ""
    within_s: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that holds of a case or not; a number holds where it is at least `threshold`."""

    name: Name
    threshold: float | None = None

    @property
    def shape(self) -> Shape:
        """Which kind of feature it is."""
        return self.name.shape

    def holds(self, values: Mapping[Name, float]) -> bool:
        """Say whether it holds of a case with these feature values."""
        return values.get(self.name, 0.0) >= (self.threshold if self.threshold is not None else 1.0)


@dataclass(frozen=True, slots=True)
class Contrast:
    """The feature that separates best, and the cases on both sides of it.

    Attributes
    ----------
    feature : Feature
    holds_of_bad, bad, holds_of_good, good : int
        How often it holds, of how many.
    failing, healthy : tuple of Case
        Bad cases of which it holds; good ones of which it does not.
    """

    feature: Feature
    holds_of_bad: int
    bad: int
    holds_of_good: int
    good: int
    failing: tuple[Case, ...]
    healthy: tuple[Case, ...]

    @property
    def differs(self) -> str:
        """Say what sets them apart."""
        threshold, says = self.feature.threshold, self.feature.name.says
        if threshold is None:
            return says
        return f"at least {threshold:g} {says}" if self.feature.shape == "wake" else f"{says} at least {threshold:g}"

    @property
    def seen(self) -> str:
        """Say it with its counts."""
        return (
            f"{self.differs}: {self.holds_of_bad:,} of {self.bad:,} bad requests, "
            f"{self.holds_of_good:,} of {self.good:,} good ones"
        )


def collect_cases(sessions: Mapping[str, Sequence[RecordedRequest]], label: str) -> list[Case]:
    """Return every request of that label with what its session did before it."""
    return [
        Case(request, tuple(requests[:number]))
        for requests in sessions.values()
        for number, request in enumerate(requests)
        if request.label == label
    ]


def find_contrast(cases: Sequence[Case]) -> Contrast | None:
    """Find the feature that separates bad cases from good ones best.

    Parameters
    ----------
    cases : sequence of Case
        Of one route and one time, so that nothing else differs.

    Returns
    -------
    Contrast or None
        None where fewer than five are bad or good, no feature has a Youden index of at least a half, or the best of
        so many features would separate as well by chance (p of a hundredth, Bonferroni).

    Notes
    -----
    Youden (1950), doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3: the share of bad cases of which a
    feature holds less the share of good ones. It is computed for every value seen and, for numbers, every threshold.
    The chance is the hypergeometric tail (Fisher's exact test, one-sided).
    """
    bad = [case for case in cases if case.bad]
    good = [case for case in cases if not case.bad]
    if len(bad) < MIN_BAD or len(good) < MIN_GOOD:
        return None
    # Whoever failed tries again: that the session sent the same before is a consequence, not a cause.
    own = cases[0].request.label
    labels = sorted({before.label for case in cases for before in case.before} - {own})
    described = [(case, _describe(case, labels)) for case in cases]
    scored = list(_scored(described, len(bad), len(good)))
    youden, feature = max(scored, key=_rank, default=(0.0, None))
    found = _separated(feature, described) if feature and youden >= MIN_YOUDEN else None
    return found if found and _chance(found) * len(scored) <= MAX_P else None


def find_wake_contrast(cases: Sequence[Case], around: Sequence[RecordedRequest]) -> Contrast | None:
    """Find what others sent shortly before that separates bad cases from good ones.

    Parameters
    ----------
    cases : sequence of Case
        Of one route, from its first failure to its last.
    around : sequence of RecordedRequest
        What anybody sent at that time and before.

    Returns
    -------
    Contrast or None
        See wakes.find_wake.
    """
    if sum(case.bad for case in cases) < MIN_BAD or sum(not case.bad for case in cases) < MIN_GOOD:
        return None
    own = cases[0].request.label
    wake = find_wake(
        [case.request.time_us for case in cases],
        [case.bad for case in cases],
        # Whoever failed tries again: that others asked for the same is a crowd, and no wake.
        [request for request in around if request.label != own or not request.succeeded],
    )
    if wake is None:
        return None
    name = Name("wake", f"{wake.kind} by anybody in the {wake.within_s} s before", wake.kind, wake.within_s)
    counted = [(case, {name: float(n)}) for case, n in zip(cases, wake.counts, strict=True)]
    return _separated(Feature(name, float(wake.threshold)), counted)


def _separated(feature: Feature, described: Sequence[tuple[Case, Values]]) -> Contrast | None:
    bad = [(case, values) for case, values in described if case.bad]
    good = [(case, values) for case, values in described if not case.bad]
    failing = tuple(case for case, values in bad if feature.holds(values))
    healthy = tuple(case for case, values in good if not feature.holds(values))
    if not failing or not healthy:
        return None
    return Contrast(feature, len(failing), len(bad), len(good) - len(healthy), len(good), failing, healthy)


Values = dict[Name, float]


def _chance(found: Contrast) -> float:
    """Return how likely it is that a feature which means nothing holds of so many bad cases."""
    bad, good, held = found.bad, found.good, found.holds_of_bad + found.holds_of_good
    at_least = sum(math.comb(bad, k) * math.comb(good, held - k) for k in range(found.holds_of_bad, min(bad, held) + 1))
    return at_least / math.comb(bad + good, held)


def _rank(scored: tuple[float, Feature]) -> tuple[float, int, str, float]:
    youden, feature = scored
    return round(youden, 6), -PREFERENCE.index(feature.shape), feature.name.says, -(feature.threshold or 0.0)


def _scored(described: Sequence[tuple[Case, Values]], bad: int, good: int) -> Iterable[tuple[float, Feature]]:
    counts: dict[Name, Counter[tuple[bool, float]]] = defaultdict(Counter)
    for case, values in described:
        for name, value in values.items():
            counts[name][case.bad, value] += 1
    for name, seen in counts.items():
        is_number = name.shape in NUMERIC
        thresholds = sorted({value for _, value in seen} - {0.0}) if is_number else [1.0]
        for threshold in thresholds:
            hit = sum(n for (is_bad, value), n in seen.items() if is_bad and value >= threshold)
            alarm = sum(n for (is_bad, value), n in seen.items() if not is_bad and value >= threshold)
            youden = hit / bad - alarm / good
            if is_number:
                # That it was sent at all is another story: among those who sent it, the number has to tell them apart.
                youden = min(youden, _youden_among(seen, hit, alarm))
            yield youden, Feature(name, threshold if is_number else None)


def _youden_among(seen: Counter[tuple[bool, float]], hit: int, alarm: int) -> float:
    """Return the Youden index among the cases that have a value at all; 1 where too few of a side have one to tell."""
    bad = sum(n for (is_bad, _), n in seen.items() if is_bad)
    good = sum(n for (is_bad, _), n in seen.items() if not is_bad)
    return hit / bad - alarm / good if bad >= MIN_BAD and good >= MIN_GOOD else 1.0


def _describe(case: Case, labels: Sequence[str]) -> Values:
    """Name everything that may set a case apart, with its value: 1 where it holds, or a number."""
    values: Values = {}
    for where, request in (("", case.request), *((before.label, before) for before in case.before if before.writes)):
        _describe_input(values, request, where)
    done = {before.label for before in case.before}
    for label in labels:
        said = f"the session sent {label} before" if label in done else f"the session never sent {label} before"
        values[Name("history", said, label)] = 1.0
    for before in case.before:
        # Later ones of that name overwrite: what counts is how long ago it was last done.
        if before.succeeded:
            waited_s = (case.request.time_us - before.time_us) // US_PER_S
            values[Name("wait", f"the seconds since {before.label}", before.label)] = float(waited_s)
    for label in _overlapping((*case.before, case.request)):
        values[Name("at_once", f"two {label} of one session at the same moment", label)] = 1.0
    return values


def _describe_input(values: Values, request: RecordedRequest, where: str) -> None:
    of = f" of {where}" if where else ""
    asked: list[tuple[str, JsonValue]] = [(f"query {name}", value) for name, value in request.query]
    asked += leaves(request.body)
    for name, leaf in [*asked, *((f"header {name}", value) for name, value in request.headers)]:
        if isinstance(leaf, str) and not MASK.fullmatch(leaf):
            if not leaf.isascii():
                values[Name("input", f"{name}{of} holds a character beyond ASCII", where)] = 1.0
            if not _ITEM.search(name):
                values[Name("input", f"{name}{of} is {leaf!r:.60}", where)] = 1.0
        number = _as_number(leaf)
        if number is not None:
            _keep_greatest(values, Name("size", f"{_ITEM.sub('/*', name)}{of}", where), number)
    if asked:
        _keep_greatest(values, Name("size", f"the number of values{of}", where), float(len(asked)))


_ITEM: Final = re.compile(r"/[0-9]+(?=/|$)")


def _as_number(leaf: JsonValue) -> float | None:
    """Read a number, also one that a query writes in digits; long digits are ids."""
    if isinstance(leaf, str):
        return float(leaf) if leaf.isascii() and leaf.isdigit() and len(leaf) < MIN_MACHINE_LENGTH else None
    return float(leaf) if isinstance(leaf, int | float) and not isinstance(leaf, bool) else None


def _keep_greatest(values: Values, name: Name, value: float) -> None:
    values[name] = max(value, values.get(name, value))


def _overlapping(requests: Sequence[RecordedRequest]) -> set[str]:
    """Name the writes that a session sent again before the first had its answer."""
    found = set()
    last_end_us: dict[str, float] = {}
    for request in requests:
        if not request.writes:
            continue
        if request.time_us < last_end_us.get(request.label, 0.0):
            found.add(request.label)
        end_us = request.time_us + request.duration_ms * 1000
        last_end_us[request.label] = max(last_end_us.get(request.label, 0.0), end_us)
    return found
