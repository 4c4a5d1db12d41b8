"""What was found about how users behave: classes, each with its chain, its gaps and its name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.behaviour import shown
from prodintel_lib.analyses.behaviour.guards import NONE

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.chain import Chain
    from prodintel_lib.analyses.behaviour.contexts import MemoryTrial
    from prodintel_lib.analyses.behaviour.gaps import ClassGaps
    from prodintel_lib.analyses.behaviour.guards import Guard
    from prodintel_lib.analyses.behaviour.selection import Trial
    from prodintel_lib.analyses.statistics import Proportion

SEEN_LEVELS: Final = tuple(step / 100 for step in range(101))
"""Shares of the gaps at or under each of `BehaviourClass.seen_gaps_s`."""


@dataclass(frozen=True, slots=True)
class BehaviourClass:
    """Sessions that behave alike.

    Attributes
    ----------
    name : str
        By what they do (naming.name_classes).
    share : Proportion
        Of all sessions.
    apart_by : str
        The endpoint that sets the class apart most.
    apart_ratio : float
        Its share of the class's requests over its share of all requests.
    converted : Proportion or None
        Sessions that reach a conversion; None where no conversion was named.
    single_share : float
        Sessions of one request.
    median_length : float
        Requests of a session.
    length_p95 : float
    median_gap_s : float or None
        From one request's start to the next one's; None where there is no second request.
    chain : Chain
        Which endpoint comes next, and when a session ends.
    gaps : ClassGaps
        How long users take between requests.
    transitions : polars.DataFrame
        ``from_endpoint, to_endpoint, transitions, share``: what was seen, one step back only, with ``<start>`` and
        ``<end>``; share of what follows `from_endpoint`.
    seen_gaps_s : tuple of float
        What `gaps` was fitted to: the seconds at SEEN_LEVELS; empty where no session has a second request.
    """

    name: str
    share: Proportion
    apart_by: str
    apart_ratio: float
    converted: Proportion | None
    single_share: float
    median_length: float
    length_p95: float
    median_gap_s: float | None
    chain: Chain
    gaps: ClassGaps
    transitions: pl.DataFrame
    seen_gaps_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class BehaviourModel:
    """How users behave, and what the finding rests on.

    Attributes
    ----------
    endpoints : tuple of str
        By code.
    classes : tuple of BehaviourClass
        By share, the largest first.
    guards : tuple of Guard
        What must have come before a step, in every class.
    order, counts_steps : int, bool
        What the chains remember (contexts.choose_memory).
    trials : tuple of Trial
        The numbers of classes that were tried.
    memory_trials : tuple of MemoryTrial
    sessions, requests : int
        What was read.
    longest : int
        Requests of the longest session.
    likeliest : array of int, shape (sessions,)
        The likeliest class of each session, in the order of their keys.
    seed : int
    """

    endpoints: tuple[str, ...]
    classes: tuple[BehaviourClass, ...]
    guards: tuple[Guard, ...]
    order: int
    counts_steps: bool
    trials: tuple[Trial, ...]
    memory_trials: tuple[MemoryTrial, ...]
    sessions: int
    requests: int
    longest: int
    likeliest: NDArray[np.int64]
    seed: int

    def sentences(self) -> tuple[str, ...]:
        """Say how many classes there are and why, what is remembered, and what guards hold."""
        count = len(self.classes)
        kinds = "One class of sessions" if count == 1 else f"{count} classes of sessions"
        said = [f"{kinds} in {self.sessions:,} ({self.requests:,} requests): {self._why()}."]
        memory = "the last endpoint" if self.order == 1 else f"the last {self.order} endpoints"
        steps = " and on how many steps were made" if self.counts_steps else ""
        said.append(f"The next step depends on {memory}{steps}: the simplest memory that predicts other sessions best.")
        said += [self._says(guard) for guard in self.guards]
        return tuple(said)

    def _why(self) -> str:
        tried = [trial for trial in self.trials if trial.classes > len(self.classes)]
        refused = [f"with {trial.classes}, {trial.verdict}" for trial in tried]
        chosen = next(trial for trial in self.trials if trial.classes == len(self.classes))
        stable = f"the same in random halves (adjusted Rand {chosen.stability:.2f})" if len(self.classes) > 1 else ""
        return "; ".join([*([stable] if stable else []), *refused]) or "no more were asked for, or there are too few"

    def _says(self, guard: Guard) -> str:
        name, needs = self.endpoints[guard.endpoint], self.endpoints[guard.needs]
        basis = f"{guard.sessions:,} sessions with it, none without; a chain alone would break it in"
        rate = f"{100 * guard.broken_share:.1f} % of them"
        if guard.used_by == NONE:
            return f"{name} comes only after {needs} ({basis} {rate})."
        return f"{name} comes only after more {needs} than {self.endpoints[guard.used_by]} ({basis} {rate})."

    def _repr_html_(self) -> str:
        return str(shown.behaviour(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain values that JSON can hold, endpoints by name."""
        return {
            "sessions": self.sessions,
            "requests": self.requests,
            "longest": self.longest,
            "seed": self.seed,
            "order": self.order,
            "counts_steps": self.counts_steps,
            "trials": [_without_nan(asdict(trial)) for trial in self.trials],
            "memory_trials": [asdict(trial) for trial in self.memory_trials],
            "guards": [
                {
                    "endpoint": self.endpoints[guard.endpoint],
                    "needs": self.endpoints[guard.needs],
                    "used_by": None if guard.used_by == NONE else self.endpoints[guard.used_by],
                    "sessions": guard.sessions,
                    "broken_share": guard.broken_share,
                }
                for guard in self.guards
            ],
            "classes": [self._class_dict(one) for one in self.classes],
        }

    def _class_dict(self, one: BehaviourClass) -> dict[str, Any]:
        return {
            "name": one.name,
            "share": one.share.share,
            "sessions": one.share.hits,
            "apart_by": one.apart_by,
            "apart_ratio": one.apart_ratio,
            "converted_share": None if one.converted is None else one.converted.share,
            "single_share": one.single_share,
            "median_length": one.median_length,
            "length_p95": one.length_p95,
            "median_gap_s": one.median_gap_s,
            "chain": one.chain.to_dict(self.endpoints),
            "gaps": one.gaps.to_dict(self.endpoints),
        }


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and value != value else value for name, value in values.items()}  # noqa: PLR0124 - NaN
