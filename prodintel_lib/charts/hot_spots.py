"""Which functions errors come from, release by release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.stack_traces.hot_spots import LEVELS, NEW
from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.stack_traces.hot_spots import HotSpots

MAX_COMPONENTS: Final = 15
OTHERS: Final = "earlier releases"
OLD: Final = "not new"
_LABEL_CHARS: Final = 70


def plot_hot_spots(hot_spots: HotSpots, *, level: str = "function") -> Plot | Note:
    """Plot the errors of each component as a bar, its releases in it; what is new with a release is outlined.

    Parameters
    ----------
    hot_spots : HotSpots
    level : str
        service, package, file or function.

    Raises
    ------
    ParameterError
        If there is no such level.
    """
    if level not in LEVELS:
        raise ParameterError.unknown("level", level, known=LEVELS)
    every = hot_spots.at(level)
    if every.is_empty():
        return Note(f"None of {hot_spots.rows:,} records holds a stack trace: no hot spot is known.")
    keys = ["service_name", "component"]
    ranked = every.group_by(keys).agg(pl.col("occurrences").sum().alias("all")).sort(
        "all", *keys, descending=[True, False, False]
    ).head(MAX_COMPONENTS).with_row_index("rank")  # fmt: skip
    rows = _labelled(every.join(ranked, on=keys), level).sort("rank", "release")
    labels = list(dict.fromkeys(rows["what"]))
    shown, total = int(rows["occurrences"].sum()), int(every["occurrences"].sum())
    chart: Plot = _bars(rows, labels).properties(
        title=f"Errors by {level} of the topmost own frame and release ({shown:,} of {total:,} with a stack trace)",
        height=ROW_PX * len(labels),
    )
    return chart


def _labelled(rows: pl.DataFrame, level: str) -> pl.DataFrame:
    """Name components and releases; beyond as many releases as there are colours, the earliest share one."""
    since = rows.group_by("service_version").agg(pl.col("first_us").min()).sort("first_us", "service_version")
    kept = since["service_version"].tail(len(CATEGORIES) - 1 if since.height > len(CATEGORIES) else since.height)
    release = pl.when(pl.col("service_version") == "").then(pl.lit("(unknown)")).otherwise(pl.col("service_version"))
    name = pl.when(pl.col("component") == "").then(pl.lit("(no name)")).otherwise(pl.col("component"))
    label = name.str.tail(_LABEL_CHARS)
    return rows.select(
        (label if level == "service" else pl.concat_str([label, pl.lit(" · "), pl.col("service_name")])).alias("what"),
        pl.when(pl.col("service_version").is_in(kept.implode())).then(release).otherwise(pl.lit(OTHERS)).alias("release"),
        pl.when(pl.col("news") == NEW).then(pl.lit(NEW)).otherwise(pl.lit(OLD)).alias("mark"),
        *("rank", "first_us", "occurrences", "of", "share", "low", "high", "users", "news"),
    )  # fmt: skip


def _bars(rows: pl.DataFrame, labels: list[str]) -> alt.Chart:
    since = rows.group_by("release").agg(pl.col("first_us").min()).sort("first_us", "release", nulls_last=True)
    releases = since["release"].to_list()
    chart: alt.Chart = (
        alt.Chart(rows.drop("first_us"))
        .mark_bar()
        .encode(
            x=alt.X("occurrences:Q", title="errors"),
            y=alt.Y("what:N", sort=labels, title=None, axis=alt.Axis(labelLimit=420)),
            color=alt.Color("release:N", scale=alt.Scale(domain=releases, range=list(CATEGORIES))),
            stroke=alt.Stroke(
                "mark:N",
                scale=alt.Scale(domain=[NEW, OLD], range=[PALETTE["bad"], "transparent"]),
                legend=alt.Legend(values=[NEW], symbolFillColor="transparent"),
            ),
            strokeWidth=alt.value(2),
            tooltip=[
                alt.Tooltip("what:N", title="where"),
                "release:N",
                alt.Tooltip("occurrences:Q", title="errors", format=","),
                alt.Tooltip("of:Q", title="of", format=","),
                alt.Tooltip("share:Q", format=".2%"),
                alt.Tooltip("low:Q", title="95 % from", format=".2%"),
                alt.Tooltip("high:Q", title="to", format=".2%"),
                alt.Tooltip("users:Q", format=","),
                alt.Tooltip("news:N", title="with this release"),
            ],
        )
    )
    return chart
