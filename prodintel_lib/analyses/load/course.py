"""Load in order of time, in columns few enough to draw, with what was not recorded left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import utc_offsets_us
from prodintel_lib.analyses.load.mix import OTHERS, top_endpoints
from prodintel_lib.analyses.load.model import COURSE_SCHEMA, MIX_COURSE_SCHEMA
from prodintel_lib.analyses.load.profile import local_text
from prodintel_lib.rollups.arrivals import ALL_ENDPOINTS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    import zoneinfo

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Times = NDArray[np.int64]

MOST_COLUMNS: Final = 750
"""A month by the hour, and room for the hour that a clock set back adds."""

MOST_MIX_COLUMNS: Final = 130
MOST_NAMED: Final = 6
_ROUND_S: Final = (
    *(1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 300, 600, 900),
    *(1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)


def find_course(recorded_us: Times, counts: Vector, *, bucket_s: int, zone: zoneinfo.ZoneInfo) -> pl.DataFrame:
    """Return the rate over time, as rows of COURSE_SCHEMA.

    Parameters
    ----------
    recorded_us : array of int, shape (buckets,)
        Starts of the recorded buckets, increasing.
    counts : array, shape (buckets,)
        Requests in each.
    bucket_s : int
    zone : ZoneInfo

    Notes
    -----
    Columns are as narrow as leaves MOST_COLUMNS of them: what was not recorded takes none, so that three hours of a
    month are shown by the minute. The rate is that of the part of a column that was recorded.
    """
    width_s = _width_s(recorded_us, bucket_s, most=MOST_COLUMNS)
    starts, at = np.unique(recorded_us // (width_s * US_PER_S) * (width_s * US_PER_S), return_inverse=True)
    requests, recorded_s = np.bincount(at, counts), np.bincount(at) * float(bucket_s)
    locals_ = [local_text(*pair) for pair in zip(starts.tolist(), utc_offsets_us(starts, zone).tolist(), strict=True)]
    return pl.DataFrame(
        {
            "start_us": starts,
            "width_s": np.full(len(starts), width_s),
            "local": locals_,
            "recorded_s": recorded_s,
            "requests": requests.astype(np.int64),
            "rps": requests / recorded_s,
            "stretch": stretches_of(starts, width_s),
        },
        schema=COURSE_SCHEMA,
    )


def find_mix_course(arrivals: pl.DataFrame, recorded_us: Times, *, bucket_s: int) -> pl.DataFrame:
    """Return the endpoints' shares over time, as rows of MIX_COURSE_SCHEMA.

    Parameters
    ----------
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    recorded_us : array of int
    bucket_s : int
    """
    single = arrivals.filter(pl.col("endpoint") != ALL_ENDPOINTS)
    if single.is_empty():
        return pl.DataFrame(schema=MIX_COURSE_SCHEMA)
    width_s = _width_s(recorded_us, bucket_s, most=MOST_MIX_COLUMNS)
    top = top_endpoints(single)
    named = top[:MOST_NAMED] if len(top) > MOST_NAMED + 1 else top
    rank = {endpoint: number for number, endpoint in enumerate([*named, OTHERS])}
    counted = (
        single.group_by(
            (pl.col("bucket_us") // (width_s * US_PER_S) * (width_s * US_PER_S)).alias("start_us"),
            pl.when(pl.col("endpoint").is_in(named)).then("endpoint").otherwise(pl.lit(OTHERS)).alias("endpoint"),
        )
        .agg(pl.col("requests").sum())
        .filter(pl.col("requests") > 0)
        .with_columns(
            (pl.col("requests") / pl.col("requests").sum().over("start_us")).alias("share"),
            pl.col("endpoint").replace_strict(rank, return_dtype=pl.Int64).alias("rank"),
        )
        .sort("start_us", "rank")
    )
    begun = counted["start_us"].unique().sort()
    stretch = pl.DataFrame({"start_us": begun, "stretch": stretches_of(begun.to_numpy(), width_s)})
    placed = counted.join(stretch, on="start_us").with_columns(pl.lit(width_s).alias("width_s"))
    return placed.sort("start_us", "rank").select(pl.col(name).cast(dtype) for name, dtype in MIX_COURSE_SCHEMA.items())


def stretches_of(starts_us: Times, width_s: int) -> NDArray[np.int64]:
    """Return the number of each column's stretch, from 0: columns that follow each other without a gap."""
    fresh = np.diff(starts_us, prepend=starts_us[:1]) > width_s * US_PER_S
    return np.cumsum(fresh).astype(np.int64)


def _width_s(recorded_us: Times, bucket_s: int, *, most: int) -> int:
    """Return the narrowest round width, whole buckets, of which at most `most` columns hold all that was recorded."""
    fits = (width for width in _ROUND_S if width % bucket_s == 0 and _columns(recorded_us, width) <= most)
    span_s = (int(recorded_us[-1]) - int(recorded_us[0])) // US_PER_S + bucket_s
    return next(fits, bucket_s * math.ceil(span_s / (most * bucket_s)))


def _columns(recorded_us: Times, width_s: int) -> int:
    # The starts are in order.
    columns = recorded_us // (width_s * US_PER_S)
    return 1 + int(np.count_nonzero(np.diff(columns)))
