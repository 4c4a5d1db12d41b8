"""What can be full: utilisations as reported, what is used of a limit, and levels without a known limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.production import pair_utilisations
from prodintel_lib.analyses.production.saturation import KINDS
from prodintel_lib.analyses.signals import kind_of_signal

if TYPE_CHECKING:
    from collections.abc import Iterable

AS_REPORTED: Final = "utilisation"
OF_LIMIT: Final = "used of limit"
OF_ALL: Final = "used of used and free"
NO_LIMIT: Final = ""
RESOURCES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "metric_name": pl.String(),
    "unit": pl.String(),
    "service_name": pl.String(),
    "service_instance_id": pl.String(),
    "series": pl.String(),
    "limit_from": pl.String(),
    "mean": pl.Float64(),
    "max": pl.Float64(),
    "last": pl.Float64(),
    "n": pl.Int64(),
}
SHARE_UNITS: Final = ("1", "%", "percent", "")
PERCENT_ABOVE: Final = 1.5
"""A share that is ever above it is a percentage, or no share."""

MAX_PERCENT: Final = 100.5
_SHARE_WORDS: Final = frozenset({"utilization", "utilisation", "percent", "percentage", "pct", "ratio", "saturation"})
_FINITE: Final = frozenset({"memory", "mem", "filesystem", "disk", "swap", "paging", "volume", "storage", "heap"})
_SPARE_WORDS: Final = frozenset({"free", "avail", "available", "unused"})
_WHOLE_WORDS: Final = frozenset({"size", "total", "limit", "capacity", "max"})
_USED_STATES: Final = ("used", "in_use", "inuse", "active", "busy")
_WORDS: Final = re.compile(r"[._]|(?<=[a-z])(?=[A-Z])")
_SERIES: Final = ["metric_name", "service_name", "service_instance_id", "series"]
_VALUES: Final = ("mean", "max", "last")


def find_resources(metrics: pl.DataFrame) -> pl.DataFrame:
    """Choose what speaks of saturation, as shares from 0 to 1 where a limit is known.

    Parameters
    ----------
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA.

    Returns
    -------
    polars.DataFrame
        Columns of RESOURCES_SCHEMA, a row a resource and bucket, ordered. Of several instances of a service the fullest
        counts in each bucket, and ``service_instance_id`` is empty.

    Notes
    -----
    Shares are, in this order: what production.saturation.pair_utilisations divides; a spare part of a whole
    (``node_filesystem_avail_bytes`` of ``node_filesystem_size_bytes``); the used one of all states of a disk or a
    memory; and metrics that are called a utilisation or a percentage and stay within 0 and 1, or 0 and 100. A
    processor's utilisation above 1 counts more than one processor: it has no limit here.
    """
    levels = metrics.filter(~pl.col("is_rate"))
    parts = [_labelled(pair_utilisations(metrics), OF_LIMIT)]
    parts.append(_labelled(_spare_of_whole(levels), OF_LIMIT))
    parts.append(_labelled(_states_of_all(_without(levels, parts)), OF_ALL))
    parts.append(_labelled(_reported_shares(_without(levels, parts)), AS_REPORTED))
    rest = _without(levels, parts)
    paired = pl.concat(parts).select("metric_name", "service_name").unique()
    spoken = [name for name in rest["metric_name"].unique() if kind_of_signal(name) in KINDS and not _is_limit(name)]
    rest = rest.filter(pl.col("metric_name").is_in(spoken)).join(paired, on=["metric_name", "service_name"], how="anti")
    return _fullest([*parts, _labelled(rest, NO_LIMIT)])


def _labelled(metrics: pl.DataFrame, limit_from: str) -> pl.DataFrame:
    unit = pl.col("metric_unit") if limit_from == NO_LIMIT else pl.lit("1")
    return metrics.with_columns(unit.alias("unit"), pl.lit(limit_from).alias("limit_from")).select(
        pl.col(name).cast(dtype) for name, dtype in RESOURCES_SCHEMA.items()
    )


def _without(levels: pl.DataFrame, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    taken = pl.concat([part.select(_SERIES) for part in parts]).unique()
    return levels.join(taken, on=_SERIES, how="anti", maintain_order="left")


def _is_limit(name: str) -> bool:
    return bool(set(_words(name)) & _WHOLE_WORDS) and "usage" not in name


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.split(name)]


def _shapes(name: str, words: frozenset[str]) -> list[str]:
    """Return the name with one of `words` left open, the last one first."""
    parts = _words(name)
    return [".".join([*parts[:at], "*", *parts[at + 1 :]]) for at in reversed(range(len(parts))) if parts[at] in words]


def _spare_of_whole(levels: pl.DataFrame) -> pl.DataFrame:
    """Return what is not spare of what is there, by the metric of what is spare."""
    names = levels["metric_name"].unique().sort().to_list()
    wholes = {shape: name for name in names for shape in _shapes(name, _WHOLE_WORDS)}
    pairs = {name: wholes[shape] for name in names for shape in _shapes(name, _SPARE_WORDS) if shape in wholes}
    if not pairs:
        return levels.head(0)
    spare = levels.filter(pl.col("metric_name").is_in(list(pairs))).with_columns(
        pl.col("metric_name").replace_strict(pairs, return_dtype=pl.String).alias("_whole_name")
    )
    same = ["bucket_us", "service_name", "service_instance_id", "series"]
    whole = levels.filter(pl.col("last") > 0).select(
        *same, pl.col("metric_name").alias("_whole_name"), pl.col("last").alias("_whole")
    )
    return spare.join(whole, on=[*same, "_whole_name"], maintain_order="left").with_columns(
        (1 - pl.col(name) / pl.col("_whole")).alias(name) for name in _VALUES
    )


def _states_of_all(levels: pl.DataFrame) -> pl.DataFrame:
    """Return the used state's share of all states, of what is finite by its name."""
    finite = [name for name in levels["metric_name"].unique() if set(_words(name)) & _FINITE]
    state = pl.col("series").str.extract(r"(?:^|[.,_ ])state=([^,]*)").str.to_lowercase()
    rows = levels.filter(pl.col("metric_name").is_in(finite)).with_columns(
        state.alias("_state"), pl.col("series").str.replace(r"[^ ,]*state=[^,]*(, )?", "").alias("_other")
    )
    rows = rows.filter(pl.col("_state").is_not_null())
    group = ["bucket_us", "metric_name", "service_name", "service_instance_id", "_other"]
    several = pl.col("_state").n_unique().over(group) > 1
    whole = pl.col("mean").sum().over(group)
    shares = rows.with_columns(whole.alias("_whole"), several.alias("_several"))
    used = shares.filter(pl.col("_state").is_in(_USED_STATES), pl.col("_several"), pl.col("_whole") > 0)
    return used.with_columns(pl.col(name) / pl.col("_whole") for name in _VALUES)


def _reported_shares(levels: pl.DataFrame) -> pl.DataFrame:
    """Return what is called a share and stays within one, percentages divided by 100."""
    named = [
        name
        for name in levels["metric_name"].unique()
        if set(_words(name)) & _SHARE_WORDS and kind_of_signal(name) in {"saturation", "cpu", "memory", "queue"}
    ]
    unit = pl.col("metric_unit").str.to_lowercase()
    rows = levels.filter(pl.col("metric_name").is_in(named), unit.is_in(SHARE_UNITS))
    of_metric = ["metric_name", "service_name"]
    most, least = pl.col("max").max().over(of_metric), pl.col("mean").min().over(of_metric)
    is_percent = unit.is_in(["%", "percent"]) | pl.col("metric_name").str.contains("(?i)percent|pct")
    scale = pl.when(is_percent | ((most > PERCENT_ABOVE) & (unit == ""))).then(100.0).otherwise(1.0)
    rows = rows.with_columns(scale.alias("_scale"), most.alias("_most"), least.alias("_least"))
    within = (pl.col("_least") >= 0) & (pl.col("_most") <= pl.col("_scale") * (MAX_PERCENT / 100))
    return rows.filter(within & _is_used()).with_columns(pl.col(name) / pl.col("_scale") for name in _VALUES)


def _is_used() -> pl.Expr:
    """Leave out what a series calls idle or free: its share says the opposite."""
    state = pl.col("series").str.extract(r"(?:^|[.,_ ])state=([^,]*)").str.to_lowercase()
    return state.is_null() | state.is_in(_USED_STATES)


def _fullest(parts: list[pl.DataFrame]) -> pl.DataFrame:
    of_service = ["metric_name", "unit", "service_name", "series", "limit_from"]
    instance = pl.col("service_instance_id")
    only = pl.when(instance.n_unique().over(of_service) == 1).then(instance).otherwise(pl.lit(""))
    merged = pl.concat(parts).with_columns(only.alias("service_instance_id"))
    grouped = merged.group_by("bucket_us", *of_service, "service_instance_id").agg(
        pl.col("mean").max(), pl.col("max").max(), pl.col("last").max(), pl.col("n").sum()
    )
    return grouped.select(*RESOURCES_SCHEMA).sort(*of_service, "bucket_us")
