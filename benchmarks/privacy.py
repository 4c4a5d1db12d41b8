"""How many log lines a second the pseudonymiser reads, on one core.

    python benchmarks/privacy.py                        # made lines, clean and dirty
    python benchmarks/privacy.py --lines app.log        # and the lines of a file

Clean lines hold nothing personal and take the filter alone; dirty ones take the exact checks too. Every line differs,
so that nothing is gained by reading a repeated one once. Seconds are those of the processor, not of the clock: others
may use the machine. For comparison: what a detector costs at least that calls one
compiled Python pattern after the other on each line, as those written in Python do.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl

from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

if TYPE_CHECKING:
    from collections.abc import Callable

AIM_LINES_PER_S = 200_000
CLEAN = (
    "2025-09-29T14:20:05.123456Z INFO [exec-7] com.acme.shop.OrderService - order ord_{h} is paid in {n} ms, 3 items",
    "trace_id=4bf92f3577b34da6a3ce929d{h} span_id=00f067aa{h} service.version=4.7.0 pool checkout-db 10 of 10",
    '10.42.0.17 - - [29/Sep/2025:14:20:05 +0000] "GET /api/products/prd_{n} HTTP/1.1" 200 {n} 0.012',
    "WARN pool checkout-db: 10 of 10 connections in use, {n} waiting, version 3.11.{n}",
    '{{"level":"info","msg":"cache hit","key":"product:{n}","duration_ms":{n}.5,"span_id":"00f067aa{h}"}}',
    "ERROR QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 5.00 (attempt {n})",
)
DIRTY = (
    "2025-09-29T14:20:05Z INFO login of person{n}@brightwater-corp.com from 81.187.44.219",
    '{{"level":"info","msg":"order","customer":{{"name":"Jane Doe","phone":"+1 415 868 2941"}},"n":{n}}}',
    "GET /callback?state={n}&access_token=q7Zp0vKk2mWn8sXy4dRt6g{n} HTTP/1.1 302",
    "charge {n} on card 4539578763621486 declined",
)
# The size of a small detector's rule set, and none of the cost of its own objects around them.
PYTHON_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b[\w.+-]+@[\w-]+\.[\w.]+\b",
        r"\b(?:\d[ -]?){13,19}\b",
        r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
        r"\bAKIA[A-Z0-9]{16}\b",
        r"\bgh[pousr]_\w{36}\b",
        r"\beyJ[\w-]+\.[\w-]+\.[\w-]*",
        r"\+?\d[\d ().-]{7,}\d",
        r"(?i)(?:password|secret|token|api_key)\W{1,3}\S+",
    )
)


def main() -> int:
    options = _options()
    pseudonymiser = Pseudonymiser(bytes(32))
    count = options.count
    clean = [CLEAN[n % len(CLEAN)].format(n=n, h=f"{n:08x}") for n in range(count)]
    dirty = [DIRTY[n % len(DIRTY)].format(n=n) for n in range(count // 20)]
    rate = _report("clean lines", clean, lambda lines: _through(pseudonymiser, lines))
    _report("dirty lines", dirty, lambda lines: _through(pseudonymiser, lines))
    _report("ten Python patterns, clean", clean[: count // 5], _search_in_python)
    for file in options.lines:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        _report(
            file.name, [f"{line} {n}" for n, line in enumerate(lines)], lambda lines: _through(pseudonymiser, lines)
        )
    print(f"aim: {AIM_LINES_PER_S:,} clean lines a second; {'met' if rate >= AIM_LINES_PER_S else 'missed'}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000, help="how many clean lines (a twentieth of it dirty)")
    parser.add_argument("--lines", type=Path, action="append", default=[], help="a text file, read as well")
    return parser.parse_args()


def _through(pseudonymiser: Pseudonymiser, lines: list[str]) -> int:
    frame = pl.DataFrame({"body": lines})
    return int((pseudonymiser.frame(frame)["body"] != frame["body"]).sum())


def _search_in_python(lines: list[str]) -> int:
    return sum(any(pattern.search(line) for pattern in PYTHON_PATTERNS) for line in lines)


def _report(name: str, lines: list[str], work: Callable[[list[str]], int]) -> float:
    seconds = []
    for _ in range(3):
        start = time.process_time()
        changed = work(lines)
        seconds.append(time.process_time() - start)
    rate = len(lines) / statistics.median(seconds)
    width = sum(map(len, lines)) / max(1, len(lines))
    print(
        f"{name:<28} {rate:>12,.0f} lines/s  ({len(lines):,} of {width:.0f} characters, {changed:,} hits)", flush=True
    )
    return rate


if __name__ == "__main__":
    raise SystemExit(main())
