"""Rows into columns: lists of one table that become a frame a few thousand rows at a time.

Telemetry has millions of rows of forty mostly empty columns. Lists that are filled with None beforehand cost nothing
for what a row does not have, where a dict a row would pay for every column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.sources.model import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.tables import Table

CHUNK_ROWS: Final = 4096


class ColumnChunks:
    """Rows of one table under construction.

    A writer sets ``columns[name][height]`` for what the row has and then calls `commit`; or, when the row turns out to
    be unreadable, `revoke`. The lists stay the same objects throughout, so that writers may hold on to them.

    Parameters
    ----------
    table : Table
    checks : mapping of str to polars.Expr
        Reason to a boolean expression over the table's columns: rows for which it is not true are rejected.
    repairs : sequence of polars.Expr
        Applied to every chunk before the checks.

    Attributes
    ----------
    columns : dict of str to list
    height : int
        The row being written.
    """

    def __init__(
        self, table: Table, *, checks: Mapping[str, pl.Expr] | None = None, repairs: tuple[pl.Expr, ...] = ()
    ) -> None:
        self.table = table
        self.columns: dict[str, list[Any]] = {name: [None] * CHUNK_ROWS for name in table.schema}
        self.height = 0
        self.rejected: list[Rejected] = []
        self._lines = [0] * CHUNK_ROWS
        self._checks = checks or {}
        self._repairs = repairs
        self._chunks: list[pl.DataFrame] = []

    def commit(self, line: int) -> None:
        """Keep the row being written; `line` is where it came from."""
        self._lines[self.height] = line
        self.height += 1
        if self.height == CHUNK_ROWS:
            self._flush()

    def revoke(self) -> None:
        """Forget the row being written."""
        for values in self.columns.values():
            values[self.height] = None

    def frame(self) -> pl.DataFrame:
        """Return the rows kept since the last call, in the order they came."""
        self._flush()
        chunks, self._chunks = self._chunks, []
        return pl.concat(chunks) if chunks else pl.DataFrame(schema=self.table.schema)

    def _flush(self) -> None:
        if not self.height:
            return
        height, self.height = self.height, 0
        blank = [None] * height
        filled = {}
        for name, values in self.columns.items():
            # Most columns of most telemetry are empty, and to count is ten times faster than to convert.
            if values.count(None) < CHUNK_ROWS:
                filled[name] = pl.Series(name, values[:height], dtype=self.table.schema[name])
                values[:height] = blank
        frame = pl.DataFrame(filled).select(
            filled.get(name, pl.lit(None, dtype=dtype).alias(name)) for name, dtype in self.table.schema.items()
        )
        self._chunks.append(self._checked(frame.with_columns(self._repairs), self._lines[:height]))

    def _checked(self, frame: pl.DataFrame, lines: list[int]) -> pl.DataFrame:
        if not self._checks:
            return frame
        reason = pl.coalesce(
            *(pl.when(check.fill_null(value=False).not_()).then(pl.lit(name)) for name, check in self._checks.items()),
            pl.lit(None, dtype=pl.String),
        )
        reasons = frame.select(reason.alias("reason"))["reason"]
        if reasons.null_count() == frame.height:
            return frame
        for row in reasons.is_not_null().arg_true():
            shown = {name: value for name, value in frame.row(row, named=True).items() if value is not None}
            self.rejected.append(Rejected.of(reasons[row], lines[row], shown))
        return frame.filter(reasons.is_null())
