"""How requests and metrics went over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.evidence import MIN_REQUESTS
from prodintel_lib.analyses.signatures import describe_outcome
from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt, mark_lines, utc_tooltip, utc_x, window_shade, zoom_x
from prodintel_lib.charts.shared import ROW_PX, Plot, utc
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.analyses.timeline import Timeline

SPREAD_US: Final = 10_000_000
FAILING_SHARE: Final = 0.05
MIN_CELL: Final = 3
MAX_METRICS: Final = 4
MARKED_KINDS: Final = frozenset(
    {"deployment", "flag", "config", "onset", "triggered", "acknowledged", "resolved", "first error"}
)


def plot_timeline(timeline: Timeline) -> Plot | Note:
    """Plot the share of bad requests and the p99 over time, with the incident shaded and events marked."""
    course = timeline.course.with_columns(utc("time_us").alias("time"))
    n, width_s = int(course["requests"].sum()), timeline.onset.bucket_s
    if n < MIN_REQUESTS:
        return _too_few(n)
    shade = window_shade(timeline.onset.window.start_us, timeline.onset.window.end_us)
    base = alt.Chart(course).encode(x=utc_x("time"))
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("bad:Q", title="bad requests"),
        alt.Tooltip("requests:Q", title="of requests"),
        alt.Tooltip("bad_share:Q", title="share", format=".1%"),
        alt.Tooltip("p99_ms:Q", title="p99, ms", format=",.0f"),
    ]
    share = base.mark_area(line={"color": PALETTE["bad"]}, color=PALETTE["bad"], opacity=0.35).encode(
        y=alt.Y("bad_share:Q", axis=alt.Axis(format="%"), title="bad requests"), tooltip=tooltip
    )
    p99 = base.mark_line(color=PALETTE["accent"]).encode(
        y=alt.Y("p99_ms:Q", scale=alt.Scale(type="log"), title="p99, ms (log)"), tooltip=tooltip
    )
    events = [
        (event.time_us, _event_label(event.kind, event.what))
        for event in timeline.events
        if event.kind in MARKED_KINDS and course["time_us"][0] <= event.time_us <= course["time_us"][-1]
    ]
    top = alt.layer(shade, share, mark_lines(events)).properties(height=190).add_params(zoom_x())
    bottom = alt.layer(shade, p99).properties(height=110)
    chart: Plot = (
        alt.vconcat(top, bottom)
        .resolve_scale(x="shared")
        .properties(title=f"Bad requests and p99, all entry routes, per {width_s} s (n {n:,}); Shift and wheel to zoom")
    )
    return chart


def _event_label(kind: str, what: str) -> str:
    short = what.replace("(success)", "").strip()
    return short[:32] if kind in {"deployment", "flag", "config"} else {"triggered": "alert"}.get(kind, kind)


def _too_few(requests: int) -> Note:
    if not requests:
        return Note("No entry request was recorded, so there is no share of bad ones to follow; see the signals below.")
    return Note(f"{requests} entry requests were recorded: too few to follow over time; see the signals below.")


def plot_outcomes(findings: IncidentFindings) -> Plot | Note:
    """Plot what users got over time: answers by status, bad ones apart."""
    if findings.requests.height < MIN_REQUESTS:
        return _too_few(findings.requests.height)
    width_us = max(findings.onset.bucket_s, 10) * 1_000_000
    late = pl.when(pl.col("bad")).then(pl.lit("slow, then answered")).otherwise(pl.lit("good"))
    outcome = pl.when(pl.col("failed")).then(describe_outcome()).otherwise(late)
    counts = (
        findings.requests.with_columns(
            (pl.col("time_us") // width_us * width_us).alias("time_us"), outcome.alias("outcome")
        )
        .group_by("time_us", "outcome")
        .agg(pl.len().cast(pl.Int64).alias("requests"))
        .with_columns(utc("time_us").alias("time"), utc("time_us", plus_us=width_us).alias("until"))
        .sort("time_us", "outcome")
    )
    kinds = sorted(set(counts["outcome"]), key=lambda kind: (kind != "good", kind))
    failing = [PALETTE["bad"], PALETTE["warn"], *CATEGORIES[3:6], PALETTE["accent"]]
    colours = [PALETTE["soft"], *(failing[index % len(failing)] for index in range(len(kinds) - 1))]
    # Stacked here: Vega-Lite does not stack bars that have a start and an end in time.
    order = pl.col("outcome").replace_strict(kinds, range(len(kinds)), return_dtype=pl.Int64)
    stacked = counts.sort("time_us", order).with_columns(pl.col("requests").cum_sum().over("time_us").alias("top"))
    bars = (
        alt.Chart(stacked.with_columns((pl.col("top") - pl.col("requests")).alias("foot")))
        .mark_rect(stroke=None)
        .encode(
            x=utc_x("time"),
            x2="until:T",
            y=alt.Y("foot:Q", title=f"requests per {width_us // 1_000_000} s"),
            y2="top:Q",
            color=alt.Color("outcome:N", scale=alt.Scale(domain=kinds, range=colours)),
            tooltip=[utc_tooltip("time"), "outcome:N", "requests:Q"],
        )
    )
    shade = window_shade(findings.onset.window.start_us, findings.onset.window.end_us)
    return alt.layer(shade, bars).properties(
        title=f"What users got, by the time of the request (n {findings.requests.height:,})", height=190
    )


def plot_metrics(findings: IncidentFindings, points: pl.DataFrame) -> Plot | Note:
    """Plot the metrics that changed the most over time, one panel each, with the limit where one is known.

    Parameters
    ----------
    findings : IncidentFindings
    points : polars.DataFrame
        Metric points as rollups.metric_points makes them.
    """
    shade = window_shade(findings.onset.window.start_us, findings.onset.window.end_us)
    chosen = [(row, row.series) for row in findings.differences.rows if row.notable and row.series][:MAX_METRICS]
    if not chosen:
        return Note(f"No metric changed with at least a medium effect ({points.height:,} points were read).")
    panels: list[alt.LayerChart | alt.FacetChart] = []
    for row, (name, series) in chosen:
        line = points.filter(
            (pl.col("metric_name") == name) & (pl.col("service_name") == row.subject) & (pl.col("series") == series)
        ).select(utc("time_us").alias("time"), "value", pl.lit(row.limit, dtype=pl.Float64).alias("limit"))
        title = f"{row.subject}: {row.measure.removeprefix('mean ')} (n {line.height})"
        base = alt.Chart(line.sort("time")).encode(x=utc_x("time"))
        layers = [
            shade,
            base.mark_line(point={"size": 12}).encode(
                y=alt.Y("value:Q", title=row.unit or None),
                tooltip=[utc_tooltip("time"), alt.Tooltip("value:Q", format=",.4~g")],
            ),
        ]
        if row.limit:
            limit = alt.Chart(line.select("limit").head(1))
            layers.append(limit.mark_rule(strokeDash=[6, 4], color=PALETTE["warn"]).encode(y="limit:Q"))
        panels.append(alt.layer(*layers).properties(title=title, height=84))
    chart: Plot = (
        alt.vconcat(*panels)
        .resolve_scale(x="shared")
        .properties(title="Metrics that changed the most; dashed: the limit", spacing=4)
    )
    return chart


def plot_spread(findings: IncidentFindings) -> Plot | Note:
    """Plot the share of each service's own requests that failed over time, the service that failed first on top."""
    by_service = (
        findings.red.group_by("bucket_us", "service_name")
        .agg(pl.col("requests").sum(), pl.col("failed").sum())
        .with_columns((pl.col("failed") / pl.col("requests")).alias("failed_share"), utc("bucket_us").alias("time"))
        .sort("bucket_us", "service_name")
    )
    first = (
        by_service.filter((pl.col("failed_share") > FAILING_SHARE) & (pl.col("requests") >= MIN_CELL))
        .group_by("service_name")
        .agg(pl.col("bucket_us").min().alias("first_us"))
    )
    order = (
        by_service.select("service_name").unique().join(first, on="service_name", how="left")
        .sort("first_us", "service_name", nulls_last=True)["service_name"].to_list()
    )  # fmt: skip
    total = int(findings.red["requests"].sum())
    if first.is_empty():
        return Note(
            f"No service failed for more than {100 * FAILING_SHARE:.0f} % of its requests in ten seconds (n {total:,})."
        )
    cells: alt.Chart = (
        alt.Chart(by_service.with_columns(utc("bucket_us", plus_us=SPREAD_US).alias("until")))
        .mark_rect(color=PALETTE["bad"])
        .encode(
            x=utc_x("time"),
            x2="until:T",
            y=alt.Y("service_name:N", sort=order, title=None),
            opacity=alt.Opacity(
                "failed_share:Q",
                scale=alt.Scale(domain=[0, 1], range=[0.03, 1]),
                legend=alt.Legend(format="%", title="requests that failed", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            tooltip=[
                utc_tooltip("time"),
                "service_name:N",
                alt.Tooltip("failed:Q"),
                alt.Tooltip("requests:Q", title="of requests"),
                alt.Tooltip("failed_share:Q", title="share", format=".1%"),
            ],
        )
    )
    chart: Plot = cells.properties(
        title=f"Requests that failed, by service, per 10 s (n {total:,}); first to fail on top",
        height=ROW_PX * max(1, len(order)),
    )
    return chart
