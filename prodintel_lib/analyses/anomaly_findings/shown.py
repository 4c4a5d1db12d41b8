"""Findings for people: the table of all, and one in full."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.markup import (
    Markup,
    facts,
    figure_text,
    folded,
    four_digits,
    number,
    paragraph,
    percent,
    table,
    text,
    tone,
)
from prodintel_lib.windows import US_PER_S, Window, format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from prodintel_lib.analyses.anomalies import Severity
    from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding, AnomalyFindings
    from prodintel_lib.analyses.statistics import Proportion
    from prodintel_lib.markup import Tone

TONE_OF: Final[dict[Severity, Tone]] = {"critical": "bad", "high": "bad", "medium": "warn", "low": ""}
MAX_SHOWN: Final = 50
OPEN_SERIES: Final = 6
SERIES_CAPTION: Final = "Value of the buckets at the threshold together, expectation as they began, highest score."
CERTAIN: Final = 0.99
SIGNAL_WORDS: Final = {
    "error_ratio": "requests that failed",
    "latency": "requests slower than usual",
    "throughput": "requests a bucket",
    "saturation": "gauge",
    "log_errors": "errors logged a bucket",
    "conversion": "sessions that converted",
    "journey_mix": "sessions on this journey",
    "frontend_errors": "page views with an error",
}
SHARES: Final = ("error_ratio", "latency", "conversion", "journey_mix", "frontend_errors")
PART_WORDS: Final = {"counts": "the number of events"}


def sure_of(confidence: float) -> str:
    """Write a confidence: nothing is ever certain.

    Examples
    --------
    >>> sure_of(0.973), sure_of(0.9999), sure_of(0.001)
    ('97 %', 'over 99 %', 'under 1 %')
    """
    if confidence > CERTAIN:
        return f"over {CERTAIN:.0%}".replace("%", " %")
    return "under 1 %" if confidence < 1 - CERTAIN else f"{100 * confidence:.0f} %"


def figure_of(value: float, unit: str) -> Markup:
    """Write a figure of a finding in its unit; a dash where it is not known."""
    if unit == "share":
        return percent(value)
    if math.isnan(value):
        return number(None)
    return text({"ms": f"{four_digits(value)} ms", "per_s": f"{four_digits(value)}/s"}.get(unit, four_digits(value)))


def looked_at(findings: AnomalyFindings) -> str:
    """Say what was looked at, with which threshold, and how much chance makes of it."""
    by_chance = (
        "" if math.isnan(findings.chance_alarms) else f", which chance reaches {findings.chance_alarms:.2g} times"
    )
    short = f"; {findings.series_too_short:,} more had too little past" if findings.series_too_short else ""
    out = "".join(f"; {n:,} left out: {reason}" for reason, n in findings.left_out.items())
    return (
        f"{findings.points_scored:,} points of {findings.series_scored:,} series scored{short}, detector "
        f"{findings.detector}, {findings.bucket_s} s buckets, threshold {findings.threshold:.3g} "
        f"({findings.score_unit}){by_chance}. {findings.alarms.height:,} stretches of series beyond it{out}."
    )


def headline_of(findings: AnomalyFindings) -> str:
    """Say in a sentence what was found."""
    n = len(findings.findings)
    if not n:
        return f"Nothing was abnormal in {findings.window.label()}."
    ongoing = sum(one.ongoing for one in findings.findings)
    lasting = f", {ongoing} of them still lasting" if ongoing else ""
    first = findings.findings[0]
    worst = f"the severest ({first.severity}): {first.title}"
    return f"{n} {'anomaly' if n == 1 else 'anomalies'} in {findings.window.label()}{lasting}; {worst}."


def show_findings(findings: AnomalyFindings) -> str:
    """Lay out all findings as a table."""
    said = paragraph(headline_of(findings), kind="lead")
    if not findings.findings:
        return str(said + paragraph(looked_at(findings)))
    shown = findings.findings[:MAX_SHOWN]
    more = len(findings.findings) - len(shown)
    rest = f" {more} more are in result.json." if more else ""
    headers = ["Finding", "Severity", "Began (UTC)", "Lasted", "Now", "Before", "Sure", "Hit"]
    table_of = table(headers, [_row(one) for one in shown], align="llllrrrr", caption=looked_at(findings) + rest)
    return str(said + table_of)


def _row(one: AnomalyFinding) -> list[Markup]:
    lasted = format_duration((one.end_us - one.start_us) / US_PER_S) + (", ongoing" if one.ongoing else "")
    hit = one.affected_users or one.affected_requests
    whom = "users" if one.affected_users else "requests"
    return [
        figure_text(one.title, note=f"{one.id} · {one.type}"),
        tone(one.severity, TONE_OF[one.severity]),
        text(_clock(one.start_us)),
        text(lasted),
        figure_text(figure_of(one.current, one.unit), n=one.n),
        figure_text(figure_of(one.baseline, one.unit), n=one.baseline_n),
        text(one.sure),
        figure_text(f"{hit.hits:,} {whom}", n=hit.n) if hit is not None else text(None),
    ]


def show_finding(one: AnomalyFinding) -> str:
    """Lay out one finding in full."""
    span = Window(one.start_us, one.end_us)
    interval = (
        ""
        if math.isnan(one.low)
        else f", 95 % interval {figure_of(one.low, one.unit)} to {figure_of(one.high, one.unit)}"
    )
    tiles = [
        (one.measure, figure_of(one.current, one.unit), f"n {one.n:,}{interval}", TONE_OF[one.severity]),
        ("before", figure_of(one.baseline, one.unit), f"n {one.baseline_n:,}", ""),
        ("severity", one.severity, one.severity_reason, TONE_OF[one.severity]),
        ("sure", one.sure, one.confidence_reason, ""),
    ]
    whom = [
        [text(name), number(part.hits), number(part.n), percent(part.share)]
        for name, part in (
            ("users", one.affected_users),
            ("sessions", one.affected_sessions),
            ("requests from outside", one.affected_requests),
        )
        if part is not None and part.n
    ]
    until = "still lasts" if one.ongoing else f"lasted {format_duration(span.duration_s)}"
    known = format_time(one.detected_us)
    again = f" It came again: {'; '.join(window.label() for window in one.recurrences)}." if one.recurrences else ""
    head = paragraph(one.title, kind="lead") + paragraph(
        f"{one.id}, {one.type}. {span.label()}, {until}; known at {known}.{again}"
    )
    return str(
        head
        + facts(tiles)
        + paragraph(one.recommendation)
        + (table(["Hit", "Affected", "Active", "Share"], whom, align="lrrr") if whom else Markup(""))
        + (Markup(one.places._repr_html_()) if one.places is not None else Markup(""))
        + _changes(one)
        + _series(one)
        + _parts(one)
    )


def _changes(one: AnomalyFinding) -> Markup:
    rows = [
        [
            text(row["label"]),
            text(row["relation"]),
            text(_clock(row["time_us"])),
            text(_before(row["minutes_before"])),
        ]
        for row in one.nearby_changes.iter_rows(named=True)
    ]
    if not rows:
        return paragraph("No change is known of the day before it.")
    return table(["Change", "Of", "At (UTC)", "Before it began"], rows, align="lllr")


def _clock(time_us: int) -> str:
    """Write a time in a column whose header says that it is UTC."""
    return format_time(time_us).removesuffix(" UTC")


def _before(minutes: float) -> str:
    return format_duration(60 * minutes) if minutes > 0 else "as it began"


def _series(one: AnomalyFinding) -> Markup:
    rows = [_series_row(row) for row in one.series.iter_rows(named=True)]
    headers = ["Signal", "Series", "Began (UTC)", "Value", "Expected", "Score", "n buckets"]
    first = table(headers, rows[:OPEN_SERIES], align="lllrrrr", caption=SERIES_CAPTION)
    if len(rows) <= OPEN_SERIES:
        return first
    more = table(headers, rows[OPEN_SERIES:], align="lllrrrr")
    return first + folded(f"{len(rows) - OPEN_SERIES} more series", more)


def _series_row(row: dict[str, Any]) -> list[Markup]:
    is_share = row["signal"] in SHARES
    return [
        text(SIGNAL_WORDS[row["signal"]]),
        text(row["key"]),
        text(_clock(row["start_us"])),
        *(percent(row[name]) if is_share else number(row[name]) for name in ("value", "expected")),
        number(row["score"], digits=1),
        number(row["points"]),
    ]


def _parts(one: AnomalyFinding) -> Markup:
    known = [part for part in one.explained if not math.isnan(part.score)]
    rows = [
        [
            text(PART_WORDS.get(part.name, part.name)),
            number(part.score, digits=1),
            *(percent(value) if one.signal in SHARES else number(value) for value in (part.value, part.expected)),
        ]
        for part in known
    ]
    if not rows:
        return Markup("")
    return table(["How the detector saw the main series", "Score", "Value", "Expected"], rows, align="lrrr")


def show_details(findings: Sequence[AnomalyFinding], otherwise: str) -> str:
    """Lay out some findings in full, one after the other; a sentence where there are none."""
    return "".join(show_finding(one) for one in findings) or str(paragraph(otherwise))


def plain_share(part: Proportion | None) -> dict[str, float | int] | None:
    """Return a proportion as plain JSON values; None where it is not known."""
    if part is None or not part.n:
        return None
    return {"hits": part.hits, "n": part.n, "share": part.share, "low": part.low, "high": part.high}


def plain_number(value: float) -> float | None:
    """Return a number JSON can hold: None for what is no number or has no end."""
    return value if math.isfinite(value) else None


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as plain JSON values."""
    return [
        {name: plain_number(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]
