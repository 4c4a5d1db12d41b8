"""Cost of the load rollups as rows grow, on each engine: processor seconds and peak memory over 1, 10, 100 million.

    python benchmarks/load/scale.py                                   # Polars, 1 and 10 million
    python benchmarks/load/scale.py --engines polars duckdb spark     # all three, and the same to the last digit
    python benchmarks/load/scale.py --millions 1 10 100               # an hour, and 1.3 GB of disk
    python benchmarks/load/scale.py --engines spark --how whole       # one plan over all rows, as on a cluster

Rows of `rum_events`, as a reader of access logs makes them, are written as Parquet under a temporary folder: thirty
days with a daily curve, a visitor for every twelve requests, 200 endpoints of unequal weight, a size in `attributes`.
Each figure is of a fresh process with one thread (pin it to a core: Spark takes as many as it may): seconds of the
processor, Spark's virtual machine included, from after the imports and the start of the engine to the result, and the
peak memory of the process and its virtual machine.

`parts` goes through the rows as gather_load and gather_steps do, some four million at a time (``steps``: so many
visitors that they have about as many), and collects what each part adds. `whole` is one plan over all rows whose result
the engine writes as Parquet: what a cluster would do. Results of the same rows are compared between engines and ways,
by a sum of hashes over their rows, and a difference ends the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.engines import Engine, collect, scan_parquet
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
    from collections.abc import Callable, Iterator, Sequence

DAYS = 30
DAY_S = 86_400
QUARTER_US = 900 * US_PER_S
START_US = parse_time("2025-11-01T00:00:00Z")
END_US = START_US + DAYS * DAY_S * US_PER_S
ENDPOINTS = 200
REQUESTS_A_VISITOR = 12
PART_ROWS = 1_000_000
ROWS_AT_ONCE = 4_000_000
BILLION = 1_000_000_000
SEED = 8
HOWS = ("parts", "whole")


@dataclass(frozen=True)
class Pass:
    """One rollup, and the columns it is told apart by; `added` says whether parts hold cells of each other."""

    build: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]
    schema: dict[str, pl.DataType]
    keys: Sequence[str]
    by_visitor: bool = False
    added: bool = False


PASSES = {
    "arrivals": Pass(build_arrivals, ARRIVALS_SCHEMA, ARRIVALS_KEYS),
    "sizes": Pass(build_payload_sizes, PAYLOAD_SIZES_SCHEMA, PAYLOAD_SIZES_KEYS, added=True),
    "steps": Pass(
        lambda requests: build_load_steps(requests, gap_min=30), LOAD_STEPS_SCHEMA, LOAD_STEPS_KEYS, by_visitor=True
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--engines", nargs="+", choices=get_args(Engine), default=["polars"])
    parser.add_argument("--how", nargs="+", choices=HOWS, default=["parts"])
    parser.add_argument("--passes", nargs="+", choices=list(PASSES), default=list(PASSES))
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measured(*options.measure)))
        return 0
    costs: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for millions in options.millions:
        folder = Path(tempfile.mkdtemp(prefix="prodintel-load-"))
        try:
            made = _in_child("make", folder, str(millions), "")
            size_mb = sum(path.stat().st_size for path in folder.glob("*.parquet")) / 1e6
            print(f"{millions:>4} M rows made in {made['processor_s']:.0f} s, {size_mb:,.0f} MB", flush=True)
            for name in options.passes:
                seen = set()
                for engine, how in ((engine, how) for engine in options.engines for how in options.how):
                    figure = _in_child(name, folder, engine, how)
                    seen.add((figure["rows"], figure["digest"]))
                    costs.setdefault((name, engine, how), []).append((millions, figure["processor_s"]))
                    _tell(millions, f"{name} {engine} {how}", figure)
                if len(seen) > 1:
                    sys.exit(f"{name}: the results differ (rows, sum of hashes): {sorted(seen)}")
        finally:
            shutil.rmtree(folder)
    for (name, engine, how), grown in costs.items():
        _conclude(f"{name} {engine} {how}", grown)
    return 0


def _tell(millions: int, what: str, figure: dict[str, float]) -> None:
    print(
        f"{millions:>4} M  {what:<22} processor {figure['processor_s']:8.2f} s  peak {figure['peak_mb']:7,.0f} MB  "
        f"rows {figure['rows']:>12,.0f}  digest {figure['digest']:020d}",
        flush=True,
    )


def _conclude(what: str, costs: list[tuple[int, float]]) -> None:
    for (few, less), (many, more) in pairwise(costs):
        print(f"{what}: {many / few:g} times the rows cost {more / less:.2f} times as much")
    millions, seconds = costs[-1]
    each = seconds / (millions * 1e6)
    minutes = each * BILLION / 60
    print(f"{what}: {each * 1e6:.2f} s a million rows at {millions} M; a billion at that rate {minutes:.0f} min")


def _make(folder: Path, millions: str) -> None:
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
        # The lake keeps a day's visitors of each bucket together.
        lain = conform(rows, RUM_EVENTS).sort("user_bucket", maintain_order=True)
        lain.write_parquet(folder / f"{part // PART_ROWS:04}.parquet", row_group_size=PART_ROWS // RUM_BUCKETS)


def _requests(events: nw.LazyFrame[Any], engine: str) -> nw.LazyFrame[Any]:
    return load_requests(scan_parquet([], schema=SPANS.schema, engine=engine), events, source="rum")


def _parts(folder: Path, engine: str, *, by_visitor: bool) -> Iterator[nw.LazyFrame[Any]]:
    """Yield the events of some four million rows at a time: of part of the visitors, or of part of the time."""
    paths = sorted(folder.glob("*.parquet"))
    count = max(1, -(-len(paths) * PART_ROWS // ROWS_AT_ONCE))
    if by_visitor:
        count = min(RUM_BUCKETS, count)
        for number in range(count):
            events = scan_parquet(paths, schema=RUM_EVENTS.schema, engine=engine)
            low, high = (RUM_BUCKETS * edge // count for edge in (number, number + 1))
            yield events.filter(nw.col("user_bucket") >= low, nw.col("user_bucket") < high)
        return
    firsts = [pl.scan_parquet(path).select(pl.col("time_us").min()).collect().item() for path in paths]
    per = ROWS_AT_ONCE // PART_ROWS
    inner = [first // QUARTER_US * QUARTER_US for first in firsts[per::per]]
    for begin, end in pairwise([START_US, *inner, END_US]):
        asked = [path for path, first, after in zip(paths, firsts, [*firsts[1:], END_US], strict=True)
                 if first < end and after >= begin]  # fmt: skip
        events = scan_parquet(asked, schema=RUM_EVENTS.schema, engine=engine)
        yield events.filter(nw.col("time_us") >= begin, nw.col("time_us") < end)


def _in_parts(folder: Path, engine: str, one: Pass) -> Iterator[pl.DataFrame]:
    """Yield results to count: of `steps` each part's, of the others what they come to together."""
    kept, total = [], RunningSum(one.keys)
    for events in _parts(folder, engine, by_visitor=one.by_visitor):
        frame = collect(one.build(_requests(events, engine)), schema=one.schema, sort_by=list(one.keys))
        if one.by_visitor:
            yield frame
        elif one.added:
            total.add(frame)
        else:
            kept.append(frame)
    if one.added:
        yield total.total()
    elif kept:
        yield pl.concat(kept)


def _as_whole(folder: Path, engine: str, one: Pass) -> Iterator[pl.DataFrame]:
    paths = sorted(folder.glob("*.parquet"))
    events = scan_parquet(paths, schema=RUM_EVENTS.schema, engine=engine)
    native = one.build(_requests(events, engine)).select(*one.schema).to_native()
    target = folder / f"result-{engine}"
    if engine == "spark":
        native.write.parquet(str(target))
    else:
        target.mkdir()
        (native.sink_parquet if engine == "polars" else native.write_parquet)(str(target / "0.parquet"))
    yield pl.DataFrame()
    # What follows is outside the clock.
    for path in sorted(target.glob("*.parquet")):
        yield collect(nw.from_native(pl.scan_parquet(path)), schema=one.schema, sort_by=[])
    shutil.rmtree(target)


def _in_child(what: str, folder: Path, engine: str, how: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", what, str(folder), engine, how]
    single = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=single)
    if done.returncode:
        sys.exit(f"{what} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measured(what: str, folder: str, engine: str, how: str) -> dict[str, float]:
    if what == "make":
        started_s = time.process_time()
        _make(Path(folder), engine)
        return {"processor_s": time.process_time() - started_s}
    collect(scan_parquet([], schema=SPANS.schema, engine=engine), schema=SPANS.schema, sort_by=[])
    machines = _virtual_machines()
    rows, digest, spent_s = 0, 0, 0.0
    found = (_in_parts if how == "parts" else _as_whole)(Path(folder), engine, PASSES[what])
    begun_s = _processor_s(machines)
    for number, frame in enumerate(found):
        if how == "parts" or number == 0:
            spent_s += _processor_s(machines) - begun_s
        if frame.width:
            rows += frame.height
            digest = (digest + int(frame.hash_rows(seed=SEED).sum() or 0)) % 2**64
        begun_s = _processor_s(machines)
    return {
        "processor_s": spent_s,
        "rows": rows,
        "digest": digest,
        "peak_mb": sum(_peak_mb(number) for number in (os.getpid(), *machines)),
    }


def _virtual_machines() -> list[int]:
    """Return the processes of Java that this process started."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "java"]


def _processor_s(machines: list[int]) -> float:
    ticks = 0
    for number in machines:
        # The name of the program, in parentheses, may hold blanks; user and system time are the 14th and 15th field.
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _peak_mb(number: int) -> float:
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
