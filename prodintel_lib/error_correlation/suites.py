"""Tests of error patterns: the requests that met a pattern are replayed as an incident's are.

A pattern is the incident here: its busiest stretch is the time that was reported, and a request is bad if it carries
the pattern and users felt it. Patterns of the same requests (the database's error and the gateway's that follows from
it) get one suite, named for the one that came first within the traces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.error_patterns import short_name_of
from prodintel_lib.analyses.findings import IncidentFindings, analyse_incident
from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.analyses.telemetry import read_recorded_spans, read_traces
from prodintel_lib.error_correlation.stretches import extent_of
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import Markup, figure_text, paragraph, table, tag, text
from prodintel_lib.scenarios.from_findings import build_scenarios, choose_sessions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import polars as pl

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.error_correlation.stretches import Stretch, Stretches
    from prodintel_lib.scenarios.model import Scenario, Suite
    from prodintel_lib.scenarios.recorded import Authorization
    from prodintel_lib.windows import Window

SAME_TRACES: Final = 0.8
_TITLE: Final = 120
NOT_FELT: Final = "every request that met it was answered, and in time: nothing that a client could hold it to"


@dataclass(frozen=True, slots=True)
class PatternSuite:
    """The tests of one pattern, or of several that the same requests met.

    Attributes
    ----------
    pattern_ids : tuple of str
        The one the suite is named for first.
    window : Window
        The stretch it was learned from.
    suite : Suite
    follows : str
        What the tests bring about and assert not to lead to the pattern; empty where they bring nothing about.
    """

    pattern_ids: tuple[str, ...]
    window: Window
    suite: Suite
    follows: str = ""

    @property
    def name(self) -> str:
        """The pattern it is named for, and the folder of its files."""
        return self.pattern_ids[0]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios of the suite."""
        return self.suite.scenarios


@dataclass(frozen=True, slots=True)
class PatternTests:
    """The tests that could be made of patterns, and why others could not.

    Attributes
    ----------
    suites : tuple of PatternSuite
    left_out : tuple of (str, str)
        A pattern's id, and why there is no test of it.
    """

    suites: tuple[PatternSuite, ...]
    left_out: tuple[tuple[str, str], ...]

    def _repr_html_(self) -> str:
        rows = [
            [
                tag(scenario.priority),
                figure_text(suite.suite.title, note=", ".join(suite.pattern_ids)),
                text(scenario.title),
                text("; ".join(condition.seen for condition in scenario.conditions) or "no condition known"),
                text("; ".join(expectation.oracle for expectation in scenario.expectations[:1])),
            ]
            for suite in self.suites
            for scenario in suite.scenarios
        ]
        headers = ["Priority", "Pattern", "Behaviour to hold", "Under", "Oracle"]
        caption = f"{len(rows)} tests of {len(self.suites)} groups of patterns, each as pytest and Gherkin."
        made = table(headers, rows, caption=caption)
        left = [[text(what), text(why)] for what, why in self.left_out]
        missed = table(["No test of", "Why"], left) if left else Markup("")
        return str((made if rows else paragraph("No test could be made by sending requests again.")) + missed)


def build_pattern_tests(
    stretches: Stretches,
    patterns: ErrorPatterns,
    pattern_ids: Sequence[str],
    *,
    authorization: Authorization | None = None,
) -> PatternTests:
    """Build tests that send again the requests which met a pattern.

    Parameters
    ----------
    stretches : Stretches
        Of these patterns.
    patterns : ErrorPatterns
    pattern_ids : sequence of str
        The patterns to test, the most important first.
    authorization : Authorization, optional

    Returns
    -------
    PatternTests
        A pattern whose occurrences name no trace, or whose requests users did not feel, is left out with that reason.
    """
    suites: list[PatternSuite] = []
    left_out = list(stretches.left_out)
    for stretch in stretches.found:
        for group in _groups(stretch):
            try:
                suite = _suite(stretch, group, patterns, authorization)
            except NoDataError as error:
                left_out += [(each, error.message) for each in group]
                continue
            suites.append(PatternSuite(tuple(group), extent_of(stretch.of(group)), suite, _brings_about(suite)))
    order = {each: place for place, each in enumerate(pattern_ids)}
    suites.sort(key=lambda suite: min(order[each] for each in suite.pattern_ids))
    return PatternTests(tuple(suites), tuple(sorted(left_out, key=lambda left: order[left[0]])))


def _groups(stretch: Stretch) -> list[list[str]]:
    """Put together what one suite speaks of: patterns of one route in one incident, else those of the same traces."""
    by_route: dict[str, list[str]] = {}
    for each in stretch.pattern_ids:
        by_route.setdefault(stretch.route_within([each]), []).append(each)
    alone = by_route.pop("", [])
    met = _met(stretch.traces)
    return [_first_first(group, met) for group in by_route.values()] + group_by_traces(stretch.traces, alone)


def _suite(
    stretch: Stretch, group: Sequence[str], patterns: ErrorPatterns, authorization: Authorization | None
) -> Suite:
    """Build the suite of a group: as part of its stretch's incident, else from its own requests alone.

    Raises
    ------
    NoDataError
        If there can be none.
    """
    route = stretch.route_within(group)
    if route:
        findings = _told_of(stretch, patterns, group)
        if route != findings.subject_route:
            findings = replace(findings, collateral_route=route)
        made = _build(stretch, findings, authorization)
        of_route = tuple(scenario for scenario in made.scenarios if scenario.symptom.route == route)
        if of_route:
            return made.model_copy(update={"scenarios": of_route})
    if stretch.felt(group).is_empty():
        raise NoDataError(NOT_FELT)
    return _build(stretch, _told_of(stretch, patterns, group, alone=True), authorization)


def _build(stretch: Stretch, findings: IncidentFindings, authorization: Authorization | None) -> Suite:
    if not findings.subject_route:
        raise NoDataError(NOT_FELT)
    config = stretch.view.workspace.config
    recorded = read_recorded_spans(stretch.view, findings, sessions=choose_sessions(findings))
    made = build_scenarios(findings, recorded, slos=config.slos, proxies=config.proxies, authorization=authorization)
    if made.suite is None:
        raise NoDataError(made.reason)
    return made.suite


def group_by_traces(traces: pl.DataFrame, pattern_ids: Sequence[str]) -> list[list[str]]:
    """Put patterns that the same traces met together, the one that came first within the traces first.

    Two belong together where at least four fifths of the traces of the smaller one are the other's, and of the larger.

    Parameters
    ----------
    traces : polars.DataFrame
        ``pattern_id, trace_id, time_us``.
    pattern_ids : sequence of str
    """
    met = _met(traces)
    groups: list[list[str]] = []
    for each in sorted(pattern_ids, key=lambda name: (-len(met.get(name, {})), name)):
        own = met.get(each, {})
        home = next((group for group in groups if _share(own, met.get(group[0], {})) >= SAME_TRACES), None)
        if own and home is not None:
            home.append(each)
        else:
            groups.append([each])
    return [_first_first(group, met) for group in groups]


def _met(traces: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return when each pattern was met in each trace."""
    return {
        str(key[0]): dict(zip(part["trace_id"], part["time_us"], strict=True))
        for key, part in traces.group_by("pattern_id")
    }


def _share(one: Collection[str], other: Collection[str]) -> float:
    larger = max(len(one), len(other))
    return len(set(one) & set(other)) / larger if larger else 0.0


def _first_first(group: list[str], met: dict[str, dict[str, int]]) -> list[str]:
    """Order patterns by how often each was the first of its trace: what follows from another comes after it."""
    wins = dict.fromkeys(group, 0)
    for trace in set().union(*(met.get(each, {}) for each in group)):
        present = [each for each in group if trace in met.get(each, {})]
        wins[min(present, key=lambda each: (met[each][trace], each))] += 1
    return sorted(group, key=lambda each: (-wins[each], each))


def _told_of(
    stretch: Stretch, patterns: ErrorPatterns, group: Sequence[str], *, alone: bool = False
) -> IncidentFindings:
    """Return the findings of a stretch as those of a group of patterns; `alone`: of the requests that met them only."""
    row = patterns.row(group[0])
    title = short_name_of(row)
    carried = stretch.of(group)
    record = replace(
        stretch.telemetry.record,
        incident_id=group[0],
        title=title if len(title) <= _TITLE else title[: _TITLE - 1] + "…",
        severity=row["priority"],
        service_name=row["service_name"],
        reported=extent_of(carried),
    )
    digest = digest_of(group[0], stretch.telemetry.digest)
    if not alone:
        return replace(stretch.findings, record=record, digest=digest)
    return analyse_incident(
        replace(stretch.telemetry, record=record, digest=digest),
        slos=stretch.view.workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(stretch.view, trace_ids, span=stretch.telemetry.span),
        carrying=carried["trace_id"].unique().sort().to_list(),
    )


def _brings_about(suite: Suite) -> str:
    """Say what the tests of a suite bring about before they look."""
    seen = (condition.seen for scenario in suite.scenarios for condition in scenario.conditions)
    return next(seen, "")
