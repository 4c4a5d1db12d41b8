"""The alert as PagerDuty's REST API tells it: an incident with its log entries."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from demo.recording.alerting import BAD_SHARE, WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.incidents.model import AlertRule, Incident
    from demo.recording.alerting import AlertEvent

_API: Final = "https://api.pagerduty.com"
_SITE: Final = "https://acme-shop.pagerduty.com"
_ON_CALL: Final = ("users", "user_reference", "Robin Keller")
_SERVICE: Final = ("services", "service_reference", "Shop")
_POLICY: Final = ("escalation_policies", "escalation_policy_reference", "Shop on call")


def write_incident(incident: Incident, events: Sequence[AlertEvent]) -> dict[str, Any]:
    """Return the incident as ``GET /incidents/ID`` would, its log entries included.

    Parameters
    ----------
    incident : Incident
    events : sequence of AlertEvent
        In order; the first one triggered it.
    """
    times = {event.kind: _time(event.time_s) for event in events}
    last = events[-1]
    entries = [_log_entry(incident, event) for event in events]
    number = int(incident.incident_id.rpartition("-")[2])
    alert = incident.alert
    return {
        "incident": {
            "id": _id("Q", incident.incident_id),
            "type": "incident",
            "summary": f"[#{number}] {alert.title}",
            "self": f"{_API}/incidents/{_id('Q', incident.incident_id)}",
            "html_url": f"{_SITE}/incidents/{_id('Q', incident.incident_id)}",
            "incident_number": number,
            "incident_key": incident.incident_id,
            "title": alert.title,
            "description": alert.title,
            "created_at": times["triggered"],
            "updated_at": _time(last.time_s),
            "status": last.kind,
            "urgency": alert.urgency,
            "priority": {
                "id": _id("P", alert.priority),
                "type": "priority",
                "summary": alert.priority,
                "name": alert.priority,
                "self": f"{_API}/priorities/{_id('P', alert.priority)}",
            },
            "service": _reference(*_SERVICE),
            "impacted_services": [_reference(*_SERVICE)],
            "escalation_policy": _reference(*_POLICY),
            "teams": [],
            "assigned_via": "escalation_policy",
            "assignments": [],
            "acknowledgements": [],
            "alert_counts": {"all": 1, "triggered": int(last.kind != "resolved"), "resolved": 1},
            "body": {"type": "incident_body", "details": _details(events[0], alert.rule)},
            "last_status_change_at": _time(last.time_s),
            "last_status_change_by": _reference(*_SERVICE),
            "resolved_at": times.get("resolved"),
            "first_trigger_log_entry": _entry_reference(entries[0]),
            "log_entries": entries,
        }
    }


def _log_entry(incident: Incident, event: AlertEvent) -> dict[str, Any]:
    verb = {"triggered": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}[event.kind]
    entry_id = _id("R", f"{incident.incident_id} {event.kind}")
    by_person = event.kind == "acknowledged"
    note = {
        "triggered": _details(event, incident.alert.rule),
        "acknowledged": incident.alert.acknowledged_note,
        "resolved": incident.alert.resolved_note,
    }[event.kind]
    who = _reference(*(_ON_CALL if by_person else _SERVICE))
    channel = {"type": "mobile" if by_person else "api", "summary": note}
    return {
        "id": entry_id,
        "type": f"{verb}_log_entry",
        "summary": f"{event.kind.capitalize()} by {who['summary']}.",
        "self": f"{_API}/log_entries/{entry_id}",
        "html_url": f"{_SITE}/incidents/{_id('Q', incident.incident_id)}/log_entries/{entry_id}",
        "created_at": _time(event.time_s),
        "agent": who,
        "channel": channel,
        "service": _reference(*_SERVICE),
        "note": note,
        "contexts": [],
        "teams": [],
    }


def _details(event: AlertEvent, rule: AlertRule) -> str:
    route = f" to {rule.route}" if rule.route else ""
    return (
        f"{event.bad} of {event.answers} answers of the gateway{route} in the last {WINDOW_S:.0f} s failed or took "
        f"longer than {rule.slow_s:g} s (threshold {BAD_SHARE:.0%})."
    )


def _entry_reference(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {name: entry[name] for name in ("id", "summary", "self", "html_url")}
    return {**kept, "type": f"{entry['type']}_reference"}


def _reference(collection: str, kind: str, name: str) -> dict[str, str]:
    identity = _id("P", name)
    return {
        "id": identity,
        "type": kind,
        "summary": name,
        "self": f"{_API}/{collection}/{identity}",
        "html_url": f"{_SITE}/{collection}/{identity}",
    }


def _id(letter: str, text: str) -> str:
    return letter + hashlib.sha256(text.encode()).hexdigest()[:13].upper()


def _time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
