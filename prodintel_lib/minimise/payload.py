"""What requests hold: query parameters, headers, members and items of bodies; and requests without some of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prodintel_lib.scenarios.model import Prepare, Send, Settles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.model import Action, Expectation, Replacement, Request, Scenario

MOST_SINGLE_ITEMS: Final = 12
"""Items of a longer list are not tried one by one: it is made shorter from its ends."""

Key = str | int
Keys = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class PayloadPart:
    """One thing that the requests of an id hold.

    Attributes
    ----------
    request : str
        The id of the requests.
    place : {"query", "header", "body"}
    keys : tuple
        The name; for a body the way down to a member or an item.
    """

    request: str
    place: Literal["query", "header", "body"]
    keys: Keys

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.request}: {self.place} {pointer_of(self.keys) if self.place == 'body' else self.keys[0]}"


@dataclass(frozen=True, slots=True)
class PayloadList:
    """A list in the body of the requests of an id."""

    request: str
    keys: Keys
    length: int

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.request}: items of body {pointer_of(self.keys) or '/'}"


def list_parts(scenario: Scenario) -> list[PayloadPart]:
    """List what the failing customers' requests hold, outer parts before those inside them."""
    parts: dict[PayloadPart, None] = {}
    for request in failing_requests(scenario):
        for name, _ in request.query:
            parts[PayloadPart(request.id, "query", (name,))] = None
        carried = (part.at for part in request.replacements if part.into == "header")
        for name in (*(name for name, _ in request.headers), *carried):
            parts[PayloadPart(request.id, "header", (name.lower(),))] = None
        for keys in _ways(request.body):
            parts[PayloadPart(request.id, "body", keys)] = None
    return sorted(parts, key=lambda part: len(part.keys))


def list_lists(scenario: Scenario) -> list[PayloadList]:
    """List the lists of several items in the failing customers' bodies, outer ones first."""
    return sorted(
        (each for each in payload_lists(scenario).values() if each.length > 1), key=lambda each: len(each.keys)
    )


def payload_lists(scenario: Scenario) -> dict[str, PayloadList]:
    """Return every list in the failing customers' bodies by its name, also one that is empty."""
    found: dict[str, PayloadList] = {}
    for request in failing_requests(scenario):
        for keys, length in _lists(request.body):
            which = PayloadList(request.id, keys, length)
            found.setdefault(which.name, which)
    return found


def without_parts(scenario: Scenario, parts: Collection[PayloadPart]) -> Scenario:
    """Return the scenario without these parts, wherever requests of their ids are sent, by whomever.

    List items are taken from the failing customers' requests only: those who were spared sent other lists.
    """

    def reduce(request: Request, *, spared: bool) -> Request:
        own = [part for part in parts if part.request == request.id]
        if spared:
            own = [part for part in own if not any(isinstance(key, int) for key in part.keys)]
        return _without(request, own) if own else request

    return map_requests(scenario, reduce)


def with_items(scenario: Scenario, which: PayloadList, start: int, stop: int) -> Scenario:
    """Return the scenario with only the items ``[start, stop)`` of a list that failing customers send."""
    gone = [PayloadPart(which.request, "body", (*which.keys, n)) for n in (*range(start), *range(stop, which.length))]
    return without_parts(scenario, gone)


def failing_requests(scenario: Scenario) -> Iterator[Request]:
    """Yield the requests of customers under the conditions, and of read-backs."""
    for action in scenario.actions:
        if isinstance(action, Prepare):
            yield from action.requests
        elif hasattr(action, "request"):
            yield action.request
    for expectation in scenario.expectations:
        if isinstance(expectation, Settles):
            yield expectation.read


def map_requests(scenario: Scenario, change: Callable[..., Request]) -> Scenario:
    """Return the scenario with every request changed by ``change(request, spared=...)``."""

    def failing(request: Request) -> Request:
        return change(request, spared=False)

    def spared(request: Request | None) -> Request | None:
        return None if request is None else change(request, spared=True)

    def act(action: Action) -> Action:
        if isinstance(action, Prepare):
            otherwise = (
                None if action.otherwise is None else tuple(change(each, spared=True) for each in action.otherwise)
            )
            return action.model_copy(update={"requests": tuple(map(failing, action.requests)), "otherwise": otherwise})
        if isinstance(action, Send):
            return action.model_copy(update={"request": failing(action.request), "otherwise": spared(action.otherwise)})
        return action.model_copy(update={"request": failing(action.request)}) if hasattr(action, "request") else action

    def expect(expectation: Expectation) -> Expectation:
        if isinstance(expectation, Settles):
            return expectation.model_copy(update={"read": failing(expectation.read)})
        return expectation

    return scenario.model_copy(
        update={
            "actions": tuple(map(act, scenario.actions)),
            "expectations": tuple(map(expect, scenario.expectations)),
        }
    )


def pointer_of(keys: Sequence[Key]) -> str:
    """Write a way down a document as a JSON pointer."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)


def keys_of(pointer: str, document: JsonValue) -> Keys | None:
    """Read a JSON pointer as the way down a document; None where the document has no such place."""
    keys: list[Key] = []
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            keys.append(int(key))
            document = document[int(key)]
        elif isinstance(document, dict) and key in document:
            keys.append(key)
            document = document[key]
        else:
            return None
    return tuple(keys)


def _ways(document: JsonValue, above: Keys = ()) -> Iterator[Keys]:
    if isinstance(document, dict):
        inside: Iterable[tuple[Key, JsonValue]] = document.items()
    elif isinstance(document, list) and len(document) <= MOST_SINGLE_ITEMS:
        inside = enumerate(document)
    else:
        return
    for key, value in inside:
        yield (*above, key)
        yield from _ways(value, (*above, key))


def _lists(document: JsonValue, above: Keys = ()) -> Iterator[tuple[Keys, int]]:
    if isinstance(document, list):
        yield above, len(document)
        if len(document) <= MOST_SINGLE_ITEMS:
            for n, item in enumerate(document):
                yield from _lists(item, (*above, n))
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _lists(value, (*above, key))


def _without(request: Request, parts: Collection[PayloadPart]) -> Request:
    named = {(part.place, str(part.keys[0]).lower() if part.place == "header" else part.keys[0]) for part in parts}
    # Inner and later places first, so that a way down still leads where it did.
    ways = sorted({part.keys for part in parts if part.place == "body"}, key=_order, reverse=True)
    body, replacements = request.body, list(request.replacements)
    for keys in ways:
        replacements = [moved for each in replacements if (moved := _moved(each, keys, body)) is not None]
        body = _taken_out(body, keys)
    return request.model_copy(
        update={
            "query": tuple(pair for pair in request.query if ("query", pair[0]) not in named),
            "headers": tuple(pair for pair in request.headers if ("header", pair[0].lower()) not in named),
            "body": body,
            "replacements": tuple(
                each
                for each in replacements
                if (each.into, each.at.lower() if each.into == "header" else each.at) not in named
            ),
        }
    )


def _order(keys: Keys) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(key, int), key if isinstance(key, int) else 0, str(key)) for key in keys)


def _taken_out(document: JsonValue, keys: Keys) -> JsonValue:
    head, *rest = keys
    if isinstance(document, dict) and head in document:
        if not rest:
            return {key: value for key, value in document.items() if key != head}
        return {key: _taken_out(value, tuple(rest)) if key == head else value for key, value in document.items()}
    if isinstance(document, list) and isinstance(head, int) and head < len(document):
        if not rest:
            return [*document[:head], *document[head + 1 :]]
        return [_taken_out(value, tuple(rest)) if n == head else value for n, value in enumerate(document)]
    return document


def _moved(replacement: Replacement, gone: Keys, body: JsonValue) -> Replacement | None:
    """Return a replacement as it is once a place is gone: elsewhere in its list, or not at all."""
    at = keys_of(replacement.at, body) if replacement.into == "body" else None
    if at is None or len(at) < len(gone) or at[: len(gone) - 1] != gone[:-1]:
        return replacement
    own, last = at[len(gone) - 1], gone[-1]
    if own == last:
        return None
    if isinstance(own, int) and isinstance(last, int) and own > last:
        shifted = (*gone[:-1], own - 1, *at[len(gone) :])
        return replacement.model_copy(update={"at": pointer_of(shifted)})
    return replacement
