"""Changes that no deployment tells of, flags and configuration, as a team keeps them: a YAML list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from demo.incidents.model import ChangeKind, Release
    from demo.recording.recorder import Recording

_ACTORS: Final[dict[ChangeKind, str]] = {"config": "config-sync", "flag": "sam.okafor", "deployment": "acme-deploy"}


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A change of a flag or of configuration; `time_s` since the epoch."""

    kind: ChangeKind
    service: str
    revision: str
    note: str
    time_s: float


def told_changes(recording: Recording) -> list[ToldChange]:
    """Return the changes of flags and configuration by time, the incident's own and those that did nothing."""
    incident = recording.incident
    earlier_s = incident.days_earlier * 86_400.0
    start_s = next(phase.start_s for phase in recording.phases if phase.name == "before") - earlier_s
    told = [
        ToldChange(decoy.kind, decoy.service, decoy.name, decoy.note, start_s + decoy.after_s * recording.pace)
        for decoy in incident.decoys
        if decoy.kind != "deployment"
    ]
    if incident.change in {"config", "flag"}:
        kind = incident.change or "config"
        told += [
            _told(kind, release, rollout.started_us / 1e6 - earlier_s)
            for name, release in (("change", incident.faulty), ("rollback", incident.previous))
            if (rollout := recording.rollouts.get(name))
        ]
    return sorted(told, key=lambda change: change.time_s)


def write_changes(changes: list[ToldChange]) -> str:
    """Return the YAML document."""
    rows = [
        {
            "id": f"{change.kind}/{change.service}@{change.revision}",
            "kind": change.kind,
            "time": datetime.fromtimestamp(change.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "service": change.service,
            "revision": change.revision,
            "environment": "production",
            "actor": _ACTORS[change.kind],
            "description": change.note,
        }
        for change in changes
    ]
    return yaml.safe_dump({"changes": rows}, sort_keys=False, allow_unicode=True, width=120)


def _told(kind: ChangeKind, release: Release, time_s: float) -> ToldChange:
    return ToldChange(kind, release.service, release.revision, release.note, time_s)
