"""What happened in sessions, from events in order: errors, pages, features; on Polars alone.

As rum_errors.py, rum_views.py and rum_features.py make it, with ``session_no`` for the session's key, and with routes
as Categorical.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_errors import (
    ERROR_TEXTS,
    PAGE_VISITS_KEYS,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    STACK_CHARS,
    hour_local,
)
from prodintel_lib.rollups.rum_expressions import target
from prodintel_lib.rollups.rum_features import FEATURE_USE_SCHEMA, action_name
from prodintel_lib.rollups.rum_sorted_sessions import time_converted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.rollups.rum_sorted import SortedEvents

TARGET: Final = ("target_role", "target_name", "target_test_id", "target_selector")
ERRORS_LOOKED_UP: Final = ("error_source", "error_type", "exception_message", "exception_stacktrace")


def list_session_errors(events: SortedEvents) -> pl.DataFrame:
    """Count the errors of each session by page, local hour and what they say; as rum_errors.build_session_errors."""
    rows = events.rows.filter(pl.col("errors") | pl.col("validation_errors"))
    said = events.look_up(rows, *ERRORS_LOOKED_UP, *TARGET, "utc_offset_min")
    is_validation = nw.col("error_source") == nw.lit("validation")
    worded = (
        nw.from_native(rows.select("session_no", "time_us", "view_no", "route").hstack(said))
        .with_columns(
            nw.col("exception_stacktrace").str.slice(0, STACK_CHARS),
            nw.when(is_validation).then(target()).alias("field"),
            hour_local().alias("hour_local"),
        )
        .to_native()
    )
    keys = _numbered(SESSION_ERRORS_KEYS)
    grouped = (
        worded.with_columns(pl.col("route", *ERROR_TEXTS).fill_null(""))
        .group_by(keys)
        .agg(
            pl.len().cast(pl.Int64).alias("errors"),
            pl.col("time_us").min().alias("first_us"),
            pl.col("time_us").max().alias("last_us"),
            pl.col("view_no").min().alias("first_view_no"),
        )
    )
    converted_us = time_converted(events).gather(grouped["session_no"])
    before = (grouped["first_us"] <= converted_us).fill_null(value=True)
    return grouped.with_columns(before.alias("before_conversion")).select(_numbered(SESSION_ERRORS_SCHEMA)).sort(keys)


def list_page_visits(events: SortedEvents) -> pl.DataFrame:
    """List the pages each session was on, and in which hours of the client's day; as rum_errors.build_page_visits."""
    rows = events.rows.select("session_no", "route", "time_us").hstack(events.look_up(events.rows, "utc_offset_min"))
    placed = nw.from_native(rows).with_columns(hour_local().alias("hour_local")).to_native()
    visits = placed.select("session_no", pl.col("route").fill_null(""), "hour_local")
    # Most events are where the one before them was: those need not be looked at again.
    moved = visits.filter(pl.any_horizontal(pl.all() != pl.all().shift(1)).fill_null(value=True))
    return moved.unique(_numbered(PAGE_VISITS_KEYS))


def list_page_views(events: SortedEvents) -> pl.DataFrame:
    """List the page views of each session that began before it converted; as rum_views.build_page_views."""
    views = events.rows.filter("is_view").select("session_no", "view_no", pl.col("route").fill_null(""), "time_us")
    converted_us = time_converted(events).gather(views["session_no"])
    return views.filter((views["time_us"] < converted_us).fill_null(value=True)).drop("time_us")


def list_feature_use(events: SortedEvents) -> pl.DataFrame:
    """Count what each session used; as rum_features.build_feature_use, with ``kind`` and ``feature`` as Categorical."""
    dtype = events.rows.schema["route"]
    rows = events.rows.select("session_no", "time_us", "step_no", "row", "route", "is_view", "is_action", "is_custom")
    actions, customs = rows.filter("is_action"), rows.filter("is_custom")
    acted = nw.from_native(events.look_up(actions, *TARGET)).select(action_name().alias("feature")).to_native()
    named = {
        "page": rows.filter("is_view").with_columns(pl.col("route").alias("feature")),
        "action": actions.with_columns(acted["feature"].cast(dtype)),
        "event": customs.with_columns(events.look_up(customs, "event_name")["event_name"].cast(dtype).alias("feature")),
    }
    grouped = pl.concat(_count_use(part, kind) for kind, part in named.items())
    converted_us = time_converted(events).gather(grouped["session_no"])
    before = (grouped["first_us"] < converted_us).fill_null(value=True)
    return grouped.with_columns(before.alias("before_conversion")).select(_numbered(FEATURE_USE_SCHEMA))


def _count_use(used: pl.DataFrame, kind: str) -> pl.DataFrame:
    return (
        used.drop_nulls("feature")
        .group_by("session_no", "feature")
        .agg(
            pl.len().cast(pl.Int64).alias("interactions"),
            pl.col("time_us").min().alias("first_us"),
            pl.col("time_us").max().alias("last_us"),
            pl.col("step_no").min().alias("first_step"),
        )
        .with_columns(pl.lit(kind).alias("kind"))
    )


def _numbered(names: Iterable[str]) -> list[str]:
    return ["session_no" if name == "session_key" else name for name in names]
