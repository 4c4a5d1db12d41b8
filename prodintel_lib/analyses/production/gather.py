"""The heavy passes of production: read the lake part by part, and keep counts in buckets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.analyses.clocks import find_clock_offsets
from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.production.grid import choose_bucket_s, join_quiet
from prodintel_lib.analyses.production.model import EDGES_SCHEMA, Production
from prodintel_lib.analyses.production.visits import Visits, count_visits
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.rollups.calls import build_calls
from prodintel_lib.rollups.log_levels import LOG_LEVELS_KEYS, LOG_LEVELS_SCHEMA, build_log_levels
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_KEYS, METRIC_BUCKETS_SCHEMA, build_metric_buckets
from prodintel_lib.rollups.recorded import RECORDED_SCHEMA, build_recorded
from prodintel_lib.rollups.request_bins import REQUEST_BINS_KEYS, REQUEST_BINS_SCHEMA, build_request_bins
from prodintel_lib.rollups.request_failures import (
    REQUEST_FAILURES_KEYS,
    REQUEST_FAILURES_SCHEMA,
    build_request_failures,
)
from prodintel_lib.rollups.service_edges import SERVICE_EDGES_KEYS, SERVICE_EDGES_SCHEMA, build_service_edges
from prodintel_lib.tables import CHANGES, INCIDENTS, RUM_EVENTS
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.workspace import RouteSlo

SERVER_TABLES: Final = ("spans", "logs", "metrics")
ROWS_AT_ONCE: Final = 4_000_000
"""A part of the lake holds about so many rows at most, so that what is held at once does not grow with the window."""

MARGIN_S: Final = 600.0
"""Parents of spans, and the points before a counter's, are looked for so long before and after a part."""

HISTORY_DAYS: Final = 28.0
_DAY_US: Final = 86_400 * US_PER_S
_MINUTE_S: Final = 60
_EDGES_KEYS: Final = ("caller", "dependency")


@dataclass(frozen=True, slots=True)
class _Frames:
    """What was counted of servers."""

    requests: pl.DataFrame
    failures: pl.DataFrame
    metrics: pl.DataFrame
    log_levels: pl.DataFrame
    calls: pl.DataFrame


def gather_production(
    view: LakeView,
    *,
    window: Window,
    history_days: float = HISTORY_DAYS,
    bucket_s: int | None = None,
    limits_ms: Mapping[str, float] | None = None,
) -> Production:
    """Count what production did in a window, and in the days before it.

    Parameters
    ----------
    view : LakeView
    window : Window
        What is asked about.
    history_days : float
        How long before it is looked at; there may be less.
    bucket_s : int, optional
        Width of a bucket, seconds; chosen by how much was recorded where it is not given (grid.choose_bucket_s).
    limits_ms : mapping of str to float, optional
        Route to the duration promised for it; those of the workspace's objectives where it is not given.

    Raises
    ------
    NoDataError
        If nothing was recorded in the window.
    ParameterError
        If the width or the length of the history is not positive.

    Notes
    -----
    Clocks are compared by the calls of the last part of the window, and set right for all of it.
    """
    _check(history_days, bucket_s)
    history = Window(window.start_us - round(history_days * _DAY_US), window.start_us)
    whole = Window(history.start_us, window.end_us)
    minutes = {name: _minutes(view, name, whole) for name in (*SERVER_TABLES, RUM_EVENTS.name)}
    recorded = [minutes[name]["bucket_us"] for name in SERVER_TABLES]
    server_us = np.unique(np.concatenate([column.to_numpy() for column in recorded]))
    visitor_us = minutes[RUM_EVENTS.name]["bucket_us"].to_numpy()
    _require(server_us, visitor_us, window)
    spans = int(minutes["spans"]["rows"].sum()) if len(server_us) else None
    chosen_s = bucket_s or choose_bucket_s(server_us if len(server_us) else visitor_us, spans=spans)
    slices = _cut(pl.concat([minutes[name] for name in SERVER_TABLES]), whole, chosen_s)
    view = view.with_clocks(find_clock_offsets(view.scan("spans", slices[-1])))
    promised = latency_limits_ms(view.workspace.config.slos) if limits_ms is None else dict(limits_ms)
    frames = _count(view, slices, bucket_s=chosen_s, limits_ms=promised)
    visits = count_visits(view, whole, visitor_us, bucket_s=chosen_s if not len(server_us) else None)
    changes = _read(view, CHANGES.name, Window(window.start_us - _DAY_US, window.end_us))
    incidents = _overlapping(_read(view, INCIDENTS.name, whole.widened(before_s=_DAY_US / US_PER_S)), whole)
    return Production(
        window=window,
        history=history,
        bucket_s=chosen_s,
        requests=frames.requests,
        metrics=frames.metrics,
        visits=visits.frame,
        log_levels=frames.log_levels,
        calls=frames.calls,
        changes=changes,
        incidents=incidents,
        recorded_us=_recorded(frames, visits, chosen_s),
        digest=_digest(window, history, chosen_s, frames, visits, changes),
        limits_ms=promised,
        failures=frames.failures,
        visit_bucket_s=visits.bucket_s,
    )


def _check(history_days: float, bucket_s: int | None) -> None:
    if history_days <= 0:
        raise ParameterError(
            f"The history must be longer than nothing; it is {history_days} days.", hint="28 days hold four weeks."
        )
    if bucket_s is not None and bucket_s < 1:
        raise ParameterError(
            f"A bucket must be a second wide at least; it is {bucket_s} s.", hint="leave it out to have it chosen."
        )


def _minutes(view: LakeView, table: str, window: Window) -> pl.DataFrame:
    lazy = build_recorded(view.scan(table, window), bucket_s=_MINUTE_S)
    return collect(lazy, schema=RECORDED_SCHEMA, sort_by=["bucket_us"])


def _require(server_us: NDArray[np.int64], visitor_us: NDArray[np.int64], window: Window) -> None:
    every = np.concatenate([server_us, visitor_us])
    if not ((every >= window.start_us - _MINUTE_S * US_PER_S) & (every < window.end_us)).any():
        raise NoDataError(
            f"Nothing was recorded in {window.label()}: no span, log row, metric point or event of a browser.",
            hint="choose a window that holds data; `prodintel ingest` says what time the sources are of.",
        )


def latency_limits_ms(slos: Sequence[RouteSlo]) -> dict[str, float]:
    """Return the limit of each route with a latency objective.

    A route has one: of several objectives the strictest percentile's, since few of its requests are bad and coarse bins
    would be off the most.
    """
    limits: dict[str, tuple[float, float]] = {}
    for slo in slos:
        if slo.latency_ms is not None and slo.percentile > limits.get(slo.route, (0.0, 0.0))[0]:
            limits[slo.route] = (slo.percentile, slo.latency_ms)
    return {route: limit_ms for route, (_, limit_ms) in limits.items()}


def _cut(minutes: pl.DataFrame, whole: Window, bucket_s: int) -> list[Window]:
    """Divide a window into parts of about ROWS_AT_ONCE rows, at the edges of buckets, in order of time."""
    width_us = max(bucket_s, _MINUTE_S) // bucket_s * bucket_s * US_PER_S
    counted = (
        minutes.group_by((pl.col("bucket_us") // width_us * width_us).alias("start_us"))
        .agg(pl.col("rows").sum())
        .sort("start_us")
    )
    part = (pl.col("rows").cum_sum() - pl.col("rows")) // ROWS_AT_ONCE
    starts = counted.group_by(part.alias("part")).agg(pl.col("start_us").min())["start_us"].sort()
    inner = [start_us for start_us in starts[1:] if whole.contains(start_us)]
    return [Window(start, end) for start, end in pairwise([whole.start_us, *inner, whole.end_us])]


def _count(view: LakeView, slices: Sequence[Window], *, bucket_s: int, limits_ms: Mapping[str, float]) -> _Frames:
    requests, failures = RunningSum(REQUEST_BINS_KEYS), RunningSum(REQUEST_FAILURES_KEYS)
    levels, calls = RunningSum(LOG_LEVELS_KEYS), RunningSum(_EDGES_KEYS)
    metrics: list[pl.DataFrame] = []
    for part in slices:
        wide = part.widened(before_s=MARGIN_S, after_s=MARGIN_S)
        spans = view.scan("spans", wide)
        own = (nw.col("bucket_us") >= _floor(part.start_us, bucket_s), nw.col("bucket_us") < part.end_us)
        bins = build_request_bins(spans, bucket_s=bucket_s, limits_ms=limits_ms).filter(*own)
        requests.add(view.collect(bins, schema=REQUEST_BINS_SCHEMA, sort_by=REQUEST_BINS_KEYS))
        failed = build_request_failures(spans, bucket_s=bucket_s).filter(*own)
        failures.add(view.collect(failed, schema=REQUEST_FAILURES_SCHEMA, sort_by=REQUEST_FAILURES_KEYS))
        logged = build_log_levels(view.scan("logs", wide), bucket_s=bucket_s).filter(*own)
        levels.add(view.collect(logged, schema=LOG_LEVELS_SCHEMA, sort_by=LOG_LEVELS_KEYS))
        measured = build_metric_buckets(view.scan("metrics", wide), bucket_s=bucket_s).filter(*own)
        metrics.append(view.collect(measured, schema=METRIC_BUCKETS_SCHEMA, sort_by=METRIC_BUCKETS_KEYS))
        calls.add(view.collect(_edges(spans, part), schema=EDGES_SCHEMA, sort_by=_EDGES_KEYS))
        below = build_service_edges(view.scan("spans", part))
        calls.add(view.collect(below, schema=SERVICE_EDGES_SCHEMA, sort_by=SERVICE_EDGES_KEYS))
    return _Frames(requests.total(), failures.total(), pl.concat(metrics), levels.total(), calls.total())


def _floor(time_us: int, bucket_s: int) -> int:
    return time_us // (bucket_s * US_PER_S) * bucket_s * US_PER_S


def _edges(spans: nw.LazyFrame[Any], part: Window) -> nw.LazyFrame[Any]:
    """Count who calls whom."""
    calls = build_calls(spans).filter(nw.col("time_us") >= part.start_us, nw.col("time_us") < part.end_us)
    named = calls.with_columns(nw.col("caller").fill_null(""), nw.col("failed").cast(nw.Int64))
    return named.group_by(*_EDGES_KEYS).agg(nw.len().alias("calls"), nw.col("failed").sum())


def _read(view: LakeView, table: str, window: Window) -> pl.DataFrame:
    lazy = view.workspace.scan(table, window=window)
    known = {CHANGES.name: CHANGES, INCIDENTS.name: INCIDENTS}[table]
    return view.collect(lazy, schema=known.schema, sort_by=("time_us", *known.identity))


def _overlapping(incidents: pl.DataFrame, whole: Window) -> pl.DataFrame:
    end_us = pl.coalesce("end_time_us", "time_us")
    return incidents.filter(pl.col("time_us") < whole.end_us, end_us >= whole.start_us)


def _recorded(frames: _Frames, visits: Visits, bucket_s: int) -> NDArray[np.int64]:
    of_servers = (frames.requests, frames.failures, frames.metrics, frames.log_levels)
    starts = np.unique(np.concatenate([frame["bucket_us"].to_numpy() for frame in of_servers]))
    if not len(starts):
        starts = np.unique(visits.frame["bucket_us"].to_numpy())
    return join_quiet(starts, bucket_us=bucket_s * US_PER_S)


def _digest(
    window: Window, history: Window, bucket_s: int, frames: _Frames, visits: Visits, changes: pl.DataFrame
) -> str:
    """Write down what was looked at, in sums of the size of a page whatever the size of the data."""
    by_route = ("service_name", "route", "is_entry", "release")
    sums = (
        frames.requests.group_by(by_route).agg(pl.col("requests", "failed", "over_limit").sum()).sort(by_route),
        frames.requests.group_by("bucket_us").agg(pl.col("requests", "failed").sum()).sort("bucket_us"),
        frames.metrics.group_by("metric_name", "service_name")
        .agg(pl.col("n").sum(), pl.col("max").max(), pl.col("last").min())
        .sort("metric_name", "service_name"),
        frames.log_levels,
        visits.frame,
        changes.select("time_us", "change_id"),
    )
    return digest_of(window.label(), history.label(), str(bucket_s), *(frame.write_csv() for frame in sums))
