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
RESETS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "time_us": pl.Int64(),
    "metric_name": pl.String(),
    "service_name": pl.String(),
    "service_instance_id": pl.String(),
    "series": pl.String(),
    "before": pl.Float64(),
    "value": pl.Float64(),
}
RESETS_KEYS: Final = ("time_us", "metric_name", "service_name", "service_instance_id", "series", "value")
_SERIES: Final = ("metric_name", "service_name", "service_instance_id", "attributes")
# What the readers put after a point's own attributes. Inside a JSON string a quote is escaped, so these cannot match
# in a value.
_AFTER_OWN: Final = '[{,]"(description|exemplars|flags|resource|scope|scope_version|scope_attributes)":.*'


def build_metric_points(metrics: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Bring gauges and sums to points that can be compared over time.

    A cumulative counter becomes a rate a second between neighbouring points; its first point has no rate and is left
    out. Where it fell, or says that it counts since a time after the point before, it was reset, and what it has since
    counts from zero: what it counted between its last point and the reset is not known, so the rate is the least that
    it was. A delta counter becomes a rate over its own interval. Sums that may fall (in-use connections, queue lengths)
    are levels and stay as they are, as gauges do.

    Points count in the order of their times, whatever the order they came in. The same point twice counts once; of
    points of one counter at one time that differ, the smallest counts.

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
    points = _points(metrics)
    counters = points.filter(nw.col("is_rate"))
    parts = (
        points.filter(~nw.col("is_rate")),
        _cumulative_rates(counters.filter(~_is_delta())),
        _delta_rates(counters.filter(_is_delta())),
    )
    return nw.concat([part.select(*_point_columns()) for part in parts], how="vertical")


def build_counter_resets(metrics: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Find where cumulative counters began anew: their process was started again, most often.

    Parameters
    ----------
    metrics : narwhals.LazyFrame
        The canonical table ``metrics``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of RESETS_SCHEMA, unordered, one row a reset: the first point after it, its ``value``, and the value
        ``before``.
    """
    resets = _with_before(_points(metrics).filter(nw.col("is_rate"), ~_is_delta())).filter(nw.col("is_reset"))
    return resets.select(*(_series_name().alias(name) if name == "series" else nw.col(name) for name in RESETS_SCHEMA))


def _points(metrics: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    points = metrics.filter(nw.col("metric_kind").is_in(["gauge", "sum"]), ~nw.col("value").is_null()).with_columns(
        nw.col("is_monotonic").fill_null(value=False).alias("is_rate"),
        # Null keys do not group alike on every engine.
        *(nw.col(name).fill_null("").alias(name) for name in _SERIES),
    )
    same = [*_SERIES, "time_us", "value"]
    return points.unique(subset=same, keep="first", order_by=["start_time_us", "metric_unit", "metric_kind"])


def _is_delta() -> nw.Expr:
    return (nw.col("temporality") == nw.lit("delta")).fill_null(value=False)


def _with_before(totals: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the point before beside each point of a cumulative counter, and say whether it was reset between them."""
    before = {"before": "value", "before_us": "time_us", "before_start_us": "start_time_us"}
    # A counter that has come back above its old value shows the reset only by the time since which it counts.
    restarted = (nw.col("start_time_us") > nw.col("before_start_us")) & (nw.col("start_time_us") >= nw.col("before_us"))
    is_reset = (nw.col("value") < nw.col("before")).fill_null(value=False) | restarted.fill_null(value=False)
    return (
        totals.unique(subset=[*_SERIES, "time_us"], keep="first", order_by=["value"])
        .with_columns(*(nw.col(of).shift(1).over(*_SERIES, order_by="time_us").alias(to) for to, of in before.items()))
        .with_columns(is_reset.alias("is_reset"))
    )


def _cumulative_rates(totals: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    grown = nw.when(nw.col("is_reset")).then(nw.col("value")).otherwise(nw.col("value") - nw.col("before"))
    interval_s = (nw.col("time_us") - nw.col("before_us")) / US_PER_S
    return _with_before(totals).filter(~nw.col("before").is_null()).with_columns((grown / interval_s).alias("value"))


def _delta_rates(deltas: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    before_us = nw.col("time_us").shift(1).over(*_SERIES, order_by=["time_us", "value"])
    since_us = nw.coalesce("start_time_us", "before_us")
    return (
        deltas.with_columns(before_us.alias("before_us"))
        .with_columns(((nw.col("time_us") - since_us) / US_PER_S).alias("interval_s"))
        .filter(nw.col("interval_s") > 0)
        .with_columns((nw.col("value") / nw.col("interval_s")).alias("value"))
    )


def _point_columns() -> list[nw.Expr]:
    return [_series_name().alias(name) if name == "series" else nw.col(name) for name in POINTS_SCHEMA]


def _series_name() -> nw.Expr:
    own = nw.col("attributes").str.replace_all(_AFTER_OWN, "")
    for pattern, replacement in (("^[{]|[}]$", ""), ('":', "="), (',"', ", "), ('"', "")):
        own = own.str.replace_all(pattern, replacement)
    return own
