"""The incident replay from end to end, as the notebook calls it: gather, analyse, build scenarios, write files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from prodintel_lib import __version__
from prodintel_lib.analyses.findings import IncidentFindings, analyse_incident
from prodintel_lib.analyses.incident import find_incident
from prodintel_lib.analyses.onset import worse_within
from prodintel_lib.analyses.quality import check_quality
from prodintel_lib.analyses.telemetry import gather_telemetry, open_view, read_recorded_spans, read_traces
from prodintel_lib.analyses.timeline import describe_change
from prodintel_lib.certify import Verification
from prodintel_lib.markup import four_digits, number, table, text
from prodintel_lib.minimise import MinimalView
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.renderers.issue import describe_issue, render_issue
from prodintel_lib.renderers.markdown import plain
from prodintel_lib.scenarios.from_findings import CapsuleView, IncidentScenarios, build_scenarios, choose_sessions
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    import polars as pl

    from prodintel_lib.analyses.differences import Difference
    from prodintel_lib.analyses.quality import DataQuality
    from prodintel_lib.renderers.issue import Issue
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
    minimal : MinimalView or None
        The smallest scenario that still shows the symptom, or that none was looked for; None where there are no tests.
    accounting : IngestReport
        The rows behind it.
    quality : DataQuality
        What is odd about the evidence: clocks, parents, counters, rows left out.
    points : polars.DataFrame
        Metric points, for the charts.
    """

    workspace: Workspace
    findings: IncidentFindings
    scenarios: IncidentScenarios
    verification: Verification | None
    minimal: MinimalView | None
    accounting: IngestReport
    quality: DataQuality
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
        If there is nothing to look at.
    """
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    record = find_incident(workspace, incident_id, private=view.private)
    telemetry = gather_telemetry(view, record)
    view = view.with_clocks(telemetry.clocks)
    findings = analyse_incident(
        telemetry,
        slos=workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(view, trace_ids, span=telemetry.span),
    )
    recorded = read_recorded_spans(view, findings, sessions=choose_sessions(findings))
    scenarios = build_scenarios(
        findings,
        recorded,
        slos=workspace.config.slos,
        proxies=workspace.config.proxies,
        authorization=Authorization.of(workspace),
    )
    accounting = account(workspace)
    return IncidentReplay(
        workspace=workspace,
        findings=findings,
        scenarios=scenarios,
        verification=Verification.of(scenarios.suite, workspace.root) if scenarios.suite else None,
        minimal=MinimalView.of(scenarios.suite, workspace.root) if scenarios.suite else None,
        accounting=accounting,
        quality=check_quality(
            view.scan("spans", telemetry.span),
            view.scan("metrics", telemetry.span),
            clocks=telemetry.clocks,
            dropped=accounting.dropped,
            quarantined=workspace.lake.quarantine_reasons(),
        ),
        points=telemetry.points,
    )


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Files written by a run, relative to its folder."""

    folder: Path
    files: tuple[str, ...]

    def _repr_html_(self) -> str:
        shown = [name for name in self.files if not name.startswith("minimal/")]
        rows = [[text(name), text(_PURPOSES.get(name, _purpose(name)))] for name in shown]
        if len(shown) < len(self.files):
            rows.append([text("minimal/"), text("the smallest scenario, with the same files as tests/")])
        return str(table(["File", "What it is for"], rows, caption=f"{number(len(self.files))} files."))


_PURPOSES: Final = {
    "capsule.json": "the conditions, each with how it is known",
    "result.json": "everything above for programs",
    "summary.md": "the first screen, for a chat or a ticket",
    "issue.md": "a ticket, ready to be filed",
    "issue.json": "its title, labels, owner, severity and fingerprint",
    "minimal.json": "what of the scenario mattered",
    "certificate.json": "what repeated runs of the tests against both systems showed",
    "tests/verified.json": "which tests certified; the others are left out by default",
    "tests/conftest.py": "options, safety checks and the fault layer's client",
    "tests/pytest.ini": "how pytest finds them",
    "tests/scenarios.json": "the scenarios in their neutral form",
    "tests/README.md": "how to run the tests",
}


def _purpose(name: str) -> str:
    if name.endswith(".feature"):
        return "the scenarios in Gherkin"
    if name.endswith("_feature.py"):
        return "the steps of the Gherkin scenarios, for pytest-bdd"
    if Path(name).name.startswith("replay_"):
        return "what the tests share"
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
    certified = replay.verification.write_into(target) if replay.verification else ()
    minimal = replay.minimal.write_into(target) if replay.minimal else ()
    ticket = render_issue(_ticket(replay))
    write_files(ticket, target)
    names = (*written, *(file.path for file in ticket), *(f"tests/{file.path}" for file in tests))
    return WrittenFiles(target, (*names, *certified, *minimal))


def _ticket(replay: IncidentReplay) -> Issue:
    is_minimal = replay.minimal is not None and replay.minimal.minimal is not None
    return describe_issue(
        replay.findings,
        replay.scenarios.suite,
        owners=replay.workspace.config.owners,
        verification=replay.verification.sentence() if replay.verification else "",
        minimal=replay.minimal.reproduction() if replay.minimal else None,
        links=[("minimal.json", "the minimal scenario")] if is_minimal else [],
    )


def describe_result(replay: IncidentReplay) -> dict[str, Any]:
    """Return everything found as plain JSON values, for ``result.json``."""
    findings = replay.findings
    onset, blast, location = findings.onset, findings.blast, findings.causes.location
    return {
        "schema": RESULT_SCHEMA,
        "prodintel_version": __version__,
        "incident_id": findings.record.incident_id,
        "title": findings.record.title,
        "input_digest": findings.digest,
        "headline": {
            "title": findings.headline.title,
            "sentence": findings.headline.sentence,
            "kicker": f"{findings.record.incident_id} · {findings.record.title}",
        },
        "window": {"start_us": onset.window.start_us, "end_us": onset.window.end_us, "how": onset.how,
                   "basis": onset.basis},
        "baseline": {"start_us": onset.baseline.start_us, "end_us": onset.baseline.end_us},
        "onset_evidence": onset.evidence,
        "rests_on": list(findings.evidence.sentences),
        "data_quality": list(replay.quality.sentences()),
        "signals": findings.signals.onsets.to_dicts(),
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
        "logged_errors": findings.signatures.logged.to_dicts(),
        "causes": [
            {
                "kind": cause.kind, "subject": cause.subject, "statement": cause.statement, "score": cause.score,
                "for": [claim.says for claim in cause.evidence_for],
                "against": [claim.says for claim in cause.evidence_against],
                "would_refute": cause.would_refute, "remediation": cause.remediation,
            }
            for cause in findings.causes.ranked
        ],
        "contributing": list(findings.causes.contributing),
        "after_release": findings.after_release.to_dicts(),
        "first_failing_service": location.first_failing if location else None,
        "services_reached": list(location.blast_radius) if location else [],
        "scenarios": [scenario.id for scenario in _scenarios(replay)],
        "verification": _verified(replay),
        "minimal": replay.minimal.sentence() if replay.minimal else None,
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
        f"# {plain(findings.record.incident_id)} · {plain(where)} · {findings.onset.window.label()}",
        "",
        f"**{plain(findings.headline.sentence)}**",
        "",
        f"Most likely cause ({best.score:.2f}): {plain(best.statement)}. "
         "For: " + "; ".join(plain(claim.says) for claim in best.evidence_for)
        + ". Against: " + ("; ".join(plain(claim.says) for claim in best.evidence_against) or "nothing found") + ".",
        "",
        "What was different (incident against the time before the onset; n in brackets):",
        "",
        *_what_differed(findings),
        "",
        "What this rests on:",
        "",
        *(f"- {plain(sentence)}" for sentence in (*findings.evidence.sentences, *replay.quality.sentences())),
        "",
        known,
        "",
        f"Tests ({_verified(replay)}):",
        "",
        *(f"- {plain(test.title)} ({test.kind.replace('_', ' ')})" for test in _scenarios(replay)),
        "",
        *_how_to_run(replay),
    ]  # fmt: skip
    return "\n".join(lines)


def _how_to_run(replay: IncidentReplay) -> list[str]:
    if not _scenarios(replay):
        return []
    return ["Run them: `pytest tests --base-url http://127.0.0.1:8080` (conditions need `TOXIPROXY_URL`).", ""]


def _what_differed(findings: IncidentFindings) -> list[str]:
    notable = [f"- {_difference(row)}" for row in findings.differences.rows if row.notable]
    if findings.onset.basis == "signals":
        worse = worse_within(findings.signals, findings.onset.window)
        notable += [f"- {plain(describe_change(row))}" for row in worse.iter_rows(named=True)]
    return notable or ["Nothing that was measured."]


def _scenarios(replay: IncidentReplay) -> tuple[Scenario, ...]:
    return replay.scenarios.suite.scenarios if replay.scenarios.suite else ()


def _verified(replay: IncidentReplay) -> str:
    return (
        replay.verification.sentence()
        if replay.verification
        else f"none were made: {replay.scenarios.reason.rstrip('.')}"
    )


def _difference(row: Difference) -> str:
    unit = "" if row.unit in {"share", ""} else f" {plain(row.unit)}"
    scale = 100 if row.unit == "share" else 1
    sign = " %" if row.unit == "share" else unit
    limit = f" of {row.limit:,.0f}" if row.limit else ""
    return (
        f"{plain(row.subject)}, {plain(row.measure)}: {four_digits(scale * (row.baseline or 0))} → "
        f"{four_digits(scale * (row.incident or 0))}{limit}{sign} (n {row.incident_n:,})"
    )
