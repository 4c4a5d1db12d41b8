"""PagerDuty: incidents and their log entries, as its REST API answers.

``{"incident": {...}}``, ``{"incidents": [...]}``, ``{"log_entries": [...]}``, any of them together in one document, or
incidents with their ``log_entries`` inside; and webhooks v3, ``{"event": {...}}``.
See https://developer.pagerduty.com/api-reference/ and https://developer.pagerduty.com/docs/webhooks/v3-overview/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected, read_time
from prodintel_lib.sources.row_log import later_or_none
from prodintel_lib.tables import ALERTS, INCIDENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prodintel_lib.sources.decompress import ByteStream

SOURCE: Final = "pagerduty"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# A ticket's id: letters, a dash, then something with a digit.
_TICKET: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9_.-]*[0-9][A-Za-z0-9_-]*")
# How references to an incident are summed up: `[#1234] The server is on fire.`
_NUMBERED: Final = re.compile(r"\[#([0-9]{1,18})\] *(.*)", re.DOTALL)
_EVENTS: Final[Mapping[str, str]] = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "escalate": "escalated",
    "assign": "assigned",
    "delegate": "delegated",
    "resolve": "resolved",
    "reopen": "reopened",
    "snooze": "snoozed",
    "notify": "notified",
    "annotate": "note",
}
# Webhooks say what happened in the past tense.
_WEBHOOK_EVENTS: Final[Mapping[str, str]] = {
    "annotated": "note",
    "status_update_published": "note",
    "reassigned": "assigned",
    "priority_updated": "priority",
}
# Services that were changed, and the ping of a new subscription.
_OTHER_EVENT: Final = "webhook about no incident"


@dataclass(frozen=True, slots=True)
class _Item:
    """An incident or a log entry, still as PagerDuty writes it, and where it came from."""

    content: Json
    line: int
    incident: Json = None


def read_pagerduty(stream: ByteStream) -> ReadResult:
    """Read incidents and log entries.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Tables ``incidents`` and ``alerts`` (one row a log entry). A row read is an incident or a log entry.

    Notes
    -----
    ``incident_id`` is the id people say: the ticket id the title begins with, or an ``incident_key`` that looks like
    one (INC-2024-1234, not a digest), else the number PagerDuty shows, else its own id. All of them stay in
    ``attributes``, which hold the whole incident. ``severity`` is the priority where one is set, else the urgency.
    ``acknowledged_time_us`` is the first acknowledgement, ``end_time_us`` the last resolution.
    """
    incidents: list[_Item] = []
    entries: list[_Item] = []
    rejected: list[Rejected] = []
    others = 0
    for line, document in read_documents(stream):
        if isinstance(document, Rejected):
            rejected.append(document)
        elif _is_about_no_incident(document):
            others += 1
        elif not _collect(document, line, incidents, entries):
            rejected.append(Rejected.of("not a PagerDuty document", line, document))
    names = {item.content["id"]: said_id(item.content) for item in incidents if _has_id(item.content)}
    alerts, bad_alerts = _rows(entries, lambda item: _alert_row(item, names), "log entry without id or time")
    history: dict[str, list[dict[str, Json]]] = {}
    for alert in alerts:
        history.setdefault(alert["incident_id"], []).append(alert)
    found, bad_incidents = _rows(incidents, lambda item: _incident_row(item, history), "incident without id or time")
    rejected += bad_alerts + bad_incidents
    frames = {
        "incidents": pl.DataFrame(found, schema=INCIDENTS.schema, orient="row"),
        "alerts": pl.DataFrame(alerts, schema=ALERTS.schema, orient="row"),
    }
    return ReadResult(
        frames={table: frame for table, frame in frames.items() if frame.height},
        rows_read=len(found) + len(alerts) + len(rejected) + others,
        dropped={_OTHER_EVENT: others} if others else {},
        quarantined=tuple(sorted(rejected, key=lambda item: item.line)),
    )


def said_id(incident: Mapping[str, Json]) -> str:
    """Return the id by which people speak of an incident; see read_pagerduty.

    Examples
    --------
    >>> said_id({"id": "Q0G4", "incident_number": 14, "title": "INC-2024-1234: checkouts fail"})
    'INC-2024-1234'
    >>> said_id({"id": "Q0G4", "incident_number": 14, "incident_key": "baf7cf21b1da41b4b0221008339ff361"})
    '14'
    """
    first_word = re.split(r"[\s:|,\]]", str(incident.get("title") or "").lstrip("["), maxsplit=1)[0]
    for candidate in (first_word, str(incident.get("incident_key") or "")):
        if _ID.fullmatch(candidate) and _TICKET.fullmatch(candidate) and not _is_digest(candidate):
            return candidate
    number = incident.get("incident_number")
    return str(number) if isinstance(number, int) and number > 0 else str(incident["id"])


def _is_digest(text: str) -> bool:
    digits = text.replace("-", "")
    return len(digits) >= 16 and re.fullmatch(r"[0-9a-fA-F]+", digits) is not None


def _has_id(content: object) -> bool:
    return isinstance(content, dict) and isinstance(content.get("id"), str) and bool(content["id"])


def _collect(document: object, line: int, incidents: list[_Item], entries: list[_Item]) -> bool:
    """Sort a document's incidents and log entries; return False where there are neither."""
    if not isinstance(document, dict):
        return False
    if isinstance(document.get("event"), dict):
        return _collect_webhook(document["event"], line, incidents, entries)
    if "incident_number" in document:
        document = {"incident": document}
    known = [key for key in ("incident", "incidents", "log_entries") if key in document]
    listed = document.get("incidents") or []
    outer = document.get("log_entries") or []
    if not known or not isinstance(listed, list) or not isinstance(outer, list):
        return False
    single = [document["incident"]] if "incident" in document else []
    for incident in single + listed:
        incidents.append(_Item(incident, line))
        inner = incident.get("log_entries") if isinstance(incident, dict) else None
        entries.extend(_Item(entry, line, incident) for entry in (inner if isinstance(inner, list) else []))
    owner = single[0] if len(single) == 1 else None
    entries.extend(_Item(entry, line, owner) for entry in outer)
    return True


def _is_about_no_incident(document: object) -> bool:
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, dict) or "occurred_at" not in event:
        return False
    kind = event.get("event_type")
    return isinstance(kind, str) and not kind.startswith("incident.")


def _collect_webhook(event: Mapping[str, Json], line: int, incidents: list[_Item], entries: list[_Item]) -> bool:
    """Sort a webhook into the state of the incident, where it tells it, and the entry of its log."""
    kind, data = str(event.get("event_type")), event.get("data")
    if not kind.startswith("incident.") or not isinstance(data, dict):
        return False
    what = kind.removeprefix("incident.")
    incident = data if data.get("type") == "incident" else data.get("incident")
    if data.get("type") == "incident":
        state = {**data, "incident_number": data.get("number")}
        if data.get("status") == "resolved":
            state.setdefault("resolved_at", event.get("occurred_at"))
        if what == "acknowledged":
            state["acknowledgements"] = [{"at": event.get("occurred_at")}]
        incidents.append(_Item(state, line))
    entry = {
        "id": event.get("id"),
        "type": _WEBHOOK_EVENTS.get(what, what),
        "created_at": event.get("occurred_at"),
        "summary": data.get("title") or data.get("content") or data.get("message"),
        "agent": event.get("agent"),
        "incident": incident if isinstance(incident, dict) else None,
        "service": data.get("service"),
        "data": data,
    }
    entries.append(_Item(entry, line))
    return True


def _rows(
    items: Iterable[_Item], make: Callable[[_Item], dict[str, Json]], reason: str
) -> tuple[list[dict[str, Json]], list[Rejected]]:
    rows, rejected = [], []
    for item in items:
        try:
            rows.append(make(item))
        except (KeyError, TypeError, ValueError, AttributeError):
            rejected.append(Rejected.of(reason, item.line, item.content))
    return rows, rejected


def _incident_row(item: _Item, history: Mapping[str, list[dict[str, Json]]]) -> dict[str, Json]:
    content = item.content
    if not _has_id(content):
        raise KeyError("id")
    incident_id = said_id(content)
    entries = history.get(incident_id, [])
    acknowledged = [entry["time_us"] for entry in entries if entry["event"] == "acknowledged"] or [
        read_time(entry["at"]) for entry in content.get("acknowledgements") or ()
    ]
    details = (content.get("body") or {}).get("details")
    return {
        "time_us": read_time(content["created_at"]),
        "source": SOURCE,
        "incident_id": incident_id,
        "end_time_us": later_or_none(_end_us(content, entries), read_time(content["created_at"])),
        "acknowledged_time_us": min(acknowledged, default=None),
        "title": _text(content.get("title") or content.get("summary")),
        "description": _text(details or content.get("description")),
        "severity": _summary(content.get("priority")) or _text(content.get("urgency")),
        "status": _text(content.get("status")),
        "service_name": _summary(content.get("service")),
        "url": _text(content.get("html_url")),
        "attributes": _json({key: value for key, value in content.items() if key != "log_entries"}),
    }


def _end_us(content: Mapping[str, Json], entries: Iterable[Mapping[str, Json]]) -> int | None:
    if content.get("status") != "resolved":
        return None
    resolved = [entry["time_us"] for entry in entries if entry["event"] == "resolved"]
    if resolved:
        return int(max(resolved))
    told = content.get("resolved_at") or content.get("last_status_change_at")
    return read_time(told) if told else None


def _alert_row(item: _Item, names: Mapping[Json, str]) -> dict[str, Json]:
    content = item.content
    if not _has_id(content):
        raise KeyError("id")
    reference = content.get("incident") or item.incident or {}
    incident_id = names.get(reference.get("id")) or (_referred_id(reference) if _has_id(reference) else None)
    kind = str(content["type"]).removesuffix("_reference").removesuffix("_log_entry")
    return {
        "time_us": read_time(content["created_at"]),
        "source": SOURCE,
        "alert_id": content["id"],
        "incident_id": incident_id,
        "event": _EVENTS.get(kind, kind),
        "summary": _text(content.get("summary")),
        "actor": _summary(content.get("agent")),
        "service_name": _summary(content.get("service")) or _summary((item.incident or {}).get("service")),
        "attributes": _json(content),
    }


def _referred_id(reference: Mapping[str, Json]) -> str:
    """Return the id people say of an incident in another file: a reference tells its title, and maybe its number."""
    found = _NUMBERED.fullmatch(str(reference.get("summary") or ""))
    number, title = (int(found[1]), found[2]) if found else (None, reference.get("summary"))
    return said_id({"id": reference["id"], "title": title, "incident_number": number})


def _summary(reference: object) -> str | None:
    if not isinstance(reference, dict):
        return None
    return _text(reference.get("summary") or reference.get("name"))


def _text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
