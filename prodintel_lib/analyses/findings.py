"""The incident understood: every analysis of it in one place, and the sentence that sums them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.blast import BlastRadius, measure_blast_radius
from prodintel_lib.analyses.causes import Causes, find_degraded_dependencies, rank_causes
from prodintel_lib.analyses.differences import Differences, compare_conditions
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.onset import SLOW_RATIO, Onset, find_onset, mark_bad_requests
from prodintel_lib.analyses.paths import ServiceMap, TracePath, build_service_map, choose_traces, compare_paths
from prodintel_lib.analyses.signatures import Signatures, group_failures
from prodintel_lib.analyses.timeline import Timeline, build_timeline
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import facts, paragraph, text
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prodintel_lib.analyses.differences import Difference
    from prodintel_lib.analyses.incident import IncidentRecord, IncidentTelemetry
    from prodintel_lib.windows import Window
    from prodintel_lib.workspace import RouteSlo

WORST_ROUTES: Final = 3
MIN_ROUTE_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Headline:
    """What happened, in one sentence and four figures.

    Attributes
    ----------
    title : str
        Short enough for a title.
    sentence : str
        What broke, for whom, how long, through what.
    tiles : tuple
        Label, figure, remark, tone.
    """

    title: str
    sentence: str
    tiles: tuple[tuple[str, str, str, str], ...]

    def _repr_html_(self) -> str:
        tiles = [(label, figure, remark, kind) for label, figure, remark, kind in self.tiles]
        return str(paragraph(text(self.sentence), kind="lead") + facts(tiles))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class IncidentFindings:
    """Everything found about one incident.

    Attributes
    ----------
    subject_route : str
        The route whose failure users met most; empty where no request was bad.
    subject_in_flight : int
        Most of its requests in flight at once during the incident.
    collateral_route : str
        The worst route whose healthy requests do not call the degraded dependency; empty where there is none.
    context_shares : dict
        For each attribute of the requests with few values: the shares of its values among the bad ones.
    context_medians : dict
        For each numeric attribute: its median among the bad ones, and their number.
    """

    record: IncidentRecord
    digest: str
    span: Window
    onset: Onset
    timeline: Timeline
    blast: BlastRadius
    differences: Differences
    service_map: ServiceMap
    path: TracePath | None
    signatures: Signatures
    causes: Causes
    headline: Headline
    changes: pl.DataFrame
    requests: pl.DataFrame
    calls: pl.DataFrame
    red: pl.DataFrame
    subject_route: str
    subject_in_flight: int
    collateral_route: str
    context_shares: dict[str, dict[str, float]]
    context_medians: dict[str, tuple[float, int]]


def analyse_incident(
    telemetry: IncidentTelemetry,
    *,
    slos: Sequence[RouteSlo],
    read_traces: Callable[[Sequence[str]], pl.DataFrame],
) -> IncidentFindings:
    """Analyse one incident.

    Parameters
    ----------
    telemetry : IncidentTelemetry
    slos : sequence of RouteSlo
    read_traces : callable
        Returns all spans of the named traces, with ``dependency`` for calls.

    Raises
    ------
    NoDataError
        If there are no requests, or none before the onset.
    """
    requests = mark_bad_requests(telemetry.requests, slos=slos)
    onset = find_onset(requests, span=telemetry.span, reported=telemetry.record.reported)
    window, baseline = onset.window, onset.baseline
    blast = measure_blast_radius(requests, window=window, baseline=baseline, calls=telemetry.calls)
    differences = compare_conditions(
        calls=telemetry.calls,
        requests=requests,
        points=telemetry.points,
        in_flight=telemetry.in_flight,
        window=window,
        baseline=baseline,
    )
    service_map = build_service_map(telemetry.calls, window=window, baseline=baseline)
    degraded = find_degraded_dependencies(differences, service_map)
    subject, collateral = choose_routes(requests, telemetry.calls, onset, degraded)
    path = _compare(requests, subject, onset, _carriers(telemetry.calls, degraded, onset), read_traces)
    causes = rank_causes(
        changes=telemetry.changes,
        requests=requests,
        calls=telemetry.calls,
        onset=onset,
        differences=differences,
        service_map=service_map,
        path=path,
    )
    signatures = group_failures(requests, telemetry.error_spans, window=window)
    return IncidentFindings(
        record=telemetry.record,
        digest=telemetry.digest,
        span=telemetry.span,
        onset=onset,
        timeline=build_timeline(
            requests=requests,
            changes=telemetry.changes,
            alerts=telemetry.alerts,
            onset=onset,
            span=telemetry.span,
        ),
        blast=blast,
        differences=differences,
        service_map=service_map,
        path=path,
        signatures=signatures,
        causes=causes,
        headline=write_headline(telemetry.record, onset, blast, degraded, causes, differences),
        changes=telemetry.changes,
        requests=requests,
        calls=telemetry.calls,
        red=telemetry.red,
        subject_route=subject,
        subject_in_flight=peak_in_flight(requests, subject, window),
        collateral_route=collateral,
        context_shares=_context_shares(requests, window),
        context_medians=_context_medians(requests, window),
    )


def choose_routes(
    requests: pl.DataFrame, calls: pl.DataFrame, onset: Onset, degraded: Sequence[Difference]
) -> tuple[str, str]:
    """Choose the route that stands for the incident, and one that suffered without needing what is degraded.

    The subject is the route with the highest share of bad requests among those whose healthy traces call the degraded
    dependency (all routes where none is degraded); the collateral is the one with the most bad requests among the
    others that were abnormal. Routes with less than one per cent of the bad requests are passed over.
    """
    during = within(requests, onset.window)
    bad = int(during["bad"].sum())
    counts = (
        during.group_by("route")
        .agg(pl.col("bad").sum().alias("hits"), pl.col("bad").mean().alias("share"))
        .filter(pl.col("hits") >= max(1, MIN_ROUTE_SHARE * bad))
        .sort("share", "hits", "route", descending=[True, True, False])
    )
    if counts.is_empty():
        return "", ""
    needing = _routes_calling(requests, calls, onset, degraded)
    subject = counts.filter(pl.col("route").is_in(needing)) if needing else counts
    chosen = str((subject if subject.height else counts)["route"][0])
    abnormal = set(onset.routes["route"])
    others = counts.filter(~pl.col("route").is_in([*needing, chosen]) & pl.col("route").is_in(list(abnormal)))
    collateral = str(others.sort("hits", "route", descending=[True, False])["route"][0]) if others.height else ""
    return chosen, collateral if needing else ""


def _routes_calling(
    requests: pl.DataFrame, calls: pl.DataFrame, onset: Onset, degraded: Sequence[Difference]
) -> list[str]:
    if not degraded:
        return []
    dependency = degraded[0].subject.partition(" → ")[2]
    traces = within(calls.filter(pl.col("dependency") == dependency), onset.baseline).select("trace_id").unique()
    return requests.join(traces, on="trace_id", how="semi")["route"].unique().sort().to_list()


def peak_in_flight(requests: pl.DataFrame, route: str, window: Window) -> int:
    """Return the most requests of a route in flight at once during the window."""
    of_route = within(requests.filter(pl.col("route") == route), window)
    ends = of_route["time_us"] + (of_route["duration_ms"] * 1000).cast(pl.Int64)
    steps = pl.concat(
        [
            pl.DataFrame({"time_us": of_route["time_us"], "step": pl.repeat(1, of_route.height, eager=True)}),
            pl.DataFrame({"time_us": ends, "step": pl.repeat(-1, of_route.height, eager=True)}),
        ],
        how="vertical_relaxed",
    )
    return int(steps.sort("time_us", "step")["step"].cum_sum().max() or 0) if steps.height else 0  # type: ignore[arg-type]


def _carriers(calls: pl.DataFrame, degraded: Sequence[Difference], onset: Onset) -> pl.Series | None:
    """Return the traces in which a call of the degraded dependency was slow or failed."""
    if not degraded:
        return None
    caller, _, dependency = degraded[0].subject.partition(" → ")
    edge = calls.filter((pl.col("caller") == caller) & (pl.col("dependency") == dependency))
    p99_ms = within(edge, onset.baseline)["duration_ms"].quantile(0.99, "linear")
    limit_ms = SLOW_RATIO * (p99_ms or 0.0)
    return within(edge, onset.window).filter(pl.col("failed") | (pl.col("duration_ms") > limit_ms))["trace_id"]


def _compare(
    requests: pl.DataFrame,
    route: str,
    onset: Onset,
    carriers: pl.Series | None,
    read_traces: Callable[[Sequence[str]], pl.DataFrame],
) -> TracePath | None:
    try:
        failing, healthy = choose_traces(
            requests, route=route, window=onset.window, baseline=onset.baseline, carriers=carriers
        )
    except NoDataError:
        return None
    return compare_paths(
        read_traces([failing, healthy]), route=route, failing_trace_id=failing, healthy_trace_id=healthy
    )


def _context_shares(requests: pl.DataFrame, window: Window) -> dict[str, dict[str, float]]:
    bad = within(requests, window).filter(pl.col("bad"))
    shares: dict[str, dict[str, float]] = {}
    for column in (name for name in requests.columns if name.startswith("context_")):
        values = bad[column].drop_nulls()
        if len(values) and 2 <= values.n_unique() <= MAX_CONTEXT_KINDS:
            counts = values.value_counts(sort=True)
            shares[column.removeprefix("context_")] = {
                str(value): round(n / bad.height, 3) for value, n in counts.iter_rows()
            }
    return shares


MAX_CONTEXT_KINDS: Final = 30


def _context_medians(requests: pl.DataFrame, window: Window) -> dict[str, tuple[float, int]]:
    bad = within(requests, window).filter(pl.col("bad"))
    columns = [name for name in requests.columns if name.startswith("number_")]
    medians = ((name, bad[name].median(), len(bad[name].drop_nulls())) for name in columns)
    return {name.removeprefix("number_"): (float(str(value)), n) for name, value, n in medians if value is not None}


def write_headline(
    record: IncidentRecord,
    onset: Onset,
    blast: BlastRadius,
    degraded: Sequence[Difference],
    causes: Causes,
    differences: Differences,
) -> Headline:
    """Compute the headline: every figure in it comes from a result."""
    window = onset.window
    lasted = format_duration(window.duration_s)
    whom = blast.users if blast.users.n else blast.requests
    noun = "active users" if blast.users.n else "requests"
    worst = blast.routes.filter(pl.col("bad") > 0).sort("share", "bad", descending=True).head(WORST_ROUTES)
    routes = ", ".join(f"{route} {100 * share:.0f} %" for route, share in worst.select("route", "share").iter_rows())
    through = _through(degraded, differences)
    title = (
        f"{100 * whom.share:.0f} % of {noun} met failures, most of all on {worst['route'][0]} "
        f"({100 * worst['share'][0]:.0f} % of its requests)"
        if worst.height
        else f"The traces show no failure that users met ({record.title})"
    )
    met = (
        f"{whom.hits:,} of {whom.n:,} {noun} ({100 * whom.share:.0f} %, 95 % CI {100 * whom.low:.0f}-"
        f"{100 * whom.high:.0f} %) met bad requests for {lasted}, from {window.label()}: {routes}."
        if whom.hits
        else f"Nothing bad among {whom.n:,} {noun} from {window.label()}, the time that was reported."
    )
    sentence = f"{met} {through}"
    best = causes.ranked[0]
    cannot = next(cause.score for cause in causes.ranked if cause.kind == "cannot_tell")
    interval = f"{100 * whom.low:.0f}-{100 * whom.high:.0f} % (95 % CI)"
    tiles = (
        (
            f"Affected {noun}",
            f"{whom.hits:,} of {whom.n:,}",
            interval,
            "bad",
        ),
        ("Bad requests", f"{blast.requests.hits:,} of {blast.requests.n:,}", f"in {lasted}", "bad"),
        ("Most likely cause", f"{best.score:.2f}", f"{best.subject or 'cannot tell'}; cannot tell {cannot:.2f}", ""),
        ("Onset", _clock(window), f"{onset.how}, {_against_report(record, window)}", ""),
    )
    return Headline(title, sentence.strip(), tiles)


def _through(degraded: Sequence[Difference], differences: Differences) -> str:
    if not degraded:
        return ""
    caller, _, dependency = degraded[0].subject.partition(" → ")
    row = degraded[0]
    said = (
        f"{dependency}, called by {caller}, went from p99 {row.baseline:,.0f} ms to {row.incident:,.0f} ms"
        if row.unit == "ms"
        else f"{dependency}, called by {caller}, failed for {100 * (row.incident or 0):.0f} % of calls"
    )
    full = [part for part in differences.of("connections") if part.limit and (part.incident or 0) >= 0.8 * part.limit]
    if full:
        said += f"; {full[0].subject} had {full[0].incident:.1f} of {full[0].limit:.0f} connections in use"
    return said + "."


def _clock(window: Window) -> str:
    return window.label().split(" ")[1].split("-")[0]


def _against_report(record: IncidentRecord, window: Window) -> str:
    lag_s = (record.reported.start_us - window.start_us) / 1_000_000
    return f"{format_duration(abs(lag_s))} {'before' if lag_s >= 0 else 'after'} the alert"
