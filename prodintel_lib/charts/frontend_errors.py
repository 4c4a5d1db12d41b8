"""When and where front-end errors are met, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors import ANY_DEFECT, ANYWHERE
from prodintel_lib.analyses.frontend_errors.hours import DAY_HOURS
from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.shared import ROW_PX, Plot
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.frontend_errors import FrontEndErrors

MAX_REGIONS: Final = 12
MAX_PATTERNS: Final = 14
MIN_CELL: Final = 30
UNKNOWN_HOUR: Final = -1
UNKNOWN: Final = "unknown"
CLASS_COLOURS: Final = {"bug": PALETTE["bad"], "unclear": PALETTE["warn"], "user mistake": PALETTE["soft"]}
_LABEL_CHARS: Final = 60
_ENOUGH: Final = f"{MIN_CELL} sessions and more"
_FEW: Final = f"fewer than {MIN_CELL} sessions"


def plot_error_hours(errors: FrontEndErrors, *, pattern_id: str = ANY_DEFECT) -> Plot | Note:
    """Plot the share of sessions that met an error by local hour and region.

    Parameters
    ----------
    errors : FrontEndErrors
    pattern_id : str
        A pattern; by default any error that is not form validation.
    """
    name = errors.named(pattern_id)
    every = errors.hours.filter(pl.col("pattern_id") == pattern_id)
    known = every.filter(pl.col("hour_local") != UNKNOWN_HOUR)
    hits, unknown = int(known["hits"].sum()), int(every["hits"].sum()) - int(known["hits"].sum())
    if not hits:
        why = f"; the local time of {unknown:,} sessions with it is not known" if unknown else ""
        return Note(f"No session met {name} at a known local hour ({int(known['sessions'].sum()):,} were there){why}.")
    by_region = known.group_by("region").agg(pl.col("sessions").sum())
    shown = by_region.sort("sessions", "region", descending=[True, False]).head(MAX_REGIONS)["region"].to_list()
    cells = known.filter(pl.col("region").is_in(shown)).with_columns(
        pl.when(pl.col("region") == "").then(pl.lit(UNKNOWN)).otherwise(pl.col("region")).alias("region"),
        (pl.col("hits") / pl.col("sessions")).alias("share"),
        pl.when(pl.col("sessions") < MIN_CELL).then(pl.lit(_FEW)).otherwise(pl.lit(_ENOUGH)).alias("cell"),
    )
    said = f"{hits:,} of {int(known['sessions'].sum()):,}; {unknown:,} more at an unknown hour"
    chart: Plot = _heat(cells.drop("pattern_id"), [name or UNKNOWN for name in shown]).properties(
        title=f"Sessions that met {name[: 2 * _LABEL_CHARS]}, by local hour and region ({said})",
        height=ROW_PX * len(shown),
    )
    return chart


def _heat(cells: pl.DataFrame, regions: list[str]) -> alt.Chart:
    top = float(cells.filter(pl.col("cell") == _ENOUGH)["share"].max() or cells["share"].max() or 1)  # type: ignore[arg-type]
    heat: alt.Chart = (
        alt.Chart(cells)
        .mark_rect(stroke=None)
        .encode(
            x=alt.X(
                "hour_local:O",
                title="hour of the day, local time",
                scale=alt.Scale(domain=list(range(DAY_HOURS))),
                axis=alt.Axis(labelAngle=0),
            ),
            y=alt.Y("region:N", sort=regions, title=None),
            color=alt.Color(
                "cell:N", scale=alt.Scale(domain=[_ENOUGH, _FEW], range=[PALETTE["bad"], PALETTE["soft"]]), title=None
            ),
            opacity=alt.Opacity(
                "share:Q",
                scale=alt.Scale(domain=[0, top], range=[0.04, 1], clamp=True),
                legend=alt.Legend(format=".1%", title="sessions that met it"),
            ),
            tooltip=[
                "region:N",
                alt.Tooltip("hour_local:O", title="local hour"),
                alt.Tooltip("hits:Q", title="sessions that met it", format=","),
                alt.Tooltip("sessions:Q", title="of sessions", format=","),
                alt.Tooltip("share:Q", format=".2%"),
                alt.Tooltip("errors:Q", title="errors", format=","),
            ],
        )
    )
    return heat


def plot_error_impact(errors: FrontEndErrors) -> Plot | Note:
    """Plot the difference in conversion between matched sessions with and without each pattern, with its interval."""
    ranked = errors.patterns.filter(~pl.col("is_rare") & pl.col("difference").is_not_null()).head(MAX_PATTERNS)
    if ranked.is_empty():
        reason = "no conversion is named" if not errors.has_conversions else "too few sessions met any of them"
        return Note(f"The effect of {errors.patterns.height:,} error patterns on conversion is not known: {reason}.")
    labels = [f"{errors.named(key)[:_LABEL_CHARS]} ({key[-4:]})" for key in ranked["pattern_id"]]
    page = pl.when(pl.col("page") == ANYWHERE).then(pl.lit("all over the site")).otherwise(pl.col("page"))
    rows = ranked.with_columns(pl.Series("what", labels), page.alias("page"))
    base = alt.Chart(rows).encode(y=alt.Y("what:N", sort=labels, title=None, axis=alt.Axis(labelLimit=380)))
    tooltip = [
        "what:N",
        "page:N",
        "class:N",
        alt.Tooltip("converted_with:Q", title="converted with it", format=".1%"),
        alt.Tooltip("matched_with:Q", title="n with it", format=","),
        alt.Tooltip("converted_without:Q", title="without", format=".1%"),
        alt.Tooltip("matched_without:Q", title="n without", format=","),
        alt.Tooltip("difference:Q", format="+.1%"),
        alt.Tooltip("difference_low:Q", title="95 % from", format="+.1%"),
        alt.Tooltip("difference_high:Q", title="to", format="+.1%"),
    ]
    colour = alt.Color("class:N", scale=alt.Scale(domain=list(CLASS_COLOURS), range=list(CLASS_COLOURS.values())))
    x_title = "conversion of matched sessions with it less without, percentage points"
    interval = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("difference_low:Q", axis=alt.Axis(format="+.0%"), title=x_title),
        x2="difference_high:Q",
        color=colour,
        tooltip=tooltip,
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x="difference:Q", color=colour, tooltip=tooltip)
    zero = (
        alt.Chart(pl.DataFrame({"none": [0.0]})).mark_rule(strokeDash=[3, 3], color=PALETTE["soft"]).encode(x="none:Q")
    )
    return alt.layer(zero, interval, dots).properties(
        title=f"What error patterns cost, 95 % intervals ({rows.height} of {errors.patterns.height:,} patterns)",
        height=ROW_PX * rows.height,
    )
