"""The path of a request, and the services on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.paths import ServiceMap, TracePath
    from prodintel_lib.charts.shared import Plot

NO_WIDTH: Final = "\N{ZERO WIDTH SPACE}"
OWN_TIME: Final = {"grown": PALETTE["bad"], "as before": PALETTE["accent"], "sends no spans": PALETTE["soft"]}
GROWN_RATIO: Final = 1.5
HOP_STATES: Final = {"bottleneck": PALETTE["bad"], "failed": PALETTE["warn"], "ok": PALETTE["accent"]}


def plot_paths(path: TracePath | None) -> Plot | Note:
    """Plot the failing trace above the healthy one as waterfalls; the bottleneck stands out."""
    if path is None:
        return Note("There are no two traces to compare: a failing one of the incident and a healthy one before it.")
    panels = [
        _waterfall(path.failing, f"failing: trace {path.failing_trace_id[:8]}"),
        _waterfall(path.healthy, f"healthy: trace {path.healthy_trace_id[:8]}"),
    ]
    chart: Plot = alt.vconcat(*panels).properties(title=f"{path.route}: a failing request and a healthy one")
    return chart


def _waterfall(spans: pl.DataFrame, title: str) -> alt.LayerChart | alt.FacetChart:
    # Hops repeat; a row of its own for each takes names that differ, by spaces of no width that nobody sees.
    indent = pl.lit("· ").repeat_by(pl.col("depth")).list.join("")
    rows = spans.with_row_index("row").select(
        pl.concat_str(indent, pl.col("hop"), pl.lit(NO_WIDTH).repeat_by(pl.col("row")).list.join("")).alias("hop"),
        "start_ms",
        (pl.col("start_ms") + pl.col("duration_ms")).alias("end_ms"),
        "duration_ms",
        "self_ms",
        pl.col("error_type").fill_null("none").alias("error"),
        pl.when("bottleneck")
        .then(pl.lit("bottleneck"))
        .when("failed")
        .then(pl.lit("failed"))
        .otherwise(pl.lit("ok"))
        .alias("state"),
    )
    base = alt.Chart(rows).encode(
        x=alt.X("start_ms:Q", title="ms since the request came in"),
        y=alt.Y("hop:N", sort=rows["hop"].to_list(), title=None, axis=alt.Axis(labelLimit=300)),
        color=alt.Color("state:N", scale=alt.Scale(domain=list(HOP_STATES), range=list(HOP_STATES.values()))),
        tooltip=[
            "hop:N",
            alt.Tooltip("start_ms:Q", title="began, ms", format=",.1f"),
            alt.Tooltip("duration_ms:Q", title="took, ms", format=",.1f"),
            alt.Tooltip("self_ms:Q", title="own time, ms", format=",.1f"),
            "error:N",
        ],
    )
    # A tick at the start keeps hops in sight that are too short for a bar.
    return alt.layer(base.mark_bar(height=11).encode(x2="end_ms:Q"), base.mark_tick(height=11, thickness=2)).properties(
        title=f"{title}, {rows['end_ms'].max() or 0:,.0f} ms, {rows.height} spans",  # type: ignore[str-bytes-safe]
        height=17 * max(1, rows.height),
    )


def plot_service_map(service_map: ServiceMap) -> Plot | Note:
    """Plot who calls whom, from the entry on the left; width is calls, colour is how much slower they became.

    A service's dot says how the time grew that it spends itself, apart from what it waits for.
    """
    edges = service_map.edges
    if edges.is_empty():
        return Note("No service called another in the window: the traces hold no client spans, or none of that time.")
    depth = _depths(edges.select("caller", "dependency").rows())
    nodes = _place(depth)
    spots = pl.DataFrame(nodes, schema={"name": pl.String, "x": pl.Float64, "y": pl.Float64}, orient="row")
    growth = pl.col("p99_ms") / pl.col("baseline_p99_ms").clip(lower_bound=0.1)
    lines = (
        edges.join(spots.rename({"name": "caller"}), on="caller")
        .join(spots.rename({"name": "dependency", "x": "x2", "y": "y2"}), on="dependency")
        .with_columns(
            growth.fill_null(1.0).alias("growth"),
            pl.when((growth > 3) | (pl.col("failed_share") > 0.05))
            .then(pl.lit("degraded"))
            .otherwise(pl.lit("as before"))
            .alias("state"),
        )
    )
    rules = (
        alt.Chart(lines)
        .mark_rule()
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(padding=48)),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False, padding=24)),
            x2="x2:Q",
            y2="y2:Q",
            strokeWidth=alt.StrokeWidth("calls:Q", scale=alt.Scale(type="sqrt", range=[1.5, 7]), legend=None),
            color=alt.Color(
                "state:N", scale=alt.Scale(domain=["degraded", "as before"], range=[PALETTE["bad"], PALETTE["soft"]])
            ),
            tooltip=[
                "caller:N",
                "dependency:N",
                "calls:Q",
                alt.Tooltip("baseline_p99_ms:Q", title="p99 before, ms", format=",.0f"),
                alt.Tooltip("p99_ms:Q", title="p99, ms", format=",.0f"),
                alt.Tooltip("baseline_failed_share:Q", title="failed before", format=".1%"),
                alt.Tooltip("failed_share:Q", title="failed", format=".1%"),
            ],
        )
    )
    base = alt.Chart(_with_own_time(spots, service_map.own_time)).encode(x="x:Q", y="y:Q")
    dots = base.mark_point(filled=True, size=240, opacity=1).encode(
        shape=alt.Shape("own time:N", scale=alt.Scale(domain=list(OWN_TIME), range=["triangle", "circle", "square"])),
        fill=alt.Fill("own time:N", scale=alt.Scale(domain=list(OWN_TIME), range=list(OWN_TIME.values()))),
        tooltip=[
            "name:N",
            alt.Tooltip("baseline_own_ms:Q", title="own time before, ms a span", format=",.1f"),
            alt.Tooltip("own_ms:Q", title="own time, ms a span", format=",.1f"),
            alt.Tooltip("spans:Q", title="spans", format=","),
        ],
    )
    words = base.mark_text(dy=-16, fontSize=12).encode(text="name:N")
    rows = max(1, *(list(depth.values()).count(level) for level in set(depth.values()))) if depth else 1
    total = int(edges["calls"].sum())
    return alt.layer(rules, dots, words).properties(
        title=f"Who calls whom, {total:,} calls in the incident; degraded: p99 three times as high or 5 % failed; "
        "grown: own time a span one and a half times as long",
        height=70 + 62 * rows,
    )


def _with_own_time(spots: pl.DataFrame, own_time: pl.DataFrame) -> pl.DataFrame:
    growth = pl.col("own_ms") / pl.col("baseline_own_ms").clip(lower_bound=0.1)
    grown, steady, unknown = OWN_TIME
    return spots.join(own_time, left_on="name", right_on="service_name", how="left").with_columns(
        pl.when(growth >= GROWN_RATIO)
        .then(pl.lit(grown))
        .when(growth.is_not_null())
        .then(pl.lit(steady))
        .otherwise(pl.lit(unknown))
        .alias("own time")
    )


def _depths(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Return each node's longest distance from an entry, with cycles cut at the number of nodes."""
    names = sorted({name for edge in edges for name in edge})
    depth = dict.fromkeys(names, 0)
    for _ in names:
        moved = False
        for caller, dependency in edges:
            if caller != dependency and depth[dependency] < depth[caller] + 1 <= len(names):
                depth[dependency] = depth[caller] + 1
                moved = True
        if not moved:
            break
    return depth


def _place(depth: dict[str, int]) -> list[tuple[str, float, float]]:
    placed = []
    for level in sorted(set(depth.values())):
        names = sorted(name for name, at in depth.items() if at == level)
        for index, name in enumerate(names):
            # Levels take turns a little higher and lower, so that an edge past a level does not run through its nodes.
            placed.append((name, float(level), (index + 1) / (len(names) + 1) + (0.06 if level % 2 else -0.06)))
    return placed
