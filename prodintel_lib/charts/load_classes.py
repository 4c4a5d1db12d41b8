"""Classes of behaviour: how many sessions, how long they are, and how long users take between requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour.chain import END, START
from prodintel_lib.analyses.behaviour.model import SEEN_LEVELS
from prodintel_lib.chart_theme import CATEGORIES, PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.charts.time_axis import log_axis, panel_title
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour import BehaviourClass, BehaviourModel, ClassGaps

    Floats = NDArray[np.float64]

NO_SESSIONS: Final = "Requests name no visitor: how users behave is not known."
MAX_CURVES: Final = 6
SHORTEST_S: Final = 0.1
"""Gaps below are drawn there: a log whose clock has whole seconds holds gaps of none, and a log axis has no 0."""

SPREAD: Final = (10, 90)
"""Percentiles of the gaps that a bar reaches from and to."""

_LAW_POINTS: Final = 400
_LEGEND_COLUMNS: Final = 3
# In the configuration, where the report narrows it on a phone; on the axis itself it could not.
_LABEL_PX: Final = 280
_THINK_PX: Final = 230
_CLASS_SCHEMA: Final = {
    "class": pl.String(), "sessions": pl.Int64(), "share": pl.Float64(), "share_low": pl.Float64(),
    "share_high": pl.Float64(), "median_length": pl.Float64(), "length_p95": pl.Float64(), "single": pl.Float64(),
    "median_gap_s": pl.Float64(), "gap_low_s": pl.Float64(), "gap_high_s": pl.Float64(),
}  # fmt: skip
_GAPS: Final = ("median_gap_s", "gap_low_s", "gap_high_s")


def plot_classes(behaviour: BehaviourModel | None) -> Plot | Note:
    """Plot each class's share of the sessions, the requests of a session, and the gaps between them."""
    if behaviour is None:
        return Note(NO_SESSIONS)
    rows = pl.DataFrame([_class_row(one) for one in behaviour.classes], schema=_CLASS_SCHEMA)
    names = rows["class"].to_list()
    base = alt.Chart(rows).encode(
        y=alt.Y("class:N", sort=names, title=None),
        color=alt.Color("class:N", scale=alt.Scale(domain=names, range=class_colours(names)), legend=None),
        tooltip=_class_tooltip(),
    )
    lengths = log_axis(1.0, max(2.0, float(rows["length_p95"].to_numpy().max())))
    panels = [
        _panel("Share of the sessions, with its 95 % interval", rows.height, *_shares(base)),
        _panel(
            "Requests of a session: median to p95",
            rows.height,
            *_dot_and_bar(base, "median_length", ("median_length", "length_p95"), lengths),
        ),
    ]
    gaps = rows.drop_nulls("median_gap_s").with_columns(pl.col(_GAPS).clip(SHORTEST_S).name.prefix("drawn_"))
    if gaps.height:
        ends = gaps.select("drawn_gap_low_s", "drawn_gap_high_s").to_numpy()
        axis = log_axis(float(ends.min()), max(float(ends.max()), 2 * float(ends.min())))
        drawn = base.properties(data=gaps)
        panels.append(
            _panel(
                f"Seconds from request to request: p{SPREAD[0]}, median and p{SPREAD[1]}",
                gaps.height,
                *_dot_and_bar(drawn, "drawn_median_gap_s", ("drawn_gap_low_s", "drawn_gap_high_s"), axis),
            )
        )
    title = f"Classes of behaviour (n {behaviour.sessions:,} sessions, {behaviour.requests:,} requests)"
    chart: Plot = alt.vconcat(*panels, spacing=8).properties(title=title).configure_axisY(labelLimit=_LABEL_PX)
    return chart


def plot_think_times(behaviour: BehaviourModel | None) -> Plot | Note:
    """Plot how long users take from request to request: the gaps seen as dots, the fitted laws as a line, by class.

    A line is the mixture of the laws of all transitions of a class, each by the number of gaps it rests on.
    """
    if behaviour is None:
        return Note(NO_SESSIONS)
    known = [one for one in behaviour.classes if one.seen_gaps_s]
    if not known:
        return Note(f"None of {behaviour.sessions:,} sessions has a second request: there is no gap to show.")
    shown = known[:MAX_CURVES]
    names = [one.name for one in behaviour.classes]
    colours = dict(zip(names, class_colours(names), strict=True))
    more = f", {len(known) - len(shown)} smaller classes not shown" if len(known) > len(shown) else ""
    gaps = sum(count_gaps(one) for one in known)
    rows = pl.concat([_gap_rows(one) for one in shown])
    chart: Plot = (
        _gap_curves(rows, {one.name: colours[one.name] for one in shown})
        .properties(
            title=alt.Title(
                f"Think times: gaps between requests by class (n {gaps:,} gaps{more})",
                subtitle="Dots: seen; lines: the laws that were fitted to them; click a class in the legend to see it "
                f"alone; gaps under {SHORTEST_S:g} s are drawn there",
            ),
            height=_THINK_PX,
        )
        .configure_legend(columns=_LEGEND_COLUMNS)
    )
    return chart


def class_colours(names: list[str]) -> list[str]:
    """Return a colour a class, the same in every chart of them."""
    return [CATEGORIES[place % len(CATEGORIES)] for place in range(len(names))]


def count_gaps(one: BehaviourClass) -> int:
    """Return how many gaps the sessions of a class have: each step after the first has one."""
    inner = one.transitions.filter((pl.col("from_endpoint") != START) & (pl.col("to_endpoint") != END))
    return int(inner["transitions"].sum())


def law_quantiles_s(gaps: ClassGaps, levels: Floats, *, n: int) -> Floats:
    """Return the quantiles of all gaps of a class, as the laws fitted to its transitions have them.

    Parameters
    ----------
    gaps : ClassGaps
    levels : array
    n : int
        Gaps of the class: those that no transition's law rests on count to that of the rest.
    """
    laws = [(law, law.n) for law in gaps.curves.values()]
    left = n - sum(count for _, count in laws)
    if gaps.rest is not None and left > 0:
        laws.append((gaps.rest, left))
    shares = (np.arange(_LAW_POINTS) + 0.5) / _LAW_POINTS
    seconds = np.concatenate([law.described_s(shares) for law, _ in laws])
    weights = np.repeat([float(count) for _, count in laws], _LAW_POINTS)
    order = np.argsort(seconds, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    return np.asarray(seconds[order][np.minimum(np.searchsorted(reached, levels), len(order) - 1)], dtype=np.float64)


def _class_row(one: BehaviourClass) -> dict[str, Any]:
    low, high = (one.seen_gaps_s[level] if one.seen_gaps_s else None for level in SPREAD)
    return {
        "class": one.name,
        "sessions": one.share.hits,
        "share": one.share.share,
        "share_low": one.share.low,
        "share_high": one.share.high,
        "median_length": one.median_length,
        "length_p95": one.length_p95,
        "single": one.single_share,
        "median_gap_s": one.median_gap_s,
        "gap_low_s": low,
        "gap_high_s": high,
    }


def _class_tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("class:N"),
        alt.Tooltip("sessions:Q", title="n sessions", format=","),
        alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("share_low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("share_high:Q", title="to", format=".1%"),
        alt.Tooltip("median_length:Q", title="requests, median", format=",.3~r"),
        alt.Tooltip("length_p95:Q", title="requests, p95", format=",.3~r"),
        alt.Tooltip("single:Q", title="of one request", format=".1%"),
        alt.Tooltip("median_gap_s:Q", title="gap, median, s", format=",.3~r"),
        alt.Tooltip("gap_low_s:Q", title=f"gap, p{SPREAD[0]}, s", format=",.3~r"),
        alt.Tooltip("gap_high_s:Q", title=f"gap, p{SPREAD[1]}, s", format=",.3~r"),
    ]


def _panel(title: str, rows: int, *layers: alt.Chart) -> alt.LayerChart | alt.FacetChart:
    return alt.layer(*layers).properties(title=panel_title(title), height=ROW_PX * rows)


def _shares(base: alt.Chart) -> tuple[alt.Chart, alt.Chart]:
    axis = alt.Axis(format="~%", tickCount=5)
    bars = base.mark_bar(height=12, opacity=0.6).encode(
        x=alt.X("share:Q", title=None, axis=axis, scale=alt.Scale(domainMin=0))
    )
    soft = alt.value(PALETTE["soft"])
    return bars, base.mark_rule(strokeWidth=1.5).encode(x="share_low:Q", x2="share_high:Q", color=soft)


def _dot_and_bar(base: alt.Chart, at: str, ends: tuple[str, str], axis: dict[str, Any]) -> tuple[alt.Chart, alt.Chart]:
    bar = base.mark_rule(strokeWidth=3, opacity=0.5).encode(
        x=alt.X(f"{ends[0]}:Q", title=None, **axis), x2=f"{ends[1]}:Q"
    )
    return bar, base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X(f"{at}:Q", title=None, **axis))


def _gap_rows(one: BehaviourClass) -> pl.DataFrame:
    levels, n = np.array(SEEN_LEVELS)[1:-1:2], count_gaps(one)
    courses = {
        "seen": np.array(one.seen_gaps_s)[1:-1:2],
        "fitted": law_quantiles_s(one.gaps, levels, n=n),
    }
    drawn = {what: np.maximum(seconds, SHORTEST_S) for what, seconds in courses.items()}
    return pl.concat(
        pl.DataFrame(
            {"class": one.name, "what": what, "level": levels, "seconds": pl.Series(seconds).round_sig_figs(4), "n": n}
        )
        for what, seconds in drawn.items()
    )


def _gap_curves(rows: pl.DataFrame, colours: dict[str, str]) -> alt.LayerChart | alt.FacetChart:
    least_s, most_s = (float(end) for end in np.quantile(rows["seconds"].to_numpy(), [0, 1]))
    picked = alt.selection_point(name="class_picked", fields=["class"], bind="legend")
    base = alt.Chart(rows).encode(
        x=alt.X(
            "seconds:Q", title="seconds between requests, start to start", **log_axis(least_s, max(most_s, 2 * least_s))
        ),
        y=alt.Y("level:Q", title="share of the gaps", axis=alt.Axis(format="~%"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("class:N", scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
        opacity=alt.when(picked).then(alt.value(0.9)).otherwise(alt.value(0.08)),
        tooltip=[
            alt.Tooltip("class:N"),
            alt.Tooltip("what:N"),
            alt.Tooltip("seconds:Q", format=",.3~r"),
            alt.Tooltip("level:Q", title="of the gaps up to that", format=".0%"),
            alt.Tooltip("n:Q", title="n gaps", format=","),
        ],
    )
    seen = base.transform_filter("datum.what === 'seen'").mark_point(filled=True, size=22)
    law = base.transform_filter("datum.what === 'fitted'").mark_line(strokeWidth=1.5).encode(order="level:Q")
    return alt.layer(law, seen.add_params(picked))
