"""Hold errors and routes of access logs to counts of the raw lines: `python -m benchmarks.logs.access ../shared/data`.

The raw files are read by DuckDB, one by its own regular expressions and one as a table, and by awk; nothing of
prodintel takes part in that. Every comparison must be equal, or the run fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

from prodintel_lib.analyses.error_patterns import find_error_patterns
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.engines import collect
from prodintel_lib.rollups.coverage import COVERAGE_SCHEMA, build_coverage
from prodintel_lib.rollups.error_traffic import TRAFFIC_PARTS_KEYS, TRAFFIC_PARTS_SCHEMA, build_traffic_parts
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.analyses.telemetry import LakeView

_COMBINED: Final = """
SELECT regexp_extract(line, '^([^ ]+)', 1) AS client,
       regexp_extract(line, '"[A-Z]+ ([^ ?#"]*)', 1) AS path,
       CAST(regexp_extract(line, '" ([0-9][0-9][0-9]) ', 1) AS INTEGER) AS status
FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text('{file}')) WHERE line <> ''
"""
_TABLE: Final = """
SELECT host AS client, regexp_extract(url, '^([^?#]*)', 1) AS path, CAST(response AS INTEGER) AS status
FROM read_csv('{file}', delim = '\t', header = true, all_varchar = true, quote = '', escape = '')
"""
_MAPPING: Final = """
    table: rum_events
    format: csv
    columns:
      time_us: epoch_s(time)
      event_kind: "when(url == null, 'custom', 'request')"
      client_address: host
      http_request_method: method
      request_path: regex_extract(url, '^([^?#]*)', 1)
      http_response_status_code: response
"""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """A file, how it is read here and how there, and where awk finds the status.

    Attributes
    ----------
    file : str
    mapping : str
        Lines under the source in prodintel.yaml; empty where the format is recognised.
    sql : str
        Gives ``client, path, status`` of every line.
    awk : tuple of str
        Arguments with which awk prints the status of every line.
    """

    file: str
    mapping: str
    sql: str
    awk: tuple[str, ...]


LOGS: Final = (
    AccessLog("apache_combined.log", "", _COMBINED, ("-F", '" ', '{split($2, a, " "); print a[1]}')),
    AccessLog("nasa_19950801.tsv", _MAPPING, _TABLE, ("-F", "\t", "NR > 1 {print $6}")),
)
MIN_ERROR: Final = 400
DAY_US: Final = 86_400 * US_PER_S


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and write what came of it; 1 where a count differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds access-logs")
    options = parser.parse_args(arguments)
    wrong = 0
    for log in LOGS:
        for is_equal, line in compare(log, options.data / "access-logs" / log.file):
            wrong += not is_equal
            sys.stdout.write(f"{line}\n")
    sys.stdout.write("all counts are equal\n" if not wrong else f"{wrong} counts differ\n")
    return 1 if wrong else 0


def compare(log: AccessLog, file: Path) -> Iterator[tuple[bool, str]]:
    """Yield every comparison of a file: whether it is equal, and in words."""
    with tempfile.TemporaryDirectory(prefix="prodintel-access-") as folder:
        root = Path(folder)
        (root / file.name).write_bytes(file.read_bytes())
        config = f"name: access\nsources:\n  - path: {file.name}{log.mapping}\n"
        (root / "prodintel.yaml").write_text(config, encoding="utf-8")
        workspace = open_workspace(root)
        ingest(workspace)
        view = open_view(workspace)
        begun = time.process_time()
        window = _window(view)
        patterns = find_error_patterns(view, window=window, baseline=Window(window.start_us - DAY_US, window.start_us))
        seconds = time.process_time() - begun
        yield True, f"{log.file}: {patterns.frame.height} patterns in {seconds:.1f} s of the processor"
        yield from _compare_counts(log, file, view, window, patterns)
        yield from ((True, line) for line in _describe(patterns))


def _window(view: LakeView) -> Window:
    rows, first_us, last_us = collect(
        build_coverage(view.scan("rum_events")), schema=COVERAGE_SCHEMA, sort_by=("rows",)
    ).row(0)
    if not rows:
        raise SystemExit("no line was read")
    return Window(first_us, last_us + 1)


def _compare_counts(
    log: AccessLog, file: Path, view: LakeView, window: Window, patterns: ErrorPatterns
) -> Iterator[tuple[bool, str]]:
    lines = log.sql.format(file=file)
    told = subprocess.run(["awk", *log.awk, str(file)], capture_output=True, text=True, check=True)
    by_awk = Counter(int(status) for status in told.stdout.split())
    awk_errors = {status: n for status, n in by_awk.items() if status >= MIN_ERROR}
    frame = patterns.frame
    ours = dict(frame.group_by("http_status").agg(pl.col("occurrences").sum()).sort("http_status").iter_rows())
    yield _equal("errors by status, against awk", ours, awk_errors)
    errors = f"({lines}) WHERE status >= {MIN_ERROR}"
    rows = pl.concat(list(patterns.passes.rows(patterns.keys)))
    clients = dict(_ask(f"SELECT status, count(DISTINCT client) FROM {errors} GROUP BY status"))
    seen = rows.group_by("http_status").agg(pl.col("client_key").n_unique())
    yield _equal("clients by status, against DuckDB", dict(seen.iter_rows()), clients)
    routes = patterns.passes.routes.rename({"url_path": "path"})
    by_path = pl.DataFrame(
        _ask(f"SELECT path, status, count(*) FROM {errors} GROUP BY path, status"),
        schema={"path": pl.String, "status": pl.Int64, "rows": pl.Int64},
        orient="row",
    )
    theirs = by_path.join(routes, on="path", how="left").with_columns(pl.coalesce("route", "path").alias("route"))
    counted = _by_route(theirs.select("status", "route", "rows"))
    yield _equal("errors by status and route, against DuckDB", _by_route(_our_routes(rows)), counted)
    parts = build_traffic_parts(view.scan("spans", window), view.scan("rum_events", window))
    traffic = collect(parts, schema=TRAFFIC_PARTS_SCHEMA, sort_by=TRAFFIC_PARTS_KEYS)
    paths = traffic.filter(pl.col("attribute") == "route").select("value", "rows")
    every = dict(_ask(f"SELECT path, count(*) FROM ({lines}) WHERE path <> '' GROUP BY path"))
    yield _equal("requests by path, against DuckDB", dict(paths.iter_rows()), every)


def _ask(sql: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(sql).fetchall()


def _our_routes(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(pl.col("http_status").alias("status"), "route").agg(pl.len().alias("rows"))


def _by_route(counted: pl.DataFrame) -> dict[Any, int]:
    summed = counted.group_by("status", "route").agg(pl.col("rows").sum())
    return {(status, route): rows for status, route, rows in summed.iter_rows()}


def _equal(what: str, ours: dict[Any, int], theirs: dict[Any, int]) -> tuple[bool, str]:
    differ = [key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)]
    said = f"  {what}: {len(theirs):,} rows, sum {sum(theirs.values()):,}"
    if not differ:
        return True, f"{said}, equal"
    first = sorted(differ, key=repr)[:5]
    return False, f"{said}, {len(differ)} differ: " + ", ".join(
        f"{key} {ours.get(key)} against {theirs.get(key)}" for key in first
    )


def _describe(patterns: ErrorPatterns) -> Iterator[str]:
    for row in patterns.frame.iter_rows(named=True):
        yield (
            f"  {row['priority']} {row['pattern_id']} {row['template']}: {row['occurrences']:,} of {row['exposure']:,} "
            f"{row['exposure_unit']}, {row['people']:,} clients, {row['clients'] - row['people']:,} bots "
            f"({row['bot_rows']:,} of the errors); {row['class']}: {row['class_reason']}; {row['category']}"
        )


if __name__ == "__main__":
    raise SystemExit(main())
