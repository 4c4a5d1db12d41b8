"""Logs as JSON, an object a record: application logs in any of the usual formats, and systemd's journal.

Which field is what is told by its name (log_fields). Records with the same fields are read together, a column at a
time. Where a collector wrapped what an application wrote as JSON into a text, the inside is read as if it came alone,
with what the collector added around it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from prodintel_lib.sources.converted import flattened
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.log_fields import BODY, BUNYAN_SIGN, FIELDS, LEVEL, PARENTS, SCALES
from prodintel_lib.sources.log_levels import level_name, level_of
from prodintel_lib.sources.log_rows import INSIDE, finished_logs
from prodintel_lib.sources.log_values import log_values_frame
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS, collection_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

NOT_A_RECORD: Final = "not a log record"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that is left out on purpose, and why."""

    reason: str


_SYSLOG_LIMIT: Final = 10


class _Plan:
    """What the fields of one kind of record are.

    Attributes
    ----------
    parents : tuple of str
        Fields whose objects have to be flattened first.
    body : str or None
        The field with the message.
    columns : dict of str to tuple of str
        Column to the fields that may fill it, the best first.
    rest : tuple of str
        Fields that are no column's.
    """

    __slots__ = ("body", "columns", "parents", "rest")

    def __init__(self, names: Sequence[str]) -> None:
        known = set(names)
        self.columns = {
            column: found
            for column, fields in FIELDS.items()
            if (found := tuple(field for field in fields if field in known))
        }
        if known >= BUNYAN_SIGN and "service_name" not in self.columns:
            self.columns["service_name"] = ("name",)
            loggers = tuple(name for name in self.columns.get("logger_name", ()) if name != "name")
            self.columns = {k: v for k, v in self.columns.items() if k != "logger_name"} | (
                {"logger_name": loggers} if loggers else {}
            )
        taken = {field for fields in self.columns.values() for field in fields}
        self.rest = tuple(name for name in names if name not in taken)
        self.parents = tuple(name for name in names if name in PARENTS)
        self.body = self.columns.get(BODY, (None,))[0]


class JsonLogRows:
    """Collects log records that are objects, and makes parts of them."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._groups: dict[tuple[str, ...], tuple[list[int], list[dict[str, Json]]]] = {}
        self._rejected: list[Rejected] = []
        self._dropped: Counter[str] = Counter()
        self._frames: list[pl.DataFrame] = []
        self._waiting = 0
        self.rows_read = 0

    def add(self, line: int, record: dict[str, Json]) -> None:
        """Take a record that begins on a line."""
        self.rows_read += 1
        self._waiting += 1
        if self._waiting > _FRAME_ROWS:
            self._flush()
        names = tuple(record)
        plan = self._plans.get(names) or self._plan(names)
        if plan.parents and _is_nested(plan.parents, record):
            try:
                record = {k: v for name, value in record.items() for k, v in _opened(name, value)}
            except RecursionError:
                self.reject("nested too deep", line, record, is_counted=True)
                return
            names = tuple(record)
            plan = self._plan(names)
        text = record[plan.body] if plan.body else None
        if type(text) is str and text[:1] == "{":
            inner = inner_record(text)
            if inner is not None:
                self.rows_read -= 1
                self._waiting -= 1
                self.add(line, _merged(record, plan.body, inner))
                return
        group = self._groups.get(names)
        if group is None:
            group = self._groups[names] = ([], [])
        group[0].append(line)
        group[1].append(record)

    def reject(self, reason: str, line: int, content: object, *, is_counted: bool = False) -> None:
        """Account for something that is no record."""
        self.rows_read += not is_counted
        self._rejected.append(content if isinstance(content, Rejected) else Rejected.of(reason, line, content))

    def drop(self, reason: str) -> None:
        """Account for a record that is left out on purpose."""
        self.rows_read += 1
        self._dropped[reason] += 1

    def part(self) -> ReadResult:
        """Return what was taken since the last part, and forget it."""
        self._flush()
        frames, self._frames, rejected, self._rejected, self.rows_read = self._frames, [], self._rejected, [], 0
        if len(self._plans) > _MAX_PLANS:
            self._plans.clear()
        dropped, self._dropped = dict(self._dropped), Counter()
        made = finished_logs(pl.concat(frames).sort("number", maintain_order=True), rejected)
        return replace(made, rows_read=made.rows_read + sum(dropped.values()), dropped=dropped) if dropped else made

    def _flush(self) -> None:
        """Turn objects into columns while they are still near the processor."""
        columns: dict[str, list[Json]] = {name: [] for name in ("number", INSIDE, *FIELDS)}
        for names, (lines, records) in self._groups.items():
            _extend(columns, self._plan(names), lines, records)
        self._groups, self._waiting = {}, 0
        self._frames.append(log_values_frame(columns))

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = _Plan(names)
        return plan


# Records that carry their data in their keys would otherwise fill the memory with plans.
_MAX_PLANS: Final = 10_000
_FRAME_ROWS: Final = 4_096
_MAX_TAIL_BYTES: Final = 4 << 20


def read_json_log_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read log records, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``logs``. What is no object, and a record without a time, is quarantined.
    """
    return record_parts(_documents(stream), None, part_rows=part_rows)


class _Rest(ByteStream):
    """What is left of a stream whose first blocks have been read."""

    def __init__(self, stream: ByteStream, blocks: Iterator[bytes]) -> None:
        super().__init__(stream.path)
        self._stream = stream
        self._blocks = blocks

    def blocks(self) -> Iterator[bytes]:
        yield from self._blocks
        self.damage = self._stream.damage


def _documents(stream: ByteStream) -> Iterator[tuple[int, Json]]:
    """Yield documents as read_documents does; as long as every line is an object, a block of them is one call."""
    blocks, number, tail = stream.blocks(), 1, b""
    for block in blocks:
        content = tail + block
        *lines, tail = content.split(b"\n")
        documents = _objects(lines) if len(tail) < _MAX_TAIL_BYTES else None
        if documents is None:
            blocks, tail = chain([content], blocks), b""
            break
        yield from enumerate(documents, number)
        number += len(lines)
    shift = number - 1
    for line, document in read_documents(_Rest(stream, chain([tail], blocks))):
        if isinstance(document, Rejected):
            yield line + shift, replace(document, line=document.line + shift)
        else:
            yield line + shift, document


def _objects(lines: list[bytes]) -> list[Json] | None:
    """Return the objects that lines are, one each; None where any is something else."""
    if not all(line[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines):
        return None
    try:
        documents: list[Json] = orjson.loads(b"[" + b",".join(lines) + b"]")
    except orjson.JSONDecodeError:
        return None
    return documents if len(documents) == len(lines) else None


def read_record_parts(
    stream: ByteStream, unwrap: Callable[[Json], Iterable[Json]], *, part_rows: int = PART_ROWS
) -> Iterator[ReadResult]:
    """Read documents that hold log records.

    Parameters
    ----------
    stream : ByteStream
    unwrap : callable or None
        A document to its records (None: it is one), or to LeftOut for one that is not to be kept. What else is no
        dict is quarantined, as is a document over which it stumbles (ValueError, KeyError, TypeError, AttributeError).
    part_rows : int
    """
    yield from record_parts(read_documents(stream), unwrap, part_rows=part_rows)


def record_parts(
    documents: Iterator[tuple[int, Json]],
    unwrap: Callable[[Json], Iterable[Json]] | None,
    *,
    part_rows: int = PART_ROWS,
) -> Iterator[ReadResult]:
    """Read documents that come with their lines; see read_record_parts."""
    rows = JsonLogRows()
    while True:
        with collection_paused():
            for line, document in documents:
                if unwrap is None and type(document) is dict:
                    rows.add(line, document)
                else:
                    _take(rows, line, document, unwrap or _itself)
                if rows.rows_read >= part_rows:
                    break
            if not rows.rows_read:
                return
            part = rows.part()
        yield part


def _take(rows: JsonLogRows, line: int, document: Json, unwrap: Callable[[Json], Iterable[Json]]) -> None:
    if isinstance(document, Rejected):
        rows.reject("", line, document)
        return
    try:
        records = list(unwrap(document))
    except (ValueError, KeyError, TypeError, AttributeError):
        rows.reject(NOT_A_RECORD, line, document)
        return
    for record in records:
        if isinstance(record, dict):
            rows.add(line, record)
        elif isinstance(record, LeftOut):
            rows.drop(record.reason)
        else:
            rows.reject(NOT_A_RECORD, line, record)


def _itself(document: Json) -> tuple[Json]:
    return (document,)


def inner_record(text: str) -> dict[str, Json] | None:
    """Return the log record that a text is; None where it is none."""
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return inner if isinstance(inner, dict) and any(name in inner for name in FIELDS[BODY]) else None


def _is_nested(parents: tuple[str, ...], record: Mapping[str, Json]) -> bool:
    return dict in map(type, map(record.__getitem__, parents))


def _merged(record: Mapping[str, Json], body: str | None, inner: Mapping[str, Json]) -> dict[str, Json]:
    """Put what an application wrote and what its collector added into one; of equal names the application's counts."""
    added = {name: value for name, value in record.items() if name != body}
    return dict(inner) | {(f"collector.{name}" if name in inner else name): value for name, value in added.items()}


def _opened(name: str, value: Json) -> Iterable[tuple[str, Json]]:
    return (
        flattened(value, f"{name}.").items() if name in PARENTS and type(value) is dict and value else ((name, value),)
    )


def _extend(columns: dict[str, list[Json]], plan: _Plan, lines: list[int], records: list[dict[str, Json]]) -> None:
    """Append the columns of records that have the same fields."""
    count = len(records)
    rests = [{name: record[name] for name in plan.rest} for record in records]
    columns["number"].extend(lines)
    for column in FIELDS:
        fields = plan.columns.get(column, ())
        if not fields:
            columns[column].extend([None] * count)
        elif column == LEVEL:
            columns[column].extend(_levels(fields, records, rests))
        elif len(fields) == 1:
            columns[column].extend([record[fields[0]] for record in records])
        else:
            columns[column].extend([_best(fields, record, rest) for record, rest in zip(records, rests, strict=True)])
    columns[INSIDE].extend(rests)


def _best(fields: tuple[str, ...], record: Mapping[str, Json], rest: dict[str, Json]) -> Json:
    """Return the first value there is; what another field says beside it stays."""
    best: Json = None
    for field in fields:
        value = record[field]
        if value in (None, "", best):
            continue
        if best is None and not isinstance(value, dict):
            best = value
        else:
            rest[field] = value
    return best


def _levels(fields: tuple[str, ...], records: list[dict[str, Json]], rests: list[dict[str, Json]]) -> list[int | None]:
    """Return the levels as OpenTelemetry's numbers; a word that says more than the number stays."""
    known: dict[tuple[str, str], tuple[int | None, bool]] = {}
    numbers: list[int | None] = []
    for place, record in enumerate(records):
        chosen: int | None = None
        for field in fields:
            value = record[field]
            if value is None or value == "":
                continue
            key = (field, str(value))
            if key not in known:
                known[key] = _level(field, value)
            number, is_whole = known[key]
            if chosen is None:
                chosen = number
            if not is_whole or (number is not None and number != chosen):
                rests[place] = rests[place] | {("severity_text" if number == chosen else field): value}
        numbers.append(chosen)
    return numbers


def _level(field: str, value: Json) -> tuple[int | None, bool]:
    """Return the number of a level, and whether the number's name says all that was said."""
    scale = SCALES.get(field) or ("syslog" if str(value).isdigit() and int(value) < _SYSLOG_LIMIT else "bunyan")
    number = level_of(value, scale=scale)
    return number, number is not None and (str(value).isdigit() or str(value).upper() == level_name(number))
