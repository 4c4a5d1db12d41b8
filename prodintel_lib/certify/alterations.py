"""What a proxy changes in answers to see whether a test notices: a status, an id, the values of a body, all of it."""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from prodintel_lib.scenarios.model import Prepare, Send, Settles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prodintel_lib.scenarios.model import Request, Scenario, Suite

Kind = Literal["unaltered", "server_error", "other_success", "other_id", "other_values", "no_body"]
UNALTERED: Final[Kind] = "unaltered"
KINDS: Final[tuple[Kind, ...]] = ("server_error", "other_success", "other_id", "other_values", "no_body")
"""What is altered, one kind at a time; ``unaltered`` is the control: through the same proxy, with nothing changed."""

WORDS: Final[Mapping[Kind, str]] = {
    "unaltered": "nothing",
    "server_error": "status 500",
    "other_success": "another 2xx",
    "other_id": "ids",
    "other_values": "values",
    "no_body": "empty body",
}
_ID_NAME: Final = re.compile(r"(^|[_-])(?i:id|uuid|guid)s?$|[a-z0-9](Id|ID|Uuid|UUID|Guid|GUID)s?$")
_ID_SHAPE: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|(?=[a-z]*[0-9])[0-9a-f]{16,}", re.IGNORECASE)

Json = Any


@dataclass(frozen=True, slots=True)
class Target:
    """A request whose answers a test looks at.

    Attributes
    ----------
    method : str
    segments : tuple of (str or None)
        The path, decoded; None where the value differs from send to send.
    pointers : tuple of str
        Where the answer holds values that later requests use: ids, whatever they are called.
    skip : int
        How many such requests the customers' preparation sends first; those are none of the test's judgement.
    """

    method: str
    segments: tuple[str | None, ...]
    pointers: tuple[str, ...] = ()
    skip: int = 0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Target:
        """Read what `as_json` wrote."""
        return cls(content["method"], tuple(content["segments"]), tuple(content["pointers"]), content["skip"])

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "method": self.method,
            "segments": list(self.segments),
            "pointers": list(self.pointers),
            "skip": self.skip,
        }

    def matches(self, method: str, target: str) -> bool:
        """Say whether a request line asks for it; the query does not matter."""
        segments = [unquote(segment) for segment in urlsplit(f"//x{target}").path[1:].split("/")]
        return (
            method == self.method
            and len(segments) == len(self.segments)
            and all(own in {None, came} for own, came in zip(self.segments, segments, strict=True))
        )


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """The parts of an answer that an alteration may change."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)


def find_targets(suite: Suite) -> dict[str, list[Target]]:
    """Return, by test name, the requests whose answers each scenario's expectations judge, read-backs included."""
    return {f"test_{scenario.id}": list(_targets(scenario)) for scenario in suite.scenarios}


def alter(answer: AnswerParts, kind: str, pointers: Iterable[str] = (), *, step: int = 1) -> AnswerParts:
    """Return the answer altered in one way; unchanged where there is nothing of that kind to alter.

    Parameters
    ----------
    answer : AnswerParts
    kind : str
        One of `KINDS`, or ``unaltered``.
    pointers : iterable of str
        JSON pointers to ids, besides what is named or looks like one.
    step : int
        How far values move. Answers that a test compares need steps of their own, or the same change in both would
        leave them equal.
    """
    succeeded = 200 <= answer.status < 300
    if kind == "server_error":
        return AnswerParts(500, answer.body, answer.headers)
    if kind == "other_success" and succeeded:
        return AnswerParts(202 if answer.status == 200 else 200, answer.body, answer.headers)
    if kind not in {"other_id", "other_values", "no_body"} or not succeeded:
        return answer
    try:
        document = json.loads(answer.body)
    except ValueError:
        return AnswerParts(answer.status, b"", answer.headers) if kind == "no_body" else answer
    altered = _altered(document, kind, frozenset(pointers), step)
    if altered == document:
        return answer
    return AnswerParts(answer.status, json.dumps(altered).encode(), answer.headers)


def _targets(scenario: Scenario) -> Iterable[Target]:
    judged = {expectation.of for expectation in scenario.expectations}
    requests = [action.request for action in scenario.actions if isinstance(action, Send) and action.label in judged]
    requests += [expectation.read for expectation in scenario.expectations if isinstance(expectation, Settles)]
    prepared = [
        (request, action.customers)
        for action in scenario.actions
        if isinstance(action, Prepare)
        for request in action.requests
    ]
    seen = set()
    for request in requests:
        target = _target(request)
        skip = sum(customers for other, customers in prepared if target.matches(other.method, other.path))
        if (target.method, target.segments) not in seen:
            seen.add((target.method, target.segments))
            yield Target(target.method, target.segments, target.pointers, skip)


def _target(request: Request) -> Target:
    varying = {int(part.at) for part in request.replacements if part.into == "path"}
    segments = [unquote(segment) for segment in request.path[1:].split("/")]
    return Target(
        request.method,
        tuple(None if place in varying else segment for place, segment in enumerate(segments)),
        tuple(extract.pointer for extract in request.extracts),
    )


def _altered(document: Json, kind: str, pointers: frozenset[str], step: int) -> Json:
    if kind == "no_body":
        return [] if isinstance(document, list) else {}

    def change(value: Json, pointer: str, name: str) -> Json:
        is_id = pointer in pointers or bool(_ID_NAME.search(name)) or _looks_like_id(value)
        return _other(value, step) if is_id == (kind == "other_id") else value

    return _mapped(document, change)


def _mapped(value: Json, change: Callable[[Json, str, str], Json], pointer: str = "", name: str = "") -> Json:
    if isinstance(value, dict):
        return {
            key: _mapped(part, change, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", key)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_mapped(part, change, f"{pointer}/{place}", name) for place, part in enumerate(value)]
    return change(value, pointer, name)


def _looks_like_id(value: Json) -> bool:
    return isinstance(value, str) and bool(_ID_SHAPE.search(value))


def _other(value: Json, step: int) -> Json:
    """Return another value of the same type, `step` away."""
    if isinstance(value, bool):
        return value if step % 2 == 0 else not value
    if isinstance(value, int | float):
        return value + step
    if isinstance(value, str):
        moved = "".join(_moved(letter, step) for letter in value)
        return moved if moved != value else value + "x" * step
    return "x" * step


def _moved(letter: str, step: int) -> str:
    for letters in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        place = letters.find(letter)
        if place >= 0:
            return letters[(place + step) % len(letters)]
    return letter
