"""Gauges and sums as points of series: gauges as they are, counters as rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from typing import Any

POINTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "time_us": pl.Int64(),
    "metric_name": pl.String(),
    "metric_unit": pl.String(),
    "service_name": pl.String(),
    "service_instance_id": pl.String(),
    "series": pl.String(),
    "is_rate": pl.Boolean(),
    "value": pl.Float64(),
}
POINTS_KEYS: Final = ("metric_name", "service_name", "service_instance_id", "series", "time_us", "value")
_SERIES: Final = ("metric_name", "service_name", "service_instance_id", "attributes")
# What the readers put after a point's own attributes. Inside a JSON string a quote is escaped, so these cannot match
# in a value.
_AFTER_OWN: Final = '[{,]"(description|exemplars|flags|resource|scope|scope_version|scope_attributes)":.*'


def build_metric_points(metrics: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Bring gauges and sums to points that can be compared over time.

    A cumulative counter becomes a rate a second between neighbouring points; where it fell it was reset, and what it
    has since counts from zero. A delta counter becomes a rate over its own interval. Its first point has no rate and is
    left out. Sums that may fall (in-use connections, queue lengths) are levels and stay as they are, as gauges do.

    Parameters
    ----------
    metrics : narwhals.LazyFrame
        The canonical table ``metrics``; histograms and summaries are passed over.

    Returns
    -------
    narwhals.LazyFrame
        Columns of POINTS_SCHEMA, unordered:

        - ``series``: the point's own attributes as ``name=value, name=value``, names in order; empty where it has none
        - ``is_rate``: whether ``value`` is a rate; then its unit is ``metric_unit`` a second
        - ``value``
    """
    points = metrics.filter(nw.col("metric_kind").is_in(["gauge", "sum"]), ~nw.col("value").is_null()).with_columns(
        nw.col("is_monotonic").fill_null(value=False).alias("is_rate"),
        # Null keys do not group alike on every engine.
        *(nw.col(name).fill_null("").alias(name) for name in _SERIES),
    )
    levels = points.filter(~nw.col("is_rate"))
    rates = _as_rates(points.filter(nw.col("is_rate")))
    return nw.concat([part.select(*_point_columns()) for part in (levels, rates)], how="vertical")


def _as_rates(counters: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    is_delta = (nw.col("temporality") == nw.lit("delta")).fill_null(value=False)
    before = nw.col("value").shift(1).over(*_SERIES, order_by=["time_us", "value"])
    before_us = nw.col("time_us").shift(1).over(*_SERIES, order_by=["time_us", "value"])
    grown = (
        nw.when(nw.col("value") >= nw.col("before")).then(nw.col("value") - nw.col("before")).otherwise(nw.col("value"))
    )
    since_us = nw.when(is_delta).then(nw.coalesce("start_time_us", "before_us")).otherwise(nw.col("before_us"))
    return (
        counters.with_columns(before.alias("before"), before_us.alias("before_us"))
        .filter(is_delta | ~nw.col("before").is_null())
        .with_columns(
            nw.when(is_delta).then(nw.col("value")).otherwise(grown).alias("grown"),
            ((nw.col("time_us") - since_us) / US_PER_S).alias("interval_s"),
        )
        .filter(nw.col("interval_s") > 0)
        .with_columns((nw.col("grown") / nw.col("interval_s")).alias("value"))
    )


def _point_columns() -> list[nw.Expr]:
    own = nw.col("attributes").str.replace_all(_AFTER_OWN, "")
    for pattern, replacement in (("^[{]|[}]$", ""), ('":', "="), (',"', ", "), ('"', "")):
        own = own.str.replace_all(pattern, replacement)
    return [own.alias(name) if name == "series" else nw.col(name) for name in POINTS_SCHEMA]
