"""The same sessions and steps as rum_sessions.py makes, on Polars and in one sort: what one machine does fastest.

Once the rows of a visitor stand together in order of time, every question of what came before is a look at the row
above. The portable version asks it with windows over partitions, at several times the cost. Parity is tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import (
    is_conversion,
    is_defect,
    is_failed_request,
    is_validation,
    is_view,
    target,
)
from prodintel_lib.rollups.rum_sessions import OF_SESSION
from prodintel_lib.rollups.rum_steps import COUNTED, RAGE_CLICKS, RAGE_WITHIN_US, STEPS_SCHEMA, VITALS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERED_STEPS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_no": pl.Int64(),
    **{name: dtype for name, dtype in STEPS_SCHEMA.items() if name != "session_key"},
}
_MINUTE_US: Final = 60 * US_PER_S
_OF_VISITOR: Final = ("_visitor", "_session")
_IN_ORDER: Final = (*_OF_VISITOR, "time_us", "is_not_view")
# Only the order of two views at one moment changes a result; this is what orders them in the portable version.
_TIES: Final = ("view_id", "event_name", "url_path", "route")
_OF_STEP: Final = ("session_no", "step_no")


def sort_sessions(
    events: pl.LazyFrame, *, gap_min: float, routes: pl.DataFrame, conversions: Sequence[str] = ()
) -> pl.DataFrame:
    """Put the events of people in order, and say of each which session and step it belongs to.

    Parameters
    ----------
    events : polars.LazyFrame
        The canonical table ``rum_events``; whole visitors.
    gap_min, conversions
        As for rum_sessions.build_session_events and build_sessions.
    routes : polars.DataFrame
        ``url_path, route``.

    Returns
    -------
    polars.DataFrame
        What sum_sessions and sum_steps need, with ``session_no`` (0, 1, ... in the order of the rows) and ``step_no``.
    """
    rows = _in_order(_narrowed(events, routes, conversions).collect())
    is_new_visitor = _differs("_visitor") | _differs("_session")
    waited_us = pl.col("time_us") - pl.col("time_us").shift(1)
    is_new = is_new_visitor | (waited_us >= round(gap_min * _MINUTE_US)).fill_null(value=True)
    marked = rows.with_columns(is_new.alias("_is_new"), is_new_visitor.alias("_is_new_visitor"))
    session_no = pl.col("_is_new").cum_sum().cast(pl.Int64) - 1
    numbered = marked.with_columns(session_no.alias("session_no"))
    first = pl.when("_is_new_visitor").then("session_no").forward_fill()
    return _with_steps(numbered.with_columns((pl.col("session_no") - first + 1).alias("_piece")))


def _narrowed(events: pl.LazyFrame, routes: pl.DataFrame, conversions: Sequence[str]) -> pl.LazyFrame:
    """Keep what is needed, as narrow as it goes: flags for words, codes for ids."""
    view = pl.col("event_kind") == "view"
    paths = events.filter(pl.col("user_agent_synthetic_type").is_null()).with_columns(
        pl.when(view).then("url_path").alias("_view_path")
    )
    learned = routes.lazy().select(pl.col("url_path").alias("_view_path"), pl.col("route").alias("_learned"))
    routed = paths.join(learned, on="_view_path", how="left").with_columns(
        pl.when(view).then(pl.coalesce("http_route", "_learned", "url_path")).alias("route")
    )
    click = (nw.col("event_kind") == nw.lit("action")) & (nw.col("action_type") == nw.lit("click"))
    flags = {
        "is_not_view": ~is_view(),
        "errors": is_defect(),
        "validation_errors": is_validation(),
        "failed_requests": is_failed_request(),
        "is_conversion": is_conversion(conversions),
        "is_action": nw.col("event_kind") == nw.lit("action"),
        "_target": nw.when(click).then(target()),
    }
    flagged: pl.LazyFrame = (
        nw.from_native(routed).with_columns(**{name: flag.alias(name) for name, flag in flags.items()}).to_native()
    )
    kept = ("time_us", "visitor_id", "session_id", "user_bucket", "user_is_new", "view_id", "route", *flags)
    return flagged.select(
        *kept,
        *(pl.when(view).then(name).alias(name) for name in ("event_name", "url_path", "duration_ms")),
        *VITALS,
        *OF_SESSION,
        pl.col("visitor_id").cast(pl.Categorical).to_physical().alias("_visitor"),
        pl.col("session_id").fill_null("").cast(pl.Categorical).to_physical().alias("_session"),
    ).with_columns(pl.col("_target").cast(pl.Categorical).to_physical())


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    # What no source fills in need not be carried through the sort: of a browser's many columns that is half.
    empty = [name for name in (*VITALS, *OF_SESSION) if rows[name].null_count() == rows.height]
    ordered = rows.drop(empty).sort(_IN_ORDER)
    is_tie = ~pl.col("is_not_view") & ~pl.any_horizontal(_differs(name) for name in _IN_ORDER)
    if ordered.select(is_tie.any()).item():
        ordered = ordered.sort(*_IN_ORDER, *_TIES)
    nothing = (pl.lit(None, dtype=rows.schema[name]).alias(name) for name in empty)
    return ordered.drop("event_name", "url_path").with_columns(nothing)


def _differs(column: str) -> pl.Expr:
    """Whether a row's value is another than that of the row above; the first row's is."""
    return (pl.col(column) != pl.col(column).shift(1)).fill_null(value=True)


def _with_steps(rows: pl.DataFrame) -> pl.DataFrame:
    view = ~pl.col("is_not_view")
    latest = pl.when(view).then(pl.col("route").fill_null("")).forward_fill()
    shown = rows.with_columns(
        latest.shift(1).alias("_before"),
        pl.when(view).then("session_no").forward_fill().shift(1).alias("_before_session"),
    )
    in_session = (pl.col("_before_session") == pl.col("session_no")).fill_null(value=False)
    changed = view & (~in_session | (pl.col("_before") != pl.col("route").fill_null("")).fill_null(value=True))
    counted = shown.with_columns(changed.cum_sum().cast(pl.Int64).alias("_changes"), changed.alias("_changed"))
    base = pl.when("_is_new").then(pl.col("_changes") - pl.col("_changed").cast(pl.Int64)).forward_fill()
    by_time = counted.with_columns((pl.col("_changes") - base).alias("step_no"))
    return _with_late_events(by_time).drop("_before", "_before_session", "_changes", "_changed")


def _with_late_events(rows: pl.DataFrame) -> pl.DataFrame:
    """Give events that name an earlier view the step of that view: vitals are known only when a page is left."""
    view = ~pl.col("is_not_view")
    # A view without an id is a view all the same: its id is then the empty text, and no event names that.
    shown = pl.when(view).then(pl.col("view_id").fill_null("")).forward_fill()
    is_elsewhere = (shown != pl.col("view_id")) | (pl.col("step_no") == 0)
    late = (
        rows.with_row_index("_row")
        .filter(~view & pl.col("view_id").is_not_null() & is_elsewhere.fill_null(value=True))
        .select("_row", "session_no", "view_id")
    )
    if late.is_empty():
        return rows
    views = rows.filter(view, pl.col("view_id").is_not_null()).join(
        late.select("session_no", "view_id").unique(), on=["session_no", "view_id"], how="semi"
    )
    steps = views.group_by("session_no", "view_id").agg(pl.col("step_no").min().alias("_by_id"))
    moved = late.join(steps, on=["session_no", "view_id"], how="inner")
    numbers = rows["step_no"].to_numpy().copy()
    numbers[moved["_row"].to_numpy()] = moved["_by_id"].to_numpy()
    return rows.with_columns(pl.Series("step_no", numbers, dtype=pl.Int64))


def sum_sessions(rows: pl.DataFrame, *, conversions: Sequence[str]) -> pl.DataFrame:
    """Sum up each session in a row; as rum_sessions.build_sessions, in order of ``session_no``, which comes first."""
    view, step = ~pl.col("is_not_view"), pl.col("step_no")
    summed = rows.group_by("session_no", maintain_order=True).agg(
        pl.col("visitor_id", "session_id", "user_bucket", "_piece").first(),
        pl.col("time_us").first().alias("start_us"),
        pl.col("time_us").last().alias("end_us"),
        view.sum().cast(pl.Int64).alias("views"),
        step.max().alias("steps"),
        pl.col("is_action").sum().cast(pl.Int64).alias("actions"),
        pl.col("errors").sum().cast(pl.Int64),
        pl.col("route").filter(view).first().alias("entry_route"),
        pl.col("route").filter(view).last().alias("exit_route"),
        pl.col("is_conversion").any().alias("converted"),
        pl.col("user_is_new").max(),
        *(pl.col(name).min() for name in OF_SESSION),
    )
    key = pl.concat_str("visitor_id", pl.col("session_id").fill_null(""), pl.col("_piece"), separator="|")
    minutes = pl.col("start_us") // _MINUTE_US + pl.col("utc_offset_min")
    return summed.with_columns(
        key.alias("session_key"),
        ((pl.col("end_us") - pl.col("start_us")) / US_PER_S).alias("duration_s"),
        (pl.col("converted") if conversions else pl.lit(None, dtype=pl.Boolean)).alias("converted"),
        ((minutes // 60) % 24).alias("start_hour_local"),
    ).drop("_piece")


def sum_steps(rows: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """List the steps; as rum_steps.build_steps, in order, with ``session_no`` for the session's key.

    Parameters
    ----------
    rows : polars.DataFrame
        As sort_sessions returns them.
    sessions : polars.DataFrame
        As sum_sessions returns them.
    """
    view, time_us = ~pl.col("is_not_view"), pl.col("time_us")
    counted = ("errors", "validation_errors", "failed_requests")
    steps = rows.group_by(*_OF_STEP).agg(
        pl.col("route").filter(view).min().fill_null(pl.when(view.any()).then(pl.lit(""))),
        time_us.filter(view).min().alias("start_us"),
        pl.col("duration_ms").max().alias("load_ms"),
        pl.col(*VITALS).max(),
        pl.col(*counted).sum().cast(pl.Int64),
        *(time_us.filter(pl.col(name)).min().alias(f"_{name}_us") for name in counted),
        time_us.filter(pl.col("is_conversion")).min().alias("_converted_us"),
    )
    bursts = _rage_clicks(rows.filter(pl.col("_target").is_not_null()))
    ordered = steps.join(bursts, on=_OF_STEP, how="left").sort(_OF_STEP)
    return _with_order(ordered, sessions).filter(pl.col("step_no") > 0).select(
        pl.col(name).cast(dtype) for name, dtype in NUMBERED_STEPS_SCHEMA.items()
    )  # fmt: skip


def _rage_clicks(clicks: pl.DataFrame) -> pl.DataFrame:
    ordered = clicks.select(*_OF_STEP, "_target", "time_us").sort(*_OF_STEP, "_target", "time_us")
    same = pl.all_horizontal(
        pl.col(name) == pl.col(name).shift(RAGE_CLICKS - 1) for name in (*_OF_STEP, "_target")
    )  # fmt: skip
    span_us = pl.col("time_us") - pl.col("time_us").shift(RAGE_CLICKS - 1)
    burst = ordered.with_columns((same & (span_us <= RAGE_WITHIN_US)).fill_null(value=False).alias("_burst"))
    same_above = ~pl.any_horizontal(_differs(name) for name in (*_OF_STEP, "_target"))
    begun = burst.filter(pl.col("_burst") & ~(pl.col("_burst").shift(1).fill_null(value=False) & same_above))
    return begun.group_by(*_OF_STEP).agg(
        pl.len().cast(pl.Int64).alias("rage_clicks"), pl.col("time_us").min().alias("_rage_clicks_us")
    )


def _with_order(steps: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Add what a step is among those of its session."""
    session = steps["session_no"]
    of_session = {
        "_session_end_us": sessions["end_us"].gather(session),
        "device_type": sessions["device_type"].gather(session),
        "entry_route": sessions["entry_route"].fill_null("").gather(session),
    }
    number = pl.col("session_no")
    is_last = (number != number.shift(-1)).fill_null(value=True)
    around = steps.with_columns(**of_session).with_columns(
        pl.when(~is_last).then(pl.col("route").shift(-1)).alias("next_route"),
        pl.when(~is_last).then(pl.col("start_us").shift(-1)).alias("_next_us"),
        ((number == number.shift(2)) & (pl.col("route") == pl.col("route").shift(2)))
        .fill_null(value=False)
        .alias("is_return"),
        pl.col("_converted_us").min().over("session_no"),
    )
    start_us = pl.col("start_us")
    end_us = pl.coalesce("_next_us", "_session_end_us")
    never = pl.col("_converted_us").is_null()
    return around.with_columns(
        ((end_us - start_us) / US_PER_S).alias("dwell_s"),
        *(((pl.col(f"_{name}_us") - start_us) / US_PER_S).alias(after) for name, after in COUNTED.items()),
        (never | (start_us < pl.col("_converted_us"))).alias("at_risk"),
        (is_last & never).alias("dropped"),
        pl.col("rage_clicks").fill_null(0),
    )
