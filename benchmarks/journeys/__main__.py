"""CPU time and memory of sessions, journeys and drop-offs: `python -m benchmarks.journeys --events 10000000`.

Events are made, seeded, in a temporary folder (or in `--keep`). Then, each in a fresh process:

- `library`: sessions, steps, journeys and the graph of pages, bucket by bucket, as `prodintel journeys` makes them
- `by_hand`: the same from the same files with DuckDB, in by_hand.py; the results are asserted to be equal
- `analysis`: all of `analyse_journeys`: drop-offs with reasons, returns, exemplars
- `pm4py`: with `--pm4py PYTHON`, an interpreter that has it (it is AGPL: never a dependency): variants and the
  directly-follows graph of the same steps, read from a Parquet file, against `library steps` from the same file; equal

Seconds are those of the processor, user and system, from after the imports to the result; memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from benchmarks.journeys import by_hand, made_events
from prodintel_lib.analyses.journeys import analyse_journeys
from prodintel_lib.analyses.journeys.flow import GRAPH_KEYS, tally_graph
from prodintel_lib.analyses.journeys.passes import Part, add_up, open_passes
from prodintel_lib.analyses.journeys.variants import VARIANT_KEYS, paths_of, tally_variants
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
        figures = {what: _in_child(what, folder, out) for what in options.what}
        if {"library", "by_hand"} <= set(options.what):
            _assert_equal(out / "library", out / "by_hand")
            ratio = figures["library"]["processor_s"] / figures["by_hand"]["processor_s"]
            print(f"library / by hand: {ratio:.2f} of the processor's time (aim: at most 1); results are equal")
        if options.pm4py:
            _against_pm4py(options.pm4py, folder, out)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--what", nargs="*", choices=CHOICES, default=CHOICES)
    parser.add_argument("--keep", type=Path, help="make the events here, or use those that are here")
    parser.add_argument("--pm4py", type=Path, help="a Python that has pm4py and polars")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


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
        "peak_mb": after.ru_maxrss / 1024,
    }
    (out / what).mkdir(exist_ok=True)
    for name, frame in results.items():
        frame.write_parquet(out / what / f"{name}.parquet")
    return figures


def _library(folder: Path) -> dict[str, pl.DataFrame]:
    passes = _passes(folder)
    totals, ends, variants, graphs = [], [], [], []
    for part in passes.parts():
        sessions, steps = part.sessions, part.steps
        last = pl.col("next_route").is_null()
        stayed_us = steps.select((pl.col("dwell_s") * 1e6).filter(~last).round().cast(pl.Int64).sum().alias("dwell_us"))
        summed = sessions.select(
            pl.len().cast(pl.Int64).alias("sessions"),
            pl.col("views", "steps").sum(),
            (pl.col("end_us") - pl.col("start_us")).sum().alias("us"),
            pl.col("converted").sum().cast(pl.Int64),
        )
        of_steps = steps.select(
            pl.col("errors", "failed_requests", "rage_clicks").sum(),
            pl.col("is_return").sum().cast(pl.Int64).alias("returns"),
            (pl.col("lcp_ms") > 4000).sum().cast(pl.Int64).alias("poor_lcp"),
            (pl.col("error_after_s") * 1e6).round().cast(pl.Int64).sum().alias("error_after_us"),
        )
        totals.append(pl.concat([summed, stayed_us, of_steps], how="horizontal"))
        ends.append(sessions.group_by(*ENDS).agg(pl.len().cast(pl.Int64).alias("sessions")))
        variants.append(tally_variants(part))
        graphs.append(tally_graph(part))
    counts = pl.concat(variants).group_by(*VARIANT_KEYS).agg(pl.col("sessions", "converted").sum())
    return {
        "totals": pl.concat(totals).sum(),
        "ends": add_up(ends, by=ENDS),
        "variants": counts.sort(*VARIANT_KEYS),
        "graph": add_up(graphs, by=GRAPH_KEYS),
    }


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
    """Variants and graph of a log of steps: what pm4py is given, in the library's functions."""
    log = pl.read_parquet(folder / "log.parquet").sort("session_no", "start_us")
    number = pl.col("session_no")
    steps = log.with_columns(
        pl.when(number == number.shift(-1)).then(pl.col("route").shift(-1)).alias("next_route"),
        (
            pl.int_range(pl.len())
            - pl.when(number != number.shift(1)).then(pl.int_range(pl.len())).forward_fill().fill_null(0)
            + 1
        ).alias("step_no"),
    )
    # Neither durations nor conversions are asked for here, but a session has them.
    took_s = ((pl.col("start_us").max() - pl.col("start_us").min()) / 1e6).alias("duration_s")
    sessions = log.group_by("session_no", maintain_order=True).agg(pl.len().cast(pl.Int64).alias("steps"), took_s)
    sessions = sessions.with_columns(pl.lit(None, dtype=pl.Boolean).alias("converted"))
    part = Part(sessions, steps)
    variants = paths_of(part).group_by(*VARIANT_KEYS).agg(pl.len().cast(pl.Int64).alias("sessions"))
    graph = tally_graph(part).select("from_route", "to_route", "transitions")
    return {"variants": variants.sort(*VARIANT_KEYS), "graph": graph.sort(*GRAPH_KEYS)}


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
        keys = [name for name, dtype in frame.schema.items() if dtype == pl.String] or frame.columns
        assert frame.height > 0
        assert frame.sort(keys).equals(other.sort(keys)), f"{file.name} differs"


def _against_pm4py(python: Path, folder: Path, out: Path) -> None:
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
    log.sample(fraction=1.0, shuffle=True, seed=SEED).write_parquet(out / "log.parquet")
    mine = _in_child("library_steps", out, out)
    script = Path(__file__).with_name("with_pm4py.py")
    done = subprocess.run(
        [str(python), str(script), str(out)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        sys.exit(f"pm4py failed with {done.returncode}:\n{done.stderr[-3000:]}")
    theirs = json.loads(done.stdout.splitlines()[-1])
    _tell("pm4py", theirs)
    _assert_equal(out / "library_steps", out / "pm4py")
    ratio = theirs["processor_s"] / mine["processor_s"]
    print(f"pm4py / library on {log.height:,} steps: {ratio:.1f} (aim: at least 5); results are equal")


if __name__ == "__main__":
    sys.exit(main())
