"""Spans and logs of other tools, brought to OTLP's shape, so that one reader knows the columns of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.model import Json, ReadResult, Rejected, read_time
from prodintel_lib.sources.otlp_logs import LogReader
from prodintel_lib.sources.otlp_traces import SpanReader
from prodintel_lib.sources.otlp_values import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prodintel_lib.sources.otlp_records import RecordReader

_TRACE_CHARS: Final = 32
_SPAN_CHARS: Final = 16
_SCALARS: Final = {
    str: "stringValue",
    bool: "boolValue",
    int: "intValue",
    float: "doubleValue",
}


class ConvertedSpans(SpanReader):
    """Reads spans of another tool.

    Parameters
    ----------
    convert : callable
        A record to an OTLP span; what it stumbles over makes the record malformed.
    """

    def __init__(self, convert: Callable[[Json], dict[str, Json]]) -> None:
        super().__init__()
        self._convert = convert

    def _write(self, record: Json, origin: Origin) -> str:
        return super()._write(self._convert(record), origin)


class ConvertedLogs(LogReader):
    """Reads log records of another tool; see ConvertedSpans."""

    def __init__(self, convert: Callable[[Json], dict[str, Json]]) -> None:
        super().__init__()
        self._convert = convert

    def _write(self, record: Json, origin: Origin) -> str:
        return super()._write(self._convert(record), origin)


class Origins:
    """What records of one service share, made once for each."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, str], ...], Origin] = {}

    def of(self, resource: Mapping[str, Json]) -> Origin:
        """Return the origin with these resource attributes; those without a value are left out."""
        key = tuple((name, repr(value)) for name, value in resource.items() if value is not None)
        if key not in self._known:
            self._known[key] = Origin({"attributes": pairs(resource)}, {})
        return self._known[key]


def pairs(values: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return attributes as OTLP writes them; those without a value are left out."""
    return [{"key": key, "value": any_of(value)} for key, value in values.items() if value is not None]


def any_of(value: Json) -> dict[str, Json]:
    """Return a JSON value as an AnyValue."""
    if value is None:
        return {}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_of(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_of(item)} for key, item in value.items()]}}
    return {_SCALARS[type(value)]: value}


def flattened(values: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Return nested objects as one with dots in its names: ``{"http": {"method": "GET"}}`` → ``http.method``."""
    flat: dict[str, Json] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def trace_id_of(text: str) -> str:
    """Return a trace id of at most 32 hex digits with the zeros its tool leaves out."""
    return text.rjust(_TRACE_CHARS, "0") if text else text


def span_id_of(text: str) -> str:
    """Return a span id of at most 16 hex digits with the zeros its tool leaves out."""
    return text.rjust(_SPAN_CHARS, "0") if text else text


def iso_ns(text: Json) -> int:
    """Return an ISO 8601 time in nanoseconds since the epoch.

    Raises
    ------
    ValueError
        If it is none.
    """
    return read_time(text) * 1000


def joined_result(
    readers: Sequence[RecordReader], rejected: Iterable[Rejected], others: ReadResult | None = None
) -> ReadResult:
    """Put the rows of several readers and what nobody could read into one account."""
    frames = {reader.table.name: reader.frame() for reader in readers}
    apart = [*rejected, *(others.quarantined if others else ())]
    quarantined = apart + [item for reader in readers for item in reader.rejected]
    kept = {name: frame for name, frame in frames.items() if frame.height}
    return ReadResult(
        frames={**kept, **(others.frames if others else {})},
        rows_read=sum(reader.rows_read for reader in readers)
        + len(apart)
        + (sum(others.kept.values()) + sum(others.dropped.values()) if others else 0),
        dropped=others.dropped if others else {},
        quarantined=tuple(sorted(quarantined, key=lambda item: item.line)),
    )
