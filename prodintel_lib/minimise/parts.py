"""The parts of a scenario apart from what its requests hold; scenarios without some of them; and which are valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from prodintel_lib.minimise.payload import list_parts, payload_lists
from prodintel_lib.scenarios.model import (
    Apply,
    Behaviour,
    DependencyFault,
    Disturb,
    Extracted,
    Lift,
    Prepare,
    Recovers,
    Scenario,
    Send,
    Settles,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from prodintel_lib.scenarios.model import Action, Request

Unit = Literal["condition", "expectation", "action", "set_up_request"]
Address = tuple[int, ...] | str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a scenario.

    Attributes
    ----------
    unit : str
    name : str
        How people call it; it stays the same while other parts go.
    at : tuple of int or str
        Where it is in the scenario it was listed from.
    """

    unit: Unit
    name: str
    at: Address


def list_conditions(scenario: Scenario) -> list[Part]:
    """List the dependency faults that are applied."""
    return [
        Part("condition", condition.id, condition.id)
        for condition in scenario.conditions
        if isinstance(condition, DependencyFault)
    ]


def list_expectations(scenario: Scenario) -> list[Part]:
    """List what is expected."""
    return [
        Part("expectation", f"{expectation.of} {_EXPECTED[expectation.kind]}", (n,))
        for n, expectation in enumerate(scenario.expectations)
    ]


def list_actions(scenario: Scenario) -> list[Part]:
    """List whole actions; applying a condition is left to the conditions."""
    return [
        Part("action", _told(action), (n,))
        for n, action in enumerate(scenario.actions)
        if not isinstance(action, Apply)
    ]


def list_set_up_requests(scenario: Scenario) -> list[Part]:
    """List the requests that bring customers to the point before the failure."""
    return [
        Part("set_up_request", f"{request.method} {request.route} by {action.label}", (n, m))
        for n, action in enumerate(scenario.actions)
        if isinstance(action, Prepare)
        for m, request in enumerate(action.requests)
    ]


def list_guards(scenario: Scenario) -> frozenset[Part]:
    """List the parts that make sure the system is well before others disturb it; they are no part of what failed.

    Without them a run begins in the wake of the run before, and shows a symptom that it did not bring about.
    """
    kinds = [isinstance(action, Disturb) for action in scenario.actions]
    if True not in kinds:
        return frozenset()
    first = kinds.index(True)
    guards = [each for each in scenario.actions[:first] if isinstance(each, Send) and each.how == "until_recovered"]
    labels = {each.label for each in guards}
    others = {
        each.customers for each in scenario.actions if isinstance(each, Send | Disturb) and each not in guards
    }  # fmt: skip
    customers = {each.customers for each in guards} - others

    def is_guard(action: Action) -> bool:
        return action in guards or (isinstance(action, Prepare) and action.label in customers)

    acting = {n for n, action in enumerate(scenario.actions) if is_guard(action)}
    return frozenset(
        [part for part in list_expectations(scenario) if scenario.expectations[int(part.at[0])].of in labels]
        + [part for part in (*list_actions(scenario), *list_set_up_requests(scenario)) if int(part.at[0]) in acting]
    )


def without(scenario: Scenario, parts: Collection[Part]) -> Scenario:
    """Return the scenario without these parts, and without what nothing needs any more then."""
    gone = {(part.unit, part.at) for part in parts}
    actions: list[Action] = []
    for n, action in enumerate(scenario.actions):
        if ("action", (n,)) in gone:
            continue
        kept = action
        if isinstance(action, Apply):
            ids = tuple(each for each in action.conditions if ("condition", each) not in gone)
            kept = action.model_copy(update={"conditions": ids})
        elif isinstance(action, Prepare):
            kept = _without_requests(
                action, {m for m in range(len(action.requests)) if ("set_up_request", (n, m)) in gone}
            )
        actions.append(kept)
    return tidied(
        scenario.model_copy(
            update={
                "actions": tuple(actions),
                "expectations": tuple(
                    each for n, each in enumerate(scenario.expectations) if ("expectation", (n,)) not in gone
                ),
            }
        )
    )


def tidied(scenario: Scenario) -> Scenario:
    """Take away what has lost its point: customers nobody asks for, expectations of nothing, conditions not applied."""
    while True:
        actions = tuple(action for action in scenario.actions if _has_a_point(action, scenario))
        sent = {action.label for action in actions if isinstance(action, Send)}
        applied = {each for action in actions if isinstance(action, Apply) for each in action.conditions}
        smaller = scenario.model_copy(
            update={
                "actions": actions,
                "expectations": tuple(each for each in scenario.expectations if each.of in sent),
                "conditions": tuple(
                    each for each in scenario.conditions if isinstance(each, Behaviour) or each.id in applied
                ),
            }
        )
        if smaller == scenario:
            return scenario
        scenario = smaller


def why_invalid(scenario: Scenario) -> str:
    """Say why a scenario cannot be run at all; empty where it can.

    A value that a request takes from an earlier answer has to come from a request that is still sent before it.
    """
    if not scenario.expectations:
        return "nothing would be judged"
    try:
        Scenario.model_validate(scenario.model_dump())
    except ValidationError as error:
        return "; ".join(str(each["msg"]) for each in error.errors())
    return _missing_value(scenario, spared=False) or _missing_value(scenario, spared=True)


def measure(scenario: Scenario) -> dict[str, int]:
    """Return the size of a scenario in each unit."""
    prepares = [action for action in scenario.actions if isinstance(action, Prepare)]
    sends = [action for action in scenario.actions if isinstance(action, Send)]
    customers = {action.label: action.customers for action in prepares}
    return {
        "conditions": len(scenario.conditions),
        "longest_delay_ms": max(
            (each.latency_ms or 0 for each in scenario.conditions if isinstance(each, DependencyFault)), default=0
        ),
        "actions": len(scenario.actions),
        "set_up_requests": sum(len(action.requests) for action in prepares),
        "customers": sum(customers.values()),
        "at_once": max(
            (customers[send.customers] * send.copies for send in sends if send.how not in _IN_TURN), default=1
        ),
        "payload_fields": len(list_parts(scenario)),
        "list_items": sum(each.length for each in payload_lists(scenario).values()),
        "requests_sent": sum(len(action.requests) * action.customers for action in prepares)
        + sum(customers[action.customers] * action.copies for action in sends)
        + sum(customers[action.customers] for action in scenario.actions if isinstance(action, Disturb)),
        "expectations": len(scenario.expectations),
    }


_IN_TURN = ("in_turn", "until_recovered")
_EXPECTED = {"answered": "are answered", "settles": "are there afterwards", "recovers": "show that it recovered"}


def _told(action: Action) -> str:
    if isinstance(action, Prepare):
        return f"customers {action.label}"
    if isinstance(action, Send):
        return f"{action.label}: {action.request.method} {action.request.route} by {action.customers}"
    if isinstance(action, Disturb):
        return f"disturbance: {action.request.method} {action.request.route} by {action.customers}"
    return f"wait of {action.seconds:g} s" if isinstance(action, Wait) else "lifting the conditions"


def _without_requests(action: Prepare, gone: Collection[int]) -> Prepare:
    """Drop requests, and those of the same ids among what spared customers sent."""
    ids = {action.requests[m].id for m in gone}
    return action.model_copy(
        update={
            "requests": tuple(each for m, each in enumerate(action.requests) if m not in gone),
            "otherwise": None
            if action.otherwise is None
            else tuple(each for each in action.otherwise if each.id not in ids),
        }
    )


def _has_a_point(action: Action, scenario: Scenario) -> bool:
    customers = {each.customers for each in scenario.actions if isinstance(each, Send | Disturb)}
    prepared = {each.label for each in scenario.actions if isinstance(each, Prepare)}
    if isinstance(action, Prepare):
        return action.label in customers
    if isinstance(action, Send) and action.how == "until_recovered":
        judged = {each.of for each in scenario.expectations if isinstance(each, Recovers)}
        return action.label in judged and action.customers in prepared
    if isinstance(action, Send | Disturb):
        return action.customers in prepared
    if isinstance(action, Apply):
        return bool(action.conditions)
    return not isinstance(action, Lift) or any(isinstance(each, Apply) for each in scenario.actions)


def _missing_value(scenario: Scenario, *, spared: bool) -> str:
    given: dict[str, set[str]] = {}
    at_send: dict[str, set[str]] = {}
    for action in scenario.actions:
        known: set[str] = set()
        requests: Iterable[Request] = ()
        if isinstance(action, Prepare):
            requests = action.otherwise if spared and action.otherwise is not None else action.requests
            given[action.label] = known
        elif isinstance(action, Send | Disturb):
            other = action.otherwise if isinstance(action, Send) else None
            requests = (other if spared and other else action.request,)
            known = given[action.customers]
        for request in requests:
            if lost := _needed(request) - known:
                return f"{request.method} {request.route} needs `{min(lost)}` of an answer before it"
            known |= {extract.name for extract in request.extracts}
        if isinstance(action, Send):
            at_send[action.label] = set(known)
    for expectation in scenario.expectations:
        if isinstance(expectation, Settles) and (lost := _needed(expectation.read) - at_send[expectation.of]):
            return f"{expectation.read.method} {expectation.read.route} needs `{min(lost)}` of an answer before it"
    return ""


def _needed(request: Request) -> set[str]:
    return {each.value.name for each in request.replacements if isinstance(each.value, Extracted)}
