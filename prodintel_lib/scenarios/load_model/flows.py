"""Where the values of requests come from, by what most sessions agree on: an earlier answer, the client, or nowhere.

One session cannot tell its own value from the system's; all of them together can. A value that one user alone ever sent
or was given is that user's own. Where most of an endpoint's requests hold such a value, and the user's earlier answers
held it too, it is extracted from there; where it looks made by a machine and nobody was given it, the client made it
up.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from prodintel_lib.scenarios.model import Extract, Extracted, Fresh, Place
from prodintel_lib.scenarios.recorded import (
    MASK,
    MIN_TRACEABLE_LENGTH,
    leaves,
    machine_made,
    places_of,
    sent_values,
    slug,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prodintel_lib.scenarios.load_model.exchanges import Exchange
    from prodintel_lib.scenarios.recorded import Placed

MAX_LEAVES: Final = 2_000
"""So many values of an answer are looked at."""

MAJORITY: Final = 0.5
MIN_DISTINCT_SHARE: Final = 0.2
"""What clients make up hardly comes twice: so many different values there are at least among those of a place."""

MIN_SOURCE_SHARE: Final = 0.1
"""An answer that gave fewer of a place's values is no source of it."""

_INDEX: Final = re.compile(r"/[0-9]+(?=/|$)")
_MANY: Final = ""


class PlaceKey(NamedTuple):
    """A place in the requests of an endpoint; items of a list have one place (`*`)."""

    endpoint: str
    into: Place
    at: str

    @classmethod
    def of(cls, endpoint: str, placed: Placed) -> PlaceKey:
        """Return the place of a value."""
        return cls(endpoint, placed.into, _INDEX.sub("/*", placed.at) if placed.into == "body" else placed.at)


class Source(NamedTuple):
    """A place in the answers of an endpoint."""

    endpoint: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Flows:
    """What is not sent as it was recorded, and what is kept from answers.

    Attributes
    ----------
    origins : mapping of PlaceKey to Extracted or Fresh
        Places whose values stand nowhere here are sent as recorded.
    extracts : mapping of str to tuple of Extract
        By endpoint.
    """

    origins: Mapping[PlaceKey, Extracted | Fresh] = field(default_factory=dict)
    extracts: Mapping[str, tuple[Extract, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """What was seen at a place."""

    requests: int = 0
    given: int = 0
    fresh: Counter[Fresh] = field(default_factory=Counter)
    made_up: set[str] = field(default_factory=set)
    sources: Counter[Source] = field(default_factory=Counter)
    latest: Counter[Source] = field(default_factory=Counter)
    latest_right: Counter[Source] = field(default_factory=Counter)


@dataclass(slots=True)
class _Given:
    """What the answers to one visitor held so far: what they brought in, not what they repeat."""

    sources_of: dict[str, set[Source]] = field(default_factory=lambda: defaultdict(set))
    latest: dict[Source, str] = field(default_factory=dict)

    def take(self, exchange: Exchange) -> None:
        """Take note of an answer."""
        sent = set(sent_values(exchange.request))
        for pointer, value in _answered(exchange):
            if value not in sent:
                source = Source(exchange.endpoint, pointer)
                self.sources_of[value].add(source)
                self.latest[source] = value


def find_flows(visitors: Iterable[Sequence[Exchange]]) -> Flows:
    """Find which values come from earlier answers, and which the client makes up.

    Parameters
    ----------
    visitors : iterable of sequence of Exchange
        What each visitor asked for, in order, as recorded: stand-ins may differ from place to place.

    Returns
    -------
    Flows

    Notes
    -----
    An answer that repeats what its own request sent is no source. Of several pointers of one answer the one that was
    right most often counts; sources that serve the same place share a name, so that whichever answered last counts. A
    value of a path that is only read is never made up: nobody made what is asked for.
    """
    listed = [list(visitor) for visitor in visitors]
    tallies = _count(listed)
    extracted = {place: tally for place, tally in sorted(tallies.items()) if tally.given >= MAJORITY * tally.requests}
    _judge_sources(listed, extracted)
    taken = {place: sources for place, tally in extracted.items() if (sources := _sources_of(tally))}
    named, extracts = _name(taken)
    fresh: dict[PlaceKey, Fresh] = {
        place: tally.fresh.most_common(1)[0][0]
        for place, tally in tallies.items()
        if place not in named and _is_made_up(tally)
    }
    return Flows({**fresh, **named}, extracts)


def _count(visitors: Sequence[Sequence[Exchange]]) -> dict[PlaceKey, _Tally]:
    """Count what was seen at each place."""
    known = _Known(visitors)
    tallies: dict[PlaceKey, _Tally] = defaultdict(_Tally)
    for exchange, placed, given in _values(visitors):
        text = str(placed.value)
        if isinstance(placed.value, str) and MASK.fullmatch(text):
            continue
        tally = tallies[PlaceKey.of(exchange.endpoint, placed)]
        tally.requests += 1
        is_own = known.is_own(text)
        if is_own and len(text) >= MIN_TRACEABLE_LENGTH and text in given.sources_of:
            tally.given += 1
            tally.sources.update(given.sources_of[text])
        elif is_own or known.is_nobodys(text):
            made = machine_made(text) if isinstance(placed.value, str) and _may_be_made(exchange, placed) else None
            if made:
                tally.fresh[made] += 1
                tally.made_up.add(text)
    return tallies


def _is_made_up(tally: _Tally) -> bool:
    return (
        tally.fresh.total() > MAJORITY * tally.requests
        and len(tally.made_up) >= MIN_DISTINCT_SHARE * tally.fresh.total()
    )  # fmt: skip


class _Known:
    """Who sent or was given each value, and which values were given to anybody."""

    def __init__(self, visitors: Iterable[Sequence[Exchange]]) -> None:
        self._owner: dict[str, str] = {}
        self._given: set[str] = set()
        captured, answered = 0, 0
        for exchange in (one for exchanges in visitors for one in exchanges):
            sent, held = set(sent_values(exchange.request)), {value for _, value in _answered(exchange)}
            self._given |= held - sent
            captured += exchange.request.answer is not None
            answered += exchange.answered_well
            for value in sent | held:
                if self._owner.setdefault(value, exchange.owner) != exchange.owner:
                    self._owner[value] = _MANY
        self._answers_tell = captured > MAJORITY * answered

    def is_own(self, value: str) -> bool:
        """Whether one user alone sent or was given it."""
        return self._owner.get(value, _MANY) != _MANY

    def is_nobodys(self, value: str) -> bool:
        """Whether no answer brought it in, where most answers were captured: who sent it did not get it here."""
        return self._answers_tell and value not in self._given


def _answered(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield what an answer holds, if it was a good one; what is too short tells nothing."""
    if exchange.answered_well:
        for pointer, leaf in islice(leaves(exchange.request.answer), MAX_LEAVES):
            if isinstance(leaf, str | int) and not isinstance(leaf, bool) and len(str(leaf)) >= MIN_TRACEABLE_LENGTH:
                yield pointer, str(leaf)


def _values(visitors: Iterable[Sequence[Exchange]]) -> Iterator[tuple[Exchange, Placed, _Given]]:
    """Yield each value that was sent, with what had been answered before."""
    for exchanges in visitors:
        given = _Given()
        for exchange in exchanges:
            for placed in places_of(exchange.request):
                yield exchange, placed, given
            given.take(exchange)


def _may_be_made(exchange: Exchange, placed: Placed) -> bool:
    return placed.into != "path" or exchange.request.writes


def _judge_sources(visitors: Iterable[Sequence[Exchange]], tallies: Mapping[PlaceKey, _Tally]) -> None:
    """Count how often the latest value that each source gave was the one that was sent."""
    for exchange, placed, given in _values(visitors):
        tally = tallies.get(PlaceKey.of(exchange.endpoint, placed))
        for source in tally.sources if tally else ():
            if source in given.latest and tally:
                tally.latest[source] += 1
                tally.latest_right[source] += given.latest[source] == str(placed.value)


def _sources_of(tally: _Tally) -> dict[Source, int]:
    """Return the sources that are usually right, one for each endpoint, and how often they were."""
    best: dict[str, tuple[tuple[int, int, int, str], Source]] = {}
    for source in tally.sources:
        right = tally.latest_right[source]
        if right < MAJORITY * tally.latest[source] or right < MIN_SOURCE_SHARE * tally.given or not right:
            continue
        rank = (right, -len(_INDEX.findall(source.pointer)), -source.pointer.count("/"), source.pointer)
        best[source.endpoint] = max(best.get(source.endpoint, (rank, source)), (rank, source))
    return {source: rank[0] for rank, source in best.values()}


def _name(
    taken: Mapping[PlaceKey, Mapping[Source, int]],
) -> tuple[dict[PlaceKey, Extracted], dict[str, tuple[Extract, ...]]]:
    """Name what is taken: places that share a source share a name."""
    groups: list[tuple[set[PlaceKey], Counter[Source]]] = []
    for place, sources in taken.items():
        joined = [group for group in groups if group[1].keys() & sources.keys()]
        places, counts = {place}, Counter(sources)
        for group in joined:
            places |= group[0]
            counts += group[1]
            groups.remove(group)
        groups.append((places, counts))
    origins: dict[PlaceKey, Extracted] = {}
    extracts: dict[str, list[Extract]] = defaultdict(list)
    names: set[str] = set()
    for places, counts in sorted(groups, key=lambda group: min(group[0])):
        chosen = _one_an_endpoint(counts)
        name = _free_name(chosen[0], names)
        names.add(name)
        origins |= dict.fromkeys(places, Extracted(name=name))
        for source in chosen:
            extracts[source.endpoint].append(Extract(name=name, pointer=source.pointer))
    return origins, {endpoint: tuple(found) for endpoint, found in sorted(extracts.items())}


def _one_an_endpoint(counts: Counter[Source]) -> list[Source]:
    """Return the source of each endpoint that was right most often, the best first."""
    chosen: dict[str, Source] = {}
    for source in sorted(counts, key=lambda source: (-counts[source], source)):
        chosen.setdefault(source.endpoint, source)
    return list(chosen.values())


def _free_name(source: Source, names: set[str]) -> str:
    words = [part for part in source.pointer.split("/") if part and not part.isdigit()]
    short = slug(words[-1] if words else "value")
    whole = slug(f"{source.endpoint} {source.pointer}")
    numbered = (f"{whole[:70].rstrip('_')}_{number}" for number in range(2, len(names) + 3))
    return next(name for name in (short, whole, *numbered) if name not in names)
