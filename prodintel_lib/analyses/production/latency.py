"""How many requests were slower than their like used to be, and percentiles read from bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

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

SLACK_BINS: Final = 2
"""A bin is 8 % wide: what is in the next one may be slower by nothing, and the limit, read from few, is a bin off."""

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
        ``service_name``, ``route``, ``column``, ``bin`` (request_bins), ``requests``, and whatever else tells its rows
        apart.
    points : int
    points_a_day : int
    learn : array of bool, shape (points,)
        Columns that may be learned from.
    most : int
        So many routes, and so many services, have limits: those with the most requests.

    Returns
    -------
    polars.DataFrame
        Its rows as they were, with ``timed_by_route``, the requests that could be compared with their own route, and
        ``slow_by_route``, those of them that were slower; ``timed`` and ``slow`` are the same with those besides that
        had to be compared with their service.

    Notes
    -----
    Each request is compared with its like, so that a sum over routes does not move when only the mix of routes does.
    Requests without a route are as good as of one route. One whose route has no limit yet is compared with its service
    until the first request of the service has a route with a limit, and again once the service had EVERY_BLOCK_UNTIL
    blocks: a route that has no limit by then is rare. In between it is left out: while routes become known one after
    another, those that are not are others each time, and their sum would move.

    What is usual is the median of the 90th percentiles of the blocks before the point: a block is as many buckets as
    hold BLOCK_REQUESTS requests. It needs one block; it is renewed with each of the first EVERY_BLOCK_UNTIL and then
    whenever their number has grown by a twentieth, from a week of blocks. A median forgets an incident that was shorter
    than half of what it sees, and follows a release that lasts. No later request moves an earlier point.
    """
    own, service = (
        _find_usual(requests, by, points=points, window=DAYS * points_a_day, learn=learn, most=most)
        for by in (("service_name", "route"), ("service_name",))
    )
    has_own = own.usual > NO_BIN
    placed = requests.select("service_name", "column", pl.Series("has_own", has_own))
    known_from = pl.col("column").filter("has_own").min().over("service_name")
    is_first = placed.select((pl.col("column") < known_from).fill_null(value=True)).to_series().to_numpy()
    is_rare = service.blocks >= EVERY_BLOCK_UNTIL
    fallback = np.where(is_first | is_rare, service.usual, NO_BIN)
    either = np.where(has_own, own.usual, fallback)
    return requests.with_columns(*_compare(requests, own.usual, "_by_route"), *_compare(requests, either, ""))


class _Usual(NamedTuple):
    """For each row of requests the bin that was usual before (NO_BIN: not known), and of how many blocks."""

    usual: NDArray[np.int32]
    blocks: NDArray[np.int64]


def _compare(requests: pl.DataFrame, usual: NDArray[np.int32], suffix: str) -> tuple[pl.Series, pl.Series]:
    bins, n = requests["bin"].to_numpy(), requests["requests"].to_numpy()
    is_timed = (usual > NO_BIN) & (bins > NO_BIN)
    is_slow = is_timed & (bins > usual + SLACK_BINS)
    return pl.Series(f"timed{suffix}", n * is_timed), pl.Series(f"slow{suffix}", n * is_slow)


def _find_usual(
    requests: pl.DataFrame, by: Sequence[str], *, points: int, window: int, learn: NDArray[np.bool_], most: int
) -> _Usual:
    """Find what was usual among the like of each row before its column."""
    timed = requests.filter(pl.col("bin") != NO_BIN).group_by(*by, "column", "bin").agg(pl.col("requests").sum())
    totals = timed.group_by(by).agg(pl.col("requests").sum()).filter(pl.col("requests") >= BLOCK_REQUESTS)
    order = [-pl.col("requests"), *(pl.col(name).cast(pl.String) for name in by)]
    numbered = totals.sort(order).head(most).select(by).with_row_index("row")
    cells = timed.join(numbered, on=by, how="inner")
    # A last row for all who have none: no block, and so nothing usual.
    usual, block = _usual_before(cells, shape=(numbered.height + 1, points), learn=learn, window=window)
    row = requests.select(by).join(numbered, on=by, how="left", maintain_order="left")["row"]
    at = (row.fill_null(numbered.height).to_numpy(), requests["column"].to_numpy())
    return _Usual(usual[at], block[at])


def _usual_before(
    cells: pl.DataFrame, *, shape: tuple[int, int], learn: NDArray[np.bool_], window: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return what was usual before each point, and how many blocks there were, of `row, column, bin, requests`."""
    row, column, bins = (cells[name].to_numpy().astype(np.int64) for name in ("row", "column", "bin"))
    n = cells["requests"].to_numpy() * learn[column].astype(np.float64)
    block = _blocks(_summed(row, column, n, shape))
    percentiles = _percentiles(row, block[row, column], bins, n, shape=(shape[0], int(block.max()) + 1))
    # Whoever is in block k has k complete ones before: a block ends with the point that fills it.
    return np.take_along_axis(_usual_after(percentiles, window=window), block, axis=1), block


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
