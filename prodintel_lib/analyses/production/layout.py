"""From long frames to matrices: the columns of time, what is known of each, and rows put in their place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomalies import SeriesMatrix
from prodintel_lib.analyses.production.grid import choose_times, number_stretches
from prodintel_lib.analyses.production.model import ABOUT_SCHEMA, SignalSet
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Kind
    from prodintel_lib.analyses.production.model import Grain, Production, SignalName

INCIDENT_MARGIN_S: Final = 600
"""An incident is noticed after it began, and closed before all is well or after."""

_MARGIN_US: Final = INCIDENT_MARGIN_S * US_PER_S

UNTIL_CLOSED_S: Final = 3600
"""So long an incident counts as lasting whose end nobody wrote down."""

_NAMES: Final = tuple(name for name, dtype in ABOUT_SCHEMA.items() if dtype == pl.String() and name != "key")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The times of a matrix.

    Attributes
    ----------
    time_us : array of int, shape (points,)
    stretch : array of int, shape (points,)
        Which uninterrupted stretch of recording a column is in; -1 where nothing was recorded.
    is_edge : array of bool, shape (points,)
        The first and the last column of each stretch: their buckets may have been recorded in part.
    is_abnormal : array of bool, shape (points,)
        Columns of the history that lie in an incident that is known: they are not to be learned from.
    window_start_us : int
    """

    time_us: NDArray[np.int64]
    stretch: NDArray[np.int64]
    is_edge: NDArray[np.bool_]
    is_abnormal: NDArray[np.bool_]
    window_start_us: int

    @classmethod
    def of(cls, production: Production, recorded_us: NDArray[np.int64], *, bucket_us: int) -> Self:
        """Lay out the recorded buckets of history and window."""
        time_us = choose_times(recorded_us, bucket_us=bucket_us)
        stretch = np.full(len(time_us), -1, dtype=np.int64)
        stretch[np.searchsorted(time_us, recorded_us)] = number_stretches(recorded_us, bucket_us=bucket_us)
        before, after = np.append(-1, stretch[:-1]), np.append(stretch[1:], -1)
        is_edge = (stretch >= 0) & ((stretch != before) | (stretch != after))
        start_us = production.window.start_us
        is_abnormal = _in_incidents(production.incidents, time_us, stretch, bucket_us) & (time_us < start_us)
        return cls(time_us, stretch, is_edge, is_abnormal, start_us)

    def place(self, bucket_us: pl.Series) -> NDArray[np.int64]:
        """Return the column of each bucket; all of them were recorded."""
        return np.searchsorted(self.time_us, bucket_us.to_numpy())

    def __len__(self) -> int:
        return len(self.time_us)


def _in_incidents(
    incidents: pl.DataFrame, time_us: NDArray[np.int64], stretch: NDArray[np.int64], bucket_us: int
) -> NDArray[np.bool_]:
    """Say which columns lie in an incident, or so near to one that it may have been there already or still.

    Of what was recorded before it and after it without a gap, half is kept: a recording of a few minutes around an
    incident says something of usual times too.
    """
    inside = np.zeros(len(time_us), dtype=np.bool_)
    ends = incidents.select(pl.coalesce("end_time_us", pl.col("time_us") + UNTIL_CLOSED_S * US_PER_S)).to_series()
    for start_us, end_us in zip(incidents["time_us"], ends, strict=True):
        around = [time_us[stretch == _stretch_at(stretch, time_us, moment_us)] for moment_us in (start_us, end_us)]
        before_us, after_us = start_us - int(around[0][0]), int(around[1][-1]) + bucket_us - end_us
        first_us = start_us - min(_MARGIN_US, max(0, before_us) // 2)
        last_us = end_us + min(_MARGIN_US, max(0, after_us) // 2)
        inside |= (time_us + bucket_us > first_us) & (time_us < last_us)
    return inside


def _stretch_at(stretch: NDArray[np.int64], time_us: NDArray[np.int64], moment_us: int) -> int:
    return int(stretch[max(0, int(np.searchsorted(time_us, moment_us, side="right")) - 1)])


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Series that were chosen, and the rows they are made of.

    Attributes
    ----------
    about : polars.DataFrame
        Columns of ABOUT_SCHEMA but ``worse``, a row a series.
    cells : polars.DataFrame
        ``row`` (of `about`), ``column``, and what is counted.
    left_out, too_few : int
        Series that were not chosen: for their number, and for want of data.
    """

    about: pl.DataFrame
    cells: pl.DataFrame
    left_out: int
    too_few: int

    def dense(self, column: str, columns: Columns) -> NDArray[np.float64]:
        """Return the sums of a column of `cells`, shape (series, points); 0 where there are none."""
        shape = (self.about.height, len(columns))
        at = self.cells["row"].to_numpy().astype(np.int64) * shape[1] + self.cells["column"].to_numpy()
        weights = self.cells[column].to_numpy().astype(np.float64)
        sums = np.bincount(at, weights=weights, minlength=shape[0] * shape[1])
        return np.asarray(sums, dtype=np.float64).reshape(shape)


def choose_rows(
    cells: pl.DataFrame,
    columns: Columns,
    *,
    grains: Sequence[tuple[Grain, str, str]],
    weight: str,
    least: int,
    most: int,
) -> Rows:
    """Choose the series with the most data.

    Parameters
    ----------
    cells : polars.DataFrame
        ``grain``, the columns of ABOUT_SCHEMA that name the series, ``bucket_us``, and what is counted.
    columns : Columns
    grains : sequence of (grain, label, separator)
        How a series of each grain is called: label, then its names with the separator between them.
    weight : str
        The column of `cells` that says how much data there is.
    least, most : int
        Series with a smaller sum of `weight` are left out; of the others, at most so many are kept.
    """
    present = [name for name in _NAMES if name in cells.columns]
    in_window = pl.when(pl.col("bucket_us") >= columns.window_start_us).then(pl.col(weight)).otherwise(0)
    totals = cells.group_by(present).agg(
        pl.col(weight).sum().alias("_all"), in_window.sum().cast(pl.Int64).alias("requests")
    )
    totals = totals.with_columns(pl.col(present).cast(pl.String))
    enough = totals.filter(pl.col("_all") >= least)
    chosen = enough.sort(["_all", *present], descending=[True] + [False] * len(present)).head(most)
    rank = {grain: number for number, (grain, _, _) in enumerate(grains)}
    by_rank = pl.col("grain").replace_strict(rank)
    ordered = chosen.sort(by_rank, "_all", *present, descending=[False, True] + [False] * len(present))
    numbered = ordered.drop("_all").with_row_index("row")
    missing = [pl.lit("").alias(name) for name in _NAMES if name not in cells.columns]
    about = numbered.with_columns(*missing).with_columns(_key(grains))
    dtypes = {name: cells.schema[name] for name in present}
    rows = numbered.select("row", *present).cast(pl.Schema(dtypes))
    # The names have been used: of millions of rows they would be most of what is held.
    placed = cells.join(rows, on=present, how="inner").drop(present)
    placed = placed.with_columns(pl.Series("column", columns.place(placed["bucket_us"]), dtype=pl.Int32))
    return Rows(about, placed, enough.height - chosen.height, totals.height - enough.height)


def _key(grains: Sequence[tuple[Grain, str, str]]) -> pl.Expr:
    """Name each series so that a reader knows what it is; where two would have one name, by their number too."""
    names = [name for name in _NAMES if name not in {"grain", "metric_unit"}]
    parts = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in names]
    key = pl.lit("")
    for grain, label, separator in grains:
        named = pl.concat_str(parts, separator=separator, ignore_nulls=True)
        called = pl.concat_str(pl.lit(label), pl.when(named == "").then(pl.lit("of all")).otherwise(named))
        key = pl.when(pl.col("grain") == grain).then(called).otherwise(key)
    number = pl.int_range(pl.len()).over(key)
    return pl.when(number > 0).then(pl.format("{} #{}", key, number + 1)).otherwise(key).alias("key")


def to_signal(
    signal: SignalName,
    rows: Rows,
    columns: Columns,
    *,
    values: NDArray[np.float64],
    exposure: NDArray[np.float64] | None,
    kind: Kind,
    worse: int | pl.Expr,
) -> SignalSet | None:
    """Make the series of a signal; None where there are none.

    What lies in a known incident becomes missing; a series of which nothing is left is one of too few data.
    """
    known = np.where(columns.is_abnormal[None, :], math.nan, values)
    kept = ~np.isnan(known).all(axis=1)
    if not kept.any():
        return None
    direction = pl.lit(worse) if isinstance(worse, int) else worse
    about = rows.about.with_columns(direction.cast(pl.Int64).alias("worse")).filter(pl.Series(kept))
    matrix = SeriesMatrix(
        keys=tuple(about["key"]),
        time_us=columns.time_us,
        values=known[kept],
        exposure=None if exposure is None else exposure[kept],
        kind=kind,
    )
    typed = about.select(pl.col(name).cast(dtype) for name, dtype in ABOUT_SCHEMA.items())
    return SignalSet(signal, matrix, typed, left_out=rows.left_out, too_few=rows.too_few + int((~kept).sum()))
