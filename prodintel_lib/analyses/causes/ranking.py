"""All candidates of an incident, weighed against the same evidence and ranked; "cannot tell" is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.causes.case import Case
from prodintel_lib.analyses.causes.change_views import view_changes
from prodintel_lib.analyses.causes.conditions import SURGE_RATIO, find_conditions, surge_cause
from prodintel_lib.analyses.causes.dependencies import ends_of, find_degraded_dependencies, is_external
from prodintel_lib.analyses.causes.errors import find_mentions, read_error_texts
from prodintel_lib.analyses.causes.location import contrast_signals, locate
from prodintel_lib.analyses.causes.model import NO_LINK, Cause, Causes, Claim, score_causes
from prodintel_lib.analyses.causes.own_growth import find_own_growth
from prodintel_lib.analyses.causes.weighing import Rarity, weigh_change
from prodintel_lib.analyses.signals import ONSETS_SCHEMA, SIGNALS_SCHEMA
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.differences import Difference, Differences
    from prodintel_lib.analyses.onset import Onset
    from prodintel_lib.analyses.paths import ServiceMap, TracePath
    from prodintel_lib.analyses.signals import SignalOnsets

MAX_CHANGE_AGE_S: Final = 24 * 3600
CANNOT_TELL: Final = 0.0
SLACK_BUCKETS: Final = 2


def rank_causes(
    *,
    changes: pl.DataFrame,
    requests: pl.DataFrame,
    calls: pl.DataFrame,
    onset: Onset,
    differences: Differences,
    service_map: ServiceMap,
    path: TracePath | None,
    signals: SignalOnsets | None = None,
    log_events: pl.DataFrame | None = None,
    error_spans: pl.DataFrame | None = None,
    own_time: pl.DataFrame | None = None,
    reported_service: str = "",
) -> Causes:
    """Rank the causes of an incident whose requests, calls and conditions have been analysed.

    Parameters
    ----------
    changes : polars.DataFrame
        The canonical table.
    requests : polars.DataFrame
        Entry requests: ``time_us, bad``.
    calls : polars.DataFrame
        One row a call: ``time_us, duration_ms, caller, dependency, failed``.
    onset, differences, service_map, path
        The results of the same incident.
    signals : SignalOnsets, optional
        Which signals changed, and their series: it tells where it failed first.
    log_events, error_spans : polars.DataFrame, optional
        For the words of the errors.
    own_time : polars.DataFrame, optional
        rollups.own_time: which services grew themselves, operation by operation.
    reported_service : str
        The service the incident was raised on, where it is one.
    """
    degraded = find_degraded_dependencies(differences, service_map)
    span = Window(min(onset.baseline.start_us, onset.window.start_us - 1), onset.window.end_us)
    case = gather_case(
        window=onset.window,
        span=span,
        bucket_s=onset.bucket_s,
        is_observed=onset.how == "observed",
        changes=changes,
        signals=signals.series if signals else None,
        onsets=signals.onsets if signals else None,
        log_events=log_events,
        error_spans=error_spans,
        own_time=own_time,
        edges={(edge["caller"], edge["dependency"]) for edge in service_map.edges.iter_rows(named=True)},
        reported_service=reported_service,
        chain_end=ends_of(degraded[0].subject)[1] if degraded else "",
        chain_callers=frozenset(ends_of(row.subject)[0] for row in degraded),
        on_path=frozenset(path.failing["service_name"].drop_nulls()) if path else frozenset(),
        requests=requests,
    )
    external = [_external(row, calls, onset) for row in degraded[:1] if is_external(row, service_map)]
    found = weigh_causes(case, further=[*external, *_surge(differences)])
    return Causes(found.ranked, tuple(_contributing(differences)), found.location)


def gather_case(
    *,
    window: Window,
    span: Window,
    bucket_s: int,
    changes: pl.DataFrame,
    is_observed: bool = True,
    signals: pl.DataFrame | None = None,
    onsets: pl.DataFrame | None = None,
    log_events: pl.DataFrame | None = None,
    error_spans: pl.DataFrame | None = None,
    own_time: pl.DataFrame | None = None,
    edges: Iterable[tuple[str, str]] = (),
    reported_service: str = "",
    chain_end: str = "",
    chain_callers: frozenset[str] = frozenset(),
    on_path: frozenset[str] = frozenset(),
    requests: pl.DataFrame | None = None,
) -> Case:
    """Gather what the candidates are weighed against; nearly all of it may be missing.

    Parameters
    ----------
    window : Window
        The incident from its onset; `span` is all that was read.
    bucket_s : int
        How exactly times are known.
    edges : iterable of tuple
        Who calls whom, from spans. Who blames whom in error messages is added.

    Other parameters are described by Case.
    """
    series = signals if signals is not None else pl.DataFrame(schema=SIGNALS_SCHEMA)
    changed = onsets if onsets is not None else pl.DataFrame(schema=ONSETS_SCHEMA)
    texts = read_error_texts(log_events, error_spans, window=window, span=span)
    named = {name for name in series["service_name"] if name} | {text.service for text in texts if text.service}
    services = frozenset(named | {end for edge in edges for end in edge})
    mentions = find_mentions(texts, services)
    graph = frozenset(edges) | {pair for pair in mentions if pair[0]}
    location = locate(
        contrasts=contrast_signals(series, window=window),
        onsets=changed,
        errors=texts,
        mentions=mentions,
        edges=graph,
        reported_service=reported_service if reported_service in services else "",
        window=window,
        own_growth=find_own_growth(own_time, window=window) if own_time is not None else None,
    )
    return Case(
        window=window,
        slack_us=SLACK_BUCKETS * bucket_s * US_PER_S,
        is_observed=is_observed,
        changes=changes,
        onsets=changed,
        signals=series,
        errors=texts,
        edges=graph,
        services=services,
        reporting=frozenset(named),
        location=location,
        chain_end=chain_end,
        chain_callers=chain_callers,
        on_path=on_path,
        requests=requests,
    )


def weigh_causes(case: Case, *, further: Iterable[Cause] = ()) -> Causes:
    """Weigh every candidate and rank them.

    Parameters
    ----------
    evidence : Case
    further : iterable of Cause
        Candidates that were found otherwise.
    """
    views = view_changes(
        case.changes,
        from_us=case.onset_us - MAX_CHANGE_AGE_S * US_PER_S,
        # An onset is known to a bucket: what came within one of it may still have brought it.
        until_us=case.onset_us + case.slack_us // SLACK_BUCKETS,
        services=case.services,
    )
    rarity = Rarity([view.reading.words for view in views])
    conditions = [*find_conditions(case), *further]
    candidates = [
        *(weigh_change(view, case, rarity) for view in views),
        *_without_doubles(conditions),
        Cause(
            "cannot_tell",
            "",
            "Cannot tell from this data",
            (Claim("nothing else is assumed", CANNOT_TELL),) if case.is_observed else (NO_LINK,),
            (),
            "evidence for any one of the others",
        ),
    ]
    return Causes(score_causes(candidates), (), case.location)


def _without_doubles(causes: Iterable[Cause]) -> list[Cause]:
    """Keep the heavier of two of one kind and subject: they rest on the same evidence, seen twice."""
    kept: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.subject)
        if key not in kept or cause.weight > kept[key].weight:
            kept[key] = cause
    return list(kept.values())


def _external(row: Difference, calls: pl.DataFrame, onset: Onset) -> Cause:
    caller, dependency = ends_of(row.subject)
    edge = calls.filter(
        (pl.col("caller") == caller)
        & (pl.col("dependency") == dependency)
        & (pl.col("time_us") >= onset.window.start_us - onset.bucket_s * US_PER_S)
    )
    claims_for = [Claim(_went(row), 1.5)]
    slow = edge.filter(pl.col("failed") | (pl.col("duration_ms") > (row.baseline or 0) * 3))
    claims_against: list[Claim] = []
    if slow.height:
        lag_s = (int(slow["time_us"].min()) - onset.window.start_us) / US_PER_S  # type: ignore[arg-type]
        near = abs(lag_s) <= 2 * onset.bucket_s
        side = claims_for if near else claims_against
        side.append(Claim(f"its first bad call began {lag_s:+.1f} s from the onset", 1.0))
    claims_against.append(
        Claim(f"a caller that bounds its calls survives a slow dependency; {caller} waited {row.incident:,.0f} ms", 0.8)
        if row.unit == "ms"
        else Claim(f"{caller} passed the failure on instead of containing it", 0.5)
    )
    return Cause(
        "dependency", dependency, f"{dependency} alone, called by {caller}", tuple(claims_for), tuple(claims_against),
        f"{dependency} as slow at another time without harm",
        remediation=f"bound {caller}'s calls of it: a timeout, few retries, a circuit breaker; tell its owner",
    )  # fmt: skip


def _went(row: Difference) -> str:
    if row.unit == "share":
        before, during = 100 * (row.baseline or 0), 100 * (row.incident or 0)
        return f"{row.measure}: {before:.1f} % → {during:.1f} % (n {row.incident_n:,})"
    return f"{row.measure}: {row.baseline:,.0f} → {row.incident:,.0f} {row.unit} (n {row.incident_n:,})"


def _surge(differences: Differences) -> list[Cause]:
    rows = differences.of("traffic")
    if not rows or not rows[0].baseline or rows[0].incident is None:
        return []
    ratio = rows[0].incident / rows[0].baseline
    if ratio < SURGE_RATIO or not rows[0].notable:
        return []
    said = f"traffic × {ratio:.1f} ({rows[0].baseline:.1f} → {rows[0].incident:.1f} requests/s)"
    return [surge_cause((Claim(said, 1.5),))]


def _contributing(differences: Differences) -> list[str]:
    full = [
        f"{row.subject}: {row.measure}, {row.baseline:.1f} → {row.incident:.1f} of {row.limit:.0f}"
        for row in differences.of("connections")
        if row.limit and row.incident is not None and row.baseline is not None and row.incident >= 0.8 * row.limit
    ]
    cache = [
        f"{row.subject}: {row.measure} {row.baseline:.3g} → {row.incident:.3g}"
        for row in differences.of("cache")
        if row.notable
    ]
    return full + cache
