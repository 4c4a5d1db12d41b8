"""How users see afterwards what they created: the route that shows it, and what it shows when all is well.

Learned from healthy sessions: a later GET whose path holds a value that the creating answer gave. What its answers
have in common is the oracle; nothing is taken from a failing answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.model import Extract, Extracted, Fact, Replacement, Request
from prodintel_lib.scenarios.recorded import RecordedRequest, leaves, slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

MIN_PAIRS: Final = 5
MIN_ID_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A read-back learned from healthy sessions.

    Attributes
    ----------
    request : Request
        The GET, with the created thing's id to be replaced.
    extract : Extract
        Where the creating answer holds that id.
    facts : tuple of Fact
        What every healthy read-back showed.
    pairs : int
        Creations that were read back: the n behind the facts.
    """

    request: Request
    extract: Extract
    facts: tuple[Fact, ...]
    pairs: int


@dataclass(frozen=True, slots=True)
class _Pair:
    created: RecordedRequest
    read: RecordedRequest
    pointer: str
    segment: int


def learn_read_back(sessions: Mapping[str, Sequence[RecordedRequest]], subject: str) -> ReadBack | None:
    """Learn how what `subject` creates is read back.

    Parameters
    ----------
    sessions : mapping of session id to requests
        Healthy requests only count; others are passed over.
    subject : str
        The creating request's label, ``POST /api/orders``.

    Returns
    -------
    ReadBack or None
        None where fewer than five creations were read back, or their read-backs have nothing in common.
    """
    pairs = [pair for requests in sessions.values() for pair in _pairs(requests, subject)]
    if not pairs:
        return None
    shape = Counter((pair.read.route, pair.pointer, pair.segment) for pair in pairs).most_common(1)[0][0]
    alike = [pair for pair in pairs if (pair.read.route, pair.pointer, pair.segment) == shape]
    facts = tuple(_facts(alike))
    if len(alike) < MIN_PAIRS or not facts:
        return None
    first = min(alike, key=lambda pair: (pair.read.time_us, pair.read.trace_id))
    extract = Extract(name=slug(first.pointer.rsplit("/", 1)[-1]), pointer=first.pointer)
    request = Request(
        id=slug(first.read.label, fallback="request"),
        method=first.read.method,
        route=first.read.route,
        path=first.read.path,
        query=first.read.query,
        replacements=(Replacement(into="path", at=str(first.segment), value=Extracted(name=extract.name)),),
    )
    return ReadBack(request, extract, facts, len(alike))


def _pairs(requests: Sequence[RecordedRequest], subject: str) -> Iterable[_Pair]:
    """Yield each healthy creation with the last healthy read of what it created."""
    for created in requests:
        if created.label != subject or created.bad or not created.succeeded:
            continue
        given = {
            value: pointer
            for pointer, value in leaves(created.answer)
            if isinstance(value, str) and len(value) >= MIN_ID_LENGTH
        }
        last: _Pair | None = None
        for read in requests:
            if read.method != "GET" or read.time_us <= created.time_us or read.bad or not isinstance(read.answer, dict):
                continue
            for segment, value in enumerate(read.path.lstrip("/").split("/")):
                if value in given:
                    last = _Pair(created, read, given[value], segment)
        if last:
            yield last


def _facts(pairs: Sequence[_Pair]) -> Iterable[Fact]:
    """Yield what holds in every pair: constants, values equal to the creating answer's, lists of one length."""
    shown = [dict(_shallow(pair.read.answer)) for pair in pairs]
    answered = [dict(_shallow(pair.created.answer)) for pair in pairs]
    everywhere = set.intersection(*(set(part) for part in shown))
    for pointer in sorted(everywhere):
        values = [part[pointer] for part in shown]
        if all(isinstance(value, list) for value in values):
            lengths = {len(value) for value in values if isinstance(value, list)}
            if lengths == {1}:
                yield Fact(pointer=pointer, check="length", value=1)
        elif len({repr(value) for value in values}) == 1 and not isinstance(values[0], dict | list):
            yield Fact(pointer=pointer, check="equals", value=values[0])
        elif all(pointer in part and part[pointer] == value for part, value in zip(answered, values, strict=True)):
            yield Fact(pointer=pointer, check="same_as_answer", other=pointer)


def _shallow(value: JsonValue) -> Iterable[tuple[str, JsonValue]]:
    """Yield the members of a JSON object by pointer, lists as they are."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(inner, dict):
                yield f"/{key.replace('~', '~0').replace('/', '~1')}", inner
