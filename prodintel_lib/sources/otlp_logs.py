"""Log records of OTLP/JSON into the table `logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from prodintel_lib.sources.model import Json, is_storable_time
from prodintel_lib.sources.otlp_records import RecordReader
from prodintel_lib.sources.otlp_values import RESERVED, TEXT_ALIASES, any_value, as_text, hex_id, int64
from prodintel_lib.tables import LOGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.sources.otlp_values import Origin
    from prodintel_lib.tables import Table

# Four numbers a level: 1..4 TRACE, 5..8 DEBUG, ...
_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_NUMBERS: Final[Mapping[str, int]] = {
    f"SEVERITY_NUMBER_{name}{step + 1 if step else ''}": 4 * level + step + 1
    for level, name in enumerate(_LEVELS)
    for step in range(4)
}
# What loggers call the levels.
_LEVEL_OF_TEXT: Final[Mapping[str, str]] = {name: name for name in _LEVELS} | {
    "INFORMATION": "INFO",
    "NOTICE": "INFO",
    "WARNING": "WARN",
    "ERR": "ERROR",
    "CRITICAL": "FATAL",
    "EMERGENCY": "FATAL",
    "ALERT": "FATAL",
}


class LogReader(RecordReader):
    """Turns log records into rows of `logs`.

    The severity is brought to OpenTelemetry's names, by its number where there is one; a text that says something else
    stays in the attributes as ``severity_text``.
    """

    table: ClassVar[Table] = LOGS
    record_name: ClassVar[str] = "log record"

    def __init__(self) -> None:
        super().__init__()
        columns = self._rows.columns
        self._texts = {key: columns[name] for key, name in TEXT_ALIASES.items() if name in columns}

    def _write(self, record: Json, origin: Origin) -> str:
        row, columns = self._rows.height, self._rows.columns
        observed_ns = int(record.get("observedTimeUnixNano") or 0)
        time_us = (int(record.get("timeUnixNano") or 0) or observed_ns) // 1000
        if not is_storable_time(time_us):
            return "missing or impossible time"
        columns["time_us"][row] = time_us
        columns["logger_name"][row] = origin.scope_name
        body = any_value(record.get("body") or {})
        columns["body"][row] = None if body is None else as_text(body)
        own = self._split_attributes(record.get("attributes") or (), row)
        if event := record.get("eventName"):
            own["event_name"] = event
        self._set_ids(record, own, row)
        self._set_severity(record, own, row)
        columns["attributes"][row] = origin.joined(own)
        return ""

    def _split_attributes(self, pairs: Sequence[Json], row: int) -> dict[str, Json]:
        own: dict[str, Json] = {}
        for pair in pairs:
            key, value = pair["key"], any_value(pair.get("value") or {})
            column = self._texts.get(key)
            if column is None or value is None:
                own[f"{key}_" if key in RESERVED else key] = value
            elif column[row] is None:
                column[row] = as_text(value)
            elif column[row] != as_text(value):
                own[key] = value
        return own

    def _set_ids(self, record: Json, own: dict[str, Json], row: int) -> None:
        """Set the ids of the trace it was written in; a log line is worth keeping also with an id that is none."""
        for key, name, hex_chars in (("traceId", "trace_id", 32), ("spanId", "span_id", 16)):
            given = record.get(key)
            try:
                self._rows.columns[name][row] = hex_id(given, hex_chars=hex_chars)
            except ValueError:
                own[name] = given

    def _set_severity(self, record: Mapping[str, Json], own: dict[str, Json], row: int) -> None:
        columns = self._rows.columns
        given = record.get("severityNumber")
        number = _NUMBERS.get(given) if isinstance(given, str) and given in _NUMBERS else int64(given)
        text = as_text(record.get("severityText") or "")
        if number is not None and 1 <= number <= 24:
            columns["severity_number"][row] = number
            level = _LEVELS[(number - 1) // 4]
        else:
            level = _LEVEL_OF_TEXT.get(text.upper(), text)
        columns["severity_text"][row] = level or None
        if text and text != level:
            own["severity_text"] = text
