"""Behaviour as tables for the notebook and the report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prodintel_lib.markup import (
    DASH,
    Markup,
    figure_text,
    folded,
    number,
    paragraph,
    percent,
    table,
    with_note,
)

if TYPE_CHECKING:
    from prodintel_lib.analyses.behaviour.model import BehaviourClass, BehaviourModel

MAX_FAMILIES: Final = 3
MIN_SINGLE_SHARE: Final = 0.01
"""A smaller share of sessions of one request is not told of."""


def behaviour(model: BehaviourModel) -> Markup:
    """Lay out the classes, what was said of them, and what else was tried."""
    first, *rest = model.sentences()
    parts = [paragraph(first, kind="lead"), _classes(model), *(paragraph(sentence) for sentence in rest)]
    tried = folded("The numbers of classes and kinds of memory that were tried", _trials(model))
    return Markup("").join([*parts, tried])


def _classes(model: BehaviourModel) -> Markup:
    converts = any(one.converted is not None for one in model.classes)
    headers = ["Class", "Sessions", "Requests a session", "Gap, median", *(["Converted"] if converts else [])]
    rows = [
        [
            with_note(one.name, _about(one)),
            figure_text(percent(one.share.share), n=one.share.hits),
            figure_text(number(one.median_length), note=f"p95 {one.length_p95:,.0f}"),
            number(one.median_gap_s, unit="s"),
            *([_converted(one)] if converts else []),
        ]
        for one in model.classes
    ]
    caption = (
        "Requests are medians. Gaps are from the start of one request to the start of the next one of the same "
        "session; laws of gaps count the transitions that follow them."
    )
    return table(headers, rows, align="lrrr" + "r" * converts, caption=caption)


def _about(one: BehaviourClass) -> str:
    said = []
    if one.apart_ratio > 1:
        said.append(f"{one.apart_by} {one.apart_ratio:.1f} times as often as in all sessions")
    if one.single_share >= MIN_SINGLE_SHARE:
        said.append(f"{100 * one.single_share:.0f} % have one request")
    laws = _laws(one)
    return "; ".join([*said, *([f"gaps: {laws}"] if laws else [])])


def _laws(one: BehaviourClass) -> str:
    """Name the laws of the gaps, the most frequent first."""
    curves = [*one.gaps.curves.values(), *([one.gaps.rest] if one.gaps.rest else [])]
    counts = Counter("as seen" if curve.family == "quantiles" else curve.family for curve in curves)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{family} {count}" for family, count in ranked[:MAX_FAMILIES])


def _converted(one: BehaviourClass) -> Markup:
    return DASH if one.converted is None else figure_text(percent(one.converted.share), n=one.converted.n)


def _trials(model: BehaviourModel) -> Markup:
    classes = [
        (
            trial.classes,
            number(trial.held_out, digits=3),
            number(trial.gain, digits=3) if trial.classes > 1 else DASH,
            number(trial.stability, digits=2),
            percent(trial.smallest_share),
            trial.verdict,
        )
        for trial in model.trials
    ]
    memory = [
        (
            trial.order,
            "yes" if trial.counts_steps else "no",
            number(trial.held_out, digits=3),
            "taken" if (trial.order, trial.counts_steps) == (model.order, model.counts_steps) else "",
        )
        for trial in model.memory_trials
    ]
    likelihood = "Held out: mean log-likelihood of a session by a model that has not seen it."
    return table(
        ("Classes", "Held out", "Better by", "Adjusted Rand", "Smallest", "Verdict"),
        classes,
        align="rrrrrl",
        caption=f"{likelihood} Adjusted Rand: how alike the classes of random halves are, 1 at most.",
    ) + table(("Endpoints remembered", "Counts steps", "Held out", ""), memory, align="rlrl", caption=likelihood)
