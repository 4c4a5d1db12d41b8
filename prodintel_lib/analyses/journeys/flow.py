"""The flow of sessions from page to page: by position for a picture of it, and as one graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.journeys.variants import MAX_STEPS, ROUTE
from prodintel_lib.markup import DASH, figure_text, number, paragraph, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.analyses.journeys.passes import Part

EDGE_KEYS: Final = ("step_no", "from_route", "to_route", "converted")
GRAPH_KEYS: Final = ("from_route", "to_route")
MAX_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Flow:
    """Which page follows which.

    Attributes
    ----------
    steps : polars.DataFrame
        ``step_no`` (1 to 12), ``route, sessions, left, dropped``: sessions whose step of that number was the route, of
        them those for which it was the last, and of those the ones that had not converted.
    edges : polars.DataFrame
        ``step_no`` (1 to 12), ``from_route, to_route`` (null: they left), ``sessions``.
    graph : polars.DataFrame
        The directly-follows graph over all steps: ``from_route, to_route, transitions, sessions``, most transitions
        first.
    """

    steps: pl.DataFrame
    edges: pl.DataFrame
    graph: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.graph.is_empty():
            return str(paragraph("No session went from one page to another."))
        totals = self.graph.group_by("from_route").agg(pl.col("transitions").sum().alias("all"))
        shown = self.graph.join(totals, on="from_route", how="left", maintain_order="left").head(MAX_SHOWN)
        rows = [
            [
                text(row["from_route"]),
                text(row["to_route"]),
                number(row["transitions"]),
                number(row["sessions"]),
                figure_text(percent(row["transitions"] / row["all"]), n=row["all"]) if row["all"] else DASH,
            ]
            for row in shown.iter_rows(named=True)
        ]
        headers = ["From", "To", "Transitions", "Sessions", "Of all that went on"]
        note = f"The {shown.height} most frequent of {self.graph.height:,} transitions."
        return str(table(headers, rows, align="llrrr", caption=note))


def tally_edges(part: Part) -> pl.DataFrame:
    """Count the transitions of a part by position and by whether the session converted."""
    steps = part.steps
    converted = part.sessions["converted"].fill_null(value=False).gather(steps["session_no"])
    return (
        steps.select(
            pl.min_horizontal("step_no", pl.lit(MAX_STEPS + 1)).alias("step_no"),
            pl.col("route").alias("from_route"),
            pl.col("next_route").alias("to_route"),
            "dropped",
        )
        .with_columns(converted.alias("converted"))
        .group_by(*EDGE_KEYS)
        .agg(pl.len().cast(pl.Int64).alias("sessions"), pl.col("dropped").sum().cast(pl.Int64))
    )


def tally_graph(part: Part) -> pl.DataFrame:
    """Count the transitions of a part, and the sessions that made each."""
    went_on = part.steps.lazy().filter(pl.col("next_route").is_not_null())
    # To tell codes apart is several times as fast as to tell texts apart.
    coded = went_on.select(
        "session_no",
        pl.col("route").cast(ROUTE).alias("from_route"),
        pl.col("next_route").cast(ROUTE).alias("to_route"),
    ).collect()
    edges = coded.group_by(*GRAPH_KEYS).agg(
        pl.len().cast(pl.Int64).alias("transitions"), pl.col("session_no").n_unique().cast(pl.Int64).alias("sessions")
    )
    return edges.cast(dict.fromkeys(GRAPH_KEYS, pl.String))


def trace_flow(edges: pl.DataFrame, graph: pl.DataFrame) -> Flow:
    """Make the flow of the parts' tallies.

    Parameters
    ----------
    edges : polars.DataFrame
        The tallies of tally_edges, added up.
    graph : polars.DataFrame
        Those of tally_graph, added up.
    """
    early = edges.filter(pl.col("step_no") <= MAX_STEPS)
    left = pl.when(pl.col("to_route").is_null()).then("sessions").otherwise(0)
    steps = (
        early.group_by("step_no", pl.col("from_route").alias("route"))
        .agg(pl.col("sessions").sum(), left.sum().alias("left"), pl.col("dropped").sum())
        .sort("step_no", -pl.col("sessions"), "route")
    )
    by_position = (
        early.group_by("step_no", *GRAPH_KEYS)
        .agg(pl.col("sessions").sum())
        .sort("step_no", -pl.col("sessions"), *GRAPH_KEYS)
    )
    return Flow(steps, by_position, graph.sort(-pl.col("transitions"), *GRAPH_KEYS))
