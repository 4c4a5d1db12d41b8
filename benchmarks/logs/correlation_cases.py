"""Made series and traces of which it is known what goes together: rhythm, bursts, memory, and planted pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.correlation import TraceEvidence
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SERVICES: Final = 3
EFFECTS: Final = (0.1, 0.2, 0.3, 0.5, 0.7)
KINDS: Final = ("level", "count", "sparse", "clustered")
ROUTES: Final = 6
TRACES: Final = 60_000
TRACE_SIGNALS: Final = 24
TRACE_LIFTS: Final = (2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """How much was recorded."""

    name: str
    windows: int
    bucket_s: int
    signals: int
    max_lag: int


SETTINGS: Final = (
    Setting("3 days of minutes", 4_320, 60, 80, 10),
    Setting("2 hours of 30 s", 240, 30, 60, 10),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What was made, and what is true of it.

    Attributes
    ----------
    series : polars.DataFrame
        preparation.SERIES_SCHEMA without the optional columns.
    evidence : TraceEvidence
    pairs : dict of (first, second) to (effect, lag in buckets, kinds)
        Planted in time; the first leads.
    trace_pairs : dict of (one, other) to float
        Planted in traces, with their lift.
    """

    series: pl.DataFrame
    evidence: TraceEvidence
    pairs: dict[tuple[str, str], tuple[float, int, str]]
    trace_pairs: dict[tuple[str, str], float]


def make_case(setting: Setting, seed: int, *, is_planted: bool) -> Case:
    """Make one case; the same arguments make the same.

    Every signal has the rhythm of the day, grows faster or slower than its service's traffic (which bursts), and an
    autoregressive course of its own with heavy tails. Half of them are planted in pairs, where anything is planted:
    the second's innovations hold the first's, some buckets later, with the effect as their correlation. Of counts that
    is before chance decides how many there are: what can be seen of it is less.
    """
    chance = np.random.default_rng([seed, setting.windows, int(is_planted)])
    traffic = _traffic(chance, setting)
    kinds = [KINDS[index % len(KINDS)] for index in range(setting.signals)]
    shocks = _shocks(chance, setting)
    pairs: dict[tuple[str, str], tuple[float, int, str]] = {}
    order = chance.permutation(setting.signals)
    for place in range(setting.signals // 4 if is_planted else 0):
        first, second = int(order[2 * place]), int(order[2 * place + 1])
        effect, lag = EFFECTS[place % len(EFFECTS)], int(chance.integers(0, 9))
        led = np.concatenate([np.zeros(lag), shocks[first][: len(shocks[first]) - lag]])
        shocks[second] = effect * led + np.sqrt(1 - effect**2) * shocks[second]
        pairs[_name(first), _name(second)] = (effect, lag, "+".join(sorted((kinds[first], kinds[second]))))
    parts = [_signal(chance, setting, index, kinds[index], shocks[index], traffic) for index in range(setting.signals)]
    parts += [_frame(f"t{row}", "throughput", setting, traffic[row], None) for row in range(SERVICES)]
    evidence, trace_pairs = _traces(chance, is_planted=is_planted)
    # One window is too short to be tested by time: these are known by their traces alone.
    shortest = Setting("one window", 1, setting.bucket_s, 0, 0)
    parts += [_frame(f"x{row:02d}", "pattern", shortest, np.zeros(1), np.ones(1)) for row in range(TRACE_SIGNALS)]
    return Case(pl.concat(parts), evidence, pairs, trace_pairs)


def _name(index: int) -> str:
    return f"s{index:03d}"


def _traffic(chance: np.random.Generator, setting: Setting) -> Floats:
    time_s = np.arange(setting.windows) * setting.bucket_s
    day = 0.7 * np.sin(2 * np.pi * time_s / 86_400) + 0.3 * np.sin(4 * np.pi * time_s / 86_400 + 1.0)
    shared = day + _bursts(chance, setting.windows)
    own = np.array([0.1 * _memory(chance.normal(size=setting.windows), 0.7) for _ in range(SERVICES)])
    mean = 400 * np.exp(shared[None, :] + own) * np.array([1.0, 0.6, 0.3])[:, None]
    return np.asarray(chance.poisson(mean), dtype=np.float64)


def _bursts(chance: np.random.Generator, windows: int) -> Floats:
    level = np.zeros(windows)
    for _ in range(max(3, windows // 150)):
        start, length = int(chance.integers(0, windows)), int(chance.integers(3, 30))
        level[start : start + length] += chance.uniform(0.4, 1.2)
    return level


def _shocks(chance: np.random.Generator, setting: Setting) -> Floats:
    tails = chance.standard_t(5, size=(setting.signals, setting.windows)) / np.sqrt(5 / 3)
    return np.asarray(tails, dtype=np.float64)


def _memory(shocks: Floats, weight: float) -> Floats:
    course = np.empty_like(shocks)
    last = 0.0
    for place, shock in enumerate(shocks):
        last = weight * last + shock
        course[place] = last
    return np.asarray(course * np.sqrt(1 - weight**2), dtype=np.float64)


def _signal(
    chance: np.random.Generator, setting: Setting, index: int, kind: str, shocks: Floats, traffic: Floats
) -> pl.DataFrame:
    service = index % SERVICES
    load = np.log(np.maximum(traffic[service], 1.0) / traffic[service].mean())
    time_s = np.arange(setting.windows) * setting.bucket_s
    rhythm = chance.uniform(0, 0.5) * np.sin(2 * np.pi * time_s / 86_400 + chance.uniform(0, 2 * np.pi))
    own = _memory(shocks, chance.uniform(0.2, 0.95 if kind == "level" else 0.6))
    log_course = chance.uniform(0, 0.6) * load + rhythm + (0.6 if kind == "level" else 0.8) * own
    if kind == "level":
        return _frame(_name(index), "latency", setting, 100 * np.exp(log_course), None)
    per_bucket = {"count": chance.uniform(3, 30), "sparse": chance.uniform(0.03, 0.3), "clustered": 1.0}[kind]
    mean = traffic[service] / traffic[service].mean() * per_bucket * np.exp(np.clip(log_course - 0.3, -4, 3))
    counts = chance.poisson(mean)
    if kind == "clustered":
        # One client that tries again and again: a few errors, each many times.
        counts = counts + chance.negative_binomial(np.maximum(counts, 1), 0.2) * (counts > 0)
    return _frame(_name(index), "pattern", setting, counts.astype(np.float64), traffic[service])


def _frame(name: str, kind: str, setting: Setting, values: Floats, exposure: Floats | None) -> pl.DataFrame:
    nothing = pl.Series([None] * setting.windows, dtype=pl.Float64)
    return pl.DataFrame(
        {
            "signal": [name] * setting.windows,
            "kind": [kind] * setting.windows,
            "label": [name] * setting.windows,
            "bucket_us": np.arange(setting.windows) * setting.bucket_s * US_PER_S,
            "value": values,
            "exposure": nothing if exposure is None else pl.Series(exposure),
        }
    )


def _traces(chance: np.random.Generator, *, is_planted: bool) -> tuple[TraceEvidence, dict[tuple[str, str], float]]:
    """Make traces of a few routes; signals keep to some routes, so that they meet more often than chance over all."""
    route = chance.choice(ROUTES, size=TRACES, p=np.array([32, 16, 8, 4, 2, 1]) / 63)
    chances = np.where(chance.random((TRACE_SIGNALS, ROUTES)) < 0.4, 0.03, 0.001) * chance.uniform(
        0.1, 1, (TRACE_SIGNALS, 1)
    )
    seen = chance.random((TRACE_SIGNALS, TRACES)) < chances[:, route]
    pairs: dict[tuple[str, str], float] = {}
    order = chance.permutation(TRACE_SIGNALS)
    for place in range(TRACE_SIGNALS // 4 if is_planted else 0):
        one, other = sorted(int(index) for index in order[2 * place : 2 * place + 2])
        lift = TRACE_LIFTS[place % len(TRACE_LIFTS)]
        expected = float((chances[one] * chances[other])[route].sum())
        both = np.flatnonzero(seen[one])
        more = min(len(both), chance.poisson((lift - 1) * expected))
        seen[other, chance.choice(both, size=more, replace=False)] = True
        pairs[f"x{one:02d}", f"x{other:02d}"] = lift
    signal, trace = np.nonzero(seen)
    traces = pl.DataFrame(
        {
            "signal": [f"x{index:02d}" for index in signal],
            "trace_id": [f"{index:032x}" for index in trace],
            "time_us": chance.integers(0, 3_600 * US_PER_S, size=len(trace)),
            "route": [f"r{index}" for index in route[trace]],
        }
    )
    strata = pl.DataFrame({"route": route}).group_by("route").len().select(
        pl.format("r{}", "route").alias("route"), pl.col("len").cast(pl.Int64).alias("traces")
    )  # fmt: skip
    return TraceEvidence(traces, strata), pairs
