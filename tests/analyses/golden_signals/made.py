"""Production made for the tests: buckets of a minute from a Thursday midnight on; the seed says which."""

import math

import numpy as np
import polars as pl

from prodintel_lib.analyses.production import EDGES_SCHEMA, Production
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import COARSE_GROWTH, REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.request_failures import REQUEST_FAILURES_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_SCHEMA
from prodintel_lib.tables import TABLES
from prodintel_lib.windows import Window

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def bin_of(duration_ms):
    return math.floor(math.log(duration_ms) / math.log(COARSE_GROWTH))


def requests(rows):
    """Rows of request bins from dicts; what is left out has a usual value."""
    usual = {
        "bucket_us": 0, "service_name": "shop", "route": "GET /a", "is_entry": True, "region": "", "release": "",
        "cache": "", "bin": bin_of(10.0), "requests": 1, "failed": 0, "duration_ms_sum": 10.0, "over_limit": 0,
    }  # fmt: skip
    return pl.DataFrame([usual | row for row in rows], schema=REQUEST_BINS_SCHEMA)


def drawn(durations_ms, bucket_us, **about):
    """Rows of request bins that hold these durations, each in its bucket."""
    bins = np.floor(np.log(durations_ms) / math.log(COARSE_GROWTH)).astype(np.int64)
    frame = pl.DataFrame({"bucket_us": np.asarray(bucket_us, dtype=np.int64), "bin": bins})
    counts = frame.group_by("bucket_us", "bin").len("requests").sort("bucket_us", "bin")
    return requests([about | row for row in counts.iter_rows(named=True)])


def metric(name, values, *, service="shop", unit="1", series="", first=0, is_rate=False):
    """A metric's buckets of a minute."""
    rows = [
        (first + at * MINUTE_US, name, unit, service, "", series, is_rate, value, value, value, 1)
        for at, value in enumerate(values)
        if value is not None
    ]
    return pl.DataFrame(rows, schema=METRIC_BUCKETS_SCHEMA, orient="row")


def production(rows=None, *, window, history_us=0, metrics=None, failures=None, levels=None, incidents=None,
               recorded_us=None, bucket_s=60):  # fmt: skip
    """A window `(start, end)` in µs, a history of `history_us` before it, and what was recorded in both."""
    start_us, end_us = window
    history = Window(start_us - history_us, start_us) if history_us else Window(start_us - 1, start_us)
    held = requests([]) if rows is None else rows
    gauges = pl.DataFrame(schema=METRIC_BUCKETS_SCHEMA) if metrics is None else metrics
    if recorded_us is None:
        recorded_us = np.unique(np.concatenate([held["bucket_us"].to_numpy(), gauges["bucket_us"].to_numpy()]))
    tables = {name: pl.DataFrame(schema=TABLES[name].schema) for name in ("changes", "incidents")}
    return Production(
        window=Window(start_us, end_us),
        history=history,
        bucket_s=bucket_s,
        requests=held,
        metrics=gauges,
        visits=pl.DataFrame(schema=RUM_BUCKETS_SCHEMA),
        log_levels=pl.DataFrame(schema=LOG_LEVELS_SCHEMA) if levels is None else levels,
        calls=pl.DataFrame(schema=EDGES_SCHEMA),
        changes=tables["changes"],
        incidents=tables["incidents"] if incidents is None else incidents,
        recorded_us=np.asarray(recorded_us, dtype=np.int64),
        digest="made",
        failures=pl.DataFrame(schema=REQUEST_FAILURES_SCHEMA) if failures is None else failures,
    )


def grain(name, rows):
    """A column that says what rows are about."""
    return pl.Series("grain", [name] * rows, dtype=pl.String)
