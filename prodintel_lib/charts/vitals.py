"""How web vitals are distributed, against the bounds they are rated by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.vitals import EVERYTHING, RATINGS
from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.rollups.rum_vitals import VITALS

if TYPE_CHECKING:
    from prodintel_lib.analyses.vitals import Vitals
    from prodintel_lib.charts.shared import Plot

COLUMNS: Final = 2
PANEL_WIDTH_PX: Final = 290
PANEL_HEIGHT_PX: Final = 120
RATING_COLOURS: Final = dict(zip(RATINGS, (PALETTE["good"], PALETTE["warn"], PALETTE["bad"]), strict=True))


def plot_vitals(vitals: Vitals) -> Plot | Note:
    """Plot the distribution of each vital over page views, with the bands of its rating and p75."""
    whole = vitals.of(EVERYTHING)
    if whole.is_empty():
        return Note("No page view reported a web vital, so there is no distribution to show.")
    panels = [_panel(row, vitals.distribution) for row in whole.iter_rows(named=True)]
    most = int(whole["views"].sort()[-1])
    chart: Plot = alt.concat(*panels, columns=COLUMNS, spacing=18).properties(
        title=f"Web vitals by page view (up to {most:,} views each); line: p75, grey: its 95 % interval"
    )
    return chart


def _panel(row: dict[str, Any], distribution: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    vital = next(vital for vital in VITALS.values() if vital.name == row["vital"])
    classes = _by_rating(distribution.filter(pl.col("vital") == row["vital"]), vital.step)
    end = max(float(classes["until"].max()), vital.poor * 1.1)  # type: ignore[arg-type]
    x = alt.X(
        "low:Q",
        scale=alt.Scale(domain=[0, end], nice=False),
        # The theme counts ticks by the width of the whole view, which a panel of several does not have.
        axis=alt.Axis(title=vital.unit or "score", tickCount=5),
    )
    bars = (
        alt.Chart(classes)
        .mark_rect(stroke=None)
        .encode(
            x=x,
            x2="until:Q",
            y=alt.Y("foot:Q", title="page views"),
            y2="top:Q",
            color=alt.Color("rating:N", scale=alt.Scale(domain=list(RATINGS), range=list(RATING_COLOURS.values()))),
            tooltip=[
                alt.Tooltip("class:N", title=row["title"]),
                "rating:N",
                alt.Tooltip("views:Q", title="page views", format=","),
                alt.Tooltip("of:Q", title="of", format=","),
            ],
        )
    )
    bounds = alt.Chart(
        pl.DataFrame({"at": [vital.good, vital.poor], "bound": ["good up to here", "poor beyond"]})
    ).mark_rule(strokeDash=[4, 3], color=PALETTE["soft"]).encode(x="at:Q", tooltip=["bound:N", "at:Q"])  # fmt: skip
    return alt.layer(*_p75_layers(row), bars, bounds, _p75_rule(row)).properties(
        title=_title(row), width=PANEL_WIDTH_PX, height=PANEL_HEIGHT_PX
    )


def _by_rating(classes: pl.DataFrame, step: float) -> pl.DataFrame:
    """Return a row for each class and rating with the foot and the top of its piece of the bar."""
    between = pl.col("views") - pl.col("good") - pl.col("poor")
    pieces = [
        classes.select(
            "low",
            "high",
            count.alias("views"),
            pl.lit(rating).alias("rating"),
            pl.lit(number).alias("order"),
            pl.col("views").sum().alias("of"),
        )
        for number, (rating, count) in enumerate(zip(RATINGS, (pl.col("good"), between, pl.col("poor")), strict=True))
    ]
    label = pl.when(pl.col("high").is_null()).then(pl.format("{} and more", "low")).otherwise(
        pl.format("{} to {}", "low", "high")
    )  # fmt: skip
    top = pl.col("views").cum_sum().over("low")
    return (
        pl.concat(pieces)
        .filter(pl.col("views") > 0)
        .sort("low", "order")
        .with_columns(
            label.alias("class"),
            pl.col("high").fill_null(pl.col("low") + step).alias("until"),
            top.alias("top"),
            (top - pl.col("views")).alias("foot"),
        )
        .drop("order", "high")
    )


def _p75_layers(row: dict[str, Any]) -> list[alt.Chart]:
    if row["p75_low"] is None or row["p75_high"] is None:
        return []
    shade: alt.Chart = (
        alt.Chart(pl.DataFrame({"from": [row["p75_low"]], "to": [row["p75_high"]]}))
        .mark_rect(color=PALETTE["soft"], opacity=0.35)
        .encode(x="from:Q", x2="to:Q", tooltip=[alt.Tooltip("from:Q", title="p75 from"), "to:Q"])
    )
    return [shade]


def _p75_rule(row: dict[str, Any]) -> alt.Chart:
    rule: alt.Chart = (
        alt.Chart(pl.DataFrame({"p75": [row["p75"]], "rating": [row["rating"]], "n": [row["views"]]}))
        .mark_rule(color=PALETTE["accent"], strokeWidth=2)
        .encode(x="p75:Q", tooltip=[alt.Tooltip("p75:Q", format=",.4~g"), "rating:N", alt.Tooltip("n:Q", format=",")])
    )
    return rule


def _title(row: dict[str, Any]) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    p75 = f"p75 {four_digits(row['p75'])}{unit}" if row["p75"] is not None else "too few for a p75"
    return f"{row['vital']}: {p75}, {row['rating']} (n {row['views']:,})"
