"""What a month of many series costs, against a decomposition of each series on its own."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies import Combined, SeriesMatrix, find_alarms

if TYPE_CHECKING:
    from collections.abc import Iterator

POINTS: Final = 30 * 288
STL_SAMPLE: Final = 5
STEP_US: Final = 300_000_000


def run(sizes: list[int]) -> Iterator[str]:
    """Score made series of 30 days at five minutes, and a sample of them by STL."""
    each_s, robust_s = _stl_s(is_robust=False), _stl_s(is_robust=True)
    yield f"speed, statsmodels STL, period of a day: {each_s:.3f} s of the processor a series; robust {robust_s:.3f} s"
    for size in sizes:
        begun = time.process_time()
        series = _make(size)
        made_s = time.process_time() - begun
        scores = Combined().score(series)
        scored_s = time.process_time() - begun - made_s
        alarms = find_alarms(series, scores)
        alarms_s = time.process_time() - begun - made_s - scored_s
        total_s = scored_s + alarms_s
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield (
            f"speed, {size:,} series x {POINTS:,} points: {scored_s:.1f} s to score, {alarms_s:.1f} s for "
            f"{len(alarms):,} alarms, of the processor; {each_s * size / total_s:.0f} times STL, "
            f"{robust_s * size / total_s:.0f} times robust STL; "
            f"peak memory {peak_mb:,.0f} MB (the values alone are {series.values.nbytes / 2**20:,.0f} MB)"
        )
        del series, scores, alarms


def _make(size: int) -> SeriesMatrix:
    chance = np.random.default_rng(0)
    values = chance.normal(0.0, 5.0, (size, POINTS))
    values += 100.0 + 30.0 * np.sin(2 * np.pi * np.arange(POINTS) / 288 + chance.uniform(0, 6, (size, 1)))
    times = np.arange(POINTS, dtype=np.int64) * STEP_US
    return SeriesMatrix(tuple(f"series {i}" for i in range(size)), times, values)


def _stl_s(*, is_robust: bool) -> float:
    from statsmodels.tsa.seasonal import STL  # noqa: PLC0415 - costs seconds to import

    sample = _make(STL_SAMPLE).values
    begun = time.process_time()
    for row in sample:
        STL(row, period=288, robust=is_robust).fit()
    return (time.process_time() - begun) / STL_SAMPLE
