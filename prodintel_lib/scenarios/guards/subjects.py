"""What guards may be made of: a signal, the time it was abnormal, and the entry routes that may show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding
    from prodintel_lib.analyses.production import Production
    from prodintel_lib.scenarios.guards.model import GuardKind

KINDS: Final[dict[str, GuardKind]] = {
    "error_ratio": "error_ratio",
    "latency": "latency",
    "throughput": "throughput",
    "conversion": "conversion",
}
"""Signals whose healthy level a client can ask for."""

ROUTES_TRIED: Final = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """One signal that was abnormal for a while.

    Attributes
    ----------
    finding_id, title : str
        What it was seen in.
    kind : {"error_ratio", "latency", "throughput", "conversion"} or None
        None where no client can ask for it.
    window : Window
        When it was abnormal.
    routes : tuple of str
        Entry routes, method and template, that may show it, the likeliest first; empty for a journey.
    avoid : tuple of Window
        Other times that were not healthy.
    """

    finding_id: str
    title: str
    kind: GuardKind | None
    window: Window
    routes: tuple[str, ...] = ()
    avoid: tuple[Window, ...] = ()

    @property
    def label(self) -> str:
        """Which finding it is of, for people."""
        return f"{self.finding_id}: {self.title}"


def subjects_of(findings: Sequence[AnomalyFinding], production: Production) -> Iterator[Subject]:
    """Yield what each finding shows, its main signal first; a finding no client can ask for has kind None."""
    for finding in findings:
        window = Window(finding.start_us, finding.end_us)
        avoid = tuple(Window(each.start_us, each.end_us) for each in findings if each is not finding)
        kinds = _kinds_of(finding)
        for kind in kinds:
            routes = () if kind == "conversion" else _routes(finding, kind, production)
            yield Subject(finding.id, finding.title, kind, window, routes, avoid)
        if not kinds:
            yield Subject(finding.id, finding.title, None, window)


def _kinds_of(finding: AnomalyFinding) -> list[GuardKind]:
    worse = finding.series.filter(pl.col("is_worse"))["signal"].to_list()
    found = dict.fromkeys(KINDS[signal] for signal in (finding.signal, *worse) if signal in KINDS)
    # More requests than usual are no fault of the system's.
    if finding.type == "THROUGHPUT_SURGE":
        found.pop("throughput", None)
    return list(found)


def _routes(finding: AnomalyFinding, kind: GuardKind, production: Production) -> tuple[str, ...]:
    """Return entry routes that may show the signal: those of the finding's own series, else the busiest."""
    entries = production.requests.filter(
        pl.col("is_entry") & pl.col("bucket_us").is_between(finding.start_us, finding.end_us - 1)
    )
    by_traffic = entries.group_by("route").agg(pl.col("requests").sum())
    busiest = by_traffic.sort(["requests", "route"], descending=[True, False])
    known = [route for route in busiest["route"].to_list() if route]
    members = finding.series.filter(pl.col("is_worse") & (pl.col("signal") == kind))
    named = dict.fromkeys((finding.route, *members["route"].to_list(), *finding.affected_routes))
    own = [route for route in named if route in known]
    # A series of a whole service, of a region or of an inner route names no entry route: any may show it.
    is_whole = bool(members.filter(~pl.col("route").is_in(known)).height)
    return tuple(dict.fromkeys(own + (known if is_whole or not own else [])))[:ROUTES_TRIED]
