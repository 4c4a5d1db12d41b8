"""What is judged of the metrics, as levels by service: saturation, and everything where there are no traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.production.utilisation import attributes_of, pair_hit_ratios, pair_utilisations
from prodintel_lib.analyses.signals import kind_of_signal, worse_direction
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Collection

KINDS: Final = ("saturation", "cpu", "memory", "queue", "cache")
_SPARE: Final = frozenset({"idle", "free", "available", "unused"})
_ONE: Final = ("metric_name", "service_name", "service_instance_id", "series")


def build_saturation_levels(metrics: pl.DataFrame, *, traced: Collection[str] = ()) -> pl.DataFrame:
    """Choose what speaks of saturation: shares where used and limit are known, else levels and rates as measured.

    Of services without traces every metric is taken: their latency, errors and traffic are known from metrics alone.

    Parameters
    ----------
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA.
    traced : collection of str
        Services whose requests were recorded: what their metrics say of requests would be said twice.

    Returns
    -------
    polars.DataFrame
        ``bucket_us, metric_name, metric_unit, service_name, service_instance_id, series, value, n, worse``, ordered by
        series and time. Of a metric that several instances of a service report, the largest counts (of hit ratios the
        smallest), and ``service_instance_id`` is empty: instances come and go, and one that is full is enough.
    """
    kinds = {name: kind_of_signal(name) for name in metrics["metric_name"].unique()}
    is_spoken = pl.col("metric_name").replace_strict(kinds, default="other").is_in(KINDS)
    spoken = metrics.filter(is_spoken | ~pl.col("service_name").is_in(list(traced)))
    shares, ratios = pair_utilisations(metrics), pair_hit_ratios(metrics)
    paired = pl.concat([shares, ratios])
    # A limit is a setting, and misses are lookups that were no hits: both are in the share.
    other = ["other_name", "service_name", "service_instance_id", "other_series"]
    single = spoken.join(paired.select(_ONE).unique(), on=list(_ONE), how="anti", maintain_order="left").join(
        paired.select(other).unique(), left_on=list(_ONE), right_on=other, how="anti", maintain_order="left"
    )
    parts = (
        _merge_instances(pl.concat([single, shares.select(*METRIC_BUCKETS_SCHEMA)]), pl.col("mean").max()),
        _merge_instances(ratios, pl.col("mean").min()),
    )
    return _with_direction(pl.concat(parts))


def _merge_instances(levels: pl.DataFrame, worst: pl.Expr) -> pl.DataFrame:
    of_service = ["metric_name", "metric_unit", "service_name", "series"]
    instance = pl.col("service_instance_id")
    only = pl.when(instance.n_unique().over(of_service) == 1).then(instance).otherwise(pl.lit(""))
    return (
        levels.with_columns(only.alias("service_instance_id"))
        .group_by("bucket_us", *of_service, "service_instance_id")
        .agg(worst.alias("value"), pl.col("n").sum())
        .sort(*of_service, "bucket_us")
    )


def _with_direction(levels: pl.DataFrame) -> pl.DataFrame:
    series = levels.select("metric_name", "series").unique().iter_rows()
    directions = [(name, attributes, direction_of(name, attributes)) for name, attributes in series]
    schema = {"metric_name": pl.String(), "series": pl.String(), "worse": pl.Int64()}
    worse = pl.DataFrame(directions, schema=schema, orient="row")
    return levels.join(worse, on=["metric_name", "series"], how="left", maintain_order="left")


def direction_of(metric_name: str, series: str) -> int:
    """Say which way a metric's series is worse: 1 up, -1 down, 0 where it depends (what is spare, say)."""
    if any(name.endswith("state") and value.lower() in _SPARE for name, value in attributes_of(series)):
        return 0
    return worse_direction(kind_of_signal(metric_name), metric_name)
