"""Sessions of people, and the steps they take: from single events of browsers to rows an analysis can count.

Everything here is portable: the same result on Polars, DuckDB and Spark. On Polars, where one machine does it all,
rum_sorted.py does the first of the three passes in one sort; the tests hold it to the version here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import TIE_BREAKERS, is_conversion, is_defect, is_view
from prodintel_lib.rollups.rum_steps import STEPS_SCHEMA, build_steps
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "OF_SESSION",
    "SESSIONS_SCHEMA",
    "SESSION_EVENTS_SCHEMA",
    "STEPS_SCHEMA",
    "build_session_events",
    "build_sessions",
    "build_steps",
    "with_routes",
]

SESSION_COLUMNS: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "route": pl.String(),
    "view_no": pl.Int64(),
    "step_no": pl.Int64(),
}
SESSION_EVENTS_SCHEMA: Final[dict[str, pl.DataType]] = {**RUM_EVENTS.schema, **SESSION_COLUMNS}
SESSIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "visitor_id": pl.String(),
    "session_id": pl.String(),
    "user_bucket": pl.Int64(),
    "start_us": pl.Int64(),
    "end_us": pl.Int64(),
    "duration_s": pl.Float64(),
    "views": pl.Int64(),
    "steps": pl.Int64(),
    "actions": pl.Int64(),
    "errors": pl.Int64(),
    "entry_route": pl.String(),
    "exit_route": pl.String(),
    "converted": pl.Boolean(),
    "device_type": pl.String(),
    "browser_name": pl.String(),
    "browser_version": pl.String(),
    "os_name": pl.String(),
    "geo_country_iso_code": pl.String(),
    "geo_region_iso_code": pl.String(),
    "service_version": pl.String(),
    "browser_language": pl.String(),
    "network_type": pl.String(),
    "user_is_new": pl.Boolean(),
    "utc_offset_min": pl.Int64(),
    "start_hour_local": pl.Int64(),
}
OF_SESSION: Final = (
    "device_type",
    "browser_name",
    "browser_version",
    "os_name",
    "geo_country_iso_code",
    "geo_region_iso_code",
    "service_version",
    "browser_language",
    "network_type",
    "utc_offset_min",
)
_MINUTE_US: Final = 60 * US_PER_S
_DAY_HOURS: Final = 24


def build_session_events(
    events: nw.LazyFrame[Any], *, gap_min: float, routes: nw.LazyFrame[Any] | None = None
) -> nw.LazyFrame[Any]:
    """Say of every event of a person which session, page view and step it belongs to.

    A session is what the source calls one, or what a visitor does where it calls nothing one; either way a gap without
    events ends it. Events of machines (``user_agent_synthetic_type``) are left out. A step is a run of page views of
    one route: what is shown again, or paged through, is no new step.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``; whole visitors, whatever part of them (a bucket, a window).
    gap_min : float
        Minutes without an event that end a session.
    routes : narwhals.LazyFrame, optional
        ``url_path, route``: templates learned from paths, on the same engine. A path without one is its own route.

    Returns
    -------
    narwhals.LazyFrame
        Columns of SESSION_EVENTS_SCHEMA, unordered:

        - ``session_key``: visitor, the source's session and the number of the piece a gap has cut off, joined by ``|``;
          the number counts within the rows given
        - ``route``: the page's template: the source's own, else the learned one, else the path
        - ``view_no``: how many page views of the session have begun, 0 before the first
        - ``step_no``: the step the event's page view is in (that of ``view_id`` where the session has such a view,
          else the latest one), 0 before the first view
    """
    people = with_routes(events.filter(nw.col("user_agent_synthetic_type").is_null()), routes)
    marked = people.with_columns(
        (~is_view()).cast(nw.Int64).alias("is_not_view"), nw.col("session_id").fill_null("").alias("_session")
    )
    return _with_steps(_with_views(_with_keys(marked, gap_us=round(gap_min * _MINUTE_US)))).select(
        *SESSION_EVENTS_SCHEMA
    )


def with_routes(events: nw.LazyFrame[Any], routes: nw.LazyFrame[Any] | None) -> nw.LazyFrame[Any]:
    """Add ``route``: the source's own, else the learned one, else the path."""
    if routes is None:
        return events.with_columns(nw.coalesce("http_route", "url_path").alias("route"))
    learned = routes.select("url_path", nw.col("route").alias("_learned"))
    return (
        events.join(learned, on="url_path", how="left")
        .with_columns(nw.coalesce("http_route", "_learned", "url_path").alias("route"))
        .drop("_learned")
    )


def _with_keys(events: nw.LazyFrame[Any], *, gap_us: int) -> nw.LazyFrame[Any]:
    of_visitor = ["visitor_id", "_session"]
    order = ["time_us", *TIE_BREAKERS]
    waited_us = nw.col("time_us") - nw.col("time_us").shift(1).over(*of_visitor, order_by=order)
    cut = events.with_columns((waited_us >= gap_us).fill_null(value=False).cast(nw.Int64).alias("_cut"))
    piece = nw.col("_cut").cum_sum().over(*of_visitor, order_by=order) + 1
    return cut.with_columns(
        nw.concat_str(
            nw.col("visitor_id"), nw.col("_session"), piece.cast(nw.Int64).cast(nw.String), separator="|"
        ).alias("session_key")
    ).drop("_cut", "_session")


def _with_views(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    order = ["time_us", *TIE_BREAKERS]
    begun = (1 - nw.col("is_not_view")).cum_sum().over("session_key", order_by=order)
    return events.with_columns(begun.cast(nw.Int64).alias("view_no"))


def _with_steps(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the steps among the views, then give every event that of its view."""
    views = events.filter(nw.col("is_not_view") == 0).select(
        "session_key", "view_no", "view_id", nw.col("route").fill_null("").alias("_route")
    )
    before = nw.col("_route").shift(1).over("session_key", order_by="view_no")
    changed = views.with_columns((before != nw.col("_route")).fill_null(value=True).cast(nw.Int64).alias("_changed"))
    steps = changed.with_columns(
        nw.col("_changed").cum_sum().over("session_key", order_by="view_no").cast(nw.Int64).alias("_step")
    )
    by_time = steps.select(
        "session_key", "view_no", nw.col("_step").alias("_by_time"), nw.col("view_id").alias("_latest")
    )
    by_id = (
        steps.filter(~nw.col("view_id").is_null())
        .group_by("session_key", "view_id")
        .agg(nw.col("_step").min().alias("_by_id"))
    )
    joined = events.join(by_time, on=["session_key", "view_no"], how="left").join(
        by_id, on=["session_key", "view_id"], how="left"
    )
    is_own = (nw.col("is_not_view") == 0) | (nw.col("view_id") == nw.col("_latest")).fill_null(value=False)
    return joined.with_columns(
        nw.when(is_own)
        .then(nw.col("_by_time"))
        .otherwise(nw.coalesce("_by_id", "_by_time"))
        .fill_null(0)
        .alias("step_no")
    )


def with_conversion_time(
    rows: nw.LazyFrame[Any], session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]
) -> nw.LazyFrame[Any]:
    """Add ``converted_us`` to rows of sessions: when the session first converted; null where it never did."""
    converted = (
        session_events.filter(is_conversion(conversions))
        .group_by("session_key")
        .agg(nw.col("time_us").min().alias("converted_us"))
    )
    return rows.join(converted, on="session_key", how="left")


def build_sessions(session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]) -> nw.LazyFrame[Any]:
    """Sum up each session in a row.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As build_session_events makes it.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for.

    Returns
    -------
    narwhals.LazyFrame
        Columns of SESSIONS_SCHEMA, unordered, one row a session:

        - ``start_us, end_us``: first and last event; ``duration_s`` between them
        - ``views, steps, actions``; ``errors``: without those of form validation
        - ``entry_route, exit_route``: of the first and of the last page view; null where there is none
        - ``converted``: null where no conversion is named
        - the client's attributes: the least value where one changed within the session
        - ``start_hour_local``: 0 to 23 on the client's clock; null where its offset is not known
    """
    last = session_events.with_columns(nw.col("step_no").max().over("session_key").alias("_last"))
    step = nw.when(is_view()).then(nw.col("step_no"))
    prepared = last.with_columns(
        is_view().cast(nw.Int64).alias("_view"),
        (nw.col("event_kind") == nw.lit("action")).cast(nw.Int64).alias("_action"),
        is_defect().cast(nw.Int64).alias("_error"),
        nw.when(step == 1).then(nw.col("route")).alias("_entry"),
        nw.when(step == nw.col("_last")).then(nw.col("route")).alias("_exit"),
        is_conversion(conversions).cast(nw.Int64).alias("_converted"),
        nw.col("user_is_new").cast(nw.Int64).alias("_new"),
    )
    grouped = prepared.group_by("session_key").agg(
        nw.col("visitor_id").min(),
        nw.col("session_id").min(),
        nw.col("user_bucket").min(),
        nw.col("time_us").min().alias("start_us"),
        nw.col("time_us").max().alias("end_us"),
        nw.col("_view").sum().alias("views"),
        nw.col("step_no").max().alias("steps"),
        nw.col("_action").sum().alias("actions"),
        nw.col("_error").sum().alias("errors"),
        nw.col("_entry").min().alias("entry_route"),
        nw.col("_exit").min().alias("exit_route"),
        nw.col("_converted").max().alias("_converted"),
        nw.col("_new").max().alias("_new"),
        *(nw.col(name).min() for name in OF_SESSION),
    )
    return _with_facts_of_session(grouped, has_conversions=bool(conversions)).select(*SESSIONS_SCHEMA)


def _with_facts_of_session(sessions: nw.LazyFrame[Any], *, has_conversions: bool) -> nw.LazyFrame[Any]:
    converted = nw.col("_converted") == 1 if has_conversions else nw.lit(None, dtype=nw.Boolean)
    minutes = nw.col("start_us") // _MINUTE_US + nw.col("utc_offset_min")
    return sessions.with_columns(
        ((nw.col("end_us") - nw.col("start_us")) / US_PER_S).alias("duration_s"),
        converted.alias("converted"),
        (nw.col("_new") == 1).alias("user_is_new"),
        ((minutes // 60) % _DAY_HOURS).alias("start_hour_local"),
    )
