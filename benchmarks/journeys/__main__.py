"""CPU time and memory of sessions, journeys and drop-offs: `python -m benchmarks.journeys --events 10000000`.

Events are made, seeded, in a temporary folder (or in `--keep`). Then, each in a fresh process:

- `library`: sessions, steps, journeys and the graph of pages, bucket by bucket, as `prodintel journeys` makes them
- `by_hand`: the same from the same files with DuckDB, in by_hand.py; the results are asserted to be equal
- `analysis`: all of `analyse_journeys`: drop-offs with reasons, returns, exemplars
- `pm4py`: with `--pm4py PYTHON`, an interpreter that has it (it is AGPL: never a dependency): variants and the
  directly-follows graph of the same million steps, by way of pandas and of Polars, against `library steps`. Each reads
  the rows, in no order, from a Parquet file with the types it wants: pm4py text for a case and a timestamp, the library
  a number for a session and microseconds. The results are asserted to be equal

`--times` measures each in turn, so many times over; what is compared is the median. Seconds are those of the processor,
user and system, from after the imports to the result; memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from benchmarks.journeys import by_hand, made_events
from benchmarks.journeys.peak import peak_mb
from prodintel_lib.analyses.journeys import analyse_journeys
from prodintel_lib.analyses.journeys.flow import GRAPH_KEYS, tally_graph
from prodintel_lib.analyses.journeys.passes import Part, open_passes
from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.journeys.variants import VARIANT_KEYS, VariantCounts, digests_of, routes_of, with_paths
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 7
CHOICES = ["library", "by_hand", "analysis"]
PM4PY_STEPS = 1_000_000
ENDS = ("entry_route", "exit_route", "device_type", "browser_name")


def main() -> int:
    options = _options()
    if options.measure:
        what, folder, out = options.measure
        print(json.dumps(_measured(what, Path(folder), Path(out))))
        return 0
    with tempfile.TemporaryDirectory(prefix="prodintel-journeys-") as temporary:
        folder = Path(options.keep or temporary, f"events-{options.events}")
        if not folder.is_dir():
            print(f"making {options.events:,} events ...", flush=True)
            made_events.make_workspace(folder, events=options.events, seed=SEED)
        out = Path(temporary)
        figures = _medians(
            {what: partial(_in_child, what, folder, out) for what in options.what}, times=options.times
        )  # fmt: skip
        if {"library", "by_hand"} <= set(options.what):
            _assert_equal(out / "library", out / "by_hand")
            ratio = figures["library"]["processor_s"] / figures["by_hand"]["processor_s"]
            print(f"library / by hand: {ratio:.2f} of the processor's time (aim: at most 1); results are equal")
        if options.pm4py:
            _against_pm4py(options.pm4py, folder, out, times=options.times)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--what", nargs="*", choices=CHOICES, default=CHOICES)
    parser.add_argument("--times", type=int, default=1, help="measure each so often, in turn")
    parser.add_argument("--keep", type=Path, help="make the events here, or use those that are here")
    parser.add_argument("--pm4py", type=Path, help="a Python that has pm4py and polars")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _medians(work: dict[str, Callable[[], dict[str, float]]], *, times: int) -> dict[str, dict[str, float]]:
    rounds = [{what: measure() for what, measure in work.items()} for _ in range(times)]
    return {
        what: {name: statistics.median(one[what][name] for one in rounds) for name in rounds[0][what]} for what in work
    }


def _in_child(what: str, folder: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.journeys", "--measure", what, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{what} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    _tell(what, figures)
    return figures


def _tell(what: str, figures: dict[str, float]) -> None:
    print(
        f"{what:<14} processor {figures['processor_s']:7.1f} s  clock {figures['clock_s']:7.1f} s  "
        f"peak {figures['peak_mb']:6,.0f} MB",
        flush=True,
    )


def _measured(what: str, folder: Path, out: Path) -> dict[str, float]:
    started_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    results = WORK[what](folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "clock_s": time.perf_counter() - started_s,
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": peak_mb(),
    }
    (out / what).mkdir(exist_ok=True)
    for name, frame in results.items():
        frame.write_parquet(out / what / f"{name}.parquet")
    return figures


def _library(folder: Path) -> dict[str, pl.DataFrame]:
    passes = _passes(folder)
    totals, ends, graph, variants = RunningSum(()), RunningSum(ENDS), RunningSum(GRAPH_KEYS), VariantCounts()
    for which in passes.slices:
        part = passes.part(which)
        totals.add(_totals(part))
        ends.add(part.sessions.group_by(*ENDS).agg(pl.len().cast(pl.Int64).alias("sessions")))
        graph.add(tally_graph(part))
        variants.add(part)
        del part
    journeys = with_paths(variants.journeys()).select(*VARIANT_KEYS, "sessions", "converted")
    return {"totals": totals.total(), "ends": ends.total(), "variants": journeys, "graph": graph.total()}


def _totals(part: Part) -> pl.DataFrame:
    last = pl.col("next_route").is_null()
    summed = part.sessions.select(
        pl.len().cast(pl.Int64).alias("sessions"),
        pl.col("views", "steps").sum(),
        (pl.col("end_us") - pl.col("start_us")).sum().alias("us"),
        pl.col("converted").sum().cast(pl.Int64),
    )
    of_steps = part.steps.select(
        (pl.col("dwell_s") * 1e6).filter(~last).round().cast(pl.Int64).sum().alias("dwell_us"),
        pl.col("errors", "failed_requests", "rage_clicks").sum(),
        pl.col("is_return").sum().cast(pl.Int64).alias("returns"),
        (pl.col("lcp_ms") > 4000).sum().cast(pl.Int64).alias("poor_lcp"),
        (pl.col("error_after_s") * 1e6).round().cast(pl.Int64).sum().alias("error_after_us"),
    )
    return pl.concat([summed, of_steps], how="horizontal")


def _passes(folder: Path):  # noqa: ANN202 - a benchmark
    view = open_view(open_workspace(folder))
    return open_passes(view, window=made_events.WINDOW, conversions=[made_events.CONVERSION], gap_min=30.0)


def _by_hand(folder: Path) -> dict[str, pl.DataFrame]:
    # The routes are learned by the library in either case; that costs under a second and is left out here.
    lake = open_workspace(folder).lake
    files = [lake.folder / file.relative_path for file in lake.manifest().files("rum_events")]
    return by_hand.run(files, _routes_file(folder))


def _routes_file(folder: Path) -> Path:
    file = folder / "routes.parquet"
    if not file.is_file():
        _passes(folder).routes.write_parquet(file)
    return file


def _analysis(folder: Path) -> dict[str, pl.DataFrame]:
    findings = analyse_journeys(
        open_view(open_workspace(folder)), window=made_events.WINDOW, conversions=[made_events.CONVERSION]
    )
    return {"journeys": findings.journeys.frame}


def _library_steps(folder: Path) -> dict[str, pl.DataFrame]:
    """Variants and graph of a log of steps: what pm4py is given and asked for, in the library's functions."""
    log = pl.read_parquet(folder / "log.parquet")
    # Session and time fit into one number, and one number is sorted in half the time that two are.
    start_us = pl.col("start_us") - pl.col("start_us").min()
    key = pl.col("session_no") * (pl.col("start_us").max() - pl.col("start_us").min() + 1) + start_us
    number = pl.col("session_no")
    rows = pl.int_range(pl.len())
    steps = (
        log.with_columns(key.alias("key"))
        .sort("key")
        .select(
            "session_no",
            "route",
            pl.when(number == number.shift(-1)).then(pl.col("route").shift(-1)).alias("next_route"),
            (rows - pl.when(number != number.shift(1, fill_value=-1)).then(rows).forward_fill() + 1).alias("step_no"),
        )
    )
    runs = steps.select(number.rle()).unnest("session_no")
    part = Part(runs.select(pl.col("value").alias("session_no"), pl.col("len").cast(pl.Int64).alias("steps")), steps)
    counts = (
        digests_of(part)
        .group_by("digest")
        .agg(pl.col("session_no", "steps").first(), pl.len().cast(pl.Int64).alias("sessions"))
    )
    journeys = with_paths(counts.join(routes_of(part, counts["session_no"]), on="session_no", how="inner"))
    return {
        "variants": journeys.select(*VARIANT_KEYS, "sessions"),
        "graph": tally_graph(part).select(*GRAPH_KEYS, "transitions"),
    }


WORK: dict[str, Callable[[Path], dict[str, pl.DataFrame]]] = {
    "library": _library,
    "by_hand": _by_hand,
    "analysis": _analysis,
    "library_steps": _library_steps,
}


def _assert_equal(mine: Path, theirs: Path) -> None:
    for file in sorted(mine.glob("*.parquet")):
        frame = pl.read_parquet(file)
        other = pl.read_parquet(theirs / file.name).cast(dict(frame.schema)).select(frame.columns)
        assert frame.height > 0
        assert frame.sort(frame.columns).equals(other.sort(frame.columns)), f"{file.name} differs"


def _against_pm4py(python: Path, folder: Path, out: Path, *, times: int) -> None:
    """Give both the first million steps, of sessions of at most twelve (pm4py knows no cut)."""
    frames, rows, base = [], 0, 0
    passes = _passes(folder)
    for part in passes.parts():
        short = part.sessions.filter(pl.col("steps").is_between(1, 12)).select("session_no")
        kept = part.steps.join(short, on="session_no", how="semi").select(
            pl.col("session_no") + base, "route", "start_us"
        )
        frames.append(kept)
        rows, base = rows + kept.height, base + part.sessions.height
        if rows >= PM4PY_STEPS:
            break
    log = pl.concat(frames).head(PM4PY_STEPS)
    # A session that the cut went through is left out, and the others are numbered without a hole.
    log = log.filter(pl.col("session_no") < log["session_no"].max()).with_columns(
        pl.col("session_no").rank("dense").cast(pl.Int64) - 1
    )
    log = log.sample(fraction=1.0, shuffle=True, seed=SEED)
    log.write_parquet(out / "log.parquet")
    log.select(
        pl.col("session_no").cast(pl.String).alias("case"),
        "route",
        pl.from_epoch("start_us", time_unit="us").dt.replace_time_zone("UTC").alias("time"),
    ).write_parquet(out / "log_of_pm4py.parquet")
    work = {f"pm4py {way}": partial(_pm4py, python, way, out) for way in ("pandas", "polars")}
    figures = _medians({"library_steps": partial(_in_child, "library_steps", out, out), **work}, times=times)
    for what in work:
        ratio = figures[what]["processor_s"] / figures["library_steps"]["processor_s"]
        print(f"{what} / library on {log.height:,} steps: {ratio:.1f} (aim: at least 5); results are equal")


def _pm4py(python: Path, way: str, out: Path) -> dict[str, float]:
    command = [str(python), str(Path(__file__).with_name("with_pm4py.py")), way, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"pm4py failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    _tell(f"pm4py {way}", figures)
    _assert_equal(out / "library_steps", out / "pm4py")
    return figures


if __name__ == "__main__":
    sys.exit(main())
