"""What must be asked for first because its answer gives a value that a later request sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour import ArrivalCurve, simulate
from prodintel_lib.scenarios.load_model.model import LoadGuard
from prodintel_lib.scenarios.model import Extracted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.behaviour import BehaviourModel
    from prodintel_lib.scenarios.load_model.model import LoadEndpoint, Login

SESSIONS_TRIED: Final = 4_000
MIN_SHARE_SAID: Final = 0.01


@dataclass(frozen=True, slots=True)
class NeededValues:
    """Guards for the sake of values, and in sentences what they change."""

    guards: tuple[LoadGuard, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Need:
    """An endpoint that sends a value of earlier answers, and the endpoints that give it."""

    endpoint: int
    value: str
    givers: tuple[int, ...]


def guard_values(behaviour: BehaviourModel, endpoints: Sequence[LoadEndpoint], *, login: Login | None) -> NeededValues:
    """Let nobody ask for what takes a value before the one endpoint that gives it, where sessions would.

    Parameters
    ----------
    behaviour : BehaviourModel
    endpoints : sequence of LoadEndpoint
        Those of `behaviour` first, in its order.
    login : Login or None
        What is asked for before anything else by sessions that did not: what its answer gives is there.

    Returns
    -------
    NeededValues
        Where several endpoints give a value no guard can say so: sessions end there, and that is said.

    Notes
    -----
    A chain forgets: of a visitor who came back for an old order it learns that orders are looked at without one. What
    SESSIONS_TRIED simulated sessions do decides where a guard is needed.
    """
    first = login.endpoint if login else None
    needs = [
        need for need in _needs(endpoints) if need.endpoint < len(behaviour.endpoints) and first not in need.givers
    ]
    if not needs:
        return NeededValues()
    made = simulate(behaviour, ArrivalCurve(60.0, np.array([float(SESSIONS_TRIED)])), seed=behaviour.seed)
    steps = made.with_columns(pl.int_range(pl.len()).over("session").alias("step"))
    guards, said = [], []
    for need in needs:
        asking, early = _asked_early(steps, need, behaviour.endpoints)
        if not early:
            continue
        label, share = endpoints[need.endpoint].label, early / asking
        if len(need.givers) == 1:
            sessions = round(behaviour.sessions * asking / SESSIONS_TRIED)
            guards.append(LoadGuard(endpoint=need.endpoint, needs=need.givers[0], sessions=sessions))
            giver = endpoints[need.givers[0]].label
            then = f"is asked for only after `{giver}`, whose answer gives its `{need.value}`; without that rule"
        else:
            then = f"takes `{need.value}` of an earlier answer; sessions without one end before it:"
        if share >= MIN_SHARE_SAID:
            said.append(f"`{label}` {then} {100 * share:.1f} % of the sessions that ask for it would have none.")
    return NeededValues(tuple(guards), tuple(said))


def _needs(endpoints: Sequence[LoadEndpoint]) -> Iterator[_Need]:
    for place, endpoint in enumerate(endpoints):
        taken = {
            part.value.name
            for variant in endpoint.variants
            for part in variant.replacements
            if isinstance(part.value, Extracted)
        }
        for value in sorted(taken):
            givers = tuple(
                other
                for other, giver in enumerate(endpoints)
                if giver.variants and any(extract.name == value for extract in giver.extracts)
            )
            # What gives its own value anew needs another to begin with.
            if set(givers) - {place}:
                yield _Need(place, value, tuple(giver for giver in givers if giver != place))


def _asked_early(steps: pl.DataFrame, need: _Need, names: Sequence[str]) -> tuple[int, int]:
    """Count the sessions that ask for an endpoint, and those that do so before anybody gave them its value."""
    giving = [names[giver] for giver in need.givers]
    first = steps.group_by("session").agg(
        pl.col("step").filter(pl.col("endpoint") == names[need.endpoint]).min().alias("asked"),
        pl.col("step").filter(pl.col("endpoint").is_in(giving)).min().alias("given"),
    )
    asking = first.filter(pl.col("asked").is_not_null())
    early = asking.filter(pl.col("given").is_null() | (pl.col("given") > pl.col("asked")))
    return asking.height, early.height
