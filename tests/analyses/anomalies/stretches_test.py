import math

import numpy as np

from prodintel_lib.analyses.anomalies.stretches import find_stretches
from prodintel_lib.windows import Window

from . import made


def recorded(*spans, points=400, rows=2):
    values = np.full((rows, points), math.nan)
    for number, (begin, end) in enumerate(spans):
        values[number % rows, begin:end] = 1.0
    return made.hourly(values)


def test_find_stretches_parts_recordings_by_pauses_longer_than_they():
    assert find_stretches(recorded((5, 25), (80, 100), (150, 300))) == (slice(5, 25), slice(80, 100), slice(150, 300))


def test_find_stretches_takes_an_outage_for_a_gap():
    assert find_stretches(recorded((0, 50), (140, 300))) == (slice(0, 300),)
    assert find_stretches(recorded((0, 2), (12, 30))) == (slice(0, 30),)


def test_find_stretches_counts_time_and_not_columns():
    series = recorded((0, 60), points=60)
    times = series.time_us.copy()
    times[20:] += 100 * made.HOUR_US
    moved = type(series)(series.keys, times, series.values)
    assert find_stretches(moved) == (slice(0, 20), slice(20, 60))


def test_find_stretches_takes_events_for_recorded():
    series = recorded((0, 20), (100, 150))
    assert len(find_stretches(series)) == 2
    assert find_stretches(series, events=(Window(20 * made.HOUR_US, 100 * made.HOUR_US),)) == (slice(0, 150),)


def test_find_stretches_of_nothing_is_one():
    assert find_stretches(recorded(points=7)) == (slice(0, 7),)
