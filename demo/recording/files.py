"""The files of a recording: compressed telemetry, the incident, the deployments, and how it was made."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import zstandard

from demo.incidents.model import Release
from demo.recording.changes import told_changes, write_changes
from demo.recording.github import Deployment, write_events
from demo.recording.pagerduty import write_incident
from demo.topology import NODES

if TYPE_CHECKING:
    from pathlib import Path

    from demo.incidents.model import ChangeKind, Incident
    from demo.recording.alerting import AlertEvent
    from demo.recording.github import State
    from demo.recording.recorder import Recording

COMPRESSION_LEVEL: Final = 19
PACKAGES: Final = (
    "flask",
    "httpx",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-flask",
    "sqlalchemy",
    "waitress",
)
_REAL: Final = (
    "every request, span, log record and metric: six processes ran and customers' requests were sent to them",
    "{change}{back}",
    "the condition: {condition}",
    "the alert's times of triggering and resolving: a rule watched the gateway's answers",
)
_CHANGES: Final[dict[ChangeKind | None, str]] = {
    "deployment": "the deployment of the faulty release: the process was replaced while requests came",
    "config": "the change of configuration: the process was replaced by one that read it, while requests came",
    "flag": "the switching of the flag in the running service",
    None: "that nothing was deployed or changed: the fault had been there before",
}
_STAGED: Final = (
    "who the customers are: drawn from a seed",
    "the card processor: a stand-in",
    "the person on call: acknowledges after a delay drawn from the seed, and the notes are written beforehand",
    "folders in stack traces, and the addresses of clients: replaced and removed by the collector",
)


def write_recording(recording: Recording, telemetry: Path, workspace: Path) -> Path:
    """Write everything into a new folder, then put it in place of an earlier one.

    Parameters
    ----------
    recording : Recording
    telemetry : Path
        The folder the collector wrote.
    workspace : Path
    """
    incident_id = recording.incident.incident_id
    target = workspace / incident_id
    fresh = workspace / f".{incident_id}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for source in sorted(telemetry.glob("*.jsonl")):
        compress(source, fresh / f"{source.name}.zst")
    write_json(fresh / "pagerduty.json", write_incident(recording.incident, _moved_events(recording)))
    if deployments := _deployments(recording):
        write_json(fresh / "deployments.json", write_events(deployments))
    if changes := told_changes(recording):
        (fresh / "changes.yaml").write_text(write_changes(changes), encoding="utf-8")
    about = workspace / "recordings" / f"{incident_id}.json"
    about.parent.mkdir(exist_ok=True)
    write_json(about, _describe(recording, fresh))
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)
    return target


def compress(source: Path, target: Path) -> None:
    """Write `source`, Zstandard-packed, to `target`."""
    packer = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
    with source.open("rb") as plain, target.open("wb") as packed:
        packer.copy_stream(plain, packed, size=source.stat().st_size)


def _deployments(recording: Recording) -> list[Deployment]:
    """Return the deployments that happened, and the two staged ones before them."""
    incident = recording.incident
    start_s = recording.phases[0].start_s - _earlier_s(recording)
    running = _running(incident)
    return [
        *_staged_deployments(recording, start_s),
        *(
            _rolled_out(
                recording, decoy.name, Release(decoy.service, decoy.name, None, ""), running[decoy.service], decoy.note
            )
            for decoy in incident.decoys
            if decoy.kind == "deployment"
        ),
        *_own_deployments(recording),
    ]


def _staged_deployments(recording: Recording, start_s: float) -> list[Deployment]:
    """Return the two deployments that never ran; none where the story is that nothing was changed for long."""
    if not has_staged_deployments(recording.incident):
        return []
    running = _running(recording.incident)
    earlier_s, failed_s = start_s - 7_260, start_s - 1_530
    return [
        Deployment(
            "catalogue",
            running["catalogue"],
            "4.6.3",
            "Faster search over product names",
            earlier_s,
            (
                ("in_progress", earlier_s + 3, "Rolling out"),
                ("success", earlier_s + 41, "1 of 1 instances replaced"),
            ),
        ),
        Deployment(
            "orders",
            _next_patch(running["orders"]),
            running["orders"],
            "Gift wrapping",
            failed_s,
            (
                ("in_progress", failed_s + 2, "Rolling out"),
                ("failure", failed_s + 63, f"New instance never became ready; {running['orders']} kept"),
            ),
        ),
    ]


def has_staged_deployments(incident: Incident) -> bool:
    """Say whether deployments are told of that never ran."""
    return incident.change is not None or bool(incident.decoys)


def _running(incident: Incident) -> dict[str, str]:
    return {node.service: node.version for node in NODES} | {incident.previous.service: incident.previous.version}


def _own_deployments(recording: Recording) -> list[Deployment]:
    """Return the incident's own deployment and its rollback, as far as there were any."""
    incident = recording.incident
    if incident.change != "deployment":
        return []
    previous, faulty = incident.previous, incident.faulty
    made = [_rolled_out(recording, "change", faulty, previous.version, faulty.note)]
    if incident.rolled_back:
        made.append(_rolled_out(recording, "rollback", previous, faulty.version, f"Roll back {faulty.version}"))
    return made


def _next_patch(version: str) -> str:
    minor, _, patch = version.rpartition(".")
    return f"{minor}.{int(patch) + 1}"


def _rolled_out(recording: Recording, name: str, release: Release, replaced: str, note: str) -> Deployment:
    rollout = recording.rollouts[name]
    started_s, finished_s = (
        time_us / 1e6 - _earlier_s(recording) for time_us in (rollout.started_us, rollout.finished_us)
    )
    states: tuple[tuple[State, float, str], ...] = (
        ("in_progress", started_s, "Rolling out"),
        ("success", finished_s, "1 of 1 instances replaced"),
    )
    return Deployment(release.service, release.version, replaced, note, started_s, states)


def _earlier_s(recording: Recording) -> float:
    return recording.incident.days_earlier * 86_400.0


def _moved_events(recording: Recording) -> list[AlertEvent]:
    earlier_s = _earlier_s(recording)
    return [replace(event, time_s=event.time_s - earlier_s) for event in recording.watch.events]


def _describe(recording: Recording, folder: Path) -> dict[str, Any]:
    incident, earlier_s = recording.incident, _earlier_s(recording)
    condition = incident.trigger or "the fault layer delayed the calls to the card processor"
    moved = [f"the date: every time was moved back by {incident.days_earlier} days"] if earlier_s else []
    return {
        "incident_id": incident.incident_id,
        "title": incident.title,
        "command": f"python -m demo record {incident.incident_id} --seed {recording.seed}",
        "seed": recording.seed,
        "pace": recording.pace,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "phases": [
            {
                "name": phase.name,
                "start": show_time(phase.start_s - earlier_s),
                "end": show_time(phase.end_s - earlier_s),
            }
            for phase in recording.phases
        ],
        "condition": [asdict(toxic) for toxic in incident.condition],
        "trigger": incident.trigger,
        "answers": recording.answers,
        "bad_answers": recording.bad_answers,
        "alert": [{"kind": event.kind, "time": show_time(event.time_s)} for event in _moved_events(recording)],
        "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "real": [
            line.format(condition=condition, change=_CHANGES[incident.change], back=_back(incident)) for line in _REAL
        ],
        "staged": [*_STAGED, *_staged_changes(incident), *moved],
    }


def _back(incident: Incident) -> str:
    return "; and back, in the same way, at the end" if incident.rolled_back else ""


def _staged_changes(incident: Incident) -> list[str]:
    never_ran = "the deployments of catalogue (before the recording) and of orders (failed, before the recording)"
    staged = [never_ran] if has_staged_deployments(incident) else []
    told = [f"{decoy.kind} {decoy.name} of {decoy.service}" for decoy in incident.decoys if decoy.kind != "deployment"]
    return [*staged, *([f"what changed nothing and was only told of: {', '.join(told)}"] if told else [])]


def write_json(path: Path, document: object) -> None:
    """Write a document as JSON for people to read."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def show_time(time_s: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
