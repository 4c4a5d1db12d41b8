"""How close a load is to production: each distance beside what parts of production get against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, FURTHER, MAX_RATIO
from prodintel_lib.analyses.load_fidelity.shown import DISTANCE_NAMES
from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.charts.time_axis import log_axis
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.load_fidelity import LoadFidelity

SHAPES: Final = {AS_CLOSE: "circle", FURTHER: "triangle-up"}
LEAST: Final = 0.1
MOST: Final = 100.0
"""Ratios beyond are drawn at the edge, and told in the tooltip."""

# In the configuration, where the report narrows it on a phone; on the axis itself it could not.
_LABEL_PX: Final = 300


def plot_fidelity(fidelity: LoadFidelity | None) -> Plot | Note:
    """Plot each distance of the load in multiples of production's own: 1 is the median of its parts' distances."""
    if fidelity is None:
        return Note("No load was set against production: too few sessions were recorded, or none was made.")
    known = fidelity.scores.filter(pl.col("halves_median") > 0)
    if known.is_empty():
        return Note("Parts of production are the same in every way that was measured: there is no scale to draw on.")
    rows = _rows(known)
    close = int((fidelity.scores["verdict"] == AS_CLOSE).sum())
    chart: Plot = (
        alt.layer(*_marks(rows))
        .properties(
            title=alt.Title(
                f"The load against production: {close} of {fidelity.scores.height} distances as small as production's "
                f"own (n {fidelity.generated_sessions:,} sessions against {fidelity.original_sessions:,})",
                subtitle=f"Bars: where nine in ten of {fidelity.splits} cuts of production into two parts lie; dashed: "
                f"1 and {MAX_RATIO:g} times their median{_left_out(fidelity)}",
            ),
            height=ROW_PX * rows.height,
        )
        .configure_axisY(labelLimit=_LABEL_PX)
    )
    return chart


def _rows(known: pl.DataFrame) -> pl.DataFrame:
    """Add what each distance is called and its multiples of production's own, as they are and as they are drawn."""
    times = {"times": "value", "low_times": "halves_low", "high_times": "halves_high"}
    labels = pl.format("{} · {}", pl.col("distance").replace_strict(DISTANCE_NAMES), "distance")
    return (
        known.with_columns(
            labels.alias("what"),
            *((pl.col(of) / pl.col("halves_median")).alias(name) for name, of in times.items()),
        )
        .with_columns(*(pl.col(name).clip(LEAST, MOST).alias(f"drawn_{name}") for name in times))
        .with_columns(pl.col(pl.Float64).round_sig_figs(4))
    )


def _marks(rows: pl.DataFrame) -> list[alt.Chart]:
    drawn = rows.select("drawn_times", "drawn_low_times", "drawn_high_times").to_numpy()
    axis = log_axis(min(0.5, float(drawn.min())), max(2 * MAX_RATIO, float(drawn.max())))
    verdicts = list(SHAPES)
    base = alt.Chart(rows).encode(
        y=alt.Y("what:N", sort=rows["what"].to_list(), title=None),
        tooltip=[
            alt.Tooltip("what:N", title="distance in"),
            alt.Tooltip("verdict:N"),
            alt.Tooltip("value:Q", title="load", format=".4~f"),
            alt.Tooltip("halves_median:Q", title="production, median", format=".4~f"),
            alt.Tooltip("halves_low:Q", title="from", format=".4~f"),
            alt.Tooltip("halves_high:Q", title="to", format=".4~f"),
            alt.Tooltip("times:Q", title="load / median", format=",.3~r"),
        ],
    )
    own = base.mark_bar(height=10, color=PALETTE["soft"], opacity=0.35, cornerRadius=3).encode(
        x=alt.X("drawn_low_times:Q", title="times production's own distance", **axis), x2="drawn_high_times:Q"
    )
    lines = pl.DataFrame({"at": [1.0, MAX_RATIO], "is": ["production's own, median", "close enough up to here"]})
    rules = (
        alt.Chart(lines)
        .mark_rule(color=PALETTE["soft"], strokeWidth=1.5, strokeDash=[5, 3])
        .encode(x="at:Q", tooltip=[alt.Tooltip("is:N"), alt.Tooltip("at:Q", title="times")])
    )
    dots = base.mark_point(filled=True, size=95, opacity=1).encode(
        x=alt.X("drawn_times:Q", **axis),
        color=alt.Color("verdict:N", scale=alt.Scale(domain=verdicts, range=[PALETTE["good"], PALETTE["bad"]])),
        shape=alt.Shape("verdict:N", scale=alt.Scale(domain=verdicts, range=list(SHAPES.values()))),
    )
    return [rules, own, dots]


def _left_out(fidelity: LoadFidelity) -> str:
    """Name the distances that parts of production do not have among each other: they have no scale."""
    rows = fidelity.scores.filter(~(pl.col("halves_median") > 0)).select("distance", "value").iter_rows()
    said = [f"{distance} ({value:.3f})" for distance, value in rows]
    return f"; not drawn, since parts of production do not differ in them: {', '.join(said)}" if said else ""
