"""All findings at once: when they were, where, and in which series they showed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.chart_theme import PALETTE, alt, utc_axis, utc_tooltip
from prodintel_lib.charts.scored_points import all_points, nothing_found, short_label
from prodintel_lib.charts.shared import ROW_PX, Plot, utc
from prodintel_lib.charts.time_axis import column_s, recorded_stretch, width_words, x_in
from prodintel_lib.markup import Note, four_digits
from prodintel_lib.windows import US_PER_S, Window, format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings

MAX_FINDINGS: Final = 200
MAX_SERIES: Final = 40
MAX_COLUMNS: Final = 120
MIN_BUCKETS: Final = 40
# Shape says it too: a colour is never the only carrier.
SEVERITIES: Final = {"critical": "triangle-up", "high": "diamond", "medium": "square", "low": "circle"}
SEVERITY_COLOURS: Final = (PALETTE["bad"], PALETTE["warn"], PALETTE["accent"], PALETTE["soft"])
LEVELS: Final = {"less than half": 0.12, "half to all": 0.3, "one to two times": 0.65, "twice and more": 1.0}
UNSCORED: Final = "not scored"
_ROW_PX: Final = 16
# In the configuration, where the report narrows it on a phone; on the axis itself it could not.
_LABEL_PX: Final = 380


def plot_anomaly_timeline(findings: AnomalyFindings) -> Plot | Note:
    """Plot all findings over time, a service a row; below, how many series were abnormal at once.

    Dragging over the lower part chooses the stretch shown above; a click on a finding fades the others.
    """
    if not findings.findings:
        return nothing_found(findings)
    shown = findings.findings[:MAX_FINDINGS]
    rows = _finding_rows(shown)
    services = rows.sort("start_us")["where"].unique(maintain_order=True).to_list()
    brush = alt.selection_interval(name="stretch", encodings=["x"])
    picked = alt.selection_point(name="picked", fields=["id"], on="click")
    more = f", {len(findings.findings) - len(shown)} less severe ones not shown" if shown != findings.findings else ""
    above = _finding_marks(rows, services, findings.window, brush, picked)
    below = _alarm_counts(findings).add_params(brush)
    chart: Plot = (
        alt.vconcat(above, below, spacing=12)
        .properties(
            title=alt.Title(
                f"Findings by service and severity ({len(findings.findings)} in {findings.series_scored:,} series and "
                f"{findings.points_scored:,} points{more})",
                subtitle="A mark where it began, a bar as long as it lasted; drag below to choose a stretch of time",
            )
        )
        .configure_axisY(labelLimit=_LABEL_PX)
    )
    return chart


def plot_series_heat(findings: AnomalyFindings) -> Plot | Note:
    """Plot when the series with the highest scores were abnormal, the highest on top; a thin line is a point unscored.

    A cell is the highest score in it against the threshold; neighbours of one class are drawn as one. Nothing is drawn
    where nothing at all was recorded. Where there are findings, the chart shows the time around them.
    """
    inside = all_points(findings, within=findings.window)
    scored = inside.filter(pl.col("score").is_not_null())
    if scored.is_empty():
        return Note(
            f"No point in {findings.window.label()} could be scored: {findings.series_too_short:,} series had too "
            "little before it."
        )
    ranked = (
        scored.group_by("signal", "key").agg(pl.col("score").max().alias("top"))
        .sort("top", "signal", "key", descending=[True, False, False]).head(MAX_SERIES)
        .with_row_index("rank")
    )  # fmt: skip
    labels = [short_label(*row) for row in ranked.select("signal", "key").iter_rows()]
    drawn = scored.join(ranked, on=["signal", "key"], how="semi")
    stretch = recorded_stretch(drawn["bucket_us"], _around_findings(findings), bucket_s=findings.bucket_s)
    width_s = column_s(findings.bucket_s, stretch, most=MAX_COLUMNS)
    shown = inside.filter(pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left"))
    cells = _runs(_cells(shown, ranked, width_s, findings.threshold), width_s).with_columns(
        pl.col("rank").replace_strict(dict(enumerate(labels)), return_dtype=pl.String).alias("series")
    )
    chart: Plot = (
        _heat(cells, labels)
        .properties(
            title=alt.Title(
                f"Scores against the threshold of {four_digits(findings.threshold)} {findings.score_unit}, per "
                f"{width_words(width_s)}: {len(labels)} of {findings.series_scored:,} series, highest on top",
                subtitle="Thin grey line: recorded, but without a score; blank: nothing was recorded",
            ),
            height=max(ROW_PX, _ROW_PX * len(labels)),
        )
        .configure_axisY(labelLimit=_LABEL_PX)
    )
    return chart


def _around_findings(findings: AnomalyFindings) -> Window:
    """Return the findings' time with a quarter more at each side, at least MIN_BUCKETS, within the window."""
    whole = findings.window
    if not findings.findings:
        return whole
    start_us = min(finding.start_us for finding in findings.findings)
    end_us = max(finding.end_us for finding in findings.findings)
    least_us = MIN_BUCKETS * findings.bucket_s * US_PER_S
    margin_us = max((end_us - start_us) // 4, (least_us - (end_us - start_us)) // 2)
    return Window(max(whole.start_us, start_us - margin_us), min(whole.end_us, end_us + margin_us))


def _finding_rows(findings: tuple[AnomalyFinding, ...]) -> pl.DataFrame:
    """Return a row for each time a finding lasted: the first, and each that it came again."""
    rows = [
        {
            "id": finding.id, "type": finding.type, "what": finding.title, "severity": finding.severity,
            "where": finding.service_name or f"no service named ({finding.grain})", "route": finding.route,
            "origin": finding.origin_service or "not known",
            "start_us": lasted.start_us, "end_us": lasted.end_us, "is_first": place == 0,
            "confidence": finding.confidence, "n": finding.n, "series": finding.series.height,
            "lasted": _lasted(finding),
            "users": str(finding.affected_users) if finding.affected_users else "not known",
        }
        for finding in findings
        for place, lasted in enumerate([Window(finding.start_us, finding.end_us), *finding.recurrences])
    ]  # fmt: skip
    return pl.DataFrame(rows).with_columns(utc("start_us").alias("start"), utc("end_us").alias("end"))


def _lasted(finding: AnomalyFinding) -> str:
    words = format_duration((finding.end_us - finding.start_us) / US_PER_S)
    times = len(finding.recurrences)
    again = f", came again {'once' if times == 1 else f'{times} times'}" if times else ""
    return f"{words}{again}{', goes on' if finding.ongoing else ''}"


def _finding_marks(
    rows: pl.DataFrame, services: list[str], window: Window, brush: alt.Parameter, picked: alt.Parameter
) -> alt.LayerChart | alt.FacetChart:
    names = list(SEVERITIES)
    tooltip: list[Any] = [
        "id:N", "what:N", "type:N", "severity:N", utc_tooltip("start", "from (UTC)"), utc_tooltip("end", "to (UTC)"),
        "lasted:N", "route:N", alt.Tooltip("origin:N", title="began in"),
        alt.Tooltip("confidence:Q", format=".2f"), alt.Tooltip("n:Q", format=","),
        alt.Tooltip("series:Q", title="series"), alt.Tooltip("users:N", title="users affected"),
    ]  # fmt: skip
    faded = alt.when(picked).then(alt.value(1.0)).otherwise(alt.value(0.2))
    base = alt.Chart(rows.drop("start_us", "end_us")).encode(
        x=alt.X("start:T", scale=alt.Scale(type="utc", domain=brush), axis=utc_axis()),
        y=alt.Y("where:N", sort=services, title=None),
        color=alt.Color("severity:N", scale=alt.Scale(domain=names, range=list(SEVERITY_COLOURS))),
        opacity=faded,
        tooltip=tooltip,
    )
    bars = base.mark_bar(height=5, clip=True).encode(x2="end:T")
    firsts = base.transform_filter("datum.is_first").mark_point(filled=True, size=110, clip=True)
    points = firsts.encode(
        shape=alt.Shape("severity:N", scale=alt.Scale(domain=names, range=list(SEVERITIES.values())))
    )
    ends = pl.DataFrame({"start_us": [window.start_us, window.end_us]}).select(utc("start_us").alias("start"))
    # The window's ends hold the axis open where findings fill a part of it only.
    anchor = alt.Chart(ends).mark_rule(opacity=0, tooltip=False, clip=True).encode(x="start:T")
    return alt.layer(anchor, bars, points.add_params(picked)).properties(height=ROW_PX * max(2, len(services)))


def _alarm_counts(findings: AnomalyFindings) -> alt.Chart:
    """Return the number of series abnormal at once, by column of time."""
    width_s = column_s(findings.bucket_s, findings.window, most=MAX_COLUMNS)
    width_us = width_s * US_PER_S
    starts = pl.DataFrame(
        {"at_us": pl.int_range(findings.window.start_us, findings.window.end_us, width_us, eager=True, dtype=pl.Int64)}
    )
    belongs = findings.alarms.filter(pl.col("finding_id") != "").select("key", "signal", "start_us", "last_us")
    counts = (
        starts.join_where(
            belongs, pl.col("start_us") < pl.col("at_us") + width_us, pl.col("last_us") >= pl.col("at_us")
        )
        .group_by("at_us")
        .agg(pl.struct("key", "signal").n_unique().cast(pl.Int64).alias("series"))
        .sort("at_us")
        .select("series", utc("at_us").alias("time"), utc("at_us", plus_us=width_us).alias("until"))
    )
    chart: alt.Chart = (
        alt.Chart(counts)
        .mark_rect(color=PALETTE["accent"], opacity=0.6, stroke=None)
        .encode(
            x=x_in(findings.window),
            x2="until:T",
            y=alt.Y("series:Q", title="abnormal series", axis=alt.Axis(tickCount=2, tickMinStep=1)),
            y2=alt.datum(0),
            tooltip=[utc_tooltip("time"), alt.Tooltip("series:Q", title=f"abnormal series in {width_words(width_s)}")],
        )
        .properties(height=48)
    )
    return chart


def _cells(points: pl.DataFrame, ranked: pl.DataFrame, width_s: int, threshold: float) -> pl.DataFrame:
    """Return a row for each series and column of time in which anything was recorded, with its class of score."""
    width_us = width_s * US_PER_S
    placed = points.with_columns((pl.col("bucket_us") // width_us * width_us).alias("column_us"))
    columns = placed.filter(pl.col("value").is_not_null()).select("column_us").unique()
    own = (
        placed.join(ranked, on=["signal", "key"])
        .group_by("rank", "column_us")
        .agg(pl.col("score").max(), pl.col("score").count().cast(pl.Int64).alias("points"))
    )
    share = pl.col("score") / threshold
    names = list(LEVELS)
    level = (
        pl.when(share.is_null()).then(pl.lit(UNSCORED))
        .when(share < 0.5).then(pl.lit(names[0])).when(share < 1).then(pl.lit(names[1]))
        .when(share < 2).then(pl.lit(names[2])).otherwise(pl.lit(names[3]))
    )  # fmt: skip
    return (
        ranked.select("rank").join(columns, how="cross")
        .join(own, on=["rank", "column_us"], how="left")
        .with_columns(level.alias("level"), pl.col("points").fill_null(0))
        .sort("rank", "column_us")
    )  # fmt: skip


def _runs(cells: pl.DataFrame, width_s: int) -> pl.DataFrame:
    """Join neighbours of one class, so that a quiet month is one mark and not thousands."""
    width_us = width_s * US_PER_S
    breaks = (
        (pl.col("level") != pl.col("level").shift())
        | (pl.col("rank") != pl.col("rank").shift())
        | (pl.col("column_us") - pl.col("column_us").shift() != width_us)
    ).fill_null(value=True)
    return (
        cells.with_columns(breaks.cum_sum().alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("rank", "level").first(), pl.col("column_us").min().alias("start_us"),
            pl.col("column_us").max().alias("last_us"), pl.col("score").max(), pl.col("points").sum(),
        )
        .select(
            "rank", "level", "score", "points", utc("start_us").alias("time"),
            utc("last_us", plus_us=width_us).alias("until"),
        )
    )  # fmt: skip


def _heat(cells: pl.DataFrame, labels: list[str]) -> alt.LayerChart | alt.FacetChart:
    tooltip = [
        "series:N",
        utc_tooltip("time", "from (UTC)"),
        utc_tooltip("until", "to (UTC)"),
        alt.Tooltip("level:N", title="of the threshold"),
        alt.Tooltip("score:Q", title="highest score", format=",.3~r"),
        alt.Tooltip("points:Q", title="points scored", format=","),
    ]
    axes: dict[str, Any] = {
        "x": alt.X("time:T", scale=alt.Scale(type="utc"), axis=utc_axis()),
        "x2": "until:T",
        "y": alt.Y("series:N", sort=labels, title=None),
        "tooltip": tooltip,
    }
    scored, unscored = (cells.filter(condition).drop("rank") for condition in (
        pl.col("level") != UNSCORED, pl.col("level") == UNSCORED
    ))  # fmt: skip
    rects = alt.Chart(scored).mark_rect(color=PALETTE["bad"], stroke=None).encode(
        **axes,
        opacity=alt.Opacity(
            "level:N",
            # Vega-Lite's own choice, a point scale, takes the range's first two values for its ends.
            scale=alt.Scale(type="ordinal", domain=list(LEVELS), range=list(LEVELS.values())),
            legend=alt.Legend(title="score against the threshold", symbolType="square", symbolStrokeWidth=0),
        ),
    )  # fmt: skip
    lines = alt.Chart(unscored).mark_rule(color=PALETTE["soft"], strokeWidth=1).encode(**axes)
    return alt.layer(lines, rects)
