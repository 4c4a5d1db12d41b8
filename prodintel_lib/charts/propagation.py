"""Which signal of which service changed first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.onset import SIGNAL_BUCKET_S
from prodintel_lib.chart_theme import PALETTE, alt, utc_tooltip, utc_x, window_shade
from prodintel_lib.charts.shared import ROW_PX, Plot, utc
from prodintel_lib.markup import Note
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from prodintel_lib.analyses.findings import IncidentFindings

MAX_ROWS: Final = 20
# What others feel, what is written down about it, and what it may come from.
_LOOKS: Final = {"felt by callers": PALETTE["bad"], "logged": PALETTE["warn"], "resource": PALETTE["accent"]}
_GROUPS: Final = {
    "latency": "felt by callers",
    "errors": "felt by callers",
    "log_errors": "logged",
    "log_new": "logged",
}
_NAMES: Final = {"log_errors": "error logs", "log_new": "error logs", "cpu": "CPU"}


def plot_propagation(findings: IncidentFindings) -> Plot | Note:
    """Plot when each service's signals changed for the worse and how long they stayed, the earliest on top.

    It complements plot_spread, which follows failed requests alone: here a pool, a queue or a log can come first.
    """
    window, signals = findings.onset.window, findings.signals
    lasting = signals.worse.filter((pl.col("last_us") >= window.start_us) & (pl.col("onset_us") < window.end_us))
    if lasting.is_empty():
        return Note(
            f"No signal changed for the worse during the incident; {signals.series_tested:,} series could be judged."
        )
    rows = _by_service_and_kind(lasting).head(MAX_ROWS)
    order = rows["what"].to_list()
    span = alt.Chart(rows).encode(y=alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=320)))
    colour = alt.Color("group:N", scale=alt.Scale(domain=list(_LOOKS), range=list(_LOOKS.values())))
    tooltip = [
        "what:N",
        utc_tooltip("onset", "changed (UTC)"),
        utc_tooltip("last", "until (UTC)"),
        alt.Tooltip("signal:N", title="largest"),
        alt.Tooltip("before:Q", format=",.4~g"),
        alt.Tooltip("during:Q", format=",.4~g"),
        alt.Tooltip("before_n:Q", title="n before"),
        alt.Tooltip("during_n:Q", title="n during"),
        alt.Tooltip("signals:Q", title="signals of the kind that changed"),
    ]
    bars = span.mark_bar(height=6, opacity=0.45).encode(x=utc_x("onset"), x2="last:T", color=colour, tooltip=tooltip)
    starts = span.mark_tick(height=16, thickness=3).encode(x=utc_x("onset"), color=colour, tooltip=tooltip)
    shown = int(rows["signals"].sum())
    return alt.layer(window_shade(window.start_us, window.end_us), bars, starts).properties(
        title=f"Signals that changed for the worse, first on top ({shown} of {signals.series_tested:,} series judged); "
        f"which was first within {SIGNAL_BUCKET_S} s cannot be told",
        height=ROW_PX * rows.height,
    )


def _by_service_and_kind(worse: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each service and kind of signal, earliest first; the largest effect stands for the others."""
    kind = pl.col("kind")
    named = worse.with_columns(
        kind.replace_strict(_GROUPS, default="resource").alias("group"),
        kind.replace_strict(_NAMES, default=kind).alias("kind"),
        pl.when(pl.col("service_name") == "").then(pl.lit("no service named")).otherwise("service_name").alias("who"),
    )
    # Requests and logs are counted by the bucket, metrics have times of their own: a bucket is all that orders both.
    bucket = pl.col("onset_us") // (SIGNAL_BUCKET_S * US_PER_S)
    largest = pl.col("effect").abs().arg_max()
    return (
        named.sort("onset_us", "signal")
        .group_by("who", "kind", "group", maintain_order=True)
        .agg(
            pl.col("onset_us").min(),
            pl.col("last_us").max(),
            pl.len().cast(pl.Int64).alias("signals"),
            pl.col("signal", "before", "during", "before_n", "during_n").get(largest),
        )
        .sort(bucket, "who", "kind")
        .select(
            pl.format("{}: {}", "who", "kind").alias("what"), "group", utc("onset_us").alias("onset"),
            utc("last_us").alias("last"), "signals", "signal", "before", "during", "before_n", "during_n",
        )
    )  # fmt: skip
