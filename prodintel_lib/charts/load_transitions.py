"""What users do next: for each class of behaviour, what follows what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.behaviour.chain import END, START
from prodintel_lib.chart_theme import PALETTE, alt
from prodintel_lib.charts.load_classes import NO_SESSIONS
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.behaviour import BehaviourClass, BehaviourModel
    from prodintel_lib.charts.shared import Plot

MAX_ENDPOINTS: Final = 12
MIN_WORD_SHARE: Final = 0.015
"""A smaller share has no figure in its cell."""

OTHERS: Final = "all others"
BEGINS: Final = "begins"
ENDS: Final = "\N{MULTIPLICATION SIGN}"
# In the configuration, where the report narrows it on a phone; on the axis itself it could not.
_LABEL_PX: Final = 280
_CELL_PX: Final = 25


def plot_class_transitions(behaviour: BehaviourModel | None) -> Plot | Note:
    """Plot what follows what, in percent of what follows the row's endpoint, for a class chosen below.

    The endpoints asked for most have a row and a column each, by number; the rest are put together. ``begins`` is the
    first request of a session.
    """
    if behaviour is None:
        return Note(NO_SESSIONS)
    named, numbers, labels = _named(behaviour)
    cells = pl.concat([_cells(one, named, labels, numbers) for one in behaviour.classes])
    classes = [one.name for one in behaviour.classes]
    several = len(classes) > 1
    choice = alt.binding_select(options=classes, name="Class: ") if several else alt.Undefined
    chosen = alt.param(name="class_shown", value=classes[0], bind=choice)
    counted = f"{behaviour.sessions:,} sessions, {len(classes)} {'classes' if several else 'class'}"
    chart: Plot = (
        _matrix(cells, rows=[BEGINS, *labels], columns=[*numbers, ENDS])
        .add_params(chosen)
        .properties(
            title=alt.Title(
                f"What follows what, in % of what follows the row's endpoint (n {counted})",
                subtitle=f"Columns are the rows' numbers, {ENDS}: the session ends; one step back only: the model may "
                "remember more" + ("; choose the class below" if several else ""),
            ),
            height=_CELL_PX * (1 + len(labels)),
        )
        .configure_axisY(labelLimit=_LABEL_PX)
    )
    return chart


def _named(behaviour: BehaviourModel) -> tuple[list[str], list[str], list[str]]:
    """Return the endpoints that are shown, the most asked for first; numbers and labels, with those of the rest."""
    steps = pl.concat([one.transitions for one in behaviour.classes]).filter(pl.col("to_endpoint") != END)
    asked = steps.group_by(pl.col("to_endpoint").alias("endpoint")).agg(pl.col("transitions").sum())
    ranked = asked.sort(["transitions", "endpoint"], descending=[True, False])["endpoint"]
    named = ranked.head(MAX_ENDPOINTS if len(ranked) > MAX_ENDPOINTS + 1 else len(ranked)).to_list()
    numbers = [str(number) for number in range(1, len(named) + 1)]
    labels = [f"{number} · {name}" for number, name in zip(numbers, named, strict=True)]
    rest = len(ranked) - len(named)
    return (named, [*numbers, "…"], [*labels, f"… · {OTHERS} ({rest})"]) if rest else (named, numbers, labels)


def _cells(one: BehaviourClass, named: list[str], labels: list[str], numbers: list[str]) -> pl.DataFrame:
    label = {START: BEGINS, **dict(zip(named, labels, strict=False))}
    number = {END: ENDS, **dict(zip(named, numbers, strict=False))}
    name = {START: BEGINS, END: "the session ends", **dict(zip(named, named, strict=True))}
    share = pl.col("transitions") / pl.col("transitions").sum().over("from")
    return (
        one.transitions.with_columns(
            pl.col("from_endpoint").replace_strict(label, default=labels[-1]).alias("from"),
            pl.col("to_endpoint").replace_strict(number, default=numbers[-1]).alias("to"),
            pl.col("from_endpoint").replace_strict(name, default=OTHERS).alias("from_name"),
            pl.col("to_endpoint").replace_strict(name, default=OTHERS).alias("to_name"),
        )
        .group_by("from", "to", "from_name", "to_name")
        .agg(pl.col("transitions").sum())
        .with_columns(
            pl.lit(one.name).alias("class"),
            pl.col("transitions").sum().over("from").alias("of"),
            share.round_sig_figs(4).alias("share"),
            (100 * share).round_sig_figs(3).alias("percent"),
        )
        .sort("from", "to")
    )


def _matrix(cells: pl.DataFrame, *, rows: list[str], columns: list[str]) -> alt.LayerChart | alt.FacetChart:
    axis = alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False, labelLimit=60)
    base = (
        alt.Chart(cells)
        .transform_filter("datum.class === class_shown")
        .encode(
            x=alt.X("to:N", sort=columns, scale=alt.Scale(domain=columns), title="is followed by", axis=axis),
            y=alt.Y("from:N", sort=rows, scale=alt.Scale(domain=rows), title=None),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("from_name:N", title="from"),
                alt.Tooltip("to_name:N", title="to"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("transitions:Q", title="n transitions", format=","),
                alt.Tooltip("of:Q", title="of", format=","),
            ],
        )
    )
    # By the square root, a step that one in fifty takes is seen; letters stay readable on the fullest.
    shades = alt.Scale(type="sqrt", domain=[0, 1], range=[0, 0.42])
    rects = base.mark_rect(color=PALETTE["accent"], stroke=None).encode(
        opacity=alt.Opacity("share:Q", scale=shades, legend=None)
    )
    words = (
        base.transform_filter(f"datum.share >= {MIN_WORD_SHARE}")
        .mark_text(fontSize=11, fontWeight=600)
        .encode(text=alt.Text("percent:Q", format=".0f"))
    )
    return alt.layer(rects, words)
