"""Zipkin v2 JSON: lists of spans, as its API answers and its reporters send them.

See https://zipkin.io/zipkin-api/#/default/get_trace__traceId_. A list of lists (``/api/v2/traces``) is read as well.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.converted import ConvertedSpans, Origins, joined_result, pairs, span_id_of, trace_id_of
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.decompress import ByteStream

_KINDS: Final[Mapping[Json, int]] = {None: 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
# Tags that brave and others use where OpenTelemetry has an attribute.
_TAGS: Final[Mapping[str, str]] = {"http.path": "url.path", "sql.query": "db.statement"}


def read_zipkin(stream: ByteStream) -> ReadResult:
    """Read spans.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Table ``spans``.

    Notes
    -----
    Zipkin lets the server half of a call share the id of the client half. The server half gets an id of its own here
    (made from both), the client half becomes its parent, and the spans below it in its service move with it.
    A span without a duration (one-way messages, spans that were never finished) lasts 0 ms and says so in
    ``attributes``; one without a time is quarantined.
    """
    spans: list[tuple[int, Json]] = []
    rejected: list[Rejected] = []
    for line, document in read_documents(stream):
        for record in document if isinstance(document, list) else [document]:
            if isinstance(record, Rejected):
                rejected.append(record)
            elif isinstance(record, dict) and "traceId" in record and "id" in record:
                spans.append((line, record))
            else:
                rejected.append(Rejected.of("not a Zipkin span", line, record))
    own_ids = _server_halves([record for _, record in spans])
    reader, origins = ConvertedSpans(lambda record: _otlp_span(record, own_ids)), Origins()
    for line, record in spans:
        reader.add(origins.of({"service.name": _endpoint(record, "localEndpoint").get("serviceName")}), [record], line)
    return joined_result([reader], rejected)


def _endpoint(record: Mapping[str, Json], side: str) -> Mapping[str, Json]:
    endpoint = record.get(side)
    return endpoint if isinstance(endpoint, dict) else {}


def _server_halves(records: list[Mapping[str, Json]]) -> dict[tuple[str, str, str], str]:
    """Return the ids that server halves get: by trace, shared id and service."""
    client_ids = {
        (str(record["traceId"]), str(record["id"]))
        for record in records
        if record.get("kind") in ("CLIENT", "PRODUCER")
    }
    halves: dict[tuple[str, str, str], str] = {}
    for record in records:
        shared = (str(record["traceId"]), str(record["id"]))
        if record.get("kind") in ("SERVER", "CONSUMER") and (record.get("shared") is True or shared in client_ids):
            service = str(_endpoint(record, "localEndpoint").get("serviceName"))
            digest = hashlib.sha256("\0".join((*shared, service)).encode(errors="replace"))
            halves[(*shared, service)] = digest.hexdigest()[:16]
    return halves


def _otlp_span(record: Mapping[str, Json], own_ids: Mapping[tuple[str, str, str], str]) -> dict[str, Json]:
    trace, span, parent = str(record["traceId"]), str(record["id"]), record.get("parentId")
    kind = record.get("kind")
    service = str(_endpoint(record, "localEndpoint").get("serviceName"))
    half = own_ids.get((trace, span, service)) if kind in ("SERVER", "CONSUMER") else None
    if half is not None:
        span, parent = half, span
    elif parent is not None:
        parent = own_ids.get((trace, str(parent), service), parent)
    start_us, duration_us = int(record.get("timestamp") or 0), record.get("duration")
    tags = {str(_TAGS.get(key, key)): value for key, value in (record.get("tags") or {}).items()}
    remote = _endpoint(record, "remoteEndpoint")
    about: dict[str, Json] = {"peer.service": remote.get("serviceName")}
    if kind in {"CLIENT", "PRODUCER"}:
        about |= {"server.address": remote.get("ipv4") or remote.get("ipv6"), "server.port": remote.get("port")}
    if duration_us is None:
        about["zipkin.duration"] = "missing"
    return {
        "traceId": trace_id_of(trace),
        "spanId": span_id_of(span),
        "parentSpanId": span_id_of(str(parent)) if parent else None,
        "name": record.get("name"),
        "kind": _KINDS[kind],
        "startTimeUnixNano": start_us * 1000,
        "endTimeUnixNano": (start_us + int(duration_us or 0)) * 1000,
        "status": {"code": 2, "message": tags["error"]} if "error" in tags else None,
        "attributes": pairs({key: value for key, value in about.items() if key not in tags} | tags),
        "events": [
            {"name": note["value"], "timeUnixNano": int(note["timestamp"]) * 1000}
            for note in record.get("annotations") or ()
        ],
    }
