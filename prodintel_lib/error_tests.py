"""Tests of error patterns: the requests that met a pattern are replayed as an incident's are.

A pattern is the incident here: its busiest stretch is the time that was reported, and a request is bad if it carries
the pattern and users felt it. Patterns of the same requests (the database's error and the gateway's that follows from
it) get one suite, named for the one that came first within the traces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.error_patterns import find_pattern_traces
from prodintel_lib.analyses.findings import IncidentFindings, analyse_incident
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.incident import IncidentRecord, digest_of
from prodintel_lib.analyses.telemetry import gather_telemetry, read_recorded_spans, read_traces
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import Markup, figure_text, paragraph, table, tag, text
from prodintel_lib.scenarios.from_findings import build_scenarios, choose_sessions
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.analyses.incident import IncidentTelemetry
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.model import Scenario, Suite
    from prodintel_lib.scenarios.recorded import Authorization

GAP_S: Final = 1800
LONGEST_S: Final = 7200
SAME_TRACES: Final = 0.8
_TITLE: Final = 120
WITHIN_INCIDENT: Final = 0.5
UNTRACED: Final = "none of its occurrences names a trace, so nobody knows which request it was"
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
    view: LakeView, patterns: ErrorPatterns, pattern_ids: Sequence[str], *, authorization: Authorization | None = None
) -> PatternTests:
    """Build tests that send again the requests which met a pattern.

    Parameters
    ----------
    view : LakeView
    patterns : ErrorPatterns
    pattern_ids : sequence of str
        The patterns to test, the most important first.
    authorization : Authorization, optional

    Returns
    -------
    PatternTests
        A pattern whose occurrences name no trace, or whose requests users did not feel, is left out with that reason.
    """
    stretches = {each: busiest_stretch(patterns.buckets, each, patterns.bucket_s) for each in pattern_ids}
    suites: list[PatternSuite] = []
    left_out: list[tuple[str, str]] = []
    for window, members in _clusters(stretches):
        traces = find_pattern_traces(view, patterns, members, window)
        traced = set(traces["pattern_id"])
        left_out += [(each, UNTRACED) for each in members if each not in traced]
        if not traced:
            continue
        try:
            stretch = _read(view, traces, authorization)
        except NoDataError as error:
            left_out += [(each, error.message) for each in members if each in traced]
            continue
        for group in _groups(stretch, [each for each in members if each in traced]):
            try:
                suite = _suite(stretch, group, patterns)
            except NoDataError as error:
                left_out += [(each, error.message) for each in group]
                continue
            suites.append(PatternSuite(tuple(group), _extent(stretch.of(group)), suite, _brings_about(suite)))
    order = {each: place for place, each in enumerate(pattern_ids)}
    suites.sort(key=lambda suite: min(order[each] for each in suite.pattern_ids))
    return PatternTests(tuple(suites), tuple(sorted(left_out, key=lambda left: order[left[0]])))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What happened while some patterns occurred, read once for all of them."""

    view: LakeView
    telemetry: IncidentTelemetry
    findings: IncidentFindings
    traces: pl.DataFrame
    authorization: Authorization | None

    def of(self, group: Collection[str]) -> pl.DataFrame:
        """Return the traces of some patterns."""
        return self.traces.filter(pl.col("pattern_id").is_in(list(group)))

    def felt(self, group: Collection[str]) -> pl.DataFrame:
        """Return the requests that met one of some patterns and went bad."""
        carried = self.of(group)["trace_id"].unique()
        return self.findings.requests.filter(pl.col("bad") & pl.col("trace_id").is_in(carried.implode()))

    def route_within(self, group: Collection[str]) -> str:
        """Return the route on which users met the patterns, where it was in the stretch's own incident; else nothing.

        That is so where at least half of the bad requests that met them lie within the abnormal interval: failures
        that come in bursts have their strongest one there.
        """
        bad = self.felt(group)
        inside = within(bad, self.findings.onset.window)
        if self.findings.onset.basis != "requests" or inside.height < WITHIN_INCIDENT * bad.height or inside.is_empty():
            return ""
        return str(inside["route"].mode().sort()[0])


def _read(view: LakeView, traces: pl.DataFrame, authorization: Authorization | None) -> _Stretch:
    telemetry = gather_telemetry(view, _record(_extent(traces)))
    corrected = view.with_clocks(telemetry.clocks)
    findings = analyse_incident(
        telemetry,
        slos=view.workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(corrected, trace_ids, span=telemetry.span),
    )
    return _Stretch(corrected, telemetry, findings, traces, authorization)


def _groups(stretch: _Stretch, pattern_ids: Sequence[str]) -> list[list[str]]:
    """Put together what one suite speaks of: patterns of one route in one incident, else those of the same traces."""
    by_route: dict[str, list[str]] = {}
    for each in pattern_ids:
        by_route.setdefault(stretch.route_within([each]), []).append(each)
    alone = by_route.pop("", [])
    met = _met(stretch.traces)
    return [_first_first(group, met) for group in by_route.values()] + group_by_traces(stretch.traces, alone)


def _suite(stretch: _Stretch, group: Sequence[str], patterns: ErrorPatterns) -> Suite:
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
        made = _build(stretch, findings)
        of_route = tuple(scenario for scenario in made.scenarios if scenario.symptom.route == route)
        if of_route:
            return made.model_copy(update={"scenarios": of_route})
    if stretch.felt(group).is_empty():
        raise NoDataError(NOT_FELT)
    return _build(stretch, _told_of(stretch, patterns, group, alone=True))


def _build(stretch: _Stretch, findings: IncidentFindings) -> Suite:
    if not findings.subject_route:
        raise NoDataError(NOT_FELT)
    config = stretch.view.workspace.config
    recorded = read_recorded_spans(stretch.view, findings, sessions=choose_sessions(findings))
    made = build_scenarios(
        findings, recorded, slos=config.slos, proxies=config.proxies, authorization=stretch.authorization
    )
    if made.suite is None:
        raise NoDataError(made.reason)
    return made.suite


def busiest_stretch(buckets: pl.DataFrame, pattern_id: str, bucket_s: int) -> Window:
    """Return the stretch without a gap of half an hour in which a pattern occurred most, at most two hours of it.

    Parameters
    ----------
    buckets : polars.DataFrame
        ``pattern_id, bucket_us, rows``.
    pattern_id : str
    bucket_s : int
        Width of a bucket.

    Examples
    --------
    >>> minutes = [0, 10, 150]
    >>> counts = pl.DataFrame({"pattern_id": "a", "bucket_us": [m * 60_000_000 for m in minutes], "rows": [2, 2, 3]})
    >>> busiest_stretch(counts, "a", 600).duration_s
    1200.0
    """
    gap_us, width_us, longest_us = GAP_S * US_PER_S, bucket_s * US_PER_S, max(LONGEST_S, bucket_s) * US_PER_S
    own = buckets.filter((pl.col("pattern_id") == pattern_id) & (pl.col("rows") > 0)).sort("bucket_us")
    breaks = (pl.col("bucket_us").diff().fill_null(0) > gap_us + width_us).cum_sum().alias("run")
    runs = own.with_columns(breaks).with_columns(
        ((pl.col("bucket_us") - pl.col("bucket_us").min().over("run")) // longest_us).alias("part")
    )
    counted = runs.group_by("run", "part").agg(
        pl.col("rows").sum(), pl.col("bucket_us").min().alias("first_us"), pl.col("bucket_us").max().alias("last_us")
    )
    best = counted.sort("rows", "first_us", descending=[True, False]).row(0, named=True)
    return Window(best["first_us"], best["last_us"] + width_us)


def _clusters(stretches: dict[str, Window]) -> Iterator[tuple[Window, list[str]]]:
    """Put patterns whose stretches overlap together: their telemetry is read once."""
    members: list[str] = []
    start_us = end_us = 0
    for each, window in sorted(stretches.items(), key=lambda item: (item[1].start_us, item[0])):
        if members and window.start_us < end_us:
            members.append(each)
            end_us = max(end_us, window.end_us)
            continue
        if members:
            yield Window(start_us, end_us), members
        members, start_us, end_us = [each], window.start_us, window.end_us
    if members:
        yield Window(start_us, end_us), members


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


def _extent(traces: pl.DataFrame) -> Window:
    """Return the time from the first occurrence to just after the last."""
    first_us, last_us = traces.select(
        pl.col("time_us").min().alias("first"), pl.col("time_us").max().alias("last")
    ).row(0)
    return Window(first_us, last_us + 1)


def _record(window: Window) -> IncidentRecord:
    """Return the stretch as an incident that was reported for it."""
    return IncidentRecord(
        incident_id="patterns",
        title="",
        description="",
        severity="",
        status="",
        service_name="",
        url="",
        source="error pattern",
        reported=window,
        acknowledged_us=None,
        is_open=False,
    )


def _told_of(
    stretch: _Stretch, patterns: ErrorPatterns, group: Sequence[str], *, alone: bool = False
) -> IncidentFindings:
    """Return the findings of a stretch as those of a group of patterns; `alone`: of the requests that met them only."""
    row = patterns.row(group[0])
    title = patterns.label(group[0])
    carried = stretch.of(group)
    record = replace(
        stretch.telemetry.record,
        incident_id=group[0],
        title=title if len(title) <= _TITLE else title[: _TITLE - 1] + "…",
        severity=row["priority"],
        service_name=row["service_name"],
        reported=_extent(carried),
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
