"""The rows of the status board: what golden signals and promises say by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from prodintel_lib.analyses.onset import INSTANT_MS, SLOW_RATIO
from prodintel_lib.markup import four_digits, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.analyses.golden_signals import GoldenSignals
    from prodintel_lib.analyses.slos import SloReport

BoardStatus = Literal["ok", "watch", "bad", "unknown"]
BoardTrend = Literal["rising", "falling", "steady", "unknown"]

SLOWER: Final = 1.2
"""Durations that differ by less are told apart by statistics, not by people."""
MUCH_TRAFFIC: Final = 2.0
MANY_FAIL: Final = 0.05
ALL_REQUESTS: Final = "all requests"
_UNFELT: Final = frozenset({"saturation", "log errors"})
_TRENDS: Final[dict[str, BoardTrend]] = {
    "rising": "rising",
    "new": "rising",
    "falling": "falling",
    "gone": "falling",
    "steady": "steady",
    "none": "steady",
}
_RISKS: Final[dict[str, BoardStatus]] = {"ok": "ok", "watch": "watch", "high": "watch", "critical": "bad"}


@dataclass(slots=True)
class BoardRow:
    """A row while it is made; see status_board.BOARD_SCHEMA.

    ``grain`` is what it is about: all, service, route, or what a finding is of.
    """

    signal: str
    about: str
    service_name: str
    route: str
    current: float | None
    baseline: float | None
    unit: str
    status: BoardStatus
    trend: BoardTrend
    n: int | None
    reason: str
    grain: str

    @property
    def is_felt(self) -> bool:
        """Whether users feel it, and not only a machine."""
        return self.signal not in _UNFELT and self.grain != "service"


def signal_rows(golden: GoldenSignals, slos: SloReport) -> list[BoardRow]:
    """List a row for each signal of the golden ones and for each promise, in no order of importance."""
    return [*_latency(golden), *_traffic(golden), *_errors(golden), *_saturation(golden), *_budgets(slos)]


def _latency(golden: GoldenSignals) -> Iterator[BoardRow]:
    for row in golden.latency.frame.iter_rows(named=True):
        by = row["judged_by"] if row["judged_by"] in {"p50", "p95", "p99"} else _best_known(row)
        current, baseline = row[f"{by}_ms"], row[f"history_{by}_ms"]
        status, reason = _compared(row["verdict"], current, baseline)
        if row["verdict"] == "slower" and current and baseline:
            status = _slowness(current, baseline)
            reason = f"{by} is {four_digits(float(f'{current / baseline:.2g}'))} times what it was"
        told = {"faster": f"{by} is below what it was", "same": f"{by} as before"}.get(
            row["verdict"], f"{by} no higher than before"
        )
        yield _row("latency", row, current, baseline, "ms", status, reason or told)


def _slowness(current_ms: float, baseline_ms: float) -> BoardStatus:
    if current_ms < max(INSTANT_MS, SLOWER * baseline_ms):
        return "ok"
    return "bad" if current_ms >= SLOW_RATIO * baseline_ms else "watch"


def _best_known(row: dict[str, Any]) -> str:
    return next((by for by in ("p95", "p50") if row[f"{by}_ms"] is not None), "p95")


def _traffic(golden: GoldenSignals) -> Iterator[BoardRow]:
    for row in golden.traffic.frame.iter_rows(named=True):
        status, reason = _compared(row["verdict"], None, None)
        times = row["times_usual"]
        if row["verdict"] in {"more", "less"} and times is not None:
            status = "watch" if row["verdict"] == "less" or times >= MUCH_TRAFFIC else "ok"
            reason = f"{times:.2g} times the usual"
        yield _row("traffic", row, row["rps"], row["usual_rps"], "per_s", status, reason or "as usual")


def _errors(golden: GoldenSignals) -> Iterator[BoardRow]:
    for row in golden.errors.frame.iter_rows(named=True):
        reason = row["says"] or f"{row['failed']:,} of {row['n']:,} requests failed"
        yield _row("errors", row, row["ratio"], row["history_ratio"], "share", _error_status(row), reason)


def _error_status(row: dict[str, Any]) -> BoardStatus:
    many = row["ratio"] is not None and row["ratio"] >= MANY_FAIL
    if row["trend"] in {"new", "rising"}:
        return "bad" if many else "watch"
    if row["n"] and row["history_n"] and (row["trend"] != "too few to say" or row["ratio"] <= row["history_ratio"]):
        return "ok"
    # Whatever was usual, so many failures are worth a look.
    return "watch" if many else "unknown"


def _saturation(golden: GoldenSignals) -> Iterator[BoardRow]:
    """Take what has a limit; without one a level says nothing about how full a thing is."""
    for row in golden.saturation.frame.filter(pl.col("risk") != "no limit known").iter_rows(named=True):
        yield BoardRow(
            signal="saturation",
            about=f"{row['resource']} of {row['service_name']}" if row["service_name"] else row["resource"],
            service_name=row["service_name"],
            route="",
            current=row["level"],
            baseline=row["history_level"],
            unit="share",
            status=_RISKS.get(row["risk"], "unknown"),
            trend=_TRENDS.get(row["trend"], "unknown"),
            n=row["n"],
            reason=_fullness(row),
            grain="service",
        )


def _fullness(row: dict[str, Any]) -> str:
    held = next(
        (
            f"at {bound} % or more for {percent(row[share], digits=0)} of the time"
            for bound, share in ((90, "critical_share"), (80, "high_share"), (70, "watch_share"))
            if row[share]
        ),
        "never at 70 %",
    )
    return f"{held}; {row['says']}" if row["hours_left"] is not None else held


def _budgets(slos: SloReport) -> Iterator[BoardRow]:
    """Take what is promised; a budget that is used up and burns no more hurts nobody now, and is to be watched."""
    hourly = dict(slos.now.filter(pl.col("window") == "1h").select("objective", "burn").iter_rows())
    for row in slos.objectives.filter(~pl.col("is_proposed")).iter_rows(named=True):
        burn = hourly.get(row["objective"])
        yield BoardRow(
            signal="budget",
            about=row["objective"],
            service_name="",
            route=row["route"],
            current=row["budget_left"],
            baseline=None,
            unit="share",
            status="watch" if row["status"] == "bad" and not row["alert"] else row["status"],
            trend="unknown" if burn is None else "falling" if burn > 1.0 else "steady",
            n=row["n"],
            reason=row["reason"],
            grain="route",
        )


def _compared(verdict: str, current: float | None, baseline: float | None) -> tuple[BoardStatus, str]:
    if verdict == "no history":
        return "unknown", "nothing before it to compare with"
    if verdict == "too few to say" and (current is None or baseline is None or current > baseline):
        return "unknown", "too few requests to say"
    return "ok", ""


def _row(
    signal: str,
    row: dict[str, Any],
    current: float | None,
    baseline: float | None,
    unit: str,
    status: BoardStatus,
    reason: str,
) -> BoardRow:
    return BoardRow(
        signal=signal,
        about=row["route"] or row["service_name"] or ALL_REQUESTS,
        service_name=row["service_name"],
        route=row["route"],
        current=current,
        baseline=baseline,
        unit=unit,
        status=status,
        trend=_TRENDS.get(row["trend"], "unknown"),
        n=row["n"],
        reason=reason,
        grain=row["grain"],
    )
