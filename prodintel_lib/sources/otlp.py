"""OTLP/JSON, as the collector's file exporter and every OpenTelemetry tool write it.

Traces, logs and metrics may come in one file: a document a line, a single document, or several pretty-printed ones
after each other. See https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and, for the file exporter's
lines, https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/.

The three signals share the layout resource → scope → records; otlp_traces, otlp_logs and otlp_metrics read the records,
otlp_events those log records that are browsers' events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.otlp_events import EventReader, is_browser_event
from prodintel_lib.sources.otlp_logs import LogReader
from prodintel_lib.sources.otlp_metrics import MetricReader
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.otlp_traces import SpanReader
from prodintel_lib.sources.otlp_values import camelised, origins
from prodintel_lib.sources.parts import PART_ROWS, collection_paused, joined_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.otlp_records import RecordReader
    from prodintel_lib.sources.otlp_values import Origin

# Document key: table, keys under which scopes come, key of the records.
_SIGNALS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "resourceSpans": ("spans", ("scopeSpans", "instrumentationLibrarySpans"), "spans"),
    "resourceLogs": ("logs", ("scopeLogs", "instrumentationLibraryLogs"), "logRecords"),
    "resourceMetrics": ("metrics", ("scopeMetrics", "instrumentationLibraryMetrics"), "metrics"),
}


def read_otlp(stream: ByteStream) -> ReadResult:
    """Read spans, log records and metric data points, all at once; see read_otlp_parts."""
    return joined_parts(read_otlp_parts(stream))


def read_otlp_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read spans, log records and metric data points, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int
        A part ends with the document that brings it to so many rows.

    Yields
    ------
    ReadResult
        Tables ``spans``, ``logs``, ``metrics``, ``rum_events``, ``exposures``. A row read is a span, a log record or a
        data point; a document that cannot be read at all counts as one.

    Notes
    -----
    Attributes with a column of their own (see otlp_values for the names, old and new) are taken out of ``attributes``;
    the rest stays there as plain JSON, beside ``resource``, ``scope``, ``events`` and ``links``. The last exception
    event fills the exception columns.
    """
    readers: dict[str, RecordReader | EventReader] = {}
    documents = read_documents(stream)
    while True:
        with collection_paused():
            part = _read_part(documents, readers, part_rows)
        if not part.rows_read:
            return
        yield part


def _read_part(
    documents: Iterator[tuple[int, Json]], readers: dict[str, RecordReader | EventReader], part_rows: int
) -> ReadResult:
    rejected: list[Rejected] = []
    for line, document in documents:
        if isinstance(document, Rejected):
            rejected.append(document)
        elif not _read_document(document, line, readers):
            rejected.append(Rejected.of("not an OTLP document", line, document))
        if len(rejected) + sum(reader.rows_read for reader in readers.values()) >= part_rows:
            break
    whole = ReadResult(frames={}, rows_read=len(rejected), quarantined=tuple(rejected))
    return joined_parts([whole, *(reader.part() for reader in readers.values())])


_MAKERS: Final[Mapping[str, type[RecordReader | EventReader]]] = {
    "spans": SpanReader,
    "logs": LogReader,
    "metrics": MetricReader,
    "rum_events": EventReader,
}


def _read_document(document: Json, line: int, readers: dict[str, RecordReader | EventReader]) -> bool:
    """Read one document; return False where nothing of it can be read, before any of its rows is."""
    if not isinstance(document, dict):
        return False
    if any("_" in key for key in document) or _has_snake_case_inside(document):
        document = camelised(document)
    try:
        batches = [
            (table, origin, records)
            for signal, (table, groups, name) in _SIGNALS.items()
            if signal in document
            for origin, records in origins(
                document[signal] or (), groups=groups, records=name, scope_is_column=table == "logs"
            )
        ]
        sound = all(isinstance(records, list) for _, _, records in batches)
    except MALFORMED:
        return False
    if not sound or not any(signal in document for signal in _SIGNALS):
        return False
    for batch_table, origin, batch in batches:
        for table, records in _sorted(batch_table, origin, batch):
            if table not in readers:
                readers[table] = _MAKERS[table]()
            readers[table].add(origin, records, line)
    return True


def _sorted(table: str, origin: Origin, records: list[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Yield the records of a batch by the reader they are for: among log records may be browsers' events."""
    if table != "logs":
        yield table, records
        return
    batches: dict[str, list[Json]] = {}
    for record in records:
        batches.setdefault("rum_events" if is_browser_event(record, origin) else table, []).append(record)
    yield from batches.items()


def _has_snake_case_inside(document: Mapping[str, Json]) -> bool:
    """Say whether the first entry of a camelCase document has keys in snake_case."""
    for signal in _SIGNALS:
        entries = document.get(signal)
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            return any("_" in key for key in entries[0])
    return False
