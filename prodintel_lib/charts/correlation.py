"""Which errors and signals go together, as a graph: a signal a row, an arc a pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.correlation.model import SHARED, TIME_ONLY
from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX
from prodintel_lib.markup import Note
from prodintel_lib.palette import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.correlation import Correlations
    from prodintel_lib.charts.shared import Plot

MAX_NODES: Final = 15
ARC_POINTS: Final = 25
LABEL_PX: Final = 320
ARCS_PX: Final = 290
EDGE_PX: Final = 14
_DASHES: Final = {SHARED: [1, 0], TIME_ONLY: [5, 4]}
_KINDS: Final = {
    "pattern": PALETTE["bad"],
    "latency": PALETTE["accent"],
    "slow calls": CATEGORIES[3],
    "saturation": PALETTE["warn"],
    "throughput": PALETTE["soft"],
}


def plot_correlations(result: Correlations) -> Plot | Note:
    """Plot the strongest pairs as arcs between rows; what comes first stands above, an arrow ends at what follows.

    Solid arcs rest on shared traces, dashed ones on time alone; the width is the strength. Every signal has a row of
    its own, so that no two labels meet. At most MAX_NODES signals are shown; the title says of how many pairs.
    """
    if result.pairs.is_empty():
        return Note(result.hypotheses.abstains)
    shown = _shown(result.pairs)
    order = _order(shown)
    place = {name: index for index, name in enumerate(order)}
    nodes = _nodes(shown, place)
    arcs, heads, lags = _edges(shown, place)
    layers = [_arcs(arcs), *([_heads(heads)] if heads.height else []), _dots(nodes), _labels(nodes)]
    if lags.height:
        layers.append(_lags(lags))
    rest = result.pairs.height - shown.height
    more = f", {rest:,} weaker pairs not shown" if rest else ""
    title = alt.TitleParams(
        f"What goes together: {shown.height} pairs of {len(order)} signals in {result.windows:,} windows of "
        f"{result.bucket_s} s{more}",
        subtitle="An arrow points at what follows, where that can be told; an arc bears its lag where time tells it",
    )
    return alt.layer(*layers).properties(title=title, width=LABEL_PX + ARCS_PX + 30, height=ROW_PX * len(order))


def _shown(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the strongest pairs among the first signals named, MAX_NODES at most."""
    names: dict[str, None] = {}
    kept = []
    for index, (first, second) in enumerate(pairs.select("first", "second").iter_rows()):
        new = [name for name in (first, second) if name not in names]
        if len(names) + len(new) <= MAX_NODES:
            names.update(dict.fromkeys(new))
            kept.append(index)
    return pairs[kept]


def _order(pairs: pl.DataFrame) -> list[str]:
    """Return the signals with those that come first on top; among equals, neighbours in the graph stand together."""
    known = pairs.select("first", "second", "is_ordered").rows()
    names = list(dict.fromkeys(name for first, second, _ in known for name in (first, second)))
    depth = dict.fromkeys(names, 0)
    # Longest way from a start; a circle ends after as many rounds as there are signals.
    for _ in names:
        for first, second, is_ordered in known:
            if is_ordered and depth[second] < depth[first] + 1 <= len(names):
                depth[second] = depth[first] + 1
    component = {name: index for index, name in enumerate(names)}
    for _ in names:
        for first, second, _ in known:
            component[first] = component[second] = min(component[first], component[second])
    return sorted(names, key=lambda name: (component[name], depth[name], names.index(name)))


def _nodes(pairs: pl.DataFrame, place: dict[str, int]) -> pl.DataFrame:
    ends = pl.concat(
        [
            pairs.select(pl.col(side).alias("signal"), pl.col(f"{side}_label").alias("label"),
                         pl.col(f"{side}_kind").alias("kind"))
            for side in ("first", "second")
        ]
    ).unique("signal", keep="first", maintain_order=True)  # fmt: skip
    counts = pl.concat([pairs["first"], pairs["second"]]).value_counts(name="pairs").rename({"first": "signal"})
    return (
        ends.join(counts, on="signal")
        .with_columns(pl.col("signal").replace_strict(place, return_dtype=pl.Int64).alias("row"))
        .with_columns(((pl.col("row") + 0.5) * ROW_PX).alias("y"), pl.lit(float(LABEL_PX)).alias("x"))
        .sort("row")
    )


def _edges(pairs: pl.DataFrame, place: dict[str, int]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the points of the arcs, their arrow heads, and the lags to be written at their furthest points."""
    longest = max(abs(place[row["first"]] - place[row["second"]]) for row in pairs.iter_rows(named=True))
    points: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    lags: list[dict[str, Any]] = []
    for number, row in enumerate(pairs.iter_rows(named=True)):
        begin, end = ((place[row[side]] + 0.5) * ROW_PX for side in ("first", "second"))
        reach = ARCS_PX * abs(place[row["first"]] - place[row["second"]]) / longest
        facts = {"edge": number, **_facts(row)}
        points += [{**facts, **point} for point in _arc(begin, end, reach)]
        if row["is_ordered"]:
            heads.append({**facts, "x": float(LABEL_PX + EDGE_PX - 3), "y": end})
        if row["lag_s"] and (row["lag_low_s"] > 0 or row["lag_high_s"] < 0):
            middle = {"x": LABEL_PX + EDGE_PX + reach, "y": (begin + end) / 2}
            lags.append({**facts, **middle, "lag": f"{row['lag_s']:g} s"})
    return pl.DataFrame(points), pl.DataFrame(heads), pl.DataFrame(lags)


def _arc(begin: float, end: float, reach: float) -> Iterable[dict[str, float]]:
    for step in range(ARC_POINTS):
        angle = math.pi * step / (ARC_POINTS - 1)
        yield {
            "step": step,
            "x": LABEL_PX + EDGE_PX + reach * math.sin(angle),
            "y": (begin + end) / 2 + (begin - end) / 2 * math.cos(angle),
        }


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    by_time = row["strength"] is not None
    # Without a course over time, an arc is as wide as the traces say: shared against the rarer of the two.
    shared = (row["traces_both"] or 0) / max(1, min(row["traces_first"] or 1, row["traces_second"] or 1))
    return {
        "pair": f"{row['first_label']} and {row['second_label']}",
        "evidence": row["evidence"],
        "width": abs(row["strength"]) if by_time else min(1.0, shared),
        "correlation": f"{row['strength']:.2f} ({row['low']:.2f} to {row['high']:.2f})" if by_time else "not told",
        "windows": row["n_windows"],
        "lag with interval": f"{row['lag_s']:g} s ({row['lag_low_s']:g} to {row['lag_high_s']:g})" if by_time else "",
        "traces": f"{row['traces_both']:,} of {row['traces_first']:,} and {row['traces_second']:,}"
        if row["traces_both"] is not None
        else "none with both",
        "lift": f"{row['lift']:.1f} ({row['lift_low']:.1f} to {row['lift_high']:.1f})"
        if row["lift"] is not None
        else "not told",
    }


def _tooltip() -> list[Any]:
    return ["pair:N", "evidence:N", "correlation:N", alt.Tooltip("windows:Q", title="n windows"),
            "lag with interval:N", alt.Tooltip("traces:N", title="traces with both"), "lift:N"]  # fmt: skip


def _xy() -> dict[str, Any]:
    return {"x": alt.X("x:Q", scale=None, axis=None), "y": alt.Y("y:Q", scale=None, axis=None)}


def _arcs(arcs: pl.DataFrame) -> alt.Chart:
    dash = alt.Scale(domain=list(_DASHES), range=list(_DASHES.values()))
    chart: alt.Chart = (
        alt.Chart(arcs)
        .mark_line(color=PALETTE["soft"], interpolate="monotone", opacity=0.85)
        .encode(
            **_xy(),
            detail="edge:N",
            order="step:Q",
            strokeDash=alt.StrokeDash("evidence:N", scale=dash, legend=alt.Legend(title=None)),
            strokeWidth=alt.StrokeWidth("width:Q", scale=alt.Scale(domain=[0, 1], range=[1, 6]), legend=None),
            tooltip=_tooltip(),
        )
    )
    return chart


def _heads(heads: pl.DataFrame) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(heads)
        .mark_point(shape="triangle-left", filled=True, size=70, color=PALETTE["soft"], opacity=1)
        .encode(**_xy(), tooltip=_tooltip())
    )
    return chart


def _dots(nodes: pl.DataFrame) -> alt.Chart:
    kinds = [kind for kind in dict.fromkeys([*_KINDS, *nodes["kind"]]) if kind in set(nodes["kind"])]
    colours = [_KINDS.get(kind, CATEGORIES[5]) for kind in kinds]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=alt.Legend(title=None))
    chart: alt.Chart = (
        alt.Chart(nodes)
        .mark_circle(size=110, opacity=1)
        .encode(**_xy(), color=colour, tooltip=["label:N", "kind:N", alt.Tooltip("pairs:Q", title="pairs shown")])
    )
    return chart


def _labels(nodes: pl.DataFrame) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(nodes)
        .mark_text(align="right", baseline="middle", dx=-12, limit=LABEL_PX - 16)
        .encode(**_xy(), text="label:N", tooltip=["label:N", "kind:N"])
    )
    return chart


def _lags(lags: pl.DataFrame) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(lags)
        .mark_text(align="left", baseline="middle", dx=4, fontSize=10.5)
        .encode(**_xy(), text="lag:N", tooltip=_tooltip())
    )
    return chart
