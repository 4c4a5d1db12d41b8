"""Small productions in buckets, and requests of sessions, for the tests of guards."""

import math

import numpy as np
import polars as pl

from prodintel_lib.analyses.production import EDGES_SCHEMA, Production
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import COARSE_GROWTH, REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_SCHEMA
from prodintel_lib.tables import CHANGES, INCIDENTS
from prodintel_lib.windows import US_PER_S, Window

BUCKET_US = 10 * US_PER_S
START_US = 1_795_000_000 * US_PER_S
ROUTE = "GET /api/home"


def bin_of_ms(duration_ms):
    return math.floor(math.log(duration_ms) / math.log(COARSE_GROWTH))


def requests(first, buckets, *, route=ROUTE, n=10, failed=0, duration_ms=20.0, slow=0, slow_ms=900.0, is_entry=True):
    """Return the rows of `buckets` buckets from number `first` on, the same in each."""
    rows = []
    for bucket in range(first, first + buckets):
        parts = [(n - slow, failed, duration_ms), (slow, 0, slow_ms)]
        rows += [
            {
                "bucket_us": START_US + bucket * BUCKET_US, "service_name": "gateway", "route": route,
                "is_entry": is_entry, "region": "", "release": "1", "bin": bin_of_ms(each_ms), "requests": count,
                "failed": bad, "duration_ms_sum": count * each_ms, "over_limit": 0,
            }
            for count, bad, each_ms in parts
            if count
        ]  # fmt: skip
    return pl.DataFrame(rows, schema=REQUEST_BINS_SCHEMA)


def buckets(first, count):
    return Window(START_US + first * BUCKET_US, START_US + (first + count) * BUCKET_US)


def production(*rows, window=None):
    frame = pl.concat(rows)
    last = int(frame["bucket_us"].max()) + BUCKET_US
    return Production(
        window=window or Window(START_US, last),
        history=Window(START_US - 10 * BUCKET_US, START_US),
        bucket_s=10,
        requests=frame,
        metrics=pl.DataFrame(schema=METRIC_BUCKETS_SCHEMA),
        visits=pl.DataFrame(schema=RUM_BUCKETS_SCHEMA),
        log_levels=pl.DataFrame(schema=LOG_LEVELS_SCHEMA),
        calls=pl.DataFrame(schema=EDGES_SCHEMA),
        changes=pl.DataFrame(schema=CHANGES.schema),
        incidents=pl.DataFrame(schema=INCIDENTS.schema),
        recorded_us=np.unique(frame["bucket_us"].to_numpy()),
        digest="0123456789abcdef",
    )
