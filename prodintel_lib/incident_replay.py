"""The incident replay from end to end, as the notebook calls it: gather, analyse, build scenarios, write files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from prodintel_lib import __version__
from prodintel_lib.analyses.findings import IncidentFindings, analyse_incident
from prodintel_lib.analyses.incident import find_incident
from prodintel_lib.analyses.telemetry import gather_telemetry, read_recorded_spans, read_traces
from prodintel_lib.certify import Verification
from prodintel_lib.markup import number, table, text
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.scenarios.from_findings import CapsuleView, IncidentScenarios, build_scenarios, choose_sessions
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    import polars as pl

    from prodintel_lib.analyses.differences import Difference
    from prodintel_lib.scenarios.model import Scenario
    from prodintel_lib.sources.report import IngestReport

RESULT_SCHEMA: Final = "prodintel/incident_replay/1"


@dataclass(frozen=True, slots=True)
class IncidentReplay:
    """One incident, replayed.

    Attributes
    ----------
    workspace : Workspace
    findings : IncidentFindings
    scenarios : IncidentScenarios
    verification : Verification or None
        Which of its tests proved themselves; None where there are none.
    accounting : IngestReport
        The rows behind it.
    points : polars.DataFrame
        Metric points, for the charts.
    """

    workspace: Workspace
    findings: IncidentFindings
    scenarios: IncidentScenarios
    verification: Verification | None
    accounting: IngestReport
    points: pl.DataFrame

    @property
    def capsule(self) -> CapsuleView:
        """How much of the conditions is known."""
        return CapsuleView(self.scenarios.capsule)


def replay_incident(workspace_path: str | Path, incident_id: str, *, engine: str = "polars") -> IncidentReplay:
    """Replay one incident of a workspace, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    incident_id : str
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If there is no such incident.
    NoDataError
        If there is nothing to look at, or no request that can be sent again.
    """
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    record = find_incident(workspace, incident_id)
    telemetry = gather_telemetry(workspace, record, engine=engine)
    findings = analyse_incident(
        telemetry,
        slos=workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(workspace, trace_ids, span=telemetry.span, engine=engine),
    )
    recorded = read_recorded_spans(workspace, findings, sessions=choose_sessions(findings), engine=engine)
    auth = workspace.config.auth
    scenarios = build_scenarios(
        findings,
        recorded,
        slos=workspace.config.slos,
        proxies=workspace.config.proxies,
        authorization=Authorization(auth.header, auth.prefix, auth.route, auth.pointer) if auth else None,
    )
    return IncidentReplay(
        workspace=workspace,
        findings=findings,
        scenarios=scenarios,
        verification=Verification.of(scenarios.suite, workspace.root) if scenarios.suite else None,
        accounting=account(workspace),
        points=telemetry.points,
    )


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Files written by a run, relative to its folder."""

    folder: Path
    files: tuple[str, ...]

    def _repr_html_(self) -> str:
        rows = [[text(name), text(_PURPOSES.get(name, _purpose(name)))] for name in self.files]
        return str(table(["File", "What it is for"], rows, caption=f"{number(len(self.files))} files."))


_PURPOSES: Final = {
    "capsule.json": "the conditions, each with how it is known",
    "result.json": "everything above for programs",
    "summary.md": "the first screen, for a chat or a ticket",
    "tests/conftest.py": "options, safety checks and the fault layer's client",
    "tests/scenarios.json": "the scenarios in their neutral form",
    "tests/README.md": "how to run the tests",
}


def _purpose(name: str) -> str:
    if name.endswith(".feature"):
        return "the scenarios in Gherkin"
    if name.endswith("_feature.py"):
        return "the steps of the Gherkin scenarios, for pytest-bdd"
    return (
        "the scenarios as pytest tests" if Path(name).name.startswith("test_") else "the recorded requests and figures"
    )


def write_outputs(replay: IncidentReplay, folder: str | Path) -> WrittenFiles:
    """Write the capsule, the result, the summary and the tests of a replay.

    Parameters
    ----------
    replay : IncidentReplay
    folder : str or Path
        ``""`` stands for ``../reports/incident_replay/<id>.live``, so that a live notebook leaves the last run alone.
    """
    findings = replay.findings
    target = Path(folder) if str(folder) else Path("../reports/incident_replay") / f"{findings.record.incident_id}.live"
    target.mkdir(parents=True, exist_ok=True)
    tests = render_suite(replay.scenarios.suite) if replay.scenarios.suite else ()
    write_files(tests, target / "tests")
    written = {
        "capsule.json": replay.scenarios.capsule.model_dump_json(indent=1, by_alias=True) + "\n",
        "result.json": orjson.dumps(describe_result(replay), option=orjson.OPT_INDENT_2).decode() + "\n",
        "summary.md": write_summary(replay),
    }
    for name, content in written.items():
        (target / name).write_text(content, encoding="utf-8")
    return WrittenFiles(target, (*written, *(f"tests/{file.path}" for file in tests)))


def describe_result(replay: IncidentReplay) -> dict[str, Any]:
    """Return everything found as plain JSON values, for ``result.json``."""
    findings = replay.findings
    onset, blast = findings.onset, findings.blast
    return {
        "schema": RESULT_SCHEMA,
        "prodintel_version": __version__,
        "incident_id": findings.record.incident_id,
        "title": findings.record.title,
        "input_digest": findings.digest,
        "headline": {"title": findings.headline.title, "sentence": findings.headline.sentence},
        "window": {"start_us": onset.window.start_us, "end_us": onset.window.end_us, "how": onset.how},
        "baseline": {"start_us": onset.baseline.start_us, "end_us": onset.baseline.end_us},
        "onset_evidence": onset.evidence,
        "timeline": [
            {"time_us": event.time_us, "kind": event.kind, "what": event.what, "source": event.source}
            for event in findings.timeline.events
        ],
        "blast_radius": {
            name: {"affected": part.hits, "n": part.n, "low": part.low, "high": part.high}
            for name, part in (("users", blast.users), ("sessions", blast.sessions), ("requests", blast.requests))
        }
        | {"routes": blast.routes.to_dicts(), "versions": blast.versions.to_dicts()},
        "differences": [
            {
                "aspect": row.aspect, "subject": row.subject, "measure": row.measure, "unit": row.unit,
                "baseline": row.baseline, "incident": row.incident, "baseline_n": row.baseline_n,
                "incident_n": row.incident_n, "effect": row.effect, "effect_name": row.effect_name, "how": row.how,
                "limit": row.limit,
            }
            for row in findings.differences.rows
        ],
        "service_map": findings.service_map.edges.to_dicts(),
        "bottleneck": findings.path.bottleneck if findings.path else None,
        "signatures": findings.signatures.groups.to_dicts(),
        "causes": [
            {
                "kind": cause.kind, "subject": cause.subject, "statement": cause.statement, "score": cause.score,
                "for": [claim.says for claim in cause.evidence_for],
                "against": [claim.says for claim in cause.evidence_against],
                "would_refute": cause.would_refute,
            }
            for cause in findings.causes.ranked
        ],
        "contributing": list(findings.causes.contributing),
        "scenarios": [scenario.id for scenario in _scenarios(replay)],
        "verification": _verified(replay),
        "rows": {
            "read": replay.accounting.rows_read,
            "kept": replay.accounting.kept,
            "dropped": replay.accounting.dropped,
            "quarantined": replay.accounting.quarantined,
        },
        "capsule_fidelity": replay.scenarios.capsule.fidelity,
    }  # fmt: skip


def write_summary(replay: IncidentReplay) -> str:
    """Write the first screen as Markdown; what came from production is escaped."""
    findings, capsule = replay.findings, replay.scenarios.capsule
    best, counts = findings.causes.ranked[0], capsule.counts
    where = findings.record.service_name or findings.record.title
    known = (
        f"Conditions known: {counts['observed']} observed, {counts['inferred']} inferred, {counts['missing']} missing "
        f"(fidelity {capsule.fidelity:.2f})."
    )
    lines = [
        f"# {_plain(findings.record.incident_id)} · {_plain(where)} · {findings.onset.window.label()}",
        "",
        f"**{_plain(findings.headline.sentence)}**",
        "",
        f"Most likely cause ({best.score:.2f}): {_plain(best.statement)}. "
         "For: " + "; ".join(_plain(claim.says) for claim in best.evidence_for)
        + ". Against: " + ("; ".join(_plain(claim.says) for claim in best.evidence_against) or "nothing found") + ".",
        "",
        "What was different (incident against the time before the onset; n in brackets):",
        "",
        *(f"- {_difference(row)}" for row in findings.differences.rows if row.notable),
        "",
        known,
        "",
        f"Tests ({_verified(replay)}):",
        "",
        *(f"- {_plain(test.title)} ({test.kind.replace('_', ' ')})" for test in _scenarios(replay)),
        "",
        "Run them: `pytest tests --base-url http://127.0.0.1:8080` (conditions need `TOXIPROXY_URL`).",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _scenarios(replay: IncidentReplay) -> tuple[Scenario, ...]:
    return replay.scenarios.suite.scenarios if replay.scenarios.suite else ()


def _verified(replay: IncidentReplay) -> str:
    return replay.verification.sentence() if replay.verification else f"none were made: {replay.scenarios.reason}"


def _difference(row: Difference) -> str:
    unit = "" if row.unit in {"share", ""} else f" {_plain(row.unit)}"
    scale = 100 if row.unit == "share" else 1
    sign = " %" if row.unit == "share" else unit
    limit = f" of {row.limit:,.0f}" if row.limit else ""
    return (
        f"{_plain(row.subject)}, {_plain(row.measure)}: {scale * (row.baseline or 0):,.4g} → "
        f"{scale * (row.incident or 0):,.4g}{limit}{sign} (n {row.incident_n:,})"
    )


def _plain(value: str) -> str:
    """Escape what Markdown or HTML would read as markup, and keep it on one line."""
    flat = " ".join(value.split())
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>#|!&~" else letter for letter in flat if letter.isprintable())
