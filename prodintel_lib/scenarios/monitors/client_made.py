"""Values that clients make up: sent again as they were recorded, they would name what the last run has left behind."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.model import Replacement
from prodintel_lib.scenarios.recorded import leaves, machine_made

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prodintel_lib.scenarios.model import Request
    from prodintel_lib.scenarios.recorded import RecordedRequest

MIN_VALUES: Final = 20

Place = tuple[str, str]
"""Method and route, and the JSON pointer into the body."""


def find_client_made(sessions: Mapping[str, Sequence[RecordedRequest]]) -> frozenset[Place]:
    """Find the places of written bodies whose values clients make up for each request.

    Sessions that were recorded from one script share such values, so that who sent them says nothing: a place is one
    where all values look made by a machine, they are many, and no answer ever held one of them, though the answers to
    these requests were recorded.

    Parameters
    ----------
    sessions : mapping of session to its requests

    Returns
    -------
    frozenset of (method and route, pointer)
    """
    sent: dict[Place, set[str]] = defaultdict(set)
    answered: set[str] = set()
    known: set[str] = set()
    for request in (each for requests in sessions.values() for each in requests):
        answered.update(leaf for _, leaf in leaves(request.answer) if isinstance(leaf, str))
        if request.answer is not None:
            known.add(request.label)
        for pointer, leaf in leaves(request.body) if request.writes else ():
            if isinstance(leaf, str):
                sent[request.label, pointer].add(leaf)
    return frozenset(
        place
        for place, values in sent.items()
        if place[0] in known and len(values) >= MIN_VALUES and not values & answered and all(map(machine_made, values))
    )


def with_fresh_values(steps: Iterable[Request], places: frozenset[Place]) -> tuple[Request, ...]:
    """Return requests in which such values are made anew for every send."""
    return tuple(_with_fresh_values(step, places) for step in steps)


def _with_fresh_values(step: Request, places: frozenset[Place]) -> Request:
    replaced = {part.at for part in step.replacements if part.into == "body"}
    fresh = [
        Replacement(into="body", at=pointer, value=made)
        for pointer, leaf in leaves(step.body)
        if (f"{step.method} {step.route}", pointer) in places and pointer not in replaced
        if isinstance(leaf, str) and (made := machine_made(leaf)) is not None
    ]
    return step.model_copy(update={"replacements": (*step.replacements, *fresh)}) if fresh else step
