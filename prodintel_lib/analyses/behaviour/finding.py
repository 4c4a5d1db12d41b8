"""Find classes of behaviour in sessions, and model each."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour.chain import END, START, fit_chain
from prodintel_lib.analyses.behaviour.contexts import choose_memory, list_moves
from prodintel_lib.analyses.behaviour.gaps import fit_gaps
from prodintel_lib.analyses.behaviour.guards import MAX_GUARD_STEPS, find_candidates, keep_those_that_matter
from prodintel_lib.analyses.behaviour.mixture import count_features, fit_mixture
from prodintel_lib.analyses.behaviour.model import SEEN_LEVELS, BehaviourClass, BehaviourModel
from prodintel_lib.analyses.behaviour.naming import measure_shape, name_classes
from prodintel_lib.analyses.behaviour.selection import choose_number
from prodintel_lib.analyses.behaviour.sessions import SessionLog, read_sessions
from prodintel_lib.analyses.behaviour.simulation import MAX_LENGTH_RATIO, walk
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.chain import Chain
    from prodintel_lib.analyses.behaviour.gaps import ClassGaps
    from prodintel_lib.analyses.behaviour.guards import Guard
    from prodintel_lib.analyses.behaviour.naming import ClassShape

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_FITTED: Final = 50_000
"""The mixture is fitted to so many sessions at most, drawn at random; all of them are classed by it."""

MAX_MADE: Final = 20_000
TRANSITIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "from_endpoint": pl.String(),
    "to_endpoint": pl.String(),
    "transitions": pl.Int64(),
    "share": pl.Float64(),
}


def find_behaviour(
    steps: pl.DataFrame, *, max_classes: int = 8, seed: int = 0, conversions: Sequence[str] = ()
) -> BehaviourModel:
    """Find how users behave: classes of sessions, each with its next steps, its guards and its gaps.

    Parameters
    ----------
    steps : polars.DataFrame
        ``session_key, step_no, time_us, endpoint`` (rollups.load_steps); endpoints as the pseudonymiser left them.
    max_classes : int
    seed : int
        Of every choice by chance.
    conversions : sequence of str
        Endpoints that count as a conversion; without one no class is called buyers.

    Returns
    -------
    BehaviourModel
        Classes by share, the largest first.

    Raises
    ------
    MissingColumnsError, NoDataError
        Where a column is missing, or there is no step.
    ParameterError
        Where `max_classes` is below 1.

    Notes
    -----
    The method of WESSBAS (Vögele et al. 2018, doi:10.1007/s10270-016-0566-5; van Hoorn et al. 2008,
    doi:10.1007/978-3-540-69814-2_9): behaviour models by class, guards and actions, think times. It differs in that
    classes are a mixture of chains and gaps, not clusters of normalised counts; their number is what held-out sessions
    and random halves bear out (selection); chains may remember more than one step, and count steps, where that predicts
    held-out sessions better (contexts); guards are kept where the chain would break them (guards); gaps follow the
    curve that fits, or what was seen (gaps). A session counts for one class, drawn from its chances: given to its
    likeliest class alone, it would make classes look further apart than they are.
    """
    if max_classes < 1:
        raise ParameterError(f"max_classes must be at least 1; it is {max_classes}.", hint="the default is 8.")
    log = read_sessions(steps)
    rng = np.random.default_rng(seed)
    data = count_features(log)
    count, trials = choose_number(data, max_classes=max_classes, rng=rng)
    fitted = data if log.size <= MAX_FITTED else data.rows(np.sort(rng.choice(log.size, MAX_FITTED, replace=False)))
    mixture = fit_mixture(fitted, count, rng=rng)
    drawn, likeliest = _assign(mixture.posterior(data), rng)
    parts = [log.take(np.flatnonzero(drawn == which)) for which in range(int(drawn.max()) + 1)]
    order, counts_steps, memory = choose_memory(parts, rng=rng)
    fit = partial(fit_chain, order=order, counts_steps=counts_steps)
    shapes = [measure_shape(part, log, conversions=conversions) for part in parts]
    classes = [
        _describe(part, shape, name, log.size, fit(part), fit_gaps(part, rng=rng))
        for part, shape, name in zip(parts, shapes, name_classes(shapes), strict=True)
    ]
    guards = _find_guards(log, classes, rng)
    if guards:
        classes = [replace(one, chain=fit(part, guards=guards)) for one, part in zip(classes, parts, strict=True)]
    return BehaviourModel(
        endpoints=log.endpoints,
        classes=tuple(classes),
        guards=guards,
        order=order,
        counts_steps=counts_steps,
        trials=trials,
        memory_trials=memory,
        sessions=log.size,
        requests=len(log.codes),
        longest=int(log.lengths.max()),
        likeliest=likeliest,
        seed=seed,
    )


def _assign(posterior: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw a class for each session, and say its likeliest; numbers go by the number of sessions drawn."""
    reach = np.cumsum(posterior, axis=1)
    drawn = np.minimum((reach < rng.random((len(reach), 1)) * reach[:, -1:]).sum(axis=1), posterior.shape[1] - 1)
    sizes = np.bincount(drawn, minlength=posterior.shape[1])
    ranked = np.argsort(-sizes, kind="stable")
    ranked = ranked[sizes[ranked] > 0]
    number = np.full(posterior.shape[1], -1)
    number[ranked] = np.arange(len(ranked))
    return number[drawn], posterior[:, ranked].argmax(axis=1)


def _describe(
    part: SessionLog, shape: ClassShape, name: str, sessions: int, chain: Chain, gaps: ClassGaps
) -> BehaviourClass:
    inner = part.gaps_s[~part.is_first]
    return BehaviourClass(
        name=name,
        share=Proportion.of(part.size, sessions),
        apart_by=shape.apart_by,
        apart_ratio=shape.apart_ratio,
        converted=None if shape.converted is None else Proportion.of(shape.converted, part.size),
        single_share=shape.single_share,
        median_length=float(np.median(part.lengths)),
        length_p95=float(np.quantile(part.lengths, 0.95)),
        median_gap_s=float(np.median(inner)) if len(inner) else None,
        chain=chain,
        gaps=gaps,
        transitions=_count_transitions(part),
        seen_gaps_s=tuple(np.quantile(inner, SEEN_LEVELS).tolist()) if len(inner) else (),
    )


def _count_transitions(part: SessionLog) -> pl.DataFrame:
    moves = list_moves(part, depth=1)
    names = np.array([*part.endpoints, ""], dtype=object)
    before, after = names.copy(), names
    before[-1], after[-1] = START, END
    width = moves.states + 1
    cells, counts = np.unique(moves.past[:, 0] * width + moves.target, return_counts=True)
    seen = np.bincount(cells // width, counts, width)
    return pl.DataFrame(
        {
            "from_endpoint": before[cells // width].tolist(),
            "to_endpoint": after[cells % width].tolist(),
            "transitions": counts,
            "share": counts / seen[cells // width],
        },
        schema=TRANSITIONS_SCHEMA,
    )


def _find_guards(log: SessionLog, classes: Sequence[BehaviourClass], rng: np.random.Generator) -> tuple[Guard, ...]:
    """Find guards in the sessions (a sample, where they have too many steps) and try them on made ones."""
    if len(log.codes) > MAX_GUARD_STEPS:
        log = log.take(np.flatnonzero(rng.random(log.size) < MAX_GUARD_STEPS / len(log.codes)))
    candidates = find_candidates(log)
    if not candidates:
        return ()
    made = walk(classes, (), np.zeros(min(log.size, MAX_MADE)), rng=rng,
                endpoints=len(log.endpoints), longest=MAX_LENGTH_RATIO * int(log.lengths.max()))  # fmt: skip
    offsets = np.append(np.unique(made.session, return_index=True)[1], len(made.session)).astype(np.int64)
    nothing = np.zeros(len(made.session))
    begun = np.zeros(len(offsets) - 1, dtype=np.int64)
    return keep_those_that_matter(candidates, SessionLog(log.endpoints, made.endpoint, offsets, begun, nothing))
