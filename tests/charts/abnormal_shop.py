"""Findings of a small shop, made by hand: two series of failures, one of a pool, forty buckets of ten seconds."""

import math
from types import SimpleNamespace

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomalies import Scores, SeriesMatrix
from prodintel_lib.windows import Window

S = 1_000_000
BUCKET_US = 10 * S
TIMES = np.arange(40, dtype=np.int64) * BUCKET_US
WINDOW = Window(10 * BUCKET_US, 40 * BUCKET_US)
SHOP, PAY, POOL = "shop POST /orders", "pay POST /charge", "pay pool"


def failures():
    """Return 100 requests a bucket; 2 % fail, from bucket 20 to 29 every second one in the shop and every fifth in pay.

    Bucket 15 is missing in both; the scores begin with bucket 8.
    """
    values = np.full((2, 40), 2.0)
    values[0, 20:30], values[1, 20:30] = 50.0, 20.0
    values[:, 15] = math.nan
    score = np.full((2, 32), 0.5)
    score[0, 12:22], score[1, 12:22] = 8.0, 5.0
    score[:, 7] = math.nan
    matrix = SeriesMatrix((SHOP, PAY), TIMES, values, np.full((2, 40), 100.0), "ratio")
    scores = Scores("combined", "-log10 p", matrix.keys, TIMES[8:], score, np.full((2, 32), 0.02), 2, 0)
    return SimpleNamespace(signals=SimpleNamespace(signal="error_ratio", matrix=matrix), scores=scores)


def pool():
    values = np.full((1, 40), 0.3)
    score = np.full((1, 32), math.nan)
    score[0, 20:] = 2.5
    matrix = SeriesMatrix((POOL,), TIMES, values)
    scores = Scores("combined", "-log10 p", matrix.keys, TIMES[8:], score, np.full((1, 32), 0.3), 0, 20)
    return SimpleNamespace(signals=SimpleNamespace(signal="saturation", matrix=matrix), scores=scores)


def members(*rows):
    names = ("key", "signal", "start_us", "last_us")
    return pl.DataFrame([{"service_name": row[0].split()[0], **dict(zip(names, row, strict=True))} for row in rows])


def finding(**changed):
    """Return the finding of the shop's failures, buckets 20 to 29, to which the one of pay belongs."""
    near = {"label": "deployment pay 2", "relation": "called by it", "time_us": 18 * BUCKET_US, "minutes_before": 1 / 3}
    facts = {
        "id": "AN-1", "type": "ERROR_RATE_SPIKE", "title": "Orders fail", "severity": "high", "service_name": "shop",
        "route": "POST /orders", "signal": "error_ratio", "grain": "route", "key": SHOP, "unit": "share",
        "measure": "requests that failed", "start_us": 20 * BUCKET_US, "end_us": 30 * BUCKET_US, "recurrences": (), "origin_service": "pay",
        "ongoing": False, "n": 1000, "baseline_n": 1900, "confidence": 0.97, "affected_users": None,
        "series": members(
            (SHOP, "error_ratio", 20 * BUCKET_US, 29 * BUCKET_US), (PAY, "error_ratio", 20 * BUCKET_US, 29 * BUCKET_US)
        ),
        "nearby_changes": pl.DataFrame([near, {**near, "label": "long ago", "time_us": -BUCKET_US}]),
    }  # fmt: skip
    return SimpleNamespace(**{**facts, **changed})


def findings(*found, **changed):
    alarms = members(
        (SHOP, "error_ratio", 20 * BUCKET_US, 29 * BUCKET_US), (PAY, "error_ratio", 22 * BUCKET_US, 24 * BUCKET_US),
        (POOL, "saturation", 35 * BUCKET_US, 36 * BUCKET_US),
    ).with_columns(pl.Series("finding_id", ["AN-1", "AN-1", ""]))  # fmt: skip
    facts = {
        "window": WINDOW, "history": Window(0, WINDOW.start_us), "bucket_s": 10, "threshold": 4.0,
        "score_unit": "-log10 p", "series_scored": 3, "series_too_short": 1, "points_scored": 70, "findings": found,
        "alarms": alarms, "scored": (failures(), pool()),
    }  # fmt: skip
    return SimpleNamespace(**{**facts, **changed})
