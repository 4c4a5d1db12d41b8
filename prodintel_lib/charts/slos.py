"""What is left of what may fail, and how fast it is used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.slos import RULES
from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt, utc_tooltip
from prodintel_lib.charts.shared import utc
from prodintel_lib.charts.time_axis import (
    line_points,
    moment_rule,
    panel_title,
    recorded_stretch,
    with_breaks,
    x_in,
)
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from prodintel_lib.analyses.slos import SloReport
    from prodintel_lib.charts.shared import Plot

MAX_PANELS: Final = 4
LEAST_BURN: Final = 0.05
# A window's line and its threshold share a colour, and the shortest window's line is whole.
LONG_WINDOWS: Final = tuple(rule.long for rule in RULES)
_COLOURS: Final = (PALETTE["bad"], PALETTE["warn"], PALETTE["accent"], CATEGORIES[3])
_DASHES: Final = ([1, 0], [6, 2], [2, 2], [8, 3, 2, 3])
_PANEL_PX: Final = 110
_LEAST_TOP: Final = 1.25
_DAY_US: Final = 86_400 * US_PER_S
_TIMES_USED: Final = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_ALERT_STATES: Final = {"fires": "fires", "too few": "too few requests to be sure"}


def plot_burn(report: SloReport, *, within: Window | None = None) -> Plot | Note:
    """Plot how fast each budget burned, by the long window of each alert, with the rate at which the alert is due.

    A burn of 1 uses the budget up in exactly a period. Below 0.05 the line stays at the axis; the tooltip has the
    figure. Objectives that are worst off come first. Lines break where no request was recorded.

    Parameters
    ----------
    report : SloReport
    within : Window, optional
        What to show, as far as it was recorded; by default the day before the last of the evidence.
    """
    known = report.burn.filter(pl.any_horizontal(pl.col(f"burn_{name}").is_not_null() for name in LONG_WINDOWS))
    asked = within or Window(report.as_of_us - _DAY_US, report.as_of_us)
    seen = known.filter(pl.col("total") > 0)
    stretch = recorded_stretch(seen["bucket_us"], asked, bucket_s=report.bucket_s)
    inside = seen.filter(pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left"))
    shown = report.objectives.filter(pl.col("objective").is_in(inside["objective"].unique().to_list())).head(MAX_PANELS)
    if shown.is_empty():
        return _no_objective(report, asked)
    panels = [
        _burn_panel(row, report, stretch, is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    rules = ", ".join(f"{rule.threshold:g} over {rule.long}" for rule in RULES)
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"How fast the error budget burns (log axis; 1 uses it up in a period): "
            f"{shown.height} of {report.objectives.height} objectives",
            subtitle=f"Dashed level lines, in the colour of their window: alerts are due at {rules}, if a twelfth of "
            "that window burns as fast",
        )
    )


def plot_budget(report: SloReport) -> Plot | Note:
    """Plot how many times each error budget is used up over the period, and how often it will be, with its interval.

    0 is nothing and 1 all of it; beyond 1 the axis is logarithmic, so that a budget overdrawn many times can be read.
    """
    shown = report.objectives.filter(
        pl.col("budget_left").is_not_null() & pl.col("objective").is_in(report.budget["objective"].unique().to_list())
    ).head(MAX_PANELS)
    if shown.is_empty():
        return _no_objective(report, report.period)
    names = shown["objective"].to_list()
    past = report.budget.filter(pl.col("objective").is_in(names))["bucket_us"]
    ahead = report.budget_forecast.filter(pl.col("objective").is_in(names))["time_us"]
    stretch = _covering(pl.concat([past, ahead]), report.bucket_s)
    panels = [
        _budget_panel(row, report, stretch, is_last=place == shown.height - 1)
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    fan = f"; dashed: forecast with its {100 * report.forecast_level:.0f} % interval" if ahead.len() else ""
    return alt.vconcat(*panels, spacing=8).properties(
        title=alt.Title(
            f"Error budget used, times the period's: {shown.height} of {report.objectives.height} objectives",
            subtitle=f"Line at 1: used up, more failed than was promised; beyond it the axis is logarithmic{fan}",
        )
    )


def _no_objective(report: SloReport, asked: Window) -> Note:
    if report.objectives.is_empty():
        return Note(
            f"No objective is promised or can be proposed ({report.unpromised_routes:,} routes were seen), so there is "
            "no budget to follow."
        )
    return Note(
        f"No request that an objective is about was recorded in {asked.label()} (objectives: "
        f"{report.objectives.height:,}), so nothing is known of their budgets."
    )


def _covering(times_us: pl.Series, bucket_s: int) -> Window:
    ordered = times_us.sort()
    return Window(int(ordered[0]), int(ordered[-1]) + bucket_s * US_PER_S)


def _burn_panel(
    row: dict[str, Any], report: SloReport, stretch: Window, *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    own = report.burn.filter(
        pl.col("objective") == row["objective"],
        pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left"),
        pl.col("total") > 0,
    )
    names: list[Any] = list(LONG_WINDOWS)
    course = _broken(own.drop("objective"), report).select(
        "time", "good", "total", *(pl.col(f"burn_{name}").alias(name) for name in names)
    )
    highest = own.select(pl.max_horizontal(pl.col(f"burn_{name}").max() for name in names)).item() or 0.0
    thresholds = _thresholds(row["objective"], report)
    top = 1.2 * max(highest, *thresholds["due_at"].to_list(), 1.0)
    colour = alt.Color("window:N", scale=alt.Scale(domain=names, range=list(_COLOURS)), legend=_LEGEND)
    y = alt.Y(
        "shown:Q",
        title="burn (log)",
        scale=alt.Scale(type="log", domain=[LEAST_BURN, top], nice=False, clamp=True),
        axis=alt.Axis(values=[0.1, 1, 10, 100, 1000], format="~g"),
    )
    lines = (
        alt.Chart(course)
        .transform_fold(names, as_=["window", "burn"])
        .transform_calculate(shown=f"isValid(datum.burn) ? max(datum.burn, {LEAST_BURN}) : null")
        .mark_line(strokeCap="round", point=line_points(course.height), clip=True)
        .encode(
            x=x_in(stretch, is_last=is_last),
            y=y,
            color=colour,
            strokeDash=alt.StrokeDash("window:N", scale=alt.Scale(domain=names, range=list(_DASHES)), legend=_LEGEND),
            tooltip=[
                utc_tooltip("time"),
                "window:N",
                alt.Tooltip("burn:Q", format=",.3~r"),
                alt.Tooltip("good:Q", title="good in the column", format=","),
                alt.Tooltip("total:Q", title="of requests", format=","),
            ],
        )
    )
    tooltip = ["rule:N", alt.Tooltip("due_at:Q", title="due at", format=",.3~r"), "severity:N", "state:N"]
    rules = (
        alt.Chart(thresholds)
        .mark_rule(strokeDash=[8, 6], strokeWidth=1, opacity=0.8)
        .encode(y=alt.Y("due_at:Q"), color=colour, tooltip=tooltip)
    )
    return alt.layer(rules, lines).properties(title=panel_title(_burn_title(row, report)), height=_PANEL_PX)


_LEGEND: Final = alt.Legend(title="burn over the last", symbolType="stroke", symbolSize=300)


def _thresholds(objective: str, report: SloReport) -> pl.DataFrame:
    """Return a row for each alert that may fire: its long window, the burn at which it is due, and its state."""
    long = {rule.name: rule.long for rule in RULES}
    return report.alerts.filter((pl.col("objective") == objective) & pl.col("rule").is_in(list(long))).select(
        pl.col("rule").replace_strict(long, return_dtype=pl.String).alias("window"),
        "rule", "severity", "state", pl.col("threshold").alias("due_at"),
    )  # fmt: skip


def _burn_title(row: dict[str, Any], report: SloReport) -> str:
    alerts = report.alerts.filter((pl.col("objective") == row["objective"]) & (pl.col("state") == "fires"))
    said = f"alert {', '.join(alerts['rule'])} fires" if alerts.height else "no alert fires"
    return f"{_name(row)}: {said} (n {row['n']:,})"


def _name(row: dict[str, Any]) -> str:
    return f"{row['objective']} (proposed)" if row["is_proposed"] else str(row["objective"])


def _budget_panel(
    row: dict[str, Any], report: SloReport, stretch: Window, *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    own = report.budget.filter(pl.col("objective") == row["objective"]).select(
        "bucket_us",
        "bad",
        "total",
        (1 - pl.col("left")).round_sig_figs(5).alias("used"),
        utc("bucket_us").alias("time"),
    )
    ahead = report.budget_forecast.filter(pl.col("objective") == row["objective"]).select(
        utc("time_us").alias("time"),
        (1 - pl.col("left_high")).alias("used_low"),
        (1 - pl.col("left")).alias("used"),
        (1 - pl.col("left_low")).alias("used_high"),
    )
    top = float(pl.concat([own["used"], ahead["used_high"], pl.Series([_LEAST_TOP])]).sort(nulls_last=False)[-1])
    y = alt.Y(
        "used:Q",
        title="times used",
        scale=alt.Scale(type="symlog", constant=1, domain=[0, top], nice=False),
        axis=alt.Axis(values=[times for times in _TIMES_USED if times <= top], format=",~r"),
    )
    x = x_in(stretch, is_last=is_last)
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("used:Q", title="times used", format=",.3~r"),
        alt.Tooltip("bad:Q", title="bad in the column", format=","),
        alt.Tooltip("total:Q", title="of requests", format=","),
    ]
    line = (
        alt.Chart(own.drop("bucket_us"))
        # What is used stays used until the next request that is recorded.
        .mark_line(strokeCap="round", interpolate="step-after", point=line_points(own.height))
        .encode(x=x, y=y, tooltip=tooltip)
    )
    used_up = alt.MarkDef("rule", color=PALETTE["bad"], strokeWidth=1.2, tooltip=False)
    layers = [alt.Chart(pl.DataFrame({"used up": [1.0]}), mark=used_up).encode(y="used up:Q"), line]
    if ahead.height:
        layers += [moment_rule(report.as_of_us, "the last of the evidence"), *_fan(ahead, report, x, y)]
    return alt.layer(*layers).properties(title=panel_title(_budget_title(row, report)), height=_PANEL_PX)


def _fan(ahead: pl.DataFrame, report: SloReport, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    base = alt.Chart(ahead).encode(x=x)
    band = base.mark_area(color=PALETTE["accent"], opacity=0.18, tooltip=False).encode(
        y="used_low:Q", y2="used_high:Q"
    )  # fmt: skip
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("used:Q", title="times used, median", format=",.3~r"),
        alt.Tooltip("used_low:Q", title=f"{100 * report.forecast_level:.0f} % from", format=",.3~r"),
        alt.Tooltip("used_high:Q", title="to", format=",.3~r"),
    ]
    return [band, base.mark_line(strokeDash=[4, 3]).encode(y=y, tooltip=tooltip)]


def _broken(rows: pl.DataFrame, report: SloReport) -> pl.DataFrame:
    """Return rows that were thinned, with breaks where they are much further apart than usual."""
    usual_us = rows["bucket_us"].sort().diff().drop_nulls().quantile(0.5, "lower") or 0
    return with_breaks(rows, width_s=max(4 * int(usual_us) // US_PER_S, report.bucket_s))


def _budget_title(row: dict[str, Any], report: SloReport) -> str:
    foreseen = report.foreseen.filter(pl.col("objective") == row["objective"]).drop_nulls("probability")
    chances = [
        f"{100 * chance:.0f} % in {'a period' if horizon == 'period' else horizon}"
        for horizon, chance in foreseen.select("horizon", "probability").iter_rows()
    ]
    soon = f"; chance that it is used up: {', '.join(chances)}" if chances and row["budget_left"] > 0 else ""
    left = row["budget_left"]
    said = f"{four_digits(100 * left)} % left" if left >= 0 else f"used up {1 - left:,.1f} times over"
    return f"{_name(row)}: {said} ({row['bad']:,} bad of {row['n']:,}){soon}"
