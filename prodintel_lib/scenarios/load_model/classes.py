"""Classes of behaviour as a load generator walks them: states, arcs and laws of gaps by their places in lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.behaviour.chain import START
from prodintel_lib.analyses.behaviour.contexts import STEP_BOUNDS
from prodintel_lib.analyses.behaviour.gaps import ANY
from prodintel_lib.analyses.behaviour.guards import NONE
from prodintel_lib.scenarios.load_model.model import GAP_LEVELS, GapLaw, LoadArc, LoadClass, LoadGuard, LoadState
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from prodintel_lib.analyses.behaviour import BehaviourClass, BehaviourModel, ClassGaps, GapCurve

_DIGITS: Final = 9
_LEVELS: Final = np.asarray(GAP_LEVELS)


@dataclass(frozen=True, slots=True)
class Walks:
    """How sessions walk: what a LoadModel has of it."""

    classes: tuple[LoadClass, ...]
    gaps: tuple[GapLaw, ...]
    guards: tuple[LoadGuard, ...]


def build_walks(behaviour: BehaviourModel) -> Walks:
    """Write a model of behaviour as lists that refer to each other by place.

    Parameters
    ----------
    behaviour : BehaviourModel
        Its endpoints' codes become the places of the endpoints.

    Returns
    -------
    Walks
        Classes in the model's order; a law of gaps for each curve that an arc uses.
    """
    laws = _Laws()
    ids = _ids([one.name for one in behaviour.classes])
    classes = [
        _load_class(one, one_id, behaviour.endpoints, laws)
        for one, one_id in zip(behaviour.classes, ids, strict=True)
    ]  # fmt: skip
    guards = tuple(
        LoadGuard(
            endpoint=guard.endpoint,
            needs=guard.needs,
            used_by=None if guard.used_by == NONE else guard.used_by,
            sessions=guard.sessions,
        )
        for guard in behaviour.guards
    )
    return Walks(tuple(classes), tuple(laws.found), guards)


@dataclass(slots=True)
class _Laws:
    """Laws of gaps in the order they were asked for."""

    found: list[GapLaw] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)

    def place(self, curve: GapCurve) -> int:
        """Return the place of a curve's law."""
        if id(curve) not in self._places:
            self._places[id(curve)] = len(self.found)
            self.found.append(_law(curve))
        return self._places[id(curve)]


def _law(curve: GapCurve) -> GapLaw:
    seconds = np.maximum.accumulate(np.round(curve.quantiles_s(_LEVELS), 6))
    return GapLaw(
        family=curve.family,
        parameters=tuple(_short(value) for value in curve.parameters),
        seconds=tuple(seconds.tolist()),
        n=curve.n,
    )


def _load_class(one: BehaviourClass, one_id: str, endpoints: tuple[str, ...], laws: _Laws) -> LoadClass:
    chain, names = one.chain, (*endpoints, START)
    bounds = np.searchsorted(chain.arc_from, np.arange(len(chain.contexts) + 1)).tolist()
    states = []
    for number, context in enumerate(chain.contexts):
        arcs = []
        for arc in range(bounds[number], bounds[number + 1]):
            after, weight = int(chain.arc_to[arc]), float(chain.arc_weight[arc])
            curve = None if context[0] == len(endpoints) else _curve_of(one.gaps, context[0], after)
            # What is never chosen is no arc.
            if weight > 0:
                place = None if curve is None else laws.place(curve)
                arcs.append(LoadArc(endpoint=after, weight=_short(weight), state=int(chain.arc_state[arc]), gap=place))
        states.append(
            LoadState(
                after=tuple(names[code] for code in context),
                visits=int(chain.visits[number]),
                end_logit=_short(float(chain.end_logit[number])),
                arcs=tuple(arcs),
            )
        )
    return LoadClass(
        id=one_id,
        name=one.name,
        weight=_short(one.share.share),
        sessions=one.share.hits,
        session_correlation=_short(one.gaps.session_correlation),
        step_bounds=STEP_BOUNDS,
        end_shift=tuple(_short(float(shift)) for shift in chain.end_shift),
        states=tuple(states),
    )


def _curve_of(gaps: ClassGaps, before: int, after: int) -> GapCurve | None:
    """Return the curve of a transition: its own, else that of what follows, else the rest's."""
    return gaps.curves.get((before, after), gaps.curves.get((ANY, after), gaps.rest))


def _ids(names: list[str]) -> list[str]:
    """Return a slug for each name, numbered where another has it."""
    found: list[str] = []
    for name in names:
        own = slug(name, fallback="class")
        taken = (own, *(f"{own[:70].rstrip('_')}_{number}" for number in range(2, len(names) + 2)))
        found.append(next(one for one in taken if one not in found))
    return found


def _short(value: float) -> float:
    """Return a number with the digits that matter: the same on every machine, and short in a file."""
    return float(f"{value:.{_DIGITS}g}")
