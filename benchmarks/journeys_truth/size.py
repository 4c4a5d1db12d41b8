"""The time from a lake of 847,392 sessions to the results, and the memory it takes.

    python -m benchmarks.journeys_truth.size                       # makes the workspace, three rounds
    python -m benchmarks.journeys_truth.size --workspace DIR       # uses, or makes and keeps, that one
    python -m benchmarks.journeys_truth.size --sessions 60000 --rounds 1

The workspace is generated (`prodintel demo rum`), its lake written straight from its columns. Each round is a fresh
process that opens the lake, finds the journeys and the reasons of drop-off, and vitals, front-end errors and features
on the same way through it: what the notebook `rum_journeys` calls, without its tests and its drawing. Seconds are by
the clock and of the processor, after the imports; memory is the process's peak. Figures are least / median / most of
the rounds.
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
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.journeys_truth.lake import write_lake
from demo.rum.plan import US_PER_DAY, Plan
from demo.rum.workspace import generate
from prodintel_lib.analyses.experience import measure_experience, watch_experience
from prodintel_lib.analyses.journeys import analyse_journeys
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

SESSIONS: Final = 847_392
DAYS: Final = 7
SEED: Final = 1
AIM_S: Final = 30.0
AIM_PEAK_MB: Final = 1536


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workspace", type=Path, help="default: a temporary one")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    plan = Plan(options.sessions, DAYS, SEED)
    if options.measure:
        sys.stdout.write(json.dumps(_measured(options.measure, plan)) + "\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="prodintel-size-") as folder:
        root = options.workspace or Path(folder, "shop")
        _make(plan, root)
        rounds = [_in_child(root, options.sessions) for _ in range(options.rounds)]
    _conclude(rounds)
    return 0


def _make(plan: Plan, root: Path) -> None:
    if (root / "prodintel.yaml").exists():
        said = open_workspace(root).config.generated_by
        assert said == plan.command, f"{root} was made by `{said}`, not by `{plan.command}`"
    else:
        started_s = time.perf_counter()
        generate(plan, root)
        sys.stdout.write(f"generated in {time.perf_counter() - started_s:.1f} s\n")
    if not (root / "lake").exists():
        started_s = time.perf_counter()
        write_lake(root)
        sys.stdout.write(f"written to the lake in {time.perf_counter() - started_s:.1f} s\n")


def _in_child(root: Path, sessions: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.journeys_truth.size", "--measure", str(root)]
    done = subprocess.run(
        [*command, "--sessions", str(sessions)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        sys.exit(f"measuring {root} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    shown = "  ".join(f"{name} {figure:,.1f}" for name, figure in figures.items())
    sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()
    return figures


def _measured(root: Path, plan: Plan) -> dict[str, float]:
    window = Window(plan.start_us, plan.start_us + (plan.days + 1) * US_PER_DAY)
    started_s, started_processor_s = time.perf_counter(), time.process_time()
    workspace = open_workspace(root)
    view, config = open_view(workspace), workspace.config.journeys
    conversions, gap_min = config.conversions, config.session_gap_min
    passes = open_passes(view, window=window, conversions=conversions, gap_min=gap_min)
    opened_s = time.perf_counter() - started_s
    tallies = watch_experience(passes)
    journeys = analyse_journeys(view, window=window, conversions=conversions, gap_min=gap_min, passes=passes)
    read_s = time.perf_counter() - started_s
    experience = measure_experience(
        view, window=window, conversions=conversions, gap_min=gap_min, passes=passes, tallies=tallies
    )
    assert journeys.counts.sessions >= plan.sessions
    assert experience.errors.sessions >= plan.sessions
    return {
        "clock_s": time.perf_counter() - started_s,
        "of which opening_s": opened_s,
        "of which reading_s": read_s - opened_s,
        "processor_s": time.process_time() - started_processor_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sessions": journeys.counts.sessions,
        "page views": journeys.counts.views,
        "events": journeys.counts.events,
    }


def _conclude(rounds: list[dict[str, float]]) -> None:
    aims = {
        "clock_s": AIM_S,
        "of which opening_s": None,
        "of which reading_s": None,
        "processor_s": None,
        "peak_mb": AIM_PEAK_MB,
    }
    for name, aim in aims.items():
        values = [each[name] for each in rounds]
        spread = f"{min(values):,.1f} / {statistics.median(values):,.1f} / {max(values):,.1f}"
        sys.stdout.write(f"{name:20} {spread}{f'  (aim: at most {aim:,.0f})' if aim else ''}\n")


if __name__ == "__main__":
    sys.exit(main())
