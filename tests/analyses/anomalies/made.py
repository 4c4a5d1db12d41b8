"""Series made for the tests: the seed says which."""

import math

import numpy as np

from prodintel_lib.analyses.anomalies import SeriesMatrix

HOUR_US = 3_600_000_000


def hourly(values, **options):
    """A matrix of hourly points from rows of values."""
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    times = np.arange(rows.shape[1], dtype=np.int64) * HOUR_US
    return SeriesMatrix(tuple(f"series {i}" for i in range(len(rows))), times, rows, **options)


def rhythmic(seed, *, series=3, days=21, gaps=0.05):
    """Hourly noise about a daily rhythm, with gaps and one series that never moves."""
    chance = np.random.default_rng(seed)
    points = np.arange(days * 24)
    rows = 100 + 30 * np.sin(2 * np.pi * points / 24) + chance.normal(0, 3, (series, len(points)))
    rows[chance.random(rows.shape) < gaps] = math.nan
    rows[-1] = 7.0
    return rows


def head(matrix, end):
    return matrix.until(end - 1)
