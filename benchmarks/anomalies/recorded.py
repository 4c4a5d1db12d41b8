"""The demo's recordings as `prodintel anomalies` sees them: a day asked about, the days before it for comparison."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.anomaly_findings import find_anomalies
from prodintel_lib.analyses.production import build_series, gather_production
from prodintel_lib.windows import US_PER_S, Window, format_time, parse_time

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings
    from prodintel_lib.analyses.telemetry import LakeView

DAY_US: Final = 86_400 * US_PER_S
HISTORIES: Final = {"other days before": 28.0, "nothing before": 0.01}
"""With the other recordings as history, other builds and another mix of customers; and as on a first day."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a recording, as its recorder noted it."""

    name: str
    window: Window


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a day, and what it took."""

    findings: AnomalyFindings
    cpu_s: float


def read_phases(path: Path) -> tuple[Phase, ...]:
    """Read the phases of ``recordings/NAME.json``, in order of their start."""
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    phases = [
        Phase(
            phase["name"],
            Window(parse_time(phase["start"]), max(parse_time(phase["end"]), parse_time(phase["start"]) + 1)),
        )
        for phase in about["phases"]
    ]
    return tuple(sorted(phases, key=lambda phase: phase.window.start_us))


def look_at_day(view: LakeView, time_us: int, *, history_days: float) -> Looked:
    """Find what is abnormal on the day of a time, with the defaults that users have."""
    begun_s = time.process_time()
    start_us = time_us // DAY_US * DAY_US
    production = gather_production(view, window=Window(start_us, start_us + DAY_US), history_days=history_days)
    findings = find_anomalies(production, build_series(production))
    return Looked(findings, time.process_time() - begun_s)


def describe(finding: AnomalyFinding, *, onset_us: int | None = None) -> str:
    """Say in one line what a finding is; with an onset, when it was known after it."""
    when = f"known {format_time(finding.detected_us)}"
    if onset_us is not None:
        when = f"begins {_seconds(finding.start_us - onset_us)}, known {_seconds(finding.detected_us - onset_us)}"
    about = " ".join(part for part in (finding.service_name, finding.route) if part) or finding.key
    return (
        f"{finding.type} {about} ({finding.grain}), {finding.baseline:.3g} -> {finding.current:.3g} {finding.unit}, "
        f"n {finding.n}, {when}, score {finding.score:.1f}, confidence {finding.confidence:.2f}, {finding.severity}, "
        f"{finding.series.height} series"
    )


def _seconds(distance_us: int) -> str:
    return f"{distance_us / US_PER_S:+.0f} s"
