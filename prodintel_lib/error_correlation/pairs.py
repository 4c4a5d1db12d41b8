"""Which test brings about the first of a correlated pair, and asserts that the second does not follow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.markup import DASH, Markup, figure_text, paragraph, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from prodintel_lib.error_correlation.suites import PatternSuite, PatternTests

MAX_PAIRS: Final = 50
MAX_SHOWN: Final = 8
PATTERN: Final = "pattern"


@dataclass(frozen=True, slots=True)
class PairTest:
    """A pair, and the test that holds its ends apart.

    Attributes
    ----------
    first, second : str
        Their labels.
    suite : str
        The pattern that the suite is named for; empty where there is none.
    scenarios : tuple of str
        Ids of the scenarios that bring the first about.
    how : str
        What is brought about, or why nothing is.
    """

    first: str
    second: str
    suite: str
    scenarios: tuple[str, ...]
    how: str


@dataclass(frozen=True, slots=True)
class PairTests:
    """The pairs that end in an error, and the integration test of each or why there is none."""

    found: tuple[PairTest, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return them as plain JSON values."""
        return [asdict(one) for one in self.found]

    def _repr_html_(self) -> str:
        if not self.found:
            return str(paragraph("No error goes together with anything, so there is no pair to hold apart."))
        rows = [
            [
                Markup("{}<br>\N{RIGHTWARDS ARROW} {}").format(text(one.first), text(one.second)),
                figure_text(one.suite, note=f"{len(one.scenarios)} scenarios") if one.suite else DASH,
                text(one.how),
            ]
            for one in self.found[:MAX_SHOWN]
        ]
        more = len(self.found) - len(rows)
        caption = f"{more} more pairs are in result.json." if more > 0 else ""
        return str(table(["Brought about, and what must not follow", "Tests of", "How"], rows, caption=caption))


def cover_pairs(pairs: pl.DataFrame, tests: PatternTests, *, families: Mapping[str, str]) -> PairTests:
    """Find for each correlated pair the test that brings about its first and asserts that its second does not follow.

    Parameters
    ----------
    pairs : polars.DataFrame
        Correlations.pairs.
    tests : PatternTests
    families : mapping of str to str
        Of signals of calls: dependency and caller, ``card-processor by payment``.

    Returns
    -------
    PairTests
        A dependency's trouble and an error have the suite of the error whose condition is a fault of that dependency.
        Two errors have the suite whose requests met both: it does what led to the first, and holds the answer to
        health. An error and the slowness that follows it have the error's suite, which asserts answers in time.
    """
    suites = {each: suite for suite in tests.suites for each in suite.pattern_ids}
    reasons = dict(tests.left_out)
    ending = [row for row in pairs.iter_rows(named=True) if PATTERN in (row["first_kind"], row["second_kind"])]
    return PairTests(tuple(_cover(row, suites, reasons, families) for row in ending[:MAX_PAIRS]))


def _cover(
    row: dict[str, Any], suites: Mapping[str, PatternSuite], reasons: Mapping[str, str], families: Mapping[str, str]
) -> PairTest:
    labels = row["first_label"], row["second_label"]
    error = row["second"] if row["second_kind"] == PATTERN else row["first"]
    suite = suites.get(error)
    if suite is None:
        return PairTest(*labels, "", (), reasons.get(error, "the error was not chosen for a test"))
    every = tuple(scenario.id for scenario in suite.scenarios)
    if row["first_kind"] == PATTERN:
        if row["second_kind"] == PATTERN and row["first"] not in suite.pattern_ids:
            return PairTest(*labels, "", (), "no recorded request met both of them and can be sent again")
        return PairTest(*labels, suite.name, every, suite.follows or "the requests that met it, as recorded")
    found = tuple(_bringing_about(families.get(row["first"], ""), suite))
    if found:
        return PairTest(*labels, suite.name, found, suite.follows)
    return PairTest(*labels, "", (), "no fault of a dependency was recorded that would bring it about")


def _bringing_about(calls: str, suite: PatternSuite) -> Iterator[str]:
    """List the scenarios with a fault of the dependency that a signal speaks of: ``card-processor by payment``."""
    dependency = calls.rpartition(" by ")[0]
    for scenario in suite.scenarios:
        faults = (condition for condition in scenario.conditions if condition.kind == "dependency_fault")
        if any(fault.dependency == dependency for fault in faults):
            yield scenario.id
