"""Counts of parts, added up as they come: what is kept grows with the different things seen, not with the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

# Below this many rows there is nothing to gain from adding up early.
LEAST_ROWS: Final = 10_000


class RunningSum:
    """The sum of the tallies of parts.

    Tallies are added up when as many rows have come as the sum has: each row is then gone through a few times at most,
    and never more than twice the sum is held.

    Parameters
    ----------
    by : sequence of str
        Columns that tell the cells apart; none: all rows are one cell.
    same : sequence of str
        Columns that are the same in all rows of a cell; all others are sums.
    """

    def __init__(self, by: Sequence[str], *, same: Sequence[str] = ()) -> None:
        self._by, self._same = tuple(by), tuple(same)
        self._whole: pl.DataFrame | None = None
        self._waiting: list[pl.DataFrame] = []

    def add(self, tally: pl.DataFrame) -> None:
        """Add the tally of a part; all of them have the same columns."""
        self._waiting.append(detached(tally))
        held = self._whole.height if self._whole is not None else 0
        if sum(frame.height for frame in self._waiting) > max(held, LEAST_ROWS):
            self._whole = self._added_up()

    def total(self) -> pl.DataFrame:
        """Return a row a cell, in the order of `by`, nulls first.

        Raises
        ------
        ValueError
            If nothing was added: there are no columns then.
        """
        if self._waiting:
            self._whole = self._added_up()
        if self._whole is None:
            raise ValueError("No tally was added, so there is no sum.")
        return self._whole.sort(self._by, nulls_last=False) if self._by else self._whole

    def _added_up(self) -> pl.DataFrame:
        held = [self._whole] if self._whole is not None else []
        rows = pl.concat([*held, *self._waiting])
        self._waiting = []
        sums = [name for name in rows.columns if name not in {*self._by, *self._same}]
        columns = rows.columns
        if not self._by:
            return rows.select(pl.col(*sums).sum())
        whole = rows.group_by(self._by).agg(pl.col(*sums).sum(), *(pl.col(name).first() for name in self._same))
        return detached(whole.select(columns))


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """Copy the texts of a small frame.

    The texts of a selection are views into the buffers they were selected from: as long as one row is kept, so are the
    texts of all the events that were read with it.
    """
    return frame.with_columns(pl.col(pl.String) + "")
