"""Frames of production made by hand: only what a test says, the rest empty."""

import numpy as np
import polars as pl

from prodintel_lib.analyses.production import EDGES_SCHEMA, Production
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_SCHEMA
from prodintel_lib.tables import CHANGES, INCIDENTS
from prodintel_lib.windows import Window

S = 1_000_000
B = 10 * S
_NAMED = {"service_name": "shop", "route": "GET /", "is_entry": True, "region": "", "release": "1", "cache": ""}
_COUNTED = {"bin": 30, "requests": 10, "failed": 0, "duration_ms_sum": 0.0, "over_limit": 0}
_METRIC = {"metric_unit": "", "service_name": "shop", "service_instance_id": "", "series": "", "is_rate": False, "n": 1}
_VISIT = {"journey": "/", "sessions": 0, "converted": 0, "views": 0, "errors": 0}
_LOG = {"service_name": "shop", "errors": 0, "warnings": 0, "rows": 0}


def framed(rows, schema, defaults=None):
    """Make a frame of a schema from dicts that leave out what the defaults say."""
    whole = [{**(defaults or {}), **row} for row in rows]
    return pl.DataFrame([[row.get(name) for name in schema] for row in whole], schema=schema, orient="row")


def asked(buckets, **named):
    """Return a row of requests for each bucket (numbers of ten seconds)."""
    return [{"bucket_us": number * B, **named} for number in buckets]


def measured(name, values, **named):
    """Return a row of a metric for each bucket and value."""
    return [
        {"bucket_us": number * B, "metric_name": name, "mean": value, "max": value, "last": value, **named}
        for number, value in values.items()
    ]


def made_production(
    *,
    requests=(),
    metrics=(),
    visits=(),
    logs=(),
    incidents=(),
    recorded=range(20),
    window=(10, 20),
    history=(0, 10),
    visit_bucket_s=10,
):
    """Return a production in buckets of ten seconds; times are numbers of buckets."""
    return Production(
        window=Window(window[0] * B, window[1] * B),
        history=Window(history[0] * B, history[1] * B),
        bucket_s=10,
        requests=framed(requests, REQUEST_BINS_SCHEMA, {**_NAMED, **_COUNTED}),
        metrics=framed(metrics, METRIC_BUCKETS_SCHEMA, _METRIC),
        visits=framed(visits, RUM_BUCKETS_SCHEMA, _VISIT),
        log_levels=framed(logs, LOG_LEVELS_SCHEMA, _LOG),
        calls=pl.DataFrame(schema=EDGES_SCHEMA),
        changes=pl.DataFrame(schema=CHANGES.schema),
        incidents=framed(incidents, INCIDENTS.schema),
        recorded_us=np.array(list(recorded), dtype=np.int64) * B,
        digest="",
        visit_bucket_s=visit_bucket_s,
    )


def signal_of(signals, name):
    """Return the signal of a name, of which there is one."""
    (found,) = [signal for signal in signals if signal.signal == name]
    return found
