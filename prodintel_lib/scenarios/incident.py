"""From an incident's evidence to the scenarios that hold the system to its healthy behaviour.

The builder looks only at the shape of the evidence: which requests went bad, which dependency at the end of the chain
was degraded, which routes suffered although they do not need it, and how users read back what they created. No rule
knows an incident, a service or a route by name. Every oracle comes from healthy requests, an SLO, or HTTP itself.
"""

from __future__ import annotations

import math
from typing import Final

from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.behaviour import build_behaviour_scenarios, build_crowd_scenarios, build_wake_scenarios
from prodintel_lib.scenarios.faults import ObservedFault, build_condition
from prodintel_lib.scenarios.model import (
    Action,
    Apply,
    Condition,
    Expectation,
    Lift,
    Prepare,
    Recovers,
    Scenario,
    Send,
    Settles,
    Suite,
)
from prodintel_lib.scenarios.parts import (
    FAST_PROBES,
    MIN_CUSTOMERS,
    RECOVERY_S,
    TRIP_CUSTOMERS,
    ScenarioEvidence,
    answered,
    authorised_like,
    fast_answer,
    keeping,
    scenario,
)

MISS_CHANCE: Final = 1e-4
MAX_CUSTOMERS: Final = 40
RECOVERY_TRIES: Final = 15


def build_suite(evidence: ScenarioEvidence) -> Suite:
    """Build the scenarios of an incident: graceful handling, failing fast, isolation, integrity and recovery.

    Raises
    ------
    NoDataError
        If there is no healthy request to take an oracle from.
    """
    if not evidence.subject.healthy_n:
        raise NoDataError(
            f"No healthy `{evidence.subject.request.method} {evidence.subject.request.route}` before the incident, "
            "so a test would have no oracle.",
            hint="add telemetry from before the incident to the sources.",
        )
    if evidence.contrast and evidence.disturbance:
        woken = build_wake_scenarios(evidence, evidence.contrast, evidence.disturbance)
        return Suite(incident_id=evidence.incident_id, title=evidence.title, scenarios=tuple(woken))
    if evidence.contrast:
        told_apart = build_behaviour_scenarios(evidence, evidence.contrast)
        return Suite(incident_id=evidence.incident_id, title=evidence.title, scenarios=tuple(told_apart))
    if evidence.crowd:
        rushed = build_crowd_scenarios(evidence, evidence.crowd)
        return Suite(incident_id=evidence.incident_id, title=evidence.title, scenarios=tuple(rushed))
    builders = [_graceful, _fails_fast, _isolation, _integrity]
    scenarios = [made for build in builders if (made := build(evidence)) is not None]
    return Suite(incident_id=evidence.incident_id, title=evidence.title, scenarios=tuple(scenarios))


def customers_to_show(rate: float) -> int:
    """Return how many customers make it nearly certain (1 - 1e-4) that a fault of that rate strikes at least one."""
    if rate >= 1:
        return MIN_CUSTOMERS
    return min(MAX_CUSTOMERS, max(MIN_CUSTOMERS, math.ceil(math.log(MISS_CHANCE) / math.log(1 - rate))))


def _graceful(evidence: ScenarioEvidence) -> Scenario:
    subject, fault = evidence.subject, evidence.fault
    condition = build_condition(fault, proxies=evidence.proxies) if fault else None
    customers = customers_to_show(fault.rate) if fault else MIN_CUSTOMERS
    return scenario(
        evidence,
        kind="graceful_handling",
        name=f"{subject.request.id} is answered" + (f" while {condition.id}" if condition else ""),
        title=f"{subject.request.method} {subject.request.route} is answered in time"
        + (f" while {_clause(fault)}" if fault else ""),
        condition=condition,
        actions=(
            Prepare(customers=customers, requests=subject.prepare, label="visitors"),
            *_applied(condition),
            Send(request=subject.request, customers="visitors", label="answers"),
        ),
        expectations=(answered("answers", subject, refusals=fault is not None),),
    )


def _fails_fast(evidence: ScenarioEvidence) -> Scenario:
    """After repeated failures the answer must come as fast as a healthy one does."""
    subject, fault = evidence.subject, evidence.fault
    condition = build_condition(fault, proxies=evidence.proxies, rate=1.0) if fault else None
    return scenario(
        evidence,
        kind="fails_fast",
        name=f"{subject.request.id} fails fast" + (f" when {condition.id}" if condition else ""),
        title=f"After repeated failures {subject.request.method} {subject.request.route} is answered fast",
        condition=condition,
        actions=(
            Prepare(customers=TRIP_CUSTOMERS, requests=subject.prepare, label="first"),
            Prepare(customers=FAST_PROBES, requests=subject.prepare, label="later"),
            *_applied(condition),
            Send(request=subject.request, customers="first", label="failures"),
            Send(request=subject.request, customers="later", how="in_turn", label="after"),
        ),
        expectations=(fast_answer("after", subject, refusals=fault is not None),),
    )


def _isolation(evidence: ScenarioEvidence) -> Scenario | None:
    """Hold a route that does not need the degraded dependency to its healthy behaviour while the others wait."""
    other, symptom, fault, subject = (
        evidence.collateral,
        evidence.collateral_symptom,
        evidence.fault,
        evidence.subject,
    )
    if other is None or symptom is None or fault is None:
        return None
    condition = build_condition(fault, proxies=evidence.proxies)
    waiting = min(MAX_CUSTOMERS, max(customers_to_show(fault.rate), evidence.peak_in_flight))
    return scenario(
        evidence,
        kind="isolation",
        name=f"{other.request.id} stays healthy while {condition.id}",
        title=f"{other.request.method} {other.request.route} stays healthy while {subject.request.method} "
        f"{subject.request.route} waits",
        condition=condition,
        symptom=symptom,
        actions=(
            Prepare(customers=waiting, requests=subject.prepare, label="visitors"),
            Prepare(customers=MIN_CUSTOMERS, requests=other.prepare, label="others"),
            *_applied(condition),
            Send(request=subject.request, customers="visitors", how="behind", label="waiting"),
            Send(request=other.request, customers="others", label="others_answers"),
        ),
        expectations=(answered("others_answers", other, refusals=False),),
    )


def _integrity(evidence: ScenarioEvidence) -> Scenario:
    """Hold it to its word: what was accepted during the fault is there afterwards, and the route recovers."""
    subject, fault, read_back = evidence.subject, evidence.fault, evidence.read_back
    condition = build_condition(fault, proxies=evidence.proxies) if fault else None
    customers = customers_to_show(fault.rate) if fault else MIN_CUSTOMERS
    request = subject.request
    if read_back:
        request = keeping(request, read_back.extract)
    expectations: list[Expectation] = [
        answered("during", subject, refusals=fault is not None),
        Recovers(
            of="after",
            deadline_ms=subject.deadline_ms,
            statuses=subject.healthy_statuses,
            within_s=RECOVERY_S,
            oracle=subject.oracle,
        ),
    ]
    if read_back:
        expectations.append(
            Settles(
                of="during",
                read=authorised_like(read_back.request, subject.request),
                facts=read_back.facts,
                within_s=RECOVERY_S,
                oracle=f"what {read_back.pairs:,} healthy read-backs have in common",
            )
        )
    return scenario(
        evidence,
        kind="integrity_recovery",
        name=f"{subject.request.id} keeps its word and recovers",
        title=f"What {subject.request.method} {subject.request.route} accepted is there afterwards, once, "
        "and the route recovers",
        condition=condition,
        actions=(
            Prepare(customers=customers, requests=subject.prepare, label="visitors"),
            Prepare(customers=RECOVERY_TRIES, requests=subject.prepare, label="later_visitors"),
            *_applied(condition),
            Send(request=request, customers="visitors", label="during"),
            Lift(),
            Send(request=subject.request, customers="later_visitors", how="until_recovered", label="after"),
        ),
        expectations=tuple(expectations),
    )


def _applied(condition: Condition | None) -> tuple[Action, ...]:
    return (Apply(conditions=(condition.id,)),) if condition else ()


def _clause(fault: ObservedFault) -> str:
    verb = "hangs" if fault.mode == "hangs" else "fails"
    return f"{fault.dependency} {verb} for {100 * fault.rate:.0f} % of calls"
