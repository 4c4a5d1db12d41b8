"""Users' events and exposures on their way into the lake: what all readers of them share.

A reader says what it knows of an event as a dict by column; here values are brought to the columns' types, the agent
and the visitor are filled in, and every row and everything that is none is accounted for.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson
import polars as pl

from prodintel_lib.sources.columns import ColumnChunks
from prodintel_lib.sources.converted import flattened
from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.model import Json, ReadResult, Rejected, is_storable_time
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.otlp_values import int64
from prodintel_lib.sources.parts import PART_ROWS, collection_paused
from prodintel_lib.sources.row_log import text_of
from prodintel_lib.sources.user_agents import with_clients
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import EXPOSURES, FLAG, FLOAT, INT, RUM_EVENTS, TEXT, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

NO_TIME: Final = "missing or impossible time"
VITALS: Final[Mapping[str, str]] = {
    "lcp": "lcp_ms",
    "inp": "inp_ms",
    "cls": "cls_score",
    "fcp": "fcp_ms",
    "ttfb": "ttfb_ms",
    "fid": "fid_ms",
}
_NEVER_NEGATIVE: Final = frozenset({"duration_ms", *VITALS.values()})
_YES: Final = frozenset({"true", "1", "yes"})
_NO: Final = frozenset({"false", "0", "no"})
ATTRIBUTES: Final = "attributes"


class Told:
    """What an event says, by dotted name; what is taken out has a column, the rest stays.

    Parameters
    ----------
    values : mapping
        Nested objects are flattened: ``{"view": {"id": 1}}`` has ``view.id``.

    Raises
    ------
    ValueError
        If they are nested deeper than can be followed.
    """

    def __init__(self, values: Mapping[str, Json]) -> None:
        try:
            self._values = flattened(values)
        except RecursionError as error:
            raise ValueError("nested too deep") from error

    def take(self, *names: str) -> Json:
        """Return the first of these that has a value, and take it out; None where none has."""
        for name in names:
            value = self._values.get(name)
            if value is not None and value != "":
                return self._values.pop(name)
        return None

    def peek(self, name: str) -> Json:
        """Return a value and leave it where it is."""
        return self._values.get(name)

    def names(self) -> Iterable[str]:
        """Return the names that are left."""
        return self._values.keys()

    def rest(self) -> dict[str, Json]:
        """Return what was not taken and has a value."""
        return {name: value for name, value in self._values.items() if value is not None and value != ""}


def page_of(url: Json) -> tuple[str | None, str | None]:
    """Return the path and the query of a page's address; a path alone is one too.

    Examples
    --------
    >>> page_of("https://shop.example/cart?step=2#top"), page_of("/cart"), page_of("https://shop.example")
    (('/cart', 'step=2'), ('/cart', None), ('/', None))
    """
    if not isinstance(url, str) or not url:
        return None, None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None, None
    if not parts.path and not parts.netloc:
        return None, parts.query or None
    path = parts.path or "/"
    return path if path.startswith("/") else f"/{path}", parts.query or None


def scaled(value: Json, *, times: float = 1.0, by: float = 1.0) -> float | None:
    """Return a number in another unit, multiplied and divided; None where it is none."""
    number = _number(value)
    return None if number is None else number * times / by


def _whole(value: Json) -> int | None:
    return int64(round(value)) if isinstance(value, float) and math.isfinite(value) else int64(value)


def _not_negative(value: Json) -> float | None:
    number = _number(value)
    return None if number is not None and number < 0 else number


def _number(value: Json) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _flag(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    return True if text in _YES else False if text in _NO else None


def _cell_reader(name: str, dtype: pl.DataType) -> Callable[[Json], Json]:
    """Return what brings a value to its column's type; None where it cannot be brought there."""
    if dtype == FLOAT:
        return _not_negative if name in _NEVER_NEGATIVE else _number
    return {TEXT: text_of, INT: _whole, FLAG: _flag}[dtype]


# Made once: a row has a dozen cells, and a type compared for each of them would cost more than reading it.
_CELLS: Final[Mapping[str, Mapping[str, Callable[[Json], Json]]]] = {
    table.name: {name: _cell_reader(name, dtype) for name, dtype in table.schema.items()}
    for table in (RUM_EVENTS, EXPOSURES)
}
# What is filled when a chunk is done, so no row lacks it.
_FILLED_LATER: Final = frozenset({"user_bucket"})
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    table.name: tuple(name for name in table.required if name not in _FILLED_LATER) for table in (RUM_EVENTS, EXPOSURES)
}


def finished_events(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill clients, visitors and buckets; return the table's columns in its order."""
    return with_visitors(with_clients(frame)).select(list(RUM_EVENTS.schema))


def finished_exposures(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill visitors as those of events are filled; return the table's columns in its order."""
    unknown = pl.lit(None, dtype=pl.String)
    with_client = frame.with_columns(unknown.alias("client_address"), unknown.alias("user_agent_original"))
    return with_visitors(with_client).select(list(EXPOSURES.schema))


_FINISH: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    RUM_EVENTS.name: finished_events,
    EXPOSURES.name: finished_exposures,
}


class RumRows:
    """Collects events and exposures of one file, and says of what it could not collect why."""

    def __init__(self) -> None:
        self._tables: dict[str, ColumnChunks] = {}
        self._rejected: list[Rejected] = []
        self._dropped: Counter[str] = Counter()
        self._kept = 0

    @property
    def rows_read(self) -> int:
        """Rows met since the last part, also those that were dropped or rejected."""
        return self._kept + len(self._rejected) + sum(self._dropped.values())

    def event(self, line: int, row: Mapping[str, Json], rest: Mapping[str, Json] | None = None) -> None:
        """Keep an event; `rest` is what has no column. One that lacks its time or kind is rejected."""
        self._keep(RUM_EVENTS, line, row, rest or {})

    def exposure(self, line: int, row: Mapping[str, Json], rest: Mapping[str, Json] | None = None) -> None:
        """Keep an exposure; see `event`."""
        self._keep(EXPOSURES, line, row, rest or {})

    def reject(self, reason: str, line: int, content: object) -> None:
        """Account for something that could not be read."""
        self._rejected.append(content if isinstance(content, Rejected) else Rejected.of(reason, line, content))

    def drop(self, reason: str, count: int = 1) -> None:
        """Account for something left out on purpose."""
        self._dropped[reason] += count

    def part(self) -> ReadResult:
        """Return what was collected since the last part, and forget it."""
        frames = {name: chunks.frame() for name, chunks in self._tables.items()}
        part = ReadResult(
            frames={name: _FINISH[name](frame) for name, frame in frames.items() if frame.height},
            rows_read=self.rows_read,
            dropped=dict(self._dropped),
            quarantined=tuple(sorted(self._rejected, key=lambda item: item.line)),
        )
        self._rejected, self._kept = [], 0
        self._dropped.clear()
        return part

    def _keep(self, table: Table, line: int, row: Mapping[str, Json], rest: Mapping[str, Json]) -> None:
        values: dict[str, Any] = {}
        unread: dict[str, Json] = {}
        cells = _CELLS[table.name]
        for name, value in row.items():
            if value is None:
                continue
            made = cells[name](value)
            if made is not None:
                values[name] = made
            elif value != "":
                unread[name] = value
        if reason := _missing(table, values):
            self.reject(reason, line, {**row, **rest})
            return
        if told := {**rest, **unread}:
            values[ATTRIBUTES] = orjson.dumps(told).decode()
        if table.name not in self._tables:
            self._tables[table.name] = ColumnChunks(table)
        chunks = self._tables[table.name]
        for name, value in values.items():
            chunks.columns[name][chunks.height] = value
        chunks.commit(line)
        self._kept += 1


def _missing(table: Table, values: Mapping[str, Json]) -> str:
    if not is_storable_time(values.get("time_us", 0)):
        return NO_TIME
    lacking = [name for name in _REQUIRED[table.name] if name not in values]
    return f"no usable {lacking[0]}" if lacking else ""


def read_event_parts(
    stream: ByteStream,
    read: Callable[[RumRows, int, Json], None],
    *,
    malformed: str,
    part_rows: int = PART_ROWS,
) -> Iterator[ReadResult]:
    """Read a file of JSON documents, a part at a time.

    Parameters
    ----------
    stream : ByteStream
    read : callable
        Puts what a document says into the rows; given the line it begins on. A document it stumbles over is rejected
        whole, so it collects before it keeps.
    malformed : str
        The reason of such a rejection.
    part_rows : int
        A part ends with the document that brings it to so many rows.
    """
    rows = RumRows()
    documents = read_documents(stream)
    while True:
        with collection_paused():
            for line, document in documents:
                if isinstance(document, Rejected):
                    rows.reject(document.reason, line, document)
                    continue
                try:
                    read(rows, line, document)
                except MALFORMED:
                    rows.reject(malformed, line, document)
                if rows.rows_read >= part_rows:
                    break
        if not rows.rows_read:
            return
        yield rows.part()
