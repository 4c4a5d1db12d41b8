"""Variants and the directly-follows graph by pm4py: run by an interpreter that has it, on the log in a folder.

`with_pm4py.py pandas FOLDER` or `with_pm4py.py polars FOLDER`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
import pm4py
import polars as pl

# Run as a file, beside which this one is.
from peak import peak_mb


def main() -> int:
    way, folder = sys.argv[1], Path(sys.argv[2])
    started_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    file = folder / "log_of_pm4py.parquet"
    log = pd.read_parquet(file) if way == "pandas" else pl.scan_parquet(file)
    # This sorts too.
    log = pm4py.format_dataframe(log, case_id="case", activity_key="route", timestamp_key="time")
    variants = pm4py.get_variants(log)
    graph, _, _ = pm4py.discover_dfg(log)
    after = resource.getrusage(resource.RUSAGE_SELF)
    counts = [(" > ".join(path), len(path), int(n)) for path, n in variants.items()]
    edges = [(*pair, int(n)) for pair, n in graph.items()]
    (folder / "pm4py").mkdir(exist_ok=True)
    pl.DataFrame(counts, schema=["path", "steps", "sessions"], orient="row").write_parquet(
        folder / "pm4py/variants.parquet"
    )
    pl.DataFrame(edges, schema=["from_route", "to_route", "transitions"], orient="row").write_parquet(
        folder / "pm4py/graph.parquet"
    )
    figures = {
        "clock_s": time.perf_counter() - started_s,
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
