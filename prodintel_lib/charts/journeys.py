"""Journeys: how often, how long, who dropped off where, and what raised it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.journeys import DropOffs, Journeys, SessionView

MAX_BARS: Final = 14
MAX_REASONS: Final = 16
RAISES: Final = "raises drop-off"
UNEXPLAINED: Final = "unexplained"
_VERDICT_COLOURS: Final = {
    RAISES: PALETTE["bad"],
    "lowers drop-off": PALETTE["good"],
    "goes with another": PALETTE["warn"],
    "no difference shown": PALETTE["soft"],
}


def plot_journeys(journeys: Journeys) -> Plot | Note:
    """Plot the share of sessions of each journey with its interval, beside the share that converted."""
    rows = journeys.frame.head(MAX_BARS)
    if rows.is_empty():
        return Note(f"None of {journeys.sessions:,} sessions followed a path that enough others followed too.")
    labelled = rows.with_columns(pl.format("{} · {}", "journey_id", "path").alias("journey"))
    y = alt.Y("journey:N", sort=labelled["journey"].to_list(), title=None, axis=alt.Axis(labelLimit=420))
    base = alt.Chart(labelled)
    tooltip = [
        alt.Tooltip("path:N"),
        alt.Tooltip("sessions:Q", format=","),
        alt.Tooltip("share:Q", format=".2%"),
        alt.Tooltip("share_low:Q", title="95 % from", format=".2%"),
        alt.Tooltip("share_high:Q", title="to", format=".2%"),
        alt.Tooltip("duration_median_s:Q", title="median duration, s", format=",.0f"),
        alt.Tooltip("conversion:Q", format=".1%"),
    ]
    bars = base.mark_bar(height=12, opacity=0.75).encode(
        x=alt.X("share:Q", axis=alt.Axis(format="%"), title="share of sessions"), y=y, tooltip=tooltip
    )
    interval = base.mark_rule(color=PALETTE["soft"], strokeWidth=1.5).encode(x="share_low:Q", x2="share_high:Q", y=y)
    chart: Plot = alt.layer(bars, interval).properties(
        title=f"The most frequent journeys, 95 % intervals (n {journeys.sessions:,} sessions)",
        height=ROW_PX * rows.height,
        width=420,
    )
    return chart


def plot_funnel(drop_offs: DropOffs) -> Plot | Note:
    """Plot how many sessions ended on each page, divided into what raised it and what nothing explains."""
    steps = drop_offs.steps.head(MAX_BARS)
    if steps.is_empty():
        return Note("No session ended before it converted.")
    explained = drop_offs.reasons.filter(pl.col("verdict").is_in([RAISES, UNEXPLAINED])).select(
        "route", "reason", "attributable_sessions"
    )
    rows = (
        steps.join(explained, on="route", how="left")
        .with_columns(
            pl.col("reason").fill_null(UNEXPLAINED),
            pl.col("attributable_sessions").fill_null(pl.col("dropped").cast(pl.Float64)),
            pl.format("{} (of {})", "route", "at_risk").alias("page"),
        )
        .filter(pl.col("attributable_sessions") > 0)
    )
    order = rows.sort("dropped", "route", descending=[True, False])["page"].unique(maintain_order=True).to_list()
    reasons = sorted(set(rows["reason"]) - {UNEXPLAINED})
    shades = [*(CATEGORIES[1:] * 2)[: len(reasons)], PALETTE["soft"]]
    chart: Plot = (
        alt.Chart(rows)
        .mark_bar(height=14)
        .encode(
            x=alt.X("attributable_sessions:Q", title="sessions that ended here without converting"),
            y=alt.Y("page:N", sort=order, title=None, axis=alt.Axis(labelLimit=320)),
            color=alt.Color("reason:N", scale=alt.Scale(domain=[*reasons, UNEXPLAINED], range=shades)),
            order=alt.Order("reason:N"),
            tooltip=[
                "route:N",
                "reason:N",
                alt.Tooltip("attributable_sessions:Q", title="sessions", format=",.0f"),
                alt.Tooltip("dropped:Q", title="ended here", format=","),
                alt.Tooltip("at_risk:Q", title="of", format=","),
                alt.Tooltip("drop_rate:Q", title="share", format=".1%"),
            ],
        )
        .properties(
            title=f"Where sessions ended, and how many of them each reason accounts for "
            f"({int(steps['dropped'].sum()):,} of {int(steps['at_risk'].sum()):,} visits to a page)",
            height=ROW_PX * max(1, len(order)),
        )
    )
    return chart


def plot_reasons(drop_offs: DropOffs) -> Plot | Note:
    """Plot how much more often sessions ended where something had gone wrong than matched ones where it had not."""
    compared = drop_offs.reasons.filter(
        pl.col("risk_difference").is_not_null() & pl.col("verdict").is_in(list(_VERDICT_COLOURS))
    )
    if compared.is_empty():
        return Note(f"None of {drop_offs.comparisons:,} comparisons had enough sessions on both sides.")
    strongest = compared.sort(
        (pl.col("verdict") == RAISES).cast(pl.Int8), "attributable_sessions", descending=True, nulls_last=True
    ).head(MAX_REASONS)
    rows = strongest.with_columns(pl.format("{} on {} (n {})", "reason", "route", "exposed").alias("what"))
    y = alt.Y("what:N", sort=rows["what"].to_list(), title=None, axis=alt.Axis(labelLimit=380))
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=list(_VERDICT_COLOURS), range=list(_VERDICT_COLOURS.values()))
    )
    base = alt.Chart(rows)
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(strokeDash=[3, 3]).encode(x="zero:Q")
    interval = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=colour)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X(
            "risk_difference:Q",
            axis=alt.Axis(format="+.0%"),
            title="more sessions ended than matched ones (same device, entry and step), percentage points",
        ),
        y=y,
        color=colour,
        shape=alt.Shape("verdict:N", scale=alt.Scale(domain=list(_VERDICT_COLOURS))),
        tooltip=[
            "route:N",
            "reason:N",
            "verdict:N",
            alt.Tooltip("risk_difference:Q", title="difference", format="+.1%"),
            alt.Tooltip("low:Q", title="95 % from", format="+.1%"),
            alt.Tooltip("high:Q", title="to", format="+.1%"),
            alt.Tooltip("q_value:Q", title="q", format=".2~g"),
            alt.Tooltip("exposed:Q", format=","),
            alt.Tooltip("unexposed:Q", format=","),
        ],
    )
    return alt.layer(zero, interval, dots).properties(
        title=f"What raised drop-off, 95 % intervals ({rows.height} of {drop_offs.comparisons:,} comparisons)",
        height=ROW_PX * rows.height,
        width=420,
    )


def plot_session(session: SessionView | None) -> Plot | Note:
    """Plot one session as a strip: pages as bars, what happened on them as marks."""
    if session is None:
        return Note("No journey is frequent enough for a typical session of it.")
    if session.events.is_empty():
        return Note(f"Session {session.session} has no events.")
    events = session.events.with_columns(
        ((pl.col("time_us") - pl.col("time_us").min()) / 1e6).alias("at_s"),
        pl.coalesce("event_name", "action_type", "error_type", "event_kind").alias("what"),
        pl.coalesce("target_name", "exception_message", "request_path", "route").alias("on"),
    )
    end_s = float(events["at_s"].max() or 0)  # type: ignore[arg-type]
    pages = (
        events.filter(pl.col("event_kind") == "view")
        .with_columns(pl.col("at_s").shift(-1).fill_null(end_s).alias("until_s"))
        .select("at_s", "until_s", "route", pl.lit("page").alias("lane"))
    )
    marks = events.filter(pl.col("event_kind").is_in(["action", "error", "request", "custom"]))
    lanes = ["page", "action", "request", "error", "custom"]
    y = alt.Y("lane:N", sort=lanes, title=None, scale=alt.Scale(domain=lanes))
    x = alt.X("at_s:Q", title="seconds since the session began")
    bars = (
        alt.Chart(pages)
        .mark_bar(height=16, opacity=0.75)
        .encode(
            x=x,
            x2="until_s:Q",
            y=y,
            color=alt.Color("route:N"),
            tooltip=["route:N", alt.Tooltip("at_s:Q", title="from, s", format=",.1f"),
                     alt.Tooltip("until_s:Q", title="to, s", format=",.1f")],
        )
    )  # fmt: skip
    ticks = (
        alt.Chart(marks.select("at_s", "what", "on", "route", pl.col("event_kind").alias("lane")))
        .mark_tick(thickness=2, height=16)
        .encode(
            x=x,
            y=y,
            color=alt.condition("datum.lane === 'error'", alt.value(PALETTE["bad"]), alt.value(PALETTE["soft"])),
            tooltip=["what:N", "on:N", "route:N", alt.Tooltip("at_s:Q", title="at, s", format=",.1f")],
        )
    )
    return alt.layer(bars, ticks).properties(
        title=f"Session {session.session}: {session.events.height:,} events in {end_s:,.0f} s", height=26 * len(lanes)
    )
