"""Every service's requests in small bins: how many, how many failed, how long they took, where from, which release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us, is_failed, route_label, with_entry_flag
from prodintel_lib.rollups.histograms import GROWTH, ZERO_BIN, bin_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

REQUEST_BINS_KEYS: Final = ("bucket_us", "service_name", "route", "is_entry", "region", "release", "cache", "bin")
REQUEST_BINS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "service_name": pl.String(),
    "route": pl.String(),
    "is_entry": pl.Boolean(),
    "region": pl.String(),
    "release": pl.String(),
    "cache": pl.String(),
    "bin": pl.Int64(),
    "requests": pl.Int64(),
    "failed": pl.Int64(),
    "duration_ms_sum": pl.Float64(),
    "over_limit": pl.Int64(),
}
FINE_BINS: Final = 4
"""So many of the bins of `histograms` are one here: a bucket of a few minutes holds few requests, and most of the rows
would be of one each."""

COARSE_GROWTH: Final = GROWTH**FINE_BINS
"""Bin b holds the durations from ``COARSE_GROWTH**b`` to before ``COARSE_GROWTH**(b + 1)`` ms."""

COARSE_ZERO: Final = ZERO_BIN // FINE_BINS - 1
NO_BIN: Final = COARSE_ZERO - 1
"""Where the duration is not known."""

# Where the readers put what is of the process and not of the request. Inside a JSON string a quote is escaped, so that
# this cannot match in a value.
_OF_RESOURCE: Final = '[{,]"(resource|scope|scope_version|scope_attributes)":.*'
_REGION: Final = '[^"]*([rR]egion|country_iso_code)'
_CACHE: Final = '([^"]*[._])?cache[._](hit|status|result)'


def coarse_value_of(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the duration a bin stands for, ms: at most 4 % from all that is in it; NaN for NO_BIN."""
    numbers = np.asarray(bins, dtype=np.float64)
    # The harmonic middle: as far, in parts of the value, from one end as from the other.
    middle = COARSE_GROWTH**numbers * 2 * COARSE_GROWTH / (1 + COARSE_GROWTH)
    return np.where(numbers == COARSE_ZERO, 0.0, np.where(numbers < COARSE_ZERO, np.nan, middle))


def build_request_bins(
    spans: nw.LazyFrame[Any], *, bucket_s: int, limits_ms: Mapping[str, float] | None = None
) -> nw.LazyFrame[Any]:
    """Count server spans by bucket, service, route, place, release and duration, in one pass.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.
    limits_ms : mapping of str to float, optional
        Route, as ``POST /api/orders``, to the duration that was promised for it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of REQUEST_BINS_SCHEMA, unordered, a row for each of REQUEST_BINS_KEYS that occurred:

        - ``service_name``, ``route`` (expressions.route_label), ``release`` (``service_version``): empty where unknown
        - ``is_entry``: whether users feel it; see expressions.with_entry_flag
        - ``region``: the request's own attribute whose name ends in ``region`` or ``country_iso_code``, ``cache`` that
          whose name ends in ``cache.hit``, ``cache.status`` or ``cache.result`` (or with ``_``); empty where none is
        - ``bin``: of the duration; see coarse_value_of
        - ``requests``, ``failed``: spans that began in the bucket, and those of them that failed
        - ``duration_ms_sum``
        - ``over_limit``: those that took longer than their route's limit, exactly; 0 where it has none

    Notes
    -----
    Attributes are JSON that a reader of this library wrote: an attribute is found by its text, since not every engine
    reads JSON. Of several that would do, the last by its place in the text counts.
    """
    prepared = with_entry_flag(spans).with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        # Null keys do not group alike on every engine.
        nw.col("service_name").fill_null(""),
        route_label().fill_null("").alias("route"),
        nw.col("service_version").fill_null("").alias("release"),
        _own_attribute(_REGION).alias("region"),
        _own_attribute(_CACHE).alias("cache"),
        _coarse_bin().alias("bin"),
        is_failed().cast(nw.Int64).alias("failed"),
    )
    limited = prepared.with_columns(_is_over(limits_ms or {}).cast(nw.Int64).alias("over_limit"))
    return (
        limited.group_by(*REQUEST_BINS_KEYS)
        .agg(
            nw.len().alias("requests"),
            nw.col("failed").sum(),
            nw.col("duration_ms").fill_null(0.0).sum().alias("duration_ms_sum"),
            nw.col("over_limit").sum(),
        )
        .select(*REQUEST_BINS_SCHEMA)
    )


def _coarse_bin() -> nw.Expr:
    fine = bin_of("duration_ms")
    coarse = (fine.cast(nw.Float64) / FINE_BINS).floor().cast(nw.Int64)
    known = nw.when(fine <= ZERO_BIN).then(nw.lit(COARSE_ZERO, dtype=nw.Int64)).otherwise(coarse)
    return nw.when(fine.is_null()).then(nw.lit(NO_BIN, dtype=nw.Int64)).otherwise(known)


def _own_attribute(name: str) -> nw.Expr:
    """Return the value of the request's own attribute whose key ends so; empty where there is none."""
    own = nw.col("attributes").fill_null("").str.replace_all(_OF_RESOURCE, "")
    until_value = f'^.*[{{,]"{name}":'
    rest = own.str.replace_all(until_value, "")
    quoted = rest.str.replace_all('^"', "").str.replace_all('["\\\\].*$', "")
    bare = rest.str.replace_all("[,}].*$", "")
    value = nw.when(rest.str.starts_with('"')).then(quoted).otherwise(bare)
    return nw.when(own.str.contains(until_value)).then(value).otherwise(nw.lit(""))


def _is_over(limits_ms: Mapping[str, float]) -> nw.Expr:
    by_limit: dict[float, list[str]] = {}
    for route, limit_ms in sorted(limits_ms.items()):
        by_limit.setdefault(limit_ms, []).append(route)
    over = nw.lit(0) == nw.lit(1)
    for limit_ms, routes in by_limit.items():
        over = over | (nw.col("route").is_in(routes) & (nw.col("duration_ms") > limit_ms).fill_null(value=False))
    return over
