"""How fast telemetry gets in, against merely reading the same file, and how much memory a large file takes.

    python benchmarks/ingest.py                         # 300,000 spans and log lines, two million for memory
    python benchmarks/ingest.py --rows 100000 --large 0

Files are made, seeded, under a temporary folder. Each is read in turn by the reader on one thread and by what costs
least: `orjson.loads` of each line or document, or Polars' own scan of all columns. "read" is the reader alone, "ingest"
the whole way into the lake: digest of the content, duplicates, sorting by day, Parquet, manifest. Times are those of
the processor, since others may use the machine; figures are least / median / most of the rounds.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"

import argparse
import gzip
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import polars as pl

from prodintel_lib.sources.ingest import ingest, read_source
from prodintel_lib.windows import US_PER_S, parse_time
from prodintel_lib.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).parent))
import made_exports
import made_shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20251121
START_US = parse_time("2025-11-20T13:00:00Z")
SPANS_PER_S = 140
COPIES = 10
_TRACE_ID = re.compile(rb'("traceId":")..')
CONFIG = "name: made\nsources:\n  - path: {file}\n"
MAPPED = f"{CONFIG}    table: spans\n    columns:\n" + "".join(
    f"      {column}: '{expression}'\n" for column, expression in made_exports.MAPPING.items()
)


def main() -> int:
    options = _options()
    if options.large_workspace:
        ingest(open_workspace(options.large_workspace))
        print(_peak_mb())
        return 0
    cases: dict[str, tuple[Callable[[Path, Iterator[pl.DataFrame]], int], Callable[[Path], object], str]] = {
        "OTLP lines": (made_exports.write_otlp, _parse_lines, CONFIG),
        "OTLP lines, gzip": (made_exports.write_otlp_gzip, _parse_gzip_lines, CONFIG),
        "Jaeger": (made_exports.write_jaeger, _parse_lines, CONFIG),
        "mapped Parquet": (made_exports.write_parquet, _scan, MAPPED),
        "OTLP log lines": (made_exports.write_logs, _parse_lines, CONFIG),
    }
    for name, (write, bare, config) in cases.items() if options.rows else ():
        _tell(f"{name}: making {options.rows:,} rows, then {options.rounds} rounds (about half a minute)")
        with tempfile.TemporaryDirectory(prefix="prodintel-ingest-") as folder:
            file = Path(folder, "export")
            rows = write(file, _spans(options.rows))
            (file.parent / "prodintel.yaml").write_text(config.format(file=file.name), encoding="utf-8")
            _compare(name, file, rows, bare, options.rounds)
    for count in (options.large // 10, options.large) if options.large else ():
        _tell(f"memory: making {count:,} spans as OTLP lines and taking them in (about a minute a million)")
        _measure_memory(count)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000, help="rows of each file whose reading is timed; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=2_000_000, help="spans of the file for memory; 0 leaves it out")
    parser.add_argument("--large-workspace", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what} ...", flush=True)


def _spans(count: int) -> Iterator[pl.DataFrame]:
    return made_shop.make_spans(
        count=count,
        start_us=START_US,
        end_us=START_US + count // SPANS_PER_S * US_PER_S,
        seed=SEED,
        bad_from_us=START_US,
    )


def _compare(name: str, file: Path, rows: int, bare: Callable[[Path], object], rounds: int) -> None:
    workspace = open_workspace(file.parent)
    (source,) = workspace.source_files()
    seconds: dict[str, list[float]] = {"bare": [], "read": [], "ingest": []}
    for _ in range(rounds):
        seconds["bare"].append(_processor_s(lambda: bare(file)))
        seconds["read"].append(_processor_s(lambda: _require(read_source(source)[1].kept, rows)))
        shutil.rmtree(workspace.lake.folder, ignore_errors=True)
        seconds["ingest"].append(_processor_s(lambda: _require(ingest(workspace).kept, rows)))
    for what in ("read", "ingest"):
        rates = [rows / each_s for each_s in seconds[what]]
        ratios = [mine_s / bare_s for mine_s, bare_s in zip(seconds[what], seconds["bare"], strict=True)]
        print(
            f"{name:<18} {what:<7} {_spread(rates, 0):>30} rows/s   {_spread(ratios, 1):>20} times the bare read "
            f"of {file.stat().st_size / 1e6:,.0f} MB",
            flush=True,
        )


def _require(kept: dict[str, int], rows: int) -> None:
    if sum(kept.values()) != rows:
        sys.exit(f"{rows:,} rows were written and {kept} kept: the benchmark measures something else than it says.")


def _processor_s(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def _parse_lines(file: Path) -> None:
    with file.open("rb") as lines:
        for line in lines:
            orjson.loads(line)


def _parse_gzip_lines(file: Path) -> None:
    with gzip.open(file, "rb") as lines:
        for line in lines:
            orjson.loads(line)


def _scan(file: Path) -> pl.DataFrame:
    return pl.scan_parquet(file).collect()


def _peak_mb() -> int:
    """Return this process's peak; Linux tells it apart from that of the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _write_large(file: Path, count: int) -> int:
    """Write a tenth of the spans ten times, each time in other traces."""
    once = file.with_name("once")
    rows = made_exports.write_otlp(once, _spans(count // COPIES))
    with file.open("wb") as large:
        for copy in range(COPIES):
            mark = b"\\g<1>%02x" % copy
            with once.open("rb") as lines:
                large.writelines(_TRACE_ID.sub(mark, line) for line in lines)
    once.unlink()
    return rows * COPIES


def _measure_memory(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="prodintel-ingest-") as folder:
        root = Path(folder)
        (root / "prodintel.yaml").write_text(CONFIG.format(file="export"), encoding="utf-8")
        rows = _write_large(root / "export", count)
        command = [sys.executable, __file__, "--large-workspace", str(root)]
        started_s = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            sys.exit(f"the ingest of {rows:,} spans failed with {done.returncode}:\n{done.stderr[-3000:]}")
        kept = open_workspace(root).lake.manifest().sources["export"].kept
        _require(kept, rows)
        print(
            f"OTLP lines, {rows:,} spans, {(root / 'export').stat().st_size / 1e6:,.0f} MB: peak memory "
            f"{int(done.stdout):,} MB, {time.perf_counter() - started_s:.0f} s",
            flush=True,
        )


def _spread(values: list[float], digits: int) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    sys.exit(main())
