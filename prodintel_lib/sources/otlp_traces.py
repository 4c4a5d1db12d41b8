"""Spans of OTLP/JSON into the table `spans`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from prodintel_lib.sources.model import Json, is_storable_time
from prodintel_lib.sources.otlp_records import RecordReader
from prodintel_lib.sources.otlp_span_attributes import SpanAttributes
from prodintel_lib.sources.otlp_values import TEXT_ALIASES, as_text, hex_id, int64, plain_attributes
from prodintel_lib.tables import SPANS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.otlp_values import Origin
    from prodintel_lib.tables import Table

_KIND_NAMES: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
# The specification lets an unspecified kind be taken for internal.
KINDS: Final[Mapping[object, str]] = {
    key: "internal" if name == "unspecified" else name
    for number, name in enumerate(_KIND_NAMES)
    for key in (number, str(number), f"SPAN_KIND_{name.upper()}")
}
STATUSES: Final[Mapping[object, str]] = {
    key: name
    for number, name in enumerate(("unset", "ok", "error"))
    for key in (number, str(number), f"STATUS_CODE_{name.upper()}")
}
_TRACE_ID_CHARS: Final = 32
_SPAN_ID_CHARS: Final = 16
_ID_CHARS: Final = {"trace_id": _TRACE_ID_CHARS, "span_id": _SPAN_ID_CHARS, "parent_span_id": _SPAN_ID_CHARS}
_DIRECT: Final = (
    "time_us",
    "duration_ms",
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_name",
    "span_kind",
    "status_code",
    "attributes",
)


class SpanReader(RecordReader):
    """Turns spans into rows of `spans`.

    Ids of the usual length are spelled and checked a chunk at a time: a call for each would cost as much as reading the
    span's attributes.
    """

    table: ClassVar[Table] = SPANS
    record_name: ClassVar[str] = "span"
    repairs: ClassVar[tuple[pl.Expr, ...]] = tuple(
        pl.when(pl.col(name).str.to_lowercase() != "0" * chars).then(pl.col(name).str.to_lowercase())
        for name, chars in _ID_CHARS.items()
    )
    checks: ClassVar[Mapping[str, pl.Expr]] = {
        "missing trace or span id": pl.col("trace_id").is_not_null() & pl.col("span_id").is_not_null(),
        "malformed id": pl.all_horizontal(
            pl.col(name).str.contains(f"^[0-9a-f]{{{chars}}}$").fill_null(value=True)
            for name, chars in _ID_CHARS.items()
        ),
    }

    def __init__(self) -> None:
        super().__init__()
        self._lists = tuple(self._rows.columns[name] for name in _DIRECT)
        self._attributes = SpanAttributes(self._rows.columns)

    def _write(self, record: Json, origin: Origin) -> str:
        times, durations, trace_ids, span_ids, parents, names, kinds, codes, attributes = self._lists
        row = self._rows.height
        start_ns, end_ns = int(record.get("startTimeUnixNano") or 0), int(record.get("endTimeUnixNano") or 0)
        time_us = start_ns // 1000
        if not is_storable_time(time_us):
            return "missing or impossible start time"
        if end_ns < start_ns:
            return "negative duration" if end_ns else "missing end time"
        times[row] = time_us
        durations[row] = (end_ns - start_ns) / 1e6
        trace_ids[row] = _hex(record.get("traceId"), _TRACE_ID_CHARS)
        span_ids[row] = _hex(record.get("spanId"), _SPAN_ID_CHARS)
        parents[row] = _hex(record.get("parentSpanId"), _SPAN_ID_CHARS)
        if (name := record.get("name")) is not None:
            names[row] = as_text(name)
        kind = kinds[row] = KINDS[record.get("kind", 0)]
        codes[row] = "unset"
        if status := record.get("status"):
            codes[row] = STATUSES[status.get("code", 0)]
            if message := status.get("message"):
                self._rows.columns["status_message"][row] = as_text(message)
        own = self._attributes.split(record.get("attributes") or (), row, kind)
        if events := record.get("events"):
            own["events"] = self._read_events(events, row)
        if links := record.get("links"):
            own["links"] = [_plain_link(link) for link in links]
        if state := record.get("traceState"):
            own["trace_state"] = state
        attributes[row] = origin.joined(own)
        return ""

    def _read_events(self, events: list[Json], row: int) -> list[dict[str, Json]]:
        """Return all events as plain JSON; the last exception also fills the columns that are still empty."""
        plain = []
        exception: dict[str, Json] = {}
        for event in events:
            attributes = plain_attributes(event.get("attributes"))
            name = event.get("name")
            if name == "exception":
                exception = attributes
            time_ns = int64(event.get("timeUnixNano"))
            plain.append({"name": name, "time_us": time_ns // 1000 if time_ns else None, "attributes": attributes})
        for key in ("exception.type", "exception.message", "exception.stacktrace"):
            values = self._rows.columns[TEXT_ALIASES[key]]
            if exception.get(key) is not None and values[row] is None:
                values[row] = as_text(exception[key])
        return plain


def _hex(value: Json, chars: int) -> str | None:
    """Return an id of the right length as it is, for the chunk's checks; others as hex."""
    if not value:
        return None
    return value if len(value) == chars and type(value) is str else hex_id(value, hex_chars=chars)


def _plain_link(link: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "trace_id": hex_id(link.get("traceId"), hex_chars=_TRACE_ID_CHARS),
        "span_id": hex_id(link.get("spanId"), hex_chars=_SPAN_ID_CHARS),
        "attributes": plain_attributes(link.get("attributes")),
    }
