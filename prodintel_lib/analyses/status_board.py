"""Is production well: one row a signal, with what is now, what is usual, and what to think of it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

import polars as pl

from prodintel_lib.analyses.slos.counts import last_recorded_end_us
from prodintel_lib.analyses.slos.wording import budget_text
from prodintel_lib.analyses.status_rows import BoardRow, BoardStatus, BoardTrend, signal_rows
from prodintel_lib.markup import Markup, Tone, figure_text, folded, number, paragraph, percent, table, tone, with_note
from prodintel_lib.windows import US_PER_S, format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings
    from prodintel_lib.analyses.golden_signals import GoldenSignals
    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.slos import SloReport
    from prodintel_lib.windows import Window

__all__ = [
    "BOARD_SCHEMA",
    "STATUS_SIGNS",
    "TREND_SIGNS",
    "VERDICTS",
    "BoardStatus",
    "BoardTrend",
    "StatusBoard",
    "active_findings",
    "build_status_board",
    "current_text",
    "describe_rest",
    "split_by_urgency",
]

BOARD_SCHEMA: Final[dict[str, pl.DataType]] = {
    "signal": pl.String(),
    "about": pl.String(),
    "service_name": pl.String(),
    "route": pl.String(),
    "current": pl.Float64(),
    "baseline": pl.Float64(),
    "unit": pl.String(),
    "status": pl.String(),
    "trend": pl.String(),
    "n": pl.Int64(),
    "reason": pl.String(),
}
MAX_REASON_CHARS: Final = 160
MAX_QUIET: Final = 6
"""Routes and resources shown of a signal where nothing is the matter with them; those with something are all shown."""
STATUS_SIGNS: Final[dict[str, str]] = {"bad": "✗", "watch": "!", "unknown": "?", "ok": "✓"}
TREND_SIGNS: Final[dict[str, str]] = {"rising": "↑", "falling": "↓", "steady": "→", "unknown": "·"}
VERDICTS: Final[dict[str, str]] = {
    "ok": "Production is well",
    "watch": "Production needs watching",
    "bad": "Production is not well",
    "unknown": "How production is cannot be told",
}
URGENT: Final = frozenset({"bad", "watch"})
_WORST_FIRST: Final = ("bad", "watch", "unknown", "ok")
_SIGNALS: Final = ("errors", "latency", "budget", "traffic", "saturation")
_OF_FINDINGS: Final = {
    "error_ratio": "errors",
    "latency": "latency",
    "throughput": "traffic",
    "saturation": "saturation",
}
_TONES: Final[dict[str, Tone]] = {"bad": "bad", "watch": "warn", "unknown": "soft", "ok": "good"}


@dataclass(frozen=True, slots=True, eq=False)
class StatusBoard:
    """What every signal of production is at.

    Attributes
    ----------
    window : Window
    as_of_us : int
        The end of the last bucket recorded.
    verdict : {"ok", "watch", "bad", "unknown"}
        The worst of what users feel, and one step less for what only a machine shows.
    sentence : str
        The answer in one sentence.
    rows : polars.DataFrame
        Columns of BOARD_SCHEMA, what is worst first. ``signal``: errors, latency, budget, traffic, saturation, and what
        a finding is about besides; ``about``: the route, service, resource or objective in words; ``unit``: ms, per_s,
        share, value; ``trend``: rising, falling, steady, unknown; ``n``: what the current figure is made of.
    """

    window: Window
    as_of_us: int
    verdict: BoardStatus
    sentence: str
    rows: pl.DataFrame

    def _repr_html_(self) -> str:
        return str(_board_table(self))


def build_status_board(
    golden: GoldenSignals, slos: SloReport, findings: AnomalyFindings, production: Production
) -> StatusBoard:
    """Put golden signals, promises and findings on one board.

    Parameters
    ----------
    golden : GoldenSignals
        Figures of the window against those of its baseline.
    slos : SloReport
        Promises; proposals have no row, since nobody relies on them.
    findings : AnomalyFindings
        A finding that still lasts sets the status and the figures of its signal's row; one that is over leaves it to be
        watched. What has no row gets one.
    production : Production
    """
    rows = signal_rows(golden, slos)
    for finding in findings.findings:
        _apply(finding, rows)
    shown = sorted(_chosen(rows), key=_order)
    verdict = _verdict(shown)
    end_us = last_recorded_end_us(production, production.window)
    frame = pl.DataFrame(
        [{name: getattr(row, name) for name in BOARD_SCHEMA} for row in shown], schema=BOARD_SCHEMA, orient="row"
    )
    frame = frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in ("current", "baseline")
    )
    as_of_us = end_us if end_us is not None else production.window.end_us
    return StatusBoard(production.window, as_of_us, verdict, _sentence(verdict, shown, frame), frame)


def current_text(value: float | None, unit: str) -> str:
    """Write a figure of the board for people, with its unit."""
    if value is None:
        return "–"
    if unit == "share" and value <= 0 and math.copysign(1.0, value) < 0:
        # Only what is left of a budget is below nothing.
        return budget_text(value)
    if unit == "share":
        return str(percent(value, digits=2 if 0 < abs(value) < 0.01 else 1))
    return str(number(value, unit={"ms": "ms", "per_s": "/s"}.get(unit, "")))


def active_findings(findings: AnomalyFindings) -> tuple[list[AnomalyFinding], list[AnomalyFinding]]:
    """Return the findings that still last, and those that are over."""
    lasting = [finding for finding in findings.findings if finding.ongoing]
    return lasting, [finding for finding in findings.findings if not finding.ongoing]


def _apply(finding: AnomalyFinding, rows: list[BoardRow]) -> None:
    """Let a finding speak for the row it is about; make one where there is none."""
    own = next((row for row in rows if _is_about(finding, row)), None) or _row_of_all(finding, rows)
    if own is None:
        own = _row_of(finding)
        rows.append(own)
    if not finding.ongoing:
        over = f"{finding.title}; over after {format_duration((finding.end_us - finding.start_us) / US_PER_S)}"
        own.reason = over if own.status in {"ok", "unknown"} else f"{own.reason}. {over}"
        own.status = _worse(own.status, "watch")
        return
    own.status = "bad" if finding.severity in {"high", "critical"} else _worse(own.status, "watch")
    own.current, own.baseline, own.n, own.reason = finding.current, finding.baseline, finding.n, finding.title
    own.unit = finding.unit
    if not _is_same(finding.current, finding.baseline):
        own.trend = "rising" if finding.current > finding.baseline else "falling"


def _is_about(finding: AnomalyFinding, row: BoardRow) -> bool:
    if _OF_FINDINGS.get(finding.signal) != row.signal or row.signal == "saturation":
        return False
    if finding.grain not in {"service", "route"}:
        return False
    return (finding.service_name, finding.route) == (row.service_name, row.route)


def _row_of_all(finding: AnomalyFinding, rows: list[BoardRow]) -> BoardRow | None:
    """Return the row of all requests for a finding of the service that takes them all: it has no row of its own."""
    signal = _OF_FINDINGS.get(finding.signal)
    if finding.grain != "service" or not any(row.service_name for row in rows if row.signal == signal):
        return None
    return next((row for row in rows if row.signal == signal and row.grain == "all"), None)


def _row_of(finding: AnomalyFinding) -> BoardRow:
    return BoardRow(
        signal=_OF_FINDINGS.get(finding.signal, finding.signal.replace("_", " ")),
        about=finding.route or finding.service_name or finding.key,
        service_name=finding.service_name,
        route=finding.route,
        current=finding.current if finding.ongoing else None,
        baseline=finding.baseline,
        unit=finding.unit,
        status="ok",
        trend="unknown",
        n=finding.n if finding.ongoing else None,
        reason=finding.title,
        grain=finding.grain,
    )


def _is_same(current: float, baseline: float) -> bool:
    return math.isnan(current) or math.isnan(baseline) or current == baseline


def _worse(one: BoardStatus, other: BoardStatus) -> BoardStatus:
    return min(one, other, key=_WORST_FIRST.index)


def _chosen(rows: Iterable[BoardRow]) -> Iterator[BoardRow]:
    """Leave out quiet services, whose routes have rows, and quiet routes and resources beyond the first ones."""
    quiet: dict[str, int] = {}
    for row in rows:
        if row.status in {"bad", "watch"} or row.signal == "budget" or row.grain == "all":
            yield row
        elif row.grain == "route" or row.signal == "saturation":
            quiet[row.signal] = quiet.get(row.signal, 0) + 1
            if quiet[row.signal] <= MAX_QUIET:
                yield row


def _order(row: BoardRow) -> tuple[int, bool, int, bool, int]:
    signal = _SIGNALS.index(row.signal) if row.signal in _SIGNALS else len(_SIGNALS)
    return _WORST_FIRST.index(row.status), not row.is_felt, signal, row.grain != "all", -(row.n or 0)


def _verdict(rows: list[BoardRow]) -> BoardStatus:
    felt = [row.status for row in rows if row.is_felt]
    unfelt = {row.status for row in rows if not row.is_felt}
    if "bad" in felt:
        return "bad"
    if "watch" in felt or "bad" in unfelt:
        return "watch"
    return "ok" if "ok" in felt else "unknown"


def _sentence(verdict: BoardStatus, rows: list[BoardRow], frame: pl.DataFrame) -> str:
    counts = {status: sum(row.status == status for row in rows) for status in get_args(BoardStatus)}
    if verdict == "unknown":
        return f"Too little is known to tell: {counts['unknown']:,} of {len(rows):,} signals cannot be compared."
    said = f"Of {len(rows):,} signals {_are(counts['bad'], 'bad')} and {_are(counts['watch'], 'to be watched')}"
    if verdict == "ok":
        return f"{said}: {counts['ok']:,} are as usual."
    worst = frame.row(0, named=True)
    about = worst["about"]
    compared = f", {current_text(worst['baseline'], worst['unit'])} before" if worst["baseline"] is not None else ""
    now = current_text(worst["current"], worst["unit"])
    n = f" (n {worst['n']:,})" if worst["n"] is not None else ""
    why = textwrap.shorten(worst["reason"], MAX_REASON_CHARS, placeholder="…").rstrip(".")
    end = "" if why.endswith("…") else "."
    return f"{said}. First: {worst['signal']} of {about}, {now}{compared}{n}: {why}{end}"


def _are(count: int, what: str) -> str:
    return f"{'none' if count == 0 else f'{count:,}'} {'is' if count == 1 else 'are'} {what}"


def _board_table(board: StatusBoard) -> Markup:
    urgent, rest = split_by_urgency(board)
    headers = ["Signal", "Of", "Now", "Before", "Status", "Trend"]
    first, more = ([_board_row(row) for row in part] for part in (urgent, rest))
    caption = f"As of {format_time(board.as_of_us)}."
    shown = table(headers, first, align="llrrll", caption=caption) if first else paragraph(caption)
    return shown + folded(describe_rest(rest), table(headers, more, align="llrrll") if more else Markup(""))


def _board_row(row: dict[str, Any]) -> list[object]:
    trend = "" if row["trend"] == "unknown" else f"{TREND_SIGNS[row['trend']]} {row['trend']}"
    return [
        row["signal"],
        with_note(row["about"], row["reason"]),
        figure_text(current_text(row["current"], row["unit"]), n=row["n"]),
        current_text(row["baseline"], row["unit"]),
        tone(f"{STATUS_SIGNS[row['status']]} {row['status']}", _TONES[row["status"]]),
        trend,
    ]


def split_by_urgency(board: StatusBoard) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows that are bad or to be watched, and the others."""
    rows = board.rows.to_dicts()
    return [row for row in rows if row["status"] in URGENT], [row for row in rows if row["status"] not in URGENT]


def describe_rest(rows: Sequence[dict[str, Any]]) -> str:
    """Say what the rows that are neither bad nor to be watched are.

    Examples
    --------
    >>> describe_rest([{"status": "ok"}, {"status": "ok"}, {"status": "unknown"}])
    '2 signals are well, of 1 it cannot be told'
    """
    well = sum(row["status"] == "ok" for row in rows)
    untold = len(rows) - well
    said = "1 signal is well" if well == 1 else f"{well:,} signals are well"
    return f"{said}, of {untold:,} it cannot be told" if untold else said
