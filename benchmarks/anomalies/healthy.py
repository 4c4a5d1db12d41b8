"""Recordings of a shop in which nothing was wrong: whatever is found there is a false alarm: `--what healthy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.anomalies.recorded import HISTORIES, describe, look_at_day, read_phases
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY: Final = Path(__file__).resolve().parents[2] / "demo" / "healthy"


def run() -> Iterator[str]:
    """Look at the day of every healthy recording, with and without the other days for comparison."""
    workspace = open_workspace(HEALTHY)
    ingest(workspace)
    view = open_view(workspace)
    for name, days in HISTORIES.items():
        false_alarms = points = 0
        for path in sorted((HEALTHY / "recordings").glob("*.json")):
            load = json.loads(path.read_text(encoding="utf-8"))["load_average"]
            looked = look_at_day(view, read_phases(path)[-1].window.start_us, history_days=days)
            findings = looked.findings
            false_alarms, points = false_alarms + len(findings.findings), points + findings.points_scored
            yield (
                f"healthy, {path.stem}, {name}: {len(findings.findings)} findings, {findings.alarms.height} alarms in "
                f"{findings.series_scored} series ({findings.series_too_short} too short), {findings.points_scored:,} "
                f"points scored; load average {load['median']:.1f} on {load['processors']} processors"
            )
            for finding in findings.findings:
                yield f"  FALSE: {describe(finding)}"
        yield f"healthy, {name}: {false_alarms} false alarms in {points:,} points"
