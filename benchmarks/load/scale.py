"""Cost of the load rollups as rows grow: processor seconds and peak memory over 1, 10 and 100 million requests.

    python benchmarks/load/scale.py                        # 1 and 10 million
    python benchmarks/load/scale.py --millions 1 10 100    # an hour, and 5 GB of disk

Rows of `rum_events`, as a reader of access logs makes them, are written as Parquet under a temporary folder: thirty
days with a daily curve, a visitor for every twelve requests, 200 endpoints of unequal weight, a size in `attributes`.
Each figure is of a fresh process with one Polars thread: seconds of the processor from after the imports to the result,
and the process's peak memory. ``arrivals`` and ``sizes`` go through the files part by part, as gather_load does, and
keep what each part adds; ``steps`` goes through one sixteenth of the visitors at a time, as the lake's buckets lie.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.arrivals import (
    ARRIVALS_KEYS,
    ARRIVALS_SCHEMA,
    PAYLOAD_SIZES_KEYS,
    PAYLOAD_SIZES_SCHEMA,
    build_arrivals,
    build_payload_sizes,
)
from prodintel_lib.rollups.load_requests import load_requests
from prodintel_lib.rollups.load_steps import LOAD_STEPS_KEYS, LOAD_STEPS_SCHEMA, build_load_steps
from prodintel_lib.tables import RUM_BUCKETS, RUM_EVENTS, SPANS, conform
from prodintel_lib.windows import US_PER_S, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = 30
DAY_S = 86_400
START_US = parse_time("2025-11-01T00:00:00Z")
ENDPOINTS = 200
REQUESTS_A_VISITOR = 12
PART_ROWS = 1_000_000
BILLION = 1_000_000_000
SEED = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--engine", default="polars")
    parser.add_argument("--passes", nargs="+", choices=list(PASSES), default=list(PASSES))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measured(*options.measure)))
        return 0
    figures: dict[str, list[tuple[int, float]]] = {}
    for millions in options.millions:
        folder = Path(tempfile.mkdtemp(prefix="prodintel-load-"))
        try:
            made = _in_child("make", folder, str(millions))
            size_mb = sum(path.stat().st_size for path in folder.glob("*.parquet")) / 1e6
            print(f"{millions:>4} M rows made in {made['processor_s']:.0f} s, {size_mb:,.0f} MB", flush=True)
            for name in options.passes:
                figure = _in_child(name, folder, options.engine)
                figures.setdefault(name, []).append((millions, figure["processor_s"]))
                print(
                    f"{millions:>4} M  {name:<9} processor {figure['processor_s']:8.2f} s  "
                    f"peak {figure['peak_mb']:7,.0f} MB  rows kept {figure['rows']:>12,.0f}",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder)
    for name, costs in figures.items():
        _conclude(name, costs)
    return 0


def _conclude(name: str, costs: list[tuple[int, float]]) -> None:
    for (few, less), (many, more) in pairwise(costs):
        print(f"{name}: {many / few:g} times the rows cost {more / less:.2f} times as much")
    millions, seconds = costs[-1]
    each = seconds / (millions * 1e6)
    minutes = each * BILLION / 60
    print(f"{name}: {each * 1e6:.2f} s a million rows at {millions} M; a billion at that rate {minutes:.0f} min")


def _make(folder: Path, millions: str) -> int:
    rng = np.random.default_rng(SEED)
    count = int(millions) * 1_000_000
    visitors = count // REQUESTS_A_VISITOR
    weights = 1 / np.arange(1, ENDPOINTS + 1)
    for part in range(0, count, PART_ROWS):
        n = min(PART_ROWS, count - part)
        shares = (np.sort(rng.random(n)) + part // PART_ROWS) / (count / PART_ROWS)
        days, within = np.divmod(shares * DAYS, 1.0)
        # More by day than by night: the part of a day below its curve's integral.
        curved = within - 0.8 * np.sin(2 * np.pi * within) / (2 * np.pi)
        times_us = START_US + ((days + curved) * DAY_S * US_PER_S).astype(np.int64)
        endpoints = rng.choice(ENDPOINTS, size=n, p=weights / weights.sum())
        visitor = rng.integers(0, visitors, size=n)
        frame = pl.DataFrame({"time_us": times_us, "_e": endpoints, "_v": visitor, "_b": rng.integers(200, 90_000, n)})
        rows = frame.select(
            "time_us",
            pl.lit("request").alias("event_kind"),
            (pl.col("_v") % RUM_BUCKETS).alias("user_bucket"),
            pl.format("visitor-{}", "_v").alias("visitor_id"),
            pl.lit("GET").alias("http_request_method"),
            pl.format("/api/endpoint-{}", "_e").alias("request_path"),
            pl.lit(200).alias("http_response_status_code"),
            pl.concat_str(pl.lit('{"bytes":'), "_b", pl.lit(',"protocol":"HTTP/1.1"}')).alias("attributes"),
        )
        conform(rows, RUM_EVENTS).write_parquet(folder / f"{part // PART_ROWS:04}.parquet", row_group_size=1 << 16)
    return count


def _requests(paths: list[Path], engine: str) -> nw.LazyFrame[Any]:
    events = scan_parquet(paths, schema=RUM_EVENTS.schema, engine=engine)
    spans = scan_parquet([], schema=SPANS.schema, engine=engine)
    return load_requests(spans, events, source="rum")


def _arrivals(folder: Path, engine: str) -> int:
    kept = [
        collect(build_arrivals(_requests([path], engine)), schema=ARRIVALS_SCHEMA, sort_by=ARRIVALS_KEYS)
        for path in sorted(folder.glob("*.parquet"))
    ]
    return pl.concat(kept).select(ARRIVALS_KEYS).unique().height


def _sizes(folder: Path, engine: str) -> int:
    kept = [
        collect(build_payload_sizes(_requests([path], engine)), schema=PAYLOAD_SIZES_SCHEMA, sort_by=PAYLOAD_SIZES_KEYS)
        for path in sorted(folder.glob("*.parquet"))
    ]
    return pl.concat(kept).group_by(PAYLOAD_SIZES_KEYS).agg(pl.col("requests").sum()).height


def _steps(folder: Path, engine: str) -> int:
    paths = sorted(folder.glob("*.parquet"))
    height = 0
    for bucket in range(RUM_BUCKETS):
        events = scan_parquet(paths, schema=RUM_EVENTS.schema, engine=engine).filter(nw.col("user_bucket") == bucket)
        requests = load_requests(scan_parquet([], schema=SPANS.schema, engine=engine), events, source="rum")
        steps = build_load_steps(requests, gap_min=30)
        height += collect(steps, schema=LOAD_STEPS_SCHEMA, sort_by=LOAD_STEPS_KEYS).height
    return height


PASSES: dict[str, Callable[[Path, str], int]] = {"arrivals": _arrivals, "sizes": _sizes, "steps": _steps}


def _in_child(what: str, folder: Path, argument: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", what, str(folder), argument]
    single = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=single)
    if done.returncode:
        sys.exit(f"{what} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measured(what: str, folder: str, argument: str) -> dict[str, float]:
    work = {"make": _make, **PASSES}[what]
    started_s = time.process_time()
    rows = work(Path(folder), argument)
    return {
        "processor_s": time.process_time() - started_s,
        "rows": rows,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    sys.exit(main())
