"""Whom a finding hit and what sets them apart: read from the requests of its time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.anomaly_findings.figures import choose_reference, figures_of, usual_limits_ms
from prodintel_lib.analyses.anomaly_findings.linking import Topology
from prodintel_lib.analyses.anomaly_findings.nearby import recommend
from prodintel_lib.analyses.anomaly_findings.roles import name_of
from prodintel_lib.analyses.anomaly_findings.severity import Circumstances, grade
from prodintel_lib.analyses.clocks import find_clock_offsets
from prodintel_lib.analyses.evidence import name_sessions
from prodintel_lib.analyses.incident import parse_context
from prodintel_lib.analyses.localisation import locate_requests
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomalies import Severity
    from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding, AnomalyFindings
    from prodintel_lib.analyses.localisation import Localisation
    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.telemetry import LakeView

MAX_REQUESTS: Final = 100_000
"""Requests whose attributes are looked through; of a longer event those from its start on."""
MIN_BAD: Final = 5
LOCATED: Final = ("ERROR_RATE_SPIKE", "LATENCY_DEGRADATION")
_LIGHT_SCHEMA: Final = {
    name: dtype for name, dtype in REQUESTS_SCHEMA.items() if not name.endswith(("_request_body", "_response_body"))
}
_COUNT_SCHEMA: Final = {"bad": pl.Int64(), "n": pl.Int64()}


@dataclass(frozen=True, slots=True)
class _Bad:
    """When a request counts as bad: it failed, or, for durations, it was slower than its route was."""

    by_duration: bool
    limits_ms: dict[str, float]

    def flag(self) -> nw.Expr:
        """Return 1 for a bad request, else 0."""
        bad = nw.col("failed")
        if self.by_duration:
            slow = nw.lit(0) == nw.lit(1)
            for route, limit_ms in self.limits_ms.items():
                slow = slow | ((nw.col("route") == route) & (nw.col("duration_ms") > limit_ms).fill_null(value=False))
            bad = bad | slow
        return nw.when(bad).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def locate_all(view: LakeView, findings: AnomalyFindings, production: Production, *, most: int = 20) -> AnomalyFindings:
    """Locate the first findings, the severest.

    Parameters
    ----------
    view : LakeView
    findings : AnomalyFindings
    production : Production
        That they were found in.
    most : int
        Further ones keep what the buckets tell.
    """
    located = [locate(view, one, production) for one in findings.findings[:most]]
    return replace(findings, findings=(*located, *findings.findings[most:]))


def locate(view: LakeView, finding: AnomalyFinding, production: Production) -> AnomalyFinding:
    """Read the requests of a finding's time: count whom it hit, and search what sets the bad ones apart.

    Parameters
    ----------
    view : LakeView
    finding : AnomalyFinding
    production : Production
        That it was found in.

    Returns
    -------
    AnomalyFinding
        As given where no request from outside went bad in it: a gauge or a drop of traffic has none to look at.

    Notes
    -----
    A request is bad when it failed, and, where durations of requests from outside rose, also when it was slower than
    ninety-nine of a hundred of its route in the time before. A user or a session is affected by one such request. Of
    more than MAX_REQUESTS requests those from the start on are searched for what sets them apart; people are counted
    over the whole time.
    """
    if finding.type not in LOCATED or finding.affected_requests is None:
        return finding
    topology = Topology.of(production)
    window = Window(finding.start_us, finding.end_us)
    around = window.widened(before_s=60, after_s=60)
    view = view.with_clocks(find_clock_offsets(view.scan("spans", around)))
    entries = build_requests(view.scan("spans", around), window=window).with_columns(
        _bad_of(finding, production, topology).flag().alias("bad")
    )
    requests = _count(entries)
    if not requests.hits:
        return replace(finding, affected_requests=requests)
    rows = _read_rows(view, entries, _cut(window, requests.n, production.bucket_us))
    places = _places_of(rows)
    severity, severity_reason = _grade_again(finding, requests)
    return replace(
        finding,
        severity=severity,
        severity_reason=severity_reason,
        affected_users=_count_by(entries, "user_id"),
        affected_sessions=_count_by(entries, "session_id"),
        affected_requests=requests,
        affected_routes=_routes_of(rows, finding),
        places=places,
        recommendation=recommend(
            finding.type,
            name=name_of(finding.series.row(0, named=True)),
            service=finding.service_name,
            origin=finding.origin_service,
            changes=finding.nearby_changes,
            places=places,
        ),
    )


def _bad_of(finding: AnomalyFinding, production: Production, topology: Topology) -> _Bad:
    slow = finding.series.filter(pl.col("signal") == "latency")
    by_duration = any(topology.is_entered(row) for row in slow.iter_rows(named=True))
    reference = choose_reference(production, finding.start_us)
    is_known = by_duration and reference is not None
    return _Bad(by_duration, usual_limits_ms(production, reference) if is_known and reference else {})


def _grade_again(finding: AnomalyFinding, affected: Proportion) -> tuple[Severity, str]:
    """Grade by the requests that were counted one by one, now that they are known."""
    return grade(
        Circumstances(
            type=finding.type,
            figures=figures_of(finding),
            is_felt=True,
            affected=affected,
            events=affected.hits,
            duration_s=(finding.end_us - finding.start_us) / US_PER_S,
            is_ongoing=finding.ongoing,
            is_for_the_worse=True,
        )
    )


def _cut(window: Window, requests: int, bucket_us: int) -> Window:
    if requests <= MAX_REQUESTS:
        return window
    length_us = max(bucket_us, (window.end_us - window.start_us) * MAX_REQUESTS // requests)
    return Window(window.start_us, min(window.end_us, window.start_us + length_us))


def _count(entries: nw.LazyFrame[Any]) -> Proportion:
    counted = entries.select(nw.col("bad").sum().alias("bad"), nw.col("bad").count().alias("n"))
    row = collect(counted, schema=_COUNT_SCHEMA, sort_by=("n",)).row(0, named=True)
    return Proportion.of(int(row["bad"] or 0), int(row["n"] or 0))


def _count_by(entries: nw.LazyFrame[Any], key: str) -> Proportion | None:
    """Count those with a bad request; None where the requests name none."""
    each = entries.filter(~nw.col(key).is_null()).group_by(key).agg(nw.col("bad").max())
    found = _count(each)
    return found if found.n else None


def _read_rows(view: LakeView, entries: nw.LazyFrame[Any], window: Window) -> pl.DataFrame:
    within = entries.filter(nw.col("time_us") >= window.start_us, nw.col("time_us") < window.end_us)
    schema = {**_LIGHT_SCHEMA, "bad": pl.Int64()}
    rows = view.private.frame(collect(within.select(*schema), schema=schema, sort_by=REQUESTS_KEYS))
    return name_sessions(parse_context(rows)).with_columns(pl.col("service_version").alias("context_release"))


def _places_of(rows: pl.DataFrame) -> Localisation | None:
    bad = rows.filter(pl.col("bad") > 0)["trace_id"].drop_nulls().unique().sort().to_list()
    return locate_requests(rows.drop("bad"), bad) if len(bad) >= MIN_BAD else None


def _routes_of(rows: pl.DataFrame, finding: AnomalyFinding) -> tuple[str, ...]:
    """Return the routes with abnormal series of their own, and those with as many bad requests as tell."""
    counted = rows.group_by("route").agg(pl.col("bad").sum()).filter(pl.col("bad") >= MIN_BAD)
    return tuple(sorted({*finding.affected_routes, *counted["route"].drop_nulls()}))
