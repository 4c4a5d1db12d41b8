"""Mixtures of Markov chains with times between steps, fitted to sessions by expectation and maximisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_ENDPOINTS: Final = 64
"""Classes are told apart by the endpoints asked for most; the rest count as one."""

GAP_BINS: Final = 6
PRIOR: Final = 2.0
"""Sessions' worth of the overall behaviour that each row of each class begins with."""

RESTARTS: Final = 4
_SHORT_ROUNDS: Final = 8
_MAX_ROUNDS: Final = 80
_TOLERANCE: Final = 1e-5


@dataclass(frozen=True, slots=True)
class SessionCountsMatrix:
    """What each session did, as counts.

    Attributes
    ----------
    counts : csr_matrix, shape (sessions, features)
        Transitions between endpoints, START and END included, and gaps by their bin.
    groups : array of int, shape (features,)
        Which features share a probability of one: transitions from the same endpoint; all gaps.
    """

    counts: csr_matrix[Any]
    groups: Ints

    def rows(self, chosen: Ints) -> SessionCountsMatrix:
        """Return the chosen sessions."""
        return SessionCountsMatrix(self.counts[chosen], self.groups)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of chains.

    Attributes
    ----------
    weights : array, shape (classes,)
    log_shares : array, shape (classes, features)
        Log probability of each feature within its group.
    """

    weights: Floats
    log_shares: Floats

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.weights)

    def log_joint(self, data: SessionCountsMatrix) -> Floats:
        """Return log P(session, class), shape (sessions, classes)."""
        return np.asarray(data.counts @ self.log_shares.T) + np.log(self.weights)

    def log_likelihood(self, data: SessionCountsMatrix) -> Floats:
        """Return log P(session), shape (sessions,)."""
        return _log_sum(self.log_joint(data))

    def posterior(self, data: SessionCountsMatrix) -> Floats:
        """Return P(class | session), shape (sessions, classes)."""
        joint = self.log_joint(data)
        return np.asarray(np.exp(joint - _log_sum(joint)[:, None]))

    def labels(self, data: SessionCountsMatrix) -> Ints:
        """Return the likeliest class of each session."""
        return np.asarray(self.log_joint(data).argmax(axis=1))


def count_features(log: SessionLog) -> SessionCountsMatrix:
    """Count the transitions and the gaps of each session.

    Notes
    -----
    Gaps enter by their bin (equal shares of all gaps), not by a fitted curve: a curve that fits badly would make
    classes out of its own error.
    """
    from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415 - costs a quarter of a second to import

    codes, states = _pooled(log)
    first = log.is_first
    start, end = states, states
    before = np.where(first, start, np.roll(codes, 1))
    last = log.offsets[1:] - 1
    pairs = np.concatenate([before * (states + 1) + codes, codes[last] * (states + 1) + end])
    sessions = np.concatenate([log.session_of, np.arange(log.size)])
    used, columns = np.unique(pairs, return_inverse=True)
    moves = csr_matrix((np.ones(len(pairs)), (sessions, columns)), shape=(log.size, len(used)))
    inner = np.flatnonzero(~first)
    edges = np.unique(np.quantile(log.gaps_s[inner], np.arange(1, GAP_BINS) / GAP_BINS)) if len(inner) else np.zeros(0)
    bins = np.searchsorted(edges, log.gaps_s[inner], side="left")
    gaps = csr_matrix((np.ones(len(inner)), (log.session_of[inner], bins)), shape=(log.size, len(edges) + 1))
    groups = np.concatenate([used // (states + 1), np.full(len(edges) + 1, states + 1)])
    return SessionCountsMatrix(csr_matrix(hstack([moves, gaps])), groups.astype(np.int64))


def _pooled(log: SessionLog) -> tuple[Ints, int]:
    """Return codes in which rare endpoints share one, and the number of codes."""
    if len(log.endpoints) <= MAX_ENDPOINTS:
        return log.codes, len(log.endpoints)
    asked = np.bincount(log.codes, minlength=len(log.endpoints))
    kept = np.sort(np.argsort(-asked, kind="stable")[: MAX_ENDPOINTS - 1])
    new = np.full(len(log.endpoints), MAX_ENDPOINTS - 1)
    new[kept] = np.arange(MAX_ENDPOINTS - 1)
    return new[log.codes], MAX_ENDPOINTS


def fit_mixture(
    data: SessionCountsMatrix, classes: int, *, rng: np.random.Generator, smaller: Mixture | None = None
) -> Mixture:
    """Fit a mixture of so many classes.

    Parameters
    ----------
    data : SessionCountsMatrix
    classes : int
    rng : numpy.random.Generator
        Chooses where the search begins.
    smaller : Mixture, optional
        A mixture of one class less: beginnings that split one of its classes are tried too.

    Notes
    -----
    Expectation and maximisation for mixtures of first-order Markov chains (Cadez et al. 2003,
    doi:10.1023/A:1024992613384), with the gaps' bins as a further multinomial. Rows begin with `PRIOR` sessions' worth
    of the overall behaviour, so that what a class has not been seen to do stays possible. Short runs from several
    beginnings, and the best of them run to its end (Biernacki et al. 2003, doi:10.1016/S0167-9473(02)00163-9).
    """
    fitter = _Fitter(data)
    if classes == 1:
        return fitter.maximise(np.ones((data.counts.shape[0], 1)))
    starts = [fitter.from_sessions(classes, rng) for _ in range(RESTARTS)]
    if smaller is not None:
        starts += [fitter.split(smaller, which, rng) for which in range(smaller.size)]
    short = [fitter.run(mixture, _SHORT_ROUNDS) for mixture in starts]
    best = max(short, key=lambda mixture: float(mixture.log_likelihood(data).sum()))
    return fitter.run(best, _MAX_ROUNDS)


class _Fitter:
    """The steps of the search on one set of sessions."""

    def __init__(self, data: SessionCountsMatrix) -> None:
        self.data = data
        self.groups = data.groups
        self.width = int(data.groups.max()) + 1
        totals = np.asarray(data.counts.sum(axis=0)).ravel() + 0.5
        self.prior = PRIOR * totals / np.bincount(self.groups, totals, self.width)[self.groups]
        self.turned = data.counts.T.tocsr()

    def maximise(self, posterior: Floats) -> Mixture:
        """Return the mixture that fits best given who is of which class."""
        counts = np.asarray(self.turned @ posterior).T + self.prior
        sums = np.stack([np.bincount(self.groups, row, self.width) for row in counts])
        weights = posterior.sum(axis=0) + 1.0
        return Mixture(weights / weights.sum(), np.log(counts / sums[:, self.groups]))

    def run(self, mixture: Mixture, rounds: int) -> Mixture:
        """Improve a mixture until it stays, or for so many rounds."""
        reached = -np.inf
        for _ in range(rounds):
            joint = mixture.log_joint(self.data)
            sums = _log_sum(joint)
            now = float(sums.sum())
            if now - reached < _TOLERANCE * abs(now):
                break
            reached = now
            mixture = self.maximise(np.exp(joint - sums[:, None]))
        return mixture

    def from_sessions(self, classes: int, rng: np.random.Generator) -> Mixture:
        """Begin with classes that each behave like one session, drawn by length: short ones say little."""
        sizes = np.asarray(self.data.counts.sum(axis=1)).ravel()
        picked = rng.choice(len(sizes), size=min(classes, len(sizes)), replace=False, p=sizes / sizes.sum())
        own = np.asarray(self.data.counts[picked].todense()) + self.prior
        sums = np.stack([np.bincount(self.groups, row, self.width) for row in own])
        return Mixture(np.full(len(picked), 1 / len(picked)), np.log(own / sums[:, self.groups]))

    def split(self, mixture: Mixture, which: int, rng: np.random.Generator) -> Mixture:
        """Begin with one class as two: its own behaviour, and that of a session it explains badly."""
        joint = mixture.log_joint(self.data)
        mine = np.flatnonzero(joint.argmax(axis=1) == which)
        if not len(mine):
            mine = np.arange(len(joint))
        surprise = -joint[mine].max(axis=1)
        picked = mine[rng.choice(len(mine), p=surprise / surprise.sum())]
        own = np.asarray(self.data.counts[[picked]].todense())[0] + self.prior
        sums = np.bincount(self.groups, own, self.width)
        weights = np.append(mixture.weights, mixture.weights[which] / 2)
        weights[which] /= 2
        return Mixture(weights, np.vstack([mixture.log_shares, np.log(own / sums[self.groups])]))


def _log_sum(joint: Floats) -> Floats:
    highest = joint.max(axis=1)
    return np.asarray(highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1)))
