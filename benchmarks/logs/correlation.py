"""Measure which goes with which, on made data: `python -m benchmarks.logs.correlation [--seeds 20]`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from benchmarks.logs.correlation_cases import EFFECTS, SETTINGS, TRACE_LIFTS, Setting, make_case
from prodintel_lib.analyses.correlation import correlate
from prodintel_lib.analyses.correlation.model import SHARED
from prodintel_lib.analyses.correlation.preparation import TRAFFIC_KIND
from prodintel_lib.analyses.statistics import Proportion, adjust_for_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.logs.correlation_cases import Case

    Pair = tuple[str, str]

LEVEL: Final = 0.05
RESAMPLES: Final = 2_000
SPEED_SIGNALS: Final = (300, 1_000, 2_000)


@dataclass
class Tally:
    """What one method said over all seeds."""

    found: dict[object, int] = field(default_factory=dict)
    planted: dict[object, int] = field(default_factory=dict)
    false_shares: list[float] = field(default_factory=list)
    false: int = 0
    said: int = 0
    lag_right: int = 0
    lag_within: int = 0

    def add(self, said: set[Pair], truth: Mapping[Pair, object]) -> None:
        """Count one case: `truth` gives each planted pair the group it is counted in."""
        known = {frozenset(pair): group for pair, group in truth.items()}
        right = [frozenset(pair) for pair in said if frozenset(pair) in known]
        for group in known.values():
            self.planted[group] = self.planted.get(group, 0) + 1
        for pair in right:
            self.found[known[pair]] = self.found.get(known[pair], 0) + 1
        wrong = len(said) - len(right)
        self.false += wrong
        self.said += len(said)
        self.false_shares.append(wrong / max(1, len(said)))

    def lines(self, name: str, groups: Iterable[object]) -> Iterator[str]:
        """Write what came of it."""
        shares = np.array(self.false_shares)
        draws = np.random.default_rng(0).choice(shares, size=(RESAMPLES, len(shares))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        any_false = Proportion.of(int((shares > 0).sum()), len(shares))
        yield (
            f"  {name}: false discovery rate {shares.mean():.3f} ({low:.3f}-{high:.3f}), {self.false} false of "
            f"{self.said} said; a false one in {any_false.hits} of {any_false.n} cases"
        )
        recalls = (
            f"{group}: {Proportion.of(self.found.get(group, 0), self.planted[group])}"
            for group in groups
            if group in self.planted
        )
        if self.planted:
            yield "    recall by effect " + "; ".join(recalls)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=("planted", "none", "speed"), help="one part alone")
    options = parser.parse_args(arguments)
    for setting in SETTINGS:
        for part, is_planted in (("planted", True), ("none", False)):
            if options.only in {None, part}:
                _say(_measure(setting, options.seeds, is_planted=is_planted))
    if options.only in {None, "speed"}:
        _say(_speed())
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _measure(setting: Setting, seeds: int, *, is_planted: bool) -> Iterator[str]:
    timed, traced = Tally(), Tally()
    naive = {"Pearson on raw values, same window": Tally(), "Pearson on raw values, best lag": Tally()}
    pooled = Tally()
    for seed in range(seeds):
        case = make_case(setting, seed, is_planted=is_planted)
        result = correlate(
            case.series,
            evidence=case.evidence,
            max_lag_s=setting.max_lag * setting.bucket_s,
            false_discovery_rate=LEVEL,
        )
        # Every signal does grow with traffic, as it was made: such pairs are true, and not counted here.
        apart = (pl.col("first_kind") != TRAFFIC_KIND) & (pl.col("second_kind") != TRAFFIC_KIND)
        in_time = result.pairs.filter(pl.col("strength").is_not_null() & apart)
        truth = {pair: effect for pair, (effect, _, _) in case.pairs.items()}
        timed.add(_pairs_of(in_time), truth)
        _count_lags(timed, in_time, case, setting)
        traced.add(_pairs_of(result.pairs.filter(pl.col("evidence") == SHARED)), case.trace_pairs)
        for tally, lags in zip(naive.values(), (0, setting.max_lag), strict=True):
            tally.add(_pearson(case, lags), truth)
        pooled.add(_without_routes(case), case.trace_pairs)
    planted = "pairs planted" if is_planted else "nothing planted"
    yield f"{setting.name}, {setting.signals} signals, {seeds} seeds, {planted}, nominal level {LEVEL}:"
    yield from timed.lines("prodintel, by time", EFFECTS)
    if is_planted:
        hits = sum(timed.found.values())
        yield (
            f"    lag exactly right in {Proportion.of(timed.lag_right, hits)}; "
            f"within its 95 % interval in {Proportion.of(timed.lag_within, hits)}"
        )
    for name, tally in naive.items():
        yield from tally.lines(name, EFFECTS)
    yield from traced.lines("prodintel, by shared traces", TRACE_LIFTS)
    yield from pooled.lines("shared traces without regard to routes", TRACE_LIFTS)


def _pairs_of(frame: pl.DataFrame) -> set[Pair]:
    return set(frame.select("first", "second").iter_rows())


def _count_lags(tally: Tally, found: pl.DataFrame, case: Case, setting: Setting) -> None:
    for row in found.iter_rows(named=True):
        pair = (row["first"], row["second"])
        turned = (row["second"], row["first"])
        if pair in case.pairs or turned in case.pairs:
            sign = 1 if pair in case.pairs else -1
            lag_s = sign * case.pairs[pair if pair in case.pairs else turned][1] * setting.bucket_s
            tally.lag_right += row["lag_s"] == lag_s
            tally.lag_within += row["lag_low_s"] <= lag_s <= row["lag_high_s"]


def _pearson(case: Case, max_lag: int) -> set[Pair]:
    """Correlate what was recorded as it is, at the best of the lags, and adjust for all pairs and lags."""
    from scipy.special import stdtr  # noqa: PLC0415 - scipy costs half a second to import

    own = case.series.filter((pl.col("kind") != TRAFFIC_KIND) & ~pl.col("signal").str.starts_with("x"))
    wide = own.pivot("signal", index="bucket_us", values="value").sort("bucket_us").drop("bucket_us")
    names = wide.columns
    matrix = wide.to_numpy().T.astype(np.float64)
    windows = matrix.shape[1]
    best = np.zeros((len(names), len(names)))
    for lag in range(max_lag + 1):
        one, other = matrix[:, : windows - lag], matrix[:, lag:]
        ones, others = (
            (part - part.mean(axis=1, keepdims=True)) / part.std(axis=1, keepdims=True) for part in (one, other)
        )
        found = np.abs(ones @ others.T) / (windows - lag)
        best = np.maximum(best, np.maximum(found, found.T))
    row, column = np.triu_indices(len(names), k=1)
    strength = np.minimum(best[row, column], 1 - 1e-12)
    tail = 2 * stdtr(windows - 2, -strength * np.sqrt((windows - 2) / (1 - strength**2)))
    q_values = adjust_for_many(np.minimum(1.0, tail * (2 * max_lag + 1)).tolist())
    return {(names[a], names[b]) for a, b, q in zip(row, column, q_values, strict=True) if q <= LEVEL}


def _without_routes(case: Case) -> set[Pair]:
    """Test shared traces as if every trace were alike."""
    evidence = case.evidence
    total = int(evidence.strata["traces"].sum())
    counts = dict(evidence.traces.group_by("signal").agg(pl.col("trace_id").n_unique()).iter_rows())
    traces = evidence.traces.select("signal", "trace_id").unique()
    both = (
        traces.join(traces, on="trace_id", suffix="_other")
        .filter(pl.col("signal") < pl.col("signal_other"))
        .group_by("signal", "signal_other")
        .len()
        .sort("signal", "signal_other")
    )
    from scipy.special import gammainc  # noqa: PLC0415 - scipy costs half a second to import

    tails = [float(gammainc(n, counts[one] * counts[other] / total)) for one, other, n in both.iter_rows()]
    rest = len(counts) * (len(counts) - 1) // 2 - len(tails)
    q_values = adjust_for_many([*tails, *([1.0] * rest)])[: len(tails)]
    return {(one, other) for (one, other, _), q in zip(both.iter_rows(), q_values, strict=True) if q <= LEVEL}


def _speed() -> Iterator[str]:
    for signals in SPEED_SIGNALS:
        setting = Setting("speed", 1_440, 60, signals, 10)
        case = make_case(setting, 0, is_planted=True)
        begun = time.process_time()
        result = correlate(case.series, max_lag_s=600)
        seconds = time.process_time() - begun
        pairs = result.pairs_tested_in_time
        size = f"{signals:,} signals × {setting.windows:,} windows, {pairs:,} pairs × 21 lags"
        yield f"speed: {size}: {seconds:.1f} s of the processor"


if __name__ == "__main__":
    raise SystemExit(main())
