"""How long requests took over time, and what their durations are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt, utc_tooltip
from prodintel_lib.charts.golden_signals import (
    ABOUT,
    LINE_LEGEND,
    about_label,
    rows_about,
    rows_to_show,
)
from prodintel_lib.charts.time_axis import (
    edges,
    line_points,
    log_axis,
    panel_title,
    shown_stretch,
    width_words,
    with_breaks,
    x_in,
)
from prodintel_lib.markup import Note, four_digits

if TYPE_CHECKING:
    from prodintel_lib.analyses.golden_signals import GoldenSignals
    from prodintel_lib.charts.shared import Plot
    from prodintel_lib.windows import Window

MAX_SHAPES: Final = 3
MAX_VALUES: Final = 6
PERCENTILES: Final = {"p50": PALETTE["accent"], "p95": PALETTE["warn"], "p99": PALETTE["bad"]}
_DASHES: Final = ([1, 0], [6, 2], [2, 2])
_PANEL_PX: Final = 110
_SHAPE_PX: Final = 100
_VALUE_PX: Final = 18
_VALUE_CHARS: Final = 48


def plot_latency(golden: GoldenSignals) -> Plot | Note:
    """Plot p50, p95 and p99 over time on a log axis: all entry requests, then what became slower or faster.

    A percentile that too few requests of a column could show is not drawn there.
    """
    latency = golden.latency
    if latency.frame.is_empty() or not int(latency.frame["n"].sum()):
        return Note(f"No request was recorded in {golden.window.label()}, so no duration is known.")
    is_notable = pl.col("verdict").is_in(["slower", "faster"])
    shown = rows_to_show(latency.frame, notable=is_notable, same=["n", "p50_ms", "p95_ms"])
    stretch = shown_stretch(latency.over_time["bucket_us"], golden.window, step_s=latency.step_s)
    panels = [
        _course_panel(row, golden, stretch, is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    rest = latency.frame.height - shown.height + latency.routes_left_out
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"Duration of requests: percentiles per {width_words(latency.step_s)}, ms on a log axis "
            f"({shown.height} shown, {rest} more measured)",
            subtitle="Nothing is drawn where too few requests show a percentile; dotted: the window's ends",
        )
    )


def plot_modes(golden: GoldenSignals) -> Plot | Note:
    """Plot the durations of what has more than one mode on a log axis, and what the slowest mode goes with."""
    latency = golden.latency
    several = latency.frame.filter(pl.col("modes") > 1)
    tested = latency.frame["modes"].count()
    if several.is_empty():
        untested = latency.frame.height - tested
        more = f" ({untested:,} more had too few requests for a test)" if untested else ""
        return Note(f"None of {tested:,} distributions of durations has more than one mode that can be told{more}.")
    panels: list[alt.Chart | alt.LayerChart | alt.FacetChart] = []
    for row in several.head(MAX_SHAPES).iter_rows(named=True):
        panels.append(_shape_panel(row, golden))
        values = _best_split(row, golden)
        if values.height:
            panels.append(_split_panel(values))
    return alt.vconcat(*panels, spacing=14).properties(
        title=alt.Title(
            f"Durations with more than one mode ({several.height} of {tested} tested; "
            f"{min(MAX_SHAPES, several.height)} shown)",
            subtitle="Bars: requests by duration, a colour a mode; below each: the slowest mode's share by what "
            "tells the modes apart best; tick: its share among all others",
        )
    )


def _course_panel(
    row: dict[str, Any], golden: GoldenSignals, stretch: Window, *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    course = with_breaks(rows_about(golden.latency.over_time, row, stretch), width_s=golden.latency.step_s)
    names: list[Any] = list(PERCENTILES)
    wide = course.select("time", "n", *(pl.col(f"{name}_ms").alias(name) for name in names))
    lines = (
        alt.Chart(wide)
        .transform_fold(names, as_=["percentile", "duration_ms"])
        .mark_line(strokeCap="round", point=line_points(wide.height))
        .encode(
            x=x_in(stretch, is_last=is_last),
            y=alt.Y(
                "duration_ms:Q",
                title="ms (log)",
                **log_axis(*_ends(course.select(f"{name}_ms" for name in names))),
            ),
            color=alt.Color(
                "percentile:N", scale=alt.Scale(domain=names, range=list(PERCENTILES.values())), legend=LINE_LEGEND
            ),
            strokeDash=alt.StrokeDash(
                "percentile:N", scale=alt.Scale(domain=names, range=list(_DASHES)), legend=LINE_LEGEND
            ),
            tooltip=[
                utc_tooltip("time"),
                "percentile:N",
                alt.Tooltip("duration_ms:Q", title="ms", format=",.4~r"),
                alt.Tooltip("n:Q", title="n requests", format=","),
            ],
        )
    )
    whole = ", ".join(f"{name} {four_digits(row[f'{name}_ms'])}" for name in names if row[f"{name}_ms"] is not None)
    verdict = f", {row['verdict']}" if row["verdict"] in {"slower", "faster"} else ""
    said = f"{whole} ms{verdict}" if whole else "too few for a percentile"
    title = f"{about_label(row)}: {said} (n {row['n']:,})"
    return alt.layer(*edges(golden.window, stretch), lines).properties(title=panel_title(title), height=_PANEL_PX)


def _shape_panel(row: dict[str, Any], golden: GoldenSignals) -> alt.LayerChart | alt.FacetChart:
    latency = golden.latency
    bins = _about(latency.distribution, row).with_columns(pl.lit(row["n"]).alias("of"))
    modes = _about(latency.modes, row).select("mode", "value_ms", "share", "share_low", "share_high", "n", "of_n")
    colours = alt.Scale(domain=modes["mode"].to_list(), range=list(CATEGORIES))
    bars = (
        alt.Chart(bins.drop(*ABOUT, "value_ms", "density"))
        .mark_rect(stroke=None, opacity=0.8)
        .encode(
            x=alt.X(
                "low_ms:Q",
                title="duration, ms (log)",
                **log_axis(*_ends(bins.select("low_ms", "high_ms"))),
            ),
            x2="high_ms:Q",
            y=alt.Y("n:Q", title="requests", axis=alt.Axis(tickCount=3)),
            y2=alt.datum(0),
            color=alt.Color("mode:N", scale=colours, legend=alt.Legend(title="mode, fastest first")),
            tooltip=[
                alt.Tooltip("low_ms:Q", title="from, ms", format=",.4~r"),
                alt.Tooltip("high_ms:Q", title="to, ms", format=",.4~r"),
                alt.Tooltip("n:Q", title="requests", format=","),
                alt.Tooltip("of:Q", title="of", format=","),
                "mode:N",
            ],
        )
    )
    peaks = (
        alt.Chart(modes)
        .mark_rule(strokeDash=[5, 3], strokeWidth=2, color=PALETTE["soft"])
        .encode(
            x="value_ms:Q",
            tooltip=[
                "mode:N",
                alt.Tooltip("value_ms:Q", title="ms", format=",.4~r"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("share_low:Q", title="95 % from", format=".1%"),
                alt.Tooltip("share_high:Q", title="to", format=".1%"),
                alt.Tooltip("n:Q", title="requests", format=","),
                alt.Tooltip("of_n:Q", title="of", format=","),
            ],
        )
    )
    said = " and ".join(f"{four_digits(ms)} ms ({100 * share:.0f} %)" for ms, share in
                        modes.select("value_ms", "share").iter_rows())  # fmt: skip
    title = f"{about_label(row)}: {said} (n {row['n']:,})"
    return alt.layer(bars, peaks).properties(title=panel_title(title), height=_SHAPE_PX)


def _best_split(row: dict[str, Any], golden: GoldenSignals) -> pl.DataFrame:
    """Return the values of the dimension that tells the modes apart best, most of the slow mode first."""
    own = _about(golden.latency.splits, row)
    if own.is_empty():
        return own
    best = own.sort("explains", "dimension", descending=[True, False])["dimension"][0]
    return own.filter(pl.col("dimension") == best).sort("slow_share", "n", descending=True).head(MAX_VALUES)


def _split_panel(values: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    shown = pl.when(pl.col("value") == "").then(pl.lit("(unknown)")).otherwise(pl.col("value"))
    rows = values.drop(*ABOUT).with_columns(shown.str.slice(0, _VALUE_CHARS).alias("value"))
    tooltip = [
        "dimension:N",
        "value:N",
        alt.Tooltip("slow_n:Q", title="in the slowest mode", format=","),
        alt.Tooltip("n:Q", title="of", format=","),
        alt.Tooltip("slow_share:Q", title="share", format=".1%"),
        alt.Tooltip("slow_share_elsewhere:Q", title="share among all others", format=".1%"),
    ]
    base = alt.Chart(rows).encode(y=alt.Y("value:N", sort=rows["value"].to_list(), title=None))
    bars = base.mark_bar(height=10, color=PALETTE["bad"], opacity=0.75).encode(
        x=alt.X("slow_share:Q", title="in the slowest mode", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        tooltip=tooltip,
    )
    ticks = base.mark_tick(color=PALETTE["accent"], thickness=2, height=14).encode(
        x="slow_share_elsewhere:Q", tooltip=tooltip
    )
    dimension, explains = rows["dimension"][0], rows["explains"][0]
    title = f"by {dimension}" + (f", which explains {100 * explains:.0f} % of it" if explains is not None else "")
    return alt.layer(bars, ticks).properties(title=panel_title(title), height=_VALUE_PX * rows.height)


def _ends(columns: pl.DataFrame) -> tuple[float, float]:
    """Return the least and the largest value above 0; a decade around 1 where there is none."""
    values = pl.concat([columns[name].alias("value") for name in columns.columns]).drop_nulls()
    known = values.filter(values > 0).sort()
    return (float(known[0]), float(known[-1])) if known.len() else (0.3, 3.0)


def _about(frame: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    return frame.filter(*(pl.col(name) == row[name] for name in ABOUT))
