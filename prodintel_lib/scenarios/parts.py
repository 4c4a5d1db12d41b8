"""What the builders of scenarios share: the evidence they look at, and the parts every scenario is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib import __version__
from prodintel_lib.scenarios.model import (
    Answered,
    Evidence,
    Provenance,
    Scenario,
)
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.scenarios.contrast import Contrast
    from prodintel_lib.scenarios.crowds import Crowd
    from prodintel_lib.scenarios.faults import ObservedFault
    from prodintel_lib.scenarios.model import Action, Condition, Expectation, Extract, Request, ScenarioKind, Symptom
    from prodintel_lib.scenarios.readback import ReadBack

MIN_CUSTOMERS: Final = 5
TRIP_CUSTOMERS: Final = 10
FAST_PROBES: Final = 5
RECOVERY_S: Final = 30.0
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
    at_once : Request or None
        A request of `prepare` that failing customers sent twice at the same moment.
    twice : bool
        Whether it is `request` itself that they sent twice.
    """

    prepare: tuple[Request, ...]
    request: Request
    healthy_statuses: tuple[int, ...]
    healthy_p99_ms: float
    healthy_n: int
    slo_ms: int | None = None
    at_once: Request | None = None
    twice: bool = False

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
class Disturbance:
    """What somebody else sends, after which others fail.

    Attributes
    ----------
    prepare : tuple of Request
        What such a customer does before.
    request : Request
    customers : int
        How many of them it takes.
    comes_first : bool
        Whether those who failed had begun only after it: their set-up follows it.
    """

    prepare: tuple[Request, ...]
    request: Request
    customers: int
    comes_first: bool


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
    contrast : Contrast or None
        What sets failing requests apart, where no dependency is degraded.
    otherwise : Replay or None
        What customers did who were spared.
    crowd : Crowd or None
        Whether the failing requests came in crowds, where nothing else sets them apart.
    disturbance : Disturbance or None
        What others sent shortly before, where that sets the failing ones apart.
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
    contrast: Contrast | None = None
    otherwise: Replay | None = None
    crowd: Crowd | None = None
    disturbance: Disturbance | None = None


def answered(label: str, replay: Replay, *, refusals: bool) -> Answered:
    """Expect answers in time, with the statuses healthy ones had; or an honest refusal, where that is allowed."""
    later = {ACCEPTED_LATER} if refusals and replay.request.writes else set()
    return Answered(
        of=label,
        deadline_ms=replay.deadline_ms,
        statuses=tuple(sorted({*replay.healthy_statuses, *later})),
        refusals=refusals,
        oracle=replay.oracle,
    )


def fast_answer(label: str, replay: Replay, *, refusals: bool) -> Answered:
    """Expect an answer that is as fast as a healthy one: within twice the healthy p99, and half a second at least."""
    budget_ms = max(MIN_DEADLINE_MS, 50 * math.ceil(2 * replay.healthy_p99_ms / 50))
    return answered(label, replay, refusals=refusals).model_copy(
        update={
            "deadline_ms": min(budget_ms, replay.deadline_ms),
            "oracle": f"twice the healthy p99 of {replay.healthy_p99_ms:,.0f} ms (n {replay.healthy_n:,}), "
            f"at least {MIN_DEADLINE_MS} ms",
        }
    )


def keeping(request: Request, extract: Extract) -> Request:
    """Keep a value of its answer as well."""
    if extract in request.extracts:
        return request
    return request.model_copy(update={"extracts": (*request.extracts, extract)})


def authorised_like(read: Request, subject: Request) -> Request:
    """Read with the headers the subject was sent with."""
    headers = tuple(part for part in subject.replacements if part.into == "header")
    return read.model_copy(update={"replacements": (*read.replacements, *headers)})


def scenario(
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
    """Put a scenario together with its symptom, evidence and provenance."""
    met = symptom or evidence.symptom
    observations = [Evidence(saw=met.words, table="spans", n=met.requests)]
    if condition:
        observations.append(
            Evidence(saw=condition.seen, table="spans", n=evidence.fault.calls if evidence.fault else None)
        )
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
