"""One made-up month as frames and as spans in a lake: the same requests, the same findings: `--what spans`."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.anomalies.month import make_month
from benchmarks.anomalies.month_incidents import plant
from benchmarks.anomalies.month_plan import BUCKET_S, HISTORY_DAYS, plan_quiet
from benchmarks.anomalies.month_spans import write_spans
from benchmarks.anomalies.planted import hold_to, kinds_of, tell
from prodintel_lib.analyses.anomaly_findings import find_anomalies
from prodintel_lib.analyses.production import build_series, gather_production
from prodintel_lib.analyses.telemetry import open_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator

    from benchmarks.anomalies.month_incidents import Planted
    from benchmarks.anomalies.month_plan import Plan
    from prodintel_lib.analyses.production import Production

SEED: Final = 0
COUNTED: Final = ("requests", "failed")


def run(seed: int = SEED) -> Iterator[str]:
    """Write a month's spans, gather it from the lake, and compare it with the month made directly."""
    _, planned, chance = _plan(seed)
    planted, again, same_chance = _plan(seed)
    made = make_month(planned, chance)
    with tempfile.TemporaryDirectory(prefix="month-") as folder:
        begun_s = time.process_time()
        view = open_view(write_spans(again, same_chance, Path(folder)))
        written_s = time.process_time()
        gathered = gather_production(view, window=made.window, history_days=HISTORY_DAYS, bucket_s=BUCKET_S)
        gathered_s = time.process_time()
    yield (
        f"spans, {made.requests['requests'].sum():,} server spans of a month: {written_s - begun_s:.0f} s of the "
        f"processor to write and ingest, {gathered_s - written_s:.0f} s to gather; peak memory of all "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
    )
    yield f"spans, {_compare(made, gathered)}"
    found = find_anomalies(gathered, build_series(gathered))
    yield from tell(hold_to(planted, found, seed=seed, cpu_s=time.process_time() - gathered_s))


def _plan(seed: int) -> tuple[Sequence[Planted], Plan, Generator]:
    chance = np.random.default_rng(seed)
    plan = plan_quiet(chance)
    planted = [plant(plan, kind, chance, slot=slot) for slot, kind in enumerate(kinds_of(seed))]
    return planted, plan, chance


def _compare(made: Production, gathered: Production) -> str:
    """Say how the two tables of requests differ; durations are binned apart, the last digit may fall either way."""
    keys = [name for name in made.requests.columns if name not in {*COUNTED, "duration_ms_sum", "over_limit"}]
    both = made.requests.select(*keys, *COUNTED).join(
        gathered.requests.select(*keys, *COUNTED), on=keys, how="full", suffix="_gathered", coalesce=True
    )
    differing = both.fill_null(0).filter(
        (both["requests"].fill_null(0) != both["requests_gathered"].fill_null(0))
        | (both["failed"].fill_null(0) != both["failed_gathered"].fill_null(0))
    )
    recorded = np.array_equal(made.recorded_us, gathered.recorded_us)
    return (
        f"{both.height:,} rows of requests, {differing.height} of them differ; the same buckets recorded: "
        f"{'yes' if recorded else 'NO'}"
    )
