"""From an incident's findings and its recorded sessions to the suite and the capsule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.causes import is_external
from prodintel_lib.analyses.frames import within
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import number, paragraph, table, tag, text
from prodintel_lib.scenarios.capsule import Capsule, Exemplar, build_capsule
from prodintel_lib.scenarios.contrast import Case, Contrast, collect_cases, find_contrast, find_wake_contrast
from prodintel_lib.scenarios.crowds import Crowd, find_crowd
from prodintel_lib.scenarios.exemplars import build_replay, bystanders, describe_exemplar, learn_disturbance
from prodintel_lib.scenarios.faults import ObservedFault, measure_fault
from prodintel_lib.scenarios.incident import build_suite
from prodintel_lib.scenarios.model import Suite, Symptom, SymptomKind
from prodintel_lib.scenarios.parts import ScenarioEvidence
from prodintel_lib.scenarios.readback import learn_read_back
from prodintel_lib.scenarios.recorded import Authorization, RecordedRequest, ValueIndex, read_recorded
from prodintel_lib.scenarios.wakes import WITHIN_S
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.workspace import RouteSlo

FAILING_SESSIONS: Final = 80
HEALTHY_SESSIONS: Final = 400
SPARED_SESSIONS: Final = 200
CRITICAL_SHARE: Final = 0.1
AROUND_SESSIONS: Final = 600


@dataclass(frozen=True, slots=True)
class IncidentScenarios:
    """The scenarios of an incident, and the capsule they rest on.

    Attributes
    ----------
    suite : Suite or None
        None where no test can be made; `reason` says why.
    capsule : Capsule
    reason : str
    """

    suite: Suite | None
    capsule: Capsule
    reason: str = ""

    def _repr_html_(self) -> str:
        if self.suite is None:
            return str(paragraph(f"No test was made. {self.reason}"))
        rows = [
            [
                text(scenario.kind.replace("_", " ")),
                text(scenario.title),
                text("; ".join(condition.seen for condition in scenario.conditions) or "no condition known"),
                text("; ".join(expectation.oracle for expectation in scenario.expectations[:1])),
                tag(scenario.priority),
            ]
            for scenario in self.suite.scenarios
        ]
        return str(table(["Kind", "Behaviour to hold", "Under", "Oracle", "Priority"], rows))


@dataclass(frozen=True, slots=True)
class CapsuleView:
    """How much of the capsule is known."""

    capsule: Capsule

    def _repr_html_(self) -> str:
        counts = self.capsule.counts
        total = sum(counts.values())
        rows = [[tag(how), number(counts[how]), number(total)] for how in ("observed", "inferred", "missing")]
        missing = [field.evidence[0] for field in self.capsule.fields_known() if field.how == "missing"]
        caption = f"Fidelity {self.capsule.fidelity:.2f}: observed fields count one, inferred ones a half." + (
            f" Missing: {'; '.join(missing)}." if missing else ""
        )
        return str(table(["Known", "Fields", "of"], rows, align="lrr", caption=caption))


def choose_sessions(findings: IncidentFindings) -> list[str]:
    """Choose the sessions whose requests are read in full: failing ones of the routes to replay, and healthy ones.

    The earliest come first, so that the choice does not depend on chance.
    """
    requests = findings.requests.drop_nulls("session_id")
    during = within(requests, findings.onset.window).filter(pl.col("bad"))
    chosen: dict[str, None] = {}
    for route in (findings.subject_route, findings.collateral_route):
        failing = during.filter(pl.col("route") == route)["session_id"].unique(maintain_order=True)
        chosen |= dict.fromkeys(failing.head(FAILING_SESSIONS).to_list())
    # Those who did well at the same time show what set the others apart.
    well = within(requests, findings.onset.window).filter(
        (pl.col("route") == findings.subject_route) & ~pl.col("bad").any().over("session_id")
    )
    chosen |= dict.fromkeys(well["session_id"].unique(maintain_order=True).head(SPARED_SESSIONS).to_list())
    healthy = within(requests, findings.onset.baseline).filter(~pl.col("bad").any().over("session_id"))
    subject_first = healthy.sort((pl.col("route") != findings.subject_route), "time_us")["session_id"]
    chosen |= dict.fromkeys(subject_first.unique(maintain_order=True).head(HEALTHY_SESSIONS).to_list())
    # Others' requests may have been what it took.
    around = findings.onset.window.widened(before_s=max(WITHIN_S))
    chosen |= dict.fromkeys(
        within(requests, around)["session_id"].unique(maintain_order=True).head(AROUND_SESSIONS).to_list()
    )
    return list(chosen)


def build_scenarios(
    findings: IncidentFindings,
    recorded: pl.DataFrame,
    *,
    slos: Sequence[RouteSlo] = (),
    proxies: Mapping[str, str] | None = None,
    authorization: Authorization | None = None,
) -> IncidentScenarios:
    """Build the suite and the capsule of an incident.

    Parameters
    ----------
    findings : IncidentFindings
    recorded : polars.DataFrame
        Entry spans of the chosen sessions with their bodies (see recorded.read_recorded).
    slos : sequence of RouteSlo
    proxies : mapping, optional
        Dependency to proxy name, from prodintel.yaml.
    authorization : Authorization, optional

    Returns
    -------
    IncidentScenarios
        Without a suite where no failing request can be sent again; understanding is worth having all the same.
    """
    try:
        suite, exemplars = _suite(findings, recorded, slos=slos, proxies=proxies or {}, authorization=authorization)
    except NoDataError as error:
        return IncidentScenarios(None, build_capsule(findings, []), f"{error.message} {error.hint}".strip())
    return IncidentScenarios(suite, build_capsule(findings, exemplars))


def _suite(
    findings: IncidentFindings,
    recorded: pl.DataFrame,
    *,
    slos: Sequence[RouteSlo],
    proxies: Mapping[str, str],
    authorization: Authorization | None,
) -> tuple[Suite, list[Exemplar]]:
    if not findings.subject_route:
        raise NoDataError(
            f"None of {findings.blast.requests.n:,} requests between {findings.onset.window.label()} was bad, so there "
            "is nothing to reproduce.",
            hint="If users met failures, the traces do not hold them.",
        )
    sessions = read_recorded(recorded)
    index = ValueIndex(sessions)
    fault = observe_fault(findings)
    cases = collect_cases(sessions, findings.subject_route)
    contrast = None if fault else _contrast(findings, cases)
    crowd = None if fault or contrast else _crowd(findings)
    if not (fault or contrast or crowd):
        contrast = _wake(cases, sessions)
    window = findings.onset.window
    failing = (
        bystanders(contrast)
        if contrast
        else [case for case in cases if case.bad and window.contains(case.request.time_us)]
    )
    subject, exemplar = build_replay(findings, findings.subject_route, failing, index, slos, authorization, contrast)
    if subject is None or exemplar is None:
        raise NoDataError(
            f"No failing `{findings.subject_route}` of a recorded session can be sent again, so no test can be made.",
            hint=_what_lacks(findings, recorded),
        )
    disturbance = learn_disturbance(contrast, sessions, index, authorization) if contrast else None
    otherwise = None
    if contrast and contrast.feature.shape not in {"at_once", "wait", "wake"}:
        otherwise, _ = build_replay(findings, findings.subject_route, contrast.healthy, index, slos, authorization)
    collateral = None
    if findings.collateral_route:
        others = collect_cases(sessions, findings.collateral_route)
        suffering = [case for case in others if case.bad and window.contains(case.request.time_us)]
        collateral, _ = build_replay(findings, findings.collateral_route, suffering, index, slos, authorization)
    suite = build_suite(
        ScenarioEvidence(
            incident_id=findings.record.incident_id,
            title=findings.record.title,
            input_digest=findings.digest,
            critical=findings.blast.users.share >= CRITICAL_SHARE if findings.blast.users.n else False,
            subject=subject,
            symptom=describe_symptom(findings, findings.subject_route, deadline_ms=subject.deadline_ms),
            fault=fault,
            contrast=contrast,
            otherwise=otherwise,
            crowd=crowd,
            disturbance=disturbance,
            proxies=proxies,
            collateral=collateral,
            collateral_symptom=(
                describe_symptom(findings, findings.collateral_route, deadline_ms=collateral.deadline_ms)
                if collateral
                else None
            ),
            peak_in_flight=findings.subject_in_flight,
            read_back=learn_read_back(sessions, findings.subject_route),
        )
    )
    return suite, [describe_exemplar(subject, exemplar)]


def _what_lacks(findings: IncidentFindings, recorded: pl.DataFrame) -> str:
    """Say what keeps a request from being sent again."""
    of_route = findings.requests.filter(pl.col("route") == findings.subject_route)
    if recorded.is_empty() and of_route["session_id"].null_count() < of_route.height:
        return "None of its sessions was recorded with a failing request."
    if of_route["http_request_method"].null_count() == of_route.height:
        return "Its spans hold no `http.request.method` and no `url.path`: a name alone cannot be sent."
    if recorded["url_path"].null_count() == recorded.height:
        return "Its spans hold no `url.path`: without it nobody knows where to send it."
    return "Entry spans need `session.id`, and `auth` in prodintel.yaml names the route that signs in."


def observe_fault(findings: IncidentFindings) -> ObservedFault | None:
    """Measure the fault of the degraded dependency at the end of the chain."""
    degraded = findings.degraded
    if not degraded or not is_external(degraded[0], findings.service_map):
        return None
    caller, _, dependency = degraded[0].subject.partition(" → ")
    return measure_fault(
        findings.calls,
        caller=caller,
        dependency=dependency,
        window=findings.onset.window,
        baseline=findings.onset.baseline,
    )


def describe_symptom(findings: IncidentFindings, route: str, *, deadline_ms: float | None = None) -> Symptom:
    """Describe how users met the failure of a route.

    Where most of what failed took longer than `deadline_ms`, a client that keeps the deadline has no answer by then.
    """
    during = within(findings.requests.filter(pl.col("route") == route), findings.onset.window)
    bad = during.filter(pl.col("bad"))
    failed = bad.filter(pl.col("failed"))
    slow = bad.filter(pl.col("duration_ms") > pl.col("slow_over_ms"))
    kinds: list[SymptomKind] = []
    late = bad.filter(pl.col("duration_ms") > deadline_ms) if deadline_ms is not None else slow
    if slow.height or 2 * late.height > bad.height:
        kinds.append("no_answer_in_time")
    if failed.height:
        kinds.append("server_error")
    statuses = failed["http_response_status_code"].drop_nulls().value_counts(sort=True)
    median_ms = float(bad["duration_ms"].median() or 0.0)  # type: ignore[arg-type]
    got = ", ".join(f"{n:,} with {status}" for status, n in statuses.iter_rows())
    words = (
        f"{bad.height:,} of {during.height:,} {route} were bad: {slow.height:,} took longer than "
        f"{float(during['slow_over_ms'][0]):,.0f} ms (median of all bad ones {median_ms / 1000:,.1f} s)"
        + (f"; failed: {got}" if got else "")
    )
    return Symptom(
        route=route,
        kinds=tuple(kinds) or ("no_answer_in_time",),
        statuses=tuple(int(status) for status in statuses["http_response_status_code"]),
        words=words,
        failed=bad.height,
        requests=during.height,
    )


def _crowd(findings: IncidentFindings) -> Crowd | None:
    """Look whether the failing requests came in crowds."""
    return find_crowd(
        findings.requests,
        findings.differences,
        route=findings.subject_route,
        window=findings.onset.window,
        baseline=findings.onset.baseline,
    )


def _contrast(findings: IncidentFindings, cases: Sequence[Case]) -> Contrast | None:
    """Look for what sets the failing requests of the window apart from the others of the same time."""
    return find_contrast([case for case in cases if findings.onset.window.contains(case.request.time_us)])


def _wake(cases: Sequence[Case], sessions: Mapping[str, Sequence[RecordedRequest]]) -> Contrast | None:
    """Look whether they follow what others sent; from the first failure to the last, for a wake comes and goes."""
    bad_us = [case.request.time_us for case in cases if case.bad]
    if not bad_us:
        return None
    stretch = Window(min(bad_us), max(bad_us) + 1)
    before = stretch.widened(before_s=max(WITHIN_S))
    around = [part for requests in sessions.values() for part in requests if before.contains(part.time_us)]
    return find_wake_contrast([case for case in cases if stretch.contains(case.request.time_us)], around)
