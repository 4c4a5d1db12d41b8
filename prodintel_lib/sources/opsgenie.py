"""Opsgenie: alerts and incidents, as its REST API answers (one or a list), and alerts as its webhooks send them.

See https://docs.opsgenie.com/docs/alert-api and https://docs.opsgenie.com/docs/incident-api. An alert is raised,
acknowledged and closed like an incident; so it becomes a row of ``incidents`` too, and its steps rows of ``alerts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected, is_storable_time, read_time
from prodintel_lib.sources.row_log import RowLog, json_of, later_or_none, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.decompress import ByteStream

SOURCE: Final = "opsgenie"
# Alerts and incidents are numbered apart from each other.
INCIDENT_SOURCE: Final = "opsgenie incidents"
_US_PER_MS: Final = 1000
_NO_TIME: Final = "alert without id or time"
_EVENTS: Final[Mapping[str, str]] = {
    "Create": "triggered",
    "Acknowledge": "acknowledged",
    "UnAcknowledge": "unacknowledged",
    "Close": "resolved",
    "Escalate": "escalated",
    "AssignOwnership": "assigned",
    "Snooze": "snoozed",
    "AddNote": "note",
}

_STATES: Final[Mapping[str, str]] = {"Create": "triggered", "Acknowledge": "acknowledged", "Close": "resolved"}


def read_opsgenie(stream: ByteStream) -> ReadResult:
    """Read alerts and incidents.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Table ``incidents``: a row an alert or incident; from webhooks ``alerts``, a row an action, and ``incidents``, a
        row for each action that raises, acknowledges or closes the alert.

    Notes
    -----
    ``incident_id`` is the short id people see (``tinyId``), else the alert's own. The end is ``createdAt`` and
    ``report.closeTime`` later, in milliseconds as documented; of an incident ``impactEndDate``; where neither is told,
    the last update of what is closed.
    """
    log = RowLog()
    for line, document in read_documents(stream):
        if isinstance(document, Rejected):
            log.reject(line, document, reason="")
        elif not isinstance(document, dict):
            log.reject(line, document, reason="not an Opsgenie alert")
        elif isinstance(document.get("alert"), dict) and "action" in document:
            log.read("alerts", line, document, _action_row, reason="alert action without id or time")
            if document["action"] in _STATES:
                log.read("incidents", line, document, _state_row, reason=_NO_TIME)
        else:
            data = document.get("data", document)
            for alert in data if isinstance(data, list) else [data]:
                log.read("incidents", line, alert, _incident_row, reason=_NO_TIME)
    return log.result()


def _incident_row(alert: Json) -> dict[str, Json]:
    report, created_us = alert.get("report") or {}, read_time(alert["createdAt"])
    acknowledged, closed = report.get("ackTime"), report.get("closeTime")
    end_us = created_us + int(closed) * _US_PER_MS if closed else None
    is_over = alert.get("status") in {"closed", "resolved"}
    told = alert.get("impactEndDate") or alert.get("updatedAt")
    if end_us is None and is_over and told:
        end_us = read_time(told)
    taken_us = created_us + int(acknowledged) * _US_PER_MS if acknowledged else None
    status = "resolved" if is_over else None
    details = alert.get("details") if isinstance(alert.get("details"), dict) else {}
    return {
        "time_us": created_us,
        "source": INCIDENT_SOURCE if "impactedServices" in alert else SOURCE,
        "incident_id": text_of(alert.get("tinyId")) or str(alert["id"]),
        "end_time_us": later_or_none(_storable(end_us), created_us),
        "acknowledged_time_us": later_or_none(_storable(taken_us), created_us),
        "title": text_of(alert.get("message")),
        "description": text_of(alert.get("description")),
        "severity": text_of(alert.get("priority")),
        "status": status or ("acknowledged" if alert.get("acknowledged") is True else "triggered"),
        "service_name": text_of(details.get("service") or alert.get("entity")),
        "url": text_of((alert.get("links") or {}).get("web")),
        "attributes": json_of(alert),
    }


def _state_row(document: Json) -> dict[str, Json]:
    """Return what a webhook tells of the alert itself."""
    alert, status = document["alert"], _STATES[document["action"]]
    created_us, changed_us = _webhook_time_us(alert["createdAt"]), _action_row(document)["time_us"]
    return {
        "time_us": created_us,
        "source": SOURCE,
        "incident_id": text_of(alert.get("tinyId")) or str(alert["alertId"]),
        "end_time_us": later_or_none(changed_us, created_us) if status == "resolved" else None,
        "acknowledged_time_us": later_or_none(changed_us, created_us) if status == "acknowledged" else None,
        "title": text_of(alert.get("message")),
        "description": text_of(alert.get("description")),
        "severity": text_of(alert.get("priority")),
        "status": status,
        "service_name": text_of(alert.get("entity")),
        "url": None,
        "attributes": json_of(document),
    }


def _storable(time_us: int | None) -> int | None:
    return time_us if time_us is not None and is_storable_time(time_us) else None


def _action_row(document: Json) -> dict[str, Json]:
    alert, action = document["alert"], str(document["action"])
    time_us = _webhook_time_us(alert.get("updatedAt") or alert["createdAt"])
    name = text_of(alert.get("tinyId")) or str(alert["alertId"])
    return {
        "time_us": time_us,
        "source": SOURCE,
        "alert_id": f"{alert.get('alertId') or name}:{action}:{time_us}",
        "incident_id": name,
        "event": _EVENTS.get(action, action),
        "summary": text_of(alert.get("message")),
        "actor": text_of(alert.get("username")),
        "service_name": text_of(alert.get("entity")),
        "attributes": json_of(document),
    }


def _webhook_time_us(told: Json) -> int:
    """Read milliseconds (``updatedAt``: nanoseconds) or, as the API has it, ISO 8601."""
    time_us = read_time(told) if isinstance(told, str) else _scaled_us(int(told))
    if not is_storable_time(time_us):
        raise ValueError(told)
    return time_us


def _scaled_us(number: int) -> int:
    return number // 1000 if number > 10**16 else number if number > 10**14 else number * _US_PER_MS
