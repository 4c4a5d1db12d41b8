"""The incident understood: every analysis of it in one place, and the sentence that sums them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.after_release import AfterRelease, compare_releases
from prodintel_lib.analyses.blast import BlastRadius, measure_blast_radius
from prodintel_lib.analyses.causes import Causes, find_degraded_dependencies, rank_causes
from prodintel_lib.analyses.differences import Differences, compare_conditions
from prodintel_lib.analyses.evidence import MIN_REQUESTS, Evidence, name_sessions
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.headline import write_headline
from prodintel_lib.analyses.in_flight import peak_in_flight
from prodintel_lib.analyses.log_errors import group_log_errors
from prodintel_lib.analyses.onset import (
    SIGNAL_BUCKET_S,
    SLOW_RATIO,
    Onset,
    find_onset,
    mark_bad_requests,
    onset_of_signals,
    worse_within,
)
from prodintel_lib.analyses.paths import ServiceMap, TracePath, build_service_map, choose_traces, compare_paths
from prodintel_lib.analyses.signal_series import build_signals
from prodintel_lib.analyses.signals import ONSETS_SCHEMA, SignalOnsets, find_signal_onsets
from prodintel_lib.analyses.signatures import Signatures, group_failures
from prodintel_lib.analyses.timeline import Timeline, build_timeline
from prodintel_lib.errors import NoDataError
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prodintel_lib.analyses.differences import Difference
    from prodintel_lib.analyses.incident import IncidentRecord, IncidentTelemetry
    from prodintel_lib.headline import Headline
    from prodintel_lib.workspace import RouteSlo

MIN_ROUTE_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class IncidentFindings:
    """Everything found about one incident.

    Attributes
    ----------
    evidence : Evidence
        What the findings rest on.
    signals : SignalOnsets
        Which metrics, logs and spans changed.
    degraded : tuple of Difference
        Dependencies at the end of the chain (causes.find_degraded_dependencies).
    after_release : AfterRelease
        Services that were changed before the onset, before and after it.
    requests : polars.DataFrame
        Entry requests with ``bad``; where `evidence.sessions_are_traces`, ``session_id`` is the trace's id.
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
    evidence: Evidence
    signals: SignalOnsets
    timeline: Timeline
    blast: BlastRadius
    differences: Differences
    service_map: ServiceMap
    degraded: tuple[Difference, ...]
    path: TracePath | None
    signatures: Signatures
    causes: Causes
    after_release: AfterRelease
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
    carrying: Collection[str] | None = None,
) -> IncidentFindings:
    """Analyse one incident.

    Parameters
    ----------
    telemetry : IncidentTelemetry
    slos : sequence of RouteSlo
    read_traces : callable
        Returns all spans of the named traces, with ``dependency`` for calls.
    carrying : collection of str, optional
        The traces that the incident is about, such as those with one error. A request that went bad in another trace is
        left out: it is no failure of this kind, and not healthy either. It still tells when it began: what was bad at
        the same time may be what this one follows from, so the healthy time ends before either.

    Raises
    ------
    NoDataError
        If there are no requests, or none before the onset.
    """
    requests = mark_bad_requests(telemetry.requests, slos=slos)
    signals = look_for_signals(telemetry)
    onset = _choose_onset(requests, signals, telemetry)
    if carrying is not None:
        requests = requests.filter(~pl.col("bad") | pl.col("trace_id").is_in(list(carrying)))
        if not onset.window.overlaps(telemetry.record.reported):
            onset = _choose_onset(requests, signals, telemetry)
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
    service_map = build_service_map(telemetry.calls, window=window, baseline=baseline, own_time=telemetry.own_time)
    degraded = find_degraded_dependencies(differences, service_map)
    subject, collateral = choose_routes(requests, telemetry.calls, onset, degraded)
    carriers = _carriers(telemetry.calls, degraded, onset)
    path = _compare(requests, subject, onset, carriers, read_traces)
    causes = rank_causes(
        changes=telemetry.changes,
        requests=requests,
        calls=telemetry.calls,
        onset=onset,
        differences=differences,
        service_map=service_map,
        path=path,
        signals=signals,
        log_events=telemetry.log_events,
        error_spans=telemetry.error_spans,
        own_time=telemetry.own_time,
        reported_service=telemetry.record.service_name,
    )
    logged = group_log_errors(telemetry.log_events, window=window, baseline=baseline)
    is_sessionless = _is_sessionless(requests, subject)
    return IncidentFindings(
        record=telemetry.record,
        digest=telemetry.digest,
        span=telemetry.span,
        onset=onset,
        evidence=Evidence(
            coverage=telemetry.coverage,
            requests=requests.height,
            failed_by_logs=int(requests["failed_by_logs"].sum()),
            sessions_are_traces=is_sessionless,
            rests_on=onset.evidence,
            remark=telemetry.record.remark,
        ),
        signals=signals,
        timeline=build_timeline(
            requests=requests,
            changes=telemetry.changes,
            alerts=telemetry.alerts,
            onset=onset,
            span=telemetry.span,
            signals=worse_within(signals, window),
        ),
        blast=blast,
        differences=differences,
        service_map=service_map,
        degraded=degraded,
        path=path or _illustrate(requests, onset, read_traces),
        signatures=group_failures(
            requests, telemetry.error_spans, window=window, trace_errors=telemetry.trace_errors, logged=logged
        ),
        causes=causes,
        after_release=compare_releases(
            changes=telemetry.changes,
            requests=requests,
            calls=telemetry.calls,
            causes=causes,
            span=telemetry.span,
            window=window,
        ),
        headline=write_headline(
            telemetry.record,
            onset,
            blast,
            degraded,
            causes,
            differences,
            signals=signals,
            coverage=telemetry.coverage,
        ),
        changes=telemetry.changes,
        requests=name_sessions(requests) if is_sessionless else requests,
        calls=telemetry.calls,
        red=telemetry.red,
        subject_route=subject,
        subject_in_flight=peak_in_flight(requests, subject, window),
        collateral_route=collateral,
        context_shares=_context_shares(requests, window),
        context_medians=_context_medians(requests, window),
    )


def look_for_signals(telemetry: IncidentTelemetry) -> SignalOnsets:
    """Look which metrics, logs and spans changed in the time that was reported, or until the data end if it is open."""
    reported, span = telemetry.record.reported, telemetry.span
    end_us = max(reported.end_us, span.end_us) if telemetry.record.is_open else reported.end_us
    asked = Window(reported.start_us, end_us)
    signals = build_signals(
        span=span,
        bucket_s=SIGNAL_BUCKET_S,
        points=telemetry.points,
        log_events=telemetry.log_events,
        red=telemetry.red,
        calls=telemetry.calls,
        own_time=telemetry.own_time,
    )
    if signals.is_empty():
        return SignalOnsets(asked, pl.DataFrame(schema=ONSETS_SCHEMA), 0, 0, 0)
    return find_signal_onsets(signals, window=asked)


def _choose_onset(requests: pl.DataFrame, signals: SignalOnsets, telemetry: IncidentTelemetry) -> Onset:
    """Believe bad requests first, signals where requests show nothing, and the report where neither does."""
    onset = find_onset(requests, span=telemetry.span, reported=telemetry.record.reported)
    if onset.basis == "requests":
        return onset
    return onset_of_signals(signals, span=telemetry.span, service=telemetry.record.service_name) or onset


def _is_sessionless(requests: pl.DataFrame, route: str) -> bool:
    """Say whether the route that stands for the incident is never asked within a named session."""
    sessions = requests.filter(pl.col("route") == route)["session_id"]
    return len(sessions) > 0 and sessions.null_count() == len(sessions)


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


def _illustrate(
    requests: pl.DataFrame, onset: Onset, read_traces: Callable[[Sequence[str]], pl.DataFrame]
) -> TracePath | None:
    """Lay two requests of one route side by side where too few were recorded to call any of them bad.

    The one of the window took at least three times as long as the one before: the pair that differs the most.
    """
    if requests.height >= MIN_REQUESTS:
        return None
    slowest, usual = (
        within(requests, part).sort("duration_ms", "trace_id").group_by("route", maintain_order=True).agg(pick)
        for part, pick in (
            (onset.window, pl.col("trace_id", "duration_ms").last()),
            (onset.baseline, pl.col("trace_id", "duration_ms").first()),
        )
    )
    ratio = pl.col("duration_ms") / pl.col("duration_ms_before")
    pairs = slowest.join(usual, on="route", suffix="_before").filter(ratio >= SLOW_RATIO)
    if pairs.is_empty():
        return None
    pair = pairs.sort(ratio, "route", descending=[True, False]).row(0, named=True)
    failing, healthy = str(pair["trace_id"]), str(pair["trace_id_before"])
    return compare_paths(
        read_traces([failing, healthy]), route=pair["route"], failing_trace_id=failing, healthy_trace_id=healthy
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
