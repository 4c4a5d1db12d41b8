"""The steps of sessions: one row a run of page views of one route, with all that could make somebody leave there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import (
    TIE_BREAKERS,
    is_conversion,
    is_defect,
    is_failed_request,
    is_validation,
    is_view,
    target,
)
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

VITALS: Final = ("lcp_ms", "inp_ms", "cls_score", "fcp_ms", "ttfb_ms")
STEPS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "step_no": pl.Int64(),
    "route": pl.String(),
    "next_route": pl.String(),
    "start_us": pl.Int64(),
    "dwell_s": pl.Float64(),
    "load_ms": pl.Float64(),
    **dict.fromkeys(VITALS, pl.Float64()),
    "errors": pl.Int64(),
    "validation_errors": pl.Int64(),
    "failed_requests": pl.Int64(),
    "rage_clicks": pl.Int64(),
    "error_after_s": pl.Float64(),
    "validation_error_after_s": pl.Float64(),
    "failed_request_after_s": pl.Float64(),
    "rage_click_after_s": pl.Float64(),
    "is_return": pl.Boolean(),
    "at_risk": pl.Boolean(),
    "dropped": pl.Boolean(),
    "device_type": pl.String(),
    "entry_route": pl.String(),
}
STEPS_KEYS: Final = ("session_key", "step_no")
RAGE_CLICKS: Final = 3
RAGE_WITHIN_US: Final = US_PER_S
# How an event is counted in a step, and which column says when the first of its kind came.
COUNTED: Final = {
    "errors": "error_after_s",
    "validation_errors": "validation_error_after_s",
    "failed_requests": "failed_request_after_s",
    "rage_clicks": "rage_click_after_s",
}


def build_steps(session_events: nw.LazyFrame[Any], *, conversions: Sequence[str]) -> nw.LazyFrame[Any]:
    """List the steps of sessions with what happened in them.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for.

    Returns
    -------
    narwhals.LazyFrame
        Columns of STEPS_SCHEMA, unordered, one row for each of STEPS_KEYS:

        - ``next_route``: null at the session's last step
        - ``dwell_s``: until the next step began; at the last step until the session's last event, a lower bound
        - ``load_ms`` and the vitals: the worst of the step's page views
        - ``errors`` (without form validation), ``validation_errors``, ``failed_requests`` (answered 400 or more, or
          not at all), ``rage_clicks`` (times that three clicks on one target came within a second)
        - ``*_after_s``: seconds from the step's start to the first of each; null where there was none
        - ``is_return``: the step leads back to the route before the last one
        - ``at_risk``: the session had not converted when the step began
        - ``dropped``: the last step of a session that did not convert; where no conversion is named, every last step
        - ``device_type, entry_route``: the session's
    """
    marked = session_events.with_columns(
        is_defect().cast(nw.Int64).alias("errors"),
        is_validation().cast(nw.Int64).alias("validation_errors"),
        is_failed_request().cast(nw.Int64).alias("failed_requests"),
        nw.when(is_view()).then(nw.col("route").fill_null("")).alias("_route"),
        nw.when(is_view()).then(nw.col("time_us")).alias("_began_us"),
        nw.when(is_view()).then(nw.col("duration_ms")).alias("_load_ms"),
        nw.when(is_conversion(conversions)).then(nw.col("time_us")).alias("_converted_us"),
    )
    counted = ("errors", "validation_errors", "failed_requests")
    steps = marked.group_by(*STEPS_KEYS).agg(
        nw.col("_route").min().alias("route"),
        nw.col("_began_us").min().alias("start_us"),
        nw.col("time_us").max().alias("_end_us"),
        nw.col("_load_ms").max().alias("load_ms"),
        *(nw.col(name).max() for name in VITALS),
        *(nw.col(name).sum() for name in counted),
        *(
            nw.when(nw.col(name) == 1).then(nw.col("time_us")).min().alias(f"_{name}_us")
            for name in counted
        ),
        nw.col("_converted_us").min(),
        nw.col("device_type").min(),
    )  # fmt: skip
    clicked = steps.join(_rage_clicks(session_events), on=list(STEPS_KEYS), how="left").with_columns(
        nw.col("rage_clicks").fill_null(0)
    )
    return _with_order(clicked).filter(nw.col("step_no") > 0).select(*STEPS_SCHEMA)


def _rage_clicks(session_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the bursts of clicks: the third click within a second begins one, those after it belong to it."""
    clicks = (
        session_events.filter(nw.col("event_kind") == nw.lit("action"), nw.col("action_type") == nw.lit("click"))
        .with_columns(target().alias("_target"), nw.lit(1).alias("is_not_view"))
        .filter(~nw.col("_target").is_null())
    )
    time_us = nw.col("time_us")
    of_target, order = ("session_key", "step_no", "_target"), ["time_us", *TIE_BREAKERS]
    spans = clicks.with_columns(
        (time_us - time_us.shift(RAGE_CLICKS - 1).over(*of_target, order_by=order)).alias("_span_us")
    )
    burst = (nw.col("_span_us") <= RAGE_WITHIN_US).fill_null(value=False).cast(nw.Int64)
    flagged = spans.with_columns(burst.alias("_burst"))
    earlier = nw.col("_burst").shift(1).over(*of_target, order_by=order).fill_null(0)
    begun = flagged.with_columns(earlier.alias("_earlier")).filter(nw.col("_burst") == 1, nw.col("_earlier") == 0)
    return begun.group_by(*STEPS_KEYS).agg(
        nw.len().alias("rage_clicks"), nw.col("time_us").min().alias("_rage_clicks_us")
    )


def _with_order(steps: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add what a step is among those of its session."""
    in_session = {"order_by": "step_no"}
    around = steps.with_columns(
        nw.col("route").shift(-1).over("session_key", **in_session).alias("next_route"),
        nw.col("start_us").shift(-1).over("session_key", **in_session).alias("_next_us"),
        nw.col("route").shift(2).over("session_key", **in_session).alias("_before_last"),
        nw.col("_end_us").max().over("session_key").alias("_session_end_us"),
        nw.col("_converted_us").min().over("session_key").alias("_converted_us"),
        nw.col("device_type").min().over("session_key").alias("device_type"),
        nw.when(nw.col("step_no") == 1).then(nw.col("route")).min().over("session_key").alias("entry_route"),
    )
    end_us = nw.coalesce("_next_us", "_session_end_us")
    is_last, never_converted = nw.col("_next_us").is_null(), nw.col("_converted_us").is_null()
    return around.with_columns(
        ((end_us - nw.col("start_us")) / US_PER_S).alias("dwell_s"),
        *(
            ((nw.col(f"_{name}_us") - nw.col("start_us")) / US_PER_S).alias(after)
            for name, after in COUNTED.items()
        ),
        (nw.col("_before_last") == nw.col("route")).fill_null(value=False).alias("is_return"),
        (never_converted | (nw.col("start_us") < nw.col("_converted_us")).fill_null(value=False)).alias("at_risk"),
        (is_last & never_converted).alias("dropped"),
    )  # fmt: skip
