"""One finding: what was measured against what was expected, the score that found it, and what else belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt, utc_tooltip, window_shade
from prodintel_lib.charts.scored_points import SIGNALS, nothing_found, series_label, series_points
from prodintel_lib.charts.shared import Plot, utc
from prodintel_lib.charts.time_axis import (
    column_s,
    line_points,
    panel_title,
    recorded_stretch,
    width_words,
    with_breaks,
    x_in,
)
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings

MAX_POINTS: Final = 400
MAX_OTHERS: Final = 6
MAX_MARKS: Final = 8
BAND_POINTS: Final = 20
_BAND: Final = (0.025, 0.975)
_BEFORE_LENGTHS: Final = 4
_BEFORE_BUCKETS: Final = 60
_AFTER_BUCKETS: Final = 20
_LARGE: Final = 10_000
_MAIN_PX: Final = 170
_SCORE_PX: Final = 64
_OTHER_PX: Final = 44
# Their series are shares whatever unit the finding's figures have: a percentile is told, its excess was judged.
_SHARES: Final = frozenset({"error_ratio", "latency", "conversion", "journey_mix"})


def plot_anomaly(findings: AnomalyFindings, finding: AnomalyFinding | None) -> Plot | Note:
    """Plot a finding's main series against what was expected, its score with the threshold, and its other series.

    The band is as wide as 95 % of the differences from the expectation in the points shown before the finding; it is
    drawn where there are at least 20 of them. Changes are dashed lines with their names in tooltips. Without a finding,
    a sentence says what was looked at.
    """
    if finding is None:
        return nothing_found(findings)
    stretch = _stretch(findings, finding)
    main = _course(findings, finding.signal, finding.key, stretch)
    if not main["value"].count():
        return Note(f"No point of {finding.key} is at hand, so there is no course of {finding.id} to show.")
    others = _others(findings, finding, stretch)
    rules = _rules(finding, stretch)
    behind = [*_shades(finding, stretch), *rules]
    width_s = column_s(findings.bucket_s, stretch, most=MAX_POINTS)
    panels = [
        _value_panel(_with_band(main, finding), finding, stretch, width_s, behind),
        _score_panel(main, findings, stretch, behind, is_last=not others),
    ]
    panels += [
        _other_panel(rows, label, form, stretch, behind, is_last=place == len(others) - 1)
        for place, (label, form, rows) in enumerate(others)
    ]
    title = (
        f"{_axis_words(finding)}: {finding.key}, per {width_words(width_s)} "
        f"(n {finding.n:,} in it, {finding.baseline_n:,} before)"
    )
    return alt.vconcat(*panels, spacing=10).properties(
        title=alt.Title(
            title[:1].upper() + title[1:], subtitle=_explained(finding, others=len(others), changes=len(rules))
        )
    )


def _explained(finding: AnomalyFinding, *, others: int, changes: int) -> str:
    left = finding.series.height - 1 - others
    said = [f"Shaded: {finding.id}", "dashed grey: expected, with where 95 % of the points before lay"]
    said += ["dashed upright: a change, point at it for its name"] if changes else []
    said += [f"below: {others} more of its series" + (f", {left} not shown" if left else "")] if others else []
    return "; ".join(said)


def _stretch(findings: AnomalyFindings, finding: AnomalyFinding) -> Window:
    """Return the time to show: the finding, several times its length before, and some after, as far as recorded."""
    length_us, bucket_us = finding.end_us - finding.start_us, findings.bucket_s * US_PER_S
    wide = Window(
        finding.start_us - max(_BEFORE_LENGTHS * length_us, _BEFORE_BUCKETS * bucket_us),
        finding.end_us + max(length_us, _AFTER_BUCKETS * bucket_us),
    )
    points = series_points(findings, signal=finding.signal, key=finding.key, within=wide)
    known = points.filter(pl.col("value").is_not_null())["bucket_us"]
    seen = recorded_stretch(known, wide, bucket_s=findings.bucket_s)
    return Window(min(seen.start_us, finding.start_us), max(seen.end_us, finding.end_us))


def _course(findings: AnomalyFindings, signal: str, key: str, stretch: Window) -> pl.DataFrame:
    """Return a series in columns few enough to draw: the weighted mean of its levels, the highest of its scores."""
    width_s = column_s(findings.bucket_s, stretch, most=MAX_POINTS)
    width_us = width_s * US_PER_S
    weight = pl.col("n").fill_null(1.0)

    def mean(column: str) -> pl.Expr:
        known = pl.when(pl.col(column).is_not_null()).then(weight)
        return ((pl.col(column) * known).sum() / known.sum()).fill_nan(None).alias(column)

    points = series_points(findings, signal=signal, key=key, within=stretch)
    columns = points.group_by((pl.col("bucket_us") // width_us * width_us).alias("bucket_us")).agg(
        mean("value"), mean("expected"), pl.col("score").max(),
        pl.when(pl.col("n").count() > 0).then(pl.col("n").sum()).alias("n"),
    )  # fmt: skip
    return with_breaks(columns, width_s=width_s)


def _with_band(course: pl.DataFrame, finding: AnomalyFinding) -> pl.DataFrame:
    """Add ``low`` and ``high`` around the expectation; null where too few points came before to say."""
    before = course.filter(pl.col("bucket_us") < finding.start_us).select(pl.col("value") - pl.col("expected"))
    apart = before.to_series().drop_nulls()
    below, above = (apart.quantile(q, "linear") if apart.len() >= BAND_POINTS else None for q in _BAND)
    nothing_negative = not course.filter(pl.col("value") < 0).height
    least, most = (0.0 if nothing_negative else None), (1.0 if _is_share(finding) else None)
    return course.with_columns(
        (pl.col("expected") + pl.lit(below, pl.Float64).clip(upper_bound=0.0)).clip(least, most).alias("low"),
        (pl.col("expected") + pl.lit(above, pl.Float64).clip(lower_bound=0.0)).clip(least, most).alias("high"),
    )


def _is_share(finding: AnomalyFinding) -> bool:
    return finding.unit == "share" or finding.signal in _SHARES


def _others(findings: AnomalyFindings, finding: AnomalyFinding, stretch: Window) -> list[tuple[str, str, pl.DataFrame]]:
    """Return the courses of some of its other series: one of each signal and service first, in the finding's order."""
    is_other = (pl.col("key") != finding.key) | (pl.col("signal") != finding.signal)
    turn = pl.int_range(pl.len()).over("signal", "service_name").alias("turn")
    rest = finding.series.with_columns(turn).filter(is_other).sort("turn", maintain_order=True)
    found: list[tuple[str, str, pl.DataFrame]] = []
    for signal, key in rest.select("signal", "key").iter_rows():
        if len(found) == MAX_OTHERS:
            break
        course = _course(findings, signal, key, stretch)
        if course["value"].count():
            found.append((series_label(signal, key), ".2%" if signal in _SHARES else ",.4~r", course))
    return found


def _value_panel(
    course: pl.DataFrame, finding: AnomalyFinding, stretch: Window, width_s: int, behind: list[alt.Chart]
) -> alt.LayerChart | alt.FacetChart:
    form = ".2%" if _is_share(finding) else ",.4~r"
    title = f"requests per {width_words(width_s)}" if finding.signal == "throughput" else _axis_words(finding)
    base = alt.Chart(course.drop("bucket_us")).encode(x=x_in(stretch, is_last=False))
    band = base.mark_area(color=PALETTE["soft"], opacity=0.22, tooltip=False).encode(y="low:Q", y2="high:Q")
    expected = base.mark_line(color=PALETTE["soft"], strokeWidth=1.5, strokeDash=[5, 3], tooltip=False).encode(
        y="expected:Q"
    )
    observed = base.mark_line(strokeCap="round", point=line_points(course.height)).encode(
        y=alt.Y("value:Q", title=title, axis=alt.Axis(format=_ticks(course, form))), tooltip=_tooltip(course, form)
    )
    return alt.layer(*behind, band, expected, observed).properties(height=_MAIN_PX)


def _ticks(course: pl.DataFrame, form: str) -> str:
    """Return the format of an axis: SI prefixes for large values only, since 0.1 is not read well as 100m."""
    if form.endswith("%"):
        return "~%"
    return "~s" if course.filter(pl.col("value").abs() >= _LARGE).height else ",.4~r"


def _axis_words(finding: AnomalyFinding) -> str:
    return SIGNALS["latency"] if finding.signal == "latency" else finding.measure


def _tooltip(course: pl.DataFrame, form: str) -> list[alt.Tooltip]:
    of_n = [alt.Tooltip("n:Q", title="of (n)", format=",.0f")] if course["n"].count() else []
    return [
        utc_tooltip("time"),
        alt.Tooltip("value:Q", title="observed", format=form),
        *of_n,
        alt.Tooltip("expected:Q", format=form),
        alt.Tooltip("score:Q", format=",.3~r"),
    ]


def _score_panel(
    course: pl.DataFrame, findings: AnomalyFindings, stretch: Window, behind: list[alt.Chart], *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    scores = course.select("time", pl.col("score").clip(lower_bound=0.0), "value", "expected", "n")
    area = alt.MarkDef(
        "area", color=PALETTE["bad"], opacity=0.35, line={"color": PALETTE["bad"], "strokeWidth": 1}
    )  # fmt: skip
    drawn = alt.Chart(scores, mark=area).encode(
        x=x_in(stretch, is_last=is_last),
        # By the square root, both the threshold and a score ten times as high can be seen.
        y=alt.Y("score:Q", title="score", scale=alt.Scale(type="sqrt"), axis=alt.Axis(tickCount=3, format="~s")),
        tooltip=_tooltip(scores, ",.4~r"),
    )
    threshold = (
        alt.Chart(pl.DataFrame({"threshold": [findings.threshold]}))
        .mark_rule(strokeDash=[6, 4], color=PALETTE["warn"], strokeWidth=1.5)
        .encode(y="threshold:Q", tooltip=[alt.Tooltip("threshold:Q", format=",.4~r")])
    )
    title = f"Score, {findings.score_unit}; dashed: the threshold, {four_digits(findings.threshold)}"
    return alt.layer(*behind, drawn, threshold).properties(title=panel_title(title), height=_SCORE_PX)


def _other_panel(
    course: pl.DataFrame, label: str, form: str, stretch: Window, behind: list[alt.Chart], *, is_last: bool
) -> alt.LayerChart | alt.FacetChart:
    point = line_points(course.height, PALETTE["accent"])
    line = (
        alt.Chart(course.drop("bucket_us"))
        .mark_line(color=PALETTE["accent"], strokeWidth=1.5, strokeCap="round", point=point)
        .encode(
            x=x_in(stretch, is_last=is_last),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=2, format=_ticks(course, form))),
            tooltip=_tooltip(course, form),
        )
    )
    return alt.layer(*behind, line).properties(title=panel_title(label), height=_OTHER_PX)


def _shades(finding: AnomalyFinding, stretch: Window) -> list[alt.Chart]:
    lasted = [Window(finding.start_us, finding.end_us), *finding.recurrences]
    seen = [window for window in lasted if window.overlaps(stretch)]
    return [window_shade(max(window.start_us, stretch.start_us), min(window.end_us, stretch.end_us)) for window in seen]


def _rules(finding: AnomalyFinding, stretch: Window) -> list[alt.Chart]:
    near = finding.nearby_changes.filter(
        pl.col("time_us").is_between(stretch.start_us, stretch.end_us, closed="left")
    ).head(MAX_MARKS)
    if near.is_empty():
        return []
    rows = near.select("label", "relation", pl.col("minutes_before").round(1), utc("time_us").alias("time"))
    tooltip = [
        alt.Tooltip("label:N", title="change"),
        "relation:N",
        utc_tooltip("time"),
        alt.Tooltip("minutes_before:Q", title="minutes before it"),
    ]
    rules: alt.Chart = (
        alt.Chart(rows)
        .mark_rule(strokeDash=[3, 3], color=PALETTE["soft"], strokeWidth=1.5)
        .encode(x=alt.X("time:T", scale=alt.Scale(type="utc")), tooltip=tooltip)
    )
    return [rules]
