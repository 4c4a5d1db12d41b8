"""Whom it hit, and which conditions changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.blast import BlastRadius
    from prodintel_lib.analyses.differences import Differences

MAX_BARS: Final = 14


def plot_blast_radius(blast: BlastRadius) -> Plot | Note:
    """Plot the share of bad requests of each route, before and during, with 95 % intervals."""
    routes = blast.routes.filter(pl.col("bad") > 0).head(MAX_BARS)
    if routes.is_empty():
        return Note(f"None of {blast.requests.n:,} requests in the window was bad.")
    label = pl.format("{} (n {})", "route", "requests")
    rows = routes.select(
        label.alias("where"), "route", "requests", "bad", "share", "low", "high", "baseline_share", "baseline_requests"
    )
    order = rows["where"].to_list()
    y = alt.Y("where:N", sort=order, title=None, axis=alt.Axis(labelLimit=320))
    tooltip = [
        "route:N",
        alt.Tooltip("bad:Q", title="bad requests"),
        alt.Tooltip("requests:Q", title="of requests"),
        alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("baseline_share:Q", title="share before", format=".1%"),
        alt.Tooltip("baseline_requests:Q", title="n before"),
    ]
    base = alt.Chart(rows)
    bars = base.mark_bar(color=PALETTE["bad"], opacity=0.75, height=12).encode(
        x=alt.X("share:Q", axis=alt.Axis(format="%"), title="bad requests in the incident; tick: before"),
        y=y,
        tooltip=tooltip,
    )
    interval = base.mark_rule(color=PALETTE["soft"], strokeWidth=1.5).encode(x="low:Q", x2="high:Q", y=y)
    before = base.mark_tick(color=PALETTE["accent"], thickness=2, height=16).encode(x="baseline_share:Q", y=y)
    return alt.layer(bars, interval, before).properties(
        title=f"Bad requests by route, 95 % intervals ({blast.requests.hits:,} of {blast.requests.n:,})",
        height=ROW_PX * max(1, rows.height),
    )


def plot_differences(differences: Differences) -> Plot | Note:
    """Plot the effect of each condition that changed, largest first."""
    rows = pl.DataFrame(
        [
            {
                "condition": f"{row.subject}: {row.measure}"[:90],
                "effect": row.effect,
                "scale": row.effect_name,
                "before": row.baseline,
                "incident": row.incident,
                "unit": row.unit,
                "n_before": row.baseline_n,
                "n_incident": row.incident_n,
                "direction": "rose" if (row.effect or 0) > 0 else "fell",
            }
            for row in differences.rows
            if row.notable
        ][:MAX_BARS],
        schema=_EFFECT_SCHEMA,
    )
    if rows.is_empty():
        return Note(
            f"None of {len(differences.rows)} conditions that were measured changed with at least a medium effect."
        )
    chart: Plot = (
        alt.Chart(rows)
        .mark_bar(height=12)
        .encode(
            x=alt.X("effect:Q", title="effect (Cohen's h or Cliff's δ; 0 is no difference)"),
            y=alt.Y("condition:N", sort=rows["condition"].to_list(), title=None, axis=alt.Axis(labelLimit=380)),
            color=alt.Color(
                "direction:N",
                scale=alt.Scale(domain=["rose", "fell"], range=[PALETTE["bad"], PALETTE["accent"]]),
            ),
            tooltip=[
                "condition:N",
                alt.Tooltip("before:Q", format=",.4~g"),
                alt.Tooltip("incident:Q", format=",.4~g"),
                "unit:N",
                alt.Tooltip("effect:Q", format="+.2f"),
                "scale:N",
                alt.Tooltip("n_before:Q", title="n before"),
                alt.Tooltip("n_incident:Q", title="n incident"),
            ],
        )
        .properties(
            title=f"Conditions that changed, largest effect first ({rows.height} of {len(differences.rows)} measured)",
            height=ROW_PX * max(1, rows.height),
        )
    )
    return chart


_EFFECT_SCHEMA: Final = {
    "condition": pl.String,
    "effect": pl.Float64,
    "scale": pl.String,
    "before": pl.Float64,
    "incident": pl.Float64,
    "unit": pl.String,
    "n_before": pl.Int64,
    "n_incident": pl.Int64,
    "direction": pl.String,
}
