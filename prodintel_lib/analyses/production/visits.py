"""Visits in buckets of their own width: they are fewer than requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.passes import open_passes, routes_on_engine
from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.production.grid import choose_visit_bucket_s
from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_buckets import (
    RUM_BUCKETS_KEYS,
    RUM_BUCKETS_SCHEMA,
    build_page_buckets,
    build_visit_buckets,
)
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from prodintel_lib.analyses.journeys.passes import Passes
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window

_MINUTE_US: Final = 60 * US_PER_S
_END_SCHEMA: Final[dict[str, pl.DataType]] = {"end_us": pl.Int64()}
_ENDED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "end_us": pl.Int64(),
    "entry_route": pl.String(),
    "converted": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Visits:
    """Columns of RUM_BUCKETS_SCHEMA in buckets of `bucket_s` seconds; 0 where there are none."""

    frame: pl.DataFrame
    bucket_s: int


def count_visits(view: LakeView, window: Window, minutes_us: NDArray[np.int64], *, bucket_s: int | None) -> Visits:
    """Count the sessions of people by their end, and page views and errors where they happened.

    Sessions that may go on after the last event that is known are left out: they have not converted *yet*.

    Parameters
    ----------
    view : LakeView
    window : Window
    minutes_us : array of int
        Starts of the minutes in which something of a visitor was recorded, increasing.
    bucket_s : int, optional
        Not narrower than this; chosen by the number of sessions where it is not given.
    """
    if not len(minutes_us):
        return Visits(pl.DataFrame(schema=RUM_BUCKETS_SCHEMA), 0)
    config = view.workspace.config.journeys
    passes = open_passes(view, window=window, conversions=config.conversions, gap_min=config.session_gap_min)
    sessions = _ended(passes)
    width_s = max(bucket_s or 0, choose_visit_bucket_s(minutes_us, sessions=sessions.height))
    summed = RunningSum(RUM_BUCKETS_KEYS)
    counted = build_visit_buckets(nw.from_native(sessions.lazy()), bucket_s=width_s)
    summed.add(view.collect(counted, schema=RUM_BUCKETS_SCHEMA, sort_by=RUM_BUCKETS_KEYS))
    with routes_on_engine(passes.routes, view.engine) as routes:
        for which in passes.slices:
            pages = build_page_buckets(passes.scan(which), bucket_s=width_s, routes=routes)
            summed.add(view.collect(pages, schema=RUM_BUCKETS_SCHEMA, sort_by=RUM_BUCKETS_KEYS))
    return Visits(summed.total(), width_s)


def _ended(passes: Passes) -> pl.DataFrame:
    """Return the end, the entry and the success of all sessions that are over."""
    parts = [part.sessions.select(*_ENDED_SCHEMA).cast(pl.Schema(_ENDED_SCHEMA)) for part in passes.parts()]
    sessions = pl.concat(parts)
    last = passes.view.workspace.scan("rum_events", window=passes.window, engine=passes.view.engine)
    latest = collect(last.select(nw.col("time_us").max().alias("end_us")), schema=_END_SCHEMA, sort_by=["end_us"])
    open_from_us = latest["end_us"].item() - round(passes.gap_min * _MINUTE_US)
    return sessions.filter(pl.col("end_us") <= open_from_us)
