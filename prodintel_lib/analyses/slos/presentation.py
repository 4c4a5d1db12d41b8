"""An SLO report in words: for a terminal, and as the tables of a notebook."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.slos.wording import budget_text, burn_text, foreseen_text, share_text
from prodintel_lib.markup import Markup, Tone, figure_text, folded, number, paragraph, table, tone, with_note
from prodintel_lib.windows import format_duration, format_time

if TYPE_CHECKING:
    from prodintel_lib.analyses.slos.model import SloReport

COLUMNS: Final = 100
_MARKS: Final = {"bad": "✗", "watch": "!", "unknown": "?", "ok": "✓"}
_TONES: Final[dict[str, Tone]] = {"bad": "bad", "watch": "warn", "unknown": "soft", "ok": "good"}


def slo_lines(report: SloReport) -> list[str]:
    """Write a report in lines of at most 100 columns: two an objective, and its reason where it is not well."""
    lines = [f"As of {format_time(report.as_of_us)}{_staleness(report)}"]
    for is_proposed, heading in ((False, "Promised"), (True, "Not promised: what could be, after what was measured")):
        rows = report.objectives.filter(pl.col("is_proposed") == is_proposed)
        if not rows.is_empty():
            lines += ["", heading]
        for row in rows.iter_rows(named=True):
            lines += _objective_lines(report, row)
    if report.objectives.is_empty():
        lines += ["", "Nothing is promised in prodintel.yaml, and too little was recorded to propose anything."]
    if report.unpromised_routes:
        lines += ["", _unpromised(report)]
    return lines


def slo_markup(report: SloReport) -> Markup:
    """Lay a report out for a notebook: what was kept, how fast it burns, and what is foreseen."""
    said = paragraph(f"As of {format_time(report.as_of_us)}{_staleness(report)}")
    if report.objectives.is_empty():
        return said + paragraph(
            "Nothing is promised in prodintel.yaml, and too little was recorded to propose anything."
        )
    promised, proposed = (
        report.objectives.filter(pl.col("is_proposed") == is_proposed).to_dicts() for is_proposed in (False, True)
    )
    parts = [said]
    if promised:
        parts.append(_kept_table(report, promised, is_proposed=False))
    if proposed:
        label = f"{len(proposed):,} more could be promised" if promised else f"{len(proposed):,} could be promised"
        parts.append(folded(label, _kept_table(report, proposed, is_proposed=True)))
    if report.unpromised_routes:
        parts.append(paragraph(_unpromised(report)))
    return Markup("").join(parts)


def _objective_lines(report: SloReport, row: dict[str, Any]) -> list[str]:
    if row["is_proposed"] and row["status"] == "ok":
        return [_cut(f"{_head(row)}   kept {share_text(row['compliance'])} of {row['n']:,}")]
    if not row["n"]:
        return [_cut(_head(row)), *_labelled("not known", row["reason"])]
    burns = {now["window"]: burn_text(now["burn"]) for now in _of(report.now, row)}
    kept = f"{share_text(row['compliance'])} of {row['n']:,} ({share_text(row['low'])} to {share_text(row['high'])})"
    lines = [
        _cut(_head(row)),
        *_labelled("kept", f"{kept}{'' if row['is_exact'] else ', the limit true to 4 %'}"),
        *_labelled("budget left", budget_text(row["budget_left"])),
        *_labelled("burn", "   ".join(f"{name} {burns[name]}" for name in ("5m", "1h", "6h", "3d"))),
    ]
    if row["budget_left"] > 0:
        lines += _labelled("used up in", _ahead(report, row))
    if row["status"] != "ok":
        lines += _labelled(row["alert"] or row["status"], f"{row['reason']}{_until(row)}")
    return lines


def _ahead(report: SloReport, row: dict[str, Any]) -> str:
    known = _of(report.foreseen, row)
    if all(one["probability"] is None for one in known):
        return f"not known: {known[0]['reason']}"
    names = {"6h": "6 h", "24h": "24 h", "period": f"{row['period_days']} d"}
    return "   ".join(f"{names[one['horizon']]}: {foreseen_text(one['probability'])}" for one in known)


def _head(row: dict[str, Any]) -> str:
    return f"{_MARKS[row['status']]} {_clean(row['objective'])}"


def _cut(line: str) -> str:
    return line if len(line) <= COLUMNS else f"{line[: COLUMNS - 1]}…"


def _kept_table(report: SloReport, rows: list[dict[str, Any]], *, is_proposed: bool) -> Markup:
    cells = []
    for row in rows:
        burns = {now["window"]: now["burn"] for now in _of(report.now, row)}
        kept = "" if not row["n"] else f"{share_text(row['low'])} to {share_text(row['high'])}"
        share = "not known" if row["compliance"] is None else share_text(row["compliance"])
        stands = tone(f"{_MARKS[row['status']]} {row['status']}", _TONES[row["status"]])
        cells.append(
            [
                with_note(row["objective"], _said_of(row)),
                stands,
                with_note(figure_text(share, n=row["n"]), kept),
                with_note(budget_text(row["budget_left"]), _until(row).lstrip("; ")),
                *(burn_text(burns[name]) for name in ("5m", "1h", "6h", "3d")),
                _ahead_in_table(report, row),
            ]
        )
    headers = [
        "Not promised, but could be" if is_proposed else "Promise",
        "Stands",
        "Kept",
        "Budget left",
        *(f"Burn {name}" for name in ("5m", "1h", "6h", "3d")),
        "Used up in 6 h, 24 h, a period",
    ]
    caption = (
        "What could be promised: the strictest that the time before the window kept with certainty."
        if is_proposed
        else f"Burn 1 uses the budget up in exactly a period. Recorded: {number(rows[0]['recorded_h'])} h of "
        f"{rows[0]['period_days']} days; what was not recorded is taken to be like what was."
    )
    return table(headers, cells, align="llrrrrrrr", caption=caption)


def _ahead_in_table(report: SloReport, row: dict[str, Any]) -> str:
    if row["budget_left"] is not None and row["budget_left"] <= 0:
        return "already"
    known = {one["horizon"]: one["probability"] for one in _of(report.foreseen, row)}
    if all(probability is None for probability in known.values()):
        return "not known"
    return ", ".join(foreseen_text(known[horizon]) for horizon in ("6h", "24h", "period"))


def _said_of(row: dict[str, Any]) -> str:
    """Say why it stands as it does, and how it was counted."""
    return "; ".join(part for part in (row["reason"], "" if row["is_exact"] else "the limit is true to 4 %") if part)


def _of(frame: pl.DataFrame, row: dict[str, Any]) -> list[dict[str, Any]]:
    return frame.filter(pl.col("objective") == row["objective"]).to_dicts()


def _until(row: dict[str, Any]) -> str:
    if row["used_up_in_h"] is None or (row["budget_left"] or 0) <= 0:
        return ""
    return f"; at the last hour's burn the rest lasts {format_duration(row['used_up_in_h'] * 3600)}"


def _staleness(report: SloReport) -> str:
    late_s = (report.window.end_us - report.as_of_us) / 1_000_000
    if late_s <= 2 * report.bucket_s:
        return "."
    return f": nothing was recorded in the last {format_duration(late_s)} of the window."


def _unpromised(report: SloReport) -> str:
    routes = "1 more route has" if report.unpromised_routes == 1 else f"{report.unpromised_routes:,} more routes have"
    return f"{routes} no promise, and too few requests or too many failures to propose one."


def _labelled(label: str, said: str) -> list[str]:
    return textwrap.wrap(
        _clean(said), COLUMNS, initial_indent=f"    {label:<15}", subsequent_indent=" " * 19, break_on_hyphens=False
    )


def _clean(said: str) -> str:
    """Take out what moves a terminal's cursor or turns letters around."""
    return "".join(letter if letter.isprintable() else " " for letter in said)
