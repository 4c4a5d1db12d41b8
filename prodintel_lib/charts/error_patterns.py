"""Error patterns: which there are, how they went, and which services and releases have them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.error_patterns import label_of
from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt, utc_axis, utc_tooltip, window_shade
from prodintel_lib.charts.shared import ROW_PX, Plot, utc
from prodintel_lib.markup import Note
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns import ErrorPatterns

MAX_PATTERNS: Final = 15
MAX_COURSES: Final = 6
MAX_COLUMNS: Final = 20
MAX_MARKS: Final = 8
MAX_BARS: Final = 168
COURSE_PX: Final = 60
MARKED_KINDS: Final = ("deployment", "release", "flag", "config")
CLASS_COLOURS: Final = {
    "bug": PALETTE["bad"], "unclear": PALETTE["warn"], "expected": PALETTE["soft"], "user mistake": CATEGORIES[3],
}  # fmt: skip
UNKNOWN: Final = "unknown"
_LABEL_CHARS: Final = 64


def plot_error_patterns(patterns: ErrorPatterns) -> Plot | Note:
    """Plot how often each pattern occurred, in the window and at the rate before, coloured by class.

    The bar is the window; the tick is what the rate of the baseline would have brought with the window's traffic.
    """
    rows = patterns.frame.filter(pl.col("occurrences") > 0).head(MAX_PATTERNS)
    if rows.is_empty():
        return _nothing(patterns)
    scale = pl.when(pl.col("baseline_exposure") > 0).then(pl.col("exposure") / pl.col("baseline_exposure"))
    labels = _labels(rows)
    shown = rows.select(
        "occurrences", "baseline_occurrences", "class", "category", "priority", "trend", "clients", "people",
        "exposure", "exposure_unit", service=pl.col("service_name"), expected=pl.col("baseline_occurrences") * scale,
    ).with_columns(pl.Series("what", labels), (pl.col("clients") - pl.col("people")).alias("bots"))  # fmt: skip
    tooltip = [
        "what:N", "service:N", "priority:N", "class:N", "category:N", "trend:N",
        alt.Tooltip("occurrences:Q", format=",", title="in the window"),
        alt.Tooltip("expected:Q", format=",.1f", title="at the rate before"),
        alt.Tooltip("exposure:Q", format=",", title="traffic of its service"),
        alt.Tooltip("exposure_unit:N", title="counted in"),
        alt.Tooltip("people:Q", format=",", title="clients"),
        alt.Tooltip("bots:Q", format=",", title="bots"),
    ]  # fmt: skip
    base = alt.Chart(shown).encode(y=alt.Y("what:N", sort=labels, title=None, axis=alt.Axis(labelLimit=460)))
    colour = alt.Color("class:N", scale=alt.Scale(domain=list(CLASS_COLOURS), range=list(CLASS_COLOURS.values())))
    bars = base.mark_bar(height=12).encode(
        x=alt.X("occurrences:Q", title="errors in the window; tick: at the rate before", axis=alt.Axis(tickMinStep=1)),
        color=colour,
        tooltip=tooltip,
    )
    ticks = base.mark_tick(thickness=2, height=18, color=PALETTE["accent"]).encode(x="expected:Q", tooltip=tooltip)
    words = base.transform_calculate(
        said="datum.clients ? format(datum.people, ',') + (datum.people == 1 ? ' client' : ' clients')"
        " + (datum.bots ? ', ' + format(datum.bots, ',') + ' bots' : '') : ''"
    )
    counts = words.mark_text(align="left", dx=6).encode(x="occurrences:Q", text="said:N", tooltip=tooltip)
    return alt.layer(bars, ticks, counts).properties(
        title=f"Error patterns, first to look at on top ({rows.height} of {patterns.frame.height:,}; "
        f"{patterns.events:,} errors and warnings)",
        height=ROW_PX * rows.height,
    )


def plot_error_course(patterns: ErrorPatterns, *, changes: pl.DataFrame | None = None) -> Plot | Note:
    """Plot the first patterns over time, one above the other, with the window shaded and what was changed marked.

    Parameters
    ----------
    patterns : ErrorPatterns
    changes : polars.DataFrame, optional
        The canonical table: deployments, releases, flags and configuration are marked, the last MAX_MARKS of them.
    """
    rows = patterns.frame.head(MAX_COURSES)
    if rows.is_empty():
        return _nothing(patterns)
    span = [patterns.baseline.start_us, patterns.window.end_us]
    width_s = _wide_enough(patterns.bucket_s, (span[1] - span[0]) / US_PER_S)
    width_us = width_s * US_PER_S
    marks = _marks(patterns, changes)
    domain = pl.DataFrame({"edge": span}).select(utc("edge"))["edge"].to_list()
    parts = []
    for place, (key, label) in enumerate(zip(rows["pattern_id"], _labels(rows), strict=True)):
        counted = (
            patterns.buckets.filter(pl.col("pattern_id") == key)
            .group_by(pl.col("bucket_us") // width_us * width_us)
            .agg(pl.col("rows").sum())
            .sort("bucket_us")
        )
        own = counted.select(
            "rows",
            pl.lit(label).alias("what"),
            utc("bucket_us").alias("from"),
            utc("bucket_us", plus_us=width_us).alias("until"),
        )
        is_last = place == rows.height - 1
        bars = (
            alt.Chart(own)
            .mark_rect(color=PALETTE["bad"])
            .encode(
                x=alt.X(
                    "from:T",
                    scale=alt.Scale(type="utc", domain=domain),
                    axis=utc_axis() if is_last else alt.Axis(labels=False, ticks=False, title=None),
                ),
                x2="until:T",
                y=alt.Y("rows:Q", title=None, axis=alt.Axis(tickCount=2, tickMinStep=1)),
                y2=alt.datum(0),
                tooltip=[
                    "what:N",
                    utc_tooltip("from"),
                    alt.Tooltip("rows:Q", format=",", title=f"errors in {format_duration(width_s)}"),
                ],
            )
        )
        layers = [window_shade(patterns.window.start_us, patterns.window.end_us), bars]
        layers += [_rules(marks)] if marks else []
        parts.append(alt.layer(*layers).properties(title=alt.Title(label, fontSize=11), height=COURSE_PX))
    return alt.vconcat(*parts, spacing=10).properties(
        title=alt.Title(
            f"Errors per {format_duration(width_s)}, each on its own scale; the window is shaded",
            subtitle=f"Dashed: {len(marks)} changes; point at a line for its name" if marks else "",
        )
    )


def plot_error_places(patterns: ErrorPatterns) -> Plot | Note:
    """Plot how often each pattern occurred by service and release, against the traffic of that release."""
    shown = patterns.frame.filter(pl.col("occurrences") > 0).head(MAX_PATTERNS)
    if shown.is_empty():
        return _nothing(patterns)
    labels = _labels(shown)
    named = shown.select("pattern_id", "service_name", "exposure_unit", "occurrences").with_columns(
        pl.Series("what", labels)
    )
    releases = patterns.contexts.filter(pl.col("attribute") == "release").select(
        "pattern_id", "value", "rows", "traffic", "share_of_all"
    )
    cells = named.join(releases, on="pattern_id", how="left").with_columns(
        pl.col("value").fill_null(UNKNOWN).alias("release"), pl.col("rows").fill_null(pl.col("occurrences"))
    )
    service = pl.when(pl.col("service_name") == "").then(pl.lit(UNKNOWN)).otherwise("service_name")
    cells = cells.with_columns(
        pl.format("{} {}", service, "release").alias("where"), (pl.col("rows") / pl.col("traffic")).alias("rate")
    )
    columns = cells.group_by("where").agg(pl.col("rows").sum()).sort("rows", "where", descending=[True, False])
    kept = sorted(columns.head(MAX_COLUMNS)["where"].to_list())
    left = columns.height - len(kept)
    chart: Plot = (
        alt.Chart(
            cells.filter(pl.col("where").is_in(kept)).select(
                "what", "where", "rows", "traffic", "rate", "exposure_unit"
            )
        )
        .mark_rect(color=PALETTE["bad"], stroke=None)
        .encode(
            x=alt.X("where:N", sort=kept, title="service and release", axis=alt.Axis(labelAngle=-40, labelLimit=160)),
            y=alt.Y("what:N", sort=labels, title=None, axis=alt.Axis(labelLimit=460)),
            opacity=alt.Opacity(
                "rows:Q",
                scale=alt.Scale(type="log", domain=[1, max(2, *cells["rows"])], range=[0.15, 1]),
                legend=alt.Legend(title="errors", format=","),
            ),
            tooltip=[
                "what:N",
                "where:N",
                alt.Tooltip("rows:Q", format=",", title="errors"),
                alt.Tooltip("traffic:Q", format=",", title="of traffic"),
                alt.Tooltip("exposure_unit:N", title="counted in"),
                alt.Tooltip("rate:Q", format=".2%", title="errors per traffic"),
            ],
        )
        .properties(
            title="Errors by service and release" + (f" ({left} more with fewer are left out)" if left else ""),
            height=ROW_PX * shown.height,
        )
    )
    return chart


def _nothing(patterns: ErrorPatterns) -> Note:
    return Note(f"No error was recorded in {patterns.window.label()}.")


def _labels(rows: pl.DataFrame) -> list[str]:
    """Return names that differ: the end of the id tells apart what reads alike."""
    return [
        f"{label_of(row)[:_LABEL_CHARS]} ({row['service_name'] or UNKNOWN}, {row['pattern_id'][-4:]})"
        for row in rows.iter_rows(named=True)
    ]


def _marks(patterns: ErrorPatterns, changes: pl.DataFrame | None) -> list[tuple[int, str]]:
    if changes is None:
        return []
    seen = changes.filter(
        pl.col("change_kind").is_in(list(MARKED_KINDS))
        & pl.col("time_us").is_between(patterns.baseline.start_us, patterns.window.end_us, closed="left")
    ).sort("time_us", "change_id")
    named = seen.unique(["source", "change_id"], keep="first", maintain_order=True).tail(MAX_MARKS)
    return [
        (
            row["time_us"],
            " ".join(part for part in (row["change_kind"], row["service_name"], row["service_version"]) if part),
        )
        for row in named.iter_rows(named=True)
    ]


def _wide_enough(bucket_s: int, span_s: float) -> int:
    """Return the least multiple of a bucket's width that leaves bars wide enough to be seen."""
    return bucket_s * max(1, math.ceil(span_s / (MAX_BARS * bucket_s)))


def _rules(marks: list[tuple[int, str]]) -> alt.Chart:
    times = pl.DataFrame(marks, schema={"time_us": pl.Int64, "change": pl.String}, orient="row")
    rules: alt.Chart = (
        alt.Chart(times.select("change", utc("time_us").alias("time")))
        .mark_rule(strokeDash=[3, 3], color=PALETTE["soft"], strokeWidth=1.5)
        .encode(x=alt.X("time:T", scale=alt.Scale(type="utc")), tooltip=["change:N", utc_tooltip("time")])
    )
    return rules
