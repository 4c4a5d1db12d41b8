"""The flow of sessions: from route to route by step, with who left drawn as a stream of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.journeys import Flow
    from prodintel_lib.charts.shared import Plot

MAX_STEPS: Final = 6
ROUTES_A_STEP: Final = 6
OTHER: Final = "other pages"
LEFT: Final = "left"
GAP: Final = 0.015
NODE_WIDTH: Final = 0.1
# A link is drawn as an area: this many points make its curve smooth.
CURVE_POINTS: Final = 16
MIN_LABEL_SHARE: Final = 0.02


def plot_flow(flow: Flow) -> Plot | Note:
    """Plot how sessions moved through the first steps; the height of a stream is its number of sessions.

    Parameters
    ----------
    flow : Flow
        Routes beyond the six most used of a step are drawn together.
    """
    links = _links(flow.edges)
    if links.is_empty():
        return Note("No session in the window saw a page, so there is no flow to draw.")
    total = int(links.filter(pl.col("step_no") == 1)["sessions"].sum())
    last_step = max(links["step_no"].to_list())
    nodes = _nodes(links, total)
    curves = _curves(links, nodes, total)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["went on", "left"], range=[PALETTE["accent"], PALETTE["bad"]]))
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0.9, last_step + 1.75], nice=False))
    lowest = float(nodes["bottom"].max())  # type: ignore[arg-type]
    streams = (
        alt.Chart(curves)
        .mark_area(opacity=0.3)
        .encode(
            x=x,
            y=alt.Y("top:Q", axis=None, stack=None, scale=alt.Scale(domain=[0, lowest], reverse=True, nice=False)),
            y2="bottom:Q",
            detail="link:N",
            color=colour,
            tooltip=[
                alt.Tooltip("from_route:N", title="from"),
                alt.Tooltip("to_route:N", title="to"),
                alt.Tooltip("sessions:Q", format=","),
                alt.Tooltip("share:Q", title="of all sessions", format=".1%"),
            ],
        )
    )
    boxes = (
        alt.Chart(nodes)
        .mark_rect()
        .encode(
            x="step_no:Q",
            x2="x2:Q",
            y="top:Q",
            y2="bottom:Q",
            color=colour,
            tooltip=[
                alt.Tooltip("route:N"),
                alt.Tooltip("step_no:Q", title="step"),
                alt.Tooltip("sessions:Q", format=","),
                alt.Tooltip("share:Q", title="of all sessions", format=".1%"),
            ],
        )
    )
    named = nodes.filter(pl.col("share") >= MIN_LABEL_SHARE)
    words = (
        alt.Chart(named)
        .mark_text(align="left", baseline="middle", dx=6, fontSize=10.5, limit=112)
        .encode(x="x2:Q", y="middle:Q", text="label:N")
    )
    return alt.layer(streams, boxes, words).properties(
        title=f"From page to page, first {last_step} steps of {total:,} sessions; height is sessions",
        height=340,
        width=760,
    )


def _links(edges: pl.DataFrame) -> pl.DataFrame:
    """Return step_no, from_route, to_route, sessions, with rare routes of a step put together."""
    links = edges.filter(pl.col("step_no") <= MAX_STEPS).with_columns(pl.col("to_route").fill_null(LEFT))
    arriving = links.group_by("step_no", pl.col("from_route").alias("route")).agg(pl.col("sessions").sum())
    ranked = arriving.sort("step_no", "sessions", "route", descending=[False, True, False]).with_columns(
        pl.int_range(pl.len()).over("step_no").alias("rank")
    )
    kept = ranked.filter(pl.col("rank") < ROUTES_A_STEP).select("step_no", "route", pl.lit(value=True).alias("kept"))
    here = links.join(kept, left_on=["step_no", "from_route"], right_on=["step_no", "route"], how="left")
    there = here.with_columns((pl.col("step_no") + 1).alias("next")).join(
        kept.rename({"kept": "kept_next"}), left_on=["next", "to_route"], right_on=["step_no", "route"], how="left"
    )
    goes_on = (pl.col("to_route") == LEFT) | pl.col("kept_next").is_not_null() | (pl.col("step_no") == MAX_STEPS)
    return (
        there.with_columns(
            pl.when("kept").then("from_route").otherwise(pl.lit(OTHER)).alias("from_route"),
            pl.when(goes_on).then("to_route").otherwise(pl.lit(OTHER)).alias("to_route"),
        )
        .with_columns(
            # After the last step that is drawn, only whether they went on at all is of interest.
            pl.when((pl.col("step_no") == MAX_STEPS) & (pl.col("to_route") != LEFT))
            .then(pl.lit(None, dtype=pl.String))
            .otherwise("to_route")
            .alias("to_route")
        )
        .group_by("step_no", "from_route", "to_route")
        .agg(pl.col("sessions").sum())
        .sort("step_no", "sessions", "from_route", "to_route", descending=[False, True, False, False])
    )


def _nodes(links: pl.DataFrame, total: int) -> pl.DataFrame:
    """Place a box for every route of a step, the most used on top, and for those who left below them."""
    here = links.group_by("step_no", pl.col("from_route").alias("route")).agg(pl.col("sessions").sum())
    left = (
        links.filter(pl.col("to_route") == LEFT)
        .group_by(pl.col("step_no") + 1, pl.col("to_route").alias("route"))
        .agg(pl.col("sessions").sum())
    )
    ranked = (
        pl.concat([here, left])
        .with_columns(pl.col("route").replace_strict({OTHER: 1, LEFT: 2}, default=0).alias("last"))
        .sort("step_no", "last", "sessions", "route", descending=[False, False, True, False])
    )
    share = pl.col("sessions") / total
    order = pl.int_range(pl.len()).over("step_no")
    return (
        ranked.with_columns(share.alias("share"), order.alias("order"))
        .with_columns(
            (pl.col("share").cum_sum().over("step_no") - pl.col("share") + pl.col("order") * GAP).alias("top"),
            pl.when(pl.col("route") == LEFT).then(pl.lit("left")).otherwise(pl.lit("went on")).alias("kind"),
        )
        .with_columns(
            (pl.col("top") + pl.col("share")).alias("bottom"),
            (pl.col("step_no") + NODE_WIDTH).alias("x2"),
            pl.format("{} {}%", "route", (100 * pl.col("share")).round(0).cast(pl.Int64)).alias("label"),
        )
        .with_columns(((pl.col("top") + pl.col("bottom")) / 2).alias("middle"))
    )


def _curves(links: pl.DataFrame, nodes: pl.DataFrame, total: int) -> pl.DataFrame:
    """Return the outline of every link as points along x: where its stream begins, bends and ends."""
    spots = nodes.select("step_no", "route", "top", "order")
    drawn = (
        links.filter(pl.col("to_route").is_not_null())
        .with_columns((pl.col("step_no") + 1).alias("next"), (pl.col("sessions") / total).alias("share"))
        .join(spots, left_on=["step_no", "from_route"], right_on=["step_no", "route"])
        .join(
            spots.rename({"top": "top_next", "order": "order_next"}),
            left_on=["next", "to_route"],
            right_on=["step_no", "route"],
        )
    )
    so_far = pl.col("share").cum_sum()
    placed = (
        drawn.sort("step_no", "order", "order_next")
        .with_columns((pl.col("top") + so_far.over("step_no", "order") - pl.col("share")).alias("from"))
        .sort("step_no", "order_next", "order")
        .with_columns(
            (pl.col("top_next") + so_far.over("step_no", "order_next") - pl.col("share")).alias("to"),
            pl.format("{}|{}|{}", "step_no", "from_route", "to_route").alias("link"),
            pl.when(pl.col("to_route") == LEFT).then(pl.lit("left")).otherwise(pl.lit("went on")).alias("kind"),
        )
    )
    along = pl.DataFrame({"at": [place / (CURVE_POINTS - 1) for place in range(CURVE_POINTS)]})
    bend = pl.col("at") ** 2 * (3 - 2 * pl.col("at"))
    top = pl.col("from") + (pl.col("to") - pl.col("from")) * bend
    return placed.join(along, how="cross").select(
        "link",
        "kind",
        "from_route",
        "to_route",
        "sessions",
        "share",
        (pl.col("step_no") + NODE_WIDTH + (1 - NODE_WIDTH) * pl.col("at")).alias("x"),
        top.alias("top"),
        (top + pl.col("share")).alias("bottom"),
    )
