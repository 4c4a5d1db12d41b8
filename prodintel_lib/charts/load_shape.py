"""The shape of load: by weekday and hour, by hour of the day, and inside the minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.charts.time_axis import log_axis
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.load import LoadProfiles

DAY_HOURS: Final = 24
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MIN_SLOTS: Final = 24
"""Of fewer hours of the week there is no pattern to see."""

EVERYTHING: Final = "all endpoints"
VERDICTS: Final = {"bursty": "triangle-up", "at random": "circle", "even": "square", "too few to say": "diamond"}
VERDICT_COLOURS: Final = (PALETTE["warn"], PALETTE["accent"], PALETTE["good"], PALETTE["soft"])
_CLOCK: Final = "(datum.value < 10 ? '0' : '') + datum.value + ':00'"
# In the configuration, where the report narrows it on a phone; on the axis itself it could not.
_LABEL_PX: Final = 280


def plot_load_week(profiles: LoadProfiles) -> Plot | Note:
    """Plot requests a second by weekday and hour of the business's clock; the quietest stretches are outlined."""
    slots = profiles.profile.filter(pl.col("cycle") == "hour of week")
    if slots.height < MIN_SLOTS:
        return Note(
            f"{slots.height} of {7 * DAY_HOURS} hours of the week were recorded by half: too few to set days of the "
            "week against each other."
        )
    rows = slots.select(
        pl.col("label").alias("when"), "rps", "low_rps", "high_rps", "least_rps", "most_rps", "n",
        pl.col("slot").mod(DAY_HOURS).alias("hour"), _weekday(pl.col("slot")),
    ).with_columns((pl.col("hour") + 1).alias("until"), pl.col(pl.Float64).round_sig_figs(4))  # fmt: skip
    days = alt.Y(
        "weekday:N", sort=list(WEEKDAYS), scale=alt.Scale(domain=list(WEEKDAYS), paddingInner=0.06), title=None
    )
    cells = (
        alt.Chart(rows)
        .mark_rect(color=PALETTE["accent"], stroke=None)
        .encode(
            x=_hours_x(profiles),
            x2="until:Q",
            y=days,
            opacity=alt.Opacity(
                "rps:Q",
                scale=alt.Scale(domain=[0, float(rows["rps"].to_numpy().max())], range=[0.04, 1], nice=False),
                legend=alt.Legend(title="requests/s", symbolType="square", symbolStrokeWidth=0, format=",.3~r"),
            ),
            tooltip=_rate_tooltip("hours seen"),
        )
    )
    outlines, words = _quiet_outlines(profiles, days)
    chart: Plot = alt.layer(cells, *outlines).properties(
        title=alt.Title(
            f"Requests a second by weekday and hour, {profiles.time_zone} (n {int(slots['n'].sum()):,} hours)",
            subtitle=words,
        ),
        height=ROW_PX * len(WEEKDAYS),
    )
    return chart


def plot_load_day(profiles: LoadProfiles) -> Plot | Note:
    """Plot requests a second by hour of the day: the mean with its interval, the least and the most seen."""
    slots = profiles.profile.filter(pl.col("cycle") == "hour of day")
    if slots.is_empty():
        return Note("No hour of the day was recorded by half: how traffic goes through the day is not known.")
    rows = slots.select(
        pl.col("label").alias("when"), "rps", "low_rps", "high_rps", "least_rps", "most_rps", "n",
        pl.col("slot").alias("hour"), (pl.col("slot") + 1).alias("until"), (pl.col("slot") + 0.5).alias("middle"),
    ).with_columns(pl.col("rps", "low_rps", "high_rps", "least_rps", "most_rps").round_sig_figs(4))  # fmt: skip
    base = alt.Chart(rows)
    x, tooltip = _hours_x(profiles), _rate_tooltip("hours seen")
    y = alt.Y("rps:Q", title="requests/s", axis=alt.Axis(tickCount=4))
    bars = base.mark_rect(color=PALETTE["accent"], opacity=0.45, stroke=None, cornerRadius=0).encode(
        x=x, x2="until:Q", y=y, y2=alt.datum(0), tooltip=tooltip
    )
    seen = base.mark_rule(color=PALETTE["soft"], strokeWidth=1, tooltip=False).encode(
        x="middle:Q", y="least_rps:Q", y2="most_rps:Q"
    )
    interval = base.mark_rule(color=PALETTE["accent"], strokeWidth=5, tooltip=False).encode(
        x="middle:Q", y="low_rps:Q", y2="high_rps:Q"
    )
    days = profiles.days.height
    basis = sorted(set(profiles.profile["interval_from"]) - {""})
    sure = "its 95 % interval" + (" (of these days alone)" if "minutes" in basis else "")
    chart: Plot = alt.layer(*_quiet_shades(profiles), bars, seen, interval, *_peak_marks(profiles, rows)).properties(
        title=alt.Title(
            f"Requests a second by hour of the day, {profiles.time_zone} "
            f"(n {int(slots['n'].sum()):,} hours of {days:,} {'day' if days == 1 else 'days'})",
            subtitle=f"Bar: mean; thick line: {sure}; thin line: least to most seen; triangles: hours that may be the "
            "busiest (up) and the quietest (down)" + _quiet_words(profiles),
        ),
        height=190,
    )
    return chart


def plot_burstiness(profiles: LoadProfiles) -> Plot | Note:
    """Plot the fullest second over the mean one, by endpoint, beside what arrivals at random would have."""
    known = profiles.burstiness.filter(pl.col("peak_over_mean").is_not_null(), pl.col("random_peak_over_mean") > 0)
    if known.is_empty():
        return Note(f"Too few of {profiles.requests:,} requests came in whole buckets to say how evenly they came.")
    named = pl.when(pl.col("endpoint") == "").then(pl.lit(EVERYTHING)).otherwise("endpoint").alias("endpoint")
    rows = known.select(
        named, "requests", "buckets", "verdict",
        pl.col("fano", "fano_low", "fano_high", "peak_over_mean", "random_peak_over_mean").round_sig_figs(4),
    )  # fmt: skip
    title = f"Bursts inside {profiles.bucket_s} s, by endpoint (n {int(rows['requests'].to_list()[0]):,} requests)"
    chart: Plot = (
        alt.layer(*_burst_marks(rows, profiles.bucket_s))
        .properties(
            title=alt.Title(
                title, subtitle="Mark: what was seen; grey tick: what as many requests at random would have"
            ),
            height=ROW_PX * rows.height,
        )
        .configure_axisY(labelLimit=_LABEL_PX)
    )
    return chart


def _burst_marks(rows: pl.DataFrame, bucket_s: int) -> list[alt.Chart]:
    both = rows.select("peak_over_mean", "random_peak_over_mean").to_numpy()
    axis = log_axis(min(1.0, float(both.min())), max(2.0, float(both.max())))
    x = alt.X("peak_over_mean:Q", title="fullest second / mean second", **axis)
    verdicts = list(VERDICTS)
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=verdicts, range=list(VERDICT_COLOURS)))
    base = alt.Chart(rows).encode(
        y=alt.Y("endpoint:N", sort=rows["endpoint"].to_list(), title=None),
        tooltip=[
            alt.Tooltip("endpoint:N"),
            alt.Tooltip("verdict:N"),
            alt.Tooltip("peak_over_mean:Q", title="fullest / mean", format=",.3~r"),
            alt.Tooltip("random_peak_over_mean:Q", title="at random", format=",.3~r"),
            alt.Tooltip("fano:Q", title="dispersion", format=",.4~r"),
            alt.Tooltip("fano_low:Q", title="95 % from", format=",.4~r"),
            alt.Tooltip("fano_high:Q", title="to", format=",.4~r"),
            alt.Tooltip("requests:Q", title="n requests", format=","),
            alt.Tooltip("buckets:Q", title=f"in buckets of {bucket_s} s", format=","),
        ],
    )
    between = base.mark_rule(strokeWidth=2, opacity=0.7).encode(x=x, x2="random_peak_over_mean:Q", color=colour)
    chance = base.mark_tick(color=PALETTE["soft"], thickness=2, height=16).encode(x="random_peak_over_mean:Q")
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=verdicts, range=list(VERDICTS.values())))
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=colour, shape=shape)
    return [between, chance, dots]


def _weekday(slot: pl.Expr) -> pl.Expr:
    names = dict(enumerate(WEEKDAYS))
    return (slot // DAY_HOURS).replace_strict(names, return_dtype=pl.String).alias("weekday")


def _hours_x(profiles: LoadProfiles) -> alt.X:
    return alt.X(
        "hour:Q",
        scale=alt.Scale(domain=[0, DAY_HOURS], nice=False),
        axis=alt.Axis(title=f"hour of the day, {profiles.time_zone}", values=list(range(0, 25, 3)), labelExpr=_CLOCK),
    )


def _rate_tooltip(counted: str) -> list[Any]:
    return [
        "when:N",
        alt.Tooltip("rps:Q", title="requests/s", format=",.4~r"),
        alt.Tooltip("low_rps:Q", title="95 % from", format=",.4~r"),
        alt.Tooltip("high_rps:Q", title="to", format=",.4~r"),
        alt.Tooltip("least_rps:Q", title="least seen", format=",.4~r"),
        alt.Tooltip("most_rps:Q", title="most seen", format=",.4~r"),
        alt.Tooltip("n:Q", title=f"n {counted}", format=","),
    ]


def _quiet_spans(profiles: LoadProfiles) -> pl.DataFrame:
    """Return the quiet stretches of the greatest length, cut at midnight: ``slot, hour, until`` and what is said."""
    if profiles.quiet.is_empty():
        return pl.DataFrame(schema={"day": pl.Int64, "hour": pl.Int64, "until": pl.Int64})
    longest = profiles.quiet.filter(pl.col("length_h") == pl.col("length_h").max())
    spans = []
    for row in longest.iter_rows(named=True):
        day, hour = divmod(row["slot"], DAY_HOURS)
        end = hour + row["length_h"]
        said = {
            "quiet": f"{row['length_h']} h from {row['label']}", "rank": row["rank"], "expected": row["expected"],
            "low": row["low"], "high": row["high"], "n": row["n"],
        }  # fmt: skip
        spans.append({"day": day, "hour": hour, "until": min(end, DAY_HOURS), **said})
        if end > DAY_HOURS:
            spans.append({"day": (day + 1) % 7, "hour": 0, "until": end - DAY_HOURS, **said})
    return pl.DataFrame(spans).with_columns(pl.col("expected", "low", "high").cast(pl.Float64).round_sig_figs(4))


def _quiet_tooltip() -> list[Any]:
    return [
        alt.Tooltip("quiet:N", title="quiet"),
        "rank:Q",
        alt.Tooltip("expected:Q", title="requests it would hit", format=",.0f"),
        alt.Tooltip("low:Q", title="likely from", format=",.0f"),
        alt.Tooltip("high:Q", title="to", format=",.0f"),
        alt.Tooltip("n:Q", title="times seen", format=","),
    ]


def _quiet_outlines(profiles: LoadProfiles, days: alt.Y) -> tuple[list[alt.Chart], str]:
    if profiles.quiet_cycle != "week":
        return [], "Blank: not recorded by half"
    spans = _quiet_spans(profiles).with_columns(_weekday(pl.col("day") * DAY_HOURS))
    outlines: alt.Chart = (
        alt.Chart(spans)
        .mark_rect(fillOpacity=0, stroke=PALETTE["good"], strokeWidth=2, strokeDash=[4, 2])
        .encode(x="hour:Q", x2="until:Q", y=days, tooltip=_quiet_tooltip())
    )
    length = int(profiles.quiet["length_h"].to_numpy().max())
    return [outlines], f"Dashed outlines: the quietest {length} h of the week; blank: not recorded by half"


def _quiet_shades(profiles: LoadProfiles) -> list[alt.Chart]:
    if profiles.quiet_cycle != "day":
        return []
    shades: alt.Chart = (
        alt.Chart(_quiet_spans(profiles))
        .mark_rect(color=PALETTE["good"], opacity=0.14)
        .encode(x="hour:Q", x2="until:Q", tooltip=_quiet_tooltip())
    )
    return [shades]


def _quiet_words(profiles: LoadProfiles) -> str:
    return "; shaded: the quietest stretches" if profiles.quiet_cycle == "day" else ""


def _peak_marks(profiles: LoadProfiles, rows: pl.DataFrame) -> list[alt.Chart]:
    if profiles.peaks.is_empty():
        return []
    placed = profiles.peaks.select("kind", "hour", "chance", "days").join(
        rows.select("hour", "middle", "rps", pl.max_horizontal("most_rps", "high_rps").alias("top_rps")),
        on="hour",
        maintain_order="left",
    )
    marks: alt.Chart = (
        alt.Chart(placed)
        .mark_point(filled=True, size=60, opacity=1, yOffset=-9)
        .encode(
            x="middle:Q",
            y="top_rps:Q",
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=["peak", "low"], range=["triangle-up", "triangle-down"]),
                legend=None,
            ),
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=["peak", "low"], range=[PALETTE["bad"], PALETTE["good"]]), legend=None
            ),
            tooltip=[
                alt.Tooltip("kind:N", title="may be the"),
                alt.Tooltip("hour:Q"),
                alt.Tooltip("chance:Q", title="first in resamples", format=".0%"),
                alt.Tooltip("days:Q", title="n days", format=","),
                alt.Tooltip("rps:Q", title="requests/s", format=",.4~r"),
            ],
        )
    )
    return [marks]
