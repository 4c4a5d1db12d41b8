"""The demo's incidents: whether each is found, how long after its onset, and what is found besides: `--what bank`.

This project recorded them itself: they show what short recordings of a real, small system give, not how well it does
elsewhere. Onset and end are the recorder's, the services are of demo/incidents/truth.yaml; nothing in the library reads
either.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import yaml

from benchmarks.anomalies.recorded import HISTORIES, describe, look_at_day, read_phases
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.anomalies.recorded import Looked, Phase
    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding
    from prodintel_lib.analyses.telemetry import LakeView

DEMO: Final = Path(__file__).resolve().parents[2] / "demo"
SLACK_US: Final = 10 * US_PER_S
"""A bucket of the demo may begin that much before the onset that falls into it."""
FAILING: Final = frozenset({"ERROR_RATE_SPIKE"})
SYMPTOMS: Final[Mapping[str, frozenset[str]]] = {
    "INC-2024-1234": FAILING | {"LATENCY_DEGRADATION"},
    "INC-2024-1342": frozenset({"LATENCY_DEGRADATION"}),
    "INC-2024-1365": FAILING | {"LATENCY_DEGRADATION"},
    "INC-2024-1402": FAILING | {"LATENCY_DEGRADATION"},
    "INC-2024-1467": FAILING | {"LATENCY_DEGRADATION"},
    "INC-2024-1530": FAILING | {"LATENCY_DEGRADATION", "THROUGHPUT_SURGE"},
}
"""What the main finding may say, from what customers see (demo/README.md, "The bank"); failing answers elsewhere."""


@dataclass(frozen=True, slots=True)
class Span:
    """When an incident began and ended, by its recorder.

    Attributes
    ----------
    begun_us : int
        Of the recording.
    onset_us : int
        When the condition came to hold.
    over_us : int
        When it had been ended, a rollback included.
    """

    begun_us: int
    onset_us: int
    over_us: int


@dataclass(frozen=True, slots=True)
class Case:
    """What was found on an incident's day.

    Attributes
    ----------
    main : AnomalyFinding or None
        The first in the findings' own order of those that began while the incident lasted.
    besides : tuple of AnomalyFinding
        The others that began then.
    early, late : tuple of AnomalyFinding
        Those that began before the onset: false alarms; and after the end.
    """

    incident_id: str
    span: Span
    main: AnomalyFinding | None
    besides: tuple[AnomalyFinding, ...]
    early: tuple[AnomalyFinding, ...]
    late: tuple[AnomalyFinding, ...]
    cpu_s: float

    @property
    def delay_s(self) -> float:
        """From the onset to when the first finding of it could have been known; NaN where there is none."""
        found = [self.main, *self.besides] if self.main else []
        return min((one.detected_us - self.span.onset_us for one in found if one), default=float("nan")) / US_PER_S


def run(incidents: Sequence[str] = ()) -> Iterator[str]:
    """Look at the day of every incident (or of those named), with and without other days for comparison."""
    workspace = open_workspace(DEMO / "workspace")
    ingest(workspace)
    view = open_view(workspace)
    truth = yaml.safe_load((DEMO / "incidents" / "truth.yaml").read_text(encoding="utf-8"))
    for name, days in HISTORIES.items():
        cases = []
        for incident_id in incidents or truth:
            case = look_at_incident(view, incident_id, history_days=days)
            cases.append(case)
            yield from _tell(case, truth[incident_id])
        yield _sum_up(name, cases, truth)


def look_at_incident(view: LakeView, incident_id: str, *, history_days: float) -> Case:
    """Find what is abnormal on the day of an incident, and put it before, into or after the incident."""
    span = find_span(read_phases(DEMO / "workspace" / "recordings" / f"{incident_id}.json"))
    return sort_out(incident_id, span, look_at_day(view, span.onset_us, history_days=history_days))


def find_span(phases: Sequence[Phase]) -> Span:
    """Find onset and end among the phases of a recording.

    Where the incident's change comes right before its condition, the change is the onset: the faulty release answers as
    soon as it is ready.
    """
    names = [phase.name for phase in phases]
    condition = phases[names.index("condition")].window
    before = phases[names.index("condition") - 1]
    follows_change = before.name in {"change", "deployment"}
    recovery = phases[names.index("recovery")].window
    begun_us = phases[names.index("before")].window.start_us
    return Span(begun_us, before.window.start_us if follows_change else condition.start_us, recovery.start_us)


def sort_out(incident_id: str, span: Span, looked: Looked) -> Case:
    """Put the findings of a day before, into or after the incident."""
    lasting = Window(span.onset_us - SLACK_US, span.over_us)
    findings = looked.findings.findings
    during = [finding for finding in findings if lasting.contains(finding.start_us)]
    return Case(
        incident_id,
        span,
        during[0] if during else None,
        tuple(during[1:]),
        tuple(finding for finding in findings if finding.start_us < lasting.start_us),
        tuple(finding for finding in findings if finding.start_us >= lasting.end_us),
        looked.cpu_s,
    )


def is_right_service(finding: AnomalyFinding, truth: Mapping[str, Any]) -> bool:
    """Say whether a finding is of a service that the incident reached; of none it is where all entries are meant."""
    return finding.service_name in {"", *truth["blast_radius"]}


def is_right_type(incident_id: str, finding: AnomalyFinding) -> bool:
    """Say whether a finding's type is what customers saw."""
    return finding.type in SYMPTOMS.get(incident_id, FAILING)


def _tell(case: Case, truth: Mapping[str, Any]) -> Iterator[str]:
    if case.main is None:
        yield f"bank, {case.incident_id}: NOT FOUND"
    else:
        right = "" if is_right_type(case.incident_id, case.main) else "TYPE? "
        right += "" if is_right_service(case.main, truth) else "SERVICE? "
        yield f"bank, {case.incident_id}: {right}{describe(case.main, onset_us=case.span.onset_us)}"
    for word, findings in (("besides", case.besides), ("BEFORE ONSET", case.early), ("after its end", case.late)):
        for finding in findings:
            yield f"  {word}: {describe(finding, onset_us=case.span.onset_us)}"


def _sum_up(name: str, cases: Sequence[Case], truth: Mapping[str, Any]) -> str:
    found = [(case, case.main) for case in cases if case.main]
    delays = [case.delay_s for case, _ in found]
    healthy_min = sum(case.span.onset_us - case.span.begun_us for case in cases) / US_PER_S / 60
    first = sum(truth[case.incident_id]["first_failing_service"] in _services(case) for case, _ in found)
    shown = f"{min(delays):.0f} / {median(delays):.0f} / {max(delays):.0f} s" if delays else "none"
    return (
        f"bank, {name}: {len(found)} of {len(cases)} found; delay least / median / most {shown}; type right "
        f"{sum(is_right_type(case.incident_id, main) for case, main in found)}, service within the blast radius "
        f"{sum(is_right_service(main, truth[case.incident_id]) for case, main in found)}, first failing service "
        f"among its series {first} of {len(found)}; false alarms before the onset "
        f"{sum(len(case.early) for case in cases)} in {healthy_min:.0f} min; besides "
        f"{sum(len(case.besides) for case in cases)}, after the end {sum(len(case.late) for case in cases)}; "
        f"{sum(case.cpu_s for case in cases) / len(cases):.1f} s of the processor a day"
    )


def _services(case: Case) -> set[str]:
    members = [finding.series["service_name"].to_list() for finding in (case.main, *case.besides) if finding]
    return {service for services in members for service in services}
