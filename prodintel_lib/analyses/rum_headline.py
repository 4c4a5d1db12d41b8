"""What users do, in one sentence and four figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from prodintel_lib.analyses.journeys.drop_off import RAISES
from prodintel_lib.headline import Headline
from prodintel_lib.markup import Markup, number, percent

if TYPE_CHECKING:
    from prodintel_lib.analyses.experience import Experience
    from prodintel_lib.analyses.journeys import JourneyFindings
    from prodintel_lib.headline import Tile


def write_rum_headline(findings: JourneyFindings, experience: Experience) -> Headline:
    """Say what users do and what raises drop-off the most."""
    counts, journeys = findings.counts, findings.journeys
    raised = findings.drop_offs.reasons.filter(pl.col("verdict") == RAISES).sort(
        "attributable_sessions", descending=True
    )
    bugs = experience.errors.patterns.filter((pl.col("class") == "bug") & ~pl.col("is_rare"))
    converted = counts.conversion
    said = [f"{counts.sessions:,} sessions of {counts.visitors:,} visitors saw {counts.views:,} pages"]
    if converted is not None:
        said.append(f"{converted} of them converted")
    sentences = [", ".join(said) + "."]
    if journeys.frame.height:
        first = journeys.frame.row(0, named=True)
        sentences.append(f"The most frequent journey, {first['path']}, is {100 * first['share']:.1f} % of sessions.")
    sentences += [raised_sentence(row) for row in raised.head(2).iter_rows(named=True)]
    if bugs.height:
        are = "pattern is a bug" if bugs.height == 1 else "patterns are bugs"
        sentences.append(f"{bugs.height} front-end error {are}.")
    title = f"{counts.sessions:,} sessions, and nothing that was measured raises drop-off"
    if raised.height:
        worst = raised.row(0, named=True)
        title = f"{_met(worst)} ends about {worst['attributable_sessions']:,.0f} of {counts.sessions:,} sessions"
    tiles: tuple[Tile, ...] = (
        ("sessions", number(counts.sessions), f"{counts.visitors:,} visitors", ""),
        ("converted", percent(converted.share) if converted else Markup("&ndash;"),
         str(converted) if converted else "no conversion is named", ""),
        ("reasons that raise drop-off", number(raised.height), f"of {findings.drop_offs.comparisons:,} comparisons",
         "bad" if raised.height else "good"),
        ("front-end bugs", number(bugs.height), f"of {experience.errors.patterns.height:,} error patterns",
         "bad" if bugs.height else "good"),
    )  # fmt: skip
    return Headline(title, " ".join(sentences), tiles)


def _met(row: dict[str, Any]) -> str:
    article = "" if row["reason"] == "back and forth" else "An " if row["reason"][0] in "aeiou" else "A "
    what = f"{article}{row['reason']} on {row['route']}"
    return what[0].upper() + what[1:]


def raised_sentence(row: dict[str, Any]) -> str:
    """Say by how much a reason raises drop-off; `row` is one of DropOffs.reasons."""
    return (
        f"{_met(row)} raises drop-off there by {100 * row['risk_difference']:.1f} points "
        f"(95 % CI {100 * row['low']:.1f} to {100 * row['high']:.1f}, {row['exposed']:,} sessions met it): "
        f"about {row['attributable_sessions']:,.0f} sessions."
    )
