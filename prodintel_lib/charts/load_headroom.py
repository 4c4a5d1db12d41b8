"""How much traffic fits: utilisation against requests a second, with the line to the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.time_axis import panel_title
from prodintel_lib.markup import Note, four_digits

if TYPE_CHECKING:
    from prodintel_lib.analyses.load import Headroom
    from prodintel_lib.charts.shared import Plot

MAX_RESOURCES: Final = 4
MIN_POINTS: Final = 20
BINS: Final = (44, 26)
FARTHEST: Final = 3.0
"""An interval without an end is drawn to so many times the highest traffic seen."""

_RESOURCE_PX: Final = 130
_MARGIN: Final = 1.06


def plot_headroom(headroom: Headroom) -> Plot | Note:
    """Plot utilisation against requests a second, with the line to the limit and its interval, what is full first.

    Resources of which it cannot be foreseen follow, the fullest first.
    """
    shown = _ranked(headroom).head(MAX_RESOURCES)
    if shown.is_empty():
        if headroom.frame.is_empty():
            return Note("No resource with a known limit was recorded: how much traffic fits is not known.")
        most = int(headroom.frame["n"].to_numpy().max())
        return Note(
            f"{headroom.frame.height} resources have a known limit, with {most} points at most: {MIN_POINTS} are "
            "needed to set utilisation against traffic."
        )
    panels = [_resource_panel(row, headroom) for row in shown.iter_rows(named=True)]
    chart: Plot = alt.vconcat(*panels, spacing=10).properties(
        title=alt.Title(
            f"Utilisation against requests a second ({shown.height} of {headroom.frame.height} resources)",
            subtitle=f"Dashed: {100 * headroom.limit:g} %; line: least squares, with the 95 % interval of where it "
            f"gets there; dotted: the peak seen, {four_digits(headroom.peak_rps)}/s",
        )
    )
    return chart


def _ranked(headroom: Headroom) -> pl.DataFrame:
    own = ["service_name", "resource"]
    most = headroom.points.group_by(own).agg(pl.col("utilization").max().alias("_most"))
    enough = headroom.frame.filter(pl.col("n") >= MIN_POINTS).join(
        most, on=own, how="left", nulls_equal=True, maintain_order="left"
    )
    is_unknown, at = pl.col("rps_at_limit").is_null(), pl.col("rps_at_limit").fill_null(0.0)
    return enough.sort(is_unknown, at, -pl.col("_most"), maintain_order=True).drop("_most")


def _resource_panel(row: dict[str, Any], headroom: Headroom) -> alt.LayerChart | alt.FacetChart:
    own = headroom.points.filter(
        pl.col("service_name").eq_missing(pl.lit(row["service_name"])), pl.col("resource") == row["resource"]
    )
    reach = [row["highest_rps"], row["rps_at_limit"], row["rps_high"], headroom.peak_rps]
    most = min(max(value for value in reach if value is not None), FARTHEST * row["highest_rps"])
    x = alt.X("rps:Q", title="requests a second", scale=alt.Scale(domain=[0, most * _MARGIN], nice=False, clamp=False))
    points = (
        alt.Chart(_binned(own))
        .mark_circle(color=PALETTE["accent"], opacity=0.45, clip=True)
        .encode(
            x=x,
            y=alt.Y("utilization:Q", title="of the limit", axis=alt.Axis(format="~%", tickCount=4)),
            size=alt.Size("n:Q", scale=alt.Scale(range=[8, 130]), legend=None),
            tooltip=[
                alt.Tooltip("rps:Q", title="requests/s", format=",.4~r"),
                alt.Tooltip("utilization:Q", title="utilisation", format=".1%"),
                alt.Tooltip("n:Q", title="n buckets", format=","),
            ],
        )
    )
    layers = [points, *_reference_lines(headroom), *_fitted(row, headroom)]
    return alt.layer(*layers).properties(title=panel_title(_resource_words(row, headroom)), height=_RESOURCE_PX)


def _resource_words(row: dict[str, Any], headroom: Headroom) -> str:
    name = f"{row['service_name'] or 'no service named'} {row['resource']}"
    if row["rps_at_limit"] is None:
        return f"{name}: {row['says']} (n {row['n']:,})"
    high = "no end" if row["rps_high"] is None else four_digits(row["rps_high"])
    return (
        f"{name}: {100 * headroom.limit:g} % at {four_digits(row['rps_at_limit'])}/s "
        f"({four_digits(row['rps_low'])} to {high}), {row['times_peak']:.2g} times the peak (n {row['n']:,})"
    )


def _binned(points: pl.DataFrame) -> pl.DataFrame:
    """Join points that fall into one cell of a grid: where they lie on average, and how many they are."""

    def cell(name: str, bins: int) -> pl.Expr:
        low, high = pl.col(name).min(), pl.col(name).max()
        return ((pl.col(name) - low) / (high - low) * (bins - 1)).fill_nan(0.0).round().alias(f"{name}_cell")

    cells = points.with_columns(cell("rps", BINS[0]), cell("utilization", BINS[1]))
    return (
        cells.group_by("rps_cell", "utilization_cell")
        .agg(pl.col("rps", "utilization").mean().round_sig_figs(4), pl.len().cast(pl.Int64).alias("n"))
        .sort("rps_cell", "utilization_cell")
        .select("rps", "utilization", "n")
    )


def _reference_lines(headroom: Headroom) -> list[alt.Chart]:
    limit = (
        alt.Chart(pl.DataFrame({"limit": [headroom.limit]}))
        .mark_rule(strokeDash=[6, 4], color=PALETTE["warn"], strokeWidth=1.5)
        .encode(y="limit:Q", tooltip=[alt.Tooltip("limit:Q", format=".0%")])
    )
    peak = (
        alt.Chart(pl.DataFrame({"peak_rps": [headroom.peak_rps]}))
        .mark_rule(strokeDash=[1, 3], color=PALETTE["soft"], strokeWidth=1.5)
        .encode(x="peak_rps:Q", tooltip=[alt.Tooltip("peak_rps:Q", title="peak seen, requests/s", format=",.4~r")])
    )
    return [limit, peak]


def _fitted(row: dict[str, Any], headroom: Headroom) -> list[alt.Chart]:
    if row["rps_at_limit"] is None:
        return []
    ends = [row["lowest_rps"], max(row["rps_at_limit"], row["highest_rps"])]
    levels = [headroom.limit + row["slope"] * (rps - row["rps_at_limit"]) for rps in ends]
    line = (
        alt.Chart(pl.DataFrame({"rps": ends, "utilization": levels}))
        .mark_line(color=PALETTE["bad"], strokeWidth=1.5, tooltip=False, clip=True)
        .encode(x="rps:Q", y="utilization:Q")
    )
    reached = pl.DataFrame(
        {
            "rps": [row["rps_at_limit"]],
            "low": [row["rps_low"]],
            "high": [row["rps_high"]],
            "until": [row["rps_high"] if row["rps_high"] is not None else FARTHEST * row["highest_rps"]],
            "limit": [headroom.limit],
            "n": [row["n"]],
        }
    ).with_columns(pl.col("low", "high", "until").cast(pl.Float64))
    tooltip: list[Any] = [
        alt.Tooltip("rps:Q", title="requests/s at the limit", format=",.4~r"),
        alt.Tooltip("low:Q", title="95 % from", format=",.4~r"),
        alt.Tooltip("high:Q", title="to", format=",.4~r"),
        alt.Tooltip("n:Q", title="n buckets", format=","),
    ]
    base = alt.Chart(reached).encode(y="limit:Q", tooltip=tooltip)
    interval = base.mark_rule(color=PALETTE["bad"], strokeWidth=4, opacity=0.5, clip=True).encode(
        x="low:Q", x2="until:Q"
    )
    dot = base.mark_point(filled=True, color=PALETTE["bad"], size=70, opacity=1, shape="diamond").encode(x="rps:Q")
    return [line, interval, dot]
