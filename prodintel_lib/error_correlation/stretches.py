"""The stretches of time in which error patterns occurred most, each read once for everything that is made of it.

A pattern is the incident here: its busiest stretch is the time that was reported. Patterns whose stretches overlap
share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.error_patterns import find_pattern_traces
from prodintel_lib.analyses.findings import analyse_incident
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.incident import IncidentRecord
from prodintel_lib.analyses.telemetry import gather_telemetry, read_traces
from prodintel_lib.errors import NoDataError
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.analyses.incident import IncidentTelemetry
    from prodintel_lib.analyses.telemetry import LakeView

GAP_S: Final = 1800
LONGEST_S: Final = 7200
WITHIN_INCIDENT: Final = 0.5
UNTRACED: Final = "none of its occurrences names a trace, so nobody knows which request it was"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened while some patterns occurred.

    Attributes
    ----------
    view : LakeView
        With the clocks of that time set right.
    telemetry : IncidentTelemetry
    findings : IncidentFindings
        Of all that went wrong then, whatever pattern it met.
    traces : polars.DataFrame
        ``pattern_id, trace_id, time_us, error_service`` (error_patterns.find_pattern_traces).
    pattern_ids : tuple of str
        Those with traces.
    """

    view: LakeView
    telemetry: IncidentTelemetry
    findings: IncidentFindings
    traces: pl.DataFrame
    pattern_ids: tuple[str, ...]

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


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretches of some patterns.

    Attributes
    ----------
    found : tuple of Stretch
        In order of time.
    left_out : tuple of (str, str)
        A pattern's id, and why nothing can be looked at.
    """

    found: tuple[Stretch, ...]
    left_out: tuple[tuple[str, str], ...]


def read_stretches(view: LakeView, patterns: ErrorPatterns, pattern_ids: Sequence[str]) -> Stretches:
    """Read what happened while patterns occurred.

    Parameters
    ----------
    view : LakeView
    patterns : ErrorPatterns
    pattern_ids : sequence of str
    """
    busiest = {each: busiest_stretch(patterns.buckets, each, patterns.bucket_s) for each in pattern_ids}
    found: list[Stretch] = []
    left_out: list[tuple[str, str]] = []
    for window, members in _clusters(busiest):
        traces = find_pattern_traces(view, patterns, members, window)
        named = set(traces["pattern_id"])
        traced = tuple(each for each in members if each in named)
        left_out += [(each, UNTRACED) for each in members if each not in traced]
        if not traced:
            continue
        try:
            found.append(_read(view, traces, traced))
        except NoDataError as error:
            left_out += [(each, error.message) for each in traced]
    return Stretches(tuple(found), tuple(left_out))


def _read(view: LakeView, traces: pl.DataFrame, pattern_ids: tuple[str, ...]) -> Stretch:
    telemetry = gather_telemetry(view, _record(extent_of(traces)))
    corrected = view.with_clocks(telemetry.clocks)
    findings = analyse_incident(
        telemetry,
        slos=view.workspace.config.slos,
        read_traces=lambda trace_ids: read_traces(corrected, trace_ids, span=telemetry.span),
    )
    return Stretch(corrected, telemetry, findings, traces, pattern_ids)


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


def extent_of(traces: pl.DataFrame) -> Window:
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
