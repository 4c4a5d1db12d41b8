"""The page views of sessions in their order: the moments at which something could happen to a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import is_view
from prodintel_lib.rollups.rum_sessions import with_conversion_time

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE_VIEWS_KEYS: Final = ("session_key", "view_no")
PAGE_VIEWS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "view_no": pl.Int64(),
    "route": pl.String(),
}


def build_page_views(session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]) -> nw.LazyFrame[Any]:
    """List the page views of each session that began before it converted.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for; may be empty.

    Returns
    -------
    narwhals.LazyFrame
        Columns of PAGE_VIEWS_SCHEMA, unordered, one row a view: ``view_no`` from 1, ``route`` empty where not known.
    """
    views = session_events.filter(is_view()).select("session_key", "view_no", "time_us", nw.col("route").fill_null(""))
    timed = with_conversion_time(views, session_events, conversions=conversions)
    return timed.filter((nw.col("time_us") < nw.col("converted_us")).fill_null(value=True)).select(*PAGE_VIEWS_SCHEMA)
