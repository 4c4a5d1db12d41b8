"""The course of patterns in finer buckets than the ones their trend is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.error_traffic import TRAFFIC_KEYS, TRAFFIC_SCHEMA, build_traffic
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.error_patterns.model import ErrorPatterns


def count_finer(
    patterns: ErrorPatterns, pattern_ids: Sequence[str], *, bucket_s: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Count some patterns and the traffic again, in buckets of another width.

    Whether a rate changed is judged by wide buckets, since errors come in bursts; what goes together within minutes
    needs narrow ones.

    Parameters
    ----------
    patterns : ErrorPatterns
    pattern_ids : sequence of str
    bucket_s : int
        Width, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    (polars.DataFrame, polars.DataFrame)
        ``pattern_id, bucket_us, rows`` and ``unit, service_name, bucket_us, rows, bot_rows``, of the baseline and the
        window, as ErrorPatterns.buckets and ErrorPatterns.traffic hold them.
    """
    width_us = bucket_s * US_PER_S
    numbers = patterns.numbers.filter(pl.col("pattern_id").is_in(list(pattern_ids)))
    keys = patterns.keys.join(numbers, on="pattern_no", how="semi")
    counted = [
        rows.group_by("pattern_no", (pl.col("time_us") // width_us * width_us).alias("bucket_us")).agg(
            pl.len().cast(pl.Int64).alias("rows")
        )
        for rows in patterns.passes.rows(keys)
    ]
    buckets = (
        pl.concat(counted)
        .join(numbers, on="pattern_no")
        .group_by("pattern_id", "bucket_us")
        .agg(pl.col("rows").sum())
        .sort("pattern_id", "bucket_us")
    )
    view = patterns.passes.view
    counts = [
        collect(
            build_traffic(*(view.scan(name, part) for name in ("spans", "rum_events", "logs")), bucket_s=bucket_s),
            schema=TRAFFIC_SCHEMA,
            sort_by=TRAFFIC_KEYS,
        )
        for part in (patterns.baseline, patterns.window)
    ]
    by = ["unit", "service_name", "bucket_us"]
    return buckets, pl.concat(counts).group_by(by).agg(pl.col("rows", "bot_rows").sum()).sort(by)
