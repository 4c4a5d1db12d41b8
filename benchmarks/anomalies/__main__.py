"""Measure detectors and findings: `python -m benchmarks.anomalies [../shared/data] [--what nab ms bank ...]`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.anomalies import nab, production, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PARTS_OF_DATA = ("nab", "ms", "quiet")
PARTS_OF_THEIR_OWN = ("bank", "healthy", "planted", "spans", "peers", "cost")
PARTS = (*PARTS_OF_DATA, "speed", *PARTS_OF_THEIR_OWN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="the folder of nab, ms-cloud-monitoring and petshop")
    parser.add_argument("--what", nargs="+", choices=PARTS, default=[*PARTS_OF_DATA, "speed"], help="these parts")
    parser.add_argument("--series", nargs="+", type=int, default=[1_000, 10_000], help="speed: how many series")
    options = parser.parse_args(arguments)
    if options.data is None and (lacking := [part for part in options.what if part in PARTS_OF_DATA]):
        parser.error(f"{', '.join(lacking)}: name the folder of the data")
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "nab": lambda: nab.run(options.data),
        "ms": lambda: production.run_labelled(options.data),
        "quiet": lambda: production.run_quiet(options.data),
        "speed": lambda: speed.run(options.series),
    }
    for part in options.what:
        # Modules of their own name, loaded when asked for: some of them want much that the others do not.
        lines = parts[part]() if part in parts else import_module(f"benchmarks.anomalies.{part}").run()
        for line in lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
