"""Batches of rows on their way through a mapping: as dicts, or as the frame that Parquet gives.

Both say the same of the same rows, so that how a file was stored decides how fast it is read, never what is read. A
frame gets its texts a column at a time, and what is rare (a row to be quarantined, a value that could not be read) a
row at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from prodintel_lib.sources.expressions import column_alias
from prodintel_lib.sources.tabular import cell_text, json_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PLAIN_FROM: Final = 1e-4
_PLAIN_BELOW: Final = 1e16


class Batch(Protocol):
    """Some rows of a file."""

    def texts(self, names: Iterable[str]) -> pl.DataFrame:
        """Return these columns as text, by their aliases; one the rows lack is all null. It has the batch's height."""

    def row(self, number: int) -> Mapping[str, Any]:
        """Return one row as it was read."""

    def line(self, number: int) -> int:
        """Return where a row begins in its file."""

    def attributes(self, used: frozenset[str], unread: Mapping[int, Mapping[str, Any]]) -> pl.Series:
        """Return what is not used, and by row what could not be read, as JSON objects; null where there is nothing."""


class RowBatch:
    """Rows that are dicts.

    Parameters
    ----------
    rows : sequence of dict
    lines : sequence of int
        Where each begins.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], lines: Sequence[int]) -> None:
        self._rows = rows
        self._lines = lines

    def texts(self, names: Iterable[str]) -> pl.DataFrame:
        """See Batch."""
        columns = [
            pl.Series(column_alias(name), [_safe(row.get(name)) for row in self._rows], dtype=pl.String)
            for name in names
        ]
        return _with_height(columns, len(self._rows))

    def row(self, number: int) -> Mapping[str, Any]:
        """See Batch."""
        return self._rows[number]

    def line(self, number: int) -> int:
        """See Batch."""
        return self._lines[number]

    def attributes(self, used: frozenset[str], unread: Mapping[int, Mapping[str, Any]]) -> pl.Series:
        """See Batch."""
        return _objects(self._rows, used, unread)


class FrameBatch:
    """Rows that are a frame.

    Parameters
    ----------
    frame : polars.DataFrame
    first_line : int
        Where its first row is; each takes one.
    """

    def __init__(self, frame: pl.DataFrame, first_line: int) -> None:
        self._frame = frame
        self._first_line = first_line

    def texts(self, names: Iterable[str]) -> pl.DataFrame:
        """See Batch."""
        columns = [
            _column_texts(self._frame[name]).alias(column_alias(name))
            if name in self._frame.columns
            else pl.Series(column_alias(name), [None] * self._frame.height, dtype=pl.String)
            for name in names
        ]
        return _with_height(columns, self._frame.height)

    def row(self, number: int) -> Mapping[str, Any]:
        """See Batch."""
        return self._frame.row(number, named=True)

    def line(self, number: int) -> int:
        """See Batch."""
        return self._first_line + number

    def attributes(self, used: frozenset[str], unread: Mapping[int, Mapping[str, Any]]) -> pl.Series:
        """See Batch."""
        others = self._frame.select(name for name in self._frame.columns if name not in used)
        if others.width:
            return _objects(others.iter_rows(named=True), used, unread)
        written: list[str | None] = [None] * self._frame.height
        for number, values in unread.items():
            written[number] = json_object(dict(values))
        return pl.Series(written, dtype=pl.String)


def _objects(
    rows: Iterable[Mapping[str, Any]], used: frozenset[str], unread: Mapping[int, Mapping[str, Any]]
) -> pl.Series:
    written: list[str | None] = []
    for number, row in enumerate(rows):
        kept = {key: value for key, value in row.items() if key not in used and value is not None}
        if number in unread:
            kept.update(unread[number])
        written.append(json_object(kept))
    return pl.Series(written, dtype=pl.String)


def _with_height(columns: list[pl.Series], height: int) -> pl.DataFrame:
    return pl.DataFrame(columns or [pl.Series("row", [0] * height, dtype=pl.Int64)])


def _column_texts(column: pl.Series) -> pl.Series:
    """Return a column as the text its cells have; other types than these are written one cell at a time."""
    if column.dtype == pl.String:
        return column
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return column.cast(pl.String)
    if column.dtype == pl.Float64:
        return _number_texts(column)
    return pl.Series([_safe(cell) for cell in column.to_list()], dtype=pl.String)


def _number_texts(column: pl.Series) -> pl.Series:
    """Return numbers as Python writes them; so does Polars but for very small and very large ones."""
    size = column.abs()
    odd = ~(((size >= _PLAIN_FROM) & (size < _PLAIN_BELOW)) | (size == 0)) & column.is_not_null()
    written = column.cast(pl.String)
    if not odd.any():
        return written
    places = odd.arg_true()
    return written.scatter(places, [repr(column[place]) for place in places])


def _safe(value: object) -> str | None:
    text = cell_text(value)
    return text if text is None or text.isascii() else text.encode(errors="replace").decode()
