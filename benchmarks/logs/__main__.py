"""Templates of log lines: `python -m benchmarks.logs ../shared/data [--lines 5000000] [--drain3 PYTHON]`.

- grouping and template accuracy on the lines of real systems (loghub/ of the data folder), by the scorer beside it
- processor time, memory and accuracy on made lines: one mix with few distinct masked lines, one with many

`--drain3` names an interpreter that has Drain3: it then does the same work in the same run. Access logs, stack traces
and correlation have runs of their own: benchmarks.logs.access, .stacks and .correlation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.logs.systems import load_scorer, measure_systems, show_systems
from benchmarks.logs.throughput import measure_throughput, show_throughput


def main() -> int:
    options = _options()
    if not (options.data / "loghub").is_dir():
        print(f"skipped: {options.data} holds no loghub. Hint: python -m benchmarks.logs FOLDER", file=sys.stderr)
        return 2
    if options.drain3 is None:
        print("Drain3 is left out: no interpreter that has it was named. Hint: --drain3 PYTHON\n")
    if "systems" in options.what:
        print(show_systems(measure_systems(options.data, drain3=options.drain3)), flush=True)
    if "throughput" in options.what:
        rows = measure_throughput(
            options.lines, sample=options.sample, drain3=options.drain3, scorer=load_scorer(options.data)
        )
        print("\n" + show_throughput(rows))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds loghub/; the scorer is in ../scorers beside it")
    parser.add_argument("--lines", type=int, default=5_000_000, help="made lines in each mix")
    parser.add_argument("--sample", type=int, default=200_000, help="of them, what Drain3 is given")
    parser.add_argument("--drain3", type=Path, help="a Python that has drain3; the benchmark installs nothing")
    parser.add_argument("--what", nargs="*", choices=["systems", "throughput"], default=["systems", "throughput"])
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
