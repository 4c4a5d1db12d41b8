"""What the runs of a search say about every part of the original scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prodintel_lib.minimise.parts import (
    list_actions,
    list_conditions,
    list_expectations,
    list_guards,
    list_set_up_requests,
    without,
)
from prodintel_lib.minimise.payload import list_parts, payload_lists, with_items, without_parts
from prodintel_lib.minimise.result import Finding
from prodintel_lib.scenarios.model import Behaviour, DependencyFault, Prepare, Send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.minimise.bench import Bench, Verdict
    from prodintel_lib.minimise.result import Role
    from prodintel_lib.scenarios.model import Scenario

NumberUnit = Literal["delay_ms", "customers", "copies", "at_once"]
NUMBER_UNITS: Final[tuple[NumberUnit, ...]] = ("delay_ms", "customers", "copies", "at_once")
"""In the order in which they are lowered."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number in a scenario that may be less.

    Attributes
    ----------
    unit : {"delay_ms", "customers", "copies", "at_once"}
        ``at_once``: whether several customers send at the same moment, 1 or 0.
    of : str
        The id of the condition or the label it belongs to.
    value : int
    """

    unit: NumberUnit
    of: str
    value: int


def numbers_of(scenario: Scenario) -> list[Numbers]:
    """List the numbers that may be less; delays first, since every run waits for them."""
    found = [
        Numbers("delay_ms", condition.id, condition.latency_ms)
        for condition in scenario.conditions
        if isinstance(condition, DependencyFault) and condition.latency_ms is not None
    ]
    customers = {action.label: action.customers for action in scenario.actions if isinstance(action, Prepare)}
    found += [Numbers("customers", label, count) for label, count in customers.items()]
    sends = [action for action in scenario.actions if isinstance(action, Send)]
    found += [Numbers("copies", send.label, send.copies) for send in sends]
    found += [
        Numbers("at_once", send.label, 1)
        for send in sends
        if send.how == "together" and send.copies == 1 and customers[send.customers] > 1
    ]
    return [number for number in found if number.unit == "at_once" or number.value > 1]


def with_number(scenario: Scenario, number: Numbers, value: int) -> Scenario:
    """Return the scenario with another value of a number; 0 of ``at_once`` sends one after another."""
    actions = list(scenario.actions)
    for n, action in enumerate(actions):
        if isinstance(action, Prepare) and (number.unit, number.of) == ("customers", action.label):
            actions[n] = action.model_copy(update={"customers": value})
        elif isinstance(action, Send) and (number.unit, number.of) == ("copies", action.label):
            actions[n] = action.model_copy(update={"copies": value})
        elif isinstance(action, Send) and (number.unit, number.of) == ("at_once", action.label):
            actions[n] = action.model_copy(update={"how": "together" if value else "in_turn"})
    conditions = tuple(
        each.model_copy(update={"latency_ms": value})
        if isinstance(each, DependencyFault) and (number.unit, number.of) == ("delay_ms", each.id)
        else each
        for each in scenario.conditions
    )
    return scenario.model_copy(update={"actions": tuple(actions), "conditions": conditions})


def gather_findings(
    original: Scenario,
    minimal: Scenario,
    bench: Bench,
    gone: Mapping[tuple[str, str], Finding],
    *,
    observed: Verdict,
) -> tuple[Finding, ...]:
    """Say of every part whether it mattered, with the runs that tell.

    Parameters
    ----------
    original, minimal : Scenario
    bench : Bench
        Remembers every candidate.
    gone : mapping
        What was left out, by unit and name.
    observed : Verdict
        The runs of the minimal scenario itself.

    Returns
    -------
    tuple of Finding
        What mattered first, then what was reduced, what did not matter, and what was not tried.
    """
    findings = [*_conditions(minimal, bench), *_left(minimal, bench), *_numbers(original, minimal, bench, observed)]
    findings += _lists(original, minimal, bench, observed)
    known = {(finding.unit, finding.name) for finding in findings}
    findings += [finding for key, finding in gone.items() if key not in known]
    known |= set(gone)
    for part in (*list_expectations(original), *list_conditions(original), *list_actions(original),
                 *list_set_up_requests(original)):  # fmt: skip
        if (part.unit, part.name) not in known:
            why = "went with what it belonged to"
            findings.append(Finding(part.unit, part.name, "did_not_matter", why=why))
    return tuple(sorted(findings, key=lambda each: (_ROLES.index(each.role), _UNITS.index(each.unit))))


_ROLES: Final = ("mattered", "needed", "reduced", "did_not_matter", "unclear", "not_tried")
_UNITS: Final = (
    "condition",
    "delay_ms",
    "at_once",
    "copies",
    "customers",
    "expectation",
    "action",
    "set_up_request",
    "payload_list",
    "payload_field",
)


def _conditions(minimal: Scenario, bench: Bench) -> Iterator[Finding]:
    """Ask the controls: they leave out the last condition that is left, and customers' behaviour."""
    faults = [each for each in minimal.conditions if isinstance(each, DependencyFault)]
    shown, runs = bench.controls_of(minimal)
    for condition in minimal.conditions:
        if isinstance(condition, Behaviour) or len(faults) == 1:
            role: Role = "mattered" if runs and not shown else "not_tried"
            yield Finding("condition", condition.id, role, shown, runs)


def _left(minimal: Scenario, bench: Bench) -> Iterator[Finding]:
    parts = [*list_expectations(minimal), *list_actions(minimal), *list_set_up_requests(minimal)]
    faults, guards = list_conditions(minimal), list_guards(minimal)
    for part in (*(faults if len(faults) > 1 else []), *parts):
        if part in guards:
            yield Finding(part.unit, part.name, "needed", why="shows that no run begins in the wake of the one before")
        else:
            yield _of_verdict(part.unit, part.name, bench.known(without(minimal, [part])))
    for field in list_parts(minimal):
        yield _of_verdict("payload_field", field.name, bench.known(without_parts(minimal, [field])))


def _lists(original: Scenario, minimal: Scenario, bench: Bench, observed: Verdict) -> Iterator[Finding]:
    """Tell how long each list still is; the items of a short one were tried one by one as well."""
    left = dict(payload_lists(minimal))
    for name, before in payload_lists(original).items():
        if name not in left:
            continue
        which = left[name]
        shorter = [with_items(minimal, which, 0, which.length - 1), with_items(minimal, which, 1, which.length)]
        verdicts = [verdict for each in shorter if (verdict := bench.known(each))] if which.length > 1 else [observed]
        told = max(verdicts, key=lambda each: each.shown) if verdicts else None
        yield _of_number("payload_list", name, before.length, which.length, told)


def _numbers(original: Scenario, minimal: Scenario, bench: Bench, observed: Verdict) -> Iterator[Finding]:
    left = {(number.unit, number.of): number for number in numbers_of(minimal)}
    labels = {action.label for action in minimal.actions if isinstance(action, Prepare | Send)}
    labels |= {condition.id for condition in minimal.conditions}
    for number in numbers_of(original):
        if number.of not in labels:
            continue
        after = left.get((number.unit, number.of))
        if after is not None:
            less = {"delay_ms": after.value // 2, "at_once": 0}.get(number.unit, after.value - 1)
            verdict = bench.known(with_number(minimal, after, less))
            yield _of_number(number.unit, number.of, number.value, after.value, verdict)
        else:
            # One customer, one copy, one after another: there is no less, and the scenario itself is what tells.
            yield _of_number(number.unit, number.of, number.value, 0 if number.unit == "at_once" else 1, observed)


def _of_number(unit: str, name: str, before: int, after: int, verdict: Verdict | None) -> Finding:
    if verdict is None:
        return Finding(unit, name, "not_tried", before=before, after=after)
    role: Role = "mattered" if after == before else "reduced"
    if unit == "at_once" and not after:
        role = "did_not_matter"
    elif verdict.is_unclear:
        role = "unclear"
    return Finding(unit, name, role, verdict.shown, verdict.runs, verdict.why, before, after)


def _of_verdict(unit: str, name: str, verdict: Verdict | None) -> Finding:
    if verdict is None:
        return Finding(unit, name, "not_tried")
    role: Role = "needed" if verdict.why else "unclear" if verdict.is_unclear else "mattered"
    return Finding(unit, name, role, verdict.shown, verdict.runs, verdict.why)
