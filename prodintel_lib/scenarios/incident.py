"""From an incident's evidence to the scenarios that hold the system to its healthy behaviour.

The builder looks only at the shape of the evidence: which requests went bad, which dependency at the end of the chain
was degraded, which routes suffered although they do not need it, and how users read back what they created. No rule
knows an incident, a service or a route by name. Every oracle comes from healthy requests, an SLO, or HTTP itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib import __version__
from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.faults import ObservedFault, build_condition
from prodintel_lib.scenarios.model import (
    Action,
    Answered,
    Apply,
    Condition,
    Evidence,
    Expectation,
    Lift,
    Prepare,
    Provenance,
    Recovers,
    Request,
    Scenario,
    ScenarioKind,
    Send,
    Settles,
    Suite,
    Symptom,
)
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.scenarios.readback import ReadBack

MISS_CHANCE: Final = 1e-4
MIN_CUSTOMERS: Final = 5
MAX_CUSTOMERS: Final = 40
TRIP_CUSTOMERS: Final = 10
FAST_PROBES: Final = 5
RECOVERY_S: Final = 30.0
RECOVERY_TRIES: Final = 15
DEADLINE_RATIO: Final = 3.0
MIN_DEADLINE_MS: Final = 500
ACCEPTED_LATER: Final = 202


@dataclass(frozen=True, slots=True)
class Replay:
    """One route's requests as they may be sent again, with what healthy answers look like.

    Attributes
    ----------
    prepare : tuple of Request
        What a customer does before.
    request : Request
    healthy_statuses : tuple of int
        2xx statuses of the baseline, sorted.
    healthy_p99_ms : float
    healthy_n : int
    slo_ms : int or None
        The latency its SLO promises.
    """

    prepare: tuple[Request, ...]
    request: Request
    healthy_statuses: tuple[int, ...]
    healthy_p99_ms: float
    healthy_n: int
    slo_ms: int | None = None

    @property
    def deadline_ms(self) -> int:
        """The SLO's latency; without one, three times the healthy p99 and at least half a second."""
        if self.slo_ms is not None:
            return self.slo_ms
        return max(MIN_DEADLINE_MS, 50 * math.ceil(DEADLINE_RATIO * self.healthy_p99_ms / 50))

    @property
    def oracle(self) -> str:
        """Say where the deadline and the statuses come from."""
        statuses = ", ".join(map(str, self.healthy_statuses))
        healthy = f"healthy p99 {self.healthy_p99_ms:,.0f} ms and statuses {statuses} (n {self.healthy_n:,})"
        return f"SLO {self.slo_ms:,} ms; {healthy}" if self.slo_ms is not None else healthy


@dataclass(frozen=True, slots=True)
class ScenarioEvidence:
    """Everything the builder looks at.

    Attributes
    ----------
    subject : Replay
        The route whose failure users met first and most.
    symptom : Symptom
    fault : ObservedFault or None
        The degraded dependency at the end of the chain.
    collateral : Replay or None
        A route that went bad although its healthy requests do not call the degraded dependency.
    collateral_symptom : Symptom or None
    peak_in_flight : int
        Most requests of the subject's route in flight at once during the incident.
    read_back : ReadBack or None
    """

    incident_id: str
    title: str
    input_digest: str
    critical: bool
    subject: Replay
    symptom: Symptom
    fault: ObservedFault | None
    proxies: Mapping[str, str]
    collateral: Replay | None
    collateral_symptom: Symptom | None
    peak_in_flight: int
    read_back: ReadBack | None


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
    builders = [_graceful, _fails_fast, _isolation, _integrity]
    scenarios = [scenario for build in builders if (scenario := build(evidence)) is not None]
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
    return _scenario(
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
        expectations=(_answered("answers", subject, refusals=fault is not None),),
    )


def _fails_fast(evidence: ScenarioEvidence) -> Scenario:
    """After repeated failures the answer must come as fast as a healthy one does."""
    subject, fault = evidence.subject, evidence.fault
    condition = build_condition(fault, proxies=evidence.proxies, rate=1.0) if fault else None
    budget_ms = max(MIN_DEADLINE_MS, 50 * math.ceil(2 * subject.healthy_p99_ms / 50))
    expected = _answered("after", subject, refusals=fault is not None)
    fast = expected.model_copy(
        update={
            "deadline_ms": min(budget_ms, subject.deadline_ms),
            "oracle": f"twice the healthy p99 of {subject.healthy_p99_ms:,.0f} ms (n {subject.healthy_n:,}), "
            f"at least {MIN_DEADLINE_MS} ms",
        }
    )
    return _scenario(
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
        expectations=(fast,),
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
    return _scenario(
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
        expectations=(_answered("others_answers", other, refusals=False),),
    )


def _integrity(evidence: ScenarioEvidence) -> Scenario:
    """Hold it to its word: what was accepted during the fault is there afterwards, and the route recovers."""
    subject, fault, read_back = evidence.subject, evidence.fault, evidence.read_back
    condition = build_condition(fault, proxies=evidence.proxies) if fault else None
    customers = customers_to_show(fault.rate) if fault else MIN_CUSTOMERS
    request = subject.request
    if read_back and read_back.extract not in request.extracts:
        request = request.model_copy(update={"extracts": (*request.extracts, read_back.extract)})
    expectations: list[Expectation] = [
        _answered("during", subject, refusals=fault is not None),
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
                read=_authorised_like(read_back.request, subject.request),
                facts=read_back.facts,
                within_s=RECOVERY_S,
                oracle=f"what {read_back.pairs:,} healthy read-backs have in common",
            )
        )
    return _scenario(
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


def _authorised_like(read: Request, subject: Request) -> Request:
    """Read with the headers the subject was sent with."""
    headers = tuple(part for part in subject.replacements if part.into == "header")
    return read.model_copy(update={"replacements": (*read.replacements, *headers)})


def _applied(condition: Condition | None) -> tuple[Action, ...]:
    return (Apply(conditions=(condition.id,)),) if condition else ()


def _answered(label: str, replay: Replay, *, refusals: bool) -> Answered:
    later = {ACCEPTED_LATER} if refusals and replay.request.writes else set()
    return Answered(
        of=label,
        deadline_ms=replay.deadline_ms,
        statuses=tuple(sorted({*replay.healthy_statuses, *later})),
        refusals=refusals,
        oracle=replay.oracle,
    )


def _clause(fault: ObservedFault) -> str:
    verb = "hangs" if fault.mode == "hangs" else "fails"
    return f"{fault.dependency} {verb} for {100 * fault.rate:.0f} % of calls"


def _scenario(
    evidence: ScenarioEvidence,
    *,
    kind: ScenarioKind,
    name: str,
    title: str,
    condition: Condition | None,
    actions: Sequence[Action],
    expectations: Sequence[Expectation],
    symptom: Symptom | None = None,
) -> Scenario:
    met = symptom or evidence.symptom
    observations = [Evidence(saw=met.words, table="spans", n=met.requests)]
    if evidence.fault and condition:
        observations.append(Evidence(saw=condition.seen, table="spans", n=evidence.fault.calls))
    return Scenario(
        id=slug(name, fallback="scenario"),
        title=title,
        kind=kind,
        priority="P0" if evidence.critical and kind in {"graceful_handling", "integrity_recovery"} else "P1",
        seen=met.words,
        symptom=met,
        evidence=tuple(observations),
        conditions=(condition,) if condition else (),
        actions=tuple(actions),
        expectations=tuple(expectations),
        provenance=Provenance(
            generator=f"prodintel {__version__}", incident_id=evidence.incident_id, input_digest=evidence.input_digest
        ),
    )
