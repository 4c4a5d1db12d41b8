"""Do the golden signals hold what they claim, on planted data? `python -m benchmarks.golden_signals`; see README.md.

Modes: how often one mode is called several (at most the level of the test), and how often hits and misses of a cache
are found. Forecasts: how often the interval holds what came, on made traffic and on the hourly sums of NAB's counts.
Exhaustion: how often a time is given for what does not rise, and how far the time is off for what does.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH, read_cells
from prodintel_lib.analyses.golden_signals.exhaustion import find_exhaustion
from prodintel_lib.analyses.golden_signals.forecasting import INTERVAL, forecast_counts
from prodintel_lib.analyses.golden_signals.grouping import LEVEL
from prodintel_lib.analyses.golden_signals.modality import p_value_of_one_mode
from prodintel_lib.analyses.golden_signals.modes import find_modes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Draw = Callable[[np.random.Generator, int], Vector]

SIZES: Final = (100, 1_000, 10_000, 100_000)
DAY: Final = 24
WEEK: Final = 168
NAB_COUNTS: Final = (
    "realKnownCause/nyc_taxi.csv",
    "realAWSCloudwatch/elb_request_count_8c0756.csv",
    "realTraffic/occupancy_6005.csv",
    "realTraffic/speed_6005.csv",
    "realTraffic/TravelTime_387.csv",
)


def _mixed(share: float, fast: float, slow: float, spread: float) -> Draw:
    def draw(chance: np.random.Generator, n: int) -> Vector:
        is_slow = chance.random(n) < share
        return np.where(is_slow, chance.lognormal(slow, spread, n), chance.lognormal(fast, spread, n))

    return draw


ONE_MODE: Final[Mapping[str, Draw]] = {
    "lognormal, sigma 0.5": lambda chance, n: chance.lognormal(4, 0.5, n),
    "lognormal, sigma 0.05": lambda chance, n: chance.lognormal(4, 0.05, n),
    "lognormal, sigma 1": lambda chance, n: chance.lognormal(3, 1, n),
    "gamma, shape 2": lambda chance, n: chance.gamma(2, 20, n),
    "gamma, shape 0.5": lambda chance, n: chance.gamma(0.5, 20, n),
    "Pareto, tail 1.5": lambda chance, n: 10 * (1 + chance.pareto(1.5, n)),
    "log-uniform": lambda chance, n: np.exp(chance.uniform(2, 5, n)),
    "10 ms and exponential": lambda chance, n: 10 + chance.exponential(20, n),
    "whole ms, about 4": lambda chance, n: np.maximum(1, np.round(chance.lognormal(1.5, 0.5, n))),
    "whole ms, about 30": lambda chance, n: np.round(chance.lognormal(3.3, 0.4, n)),
    "ticks of 15.625 ms": lambda chance, n: 15.625 * np.maximum(1, np.round(chance.lognormal(5, 0.4, n) / 15.625)),
}
TWO_MODES: Final[Mapping[str, Draw]] = {
    "cache, 20 % misses": lambda chance, n: np.where(
        chance.random(n) < 0.8, chance.gamma(4, 0.5, n), 20 + chance.gamma(3, 15, n)
    ),
    "cache, whole ms": lambda chance, n: np.where(
        chance.random(n) < 0.8, 1 + np.round(chance.gamma(4, 0.5, n)), np.round(20 + chance.gamma(3, 15, n))
    ),
    "half slow, D 2.5": _mixed(0.5, 3, 4, 0.4),
    "tenth slow, D 4": _mixed(0.1, 3.6, 5, 0.35),
    "15th slow, D 7.5": _mixed(0.067, 3, 6, 0.4),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurements and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="of each kind and size")
    parser.add_argument("--nab", type=Path, help="the folder `nab/data`, for counts nobody here made")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance = np.random.default_rng(options.seed)
    _measure_modes(chance, options.samples)
    _measure_made_traffic(chance, max(20, options.samples // 4))
    if options.nab:
        _measure_nab(options.nab)
    _measure_exhaustion(chance, options.samples)
    return 0


def _measure_modes(chance: np.random.Generator, samples: int) -> None:
    for title, kinds in (("one mode", ONE_MODE), ("two modes", TWO_MODES)):
        called = {n: [0, 0] for n in SIZES}
        for name, draw in kinds.items():
            said = []
            for n in SIZES:
                since = time.process_time()
                found = [_modes_of(draw(chance, n)) for _ in range(samples)]
                several = sum(modes >= 2 for modes in found)
                called[n][0] += several
                called[n][1] += samples
                said.append(f"n {n:>7,}: {several / samples:6.1%}, {_ms_each(since, samples):4.0f} ms")
            _say(f"{title:9} {name:24} several: {'   '.join(said)}")
        parts = "   ".join(f"n {n:>7,}: {hits / all_of:6.2%}" for n, (hits, all_of) in called.items())
        _say(f"{title:9} all together (level {LEVEL:.0%})  several: {parts}")


def _modes_of(durations_ms: Vector) -> int:
    bins, counts = np.unique(np.floor(np.log(durations_ms) / LOG_WIDTH).astype(np.int64), return_counts=True)
    cells = read_cells(bins, counts.astype(np.float64))
    if p_value_of_one_mode(cells, n_effective=len(durations_ms)) > LEVEL:
        return 1
    return len(find_modes(cells)) or 1


def _measure_made_traffic(chance: np.random.Generator, samples: int) -> None:
    for level in (2.0, 50.0, 5_000.0):
        for noise in (0.0, 0.1):
            for days in (3, 10, 15, 28):
                tally = _Tally()
                for _ in range(samples):
                    counts = _made_traffic(chance, days + 1, level, noise)
                    tally.add(counts[:-DAY], counts[-DAY:])
                _say(f"forecast made, {level:>5,.0f} an hour, noise {noise:.0%}, {days:2} days: {tally}")


def _made_traffic(chance: np.random.Generator, days: int, level: float, noise: float) -> Vector:
    """Draw counts by the hour: a daily rhythm, quieter weekends, noise that has a memory, Poisson."""
    hours = np.arange(days * DAY)
    start = int(chance.integers(7))
    weekend = np.where((hours // DAY + start) % 7 >= 5, 0.6, 1.0)
    moved = np.zeros(len(hours))
    for at in range(1, len(hours)):
        moved[at] = 0.5 * moved[at - 1] + noise * chance.normal()
    mean = level * weekend * (1 + 0.6 * np.sin(2 * np.pi * (hours - 9) / DAY)) * np.exp(moved)
    return chance.poisson(mean).astype(np.float64)


def _measure_nab(folder: Path) -> None:
    for name in NAB_COUNTS:
        rows = pl.read_csv(folder / name, try_parse_dates=True)
        hourly = rows.group_by_dynamic("timestamp", every="1h").agg(pl.col("value").sum())["value"].to_numpy()
        values = hourly.astype(np.float64)
        for days in (3, 7, 14, 28):
            tally = _Tally()
            for end in range(days * DAY, len(values) - DAY, 13):
                tally.add(values[end - days * DAY : end], values[end : end + DAY])
            if tally.hits:
                _say(f"forecast {Path(name).stem}, {days:2} days: {tally}")


class _Tally:
    """What came of forecasts."""

    def __init__(self) -> None:
        self.hits: list[bool] = []
        self.said: list[float] = []
        self.errors: list[float] = []
        self.naive: list[float] = []

    def add(self, past: Vector, future: Vector) -> None:
        periods = [DAY, WEEK] if len(past) >= 2 * WEEK else [DAY]
        found = forecast_counts(past, steps=len(future), periods=periods, day=DAY)
        if found is None:
            return
        self.hits += ((future >= found.low) & (future <= found.high)).tolist()
        self.said.append(found.coverage)
        self.errors += np.abs(future - found.values).tolist()
        self.naive += np.abs(future - past[-DAY:]).tolist()

    def __str__(self) -> str:
        share = float(np.mean(self.errors)) / max(float(np.mean(self.naive)), 1e-9)
        return (
            f"{np.mean(self.hits):5.1%} of {len(self.hits):,} in the {INTERVAL:.0%} interval "
            f"(backtests said {np.nanmean(self.said):.1%}); error {share:.2f} of yesterday's"
        )


def _measure_exhaustion(chance: np.random.Generator, samples: int) -> None:
    for memory in (0.0, 0.6, 0.9):
        for rise in (0.0, 0.002, 0.005):
            given, held, off = 0, 0, []
            for _ in range(samples):
                hours = np.arange(96.0)
                start = chance.uniform(0.2, 0.4)
                found = find_exhaustion(hours, start + rise * hours + _noise(chance, 96, memory, 0.02))
                if found.hours is None or found.low is None:
                    continue
                given += 1
                true = (1 - start) / rise - hours[-1] if rise else math.inf
                held += found.low <= true <= (math.inf if found.high is None else found.high)
                off.append(abs(found.hours - true) / true if rise else math.inf)
            told = f"; median error {np.median(off):.0%}, in the interval {held / given:.0%}" if given and rise else ""
            _say(f"exhaustion, {100 * rise:.1f} points an hour, memory {memory}: given in {given / samples:.1%}{told}")


def _noise(chance: np.random.Generator, n: int, memory: float, deviation: float) -> Vector:
    drawn = chance.normal(0, deviation * math.sqrt(1 - memory**2), n + 50)
    for at in range(1, n + 50):
        drawn[at] += memory * drawn[at - 1]
    return np.asarray(drawn[50:], dtype=np.float64)


def _ms_each(since: float, samples: int) -> float:
    return 1000 * (time.process_time() - since) / samples


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
