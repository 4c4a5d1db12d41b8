"""Render the status board: a page for a screen on the wall, text for a chat, JSON for programs."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import prodintel_lib
from prodintel_lib.analyses.status_board import (
    STATUS_SIGNS,
    TREND_SIGNS,
    VERDICTS,
    active_findings,
    current_text,
    describe_rest,
    split_by_urgency,
)
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Markup, folded
from prodintel_lib.renderers.markdown import one_line, plain
from prodintel_lib.windows import US_PER_S, format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings
    from prodintel_lib.analyses.status_board import StatusBoard

BoardFormat = Literal["html", "md", "json"]
BOARD_SCHEMA_NAME: Final = "prodintel/status_board/1"

_STYLE: Final = Path(__file__).parent / "templates" / "board.css"
_SEVERE: Final[dict[str, str]] = {"critical": "bad", "high": "bad", "medium": "watch", "low": "unknown"}
_PAGE: Final = Markup(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{sign} {title}</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="kicker">{kicker}</p>{notice}
<h1 class="{verdict}"><span class="sign" aria-hidden="true">{sign}</span>{title}</h1>
<p class="lead">{sentence}</p>
</header>
<main>
{table}
{anomalies}
</main>
<footer>{footer}</footer>
</body>
</html>
"""
)
# On a phone a row is laid out as a card, and browsers then forget that it was a row: the roles keep it one.
_ROW: Final = Markup(
    '<tr role="row"><td role="cell" class="signal">{}</td>'
    '<th role="rowheader" scope="row">{}<span class="why">{}</span></th>'
    '<td role="cell" class="r now">{}</td><td role="cell" class="r before">{}</td>'
    '<td role="cell" class="status {}"><span aria-hidden="true">{}</span> {}</td>'
    '<td role="cell" class="trend">{}</td></tr>'
)
_TREND: Final = Markup('<span aria-hidden="true">{}</span> {}')
_ARTICLE: Final = Markup('<article class="{tone}"><h3>{title}</h3><p>{recommendation}</p><dl>{facts}</dl></article>')


def render_board(
    board: StatusBoard, findings: AnomalyFindings, fmt: BoardFormat, *, title: str = "", notice: str = ""
) -> str:
    """Render a status board with the anomalies that still last.

    Parameters
    ----------
    board : StatusBoard
    findings : AnomalyFindings
        The ones the board was built with.
    fmt : {"html", "md", "json"}
    title : str
        What it is a board of: the workspace's name.
    notice : str
        What a reader has to know before believing any figure: that the data were made up.

    Returns
    -------
    str
        A whole page, a Markdown text, or a JSON document. The page runs no script and asks for nothing outside: its
        security policy allows its own style alone. All that came from production is escaped.

    Raises
    ------
    ParameterError
        If the format is unknown.
    """
    if fmt == "html":
        return _page(board, findings, title=title, notice=notice)
    if fmt == "md":
        return _markdown(board, findings, title=title, notice=notice)
    if fmt == "json":
        return _json(board, findings, title=title, notice=notice)
    raise ParameterError.unknown("board format", fmt, known=get_args(BoardFormat))


def _page(board: StatusBoard, findings: AnomalyFindings, *, title: str, notice: str) -> str:
    style = _style()
    lasting, over = active_findings(findings)
    page = _PAGE.format(
        policy=_policy(style),
        style=Markup(style),
        sign=STATUS_SIGNS[board.verdict],
        title=VERDICTS[board.verdict],
        verdict=board.verdict,
        kicker=_kicker(board, title),
        notice=Markup('\n<p class="notice">{}</p>').format(one_line(notice)) if notice else "",
        sentence=one_line(board.sentence),
        table=_table(board),
        anomalies=_lasting(lasting) + _over(over),
        footer=f"{_looked_at(findings)} Made by prodintel {prodintel_lib.__version__}.",
    )
    return str(page)


def _table(board: StatusBoard) -> Markup:
    if board.rows.is_empty():
        return Markup('<p class="say">No signal was recorded.</p>')
    urgent, rest = split_by_urgency(board)
    caption = Markup(
        "<caption>Now: in the window, or for as long as an anomaly lasts. Before: in the history; n: what the figure "
        "now is made of.</caption>"
    )
    first = _table_of(urgent, caption) if urgent else Markup('<p class="say">Nothing is bad or to be watched.</p>')
    return first + (folded(describe_rest(rest), _table_of(rest, Markup(""))) if rest else Markup(""))


def _table_of(rows: Sequence[dict[str, Any]], caption: Markup) -> Markup:
    headers = Markup("").join(
        Markup('<th role="columnheader" scope="col"{}>{}</th>').format(
            Markup(' class="r"') if name in {"Now", "Before"} else "", name
        )
        for name in ("Signal", "Of", "Now", "Before", "Status", "Trend")
    )
    body = Markup("\n").join(
        _ROW.format(
            row["signal"],
            one_line(row["about"]),
            one_line(row["reason"]),
            _figure(row),
            current_text(row["baseline"], row["unit"]),
            row["status"],
            STATUS_SIGNS[row["status"]],
            row["status"],
            "" if row["trend"] == "unknown" else _TREND.format(TREND_SIGNS[row["trend"]], row["trend"]),
        )
        for row in rows
    )
    return Markup(
        '<table role="table">{}<thead role="rowgroup"><tr role="row">{}</tr></thead>'
        '<tbody role="rowgroup">\n{}\n</tbody></table>'
    ).format(caption, headers, body)


def _figure(row: dict[str, Any]) -> Markup:
    figure = Markup('<span class="figure">{}</span>').format(current_text(row["current"], row["unit"]))
    return figure if row["n"] is None else figure + Markup(" <small>n {}</small>").format(f"{row['n']:,}")


def _lasting(lasting: Sequence[AnomalyFinding]) -> Markup:
    articles = Markup("\n").join(
        _ARTICLE.format(
            tone=_SEVERE[finding.severity],
            title=one_line(finding.title),
            recommendation=one_line(finding.recommendation),
            facts=Markup("").join(
                Markup("<dt>{}</dt><dd>{}</dd>").format(name, one_line(said)) for name, said in _facts(finding)
            ),
        )
        for finding in lasting
    )
    return Markup("<h2>Active anomalies ({})</h2>\n{}").format(
        len(lasting), articles or Markup('<p class="say">None lasts now.</p>')
    )


def _over(over: Sequence[AnomalyFinding]) -> Markup:
    if not over:
        return Markup("")
    items = Markup("\n").join(Markup("<li>{}</li>").format(one_line(said)) for said in map(_past, over))
    return Markup("<h2>Over by now ({})</h2>\n<ul>{}</ul>").format(len(over), items)


def _facts(finding: AnomalyFinding) -> Iterator[tuple[str, str]]:
    yield "Severity", f"{finding.severity}: {finding.severity_reason}"
    yield "Since", format_time(finding.start_us)
    now = f"{current_text(finding.current, finding.unit)} (n {finding.n:,})"
    before = f", {current_text(finding.baseline, finding.unit)} before (n {finding.baseline_n:,})"
    yield finding.measure or "Now", now if math.isnan(finding.baseline) else now + before
    yield "Confidence", f"{finding.sure}: {finding.confidence_reason}"
    for name, hit in (
        ("Users hit", finding.affected_users),
        ("Sessions hit", finding.affected_sessions),
        ("Requests hit", finding.affected_requests),
    ):
        if hit is not None:
            yield name, str(hit)


def _past(finding: AnomalyFinding) -> str:
    lasted = format_duration((finding.end_us - finding.start_us) / US_PER_S)
    return f"{finding.title}: {finding.severity}, from {format_time(finding.start_us)} for {lasted}"


def _kicker(board: StatusBoard, title: str) -> str:
    return " · ".join(
        part
        for part in ("Status board", one_line(title), board.window.label(), f"as of {format_time(board.as_of_us)}")
        if part
    )


def _looked_at(findings: AnomalyFindings) -> str:
    short = f", {findings.series_too_short:,} were too short to be judged" if findings.series_too_short else ""
    return (
        f"Looked at {findings.series_scored:,} series with {findings.points_scored:,} points{short}; "
        f"an anomaly is a score of {findings.threshold:g} {one_line(findings.score_unit)} or more."
    )


def _markdown(board: StatusBoard, findings: AnomalyFindings, *, title: str, notice: str) -> str:
    lasting, over = active_findings(findings)
    lines = [f"# {STATUS_SIGNS[board.verdict]} {VERDICTS[board.verdict]}", "", plain(_kicker(board, title)), ""]
    lines += [f"**{plain(notice)}**", ""] if notice else []
    lines += [
        f"**{plain(board.sentence)}**",
        "",
        *_markdown_table(board),
        "",
        f"## Active anomalies ({len(lasting)})",
        "",
    ]
    for finding in lasting:
        facts = "; ".join(f"{name}: {said}" for name, said in _facts(finding))
        lines.append(f"- **{plain(finding.title)}** {plain(finding.recommendation)} {plain(facts)}")
    lines += [] if lasting else ["None lasts now."]
    lines += (
        ["", f"## Over by now ({len(over)})", "", *(f"- {plain(_past(finding))}" for finding in over)] if over else []
    )
    return "\n".join([*lines, "", plain(_looked_at(findings)), ""])


def _markdown_table(board: StatusBoard) -> Iterator[str]:
    if board.rows.is_empty():
        yield "No signal was recorded."
        return
    yield "| Signal | Of | Now | n | Before | Status | Trend | Why |"
    yield "| --- | --- | ---: | ---: | ---: | --- | --- | --- |"
    for row in board.rows.iter_rows(named=True):
        cells: Iterable[str] = (
            plain(row["signal"]),
            plain(row["about"]),
            current_text(row["current"], row["unit"]),
            "–" if row["n"] is None else f"{row['n']:,}",
            current_text(row["baseline"], row["unit"]),
            f"{STATUS_SIGNS[row['status']]} {row['status']}",
            f"{TREND_SIGNS[row['trend']]} {row['trend']}",
            plain(row["reason"]),
        )
        yield f"| {' | '.join(cells)} |"


def _json(board: StatusBoard, findings: AnomalyFindings, *, title: str, notice: str) -> str:
    lasting, over = active_findings(findings)
    document = {
        "schema": BOARD_SCHEMA_NAME,
        "title": title,
        "notice": notice,
        "window_us": [board.window.start_us, board.window.end_us],
        "as_of_us": board.as_of_us,
        "verdict": board.verdict,
        "sentence": board.sentence,
        "rows": board.rows.to_dicts(),
        "active": [_described(finding) for finding in lasting],
        "over": [_described(finding) for finding in over],
        "series_scored": findings.series_scored,
        "points_scored": findings.points_scored,
        "threshold": findings.threshold,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _described(finding: AnomalyFinding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "type": finding.type,
        "title": finding.title,
        "start_us": finding.start_us,
        "end_us": finding.end_us,
        "service_name": finding.service_name,
        "route": finding.route,
        "measure": finding.measure,
        "unit": finding.unit,
        "current": _finite(finding.current),
        "n": finding.n,
        "baseline": _finite(finding.baseline),
        "baseline_n": finding.baseline_n,
        "severity": finding.severity,
        "severity_reason": finding.severity_reason,
        "confidence": finding.confidence,
        "recommendation": finding.recommendation,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")
