"""The answer first: what of the errors is a bug, whom it hits, and what goes together with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.error_patterns import short_name_of
from prodintel_lib.headline import Headline
from prodintel_lib.markup import number

if TYPE_CHECKING:
    from prodintel_lib.analyses.correlation import Correlations
    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.error_correlation.suites import PatternTests
    from prodintel_lib.scenarios.ui_from_findings import UiTests

BUG: Final = "bug"
MAX_NAMED: Final = 3
_NAME_CHARS: Final = 80


def write_headline(
    patterns: ErrorPatterns, correlations: Correlations | None, tests: PatternTests, browser: UiTests | None
) -> Headline:
    """Sum up what was found.

    Parameters
    ----------
    patterns : ErrorPatterns
    correlations : Correlations or None
    tests : PatternTests
    browser : UiTests or None
    """
    seen = patterns.frame.filter(pl.col("occurrences") > 0)
    bugs = seen.filter(pl.col("class") == BUG)
    new = bugs.filter(pl.col("recurrence") == "first seen")
    title = f"No bug among {seen.height:,} error patterns" if seen.height else "No error was recorded"
    counted = f"{patterns.events:,} errors and warnings ({patterns.baseline_events:,} in the time before)"
    sentences = [f"{counted} are of {seen.height:,} patterns."]
    if bugs.height:
        first = [_named(row) for row in bugs.head(MAX_NAMED).iter_rows(named=True)]
        are = "is a bug" if bugs.height == 1 else "are bugs"
        title = f"{bugs.height:,} of {seen.height:,} error patterns {are}; first to look at: {first[0]}"
        sentences.append(f"First to look at: {'; '.join(first)}.")
        sentences.append(f"Not met in the time before: {new.height:,} of {bugs.height:,} bugs.")
    if correlations:
        sentences.append(correlations.answer)
    made = sum(len(suite.scenarios) for suite in tests.suites) + (len(browser.scenarios) if browser else 0)
    pairs = correlations.pairs.height if correlations else 0
    tested = (correlations.pairs_tested_in_time + correlations.pairs_tested_in_traces) if correlations else 0
    return Headline(
        title,
        " ".join(sentences),
        (
            ("errors and warnings", number(patterns.events), f"{patterns.baseline_events:,} in the time before", ""),
            ("bugs", number(bugs.height), f"of {seen.height:,} patterns", "bad" if bugs.height else "good"),
            ("go together", number(pairs), f"of {tested:,} pairs tested", ""),
            ("tests", number(made), f"{len(tests.left_out):,} patterns could not be tested", "good" if made else ""),
        ),
    )


def _named(row: dict[str, Any]) -> str:
    """Name a pattern by what is thrown where, else by what it says, with how often it was met and by whom."""
    what = short_name_of(row)
    what = what if len(what) <= _NAME_CHARS else what[: _NAME_CHARS - 1].rstrip() + "…"
    met = [row["service_name"], _counted(row["occurrences"], "time")]
    if row["people"]:
        met.append(_counted(row["people"], "client"))
    return f"{what} ({', '.join(part for part in met if part)})"


def _counted(n: int, thing: str) -> str:
    return f"{n:,} {thing}" + ("" if n == 1 else "s")
