"""How many requests arrive, by endpoint and bucket, with what tells how evenly; and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us
from prodintel_lib.rollups.histograms import bin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ARRIVALS_KEYS: Final = ("bucket_us", "endpoint")
ARRIVALS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "endpoint": pl.String(),
    "requests": pl.Int64(),
    "failed": pl.Int64(),
    "seconds_sq": pl.Int64(),
    "peak_per_s": pl.Int64(),
    "bytes_sum": pl.Int64(),
    "bytes_n": pl.Int64(),
    "duration_ms_sum": pl.Float64(),
    "duration_n": pl.Int64(),
}
PAYLOAD_SIZES_KEYS: Final = ("endpoint", "direction", "bin")
PAYLOAD_SIZES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "endpoint": pl.String(),
    "direction": pl.String(),
    "bin": pl.Int64(),
    "requests": pl.Int64(),
    "bytes_sum": pl.Int64(),
}
ALL_ENDPOINTS: Final = ""
"""What all endpoints together are called."""

DIRECTIONS: Final = ("request", "response")
_SUMMED: Final = ("requests", "failed", "bytes_sum", "bytes_n", "duration_ms_sum", "duration_n")
_SECOND: Final = ("second_us", "endpoint")


def build_arrivals(requests: nw.LazyFrame[Any], *, bucket_s: int = 60) -> nw.LazyFrame[Any]:
    """Count requests by bucket and endpoint, and how they lie within the bucket's seconds.

    Counted twice: by the second, then by the bucket. What is kept grows with the time and the number of endpoints, and
    not with the number of requests.

    Parameters
    ----------
    requests : narwhals.LazyFrame
        As load_requests.load_requests makes it.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of ARRIVALS_SCHEMA, unordered, a row for each of ARRIVALS_KEYS that occurred; ``endpoint`` ALL_ENDPOINTS
        stands for all together:

        - ``requests``, ``failed``
        - ``seconds_sq``: the sum over the bucket's seconds of the squared number of requests, from which their variance
          follows; ``peak_per_s``: that of the fullest second
        - ``bytes_sum``: of the answers whose size is known, ``bytes_n`` of them
        - ``duration_ms_sum``: of the requests whose duration is known, ``duration_n`` of them
    """
    size, duration = nw.col("response_bytes"), nw.col("duration_ms")
    seconds = (
        requests.with_columns(bucket_us(1).alias("second_us"), nw.col("failed").cast(nw.Int64))
        .group_by(*_SECOND)
        .agg(
            nw.len().cast(nw.Int64).alias("requests"),
            nw.col("failed").sum(),
            size.fill_null(0).sum().alias("bytes_sum"),
            (~size.is_null()).cast(nw.Int64).sum().alias("bytes_n"),
            duration.fill_null(0.0).sum().alias("duration_ms_sum"),
            (~duration.is_null()).cast(nw.Int64).sum().alias("duration_n"),
        )
        .select(*_SECOND, *(nw.col(name).cast(_type_of(name)) for name in _SUMMED))
    )
    together = (
        seconds.group_by("second_us")
        .agg(*(nw.col(name).sum() for name in _SUMMED))
        .select(
            "second_us",
            nw.lit(ALL_ENDPOINTS).alias("endpoint"),
            *(nw.col(name).cast(_type_of(name)) for name in _SUMMED),
        )
    )
    return _by_bucket(nw.concat([seconds, together], how="vertical"), bucket_s).select(*ARRIVALS_SCHEMA)


def build_payload_sizes(requests: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the sizes of requests and answers in bins.

    Parameters
    ----------
    requests : narwhals.LazyFrame
        As load_requests.load_requests makes it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of PAYLOAD_SIZES_SCHEMA, unordered, a row for each of PAYLOAD_SIZES_KEYS that occurred:

        - ``direction``: ``request`` or ``response``
        - ``bin``: of the size in bytes, as histograms.bin_of makes it; null for the requests whose size is not known
        - ``bytes_sum``: exact, 0 where not known
    """
    parts: Sequence[nw.LazyFrame[Any]] = [
        requests.select(
            "endpoint",
            nw.lit(direction).alias("direction"),
            bin_of(f"{direction}_bytes").alias("bin"),
            nw.col(f"{direction}_bytes").fill_null(0).alias("bytes_sum"),
        )
        .group_by(*PAYLOAD_SIZES_KEYS)
        .agg(nw.len().cast(nw.Int64).alias("requests"), nw.col("bytes_sum").sum().cast(nw.Int64))
        .select(*PAYLOAD_SIZES_SCHEMA)
        for direction in DIRECTIONS
    ]
    return nw.concat(list(parts), how="vertical")


def _type_of(name: str) -> type[nw.Int64 | nw.Float64]:
    return nw.Float64 if ARRIVALS_SCHEMA[name].is_float() else nw.Int64


def _by_bucket(seconds: nw.LazyFrame[Any], bucket_s: int) -> nw.LazyFrame[Any]:
    count = nw.col("requests")
    return (
        seconds.with_columns(nw.col("second_us").alias("time_us"))
        .with_columns(bucket_us(bucket_s).alias("bucket_us"), (count * count).alias("seconds_sq"))
        .group_by(*ARRIVALS_KEYS)
        .agg(
            *(nw.col(name).sum() for name in (*_SUMMED, "seconds_sq") if name != "requests"),
            count.max().alias("peak_per_s"),
            count.sum().alias("requests"),
        )
    )
