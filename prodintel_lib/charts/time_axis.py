"""A stretch of time along x: how wide its columns are, where lines break, and what several panels share."""

from __future__ import annotations

import math
import textwrap
from typing import Any, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt, utc_axis, utc_tooltip
from prodintel_lib.charts.shared import utc
from prodintel_lib.windows import US_PER_S, Window

_ROUND_S: Final = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800),
)
ROOMY_POINTS: Final = 150
_DIGITS: Final = 5
_TITLE_CHARS: Final = 62
_ROOM: Final = 1.15
_WIDE: Final = 300
_WIDER: Final = 2.5


def column_s(bucket_s: int, window: Window, *, most: int) -> int:
    """Return the width of columns, whole buckets and a round number of seconds, of which at most `most` cover a window.

    Examples
    --------
    >>> column_s(10, Window(0, 3_600_000_000), most=400), column_s(10, Window(0, 86_400_000_000), most=400)
    (10, 300)
    """
    least_s = bucket_s * max(1, math.ceil(window.duration_s / (most * bucket_s)))
    # A round width may make columns wider, yet not so wide that the course is hidden.
    wide_s = range(least_s, round(_WIDER * least_s) + 1)
    round_s = (width_s for width_s in _ROUND_S if width_s in wide_s and width_s % bucket_s == 0)
    return least_s if least_s == bucket_s else next(round_s, least_s)


def width_words(width_s: int) -> str:
    """Write the width of a column in the largest unit that is whole.

    Examples
    --------
    >>> width_words(10), width_words(90), width_words(300), width_words(7200), width_words(604_800)
    ('10 s', '90 s', '5 min', '2 h', '7 d')
    """
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if width_s % unit == 0:
            return f"{width_s // unit} {name}"
    return f"{width_s} s"


def x_in(window: Window, *, is_last: bool = True) -> alt.X:
    """Encode column ``time`` along x from the window's start to its end; only the last of several panels has words."""
    ends = pl.DataFrame({"at": [window.start_us, window.end_us]}).select(utc("at"))["at"].to_list()
    axis = utc_axis() if is_last else alt.Axis(labels=False, ticks=False, title=None)
    return alt.X("time:T", scale=alt.Scale(type="utc", domain=ends), axis=axis)


def recorded_stretch(times_us: pl.Series, within: Window, *, bucket_s: int) -> Window:
    """Return the part of a window that lies between the first and the last of some buckets; the window if none does."""
    inside = times_us.filter(times_us.is_between(within.start_us, within.end_us, closed="left")).sort()
    return Window(int(inside[0]), int(inside[-1]) + bucket_s * US_PER_S) if inside.len() else within


def shown_stretch(times_us: pl.Series, window: Window, *, step_s: int) -> Window:
    """Return the window and as much before it, as far as anything was recorded there."""
    wide = Window(window.start_us - (window.end_us - window.start_us), window.end_us)
    return recorded_stretch(times_us, wide, bucket_s=step_s)


def with_breaks(rows: pl.DataFrame, *, width_s: int) -> pl.DataFrame:
    """Return one series in order of ``bucket_us``, with ``time``, and an empty row in each gap, where a line breaks.

    Fractions keep five digits: more cannot be seen, and the page holds every one of them.
    """
    width_us = width_s * US_PER_S
    ordered = rows.sort("bucket_us")
    ends = ordered.filter(pl.col("bucket_us").shift(-1) - pl.col("bucket_us") > width_us)
    holes = ends.select(pl.col("bucket_us") + width_us)
    whole = pl.concat([ordered, holes], how="diagonal").sort("bucket_us")
    return whole.with_columns(pl.col(pl.Float64).round_sig_figs(_DIGITS), utc("bucket_us").alias("time"))


def line_points(points: int, color: str | None = None) -> alt.OverlayMarkDef:
    """Return the points of a line: dots where there is room, else invisible, and there for the pointer to find.

    A line drawn with round caps shows a point that stands alone without either.
    """
    own: dict[str, Any] = {"color": color} if color else {}
    own |= {"size": 14} if points <= ROOMY_POINTS else {"size": 50, "opacity": 0}
    return alt.OverlayMarkDef(**own)


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Return scale and axis of a log encoding with few, round ticks and some room at both ends; both above 0."""
    low, high = low / _ROOM, high * _ROOM
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high / low > _WIDE else (1, 2, 5)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
        "axis": alt.Axis(values=[tick for tick in ticks if low <= tick <= high], format=",.4~r"),
    }


def panel_title(words: str) -> alt.Title:
    """Return the small title of one of several panels, in lines short enough for a phone; units stay with figures."""
    held = words.replace(" %", "\N{NO-BREAK SPACE}%").replace("(n ", "(n\N{NO-BREAK SPACE}")
    lines = textwrap.wrap(held, _TITLE_CHARS)
    return alt.Title([line.replace("\N{NO-BREAK SPACE}", " ") for line in lines], fontSize=11)


def moment_rule(at_us: int, words: str) -> alt.Chart:
    """Return the layer that marks a moment with a dotted line; its words are in the tooltip."""
    at = pl.DataFrame({"moment": [words], "at": [at_us]}).select("moment", utc("at").alias("time"))
    rule: alt.Chart = (
        alt.Chart(at)
        .mark_rule(strokeDash=[1, 3], color=PALETTE["soft"], strokeWidth=1.5)
        .encode(x=alt.X("time:T", scale=alt.Scale(type="utc")), tooltip=["moment:N", utc_tooltip("time")])
    )
    return rule


def edges(window: Window, stretch: Window) -> list[alt.Chart]:
    """Return the layers that mark where the window begins and ends, as far as they lie within what is shown."""
    moments = ((window.start_us, "the window begins"), (window.end_us, "the window ends"))
    return [moment_rule(at_us, words) for at_us, words in moments if stretch.start_us < at_us < stretch.end_us]
