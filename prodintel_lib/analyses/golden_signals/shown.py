"""The golden signals as tables for the notebook and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from prodintel_lib.markup import (
    DASH,
    Markup,
    Tone,
    figure_text,
    folded,
    four_digits,
    number,
    paragraph,
    percent,
    table,
    text,
    tone,
    with_note,
)
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST_SHOWN: Final = 8
MAX_SHOWN: Final = 40
SECONDS_PER_HOUR: Final = 3600
NO_REQUEST: Final = "No request was recorded in the window."
_PERCENTILES: Final = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9"}
_TONES: Final[dict[str, Tone]] = {
    "slower": "bad", "faster": "good", "more": "warn", "less": "warn", "new": "bad", "rising": "bad", "gone": "good",
    "falling": "good", "watch": "warn", "high": "bad", "critical": "bad", "ok": "good", "too few to say": "soft",
    "no history": "soft", "no limit known": "soft",
}  # fmt: skip


class Shown(Protocol):
    """A result that can be shown."""

    def _repr_html_(self) -> str: ...


def sections(title: str, parts: Iterable[tuple[str, Shown]]) -> Markup:
    """Put results under each other, each with its name."""
    lead = paragraph(f"Golden signals of {title}.", kind="lead")
    return lead + Markup("").join(
        Markup("<h4>{}</h4>{}").format(name, Markup(part._repr_html_())) for name, part in parts
    )


def latency_table(frame: pl.DataFrame, modes: pl.DataFrame, baseline: str, left_out: int) -> Markup:
    """Lay out percentiles, tail ratio and trend of what was asked about, and the groups durations come in."""
    if frame.is_empty():
        return paragraph(NO_REQUEST)
    known = [name for name in _PERCENTILES if frame[f"{name}_ms"].is_not_null().any()]
    rows = [_latency_row(row, known) for row in frame.iter_rows(named=True)]
    headers = ["About", *(_PERCENTILES[name] for name in known), "p99/p50", "Verdict", "n"]
    absent = [_PERCENTILES[name] for name in _PERCENTILES if name not in known]
    none = f"Too few requests for {', '.join(absent)}. " if absent else ""
    caption = (
        "ms; a percentile is given where at least 5 requests lie beyond it, and the 95 % interval of p95 below it. "
        f"{none}Compared with {baseline}. {_left_out(left_out, 'entry routes')}"
    )
    shown = _folded(headers, rows, align="l" + "r" * (len(known) + 1) + "lr", caption=caption.strip(), what="rows")
    return shown + _modes_table(modes)


def _latency_row(row: dict[str, Any], known: Sequence[str]) -> list[Markup]:
    before = row[f"history_{row['judged_by']}_ms"] if row["judged_by"] else None
    note = f"{row['judged_by']} {four_digits(before)} ms before" if before is not None else ""
    figures = {name: number(row[f"{name}_ms"]) for name in known}
    if row.get("p95_ms") is not None:
        ends = " to ".join(
            "?" if row[name] is None else four_digits(row[name]) for name in ("p95_low_ms", "p95_high_ms")
        )
        figures["p95"] = with_note(figures["p95"], ends)
    return [
        _about(row, "; ".join(part for part in (note, _moving(row)) if part)),
        *figures.values(),
        number(row["tail_ratio"]),
        _toned(row["verdict"]),
        number(row["n"]),
    ]


def _moving(row: dict[str, Any]) -> str:
    if row["trend"] not in {"rising", "falling"}:
        return ""
    rate = row["trend_per_hour"]
    return str(row["trend"]) if rate is None else f"{row['trend']}, {100 * rate:+,.0f} % an hour"


def _modes_table(modes: pl.DataFrame) -> Markup:
    """Lay out what has several groups of durations, one row each with what tells the groups apart."""
    if modes.is_empty():
        return paragraph("No duration comes in more than one group that could be told from chance.")
    rows = []
    for _, part in modes.group_by("grain", "service_name", "route", maintain_order=True):
        groups = part.to_dicts()
        said = [f"{number(group['value_ms'])} ms {100 * group['share']:.0f} %" for group in groups]
        ends = f"{100 * groups[-1]['share_low']:.1f} to {100 * groups[-1]['share_high']:.1f} %"
        rows.append(
            [_about(groups[0], groups[0]["split_by"]), text(", ".join(said)), text(ends), number(groups[0]["of_n"])]
        )
    headers = ["Durations in groups", "At, share", "Slowest group, 95 % CI", "n"]
    caption = "More than one group at the level of 1 %, each with a twentieth of the requests at least."
    return _folded(headers, rows, align="llrr", caption=caption, what="rows")


def traffic_table(frame: pl.DataFrame, baseline: str, level: float, left_out: int) -> Markup:
    """Lay out rates against the usual ones, the rhythm, and how well the hours to come can be foreseen."""
    if frame.is_empty():
        return paragraph(NO_REQUEST)
    notes = [frame[name].unique().to_list() for name in ("pattern", "forecast_says")]
    # What is the same of all is said once, under the table.
    once = [str(values[0]) for values in notes if len(values) == 1 and values[0]]
    own = [name for name, values in zip(("pattern", "forecast_says"), notes, strict=True) if len(values) > 1]
    rows = [
        [
            _about(row, "; ".join(str(row[name]) for name in own if row[name])),
            number(row["rps"]),
            _ranged(row, "usual_rps", "usual_low_rps", "usual_high_rps"),
            _toned(row["verdict"]),
            text(row["trend"]),
            number(row["n"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    said = "".join(f" {sentence[0].upper()}{sentence[1:]}." for sentence in once)
    caption = (
        f"Usual: {baseline}, with the range of nine in ten buckets. Forecast intervals are of {level:.0%}.{said} "
        f"{_left_out(left_out, 'entry routes')}"
    )
    headers = ["About", "Requests/s", "Usual", "Verdict", "Trend", "n"]
    return _folded(headers, rows, align="lrrllr", caption=caption.strip(), what="rows")


def errors_table(frame: pl.DataFrame, baseline: str, left_out: int) -> Markup:
    """Lay out error ratios with their intervals against those before."""
    if frame.is_empty():
        return paragraph(NO_REQUEST)
    rows = [
        [
            _about(row, row["says"]),
            figure_text(
                percent(row["ratio"], digits=2),
                note=f"{percent(row['low'], digits=2).unescape()} to {percent(row['high'], digits=2).unescape()}",
            ),
            percent(row["history_ratio"], digits=2),
            _toned(row["trend"]),
            number(row["failed"]),
            number(row["n"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    caption = f"All intervals are of 95 %. Compared with {baseline}. {_left_out(left_out, 'entry routes')}"
    headers = ["About", "Failed", "Before", "Trend", "Failed, n", "n"]
    return _folded(headers, rows, align="lrrlrr", caption=caption.strip(), what="rows")


def categories_table(frame: pl.DataFrame, not_recorded: tuple[str, ...]) -> Markup:
    """Lay out what failed, by kind."""
    absent = f"Not recorded: {', '.join(not_recorded)}." if not_recorded else ""
    if frame.is_empty():
        return paragraph(f"No error of any category was seen. {absent}".strip())
    now = frame.sort(pl.col("n") == 0, maintain_order=True)
    rows = [
        [
            Markup("{}: {}<br>{}").format(
                text(row["kind"]),
                text(row["category"]),
                _quiet(f"{row['service_name'] or 'no service'}; {row['says']}"),
            ),
            _toned(row["trend"]),
            percent(row["share"], digits=2),
            number(row["n"]),
            number(row["of_n"]),
        ]
        for row in now.iter_rows(named=True)
    ]
    headers = ["What", "Trend", "n/requests", "n", "Requests"]
    caption = f"How many times the rate: 95 % intervals. {absent}".strip()
    return _folded(headers, rows, align="llrrr", caption=caption, what="categories")


def saturation_table(frame: pl.DataFrame, left_out: int) -> Markup:
    """Lay out how full each resource is, and when it will be full."""
    if frame.is_empty():
        return paragraph("No utilisation, pool, queue, memory or processor was recorded in the window.")
    limited, rest = (
        [_saturation_row(row) for row in frame.iter_rows(named=True) if bool(row["limit_from"]) is has_limit]
        for has_limit in (True, False)
    )
    headers = ["Resource", "Level", "Highest", "Risk", "At 0.7, 0.8, 0.9", "Full in", "Buckets"]
    caption = _left_out(left_out, "resources")
    shown = _folded(headers, limited, align="lrrlrrr", caption=caption, what="resources") if limited else Markup("")
    if not rest:
        return shown
    more = table(headers, rest, align="lrrlrrr")
    return shown + folded(f"{_counted(len(rest), 'resource')} without a known limit", more)


def _saturation_row(row: dict[str, Any]) -> list[Markup]:
    limited = bool(row["limit_from"])
    shares = [percent(row[name], digits=0).unescape() for name in ("watch_share", "high_share", "critical_share")]
    level, highest = (
        percent(row[name]) if limited else number(row[name], unit=row["unit"] or "") for name in ("level", "highest")
    )
    where = "; ".join(part for part in (row["service_name"], row["says"] if limited else "") if part)
    return [
        with_note(row["resource"], where),
        level,
        highest,
        _toned(row["risk"]),
        text(", ".join(shares)) if limited else DASH,
        _hours(row),
        number(row["n"]),
    ]


def _hours(row: dict[str, Any]) -> Markup:
    if row["hours_left"] is None:
        return DASH
    low, high = (
        "no end" if row[name] is None else format_duration(row[name] * SECONDS_PER_HOUR)
        for name in ("hours_low", "hours_high")
    )
    return figure_text(text(format_duration(row["hours_left"] * SECONDS_PER_HOUR)), note=f"{low} to {high}")


def _folded(headers: Sequence[str], rows: list[list[Markup]], *, align: str, caption: str, what: str) -> Markup:
    """Lay out the first rows, and fold the others away."""
    first, more = rows[:FIRST_SHOWN], rows[FIRST_SHOWN:MAX_SHOWN]
    beyond = _left_out(max(0, len(rows) - MAX_SHOWN), what)
    shown = table(headers, first, align=align, caption=f"{caption} {beyond}".strip())
    if not more:
        return shown
    return shown + folded(f"{len(more)} more {what}", table(headers, more, align=align))


def _about(row: dict[str, Any], why: str = "") -> Markup:
    """Name what a row is about, and under it in quiet letters what is to be said of it."""
    if row["grain"] == "all":
        name, place = "all entry requests", ""
    else:
        name, place = (row["route"], row["service_name"]) if row["route"] else (row["service_name"], "whole service")
    note = "; ".join(part for part in (place, why) if part)
    return with_note(name, note)


def _quiet(note: str) -> Markup:
    return Markup('<small class="n">{}</small>').format(text(note))


def _ranged(row: dict[str, Any], value: str, low: str, high: str) -> Markup:
    if row[value] is None:
        return DASH
    ends = " to ".join("?" if row[name] is None else four_digits(row[name]) for name in (low, high))
    return figure_text(text(four_digits(row[value])), note=ends)


def _toned(word: str) -> Markup:
    return tone(word, _TONES.get(word, ""))


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _left_out(n: int, what: str) -> str:
    return f"{n:,} more {what} are not shown." if n else ""
