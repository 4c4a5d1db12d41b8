"""What a load test sends and must hold, as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.load_patterns.shape import describe_run_of
from prodintel_lib.markup import Markup, figure_text, folded, number, paragraph, percent, table, text
from prodintel_lib.scenarios.load_model import describe_left_out

if TYPE_CHECKING:
    from prodintel_lib.scenarios.load_model import LoadModel
    from prodintel_lib.scenarios.load_model.model import LoadEndpoint, Threshold

MAX_SHOWN: Final = 30
MAX_SAID: Final = 3


@dataclass(frozen=True, slots=True)
class LoadTestView:
    """The load test of a report.

    Attributes
    ----------
    model : LoadModel or None
        None where there is none.
    why_none : str
        Then: why.
    """

    model: LoadModel | None
    why_none: str = ""

    def _repr_html_(self) -> str:
        model = self.model
        if model is None:
            return str(paragraph(f"There is no load test: {self.why_none}."))
        parts = [
            paragraph(describe_run_of(model)),
            _left_out(model),
            _events(model),
            folded("What is sent, and what must hold", _endpoints(model)),
        ]
        return str(Markup("").join(parts))


def left_out_of(model: LoadModel) -> tuple[str, ...]:
    """Say what production did and the load does not, without marks of code."""
    return tuple(sentence.replace("`", "") for sentence in describe_left_out(model))


def _left_out(model: LoadModel) -> Markup:
    said = [paragraph(sentence) for sentence in left_out_of(model)]
    if len(said) <= MAX_SAID:
        return Markup("").join(said)
    return folded(f"{len(said)} things that production did and this load does not, or needs", Markup("").join(said))


def _events(model: LoadModel) -> Markup:
    said = [
        f"{event.title}: {event.ratio:.1f} times the usual"
        + ("" if event.low is None or event.high is None else f" ({event.low:.1f} to {event.high:.1f})")
        for event in model.events
    ]
    return paragraph(f"Events a run can be multiplied by: {'; '.join(said)}.") if said else Markup("")


def _endpoints(model: LoadModel) -> Markup:
    limits: dict[int, list[Threshold]] = {}
    for threshold in model.thresholds:
        limits.setdefault(threshold.endpoint, []).append(threshold)
    ranked = sorted(enumerate(model.endpoints), key=lambda pair: (-pair[1].requests, pair[1].label))
    rows = [
        [
            text(endpoint.label),
            figure_text(percent(endpoint.requests / model.requests), n=endpoint.requests),
            number(len(endpoint.variants)),
            text(_kept(endpoint)),
            _limits(limits.get(place, [])),
        ]
        for place, endpoint in ranked[:MAX_SHOWN]
    ]
    rest = f" {len(ranked) - MAX_SHOWN:,} more are in load_model.json." if len(ranked) > MAX_SHOWN else ""
    caption = (
        "Limits are the upper ends of 95 % intervals of what production had, or promises; a variant is one row of the "
        f"endpoint's feeder.{rest}"
    )
    headers = ["Endpoint", "Share", "Variants", "Taken from its answers", "Must hold"]
    return table(headers, rows, align="lrrll", caption=caption)


def _kept(endpoint: LoadEndpoint) -> str:
    return ", ".join(extract.name for extract in endpoint.extracts)


def _limits(thresholds: list[Threshold]) -> Markup:
    said = []
    for one in thresholds:
        origin = "promised" if one.origin == "slo" else f"n={one.n:,}"
        if one.kind == "failures":
            said.append(f"failures ≤ {100 * one.limit:.2g} % ({origin})")
        else:
            said.append(f"p{one.percentile:g} ≤ {one.limit:,.0f} ms ({origin})")
    return text("; ".join(said) or "nothing: too few requests")
