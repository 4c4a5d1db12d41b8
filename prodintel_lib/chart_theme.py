"""The look of charts: an Altair theme, a renderer for Lab and the report, and the marks every chart shares.

A notebook's charts module calls `enable` once. Colours are those of `prodintel_lib.palette`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.lean_imports import skip_slow_imports

skip_slow_imports()

import altair as alt  # noqa: E402 (altair loads jsonschema; see lean_imports)

from prodintel_lib.palette import CATEGORIES, GRID, INK, PALETTE  # noqa: E402
from prodintel_lib.windows import to_datetime  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CATEGORIES",
    "PALETTE",
    "alt",
    "enable",
    "mark_lines",
    "theme",
    "utc_axis",
    "utc_tooltip",
    "utc_x",
    "window_shade",
    "zoom_x",
]

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
VEGALITE_V5: Final = "application/vnd.vegalite.v5+json"
_SCHEMA_V5: Final = "https://vega.github.io/schema/vega-lite/v5.20.1.json"
# Vega's own time labels are of the twelve-hour clock, without saying which half.
_TIME_FORMAT: Final = {
    "year": "%Y",
    "month": "%b %Y",
    "week": "%d %b",
    "date": "%d %b",
    "day": "%d %b",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S.%L",
}
_LABEL_ROWS: Final = 4
_LABEL_ROW_PX: Final = 13


def enable() -> None:
    """Make Altair use this theme, and a renderer that JupyterLab and the report both understand.

    JupyterLab 4.6 knows Vega-Lite's MIME types up to v5, and Altair 6 writes v6 inside HTML with a script from outside.
    The charts made here mean the same in both versions.
    """
    alt.theme.enable("prodintel")
    alt.renderers.register("prodintel", _render)
    alt.renderers.enable("prodintel")


@alt.theme.register("prodintel", enable=False)
def theme() -> alt.theme.ThemeConfig:
    """Return the theme: system font, a quiet grid, and room for the data."""
    axis = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": 500,
        "domainColor": PALETTE["soft"],
        "tickColor": PALETTE["soft"],
        "gridColor": GRID,
        "labelPadding": 4,
        "titlePadding": 8,
    }
    config: Any = {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None, "continuousWidth": 640, "continuousHeight": 200, "discreteWidth": 640},
        "title": {
            "anchor": "start",
            "color": INK,
            "fontSize": 13,
            "fontWeight": 600,
            "offset": 10,
            "subtitleColor": INK,
        },
        "axis": axis,
        "axisX": {"grid": False, "tickCount": {"expr": "ceil(width / 100)"}, "labelSeparation": 8},
        "axisY": {"domain": False, "ticks": False, "tickCount": 5},
        "legend": {
            "orient": "bottom",
            "direction": "horizontal",
            "title": None,
            "labelColor": INK,
            "labelFontSize": 11,
            "labelLimit": 260,
            "titleColor": INK,
            "titleFontSize": 11,
            "titleFontWeight": 500,
            "symbolStrokeWidth": 2,
        },
        "concat": {"spacing": 28},
        "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 11},
        "mark": {"color": PALETTE["accent"], "tooltip": True},
        "line": {"strokeWidth": 2, "strokeJoin": "round"},
        "bar": {"cornerRadiusEnd": 2},
        "rule": {"color": PALETTE["soft"]},
        "text": {"color": INK, "fontSize": 11},
        "range": {"category": list(CATEGORIES)},
    }
    return {"config": config}


def utc_axis(title: str = "") -> alt.Axis:
    """Return the axis of a time; it says UTC. The scale must be UTC too: see `utc_x`."""
    return alt.Axis(title=f"{title} (UTC)" if title else "UTC", format=_TIME_FORMAT)


def utc_x(field: str, title: str = "") -> alt.X:
    """Encode a UTC datetime along x, shown in UTC wherever the reader is."""
    return alt.X(field, type="temporal", scale=alt.Scale(type="utc"), axis=utc_axis(title))


def utc_tooltip(field: str, title: str = "UTC") -> alt.Tooltip:
    """Show a UTC datetime in a tooltip, to the second and in UTC."""
    return alt.Tooltip(field, type="temporal", timeUnit="utcyearmonthdatehoursminutesseconds", title=title)


def window_shade(start_us: int, end_us: int) -> alt.Chart:
    """Return the layer that shades a window ``[start_us, end_us)``; put it first in a layered chart."""
    values = [{"start": _iso(start_us), "end": _iso(end_us)}]
    shade: alt.Chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_rect(color=PALETTE["shade"], opacity=0.16, tooltip=False)
        .encode(x=alt.X("start:T", scale=alt.Scale(type="utc")), x2="end:T")
    )
    return shade


def mark_lines(events: Sequence[tuple[int, str]]) -> alt.LayerChart:
    """Return the layer that marks moments with a dashed line and a word above the plot.

    Parameters
    ----------
    events : sequence of (time_us, label)
        Labels take turns on up to four rows, so that neighbours do not run into each other.
    """
    rows = min(_LABEL_ROWS, max(1, len(events)))
    values = [
        {"time": _iso(time_us), "event": label, "row_px": -6 - _LABEL_ROW_PX * (rows - 1 - index % rows)}
        for index, (time_us, label) in enumerate(sorted(events))
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(x=alt.X("time:T", scale=alt.Scale(type="utc")))
    row_px = alt.Y("row_px:Q", scale=None, axis=None)
    tooltip = [alt.Tooltip("event:N"), utc_tooltip("time")]
    # A layer that can be zoomed clips all others, unless they say otherwise; the words stand outside the plot.
    lines = base.mark_rule(strokeDash=[3, 3], color=PALETTE["soft"], clip=False).encode(
        y=row_px, y2=alt.value("height"), tooltip=tooltip
    )
    words = base.mark_text(
        align="left", baseline="middle", dx=4, fontSize=10.5, color=PALETTE["soft"], clip=False
    ).encode(y=row_px, text="event:N", tooltip=tooltip)
    return alt.LayerChart(layer=[lines, words])


def zoom_x() -> alt.Parameter:
    """Return the parameter that lets a reader move along x by dragging and zoom by the wheel with Shift held.

    Altair's own ``interactive()`` takes the bare wheel, on which the page could then not be scrolled past the chart.
    Add it to the one layer that holds the data: ``.add_params(zoom_x())``. A double click goes back.
    """
    return alt.selection_interval(name="zoom", bind="scales", encodings=["x"], zoom="wheel![event.shiftKey]")


def _iso(time_us: int) -> str:
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")


def _render(spec: dict[str, Any], **_: object) -> dict[str, Any]:
    title = spec.get("title")
    words = title.get("text") if isinstance(title, dict) else title
    said = " ".join(words) if isinstance(words, list) else words or spec.get("description") or "untitled"
    return {VEGALITE_V5: {**spec, "$schema": _SCHEMA_V5}, "text/plain": f"Chart: {said}"}
