"""Scenarios of an incident that no dependency explains: customers who behave as the failing ones did must be served.

What sets them apart (an input, a history, a number of items, two requests at once) is the condition: without it the
scenarios send what was sent by those who were spared.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.model import (
    Action,
    Behaviour,
    Disturb,
    Expectation,
    Fresh,
    Prepare,
    Recovers,
    Replacement,
    Send,
    Settles,
    Wait,
)
from prodintel_lib.scenarios.parts import (
    FAST_PROBES,
    MIN_CUSTOMERS,
    RECOVERY_S,
    TRIP_CUSTOMERS,
    answered,
    authorised_like,
    fast_answer,
    keeping,
    scenario,
)

if TYPE_CHECKING:
    from prodintel_lib.scenarios.contrast import Contrast
    from prodintel_lib.scenarios.crowds import Crowd
    from prodintel_lib.scenarios.model import Request, Scenario
    from prodintel_lib.scenarios.parts import Disturbance, ScenarioEvidence

# A race is lost now and then; so many customers at once lose it surely often enough to be seen.
RACING_CUSTOMERS: Final = 16
COPIES: Final = 2
WAIT_MARGIN: Final = 1.1
MAX_CROWD: Final = 40
RECOVERY_TRIES: Final = 5
RESTED_TRIES: Final = 15
NOVEL: Final = Fresh(format="text", length=12)
WORDS: Final = {
    "at_once": "sent twice at once",
    "input": "with the input that failed",
    "size": "with as much as failed",
    "history": "with the history that failed",
    "wait": "after as long a time",
    "wake": "after what others sent",
    "crowd": "to a crowd at once",
}


def build_behaviour_scenarios(evidence: ScenarioEvidence, contrast: Contrast) -> list[Scenario]:
    """Build three scenarios: those who failed are answered, again and again, and what they were told holds."""
    condition = Behaviour(id=f"customers_{contrast.feature.shape}", differs=contrast.differs, seen=contrast.seen)
    return [build(evidence, condition, contrast) for build in (_answered, _goes_on, _holds)]


def _answered(evidence: ScenarioEvidence, condition: Behaviour, contrast: Contrast) -> Scenario:
    subject = evidence.subject
    return scenario(
        evidence,
        kind="graceful_handling",
        name=f"{subject.request.id} is answered {WORDS[contrast.feature.shape]}",
        title=f"{subject.request.method} {subject.request.route} is answered {WORDS[contrast.feature.shape]}",
        condition=condition,
        actions=(
            _prepare(evidence, _customers(contrast), "visitors"),
            *_waited(contrast),
            *_at_once(evidence, "visitors"),
            _send(evidence, subject.request, "visitors", "answers"),
        ),
        expectations=(answered("answers", subject, refusals=False),),
    )


def _goes_on(evidence: ScenarioEvidence, condition: Behaviour, contrast: Contrast) -> Scenario:
    subject = evidence.subject
    return scenario(
        evidence,
        kind="fails_fast",
        name=f"{subject.request.id} stays fast {WORDS[contrast.feature.shape]}",
        title=f"After many such requests {subject.request.method} {subject.request.route} is answered as fast as ever",
        condition=condition,
        actions=(
            _prepare(evidence, TRIP_CUSTOMERS, "first"),
            _prepare(evidence, max(FAST_PROBES, _customers(contrast)), "later"),
            *_waited(contrast),
            *_at_once(evidence, "first"),
            _send(evidence, subject.request, "first", "many"),
            *_at_once(evidence, "later"),
            _send(evidence, subject.request, "later", "after", in_turn=not subject.twice),
        ),
        expectations=(fast_answer("after", subject, refusals=False),),
    )


def _holds(evidence: ScenarioEvidence, condition: Behaviour, contrast: Contrast) -> Scenario:
    subject, read_back = evidence.subject, evidence.read_back
    request, otherwise = subject.request, evidence.otherwise.request if evidence.otherwise else None
    expectations: list[Expectation] = [answered("answers", subject, refusals=False)]
    if read_back and subject.request.writes:
        request = keeping(request, read_back.extract)
        otherwise = keeping(otherwise, read_back.extract) if otherwise else None
        expectations.append(
            Settles(
                of="answers",
                read=authorised_like(read_back.request, request),
                facts=read_back.facts,
                within_s=RECOVERY_S,
                oracle=f"what {read_back.pairs:,} healthy read-backs have in common",
            )
        )
    spared: list[Action] = []
    if evidence.otherwise:
        spared = [
            Prepare(customers=MIN_CUSTOMERS, requests=evidence.otherwise.prepare, label="others"),
            Send(request=evidence.otherwise.request, customers="others", label="others_answers"),
        ]
        expectations.append(answered("others_answers", evidence.otherwise, refusals=False))
    return scenario(
        evidence,
        kind="integrity_recovery",
        name=f"{subject.request.id} holds what it said {WORDS[contrast.feature.shape]}",
        title=f"What {subject.request.method} {subject.request.route} told them holds, and others stay healthy",
        condition=condition,
        actions=(
            _prepare(evidence, _customers(contrast), "visitors"),
            *_waited(contrast),
            *_at_once(evidence, "visitors"),
            _send(evidence, request, "visitors", "answers", otherwise=otherwise),
            *spared,
        ),
        expectations=tuple(expectations),
    )


def _waited(contrast: Contrast) -> tuple[Action, ...]:
    """Let a little more time go by than the shortest after which it failed."""
    threshold_s = contrast.feature.threshold
    if contrast.feature.shape != "wait" or threshold_s is None:
        return ()
    return (Wait(seconds=float(math.ceil(WAIT_MARGIN * threshold_s))),)


def _customers(contrast: Contrast) -> int:
    return RACING_CUSTOMERS if contrast.feature.shape == "at_once" else MIN_CUSTOMERS


def build_wake_scenarios(evidence: ScenarioEvidence, contrast: Contrast, disturbance: Disturbance) -> list[Scenario]:
    """Build three scenarios of those who fail for what somebody else sent shortly before."""
    condition = Behaviour(id="customers_wake", differs=contrast.differs, seen=contrast.seen)
    subject = evidence.subject
    words = f"{subject.request.method} {subject.request.route}"
    in_time = answered("answers", subject, refusals=False)
    visitors = _after(
        disturbance, "disturbers", Prepare(customers=MIN_CUSTOMERS, requests=subject.prepare, label="visitors")
    )
    later = _after(
        disturbance, "more_disturbers", Prepare(customers=FAST_PROBES, requests=subject.prepare, label="later_visitors")
    )
    recovering = Prepare(customers=RECOVERY_TRIES, requests=subject.prepare, label="later_visitors")
    # What an earlier disturbance left behind has to be over, or this one would not be seen.
    rested = (
        Prepare(customers=RESTED_TRIES, requests=subject.prepare, label="first_visitors"),
        Send(request=subject.request, customers="first_visitors", how="until_recovered", label="before"),
    )
    healthy_before = Recovers(
        of="before", deadline_ms=subject.deadline_ms, statuses=subject.healthy_statuses, within_s=RECOVERY_S,
        oracle=subject.oracle,
    )  # fmt: skip
    send = Send(request=subject.request, customers="visitors", label="answers")
    again = Send(request=subject.request, customers="later_visitors", label="after")
    calm = Send(request=subject.request, customers="later_visitors", how="until_recovered", label="after")
    return [
        scenario(
            evidence, kind="graceful_handling", name=f"{subject.request.id} is answered {WORDS['wake']}",
            title=f"{words} is answered {WORDS['wake']}", condition=condition,
            actions=(*rested, *visitors, send), expectations=(healthy_before, in_time),
        ),
        scenario(
            evidence, kind="fails_fast", name=f"{subject.request.id} stays fast {WORDS['wake']}",
            title=f"{words} is answered as fast as ever when others have sent it again", condition=condition,
            actions=(*rested, *visitors, send, *later, again),
            expectations=(healthy_before, in_time, fast_answer("after", subject, refusals=False)),
        ),
        scenario(
            evidence, kind="integrity_recovery", name=f"{subject.request.id} recovers from what others sent",
            title=f"{words} is answered {WORDS['wake']}, and is as before when they have gone", condition=condition,
            actions=(*rested, *visitors, send, recovering, calm),
            expectations=(
                healthy_before,
                in_time,
                Recovers(
                    of="after", deadline_ms=subject.deadline_ms, statuses=subject.healthy_statuses,
                    within_s=RECOVERY_S, oracle=subject.oracle,
                ),
            ),
        ),
    ]  # fmt: skip


def _after(disturbance: Disturbance, label: str, prepare: Prepare) -> tuple[Action, ...]:
    """Bring customers to the point before their request, and others to what disturbs it, in the order it was seen."""
    others = Prepare(customers=disturbance.customers, requests=disturbance.prepare, label=label)
    disturb = Disturb(request=disturbance.request, customers=label)
    return (others, disturb, prepare) if disturbance.comes_first else (prepare, others, disturb)


def build_crowd_scenarios(evidence: ScenarioEvidence, crowd: Crowd) -> list[Scenario]:
    """Build three scenarios of many who ask for one thing at once; for a new one, where caches had missed."""
    condition = Behaviour(id="customers_crowd", differs=crowd.differs, seen=crowd.seen)
    subject = evidence.subject
    fresh = tuple(Replacement(into="query", at=name, value=NOVEL) for name, _ in subject.request.query)
    request = subject.request
    if crowd.cold and fresh:
        known = tuple(part for part in request.replacements if part.into != "query")
        request = request.model_copy(update={"replacements": (*known, *fresh)})
    size = min(MAX_CROWD, crowd.peak)
    first = Prepare(customers=size, requests=subject.prepare, label="crowd")
    second = Prepare(customers=size, requests=subject.prepare, label="second_crowd")
    later = Prepare(customers=RECOVERY_TRIES, requests=subject.prepare, label="later_visitors")
    rush = Send(request=request, customers="crowd", how="crowd", label="answers")
    again = Send(request=request, customers="second_crowd", how="crowd", label="second_answers")
    calm = Send(request=request, customers="later_visitors", how="until_recovered", label="after")
    in_time = answered("answers", subject, refusals=False)
    words = f"{subject.request.method} {subject.request.route}"
    return [
        scenario(
            evidence, kind="graceful_handling", name=f"{subject.request.id} is answered {WORDS['crowd']}",
            title=f"{words} is answered in time to {size} who ask for the same at once", condition=condition,
            actions=(first, rush), expectations=(in_time,),
        ),
        scenario(
            evidence, kind="fails_fast", name=f"{subject.request.id} is answered to one crowd after another",
            title=f"{words} is answered in time to a second crowd as well", condition=condition,
            actions=(first, second, rush, again),
            expectations=(in_time, answered("second_answers", subject, refusals=False)),
        ),
        scenario(
            evidence, kind="integrity_recovery", name=f"{subject.request.id} recovers from a crowd",
            title=f"{words} is as before when the crowd has gone", condition=condition,
            actions=(first, later, rush, calm),
            expectations=(
                in_time,
                Recovers(
                    of="after", deadline_ms=subject.deadline_ms, statuses=subject.healthy_statuses,
                    within_s=RECOVERY_S, oracle=subject.oracle,
                ),
            ),
        ),
    ]  # fmt: skip


def _prepare(evidence: ScenarioEvidence, customers: int, label: str) -> Prepare:
    subject, otherwise = evidence.subject, evidence.otherwise
    requests = tuple(step for step in subject.prepare if step != subject.at_once)
    return Prepare(
        customers=customers, requests=requests, otherwise=otherwise.prepare if otherwise else None, label=label
    )


def _at_once(evidence: ScenarioEvidence, customers: str) -> tuple[Action, ...]:
    if evidence.subject.at_once is None:
        return ()
    return (Send(request=evidence.subject.at_once, customers=customers, copies=COPIES, label=f"{customers}_copies"),)


def _send(
    evidence: ScenarioEvidence,
    request: Request,
    customers: str,
    label: str,
    *,
    otherwise: Request | None = None,
    in_turn: bool = False,
) -> Send:
    if evidence.subject.twice:
        return Send(request=request, customers=customers, copies=COPIES, label=label)
    spared = otherwise or (evidence.otherwise.request if evidence.otherwise else None)
    return Send(
        request=request, otherwise=spared, customers=customers, how="in_turn" if in_turn else "together", label=label
    )
