"""Datadog: incidents, spans, logs and RUM events, as its API v2 answers.

``{"data": [{"type": "incidents" | "spans" | "log" | "rum", "attributes": {...}}]}``, single objects, and search
results. See https://docs.datadoghq.com/api/latest/incidents/, .../spans/, .../logs/ and .../rum/. RUM events as the
SDKs write them are read by datadog_rum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.converted import (
    ConvertedLogs,
    ConvertedSpans,
    Origins,
    flattened,
    iso_ns,
    joined_result,
    pairs,
    span_id_of,
    trace_id_of,
)
from prodintel_lib.sources.datadog_rum import NOT_AN_EVENT, read_rum_event
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected, read_time
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.row_log import RowLog, json_of, later_or_none, text_of
from prodintel_lib.sources.rum_rows import RumRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

SOURCE: Final = "datadog"
_STATES: Final[Mapping[str, str]] = {"active": "triggered", "stable": "acknowledged"}
_KINDS: Final[Mapping[str, int]] = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_NAMES: Final[Mapping[str, str]] = {
    "error.message": "exception.message",
    "error.stack": "exception.stacktrace",
    "error.kind": "error.type",
    "usr.id": "user.id",
    "http.useragent": "user_agent.original",
    "http.url_details.path": "url.path",
    "http.url_details.queryString": "url.query",
}
_ID_CHARS: Final = {"trace": 32, "span": 16}


def read_datadog(stream: ByteStream) -> ReadResult:
    """Read incidents, spans, logs and RUM events.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Tables ``incidents``, ``spans``, ``logs``, ``rum_events``, ``exposures``.

    Notes
    -----
    Decimal ids become hex. A span's duration is its ``custom.duration`` in nanoseconds, since the two timestamps of an
    answer have milliseconds only. An incident begins when it was detected, else declared, else created; its id is the
    slug people say (``IR-1234``) where it has one, else the public id. ``active`` reads as triggered, ``stable`` as
    acknowledged.
    """
    spans, logs = ConvertedSpans(_otlp_span), ConvertedLogs(_otlp_log)
    incidents, origins, events = RowLog(), Origins(), RumRows()
    for line, document in read_documents(stream):
        if isinstance(document, Rejected):
            incidents.reject(line, document, reason="")
            continue
        for item in _items(document):
            kind = item.get("type") if isinstance(item, dict) else None
            if kind == "incidents":
                incidents.read("incidents", line, item, _incident_row, reason="incident without id or time")
            elif kind == "spans":
                spans.add(origins.of(_resource(item)), [item], line)
            elif kind == "log":
                logs.add(origins.of(_resource(item)), [item], line)
            elif kind == "rum":
                _read_rum(events, line, item)
            else:
                incidents.reject(line, item, reason="not a Datadog incident, span, log or RUM event")
    return joined_parts([joined_result([spans, logs], (), incidents.result()), events.part()])


def _read_rum(events: RumRows, line: int, item: Mapping[str, Json]) -> None:
    """Read a RUM event of an answer, of which a search gives the last version only."""
    try:
        told = item["attributes"]
        event = {"service": told.get("service"), "ddtags": told.get("tags")} | told["attributes"]
        event.setdefault("date", read_time(told.get("timestamp")) // 1000)
        read_rum_event(events, line, event)
    except MALFORMED:
        events.reject(NOT_AN_EVENT, line, item)


def _items(document: Json) -> Iterator[Json]:
    data = document.get("data", document) if isinstance(document, dict) else document
    for item in data if isinstance(data, list) else [data]:
        found = (item.get("attributes") or {}) if isinstance(item, dict) else {}
        listed = found.get("incidents") if isinstance(found, dict) else None
        if isinstance(listed, list):
            for inner in listed:
                yield inner.get("data") if isinstance(inner, dict) else inner
        else:
            yield item


def _resource(item: Mapping[str, Json]) -> dict[str, Json]:
    told = item.get("attributes")
    if not isinstance(told, dict):
        return {}
    custom, tags = told.get("custom"), told.get("tags")
    custom = custom if isinstance(custom, dict) else {}
    tags = tags if isinstance(tags, list) else []
    tagged = dict(tag.split(":", 1) for tag in tags if isinstance(tag, str) and ":" in tag)
    return {
        "service.name": told.get("service"),
        "service.version": custom.get("version") or tagged.get("version"),
        "deployment.environment.name": told.get("env") or tagged.get("env"),
        "host.name": told.get("host"),
    }


def _hex_id(value: Json, chars: int) -> str | None:
    """Return an id as hex: Datadog writes 64 bits as decimal digits, and traces of 128 bits as 32 of hex."""
    text = str(value) if value is not None else ""
    if text in {"", "0"}:
        return None
    if text.isdecimal() and len(text) < _ID_CHARS["trace"]:
        text = f"{int(text):x}"
    return trace_id_of(text) if chars == _ID_CHARS["trace"] else span_id_of(text)


def _otlp_span(item: Mapping[str, Json]) -> dict[str, Json]:
    told = dict(item["attributes"])
    custom = flattened(told.pop("custom", None) or {})
    start_ns = iso_ns(told.pop("start_timestamp"))
    end = told.pop("end_timestamp", None)
    duration_ns = custom.pop("duration", None)
    end_ns = start_ns + int(duration_ns) if duration_ns is not None else iso_ns(end)
    kind = str(custom.pop("span.kind", "")).lower()
    failed = told.get("status") == "error" or any(key.startswith("error.") for key in custom)
    attributes = {_NAMES.get(key, key): value for key, value in custom.items()}
    ids = [
        _hex_id(told.pop(name, None), chars) for name, chars in (("trace_id", 32), ("span_id", 16), ("parent_id", 16))
    ]
    for shown in ("service", "env", "host"):
        told.pop(shown, None)
    return {
        "traceId": ids[0],
        "spanId": ids[1],
        "parentSpanId": ids[2],
        "name": told.pop("resource_name", None) or told.get("operation_name"),
        "kind": _KINDS.get(kind, 0),
        "startTimeUnixNano": start_ns,
        "endTimeUnixNano": end_ns,
        "status": {"code": 2, "message": custom.get("error.message")} if failed else None,
        "attributes": pairs(attributes | {f"datadog.{key}": value for key, value in told.items()}),
    }


def _otlp_log(item: Mapping[str, Json]) -> dict[str, Json]:
    told = dict(item["attributes"])
    own = flattened(told.pop("attributes", None) or {})
    time_ns = iso_ns(told.pop("timestamp"))
    trace = own.pop("dd.trace_id", None) or own.pop("trace_id", None)
    span = own.pop("dd.span_id", None) or own.pop("span_id", None)
    for shown in ("service", "host"):
        told.pop(shown, None)
    return {
        "timeUnixNano": time_ns,
        "body": {"stringValue": text_of(told.pop("message", None))},
        "severityText": "info" if (status := told.pop("status", None)) == "ok" else text_of(status),
        "traceId": _hex_id(trace, 32),
        "spanId": _hex_id(span, 16),
        "attributes": pairs(
            {_NAMES.get(key, key): value for key, value in own.items()}
            | {f"datadog.{key}": value for key, value in (told | {"id": item.get("id")}).items()}
        ),
    }


def _incident_row(item: Json) -> dict[str, Json]:
    told = item["attributes"]
    fields = {name: field.get("value") for name, field in (told.get("fields") or {}).items() if isinstance(field, dict)}
    start_us = read_time(told.get("detected") or told.get("declared") or told["created"])
    state = text_of(told.get("state") or fields.get("state"))
    services = fields.get("services")
    resolved = told.get("resolved")
    return {
        "time_us": start_us,
        "source": SOURCE,
        "incident_id": text_of(fields.get("slug")) or str(told.get("public_id") or item["id"]),
        "end_time_us": later_or_none(read_time(resolved) if resolved else None, start_us),
        "acknowledged_time_us": None,
        "title": text_of(told.get("title")),
        "description": text_of(fields.get("summary")),
        "severity": text_of(told.get("severity") or fields.get("severity")),
        "status": _STATES.get(state, state) if state else None,
        "service_name": text_of(services[0]) if isinstance(services, list) and services else text_of(services),
        "url": None,
        "attributes": json_of(item),
    }
