"""Measure the detectors: `python -m benchmarks.anomalies ../shared/data [--what nab ms speed]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.anomalies import nab, production, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PARTS = ("nab", "ms", "quiet", "speed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds nab, ms-cloud-monitoring and petshop")
    parser.add_argument("--what", nargs="+", choices=PARTS, default=list(PARTS), help="these parts alone")
    parser.add_argument("--series", nargs="+", type=int, default=[1_000, 10_000], help="speed: how many series")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "nab": lambda: nab.run(options.data),
        "ms": lambda: production.run_labelled(options.data),
        "quiet": lambda: production.run_quiet(options.data),
        "speed": lambda: speed.run(options.series),
    }
    for part in options.what:
        for line in parts[part]():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
