"""Machines that pose as browsers, told by what no person does: page after page at a steady pace, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.markup import paragraph
from prodintel_lib.rollups.rum_rhythm import (
    VIEW_TIMES_KEYS,
    VIEW_TIMES_SCHEMA,
    VIEWERS_SCHEMA,
    build_view_times,
    build_viewers,
)
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from typing import Any

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window

MIN_VIEWS: Final = 30
"""Fewer page views say too little of a rhythm."""

MAX_VARIATION: Final = 0.2
"""The standard deviation of the times between views, in parts of their mean: that of people is about 1."""

MIN_NEW_PAGES: Final = 0.8
"""The share of views that show a page for the first time: a page that reloads itself shows one again and again."""

MACHINES_SCHEMA: Final = {
    "visitor_id": pl.String,
    "views": pl.Int64,
    "pages": pl.Int64,
    "gap_mean_s": pl.Float64,
    "gap_variation": pl.Float64,
}
# So many visitors are looked at more closely at a time.
VISITORS_AT_ONCE: Final = 5000
_MINUTE_US: Final = 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class Machines:
    """Visitors that are taken for machines though they do not say so.

    Attributes
    ----------
    frame : polars.DataFrame
        ``visitor_id`` as recorded, ``views, pages`` (different paths), ``gap_mean_s`` and ``gap_variation`` (standard
        deviation by mean) of the times between views; by visitor.
    """

    frame: pl.DataFrame

    @property
    def events(self) -> int:
        """How many events are left out because of them."""
        return int(self.frame["views"].sum())

    def left_in(self, events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Return the events of all others."""
        if self.frame.is_empty():
            return events
        return events.filter(~nw.col("visitor_id").is_in(self.frame["visitor_id"].to_list()))

    def sentence(self) -> str:
        """Say how many, and why."""
        rule = (
            f"{MIN_VIEWS} page views or more, at least {100 * MIN_NEW_PAGES:.0f} % of them of different pages, at "
            f"times that vary by at most {100 * MAX_VARIATION:.0f} % of their mean, and no event of another kind"
        )
        if self.frame.is_empty():
            return f"No visitor has the rhythm of a machine: {rule}."
        views, every_s, variation = self.frame.select(pl.median("views", "gap_mean_s", "gap_variation")).row(0)
        have = "visitor has" if self.frame.height == 1 else "visitors have"
        return (
            f"{self.frame.height:,} {have} the rhythm of a machine, and their {self.events:,} page views are left out "
            f"of all else ({rule}): typically {views:,.0f} views each, one every {every_s:.1f} s, varying by "
            f"{100 * variation:.0f} %."
        )

    def _repr_html_(self) -> str:
        return str(paragraph(self.sentence()))


def find_machines(view: LakeView, window: Window, *, gap_min: float) -> Machines:
    """Find the visitors that look at many pages at a steady pace and do nothing else.

    Parameters
    ----------
    view : LakeView
        Its lake holds ``rum_events``.
    window : Window
    gap_min : float
        Minutes without an event that end a session: a longer time is a break and counts for nothing.

    Notes
    -----
    Conservative on purpose: a person who is called a machine disappears from every figure, a machine that is not found
    is one visitor more. What people do between two pages takes times that are spread over orders of magnitude; thirty
    of them within a fifth of their mean are the work of a timer. A machine that acts, or draws its pauses at random,
    is not found by this.
    """
    events = view.workspace.scan(RUM_EVENTS.name, window=window, engine=view.engine)
    viewers = collect(
        build_viewers(events, min_views=MIN_VIEWS), schema=VIEWERS_SCHEMA, sort_by=["visitor_id"]
    )["visitor_id"].to_list()  # fmt: skip
    found = [
        judge_rhythms(
            collect(
                build_view_times(events, visitors=viewers[first : first + VISITORS_AT_ONCE]),
                schema=VIEW_TIMES_SCHEMA,
                sort_by=VIEW_TIMES_KEYS,
            ),
            gap_min=gap_min,
        ).frame
        for first in range(0, len(viewers), VISITORS_AT_ONCE)
    ]
    return Machines(pl.concat([pl.DataFrame(schema=MACHINES_SCHEMA), *found]))


def judge_rhythms(events: pl.DataFrame, *, gap_min: float) -> Machines:
    """Say which of some visitors are machines.

    Parameters
    ----------
    events : polars.DataFrame
        All of their page views, of visitors who did nothing else: columns of rollups.rum_rhythm.VIEW_TIMES_SCHEMA.
    gap_min : float
    """
    gap_us = pl.col("time_us").diff().over("visitor_id")
    gap_s = pl.col("gap_us").filter(pl.col("gap_us") < round(gap_min * _MINUTE_US)) / US_PER_S
    rhythms = (
        events.sort("visitor_id", "time_us")
        .with_columns(gap_us.alias("gap_us"))
        .group_by("visitor_id", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("views"),
            pl.col("url_path").n_unique().cast(pl.Int64).alias("pages"),
            gap_s.count().cast(pl.Int64).alias("gaps"),
            gap_s.mean().alias("gap_mean_s"),
            (gap_s.std() / gap_s.mean()).alias("gap_variation"),
        )
    )
    is_machine = (
        (pl.col("gaps") >= MIN_VIEWS - 1)
        & (pl.col("pages") >= MIN_NEW_PAGES * pl.col("views"))
        & (pl.col("gap_variation") <= MAX_VARIATION)
    )
    return Machines(rhythms.filter(is_machine).select(MACHINES_SCHEMA.keys()))
