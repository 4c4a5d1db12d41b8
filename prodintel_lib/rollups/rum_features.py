"""What visitors use: pages, named actions and named events, a row a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_sessions import with_conversion_time

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURE_USE_KEYS: Final = ("session_key", "kind", "feature")
FEATURE_USE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "kind": pl.String(),
    "feature": pl.String(),
    "interactions": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "first_step": pl.Int64(),
    "before_conversion": pl.Boolean(),
}
_KINDS: Final = {"view": "page", "action": "action", "custom": "event"}


def feature_name() -> nw.Expr:
    """Return what an event is a use of; null where it has no name.

    A page view of its route, a custom event of its name; an action of what was acted on, by the test id its maker gave
    it, else by the role and name its user sees, else by its selector.
    """
    kind = nw.col("event_kind")
    return (
        nw.when(kind == nw.lit("view"))
        .then(nw.col("route"))
        .when(kind == nw.lit("custom"))
        .then(nw.col("event_name"))
        .when(kind == nw.lit("action"))
        .then(action_name())
    )


def action_name() -> nw.Expr:
    """Return what an action acted on, as feature_name says it; null where it has no name."""
    seen = nw.concat_str(nw.col("target_role"), nw.col("target_name"), separator=" ", ignore_nulls=True)
    named = nw.when(~nw.col("target_name").is_null()).then(seen)
    return nw.coalesce(nw.col("target_test_id"), named, nw.col("target_selector"))


def build_feature_use(session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]) -> nw.LazyFrame[Any]:
    """Count what each session used.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for; may be empty.

    Returns
    -------
    narwhals.LazyFrame
        Columns of FEATURE_USE_SCHEMA, unordered, one row for each of FEATURE_USE_KEYS that occurred:

        - ``kind``: page, action or event; ``feature``: as feature_name says
        - ``interactions``, ``first_us``, ``last_us``; ``first_step``: the step of the session it was first used in
        - ``before_conversion``: whether it was used before the session converted, if it ever did; what is used in the
          same moment, such as the conversion itself, was not
    """
    kind = nw.lit(None, dtype=nw.String)
    for event_kind, name in _KINDS.items():
        kind = nw.when(nw.col("event_kind") == nw.lit(event_kind)).then(nw.lit(name)).otherwise(kind)
    used = session_events.with_columns(kind.alias("kind"), feature_name().alias("feature")).filter(
        ~nw.col("feature").is_null()
    )
    grouped = used.group_by(*FEATURE_USE_KEYS).agg(
        nw.len().alias("interactions"),
        nw.col("time_us").min().alias("first_us"),
        nw.col("time_us").max().alias("last_us"),
        nw.col("step_no").min().alias("first_step"),
    )
    return (
        with_conversion_time(grouped, session_events, conversions=conversions)
        .with_columns((nw.col("first_us") < nw.col("converted_us")).fill_null(value=True).alias("before_conversion"))
        .select(*FEATURE_USE_SCHEMA)
    )
