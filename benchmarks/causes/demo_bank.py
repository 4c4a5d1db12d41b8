"""The demo's own incidents, through a whole replay's analysis: what is to blame, and the service that failed first.

The truth is demo/incidents/truth.yaml. This project recorded them itself: they show that nothing broke, not how well it
does elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.causes.outcomes import Outcome, f1_of
from prodintel_lib.analyses.findings import analyse_incident
from prodintel_lib.analyses.incident import find_incident
from prodintel_lib.analyses.telemetry import gather_telemetry, open_view, read_traces
from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.analyses.causes import Cause, Causes
    from prodintel_lib.workspace import Workspace


def run(workspace_path: Path, truth_path: Path) -> Iterator[Outcome]:
    """Analyse every incident of the bank that is recorded in the workspace."""
    workspace = open_workspace(workspace_path)
    ingest(workspace)
    for incident_id, truth in yaml.safe_load(truth_path.read_text(encoding="utf-8")).items():
        try:
            causes = find_causes(workspace, incident_id)
        except ParameterError:
            # The bank may know incidents whose recording is not here yet.
            continue
        best, location = causes.ranked[0], causes.location
        reached = {location.first_failing, *location.blast_radius} if location else set()
        yield Outcome(
            benchmark="demo",
            case=incident_id,
            answer=best.statement,
            score=best.score,
            is_right=is_right(best, truth),
            abstained=best.kind == "cannot_tell",
            decoy_hit=best.kind == "change" and best.change_id in truth["decoys"],
            first_failing_right=location is not None and location.first_failing == truth["first_failing_service"],
            blast_f1=f1_of(reached, truth["blast_radius"]),
        )


def find_causes(workspace: Workspace, incident_id: str) -> Causes:
    """Rank the causes of one incident as a replay does."""
    view = open_view(workspace)
    record = find_incident(workspace, incident_id, private=view.private)
    telemetry = gather_telemetry(view, record)
    corrected = view.with_clocks(telemetry.clocks)
    findings = analyse_incident(
        telemetry,
        slos=workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(corrected, trace_ids, span=telemetry.span),
    )
    return findings.causes


def is_right(cause: Cause, truth: dict[str, Any]) -> bool:
    """Say whether a cause is the true one: the change, where one was to blame or laid the shop open, or its kind."""
    if cause.kind == "change":
        return truth["culprit_change"] is not None and cause.change_id == truth["culprit_change"]
    if cause.kind == "dependency":
        return truth["cause"] == "dependency" and cause.subject == truth["dependency"]
    return bool(cause.kind == truth["cause"])
