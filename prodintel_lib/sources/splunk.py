"""Splunk: events as its search exports them, as JSON or as CSV.

The streaming export writes an object a line (``{"preview": false, "offset": 0, "result": {...}}``), the older answer
``{"results": [...]}``, and Splunk Web an array or a CSV with ``_raw`` and ``_time``. A preview is dropped and counted:
its events come again. The message is what Splunk extracted as such, else ``_raw``.
See https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTsearch#search.2Fv2.2Fjobs.2Fexport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.decompress import read_head
from prodintel_lib.sources.json_logs import LeftOut, read_record_parts, record_parts
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.tabular import TabularFile, tabular_form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

PREVIEW: Final = "Splunk preview"
_HEAD_BYTES: Final = 64 << 10
# Splunk's own bookkeeping, of which nothing is said about the event.
_INTERNAL: Final = ("_bkt", "_cd", "_serial", "_si", "_pre_msg", "_subsecond", "_kv", "_eventtype_color", "_sourcetype")


def read_splunk_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``logs``. Host, source, source type and index stay in the attributes.
    """
    if tabular_form(read_head(stream.path, size_bytes=_HEAD_BYTES)) == "csv":
        yield from record_parts(TabularFile(stream, "csv").rows(), _records, part_rows=part_rows)
    else:
        yield from read_record_parts(stream, _records, part_rows=part_rows)


def _records(document: Json) -> list[Json]:
    if not isinstance(document, dict):
        return [document]
    if "results" in document:
        return [_event(event) for event in document["results"]]
    if "preview" not in document and "result" not in document:
        return [_event(document)]
    if "result" not in document:
        # The last line of an export says only that it is the last.
        return []
    return [LeftOut(PREVIEW) if document.get("preview") else _event(document["result"])]


def _event(event: Json) -> Json:
    if not isinstance(event, dict):
        return event
    kept = {name: value for name, value in event.items() if name not in _INTERNAL}
    # `source` and `host` say where an event came from; a service is named by the application alone.
    if "_time" in kept:
        kept = {"@timestamp": kept.pop("_time")} | kept
    return kept
