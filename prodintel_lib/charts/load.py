"""Load over time: requests a second with what is to be expected, and what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt, utc_axis, utc_tooltip
from prodintel_lib.charts.shared import Plot, utc
from prodintel_lib.charts.time_axis import line_points, panel_title, width_words, with_breaks, x_in
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.windows import US_PER_S, Window, format_duration, to_datetime

if TYPE_CHECKING:
    from prodintel_lib.analyses.load import LoadProfiles

MAX_STRETCHES: Final = 6
MAX_STRETCH_BARS: Final = 40
SCATTERED: Final = 0.25
"""Where less of the time was recorded, its stretches are shown one by one: on one axis they would be a few dots."""

FORECAST_LEVEL: Final = 80
_MAIN_PX: Final = 190
_OVERVIEW_PX: Final = 42
_PANEL_PX: Final = 84
_MIX_PX: Final = 230
# In the configuration, where the report takes fewer on a phone; on the legend itself it could not.
_LEGEND_COLUMNS: Final = 3


def plot_load_course(profiles: LoadProfiles) -> Plot | Note:
    """Plot requests a second over the window, with the forecast and its interval; named events are shaded.

    A gap in the record is a gap in the line. Dragging over the lower part chooses the stretch shown above. Where little
    of the time was recorded, its longest stretches are shown one by one.
    """
    course = profiles.course
    if course.height < 2:
        return Note(
            f"{profiles.requests:,} requests in {format_duration(profiles.recorded_s)}, "
            f"{four_digits(profiles.mean_rps)} a second: too short a time for a course."
        )
    if is_scattered(profiles):
        return _stretches(profiles)
    brush = alt.selection_interval(name="stretch", encodings=["x"])
    x = alt.X("time:T", scale=alt.Scale(type="utc", domain=brush), axis=utc_axis())
    rows = _course_rows(course)
    above = alt.layer(*_events(profiles), *_forecast(profiles), _line(rows, x, clip=True))
    below = (
        alt.Chart(rows)
        .mark_area(color=PALETTE["accent"], opacity=0.35, tooltip=False)
        .encode(x=x_in(_span(profiles)), y=alt.Y("rps:Q", title=None, axis=alt.Axis(tickCount=1, format="~r")))
        .add_params(brush)
    )
    panels = [above.properties(height=_MAIN_PX), below.properties(height=_OVERVIEW_PX)]
    chart: Plot = alt.vconcat(*panels, spacing=10).properties(
        title=alt.Title(_title(profiles), subtitle=_explained(profiles))
    )
    return chart


def plot_load_mix(profiles: LoadProfiles) -> Plot | Note:
    """Plot the shares of the endpoints asked for most over time; a click on a name in the legend fades the others."""
    mix = profiles.mix_course
    if mix.is_empty():
        return Note("No request names an endpoint.")
    totals = mix.group_by("endpoint", maintain_order=True).agg(pl.col("requests").sum(), pl.col("rank").first())
    names = totals.sort("rank")["endpoint"].to_list()
    scattered = is_scattered(profiles)
    picked = alt.selection_point(name="endpoint", fields=["endpoint"], bind="legend")
    base = alt.Chart(_mix_rows(mix, by_stretch=scattered)).encode(
        y=alt.Y("low:Q", title="share of requests", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        y2="high:Q",
        color=alt.Color("endpoint:N", scale=alt.Scale(domain=names, range=_shades(names))),
        opacity=alt.when(picked).then(alt.value(0.85)).otherwise(alt.value(0.12)),
        tooltip=[
            "endpoint:N",
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("requests:Q", title="n requests", format=","),
            utc_tooltip("time", "from (UTC)"),
            utc_tooltip("until", "to (UTC)"),
        ],
    )
    if scattered:
        beginning = alt.Axis(labelAngle=-35, labelLimit=110, tickCount=MAX_STRETCH_BARS)
        drawn = base.mark_bar(cornerRadiusEnd=0).encode(
            x=alt.X("begins:O", sort=None, title="stretch of the record, by its beginning (UTC)", axis=beginning)
        )
    else:
        drawn = base.mark_rect(stroke=None).encode(
            x=alt.X("time:T", scale=alt.Scale(type="utc"), axis=utc_axis()), x2="until:T"
        )
    per = "stretch of the record" if scattered else width_words(int(mix["width_s"][0]))
    stretches = int(mix["stretch"].n_unique())
    left_out = f"; the last {MAX_STRETCH_BARS} of {stretches} stretches" if stretches > MAX_STRETCH_BARS else ""
    chart: Plot = (
        drawn.add_params(picked)
        .properties(
            title=alt.Title(
                f"What is asked for, shares per {per} (n {int(mix['requests'].sum()):,} requests)",
                subtitle="Click a name in the legend to see it alone" + (left_out if scattered else ""),
            ),
            height=_MIX_PX,
        )
        .configure_legend(columns=_LEGEND_COLUMNS)
    )
    return chart


def is_scattered(profiles: LoadProfiles) -> bool:
    """Return whether little of the time between the first and the last request was recorded."""
    whole = _ends(profiles.course)
    return profiles.recorded_s < SCATTERED * whole.duration_s


def _title(profiles: LoadProfiles) -> str:
    width_s = int(profiles.course["width_s"][0])
    return f"Requests a second, per {width_words(width_s)} (n {profiles.requests:,} requests)"


def _explained(profiles: LoadProfiles) -> str:
    said = ["drag below to choose a stretch of time"]
    if profiles.forecast.height:
        said.append(f"dashed: forecast with its {FORECAST_LEVEL} % interval, {profiles.forecast_says}")
    if profiles.events.height:
        said.append("shaded: named events")
    joined = "; ".join(said)
    return joined[:1].upper() + joined[1:]


def _stretches(profiles: LoadProfiles) -> Plot:
    course = profiles.course
    sizes = course.group_by("stretch").agg(pl.col("recorded_s").sum())
    longest = sizes.sort("recorded_s", "stretch", descending=[True, False])["stretch"].head(MAX_STRETCHES).sort()
    most = float(course["rps"].to_numpy().max())
    panels = [_stretch_panel(course.filter(pl.col("stretch") == number), most) for number in longest.to_list()]
    more = f", {sizes.height - len(panels)} shorter ones not shown" if sizes.height > len(panels) else ""
    chart: Plot = alt.vconcat(*panels, spacing=6).properties(
        title=alt.Title(
            _title(profiles),
            subtitle=f"{format_duration(profiles.recorded_s)} were recorded in {sizes.height} stretches apart{more}; "
            "all with the same scale",
        )
    )
    return chart


def _stretch_panel(rows: pl.DataFrame, most_rps: float) -> alt.LayerChart | alt.FacetChart:
    whole = _ends(rows)
    begins = f"{to_datetime(whole.start_us):%Y-%m-%d %H:%M} UTC"
    words = f"{begins}, {format_duration(whole.duration_s)} (n {int(rows['requests'].sum()):,} requests)"
    domain = alt.Scale(domain=[0, most_rps])
    line = _line(_course_rows(rows), x_in(whole), clip=False, scale=domain)
    return alt.layer(line).properties(title=panel_title(words), height=_PANEL_PX)


def _course_rows(course: pl.DataFrame) -> pl.DataFrame:
    width_s = int(course["width_s"][0])
    rows = course.select(
        pl.col("start_us").alias("bucket_us"), "rps", "requests", "local", (pl.col("recorded_s") / 60).alias("minutes")
    )
    return with_breaks(rows, width_s=width_s).drop("bucket_us")


def _line(rows: pl.DataFrame, x: alt.X, *, clip: bool, scale: alt.Scale | None = None) -> alt.Chart:
    own: dict[str, Any] = {"scale": scale} if scale is not None else {}
    tooltip = [
        utc_tooltip("time"),
        alt.Tooltip("local:N", title="business's clock"),
        alt.Tooltip("rps:Q", title="requests/s", format=",.4~r"),
        alt.Tooltip("requests:Q", title="n requests", format=","),
        alt.Tooltip("minutes:Q", title="minutes recorded", format=",.4~r"),
    ]
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_line(strokeCap="round", strokeWidth=1.5, clip=clip, point=line_points(rows.height))
        .encode(x=x, y=alt.Y("rps:Q", title="requests/s", axis=alt.Axis(tickCount=4), **own), tooltip=tooltip)
    )
    return chart


def _forecast(profiles: LoadProfiles) -> list[alt.Chart]:
    if profiles.forecast.is_empty():
        return []
    step_s = int(profiles.forecast["step_s"][0])
    rows = with_breaks(profiles.forecast, width_s=step_s).select("time", "rps", "low_rps", "high_rps", "method")
    points = profiles.course.height + rows.height
    base = alt.Chart(rows).encode(x="time:T")
    band = base.mark_area(color=PALETTE["accent"], opacity=0.16, tooltip=False, clip=True).encode(
        y="low_rps:Q", y2="high_rps:Q"
    )
    line = base.mark_line(strokeDash=[4, 3], strokeWidth=1.5, clip=True, point=line_points(points)).encode(
        y="rps:Q",
        tooltip=[
            utc_tooltip("time"),
            alt.Tooltip("rps:Q", title="forecast, requests/s", format=",.4~r"),
            alt.Tooltip("low_rps:Q", title=f"{FORECAST_LEVEL} % from", format=",.4~r"),
            alt.Tooltip("high_rps:Q", title="to", format=",.4~r"),
            "method:N",
        ],
    )
    return [band, line]


def _events(profiles: LoadProfiles) -> list[alt.Chart]:
    whole = _ends(profiles.course)
    inside = profiles.events.filter(pl.col("start_us") < whole.end_us, pl.col("end_us") > whole.start_us)
    if inside.is_empty():
        return []
    cut = inside.with_columns(
        pl.col("start_us").clip(whole.start_us).alias("first_us"),
        pl.col("end_us").clip(None, whole.end_us).alias("last_us"),
    )
    rows = cut.select(
        "event", "requests", pl.col("expected", "ratio").round_sig_figs(4), "says",
        utc("start_us").alias("from"), utc("end_us").alias("until"),
        utc("first_us").alias("time"), utc("last_us").alias("ends"),
    )  # fmt: skip
    base = alt.Chart(rows).encode(x="time:T")
    tooltip = [
        "event:N",
        utc_tooltip("from", "from (UTC)"),
        utc_tooltip("until", "to (UTC)"),
        alt.Tooltip("requests:Q", title="n requests", format=","),
        alt.Tooltip("expected:Q", format=",.0f"),
        alt.Tooltip("ratio:Q", title="times the expected", format=".3~r"),
        "says:N",
    ]
    shade = base.mark_rect(color=PALETTE["shade"], opacity=0.16, clip=True).encode(x2="ends:T", tooltip=tooltip)
    words = base.mark_text(align="left", baseline="top", dx=3, dy=3, fontSize=10.5, clip=True).encode(
        y=alt.value(0), text="event:N", tooltip=tooltip
    )
    return [shade, words]


def _mix_rows(mix: pl.DataFrame, *, by_stretch: bool) -> pl.DataFrame:
    """Place the shares of each column of time, or of each stretch of the record, on top of each other."""
    part = ["stretch"] if by_stretch else ["start_us"]
    width_us = int(mix["width_s"][0]) * US_PER_S
    parts = mix.group_by(part).agg(
        pl.col("start_us").min().alias("from_us"),
        pl.col("start_us").max().alias("last_us"),
        pl.col("requests").sum().alias("of"),
    )
    counted = mix.group_by(*part, "rank", "endpoint").agg(pl.col("requests").sum())
    placed = (
        counted.join(parts, on=part)
        .sort("from_us", "rank")
        .with_columns((pl.col("requests") / pl.col("of")).alias("share"))
        .with_columns(pl.col("share").cum_sum().over("from_us").clip(0, 1).alias("high"))
        .with_columns((pl.col("high") - pl.col("share")).clip(0, 1).alias("low"))
    )
    if by_stretch:
        kept = placed["from_us"].unique().sort().tail(MAX_STRETCH_BARS)
        placed = placed.filter(pl.col("from_us").is_in(kept.implode()))
    begins = utc("from_us").dt.strftime("%Y-%m-%d %H:%M").alias("begins")
    columns = [begins] if by_stretch else []
    return placed.select(
        "endpoint", "requests", pl.col("share", "low", "high").round_sig_figs(5), utc("from_us").alias("time"),
        utc("last_us", plus_us=width_us).alias("until"), *columns,
    )  # fmt: skip


def _shades(names: list[str]) -> list[str]:
    """Return a colour a name; what stands for all others is quiet."""
    return [
        PALETTE["soft"] if name.startswith("(") and place == len(names) - 1 else CATEGORIES[place % len(CATEGORIES)]
        for place, name in enumerate(names)
    ]


def _ends(rows: pl.DataFrame) -> Window:
    starts, width_us = rows["start_us"].sort(), int(rows["width_s"][0]) * US_PER_S
    return Window(int(starts[0]), int(starts[-1]) + width_us)


def _span(profiles: LoadProfiles) -> Window:
    """Return what was recorded, and what is foreseen."""
    recorded, foreseen = _ends(profiles.course), profiles.forecast
    if foreseen.is_empty():
        return recorded
    last = foreseen.row(-1, named=True)
    return Window(recorded.start_us, max(recorded.end_us, last["bucket_us"] + last["step_s"] * US_PER_S))
