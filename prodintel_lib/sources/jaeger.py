"""Jaeger JSON: what its UI exports, what its query API answers, and the spans of its Elasticsearch store.

``{"data": [trace, ...]}``, a trace ``{"traceID", "spans", "processes"}`` alone, or spans with their ``process`` inside.
See https://www.jaegertracing.io/docs/latest/architecture/apis/.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.converted import ConvertedSpans, Origins, pairs, span_id_of, trace_id_of
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS, collection_paused, joined_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

_KINDS: Final[Mapping[str, int]] = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_NOT_A_TRACE: Final = "not a Jaeger trace or span"


def read_jaeger(stream: ByteStream) -> ReadResult:
    """Read spans.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Table ``spans``. The parent is the first ``CHILD_OF`` reference within the trace, else the first reference
        within it; every other reference becomes a link.
    """
    return joined_parts(read_jaeger_parts(stream))


def read_jaeger_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read spans, a part of the file at a time; a part ends with the document that brings it to so many rows."""
    reader, origins = ConvertedSpans(_otlp_span), Origins()
    documents = read_documents(stream)
    while True:
        with collection_paused():
            part = _read_part(documents, reader, origins, part_rows)
        if not part.rows_read:
            return
        yield part


def _read_part(
    documents: Iterator[tuple[int, Json]], reader: ConvertedSpans, origins: Origins, part_rows: int
) -> ReadResult:
    rejected: list[Rejected] = []
    for line, document in documents:
        if isinstance(document, Rejected):
            rejected.append(document)
            continue
        for process, of_process in groupby(_spans(document), key=itemgetter(1)):
            origin = origins.of(_resource(process))
            for span, _ in of_process:
                if isinstance(span, dict):
                    reader.add(origin, [span], line)
                else:
                    rejected.append(Rejected.of(_NOT_A_TRACE, line, span if span is not None else document))
        if reader.rows_read + len(rejected) >= part_rows:
            break
    whole = ReadResult(frames={}, rows_read=len(rejected), quarantined=tuple(rejected))
    return joined_parts([whole, reader.part()])


def _spans(document: Json) -> Iterator[tuple[Json, Json]]:
    """Yield the spans of a document with their processes; what is neither comes as something that is no dict."""
    if not isinstance(document, dict):
        yield None, None
    elif isinstance(document.get("data"), list):
        for trace in document["data"]:
            yield from _spans(trace)
    elif isinstance(document.get("spans"), list):
        processes = document.get("processes")
        known = processes if isinstance(processes, dict) else {}
        for span in document["spans"]:
            yield span, _process(span, known) if isinstance(span, dict) else None
    elif "spanID" in document and "traceID" in document:
        yield document, document.get("process")
    else:
        yield None, None


def _process(span: Mapping[str, Json], known: Mapping[str, Json]) -> Json:
    return known.get(str(span.get("processID"))) or span.get("process")


def _resource(process: Json) -> dict[str, Json]:
    if not isinstance(process, dict):
        return {}
    tags = process.get("tags")
    values = _values(tags) if isinstance(tags, list) and all(isinstance(tag, dict) for tag in tags) else {}
    return {"service.name": process.get("serviceName")} | values


def _values(tags: Json) -> dict[str, Json]:
    return {
        str(tag["key"]): tag.get("value") if tag.get("type") == "string" else _value(tag)
        for tag in tags or ()
        if "key" in tag
    }


def _value(tag: Mapping[str, Json]) -> Json:
    """Return a tag's value; the store may write all of them as text."""
    kind, value = tag.get("type"), tag.get("value")
    if not isinstance(value, str):
        return value
    if kind == "bool":
        return value == "true"
    try:
        return int(value) if kind == "int64" else float(value) if kind == "float64" else value
    except ValueError:
        return value


def _otlp_span(record: Mapping[str, Json]) -> dict[str, Json]:
    tags = _values(record.get("tags"))
    parent, links = _references(record)
    start_us = int(record.get("startTime") or 0)
    kind = tags.pop("span.kind", None)
    return {
        "traceId": trace_id_of(str(record["traceID"])),
        "spanId": span_id_of(str(record["spanID"])),
        "parentSpanId": parent,
        "name": record.get("operationName"),
        "kind": _KINDS.get(str(kind).lower(), 0),
        "startTimeUnixNano": start_us * 1000,
        "endTimeUnixNano": (start_us + int(record["duration"])) * 1000,
        "status": _status(tags),
        "attributes": pairs(tags),
        "events": [_event(log) for log in record.get("logs") or ()],
        "links": links,
    }


def _references(record: Mapping[str, Json]) -> tuple[str | None, list[dict[str, Json]]]:
    trace = record["traceID"]
    told = list(record.get("references") or ())
    inside = [reference for reference in told if reference.get("traceID", trace) == trace]
    chosen = next((reference for reference in inside if reference.get("refType") == "CHILD_OF"), None)
    chosen = chosen or next(iter(inside), None)
    parent = record.get("parentSpanID") or (chosen or {}).get("spanID")
    links = [
        {"traceId": trace_id_of(str(reference["traceID"])), "spanId": span_id_of(str(reference["spanID"]))}
        for reference in told
        if reference is not chosen
    ]
    return (span_id_of(str(parent)) if parent else None), links


def _status(tags: dict[str, Json]) -> dict[str, Json] | None:
    code = str(tags.pop("otel.status_code", "")).upper()
    message = tags.pop("otel.status_description", None)
    failed = tags.get("error")
    if code == "ERROR" or failed is True or str(failed).lower() == "true":
        return {"code": 2, "message": message}
    return {"code": 1, "message": message} if code == "OK" else None


def _event(log: Mapping[str, Json]) -> dict[str, Json]:
    fields = _values(log.get("fields"))
    name = fields.pop("event", None) or fields.get("message")
    return {"name": name, "timeUnixNano": int(log["timestamp"]) * 1000, "attributes": pairs(fields)}
