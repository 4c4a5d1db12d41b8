"""Load of a small shop, made by hand: counts by bucket and endpoint."""

import polars as pl

from prodintel_lib.analyses.load import measure_profiles
from prodintel_lib.rollups.arrivals import ARRIVALS_SCHEMA
from prodintel_lib.windows import US_PER_S, Window

MINUTE_US = 60 * US_PER_S
HOUR_US = 60 * MINUTE_US
START_US = 1_761_523_200_000_000
"""Monday 2025-10-27 00:00 UTC."""


def arrivals(counts, *, first_us=START_US, bucket_s=60):
    """Return arrivals of counts by endpoint, a number a bucket; None is a bucket without a request."""
    zeros = dict.fromkeys(ARRIVALS_SCHEMA, 0)
    length = max(len(numbers) for numbers in counts.values())
    every = [sum(numbers[at] or 0 for numbers in counts.values() if at < len(numbers)) for at in range(length)]
    rows = [
        {
            **zeros, "bucket_us": first_us + at * bucket_s * US_PER_S, "endpoint": endpoint, "requests": n,
            "seconds_sq": n, "peak_per_s": 1, "duration_ms_sum": 0.0,
        }
        for endpoint, numbers in {"": every, **counts}.items()
        for at, n in enumerate(numbers)
        if n
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ARRIVALS_SCHEMA).sort("bucket_us", "endpoint")


def profiles(counts, *, time_zone="UTC", bucket_s=60, events=(), more=()):
    """Return the profiles of counts, and of more that begin later: ``(first_us, counts)``."""
    frames = [arrivals(counts, bucket_s=bucket_s)]
    frames += [arrivals(later, first_us=first_us, bucket_s=bucket_s) for first_us, later in more]
    frame = pl.concat(frames).sort("bucket_us", "endpoint")
    last_us = int(frame["bucket_us"].to_numpy().max())
    window = Window(START_US, last_us + bucket_s * US_PER_S)
    return measure_profiles(frame, window=window, time_zone=time_zone, events=events, bucket_s=bucket_s)


def every_hour(days, rate=lambda hour: 60 + 10 * (hour % 24)):
    """Return counts by quarter of an hour of so many days."""
    return [rate(quarter // 4) for quarter in range(96 * days)]


def rows_of(spec, view):
    """Return the rows of a view's layers, or of the view, in their order; what all views share stands at the top."""
    named = [part["data"]["name"] for part in [view, *view.get("layer", [])] if "name" in part.get("data", {})]
    return [spec["datasets"][name] for name in named or [spec["data"]["name"]]]
