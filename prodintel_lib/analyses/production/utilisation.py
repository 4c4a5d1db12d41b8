"""Pairs of metrics that are a share together: what is used of a limit, and hits among the lookups of a cache."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.signals import kind_of_signal
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARE_UNIT: Final = "1"
# The words that tell a pair apart, in OpenTelemetry's conventions and in Prometheus exporters: the names are equal but
# for one word of each kind.
_USED_WORDS: Final = frozenset({"used", "usage", "count", "open", "active", "current", "allocated", "acquired", "busy"})
_LIMIT_WORDS: Final = frozenset({"limit", "max", "maximum", "capacity", "quota", "total", "size"})
_HIT_WORDS: Final = frozenset({"hit", "hits"})
_MISS_WORDS: Final = frozenset({"miss", "misses"})
_IN_USE: Final = frozenset({"used", "in_use", "inuse", "active", "busy"})
# The number of these and the largest of them say nothing of what is left.
_NOT_LEVELS: Final = frozenset({"traffic", "latency", "errors"})
_WORD: Final = re.compile(r"[._]")
_SERIES: Final = ("metric_name", "metric_unit", "service_name", "service_instance_id", "series")
PAIRED_SCHEMA: Final[dict[str, pl.DataType]] = {
    **METRIC_BUCKETS_SCHEMA,
    "other_name": pl.String(),
    "other_series": pl.String(),
}
_PAIRS_SCHEMA: Final[dict[str, pl.DataType]] = {
    name: PAIRED_SCHEMA[name] for name in (*_SERIES, "other_name", "other_series")
}


def pair_utilisations(metrics: pl.DataFrame) -> pl.DataFrame:
    """Divide what is used by its limit, where both were measured.

    Parameters
    ----------
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA.

    Returns
    -------
    polars.DataFrame
        Columns of PAIRED_SCHEMA, rows in the order of `metrics`: the used side of each pair as a share from 0
        (``metric_unit`` is ``1``) in the buckets in which both are known, and which series was the limit; nothing else.

    Notes
    -----
    Two metrics are a pair where their names differ in one word, as ``db.client.connection.count`` and
    ``db.client.connection.max``, ``jvm.memory.used`` and ``jvm.memory.limit``, ``process_open_fds`` and
    ``process_max_fds`` do; their series where unit, service, instance and attributes are the same but for a state that
    says in use. A limit of zero or less is none.
    """
    levels = metrics.filter(~pl.col("is_rate"))
    joined = _joined(levels, _find_pairs(levels, _USED_WORDS, _LIMIT_WORDS)).filter(pl.col("_other") > 0)
    shares = (pl.col(name) / pl.col("_other") for name in ("mean", "max", "last"))
    return joined.with_columns(pl.lit(SHARE_UNIT).alias("metric_unit"), *shares).select(*PAIRED_SCHEMA)


def pair_hit_ratios(metrics: pl.DataFrame) -> pl.DataFrame:
    """Divide the hits of each cache by its lookups, where hits and misses were counted.

    Parameters
    ----------
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA.

    Returns
    -------
    polars.DataFrame
        Columns of PAIRED_SCHEMA, rows in the order of `metrics`: a share for each series of hits, in the buckets that
        had a lookup; ``mean``, ``max`` and ``last`` are the same, since a share is of a time.
    """
    joined = _joined(metrics, _find_pairs(metrics, _HIT_WORDS, _MISS_WORDS))
    lookups = pl.col("mean") + pl.col("_other")
    share = pl.col("mean") / lookups
    values = [share.alias(name) for name in ("mean", "max", "last")]
    asked = joined.filter(lookups > 0)
    return asked.with_columns(
        pl.lit(SHARE_UNIT).alias("metric_unit"), pl.lit(value=False).alias("is_rate"), *values
    ).select(*PAIRED_SCHEMA)


def _joined(metrics: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the first side of each pair with the mean of the other as ``_other``."""
    same = ("bucket_us", "metric_unit", "service_name", "service_instance_id")
    others = metrics.select(
        *same,
        pl.col("metric_name").alias("other_name"),
        pl.col("series").alias("other_series"),
        pl.col("mean").alias("_other"),
    )
    return metrics.join(pairs, on=list(_SERIES), how="inner", maintain_order="left").join(
        others, on=[*same, "other_name", "other_series"], how="inner", maintain_order="left"
    )


def _find_pairs(metrics: pl.DataFrame, first: frozenset[str], other: frozenset[str]) -> pl.DataFrame:
    series = metrics.select(_SERIES).unique().sort(_SERIES)
    return pl.DataFrame(list(_pairs(series, first, other)), schema=_PAIRS_SCHEMA, orient="row")


def _pairs(series: pl.DataFrame, first: frozenset[str], other: frozenset[str]) -> Iterator[tuple[str, ...]]:
    known = [(name, tuple(rest)) for name, *rest in series.iter_rows()]
    others = {(shape, *rest): (name, rest[-1]) for name, rest in known for shape in _shapes(name, other)}
    for name, rest in known:
        attributes = _without_state(rest[-1])
        if attributes is None or kind_of_signal(name) in _NOT_LEVELS:
            continue
        found = (others.get((shape, *rest[:-1], attributes)) for shape in _shapes(name, first))
        pair = next((pair for pair in found if pair is not None), None)
        if pair is not None:
            yield (name, *rest, *pair)


def _shapes(name: str, words: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words of a name with one of `words` left open, from the last."""
    parts = _WORD.split(name.lower())
    for at in reversed(range(len(parts))):
        if parts[at] in words:
            yield (*parts[:at], "*", *parts[at + 1 :])


def attributes_of(series: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of the attributes that metric_points.build_metric_points wrote down."""
    for part in series.split(", ") if series else ():
        name, _, value = part.partition("=")
        yield name, value


def _without_state(series: str) -> str | None:
    """Return the attributes without the one that says in use; None where one says that it is not in use."""
    kept = []
    for name, value in attributes_of(series):
        if not name.endswith("state"):
            kept.append(f"{name}={value}")
        elif value.lower() not in _IN_USE:
            return None
    return ", ".join(kept)
