"""Processor time and memory of mining many lines, part by part, in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from benchmarks.logs.made_lines import BLOCK, make_lines
from benchmarks.logs.systems import run_drain3
from prodintel_lib.analyses.log_templates import add_up_shapes, mine_templates
from prodintel_lib.engines import collect
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_KEYS, LOG_SHAPES_SCHEMA, count_log_shapes, mask_log_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SEED = 7


def measure_throughput(count: int, *, sample: int, drain3: Path | None, scorer: ModuleType) -> list[dict[str, Any]]:
    """Return a row for each mix and way: processor seconds, seconds a million lines, peak memory, GA."""
    rows = []
    for mix in ("few", "many"):
        with tempfile.TemporaryDirectory(prefix="prodintel-logs-") as name:
            folder = Path(name)
            _write_lines(folder, count, many=mix == "many")
            ours = _in_child(folder)
            rows.append({"mix": mix, "way": "prodintel", "lines": count, **ours})
            if drain3 is not None:
                lines = pl.read_parquet(min(folder.glob("*.parquet"))).head(sample)
                theirs = run_drain3(drain3, lines["message"].to_list(), masks=True)
                accuracy = scorer.grouping(lines["statement"].to_list(), theirs["labels"])
                figures = {key: theirs[key] for key in ("processor_s", "clock_s", "peak_mb")}
                rows.append(
                    {"mix": mix, "way": "Drain3, four masks", "lines": lines.height, **figures, "GA": accuracy["GA"]}
                )
    return rows


def show_throughput(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table of Markdown."""
    names = ("mix", "way", "lines", "masked lines", "patterns", "processor s", "s a million lines", "peak MB", "GA")
    table = [f"| {' | '.join(names)} |", "|---|---|" + "---:|" * (len(names) - 2)]
    for row in rows:
        a_million = row["processor_s"] / row["lines"] * 1e6
        found = [f"{row[name]:,}" if name in row else "" for name in ("shapes", "patterns")]
        figures = [f"{row['processor_s']:.1f}", f"{a_million:.2f}", f"{row['peak_mb']:,.0f}", f"{row['GA']:.3f}"]
        cells = [row["mix"], row["way"], f"{row['lines']:,}", *found, *figures]
        table.append(f"| {' | '.join(cells)} |")
    return "\n".join(table)


def _write_lines(folder: Path, count: int, *, many: bool) -> None:
    """Write a file for every block; what is made at once stays small."""
    for number, start in enumerate(range(0, count, BLOCK)):
        lines = make_lines(min(BLOCK, count - start), many=many, seed=SEED + number)
        lines.write_parquet(folder / f"{number:03}.parquet")


def _in_child(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.logs.throughput", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measured(folder: Path) -> dict[str, Any]:
    started_s, before_s = time.perf_counter(), _processor_s()
    rows: list[pl.DataFrame] = []

    def parts() -> Iterator[pl.DataFrame]:
        """Mask each file once, keep of every row only which shape it has, and give up the shapes."""
        for file in sorted(folder.glob("*.parquet")):
            masked = mask_log_lines(nw.from_native(pl.scan_parquet(file))).to_native().collect()
            rows.append(masked.select("statement", pl.col("shape").hash()))
            counted = count_log_shapes(nw.from_native(masked.lazy()))
            yield collect(counted, schema=LOG_SHAPES_SCHEMA, sort_by=LOG_SHAPES_KEYS)

    shapes = add_up_shapes(parts())
    templates = mine_templates(shapes)
    assigned = templates.assignments.with_columns(pl.col("shape").hash())
    counts = [
        part.join(assigned, on="shape", how="left").group_by("statement", "pattern_id").agg(pl.len().alias("rows"))
        for part in rows
    ]
    return {
        "processor_s": _processor_s() - before_s,
        "clock_s": time.perf_counter() - started_s,
        "peak_mb": _peak_mb(),
        "shapes": shapes.height,
        "patterns": templates.frame.height,
        "other_rows": templates.other_rows,
        "GA": _grouping_accuracy(pl.concat(counts)),
    }


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> float:
    # What getrusage calls the peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _grouping_accuracy(counts: pl.DataFrame) -> float:
    """Return what the scorer calls GA, from counts: lists of twenty million labels would be most of the memory."""
    joint = counts.group_by("statement", "pattern_id").agg(pl.col("rows").sum())
    own = pl.col("rows")
    exact = (own == own.sum().over("statement")) & (own == own.sum().over("pattern_id"))
    return float(joint.select(own.filter(exact).sum() / own.sum()).item())


if __name__ == "__main__":
    print(json.dumps(_measured(Path(sys.argv[1]))))
