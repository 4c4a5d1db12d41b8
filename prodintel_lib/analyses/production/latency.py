"""How many requests were slower than their like used to be, and percentiles read from bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.errors import MissingColumnsError, ParameterError
from prodintel_lib.rollups.request_bins import NO_BIN, coarse_value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.production.model import Production
    from prodintel_lib.windows import Window

USUAL_PERCENTILE: Final = 90
"""Of the requests before, so many in a hundred were not slower than usual."""

BLOCK_REQUESTS: Final = 30
"""A percentile is read from so many requests at least: neighbouring buckets are taken together until they hold them."""

SLACK_BINS: Final = 1
"""A bin is 8 % wide; what is in the next one may be slower by nothing."""

EVERY_BLOCK_UNTIL: Final = 50
REFRESH_GROWTH: Final = 1.05
DAYS: Final = 7
_BIN_TYPE: Final = np.int32


def count_slow(
    requests: pl.DataFrame, *, points: int, points_a_day: int, learn: NDArray[np.bool_], most: int
) -> pl.DataFrame:
    """Count the requests that were slower than what was usual for their route before.

    Parameters
    ----------
    requests : polars.DataFrame
        ``service_name``, ``route``, ``column``, ``bin`` (request_bins), ``requests``, and whatever else tells rows apart.
    points : int
    points_a_day : int
    learn : array of bool, shape (points,)
        Columns that may be learned from.
    most : int
        So many routes, and so many services, have limits of their own: those with the most requests.

    Returns
    -------
    polars.DataFrame
        Its rows as they were, with ``timed_by_route`` and ``slow_by_route``, requests that could be compared with their
        own route, and those of them that were slower; ``timed`` and ``slow``, the same with those besides whose route
        had no limit yet: they are compared with their service.

    Notes
    -----
    Each request is compared with its like, so that sums over routes do not move when only the mix of routes does. Who
    has no route is of one route with the others of the service that have none.

    What is usual is the median of the 90th percentiles of the blocks before the point: a block is as many buckets as
    hold BLOCK_REQUESTS requests. It needs one block; it is renewed with each of the first EVERY_BLOCK_UNTIL and then
    whenever their number has grown by a twentieth, from a week of blocks. A median forgets an incident that was shorter
    than half of what it sees, and follows a release that lasts. No later request moves an earlier point.
    """
    window = DAYS * points_a_day
    own, service = (
        _limits_of(requests, by, learn=learn, window=window, most=most, points=points)
        for by in (["service_name", "route"], ["service_name"])
    )
    counted = requests.with_columns(
        *_compared(requests, own, "_by_route"), *_compared(requests, np.where(own > NO_BIN, own, service), "")
    )
    return counted


def _compared(requests: pl.DataFrame, limit: NDArray[np.int32], suffix: str) -> tuple[pl.Series, pl.Series]:
    bins, n = requests["bin"].to_numpy(), requests["requests"].to_numpy()
    is_known = (limit > NO_BIN) & (bins > NO_BIN)
    is_slow = is_known & (bins > limit + SLACK_BINS)
    return pl.Series(f"timed{suffix}", n * is_known), pl.Series(f"slow{suffix}", n * is_slow)


def _limits_of(
    requests: pl.DataFrame, by: Sequence[str], *, points: int, learn: NDArray[np.bool_], window: int, most: int
) -> NDArray[np.int32]:
    """Return for each row the bin that was usual among its like before its column; NO_BIN where nothing was."""
    timed = requests.filter(pl.col("bin") != NO_BIN).group_by(*by, "column", "bin").agg(pl.col("requests").sum())
    totals = timed.group_by(by).agg(pl.col("requests").sum()).filter(pl.col("requests") >= BLOCK_REQUESTS)
    names = [pl.col(name).cast(pl.String) for name in by]
    chosen = totals.sort("requests", *names, descending=[True] + [False] * len(names)).head(most)
    numbered = chosen.select(by).with_row_index("row")
    known = timed.join(numbered, on=by, how="inner")
    usual = _usual_at(known, shape=(numbered.height, points), learn=learn, window=window)
    row = requests.select(by).join(numbered, on=by, how="left", maintain_order="left")["row"]
    at = row.fill_null(0).to_numpy(), requests["column"].to_numpy()
    return np.where(row.is_null().to_numpy(), NO_BIN, usual[at]) if numbered.height else np.full(len(row), NO_BIN)


def _usual_at(
    cells: pl.DataFrame, *, shape: tuple[int, int], learn: NDArray[np.bool_], window: int
) -> NDArray[np.int32]:
    """Return what was usual before each point, shape (series, points), from `row`, `column`, `bin`, `requests`."""
    row, column, bins = (cells[name].to_numpy().astype(np.int64) for name in ("row", "column", "bin"))
    n = cells["requests"].to_numpy() * learn[column].astype(np.float64)
    block = _blocks(_summed(row, column, n, shape))
    percentiles = _percentiles(row, block[row, column], bins, n, shape=(shape[0], int(block.max(initial=0)) + 1))
    # Whoever is in block k has k complete ones before: a block ends with the point that fills it.
    return np.take_along_axis(_usual_after(percentiles, window=window), block, axis=1)


def _summed(
    row: NDArray[np.int64], column: NDArray[np.int64], n: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    sums = np.bincount(row * shape[1] + column, weights=n, minlength=shape[0] * shape[1])
    return np.asarray(sums, dtype=np.float64).reshape(shape)


def _blocks(total: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of the block each point is in: 0, 1, ... within its series."""
    block = np.zeros(total.shape, dtype=np.int64)
    held, number = np.zeros(total.shape[0]), np.zeros(total.shape[0], dtype=np.int64)
    for column in range(total.shape[1]):
        block[:, column] = number
        held += total[:, column]
        is_full = held >= BLOCK_REQUESTS
        number += is_full
        held[is_full] = 0.0
    return block


def _percentiles(
    row: NDArray[np.int64],
    block: NDArray[np.int64],
    bins: NDArray[np.int64],
    n: NDArray[np.float64],
    *,
    shape: tuple[int, int],
) -> NDArray[np.int32]:
    """Return the bin of the percentile of each block, shape (series, blocks); NO_BIN where there is no block."""
    percentiles = np.full(shape, NO_BIN, dtype=_BIN_TYPE)
    cell, known = (row * shape[1] + block)[n > 0], bins[n > 0]
    order = np.lexsort((known, cell))
    cell, known, rank = cell[order], known[order], np.cumsum(n[n > 0][order])
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    before = np.append(0.0, rank)[first]
    total = np.append(before[1:], rank[-1:]) - before
    # Without the allowance nine in ten of 30 is a hair above 27.
    found = np.searchsorted(rank, before + total * (USUAL_PERCENTILE / 100) - 1e-9)
    percentiles.flat[cell[first]] = known[found]
    return percentiles


def _usual_after(percentiles: NDArray[np.int32], *, window: int) -> NDArray[np.int32]:
    """Return what is usual after 0, 1, ... blocks, shape (series, blocks); NO_BIN after none."""
    series, blocks = percentiles.shape
    usual = np.full((series, blocks), NO_BIN, dtype=_BIN_TYPE)
    begin = 1
    while begin < blocks:
        end = begin + 1 if begin < EVERY_BLOCK_UNTIL else int(np.ceil(begin * REFRESH_GROWTH))
        past = percentiles[:, max(0, begin - window) : begin]
        # The lower one of two in the middle: the slow half of a short past is not what is usual.
        middle = (past.shape[1] - 1) // 2
        usual[:, begin:end] = np.partition(past, middle, axis=1)[:, middle : middle + 1]
        begin = end
    return usual


def latency_percentiles(production: Production, *, by: Sequence[str] = (), window: Window, q: float) -> pl.DataFrame:
    """Read a percentile of the durations of a window's requests.

    Parameters
    ----------
    production : Production
    by : sequence of str
        Columns of ``production.requests`` that tell the groups apart.
    window : Window
        Buckets that begin in it.
    q : float
        0 to 1.

    Returns
    -------
    polars.DataFrame
        The columns of `by`, ``value_ms`` (at most 4 % off) and ``n``, the requests it is read from; ordered by `by`, a
        row a group that has a request whose duration is known.

    Raises
    ------
    MissingColumnsError
        If the requests have no such column.
    ParameterError
        If `q` is not from 0 to 1.
    """
    if not 0 <= q <= 1:
        raise ParameterError(f"A percentile is asked for at 0 to 1, not at {q}.", hint="write 0.95 for the 95th.")
    missing = [name for name in by if name not in production.requests.columns]
    if missing:
        raise MissingColumnsError.in_table("requests", missing=missing, available=production.requests.columns)
    keys = [name for name in by if name != "bin"]
    inside = pl.col("bucket_us").is_between(window.start_us, window.end_us, closed="left")
    counted = (
        production.requests.filter(inside, pl.col("bin") != NO_BIN)
        .group_by(*keys, "bin")
        .agg(pl.col("requests").sum())
        .sort(*keys, "bin")
    )
    rank, total = pl.col("requests").cum_sum(), pl.col("requests").sum()
    ranked = counted.with_columns(
        (rank.over(keys) if keys else rank).alias("_rank"), (total.over(keys) if keys else total).alias("n")
    )
    # Without the allowance 0.95 * 100 is a hair above 95, and its ceiling 96.
    found = ranked.filter(pl.col("_rank") >= (pl.col("n") * q - 1e-9).ceil().clip(lower_bound=1))
    first = found.unique(keys, keep="first", maintain_order=True) if keys else found.head(1)
    values = pl.Series("value_ms", coarse_value_of(first["bin"].to_numpy()), dtype=pl.Float64)
    return first.with_columns(values).select(*keys, "value_ms", "n")
