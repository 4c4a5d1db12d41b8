"""What scoring a month of many series costs, each size in a process of its own: `--what cost`.

The series are made and scored in blocks, as a caller does who has more of them than memory: what is kept of a block is
its alarms.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies import Combined, SeriesMatrix, find_alarms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES: Final = (1_000, 10_000, 50_000)
BLOCK_SERIES: Final = 1_000
DAYS: Final = 30
POINTS_A_DAY: Final = 288
POINTS: Final = DAYS * POINTS_A_DAY
STEP_US: Final = 300_000_000


def run(sizes: Sequence[int] = SIZES) -> Iterator[str]:
    """Score made series of 30 days at five minutes, one size after the other."""
    for size in sizes:
        found = _in_own_process(size)
        yield (
            f"cost, {size:,} series x {POINTS:,} points in blocks of {BLOCK_SERIES:,}: {found['score_s']:.1f} s to "
            f"score, {found['alarms_s']:.1f} s for {int(found['alarms']):,} alarms, of the processor "
            f"({1000 * (found['score_s'] + found['alarms_s']) / size:.2f} ms a series); peak memory "
            f"{found['peak_mb']:,.0f} MB (before the first block {found['begun_mb']:,.0f} MB); load average "
            f"{found['load_average']:.1f}"
        )


def measure(size: int) -> dict[str, float]:
    """Score `size` series in this process; return seconds of the processor, alarms and megabytes."""
    begun_mb = _peak_mb()
    score_s = alarms_s = 0.0
    alarms = 0
    for first in range(0, size, BLOCK_SERIES):
        series = make_block(first, min(BLOCK_SERIES, size - first))
        begun_s = time.process_time()
        scores = Combined().score(series)
        scored_s = time.process_time()
        alarms += len(find_alarms(series, scores))
        score_s, alarms_s = score_s + scored_s - begun_s, alarms_s + time.process_time() - scored_s
    return {
        "score_s": score_s,
        "alarms_s": alarms_s,
        "alarms": alarms,
        "begun_mb": begun_mb,
        "peak_mb": _peak_mb(),
        "load_average": os.getloadavg()[0],
    }


def make_block(first: int, size: int) -> SeriesMatrix:
    """Make `size` series with a daily rhythm and noise; series `first` and on are the same in whichever block.

    Parameters
    ----------
    first : int
        Number of the first.
    size : int

    Returns
    -------
    SeriesMatrix
        Of 30 days at five minutes.
    """
    values = np.empty((size, POINTS))
    turn = 2 * np.pi * np.arange(POINTS) / POINTS_A_DAY
    for row in range(size):
        chance = np.random.default_rng(first + row)
        values[row] = chance.normal(0.0, 5.0, POINTS) + 100.0 + 30.0 * np.sin(turn + chance.uniform(0, 2 * np.pi))
    times = np.arange(POINTS, dtype=np.int64) * STEP_US
    return SeriesMatrix(tuple(f"series {first + row}" for row in range(size)), times, values)


def _in_own_process(size: int) -> dict[str, float]:
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.anomalies.cost", str(size)]
    done = subprocess.run(command, env=os.environ | one_thread, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))))
