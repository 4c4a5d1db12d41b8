"""Time and memory of an incident's analysis on a million spans, and with ten million in the lake.

    python benchmarks/scale.py                          # three rounds of each, about five minutes
    python benchmarks/scale.py --spans 200000 --rounds 1

Two lakes are made, seeded, under a temporary folder: `--spans` spans around the incident and nothing else; and the same
among ten times as many, most on other days, some on the same day outside the time that is looked at. Measured, each in
a fresh process and in turn, is `replay_incident` (what the notebook calls: gather, analyse, build scenarios) against
reading the same columns of the same rows from the same files with Polars and nothing else. Seconds are from after the
imports to the result, by the clock and of the processor (on a machine that others use, go by the latter); memory is the
process's peak. Figures are least / median / most of the rounds.
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.incident_replay import replay_incident
from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import METRICS, SPANS
from prodintel_lib.windows import US_PER_S, Window, parse_time
from prodintel_lib.workspace import Workspace, open_workspace

sys.path.insert(0, str(Path(__file__).parent))
import made_shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.lake import StoredFile

AIM_RATIO = 10.0
AIM_PEAK_MB = 1536
AIM_GROWTH = 1.1
SEED = 20251121
INCIDENT = "INC-1"
ONSET_US = parse_time("2025-11-20T14:00:00Z")
ENDED_US = parse_time("2025-11-20T14:30:00Z")
# What the replay looks at: an hour before to half an hour after.
LOOKED_AT = Window(ONSET_US - 3600 * US_PER_S, ENDED_US + 1800 * US_PER_S)
US_PER_DAY = 86_400 * US_PER_S
CONFIG = "name: made\nsources:\n  - path: incidents.csv\n  - path: spans.ndjson\n"
# The columns of spans that the passes over them read.
COLUMNS = (
    "time_us", "duration_ms", "trace_id", "span_id", "parent_span_id", "span_name", "span_kind", "status_code",
    "status_message", "service_name", "service_version", "http_request_method", "http_route", "url_path", "url_query",
    "http_response_status_code", "error_type", "exception_message", "session_id", "user_id", "user_agent_original",
    "server_address", "server_port", "peer_service", "db_system_name", "attributes",
)  # fmt: skip


def main() -> int:
    options = _options()
    if options.measure:
        print(json.dumps(_measured(*options.measure)))
        return 0
    with tempfile.TemporaryDirectory(prefix="prodintel-scale-") as folder:
        lakes = {"alone": Path(folder, "alone"), "among ten times as many": Path(folder, "among")}
        for name, path in lakes.items():
            _tell(f"making the lake with the incident's {options.spans:,} spans {name} (about a minute a million)")
            # In a process of its own: what this one has used would count as its children's.
            _in_child("make", path, options.spans, 0 if name == "alone" else 9 * options.spans)
        figures: dict[tuple[str, str], list[dict[str, float]]] = {}
        _tell(f"measuring: {options.rounds} rounds of four processes each")
        for number in range(options.rounds):
            for name, path in lakes.items():
                for what in ("scan", "analysis"):
                    figure = _in_child(what, path)
                    figures.setdefault((name, what), []).append(figure)
                    print(
                        f"round {number + 1}  {name:<24} {what:<9} {figure['clock_s']:7.2f} s  "
                        f"processor {figure['processor_s']:7.2f} s  "
                        f"peak {figure['peak_mb']:6,.0f} MB  rows {figure['rows']:,.0f}",
                        flush=True,
                    )
    _conclude(figures, list(lakes))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans in the time the analysis looks at")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what} ...", flush=True)


def _make_workspace(root: Path, spans: int, others: int) -> int:
    """Write a lake through the library's own writer.

    Its spans stand in the manifest as those of a small file that is really there, so that the replay finds the lake up
    to date. (benchmarks/ingest.py measures how spans get in.)
    """
    root.mkdir()
    (root / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
    (root / "incidents.csv").write_text(
        "id,title,started,resolved,service\n"
        f"{INCIDENT},Orders fail,2025-11-20T14:00:00Z,2025-11-20T14:30:00Z,gateway\n",
        encoding="utf-8",
    )
    (root / "spans.ndjson").write_text('{"note": "stands for the spans of the lake"}\n', encoding="utf-8")
    workspace = open_workspace(root)
    ingest(workspace)
    lake = workspace.lake
    files = _write_spans(workspace, spans, LOOKED_AT, seed=SEED, bad_from_us=ONSET_US)
    metrics = made_shop.make_metrics(start_us=LOOKED_AT.start_us, end_us=LOOKED_AT.end_us, seed=SEED)
    files += lake.write(METRICS, metrics)
    if others:
        # A tenth of them on the incident's own day, before and after what is looked at.
        midnight_us = ONSET_US // US_PER_DAY * US_PER_DAY
        files += _write_spans(workspace, others // 18, Window(midnight_us, LOOKED_AT.start_us), seed=SEED + 1)
        files += _write_spans(
            workspace, others // 18, Window(LOOKED_AT.end_us, midnight_us + US_PER_DAY), seed=SEED + 2
        )
        for day in range(1, 9):
            start_us = midnight_us - day * US_PER_DAY
            files += _write_spans(workspace, others // 9, Window(start_us, start_us + US_PER_DAY), seed=SEED + 2 + day)
    manifest = lake.manifest()
    entry = replace(manifest.sources["spans.ndjson"], files=tuple(files))
    lake.publish(Manifest(manifest.readers, {**manifest.sources, "spans.ndjson": entry}))
    return sum(file.rows for file in files)


def _write_spans(
    workspace: Workspace, count: int, window: Window, *, seed: int, bad_from_us: int | None = None
) -> list[StoredFile]:
    made = made_shop.make_spans(
        count=count, start_us=window.start_us, end_us=window.end_us, seed=seed, bad_from_us=bad_from_us
    )
    return [file for frame in made for file in workspace.lake.write(SPANS, frame)]


def _in_child(what: str, root: Path, *numbers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", what, str(root), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{what} on {root} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measured(what: str, root: str, *numbers: str) -> dict[str, float]:
    work: Callable[..., int] = {"make": _make_workspace, "scan": _scan, "analysis": _analyse}[what]
    started_s, started_processor_s = time.perf_counter(), time.process_time()
    rows = work(Path(root), *map(int, numbers))
    return {
        "clock_s": time.perf_counter() - started_s,
        "processor_s": time.process_time() - started_processor_s,
        "rows": rows,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _scan(root: Path) -> int:
    """Read the columns and rows that the analysis needs from the files that hold some, and do nothing with them."""
    lake = open_workspace(root).lake
    paths = [lake.folder / file.relative_path for file in lake.manifest().files("spans") if file.day == "2025-11-20"]
    inside = pl.col("time_us").is_between(LOOKED_AT.start_us, LOOKED_AT.end_us, closed="left")
    frame = pl.scan_parquet(paths, glob=False, hive_partitioning=False).filter(inside).select(COLUMNS).collect()
    return frame.height


def _analyse(root: Path) -> int:
    replay = replay_incident(root, INCIDENT)
    assert replay.scenarios.suite is not None, replay.scenarios.reason
    return replay.findings.requests.height


def _conclude(figures: dict[tuple[str, str], list[dict[str, float]]], lakes: list[str]) -> None:
    print()
    for name in lakes:
        scans, analyses = figures[name, "scan"], figures[name, "analysis"]
        for kind in ("clock_s", "processor_s"):
            ratios = [mine[kind] / scan[kind] for mine, scan in zip(analyses, scans, strict=True)]
            print(f"{name}: analysis / scan by {kind[:-2]} {_spread(ratios)} (aim: at most {AIM_RATIO:.0f})")
        print(f"{name}: peak of the analysis {_spread([each['peak_mb'] for each in analyses], 0)} MB "
              f"(aim: at most {AIM_PEAK_MB:,})")  # fmt: skip
    for kind in ("clock_s", "processor_s"):
        first, second = ([each[kind] for each in figures[name, "analysis"]] for name in lakes)
        growth = [mine / other for mine, other in zip(second, first, strict=True)]
        print(f"{lakes[1]} / {lakes[0]} by {kind[:-2]}: {_spread(growth)} (aim: at most {AIM_GROWTH})")


def _spread(values: list[float], digits: int = 2) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    sys.exit(main())
