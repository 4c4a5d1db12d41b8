"""Arrivals for the tests of load: only counts, the rest follows."""

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load.local_hours import add_up_hours, zone_named
from prodintel_lib.rollups.arrivals import ARRIVALS_SCHEMA

S = 1_000_000


@pytest.fixture
def arrivals_of():
    """Return a function that makes arrivals from times (s since the epoch) and endpoints, as the rollup would."""

    def make(times_s, endpoints, *, bucket_s=60):
        rows = pl.DataFrame({"second": np.asarray(times_s, dtype=np.int64), "endpoint": endpoints})
        both = pl.concat([rows, rows.with_columns(pl.lit("").alias("endpoint"))])
        seconds = both.group_by("second", "endpoint").agg(pl.len().cast(pl.Int64).alias("n"))
        buckets = seconds.group_by((pl.col("second") // bucket_s * bucket_s * S).alias("bucket_us"), "endpoint").agg(
            pl.col("n").sum().alias("requests"),
            (pl.col("n") ** 2).sum().alias("seconds_sq"),
            pl.col("n").max().alias("peak_per_s"),
        )
        zeros = {name: 0 for name in ARRIVALS_SCHEMA if name not in buckets.columns}
        filled = buckets.with_columns(**{name: pl.lit(value) for name, value in zeros.items()})
        return filled.select(pl.col(name).cast(dtype) for name, dtype in ARRIVALS_SCHEMA.items()).sort(
            "bucket_us", "endpoint"
        )

    return make


@pytest.fixture
def hours_of():
    """Return a function that makes the hours of a zone from one rate for every quarter of an hour from a time on."""

    def make(start_us, rates_rps, *, zone="UTC"):
        counts = np.asarray(rates_rps, dtype=np.float64) * 900
        recorded = start_us + np.arange(len(counts), dtype=np.int64) * 900 * S
        known = np.isfinite(counts)
        return add_up_hours(recorded[known], counts[known], bucket_s=900, zone=zone_named(zone))

    return make
