"""The path of a failing request beside a healthy one, and the service map with what grew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import number, paragraph, table, text, tone

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

MAX_HOPS: Final = 60


@dataclass(frozen=True, slots=True)
class TracePath:
    """Two traces of one route side by side.

    Attributes
    ----------
    route : str
    failing, healthy : polars.DataFrame
        One row a span, in the order of the call tree: ``depth, service_name, span_name, span_kind, dependency,
        start_ms`` (since the entry span began), ``duration_ms, self_ms, failed, error_type, bottleneck``; at most 60.
    failing_trace_id, healthy_trace_id : str
    bottleneck : str
        The hop whose own time exceeds the healthy trace's the most.
    bottleneck_ms, bottleneck_healthy_ms : float
        Its own time in the failing and in the healthy trace.
    """

    route: str
    failing: pl.DataFrame
    healthy: pl.DataFrame
    failing_trace_id: str
    healthy_trace_id: str
    bottleneck: str
    bottleneck_ms: float
    bottleneck_healthy_ms: float

    def _repr_html_(self) -> str:
        worst = self.failing.sort("self_ms", descending=True).head(8).sort("start_ms")
        rows = [
            [
                text(row["hop"]),
                number(row["start_ms"], digits=0, unit="ms"),
                number(row["duration_ms"], digits=0, unit="ms"),
                tone(number(row["self_ms"], digits=0, unit="ms"), "bad" if row["bottleneck"] else ""),
                text(row["error_type"]),
            ]
            for row in worst.iter_rows(named=True)
        ]
        return str(
            table(
                ["Hop", "Began", "Took", "Own time", "Error"],
                rows,
                align="lrrrl",
                caption=f"{self.route}: the hops with the most own time in trace {self.failing_trace_id}. "
                f"Bottleneck: {self.bottleneck}, {self.bottleneck_ms:,.0f} ms of its own against "
                f"{self.bottleneck_healthy_ms:,.0f} ms in the healthy trace {self.healthy_trace_id}.",
            )
        )


def choose_traces(
    requests: pl.DataFrame, *, route: str, window: Window, baseline: Window, carriers: pl.Series | None = None
) -> tuple[str, str]:
    """Choose a typical failing trace of a route and a typical healthy one.

    Typical is the median by duration: of the failing requests in the window, and of the good ones in the baseline.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, duration_ms, trace_id, route, bad``.
    carriers : polars.Series, optional
        Traces in which a call of the degraded dependency went bad. Where some failing requests are among them, only
        those are looked at: the others are victims of the same failure further up.

    Returns
    -------
    tuple of str
        Trace ids, failing and healthy.

    Raises
    ------
    NoDataError
        If either is not there.
    """
    of_route = requests.filter(pl.col("route") == route)
    during = within(of_route, window).filter(pl.col("bad"))
    before = within(of_route, baseline).filter(~pl.col("bad"))
    for what, frame in (("failing request in the incident", during), ("healthy request before it", before)):
        if frame.is_empty():
            raise NoDataError(f"No {what} on `{route}`, so there are no two paths to compare.")
    carrying = during.filter(pl.col("trace_id").is_in(carriers.implode())) if carriers is not None else during.clear()
    return _median_trace(carrying if carrying.height else during), _median_trace(before)


def _median_trace(requests: pl.DataFrame) -> str:
    ordered = requests.sort("duration_ms", "trace_id")
    return str(ordered["trace_id"][ordered.height // 2])


def compare_paths(spans: pl.DataFrame, *, route: str, failing_trace_id: str, healthy_trace_id: str) -> TracePath:
    """Lay two traces side by side and find the bottleneck.

    Parameters
    ----------
    spans : polars.DataFrame
        All spans of both traces: the canonical columns and ``dependency`` for calls.
    """
    failing = build_path(spans.filter(pl.col("trace_id") == failing_trace_id))
    healthy = build_path(spans.filter(pl.col("trace_id") == healthy_trace_id))
    usual = healthy.group_by("hop").agg(pl.col("self_ms").max().alias("healthy_self_ms"))
    grown = failing.join(usual, on="hop", how="left", maintain_order="left").with_columns(
        pl.col("healthy_self_ms").fill_null(0.0)
    )
    worst = grown.with_columns((pl.col("self_ms") - pl.col("healthy_self_ms")).alias("growth_ms"))
    top = worst.sort("growth_ms", "start_ms", descending=[True, False]).row(0, named=True)
    marked = failing.with_columns((pl.col("span_id") == top["span_id"]).alias("bottleneck"))
    return TracePath(
        route=route,
        failing=marked.head(MAX_HOPS),
        healthy=healthy.with_columns((pl.col("hop") == top["hop"]).alias("bottleneck")).head(MAX_HOPS),
        failing_trace_id=failing_trace_id,
        healthy_trace_id=healthy_trace_id,
        bottleneck=str(top["hop"]),
        bottleneck_ms=float(top["self_ms"]),
        bottleneck_healthy_ms=float(top["healthy_self_ms"]),
    )


def build_path(spans: pl.DataFrame) -> pl.DataFrame:
    """Order the spans of one trace as a call tree, with each span's own time.

    A span whose parent is not there starts a tree of its own; a span that names itself or a descendant as its parent
    is cut loose, so that a cycle ends. Own time is the duration less the union of the children's intervals.

    Returns
    -------
    polars.DataFrame
        ``hop, depth, span_id, service_name, span_name, span_kind, dependency, start_ms, duration_ms, self_ms, failed,
        error_type``.
    """
    rows = {str(row["span_id"]): row for row in spans.sort("time_us", "span_id").iter_rows(named=True)}
    children: dict[str | None, list[str]] = {}
    for span_id, row in rows.items():
        parent = row["parent_span_id"]
        children.setdefault(parent if parent in rows and parent != span_id else None, []).append(span_id)
    began = min((row["time_us"] for row in rows.values()), default=0)
    ordered: list[dict[str, object]] = []
    seen: set[str] = set()
    for root in [*children.get(None, []), *rows]:
        _walk(root, rows, children, began, ordered, seen)
    return pl.DataFrame(ordered, schema=_PATH_SCHEMA)


def _walk(
    root: str,
    rows: dict[str, dict[str, object]],
    children: dict[str | None, list[str]],
    began_us: int,
    ordered: list[dict[str, object]],
    seen: set[str],
) -> None:
    stack = [(root, 0)]
    while stack:
        span_id, depth = stack.pop()
        if span_id in seen:
            continue
        seen.add(span_id)
        row = rows[span_id]
        below = [child for child in children.get(span_id, []) if child not in seen]
        ordered.append(
            {
                "hop": hop_name(row),
                "depth": depth,
                "start_ms": (row["time_us"] - began_us) / 1000,  # type: ignore[operator]
                "self_ms": _own_time_ms(row, [rows[child] for child in below]),
                **{name: row.get(name) for name in _PATH_SCHEMA if name in row},
            }
        )
        stack += [(child, depth + 1) for child in reversed(below)]


_PATH_SCHEMA: Final = {
    "hop": pl.String,
    "depth": pl.Int64,
    "span_id": pl.String,
    "service_name": pl.String,
    "span_name": pl.String,
    "span_kind": pl.String,
    "dependency": pl.String,
    "start_ms": pl.Float64,
    "duration_ms": pl.Float64,
    "self_ms": pl.Float64,
    "failed": pl.Boolean,
    "error_type": pl.String,
}


def hop_name(row: dict[str, object]) -> str:
    """Name a hop the way people say it: ``payment → card-processor`` for a call, ``payment: POST /charges`` within."""
    if row.get("dependency"):
        return f"{row['service_name']} → {row['dependency']}"
    return f"{row['service_name']}: {row['span_name']}"


def _own_time_ms(row: dict[str, object], below: list[dict[str, object]]) -> float:
    start = int(row["time_us"])  # type: ignore[call-overload]
    end: float = start + float(row["duration_ms"]) * 1000  # type: ignore[arg-type]
    covered, reached = 0.0, float(start)
    for child in sorted(below, key=lambda span: int(span["time_us"])):  # type: ignore[call-overload]
        child_start = max(float(child["time_us"]), reached)  # type: ignore[arg-type]
        child_end = min(float(child["time_us"]) + float(child["duration_ms"]) * 1000, end)  # type: ignore[arg-type]
        if child_end > child_start:
            covered += child_end - child_start
            reached = child_end
    return float(max(0.0, (end - start - covered) / 1000))


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """Who calls whom, before and during the incident.

    Attributes
    ----------
    edges : polars.DataFrame
        ``caller, dependency, call_kind, calls, failed_share, p50_ms, p99_ms, baseline_calls, baseline_failed_share,
        baseline_p50_ms, baseline_p99_ms, has_own_spans``; slowest growth first.
    own_time : polars.DataFrame
        ``service_name, own_ms, spans, baseline_own_ms, baseline_spans``: the mean time of a span that the service spent
        itself. No row for who sends no spans.
    """

    edges: pl.DataFrame
    own_time: pl.DataFrame

    def _repr_html_(self) -> str:
        rows = [
            [
                text(f"{row['caller']} → {row['dependency']}"),
                number(row["calls"]),
                number(row["baseline_p99_ms"], digits=0, unit="ms"),
                tone(number(row["p99_ms"], digits=0, unit="ms"), "bad" if _grew(row) else ""),
                number(100 * row["baseline_failed_share"], digits=1, unit="%"),
                tone(
                    number(100 * row["failed_share"], digits=1, unit="%"), "bad" if row["failed_share"] > 0.05 else ""
                ),
            ]
            for row in self.edges.iter_rows(named=True)
        ]
        if not rows:
            return str(paragraph("No call of one service by another was recorded in the window."))
        headers = ["Call", "Calls", "p99 before", "p99", "Failed before", "Failed"]
        return str(table(headers, rows, align="lrrrrr"))


def _grew(row: dict[str, float]) -> bool:
    return bool(row["p99_ms"] > 3 * (row["baseline_p99_ms"] or float("inf")))


def build_service_map(
    calls: pl.DataFrame, *, window: Window, baseline: Window, own_time: pl.DataFrame | None = None
) -> ServiceMap:
    """Summarise calls by caller and dependency, before and during.

    Parameters
    ----------
    calls : polars.DataFrame
        One row a call: ``time_us, duration_ms, caller, dependency, call_kind, failed, has_own_spans``.
    own_time : polars.DataFrame, optional
        rollups.own_time: ``bucket_us, service_name, spans, own_ms``.
    """
    keys = ["caller", "dependency", "call_kind"]
    during = _summarise(calls, window, keys, "")
    before = _summarise(calls, baseline, keys, "baseline_")
    edges = during.join(before, on=keys, how="left").with_columns(
        pl.col("baseline_calls").fill_null(0), pl.col("baseline_failed_share").fill_null(0.0)
    )
    growth = pl.col("p99_ms") / pl.col("baseline_p99_ms").fill_null(float("inf")).clip(lower_bound=0.1)
    ranked = edges.sort(growth, "caller", "dependency", descending=[True, False, False])
    return ServiceMap(ranked, _own_times(own_time, window=window, baseline=baseline))


_OWN_TIMES: Final = {
    "service_name": pl.String,
    "own_ms": pl.Float64,
    "spans": pl.Int64,
    "baseline_own_ms": pl.Float64,
    "baseline_spans": pl.Int64,
}


def _own_times(own_time: pl.DataFrame | None, *, window: Window, baseline: Window) -> pl.DataFrame:
    if own_time is None:
        return pl.DataFrame(schema=_OWN_TIMES)
    timed = own_time.rename({"bucket_us": "time_us"})
    during, before = (
        within(timed, part)
        .group_by("service_name")
        .agg((pl.col("own_ms").sum() / pl.col("spans").sum()).alias("own_ms"), pl.col("spans").sum())
        for part in (window, baseline)
    )
    both = during.join(
        before.rename({"own_ms": "baseline_own_ms", "spans": "baseline_spans"}), on="service_name", how="left"
    )
    return both.select(pl.col(name).cast(dtype) for name, dtype in _OWN_TIMES.items()).sort("service_name")


def _summarise(calls: pl.DataFrame, window: Window, keys: list[str], prefix: str) -> pl.DataFrame:
    aggregates = [
        pl.len().cast(pl.Int64).alias(f"{prefix}calls"),
        pl.col("failed").mean().alias(f"{prefix}failed_share"),
        pl.col("duration_ms").quantile(0.5, "linear").alias(f"{prefix}p50_ms"),
        pl.col("duration_ms").quantile(0.99, "linear").alias(f"{prefix}p99_ms"),
    ]
    if not prefix:
        aggregates.append(pl.col("has_own_spans").any())
    inside = within(calls, window)
    return inside.group_by(keys).agg(aggregates)
