"""A suite as plain data under names: what the generated modules and feature files hold apart from their code."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.scenarios.model import (
    Answered,
    Apply,
    Behaviour,
    DependencyFault,
    Disturb,
    Extracted,
    Fresh,
    Lift,
    Prepare,
    Recovers,
    Send,
    Settles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.scenarios.model import Condition, Expectation, Fact, Replacement, Request, Scenario, Suite, Wait

Data = dict[str, Any]

_DEFAULT_DEADLINE_MS: Final = 10_000
_MAX_NAME: Final = 90
_TAKEN: Final = frozenset({"conditions", "incident", "pytest", "system", *keyword.kwlist, *dir(builtins)})


def module_name(incident_id: str) -> str:
    """Name the modules of an incident.

    The prefix keeps an incident called `json` from hiding a library.

    Examples
    --------
    >>> module_name("INC-2024-1234"), module_name("P7.x")
    ('inc_2024_1234', 'inc_p7_x')
    """
    slug = re.sub(r"[^a-z0-9]+", "_", incident_id.lower()).strip("_")
    return slug if slug.startswith("inc_") else f"inc_{slug}"


def request_data(request: Request) -> Data:
    """Return a request as data, without what it does not have."""
    data: Data = {"id": request.id, "method": request.method, "route": request.route, "path": request.path}
    if request.query:
        data["query"] = [list(pair) for pair in request.query]
    if request.headers:
        data["headers"] = [list(pair) for pair in request.headers]
    if request.body is not None:
        data["body"] = request.model_dump(mode="json")["body"]
    if request.replacements:
        data["replacements"] = [_replacement_data(replacement) for replacement in request.replacements]
    if request.extracts:
        data["extracts"] = [{"name": extract.name, "pointer": extract.pointer} for extract in request.extracts]
    return data


def _replacement_data(replacement: Replacement) -> Data:
    data: Data = {"into": replacement.into, "at": replacement.at}
    value = replacement.value
    if isinstance(value, Fresh):
        data["fresh"] = value.format
        return data if value.format == "uuid" else data | {"length": value.length}
    if isinstance(value, Extracted):
        data["extracted"] = value.name
        return data | {"prefix": value.prefix} if value.prefix else data
    return data | {"masked": value.name}


def condition_data(condition: Condition) -> Data:
    """Return a condition as data."""
    data = condition.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
    return {"id": data.pop("id"), **data}


def expectation_data(expectation: Expectation) -> Data:
    """Return an expectation as data; its label and its read-back stand in the code."""
    data = expectation.model_dump(mode="json", exclude={"kind", "of", "read"})
    if isinstance(expectation, Settles):
        data["facts"] = [
            {"pointer": fact.pointer, "check": fact.check, **_compared(fact)} for fact in expectation.facts
        ]
    return data


def _compared(fact: Fact) -> Data:
    if fact.check == "same_as_answer":
        return {"other": fact.other}
    return {"value": fact.model_dump(mode="json")["value"]}


def scenario_data(scenario: Scenario, suite: Suite) -> Data:
    """Return what is known about a scenario: what was seen, the symptom, the evidence, and when answers are late."""
    data = scenario.model_dump(mode="json", include={"id", "title", "kind", "priority", "seen", "symptom", "evidence"})
    symptom, evidence = data.pop("symptom"), data.pop("evidence")
    behaviours = [
        {"differs": condition.differs, "seen": condition.seen}
        for condition in scenario.conditions
        if isinstance(condition, Behaviour)
    ]
    if behaviours:
        data["behaviours"] = behaviours
    return {**data, "deadline_ms": deadline_ms(scenario, suite), "symptom": symptom, "evidence": evidence}


def deadline_ms(scenario: Scenario, suite: Suite) -> int:
    """Return the longest deadline of a scenario; where it has none, of its suite."""
    own, others = ([e.deadline_ms for e in _answered(each)] for each in ([scenario], suite.scenarios))
    return max(own or others or [_DEFAULT_DEADLINE_MS])


def _answered(scenarios: Sequence[Scenario]) -> Iterator[Answered]:
    return (e for scenario in scenarios for e in scenario.expectations if isinstance(e, Answered))


def requests_of(scenario: Scenario) -> Iterator[Request]:
    """Yield every request of a scenario in the order of first use: prepared, sent, read back."""
    for action in scenario.actions:
        if isinstance(action, Prepare):
            yield from (*action.requests, *(action.otherwise or ()))
        elif isinstance(action, Disturb):
            yield action.request
        elif isinstance(action, Send):
            yield from (action.request, *([action.otherwise] if action.otherwise else []))
    for expectation in scenario.expectations:
        if isinstance(expectation, Settles):
            yield expectation.read


def recovery_of(scenario: Scenario, send: Send) -> Recovers | None:
    """Return what a request is sent for until recovered; None where it is sent once each."""
    found = (part for part in scenario.expectations if isinstance(part, Recovers) and part.of == send.label)
    return next(found, None)


def writes(scenario: Scenario) -> bool:
    """Say whether a scenario may change the system."""
    return any(request.writes for request in requests_of(scenario))


def has_conditions(scenario: Scenario) -> bool:
    """Say whether a scenario applies or lifts conditions."""
    return any(isinstance(action, (Apply, Lift)) for action in scenario.actions)


@dataclass(slots=True)
class Names:
    """Names for values: the same value under one name, and no name for two values."""

    values: dict[str, Any] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def name(self, preferred: str, value: object) -> str:
        """Return the name of a value: the preferred one, numbered where another value has it."""
        key = json.dumps([preferred, value], sort_keys=True)
        if key not in self._names:
            short = preferred[:_MAX_NAME]
            candidates = (short, *(f"{short}_{n}" for n in range(2, len(self.values) + 3)))
            self._names[key] = next(name for name in candidates if name not in self.values)
            self.values[self._names[key]] = value
        return self._names[key]


@dataclass(slots=True)
class SuiteData:
    """The data of a suite under the names of constants, in the order a reader meets them."""

    suite: Suite
    names: Names = field(default_factory=Names)

    def __post_init__(self) -> None:
        digest = self.suite.scenarios[0].provenance.input_digest
        known = {"id": self.suite.incident_id, "title": self.suite.title, "input_digest": digest}
        self.names.name("INCIDENT", known)
        for scenario in self.suite.scenarios:
            for request in requests_of(scenario):
                self.request(request)
        for scenario in self.suite.scenarios:
            for condition in scenario.conditions:
                if isinstance(condition, DependencyFault):
                    self.condition(condition)

    def request(self, request: Request) -> str:
        """Name a request."""
        return self.names.name(request.id.upper(), request_data(request))

    def condition(self, condition: Condition) -> str:
        """Name a condition."""
        return self.names.name(condition.id.upper(), condition_data(condition))

    def copies(self, send: Send) -> str:
        """Name a number of copies."""
        return self.names.name(f"{send.label.upper()}_COPIES", send.copies)

    def wait(self, wait: Wait) -> str:
        """Name a time to wait."""
        return self.names.name("WAIT_S", wait.seconds)

    def count(self, prepare: Prepare) -> str:
        """Name a number of customers."""
        return self.names.name(f"{prepare.label.upper()}_COUNT", prepare.customers)

    def expectation(self, expectation: Expectation) -> str:
        """Name an expectation."""
        what = {"answered": "ANSWERED", "settles": "SETTLED", "recovers": "RECOVERED"}[expectation.kind]
        preferred = f"{expectation.of.upper()}_{what}"
        return self.names.name(preferred, expectation_data(expectation))

    def scenario(self, scenario: Scenario) -> str:
        """Name what is known about a scenario."""
        return self.names.name(scenario.id.upper(), scenario_data(scenario, self.suite))


def variable_names(scenario: Scenario) -> dict[tuple[str, str], str]:
    """Name the variables of a test: by ``("customers", label)`` and ``("answers", label)``."""
    named: dict[tuple[str, str], str] = {}
    wanted = [("customers", action.label) for action in scenario.actions if isinstance(action, Prepare)]
    wanted += [("answers", action.label) for action in scenario.actions if isinstance(action, Send)]
    for kind, label in wanted:
        if (kind, label) not in named:
            candidates = (label, f"{label}_{kind}", f"{label}_")
            named[kind, label] = next(n for n in candidates if n not in _TAKEN and n not in named.values())
    return named
