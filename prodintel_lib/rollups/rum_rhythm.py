"""Who looked at many pages and did nothing else: the few visitors whose rhythm is worth a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import is_view

if TYPE_CHECKING:
    from collections.abc import Sequence

VIEWERS_SCHEMA: Final[dict[str, pl.DataType]] = {"visitor_id": pl.String(), "views": pl.Int64()}
VIEW_TIMES_KEYS: Final = ("visitor_id", "time_us", "url_path")
VIEW_TIMES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "visitor_id": pl.String(),
    "time_us": pl.Int64(),
    "url_path": pl.String(),
}


def build_viewers(events: nw.LazyFrame[Any], *, min_views: int) -> nw.LazyFrame[Any]:
    """Count page views by visitor, of those who saw many and did nothing else.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``; whole visitors. Events of declared machines are left out.
    min_views : int

    Returns
    -------
    narwhals.LazyFrame
        Columns of VIEWERS_SCHEMA, unordered, one row a visitor of at least so many views and no other event.
    """
    undeclared = events.filter(nw.col("user_agent_synthetic_type").is_null())
    counted = (
        undeclared.with_columns(is_view().cast(nw.Int64).alias("is_view"))
        .group_by("visitor_id")
        .agg(nw.len().cast(nw.Int64).alias("events"), nw.col("is_view").sum().cast(nw.Int64).alias("views"))
    )
    return counted.filter(nw.col("views") >= min_views, nw.col("views") == nw.col("events"))


def build_view_times(events: nw.LazyFrame[Any], *, visitors: Sequence[str]) -> nw.LazyFrame[Any]:
    """List when some visitors saw what.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``. Events of declared machines are left out.
    visitors : sequence of str

    Returns
    -------
    narwhals.LazyFrame
        Columns of VIEW_TIMES_SCHEMA, unordered, one row a page view: ``url_path`` is empty where it is not known.
    """
    undeclared = events.filter(nw.col("user_agent_synthetic_type").is_null(), is_view())
    theirs = undeclared.filter(nw.col("visitor_id").is_in(list(visitors)))
    return theirs.select("visitor_id", "time_us", nw.col("url_path").fill_null("").alias("url_path"))
