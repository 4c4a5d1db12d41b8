"""How many classes of behaviour the sessions bear out: as many as predict other sessions better, and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.behaviour.mixture import fit_mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.mixture import Mixture, SessionCountsMatrix

    Floats = NDArray[np.float64]

MIN_STABILITY: Final = 0.8
"""Adjusted Rand index between the classes that two halves of the sessions give."""

SURE: Final = 0.9
"""Sessions whose class is likelier than this decide on stability: one or two requests fit any class."""

MIN_GAIN: Final = 0.005
"""A further class must explain so much more of the held-out sessions' log-likelihood."""

MIN_CLASS_SHARE: Final = 0.01
MIN_CLASS_SESSIONS: Final = 30
MAX_SESSIONS: Final = 8_000
"""So many sessions, drawn at random, decide on the number of classes; all of them are then classed."""

REPEATS: Final = 3
ACCEPTED: Final = "accepted"
_PATIENCE: Final = 2
_ERRORS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What speaks for and against one number of classes.

    Attributes
    ----------
    classes : int
    held_out : float
        Mean log-likelihood of a session by the classes found in the other half.
    gain, gain_error : float
        Over the number accepted before, and its standard error; NaN for one class.
    stability : float
        Median adjusted Rand index between the classes found in two halves; 1 for one class.
    smallest_share : float
        Of the sessions, the smallest class's.
    verdict : str
        ``accepted``, or why not.
    """

    classes: int
    held_out: float
    gain: float
    gain_error: float
    stability: float
    smallest_share: float
    verdict: str


@dataclass(frozen=True, slots=True)
class _Fold:
    """One cut of the sessions into halves, and what was fitted to each so far."""

    halves: tuple[SessionCountsMatrix, SessionCountsMatrix]
    members: tuple[NDArray[np.int64], NDArray[np.int64]]


def choose_number(
    data: SessionCountsMatrix, *, max_classes: int, rng: np.random.Generator
) -> tuple[int, tuple[Trial, ...]]:
    """Choose the number of classes.

    Returns
    -------
    tuple of (int, tuple of Trial)
        The number, and every number tried.

    Notes
    -----
    Sessions are cut into random halves, `REPEATS` times; a mixture of each size is fitted to each half, judged by the
    likelihood of the other, and the two are compared by how alike they class the sessions that either is sure of (the
    stability of Ben-Hur et al. 2002, with the adjusted Rand index of Hubert and Arabie 1985, doi:10.1007/BF01908075).
    A size is accepted where it gains over the last one accepted, by two standard errors and `MIN_GAIN`, is as stable as
    `MIN_STABILITY` and has no class smaller than `MIN_CLASS_SHARE`. The search ends after two sizes in a row that gain
    nothing over the best before them, accepted or not: that too few classes are unstable, for there are several ways to
    throw six kinds of sessions into two, says nothing against six.
    WESSBAS (Vögele et al. 2018, doi:10.1007/s10270-016-0566-5) clusters with X-means by the Bayesian information
    criterion instead, on normalised transition counts, where long and short sessions weigh alike.
    """
    sessions = data.counts.shape[0]
    if sessions > MAX_SESSIONS:
        data = data.rows(np.sort(rng.choice(sessions, size=MAX_SESSIONS, replace=False)))
        sessions = MAX_SESSIONS
    folds = [_cut(data, rng) for _ in range(REPEATS)]
    smaller: list[tuple[Mixture | None, Mixture | None]] = [(None, None)] * REPEATS
    trials: list[Trial] = []
    accepted, reached, best, misses = 1, np.zeros(sessions), np.full(sessions, -np.inf), 0
    for classes in range(1, max(1, min(max_classes, sessions // (2 * MIN_CLASS_SESSIONS))) + 1):
        smaller = [
            (fit_mixture(fold.halves[0], classes, rng=rng, smaller=pair[0]),
             fit_mixture(fold.halves[1], classes, rng=rng, smaller=pair[1]))
            for fold, pair in zip(folds, smaller, strict=True)
        ]  # fmt: skip
        pairs = [(one, other) for one, other in smaller if one is not None and other is not None]
        held_out = _held_out(folds, pairs, sessions)
        trial = _judge(data, pairs, held_out, reached, classes)
        trials.append(trial)
        if trial.verdict == ACCEPTED:
            accepted, reached = classes, held_out
        misses = 0 if classes == 1 or _measure_gain(held_out, best).is_enough else misses + 1
        if misses >= _PATIENCE:
            break
        best = max(best, held_out, key=lambda scores: float(scores.mean()))
    return accepted, tuple(trials)


def _cut(data: SessionCountsMatrix, rng: np.random.Generator) -> _Fold:
    order = rng.permutation(data.counts.shape[0])
    half = len(order) // 2
    members = (np.sort(order[:half]), np.sort(order[half:]))
    return _Fold((data.rows(members[0]), data.rows(members[1])), members)


def _held_out(folds: list[_Fold], pairs: list[tuple[Mixture, Mixture]], sessions: int) -> NDArray[np.float64]:
    """Return the mean log-likelihood of each session by the mixtures that have not seen it."""
    total = np.zeros(sessions)
    for fold, (one, other) in zip(folds, pairs, strict=True):
        total[fold.members[0]] += other.log_likelihood(fold.halves[0])
        total[fold.members[1]] += one.log_likelihood(fold.halves[1])
    return total / len(folds)


def _judge(
    data: SessionCountsMatrix,
    pairs: list[tuple[Mixture, Mixture]],
    held_out: NDArray[np.float64],
    reached: NDArray[np.float64],
    classes: int,
) -> Trial:
    mean = float(held_out.mean())
    if classes == 1:
        return Trial(1, mean, float("nan"), float("nan"), 1.0, 1.0, ACCEPTED)
    stability = float(np.median([_agreement(one.posterior(data), other.posterior(data)) for one, other in pairs]))
    smallest = float(
        np.median([np.bincount(one.labels(data), minlength=classes).min() for pair in pairs for one in pair])
    )
    share = smallest / len(held_out)
    gain = _measure_gain(held_out, reached)
    if not gain.is_enough:
        verdict = "predicts other sessions no better"
    elif stability < MIN_STABILITY:
        verdict = "other classes come out of other sessions"
    elif share < MIN_CLASS_SHARE or smallest < MIN_CLASS_SESSIONS:
        verdict = "a class of too few sessions"
    else:
        verdict = ACCEPTED
    return Trial(classes, mean, gain.mean, gain.error, stability, share, verdict)


@dataclass(frozen=True, slots=True)
class _Gain:
    """How much better sessions are predicted than before, with its standard error, and the least that counts."""

    mean: float
    error: float
    least: float

    @property
    def is_enough(self) -> bool:
        return self.mean >= max(_ERRORS * self.error, self.least)


def _measure_gain(held_out: NDArray[np.float64], before: NDArray[np.float64]) -> _Gain:
    gains = held_out - before
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return _Gain(float(gains.mean()), error, MIN_GAIN * abs(float(before.mean())))


def _agreement(one: Floats, other: Floats) -> float:
    """Return the adjusted Rand index over the sessions that at least one of two mixtures is sure of."""
    sure = np.maximum(one.max(axis=1), other.max(axis=1)) >= SURE
    return adjusted_rand(one[sure].argmax(axis=1), other[sure].argmax(axis=1)) if sure.any() else 0.0


def adjusted_rand(labels: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """Return how alike two classifications are: 1 where they are the same, near 0 where they agree by chance.

    Notes
    -----
    Hubert and Arabie (1985), doi:10.1007/BF01908075, eq. 5. Two classifications without any pair to tell apart (all
    in one class, both) are the same: 1.

    Examples
    --------
    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    1.0
    """
    together = np.unique(np.stack([labels, others]), axis=1, return_counts=True)[1]
    mine, theirs = (np.unique(each, return_counts=True)[1] for each in (labels, others))
    pairs, first, second = (float((n * (n - 1) / 2).sum()) for n in (together, mine, theirs))
    expected = first * second / max(len(labels) * (len(labels) - 1) / 2, 1.0)
    most = (first + second) / 2
    return 1.0 if most == expected else (pairs - expected) / (most - expected)
