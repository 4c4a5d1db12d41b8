"""A first mapping for a table nobody has mapped: which canonical table it looks like, and which column is which.

A proposal is a guess from names alone; `prodintel init` writes it down for a person to confirm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.tabular import TabularFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prodintel_lib.sources.decompress import ByteStream

_TIMES: Final = (
    "timestamp", "time", "starttimeunixnano", "timeunixnano", "starttime", "start", "date", "datetime", "ts",
    "createdat",
)  # fmt: skip
_SERVICES: Final = ("servicename", "service", "podname", "pod", "app", "application", "component", "container")
_TRACES: Final = ("traceid",)
_SPANS: Final = ("spanid",)
# Normalised names (lower case, letters and digits only), by canonical column, the likeliest first.
_KNOWN: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "spans": {
        "time_us": ("starttimeunixnano", "startnano", "starttime", "start", *_TIMES),
        "duration_ms": ("durationms", "duration", "durationus", "durationns", "elapsed", "elapsedms", "latency"),
        "trace_id": _TRACES,
        "span_id": _SPANS,
        "parent_span_id": ("parentspanid", "parentid", "parent"),
        "span_name": ("spanname", "operationname", "operation", "name"),
        "span_kind": ("spankind", "kind"),
        "status_code": ("statuscode", "status"),
        "service_name": _SERVICES,
        "http_route": ("httproute", "route"),
    },
    "logs": {
        "time_us": _TIMES,
        "body": ("body", "message", "msg", "log", "text", "content"),
        "severity_text": ("severitytext", "severity", "level", "loglevel"),
        "service_name": _SERVICES,
        "trace_id": _TRACES,
        "span_id": _SPANS,
        "logger_name": ("loggername", "logger"),
    },
    "metrics": {
        "time_us": _TIMES,
        "metric_name": ("metricname", "metric", "name", "kpi"),
        "value": ("value", "val"),
        "service_name": _SERVICES,
        "metric_unit": ("unit", "metricunit"),
    },
}
# A table is recognised by these; the rest is welcome.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "spans": ("trace_id", "span_id", "duration_ms"),
    "logs": ("time_us", "body"),
    "metrics": ("time_us", "metric_name", "value"),
}
_SAMPLE_ROWS: Final = 50
_DIGITS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_EPOCHS: Final = ((11, "epoch_s"), (14, "epoch_ms"), (17, "epoch_us"), (20, "epoch_ns"))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A guess at a mapping.

    Attributes
    ----------
    table : str
    columns : mapping of canonical column to expression
    unsure : frozenset of str
        The canonical columns whose unit or meaning the names do not tell.
    unused : tuple of str
        The columns of the file that would go to ``attributes``.
    """

    table: str
    columns: Mapping[str, str]
    unsure: frozenset[str]
    unused: tuple[str, ...]


def propose_mapping(stream: ByteStream, form: str) -> Proposal | None:
    """Guess the mapping of a tabular file from its names and first rows.

    Parameters
    ----------
    stream : ByteStream
    form : {"csv", "ndjson", "json", "parquet"}

    Returns
    -------
    Proposal or None
        None where no table fits.
    """
    file = TabularFile(stream, form)
    rows = []
    for _, row in file.rows():
        if isinstance(row, dict):
            rows.append(row)
        if len(rows) == _SAMPLE_ROWS:
            break
    names = list(dict.fromkeys(name for row in rows for name in row)) or sorted(file.columns)
    by_plain = {_plain(name): name for name in reversed(names) if "`" not in name}
    for table, needed in _NEEDED.items():
        known = _KNOWN[table]
        found = {column: next((by_plain[n] for n in likely if n in by_plain), "") for column, likely in known.items()}
        found = {column: name for column, name in found.items() if name}
        if all(column in found for column in needed) and "time_us" in found:
            return _proposal(table, found, names, rows)
    return None


def _proposal(table: str, found: Mapping[str, str], names: Sequence[str], rows: list[dict[str, object]]) -> Proposal:
    columns, unsure = {}, set()
    for column, name in found.items():
        samples = [str(row[name]) for row in rows if row.get(name) is not None]
        if column == "time_us":
            columns[column] = _time(name, samples)
        elif column == "duration_ms":
            columns[column], is_sure = _duration(name)
            if not is_sure:
                unsure.add(column)
        else:
            columns[column] = _name(name, rows)
    unused = tuple(name for name in names if name not in found.values())
    return Proposal(table, columns, frozenset(unsure), unused)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _written(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"`{name}`"


def _name(name: str, rows: Iterable[dict[str, object]]) -> str:
    """Write a column; as optional where not every row has it."""
    return _written(name) if all(name in row for row in rows) else f"optional({_written(name)})"


def _time(name: str, samples: Sequence[str]) -> str:
    """Write how a time is read: by its digits where it is a number, else as ISO 8601."""
    digits = [len(text.partition(".")[0]) for text in samples if _DIGITS.fullmatch(text)]
    if len(digits) == len(samples) and digits:
        longest = max(digits)
        function = next((made for below, made in _EPOCHS if longest < below), "epoch_ns")
        return f"{function}({_written(name)})"
    return f"iso({_written(name)})"


def _duration(name: str) -> tuple[str, bool]:
    """Write how a duration is read, and whether its name tells the unit."""
    plain = _plain(name)
    for ending, function in (("ms", "ms"), ("us", "us_to_ms"), ("ns", "ns_to_ms"), ("seconds", "s_to_ms")):
        if plain.endswith(ending) and plain != ending:
            return f"{function}({_written(name)})", True
    return f"ms({_written(name)})", False
