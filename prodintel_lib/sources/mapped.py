"""The mapped table: any CSV, NDJSON, JSON or Parquet, whose columns prodintel.yaml maps to a canonical table.

This is how evidence of a tool that has no reader gets in. Rows are gathered into batches (those of Parquet come as
frames), and each batch goes through the compiled expressions at once. A row that lacks what its table requires is
quarantined; what a mapping does not use goes into ``attributes``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.errors import ParameterError, near_match
from prodintel_lib.sources.expression_syntax import Site
from prodintel_lib.sources.expression_times import whole_number_of
from prodintel_lib.sources.expressions import Expression, column_alias, compile_expression
from prodintel_lib.sources.mapped_batches import FrameBatch, RowBatch
from prodintel_lib.sources.model import EARLIEST_TIME_US, LATEST_TIME_US, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS, joined_parts
from prodintel_lib.sources.rum_rows import finished_events, finished_exposures
from prodintel_lib.sources.tabular import TabularFile, json_object, require_tabular
from prodintel_lib.tables import EXPOSURES, FLAG, FLOAT, INT, RUM_EVENTS, TABLES, TEXT, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.mapped_batches import Batch
    from prodintel_lib.workspace import TableMapping

BATCH_ROWS: Final = 8192
ATTRIBUTES: Final = "attributes"
_HEIGHT: Final = "height of the batch"
# What a table requires and few tools say.
_DEFAULTS: Final[Mapping[str, str]] = {"source": "mapped", "metric_kind": "gauge", "event_kind": "view"}
# What is worked out from a row's other columns when it is kept.
_FILLED: Final = frozenset({"user_bucket"})
_FINISH: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    RUM_EVENTS.name: finished_events,
    EXPOSURES.name: finished_exposures,
}
_ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "event_kind": ("view", "action", "error", "request", "vital", "custom"),
    "span_kind": ("internal", "server", "client", "producer", "consumer"),
    "status_code": ("unset", "ok", "error"),
}
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_HEX: Final = "^[0-9A-Fa-f]+$"
_SEVERITIES: Final[Mapping[str, str]] = {
    "INFORMATION": "INFO",
    "NOTICE": "INFO",
    "WARNING": "WARN",
    "ERR": "ERROR",
    "CRITICAL": "FATAL",
    "EMERGENCY": "FATAL",
}


@dataclass(frozen=True, slots=True)
class MappedTable:
    """A mapping that has been checked.

    Attributes
    ----------
    table : Table
    expressions : mapping of canonical column to Expression
    used : frozenset of str
        The columns of the file that go into canonical ones.
    """

    table: Table
    expressions: Mapping[str, Expression]
    used: frozenset[str]


def compile_mapping(mapping: TableMapping) -> MappedTable:
    """Check a mapping of prodintel.yaml.

    Raises
    ------
    ParameterError
        If it names a table or a column that does not exist, leaves out a required one, or an expression is wrong.
    """
    if mapping.table not in TABLES:
        raise ParameterError.unknown("table", mapping.table, known=TABLES, where=f"{mapping.where}.table")
    table = TABLES[mapping.table]
    mappable = [name for name in table.schema if name != ATTRIBUTES and name not in _FILLED]
    where = f"{mapping.where}.columns"
    for name in mapping.columns:
        if name not in mappable:
            raise ParameterError.unknown(f"column of table `{table.name}`", name, known=mappable, where=where)
    given = {*mapping.columns, *_FILLED, *(_DEFAULTS.keys() - _telling(mapping.columns))}
    lacking = [name for name in table.required if name not in given]
    if lacking:
        raise ParameterError(
            f"{where}: table `{table.name}` needs {', '.join(f'`{name}`' for name in lacking)}.",
            hint=f"map it: {lacking[0]}: an expression over the columns of the file.",
        )
    expressions = {name: compile_expression(Site(f"{where}.{name}", text)) for name, text in mapping.columns.items()}
    used = frozenset(column for expression in expressions.values() for column in expression.columns)
    return MappedTable(table, expressions, used)


def _telling(columns: Mapping[str, str]) -> set[str]:
    """Return the defaults that do not hold: rows are page views where a path is mapped, and no name of an event."""
    is_view = "url_path" in columns and "event_name" not in columns
    return set() if is_view else {"event_kind"}


def read_mapped(stream: ByteStream, mapped: MappedTable, *, form: str) -> ReadResult:
    """Read a file through a mapping.

    Parameters
    ----------
    stream : ByteStream
    mapped : MappedTable
    form : {"csv", "ndjson", "json", "parquet"}

    Returns
    -------
    ReadResult
        The one table that is mapped to. Rows without a required value, before 1990, or of negative duration are
        quarantined; a number or a time in another column that cannot be read stays in ``attributes`` as it was.

    Raises
    ------
    ParameterError
        If the format is unknown, or the mapping needs a column that no row has.
    """
    return joined_parts(read_mapped_parts(stream, mapped, form=form))


def read_mapped_parts(
    stream: ByteStream, mapped: MappedTable, *, form: str, part_rows: int = PART_ROWS
) -> Iterator[ReadResult]:
    """Read a file through a mapping, a part of `part_rows` rows at a time; see read_mapped.

    What is wrong with the mapping as a whole shows when all rows have been read, after the last part.
    """
    file = TabularFile(stream, require_tabular(form))
    collected = RowCollector(mapped)
    if form == "parquet":
        yield from _frame_parts(file, collected, part_rows)
    else:
        for line, row in file.rows():
            collected.add(line, row)
            if collected.waiting == part_rows:
                yield collected.result()
    yield collected.result()
    _require_columns(mapped, file.columns, met=bool(collected.rows_met or (form != "ndjson" and file.columns)))


def _frame_parts(file: TabularFile, collected: RowCollector, part_rows: int) -> Iterator[ReadResult]:
    for line, frame in file.frames():
        if isinstance(frame, Rejected):
            collected.add(line, frame)
            continue
        start = 0
        while start < frame.height:
            piece = frame.slice(start, part_rows - collected.waiting)
            collected.add_frame(line + start, piece)
            start += piece.height
            if collected.waiting == part_rows:
                yield collected.result()


def _require_columns(mapped: MappedTable, found: set[str], *, met: bool) -> None:
    if not met:
        return
    for expression in mapped.expressions.values():
        for name, place in expression.columns.items():
            if name not in found and name not in expression.optional:
                like = near_match(name, found)
                shown = ", ".join(f"`{column}`" for column in sorted(found)[:20]) or "no columns"
                raise ParameterError(
                    f"{expression.site.at(place)}: no column `{name}`; the file has {shown}.",
                    hint=f"did you mean `{like}`?" if like else f"write optional({name}) if files may lack it.",
                )


@dataclass
class RowCollector:
    """Gathers rows into batches and accounts for each of them.

    Parameters
    ----------
    mapped : MappedTable

    Attributes
    ----------
    rows_met : int
        Rows taken that were rows.
    waiting : int
        How many `result` would account for now.
    """

    mapped: MappedTable
    rows_met: int = 0
    waiting: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _rejected: list[Rejected] = field(default_factory=list)

    def add(self, line: int, row: dict[str, Any] | Rejected) -> None:
        """Take a row that begins on a line, or what is there instead."""
        self.waiting += 1
        if isinstance(row, Rejected):
            self._rejected.append(row)
            return
        self.rows_met += 1
        self._rows.append(row)
        self._lines.append(line)
        if len(self._rows) == BATCH_ROWS:
            self._flush()

    def add_frame(self, line: int, frame: pl.DataFrame) -> None:
        """Take rows that are a frame, the first of which is on a line."""
        self.waiting += frame.height
        self.rows_met += frame.height
        self._take(FrameBatch(frame, line))

    def result(self) -> ReadResult:
        """Return the rows of the table that came since the last call, and the account of them."""
        self._flush()
        frames, rejected, self._frames, self._rejected, self.waiting = self._frames, self._rejected, [], [], 0
        name = self.mapped.table.name
        finish = _FINISH.get(name, _as_it_is)
        kept = {name: finish(pl.concat(frames))} if frames else {}
        return ReadResult(
            frames=kept,
            rows_read=sum(frame.height for frame in kept.values()) + len(rejected),
            quarantined=tuple(sorted(rejected, key=lambda item: item.line)),
        )

    def _flush(self) -> None:
        if self._rows:
            rows, lines, self._rows, self._lines = self._rows, self._lines, [], []
            self._take(RowBatch(rows, lines))

    def _take(self, batch: Batch) -> None:
        made = _canonical(batch, self.mapped)
        reasons = made.select(_reason(self.mapped.table).alias("reason"))["reason"]
        for number in reasons.is_not_null().arg_true():
            self._rejected.append(
                Rejected.of(reasons[number], batch.line(number), json_object(dict(batch.row(number))) or "")
            )
        kept = made.filter(reasons.is_null())
        if kept.height:
            self._frames.append(kept)


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _canonical(batch: Batch, mapped: MappedTable) -> pl.DataFrame:
    """Apply the expressions to a batch; return the table's columns, required ones perhaps null."""
    given = batch.texts(mapped.used)
    made = given.select(
        **{
            name: _typed(name, dtype, mapped.expressions[name])
            if name in mapped.expressions
            else pl.lit(_DEFAULTS.get(name) if name in mapped.table.required else None, dtype=dtype)
            for name, dtype in mapped.table.schema.items()
        },
        # An expression of constants alone has no height.
        **{_HEIGHT: pl.int_range(pl.len())},
    ).drop(_HEIGHT)
    if "end_time_us" in mapped.table.schema:
        made = made.with_columns(pl.when(pl.col("end_time_us") >= pl.col("time_us")).then(pl.col("end_time_us")))
    rest = batch.attributes(mapped.used, _unread(made, given, mapped, batch))
    return made.with_columns(rest.alias(ATTRIBUTES))


def _typed(name: str, dtype: pl.DataType, expression: Expression) -> pl.Expr:
    value = expression.value
    if dtype == INT:
        if value.kind == "number":
            number = value.expr.cast(pl.Float64).round().cast(pl.Int64, strict=False)
        else:
            number = whole_number_of(value.text())
        return (
            pl.when((number > EARLIEST_TIME_US) & (number < LATEST_TIME_US)).then(number) if _is_time(name) else number
        )
    if dtype == FLOAT:
        number = value.number().cast(pl.Float64)
        return pl.when(number.is_finite()).then(number)
    if dtype == FLAG:
        return value.flag()
    text = value.text()
    if name in _ENUMS:
        text = text.str.to_lowercase().str.strip_prefix("span_kind_").str.strip_prefix("status_code_")
        return pl.when(text.is_in(_ENUMS[name])).then(text)
    if name == "severity_text":
        return text.str.to_uppercase().replace(dict(_SEVERITIES))
    return pl.when(text.str.contains(_HEX)).then(text.str.to_lowercase()).otherwise(text) if name in _IDS else text


def _is_time(name: str) -> bool:
    return name == "time_us" or name.endswith("_time_us")


def _unread(made: pl.DataFrame, given: pl.DataFrame, mapped: MappedTable, batch: Batch) -> dict[int, dict[str, Any]]:
    """Return by row the values that no number, time or known word could be read from, so that nothing is lost."""
    unread: dict[int, dict[str, Any]] = {}
    for name, expression in mapped.expressions.items():
        if mapped.table.schema[name] == TEXT and name not in _ENUMS:
            continue
        nulls = made[name].is_null()
        if not nulls.any():
            continue
        for column in expression.columns:
            for number in (nulls & given[column_alias(column)].is_not_null()).arg_true():
                unread.setdefault(number, {})[column] = batch.row(number)[column]
    return unread


def _reason(table: Table) -> pl.Expr:
    """Say why a row cannot be kept; null where it can."""
    reasons = [
        pl.when(pl.col(name).is_null()).then(pl.lit(f"no usable {name}"))
        for name in table.required
        if name not in _FILLED
    ]
    if "duration_ms" in table.schema:
        reasons.append(pl.when(pl.col("duration_ms") < 0).then(pl.lit("negative duration")))
    return pl.coalesce(*reasons, pl.lit(None, dtype=pl.String))
