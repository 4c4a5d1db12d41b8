"""Faults injected into a shop on a cloud (PetShop): which node, from five-minute averages and the service graph."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from benchmarks.causes.outcomes import Outcome
from prodintel_lib.analyses.causes.location import MIN_DEVIATIONS, contrast_signals, rank_by_own_growth
from prodintel_lib.analyses.signals import SIGNALS_SCHEMA, kind_of_signal
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET_US: Final = 300 * US_PER_S
STATISTIC: Final = "Average"
QUIET_ROWS: Final = 5
QUIET_PAST: Final = 100


def run(folder: Path) -> Iterator[tuple[Outcome, list[str]]]:
    """Rank the nodes of every issue; the ranking comes with the outcome."""
    for target in sorted(folder.glob("*/*/issue_*/target.json")):
        scenario = target.parents[2]
        truth = json.loads(target.read_text(encoding="utf-8"))
        quiet = scenario / "noissue" / "metrics.csv"
        issue = read_signals(target.parent / "metrics.csv")
        signals = pl.concat([_as_past(read_signals(quiet), issue), issue]) if quiet.exists() else issue
        ranked = rank_nodes(signals, read_edges(scenario / "graph.csv"), truth["target"])
        names = [name for name, _ in ranked]
        total = sum(score for _, score in ranked) or 1.0
        place = names.index(truth["root_cause"]["node"]) + 1 if truth["root_cause"]["node"] in names else len(names) + 1
        yield (
            Outcome(
                benchmark="petshop", case=str(target.parent.relative_to(folder)), answer=names[0],
                score=ranked[0][1] / total, is_right=place == 1, rank=place,
            ),
            names,
        )  # fmt: skip


def _as_past(quiet: pl.DataFrame, issue: pl.DataFrame) -> pl.DataFrame:
    """Move the issue-free time to a day before the issue: the set recorded it at another date, also later."""
    gap_us = int(issue["time_us"].min()) - 86_400 * US_PER_S - int(quiet["time_us"].max())  # type: ignore[arg-type]
    return quiet.with_columns(pl.col("time_us") + gap_us)


def rank_nodes(signals: pl.DataFrame, edges: set[tuple[str, str]], target: dict[str, Any]) -> list[tuple[str, float]]:
    """Rank the nodes by what they added themselves to the signal that was noticed.

    A row stands for the five minutes from its time: the one in which somebody noticed belongs to the incident.
    """
    last_us = int(signals["time_us"].max()) + BUCKET_US  # type: ignore[arg-type]
    window = Window(target["timestamp"] * US_PER_S - BUCKET_US + 1, last_us)
    of_kind = signals.filter(pl.col("signal") == target["metric"])
    contrasts = {service: contrast for (service, _, _), contrast in contrast_signals(of_kind, window=window).items()}
    return rank_by_own_growth(contrasts, edges, symptom_service=target["node"])


def count_false_findings(folder: Path) -> tuple[int, int]:
    """Count the issue-free stretches in which a service's signal would have called for causes, and all stretches.

    A stretch is as long as an issue's file; every one is taken that has a hundred rows before it and none in common
    with the stretch before.
    """
    found = stretches = 0
    for quiet in sorted(folder.glob("*/noissue/metrics.csv")):
        signals = read_signals(quiet)
        node = json.loads(next(folder.glob("*/*/issue_*/target.json")).read_text(encoding="utf-8"))["target"]["node"]
        own = signals.filter((pl.col("service_name") == node) & pl.col("signal").is_in(["latency", "availability"]))
        times = own["time_us"].unique().sort().to_numpy()
        for first in range(QUIET_PAST, len(times) - QUIET_ROWS, QUIET_ROWS):
            window = Window(int(times[first]), int(times[first + QUIET_ROWS]))
            seen = own.filter(pl.col("time_us") < window.end_us)
            for contrast in contrast_signals(seen, window=window).values():
                found += contrast.deviations >= MIN_DEVIATIONS
                stretches += 1
    return found, stretches


def read_signals(path: Path) -> pl.DataFrame:
    """Read latency and availability of every node; each value rests on the requests of its row."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    columns = list(zip(rows[0][1:], rows[1][1:], rows[2][1:], strict=True))
    times_us = np.array([round(float(row[0])) * US_PER_S for row in rows[4:]], dtype=np.int64)
    values = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in rows[4:]])
    by_column = dict(zip(columns, values.T, strict=True))
    frames = []
    for (node, metric, statistic), series in by_column.items():
        if statistic != STATISTIC:
            continue
        requests = by_column.get((node, "requests", "Sum"), np.ones(len(series)))
        known = ~np.isnan(series)
        frames.append(
            pl.DataFrame(
                {
                    "time_us": times_us[known],
                    "service_name": node,
                    "signal": metric,
                    "kind": kind_of_signal(metric),
                    "value": series[known],
                    "n": np.nan_to_num(requests[known], nan=1.0).astype(np.int64),
                },
                schema=SIGNALS_SCHEMA,
            )
        )
    return pl.concat(frames)


def read_edges(path: Path) -> set[tuple[str, str]]:
    """Read who calls whom from the adjacency matrix."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    names = rows[0][1:]
    return {(row[0], name) for row in rows[1:] for name, cell in zip(names, row[1:], strict=True) if float(cell or 0)}
