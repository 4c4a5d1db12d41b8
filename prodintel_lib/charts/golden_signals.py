"""Traffic, errors and saturation over time, each against what is usual or allowed; latency is in `charts.latency`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt, utc_tooltip
from prodintel_lib.charts.time_axis import (
    edges,
    line_points,
    panel_title,
    shown_stretch,
    width_words,
    with_breaks,
    x_in,
)
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.windows import US_PER_S, Window, format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.golden_signals import GoldenSignals
    from prodintel_lib.charts.shared import Plot

MAX_PANELS: Final = 4
MAX_RESOURCES: Final = 6
ABOUT: Final = ("grain", "service_name", "route")
NEAR: Final = 0.5
BOUNDS: Final = {"watch": 0.7, "high": 0.8, "critical": 0.9}
PANEL_PX: Final = 92
_RESOURCE_PX: Final = 58
_WORSE: Final = ("new", "rising")
_LABEL_CHARS: Final = 70
LINE_LEGEND: Final = alt.Legend(symbolType="stroke", symbolSize=300)


def plot_traffic(golden: GoldenSignals) -> Plot | Note:
    """Plot requests a second against the usual rate and its range, and the hours to come with their interval."""
    traffic = golden.traffic
    if traffic.frame.is_empty() or not int(traffic.frame["n"].sum()):
        return Note(f"No request was recorded in {golden.window.label()}.")
    shown = rows_to_show(traffic.frame, notable=pl.col("verdict").is_in(["more", "less"]), same=["n", "usual_rps"])
    foreseen = traffic.forecast.join(shown.select(ABOUT), on=ABOUT, how="semi")
    stretch = shown_stretch(traffic.over_time["bucket_us"], golden.window, step_s=traffic.step_s)
    if foreseen.height:
        ends = foreseen.select(pl.col("bucket_us") + pl.col("step_s") * US_PER_S).to_series()
        stretch = Window(stretch.start_us, max(stretch.end_us, int(ends.sort()[-1])))
    marks = edges(golden.window, stretch)
    panels = [
        _traffic_panel(row, golden, stretch, marks, is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    first = shown.row(0, named=True)
    fan = f"; dashed: forecast with its {100 * traffic.interval_level:.0f} % interval" if foreseen.height else ""
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"Requests a second, per {width_words(traffic.step_s)} ({shown.height} of {traffic.frame.height})",
            subtitle=f"Grey: usual, by {traffic.baseline.says}{fan}. Forecast of {about_label(first)}: "
            f"{_forecast_words(first)}",
        )
    )


def plot_error_ratio(golden: GoldenSignals) -> Plot | Note:
    """Plot the share of requests that failed with its 95 % interval and the share before, new ones first."""
    errors = golden.errors
    failing = errors.frame.filter(pl.col("failed") > 0)
    if failing.is_empty():
        every = errors.frame.filter(pl.col("grain") == "all")["n"].sum()
        return Note(f"None of {every:,} entry requests in {golden.window.label()} failed.")
    shown = rows_to_show(
        failing.sort("failed", descending=True, maintain_order=True),
        notable=pl.col("trend").is_in(_WORSE),
        same=["n", "failed"],
    )
    stretch = shown_stretch(errors.over_time["bucket_us"], golden.window, step_s=errors.step_s)
    marks = edges(golden.window, stretch)
    panels = [
        _error_panel(row, golden, stretch, marks, is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"Requests that failed, per {width_words(errors.step_s)}, 95 % intervals "
            f"({shown.height} of {failing.height} with failures)",
            subtitle=f"After all requests, what is new or rising; dashed: the share before, {errors.baseline.says}",
        )
    )


def plot_saturation(golden: GoldenSignals) -> Plot | Note:
    """Plot how full resources with a known limit were, with the bounds of risk at 0.7, 0.8 and 0.9.

    Those that came to half of it are shown, the fullest first; where none did, the fullest alone.
    """
    saturation = golden.saturation
    limited = saturation.frame.filter(pl.col("risk") != "no limit known")
    if limited.is_empty():
        return Note(
            f"No resource with a known limit was recorded ({saturation.frame.height:,} without one), so there is no "
            "level to show."
        )
    is_only = pl.struct("service_name", "resource").is_unique().alias("is_only")
    near = limited.filter((pl.col("highest") >= NEAR) | (pl.col("risk") != "ok"))
    shown = (near.head(MAX_RESOURCES) if near.height else limited.head(1)).with_columns(is_only)
    every = limited.height + saturation.resources_left_out
    over_time = saturation.over_time.filter(pl.col("key").is_in(shown["key"].to_list()))
    stretch = shown_stretch(over_time["bucket_us"], golden.window, step_s=saturation.step_s)
    panels = [
        _saturation_panel(row, golden, stretch, is_only=row["is_only"], is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"How full resources were, share of their limit, per {width_words(saturation.step_s)} "
            f"({shown.height} of {every}, fullest first)",
            subtitle="Dashed: watch from 70 %, high from 80 %, critical from 90 %; "
            f"{near.height} of {limited.height} came to {100 * NEAR:.0f} % or more",
        )
    )


def rows_to_show(frame: pl.DataFrame, *, notable: pl.Expr, same: list[str]) -> pl.DataFrame:
    """Return the rows that get a panel: all requests, then what is notable, then the rest in the frame's order.

    Rows that agree in the columns `same` are the same requests seen twice, such as all of them and those of the one
    service that takes them: the first is kept.
    """
    # What has no request at all may be what is most unusual.
    ranked = frame.filter((pl.col("n") > 0) | notable).with_columns(
        (pl.col("grain") == "all").alias("_all"), notable.alias("_notable")
    )
    first = ranked.sort("_all", "_notable", descending=True, nulls_last=True, maintain_order=True)
    return first.unique(same, keep="first", maintain_order=True).drop("_all", "_notable").head(MAX_PANELS)


def about_label(row: dict[str, Any]) -> str:
    """Name what a row of the golden signals is about."""
    if row["grain"] == "all":
        return "all entry requests"
    where = f"{row['route']} ({row['service_name']})" if row["route"] else row["service_name"] or "no service named"
    return str(where)[:_LABEL_CHARS]


def rows_about(frame: pl.DataFrame, row: dict[str, Any], stretch: Window) -> pl.DataFrame:
    """Return the rows over time of what a row is about, within a stretch."""
    return frame.filter(
        *(pl.col(name) == row[name] for name in ABOUT),
        pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left"),
    )


def _traffic_panel(
    row: dict[str, Any], golden: GoldenSignals, stretch: Window, marks: list[alt.Chart], *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    traffic = golden.traffic
    course = with_breaks(rows_about(traffic.over_time, row, stretch), width_s=traffic.step_s)
    foreseen = rows_about(traffic.forecast, row, stretch)
    x = x_in(stretch, is_last=is_last)
    base = alt.Chart(course.drop(*ABOUT, "bucket_us", "in_window")).encode(x=x)
    y = alt.Y("rps:Q", title="requests/s", axis=alt.Axis(tickCount=3))
    layers = [
        *marks,
        base.mark_area(color=PALETTE["soft"], opacity=0.22, tooltip=False).encode(
            y="usual_low_rps:Q", y2="usual_high_rps:Q"
        ),
        base.mark_line(color=PALETTE["soft"], strokeWidth=1.5, tooltip=False).encode(y="usual_rps:Q"),
        base.mark_line(strokeCap="round", point=line_points(course.height)).encode(
            y=y,
            tooltip=[
                utc_tooltip("time"),
                alt.Tooltip("rps:Q", title="requests/s", format=",.4~r"),
                alt.Tooltip("requests:Q", title="n requests", format=","),
                alt.Tooltip("usual_rps:Q", title="usual", format=",.4~r"),
                alt.Tooltip("usual_low_rps:Q", title="usual from", format=",.4~r"),
                alt.Tooltip("usual_high_rps:Q", title="to", format=",.4~r"),
            ],
        ),
    ]
    if foreseen.height:
        layers += _forecast_layers(foreseen, x)
    usual = f", usually {four_digits(row['usual_rps'])}/s" if row["usual_rps"] is not None else ""
    title = f"{about_label(row)}: {four_digits(row['rps'])}/s{usual} (n {row['n']:,})"
    return alt.layer(*layers).properties(title=panel_title(title), height=PANEL_PX)


def _forecast_layers(foreseen: pl.DataFrame, x: alt.X) -> list[alt.Chart]:
    step_s = int(foreseen["step_s"][0])
    rows = with_breaks(foreseen, width_s=step_s).select("time", "rps", "low_rps", "high_rps", "method")
    base = alt.Chart(rows).encode(x=x)
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("rps:Q", title="forecast, requests/s", format=",.4~r"),
        alt.Tooltip("low_rps:Q", title="from", format=",.4~r"),
        alt.Tooltip("high_rps:Q", title="to", format=",.4~r"),
        "method:N",
    ]
    band = base.mark_area(color=PALETTE["accent"], opacity=0.16, tooltip=False).encode(y="low_rps:Q", y2="high_rps:Q")
    line = base.mark_line(strokeDash=[4, 3], point=line_points(rows.height)).encode(y="rps:Q", tooltip=tooltip)
    return [band, line]


def _forecast_words(row: dict[str, Any]) -> str:
    if row["coverage"] is None:
        return str(row["forecast_says"])
    return f"{row['forecast_says']}; its interval held {100 * row['coverage']:.0f} % of {row['coverage_n']:,} backtests"


def _error_panel(
    row: dict[str, Any], golden: GoldenSignals, stretch: Window, marks: list[alt.Chart], *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    errors = golden.errors
    course = with_breaks(rows_about(errors.over_time, row, stretch), width_s=errors.step_s)
    base = alt.Chart(course.drop(*ABOUT, "bucket_us", "in_window")).encode(x=x_in(stretch, is_last=is_last))
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("failed:Q", format=","),
        alt.Tooltip("n:Q", title="of requests", format=","),
        alt.Tooltip("ratio:Q", title="share", format=".2%"),
        alt.Tooltip("low:Q", title="95 % from", format=".2%"),
        alt.Tooltip("high:Q", title="to", format=".2%"),
    ]
    layers = [
        *marks,
        base.mark_area(color=PALETTE["bad"], opacity=0.18, tooltip=False).encode(y="low:Q", y2="high:Q"),
        base.mark_line(
            color=PALETTE["bad"], strokeCap="round", point=line_points(course.height, PALETTE["bad"])
        ).encode(y=alt.Y("ratio:Q", title="failed", axis=alt.Axis(format="~%", tickCount=3)), tooltip=tooltip),
    ]
    if row["history_ratio"] is not None:
        before = pl.DataFrame({"before": [row["history_ratio"]], "n": [row["history_n"]]})
        layers.append(
            alt.Chart(before)
            .mark_rule(strokeDash=[5, 3], color=PALETTE["accent"], strokeWidth=1.5)
            .encode(y="before:Q", tooltip=[alt.Tooltip("before:Q", format=".2%"), alt.Tooltip("n:Q", format=",")])
        )
    title = f"{about_label(row)}: {100 * row['ratio']:.2f} %, {row['trend']} ({row['failed']:,} of {row['n']:,})"
    return alt.layer(*layers).properties(title=panel_title(title), height=PANEL_PX)


def _saturation_panel(
    row: dict[str, Any], golden: GoldenSignals, stretch: Window, *, is_only: bool, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    saturation = golden.saturation
    own = saturation.over_time.filter(
        pl.col("key") == row["key"],
        pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left"),
    )
    course = with_breaks(own.select("bucket_us", "value", "highest"), width_s=saturation.step_s)
    top = float(pl.concat([course["highest"], course["value"], pl.Series([1.0])]).sort(nulls_last=False)[-1])
    base = alt.Chart(course.drop("bucket_us")).encode(x=x_in(stretch, is_last=is_last))
    y = alt.Y(
        "value:Q",
        title="of the limit",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(format="~%", values=[0, 0.5, 1], grid=True),
    )
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("value:Q", title="level", format=".1%"),
        alt.Tooltip("highest:Q", format=".1%"),
    ]
    line = base.mark_line(strokeCap="round", point=line_points(course.height)).encode(y=y, tooltip=tooltip)
    return alt.layer(_bound_rules(), *edges(golden.window, stretch), line).properties(
        title=panel_title(_resource_words(row, is_only=is_only)), height=_RESOURCE_PX
    )


def _resource_words(row: dict[str, Any], *, is_only: bool) -> str:
    instance = "" if is_only else row["service_instance_id"]
    resource = row["resource"]
    shown = resource if len(resource) <= _LABEL_CHARS else f"{resource[:_LABEL_CHARS]}…"
    name = " ".join(part for part in (row["service_name"], instance, shown) if part)
    hours = row["hours_left"]
    left = f"; if it goes on like this, full in {format_duration(3600 * hours)}" if hours is not None else ""
    figures = f"{100 * row['level']:.0f} %, highest {100 * row['highest']:.0f} %"
    return f"{name}: {figures}, {row['risk']}{left} (n {row['n']:,})"


def _bound_rules() -> alt.Chart:
    rows = pl.DataFrame({"from": list(BOUNDS.values()), "risk": list(BOUNDS)})
    rules: alt.Chart = (
        alt.Chart(rows)
        .mark_rule(strokeDash=[6, 4], color=PALETTE["warn"], strokeWidth=1.2)
        .encode(y="from:Q", tooltip=["risk:N", alt.Tooltip("from:Q", format=".0%")])
    )
    return rules
