"""Sessions and their steps from events in order: as rum_sessions.py and rum_steps.py make them, on Polars alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.rollups.rum_expressions import target
from prodintel_lib.rollups.rum_sessions import OF_SESSION, SESSIONS_SCHEMA
from prodintel_lib.rollups.rum_sorted import CLIENT
from prodintel_lib.rollups.rum_steps import COUNTED, RAGE_CLICKS, RAGE_WITHIN_US, STEPS_SCHEMA, VITALS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.rollups.rum_sorted import SortedEvents

NUMBERED_STEPS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_no": pl.Int64(),
    **{name: dtype for name, dtype in STEPS_SCHEMA.items() if name != "session_key"},
}
_MINUTE_US: Final = 60 * US_PER_S
_DAY_HOURS: Final = 24
_OF_STEP: Final = ("session_no", "step_no")
_TARGET: Final = ("target_role", "target_name", "target_test_id", "target_selector")
_SUMMED: Final = {
    "views": "is_view", "steps": "begins_step", "actions": "is_action", "errors": "errors",
    "converted": "is_conversion",
}  # fmt: skip


def sum_sessions(events: SortedEvents, *, conversions: Sequence[str]) -> pl.DataFrame:
    """Sum up each session in a row; as rum_sessions.build_sessions, in order of ``session_no``, which comes first."""
    rows = events.rows
    first, last = rows.filter("is_first"), rows.filter(rows["is_first"].shift(-1, fill_value=True))
    starts = rows["is_first"].arg_true().to_numpy()
    sums = {name: _sum_between(rows[column], starts) for name, column in _SUMMED.items()}
    summed = first.select("session_no", pl.col("time_us").alias("start_us")).with_columns(
        last["time_us"].alias("end_us"),
        **sums,
    )
    named = summed.hstack(events.look_up(first, "visitor_id", "session_id", "user_bucket")).hstack(
        _clients(events, first)
    )
    return _with_facts(named.with_columns(_ends(rows, first)), has_conversions=bool(conversions))


def _sum_between(flags: pl.Series, starts: NDArray[np.int64]) -> pl.Series:
    if not len(starts):
        return pl.Series(dtype=pl.Int64)
    return pl.Series(np.add.reduceat(flags.to_numpy(), starts, dtype=np.int64))


def _clients(events: SortedEvents, first: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of each session's client: the least value where one changed within it.

    Notes
    -----
    Whether one changed is told by 64-bit hashes of all of it.
    """
    known = events.look_up(first, *CLIENT)
    marks = events.recorded.select(pl.struct(CLIENT).hash()).to_series().gather(events.rows["row"])
    changes = events.rows.filter((marks != marks.shift(1)) & ~events.rows["is_first"])["session_no"].unique()
    if changes.is_empty():
        return known
    rows = events.rows.filter(pl.col("session_no").is_in(changes.implode()))
    least = (
        events.look_up(rows, *CLIENT)
        .with_columns(rows["session_no"])
        .group_by("session_no")
        .agg(pl.col(OF_SESSION).min(), pl.col("user_is_new").max())
    )
    others = known.with_columns(first["session_no"]).filter(~pl.col("session_no").is_in(changes.implode()))
    return pl.concat([others.select(least.columns), least]).sort("session_no").select(CLIENT)


def _ends(rows: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the routes of each session's first and last page view; null where it has none."""
    steps = rows.filter("begins_step").select("session_no", pl.col("route").cast(pl.String))
    shown = steps.group_by("session_no", maintain_order=True).agg(
        pl.col("route").first().alias("entry_route"), pl.col("route").last().alias("exit_route")
    )
    return sessions.join(shown, on="session_no", how="left", maintain_order="left").select("entry_route", "exit_route")


def _with_facts(sessions: pl.DataFrame, *, has_conversions: bool) -> pl.DataFrame:
    """Add what follows from the rest."""
    number, source = pl.col("session_no"), pl.col("session_id").fill_null("")
    is_new = (pl.col("visitor_id") != pl.col("visitor_id").shift(1)) | (source != source.shift(1))
    piece = number - pl.when(is_new.fill_null(value=True)).then(number).forward_fill() + 1
    minutes = pl.col("start_us") // _MINUTE_US + pl.col("utc_offset_min")
    converted = pl.col("converted") > 0 if has_conversions else pl.lit(None, dtype=pl.Boolean)
    return sessions.with_columns(
        pl.concat_str("visitor_id", source, piece, separator="|").alias("session_key"),
        ((pl.col("end_us") - pl.col("start_us")) / US_PER_S).alias("duration_s"),
        converted.alias("converted"),
        ((minutes // 60) % _DAY_HOURS).alias("start_hour_local"),
    ).select("session_no", *SESSIONS_SCHEMA)


def sum_steps(events: SortedEvents, sessions: pl.DataFrame) -> pl.DataFrame:
    """List the steps; as rum_steps.build_steps, in order, with ``session_no`` for the session's key.

    Parameters
    ----------
    events : SortedEvents
    sessions : polars.DataFrame
        As sum_sessions returns them.
    """
    begun = events.rows.filter("begins_step").select(
        *_OF_STEP, pl.col("route").cast(pl.String).fill_null(""), pl.col("time_us").alias("start_us")
    )
    session_no = begun["session_no"]
    whole = begun.hstack(_measures(events, sessions, begun.height)).with_columns(
        sessions["end_us"].gather(session_no).alias("_session_end_us"),
        sessions["device_type"].gather(session_no),
        sessions["entry_route"].gather(session_no).fill_null(""),
        time_converted(events).gather(session_no).alias("_converted_us"),
    )
    return _with_order(whole).select(pl.col(name).cast(dtype) for name, dtype in NUMBERED_STEPS_SCHEMA.items())


def time_converted(events: SortedEvents) -> pl.Series:
    """Return when each session first converted, in microseconds; null where it never did."""
    converted = events.rows.filter("is_conversion").group_by("session_no").agg(pl.col("time_us").min())
    return _spread(converted, "session_no", int(events.rows["is_first"].sum()))["time_us"]


def _measures(events: SortedEvents, sessions: pl.DataFrame, steps: int) -> pl.DataFrame:
    """Return what was measured and counted in each step."""
    before = sessions["steps"].cum_sum() - sessions["steps"]
    # Steps lie one behind the other: which of them an event is in needs no search.
    in_steps = events.rows.filter(pl.col("step_no") > 0)
    rows = in_steps.with_columns((before.gather(in_steps["session_no"]) + in_steps["step_no"] - 1).alias("_step"))
    views, reports = rows.filter("is_view"), rows.filter("has_vitals")
    loaded = views.select("_step").hstack(events.look_up(views, "duration_ms"))
    vitals = reports.select("_step").hstack(events.look_up(reports, *VITALS))
    found = [
        loaded.group_by("_step").agg(pl.col("duration_ms").max().alias("load_ms")),
        vitals.group_by("_step").agg(pl.col(VITALS).max()),
        *(
            rows.filter(name).group_by("_step").agg(
                pl.len().cast(pl.Int64).alias(name), pl.col("time_us").min().alias(f"_{name}_us")
            )
            for name in ("errors", "validation_errors", "failed_requests")
        ),
        _rage_clicks(events, rows.filter("is_click")),
    ]  # fmt: skip
    spread = pl.concat([_spread(each, "_step", steps) for each in found], how="horizontal")
    return spread.with_columns(pl.col(*COUNTED).fill_null(0))


def _spread(found: pl.DataFrame, by: str, height: int) -> pl.DataFrame:
    """Return so many rows, with what was found in those that `by` numbers, and nulls in the others."""
    places = np.full(height, -1, dtype=np.int64)
    places[found[by].to_numpy()] = np.arange(found.height)
    place = pl.Series(places)
    return found.drop(by).select(pl.all().gather(place.set(place < 0, None)))


def _rage_clicks(events: SortedEvents, clicks: pl.DataFrame) -> pl.DataFrame:
    """Count the bursts of clicks in each step: the third within a second begins one, those after it belong to it."""
    is_third = (pl.col("time_us") - pl.col("time_us").shift(RAGE_CLICKS - 1) <= RAGE_WITHIN_US) & (
        pl.col("session_no") == pl.col("session_no").shift(RAGE_CLICKS - 1)
    )
    is_near = pl.any_horizontal(is_third.shift(-place).fill_null(value=False) for place in range(RAGE_CLICKS))
    # What was clicked is looked up only where clicks came fast enough, whatever they went to.
    fast = clicks.filter(is_near)
    names: pl.DataFrame = nw.from_native(events.look_up(fast, *_TARGET)).select(target().alias("_target")).to_native()
    of_target = ("_step", "_target")
    ordered = fast.select("_step", "time_us").hstack(names).drop_nulls("_target").sort(*of_target, "time_us")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(RAGE_CLICKS - 1) for name in of_target)
    span_us = pl.col("time_us") - pl.col("time_us").shift(RAGE_CLICKS - 1)
    burst = ordered.with_columns((same & (span_us <= RAGE_WITHIN_US)).fill_null(value=False).alias("_burst"))
    same_above = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in of_target)
    goes_on = (pl.col("_burst").shift(1) & same_above).fill_null(value=False)
    begun = burst.filter(pl.col("_burst") & ~goes_on)
    return begun.group_by("_step").agg(
        pl.len().cast(pl.Int64).alias("rage_clicks"), pl.col("time_us").min().alias("_rage_clicks_us")
    )


def _with_order(steps: pl.DataFrame) -> pl.DataFrame:
    """Add what a step is among those of its session."""
    number = pl.col("session_no")
    is_last = (number != number.shift(-1)).fill_null(value=True)
    start_us, converted_us = pl.col("start_us"), pl.col("_converted_us")
    around = steps.with_columns(
        is_last.alias("_is_last"),
        pl.when(~is_last).then(pl.col("route").shift(-1)).alias("next_route"),
        pl.when(is_last).then("_session_end_us").otherwise(start_us.shift(-1)).alias("_end_us"),
        ((number == number.shift(2)) & (pl.col("route") == pl.col("route").shift(2)))
        .fill_null(value=False)
        .alias("is_return"),
    )
    return around.with_columns(
        ((pl.col("_end_us") - start_us) / US_PER_S).alias("dwell_s"),
        *(((pl.col(f"_{name}_us") - start_us) / US_PER_S).alias(after) for name, after in COUNTED.items()),
        (converted_us.is_null() | (start_us < converted_us)).alias("at_risk"),
        (pl.col("_is_last") & converted_us.is_null()).alias("dropped"),
    )
