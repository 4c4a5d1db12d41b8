"""Rows of CSV, NDJSON, JSON and Parquet, one at a time, each with its place in the file."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.documents import read_documents, split_lines
from prodintel_lib.sources.model import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from prodintel_lib.sources.decompress import ByteStream

    Row: TypeAlias = tuple[int, dict[str, Any] | Rejected]

TABULAR_FORMATS: Final = ("csv", "ndjson", "json", "parquet")
PARQUET_MAGIC: Final = b"PAR1"
MAX_FIELD_CHARS: Final = 1 << 20
_PARQUET_BATCH_ROWS: Final = 16_384
_DELIMITERS: Final = ",;\t|"
_NOT_UTF8: Final = "not valid UTF-8"


class TabularFile:
    """The rows of one file.

    Parameters
    ----------
    stream : ByteStream
    form : {"csv", "ndjson", "json", "parquet"}

    Attributes
    ----------
    columns : set of str
        The names met so far; all of them once the rows have been read.
    """

    def __init__(self, stream: ByteStream, form: str) -> None:
        self._stream = stream
        self._form = form
        self.columns: set[str] = set()

    def rows(self) -> Iterator[Row]:
        """Yield every row with the line it begins on (in Parquet: its number), or what could not be read."""
        if self._form == "csv":
            yield from self._csv_rows()
        elif self._form == "parquet":
            yield from self._parquet_rows()
        else:
            yield from self._json_rows()

    def _json_rows(self) -> Iterator[Row]:
        for line, document in read_documents(self._stream):
            if isinstance(document, dict):
                self.columns.update(document)
                yield line, document
            elif isinstance(document, Rejected):
                yield line, document
            else:
                yield line, Rejected.of("not a JSON object", line, document)

    def _csv_rows(self) -> Iterator[Row]:
        lines = _Lines(self._stream)
        names: list[str] = []
        with _field_limit(MAX_FIELD_CHARS):
            for line, row in lines.records():
                if isinstance(row, Rejected):
                    yield line, row
                elif not names:
                    names = _column_names(row)
                    self.columns.update(names)
                elif len(row) != len(names):
                    yield line, Rejected.of("other number of fields than the header", line, lines.joined(row))
                else:
                    yield line, {name: field for name, field in zip(names, row, strict=True) if field}
        if self._stream.damage:
            yield lines.number + 1, Rejected.of(self._stream.damage, lines.number + 1, "")

    def frames(self) -> Iterator[tuple[int, pl.DataFrame | Rejected]]:
        """Yield the rows of a Parquet file as frames with the number of the first, or what could not be read."""
        number = 0
        try:
            frame = pl.scan_parquet(self._stream.path, glob=False, hive_partitioning=False)
            self.columns.update(frame.collect_schema().names())
            # One pass: to slice would read a row group anew for each of its batches.
            for part in frame.collect_batches(chunk_size=_PARQUET_BATCH_ROWS, engine="streaming"):
                yield number + 1, part
                number += part.height
        except (pl.exceptions.PolarsError, OSError) as error:
            yield number + 1, Rejected.of("not readable Parquet", number + 1, str(error))

    def _parquet_rows(self) -> Iterator[Row]:
        for number, part in self.frames():
            if isinstance(part, Rejected):
                yield number, part
            else:
                yield from enumerate(part.iter_rows(named=True), number)


class _Lines:
    """Physical lines for the CSV reader, which takes several for a quoted line break."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._is_sound = True
        self.number = 0
        self._delimiter = ","

    def records(self) -> Iterator[tuple[int, list[str] | Rejected]]:
        lines = self._texts()
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            return
        self._delimiter = max(_DELIMITERS, key=first.count)
        lines = _chained(first, lines)
        start = self.number
        while True:
            # A record that is broken spoils the reader's state, so the next one gets a new reader.
            reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            try:
                for row in reader:
                    if row:
                        yield start, row if self._is_sound else Rejected.of(_NOT_UTF8, start, self.joined(row))
                    self._is_sound = True
                    start = self.number + 1
            except csv.Error as error:
                yield start, Rejected.of("malformed CSV", start, str(error))
                self._is_sound = True
                start = self.number + 1
                continue
            return

    def joined(self, row: list[str]) -> str:
        return self._delimiter.join(field.encode(errors="replace").decode() for field in row)

    def _texts(self) -> Iterator[str]:
        for number, line in split_lines(self._stream.blocks()):
            self.number = number
            try:
                text = line.decode()
            except UnicodeDecodeError:
                self._is_sound = False
                text = line.decode(errors="replace")
            yield f"{text}\n"


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


@contextmanager
def _field_limit(chars: int) -> Iterator[None]:
    """Let fields be long, but not so long that a quote that is never closed reads the file into memory."""
    before = csv.field_size_limit(chars)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _column_names(header: list[str]) -> list[str]:
    """Return the names of a header, each once: the second `a` is `a_2`, one without a name `column_3`."""
    names: list[str] = []
    for place, field in enumerate(header, start=1):
        name = field.strip() or f"column_{place}"
        known, count = name, 1
        while name in names:
            count += 1
            name = f"{known}_{count}"
        names.append(name)
    return names


def tabular_form(head: bytes) -> str:
    """Tell which tabular format a file has by its beginning.

    Examples
    --------
    >>> tabular_form(b'time,service'), tabular_form(b' {"time": 1}'), tabular_form(b"PAR1")
    ('csv', 'ndjson', 'parquet')
    """
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    return "ndjson" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["} else "csv"


def require_tabular(form: str) -> str:
    """Return a tabular format's name.

    Raises
    ------
    ParameterError
        If it is none.
    """
    if form not in TABULAR_FORMATS:
        raise ParameterError.unknown("format of a mapped table", form, known=TABULAR_FORMATS)
    return form


def cell_text(value: object) -> str | None:
    """Return a value as the text expressions read: JSON for what is neither text nor number."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    text = orjson.dumps(value, default=_plain).decode()
    return text[1:-1] if text.startswith('"') else text


def json_object(values: dict[str, Any]) -> str | None:
    """Return values as a JSON object; None where there are none."""
    if not values:
        return None
    try:
        return orjson.dumps(values, default=_plain).decode()
    except (TypeError, ValueError):
        # A lone surrogate, or nested deeper than is written: as text it is at least kept.
        return orjson.dumps({key: repr(value) for key, value in values.items()}).decode()


def _plain(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
