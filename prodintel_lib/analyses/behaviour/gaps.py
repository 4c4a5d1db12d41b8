"""How long users take between steps: the quantiles seen, and the curve that describes them where one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Family = Literal["lognormal", "gamma", "weibull", "quantiles"]
MIN_GAPS: Final = 50
"""A transition with fewer gaps has no curve of its own."""

ANY: Final = -1
"""Stands for every endpoint before the one that follows."""

MIN_CORRELATED: Final = 30
"""Sessions it takes to measure how much alike their own gaps are."""

MIN_KS: Final = 0.02
"""A curve nearer than this describes what was seen well enough, however many gaps would show the difference."""

_KS_95: Final = 0.88
_LEVELS: Final = np.concatenate([np.linspace(0, 0.99, 100), [0.995, 0.998, 0.999, 1.0]])
_NEWTON_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True)
class GapCurve:
    """The distribution of the seconds from one step's start to the next one's.

    Attributes
    ----------
    family : str
        What describes it: ``lognormal`` (parameters: mean and standard deviation of the log), ``gamma`` and ``weibull``
        (shape, scale in s), or ``quantiles`` where none of them does.
    parameters : tuple of float
        Of the curve; none of ``quantiles``.
    levels, seconds : tuple of float
        Shares of the gaps seen, and the seconds at or under which they lie: what gaps are drawn from.
    longest_s : float
        The longest gap seen; the curve is cut there.
    n : int
        Gaps it rests on.
    ks : float
        Largest distance between the curve and the gaps seen (Kolmogorov and Smirnov); 0 for quantiles.
    """

    family: Family
    parameters: tuple[float, ...]
    levels: tuple[float, ...]
    seconds: tuple[float, ...]
    longest_s: float
    n: int
    ks: float

    def quantiles_s(self, shares: Floats) -> Floats:
        """Return the seconds under which such shares of the gaps seen lie, with straight lines between the levels."""
        return np.asarray(np.interp(shares, self.levels, self.seconds))

    def described_s(self, shares: Floats) -> Floats:
        """Return the same of the curve cut at the longest gap; of what was seen where no curve describes it."""
        if self.family == "quantiles":
            return self.quantiles_s(shares)
        curve = _frozen(self.family, self.parameters)
        return np.asarray(np.minimum(curve.ppf(shares * curve.cdf(self.longest_s)), self.longest_s), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain values."""
        return {
            "family": self.family,
            "parameters": list(self.parameters),
            "levels": list(self.levels),
            "seconds": list(self.seconds),
            "longest_s": self.longest_s,
            "n": self.n,
            "ks": self.ks,
        }


def fit_gap(gaps_s: Floats) -> GapCurve:
    """Keep the distribution of gaps, and find the curve that describes it.

    Parameters
    ----------
    gaps_s : array of float
        One at least, seconds, none below 0.

    Notes
    -----
    Gaps are drawn from what was seen: a curve that no test can tell from fifty gaps is off by up to an eighth, and a
    page's transitions are off to the same side. For readers, lognormal, gamma and Weibull are fitted by maximum
    likelihood; the one of the least Akaike information criterion (all have two parameters: of the greatest likelihood)
    is named where its Kolmogorov-Smirnov distance is below `MIN_KS`, or below the 5 % point for a curve fitted to the
    very gaps (Lilliefors 1967, doi:10.1080/01621459.1967.10482916, for the normal; near enough for the others). Gaps of
    0 s, as logs with whole seconds have them, fit no curve. WESSBAS takes a normal distribution per transition, which
    gives think times below 0 and no long tail.
    """
    ordered = np.sort(gaps_s)
    n, longest_s = len(ordered), float(ordered[-1])
    levels = _LEVELS if n > len(_LEVELS) else np.linspace(0, 1, n) if n > 1 else np.array([0.0, 1.0])
    family, parameters, ks = _describe(ordered)
    seconds = tuple(np.quantile(ordered, levels).tolist())
    return GapCurve(family, parameters, tuple(levels.tolist()), seconds, longest_s, n, ks)


def _describe(ordered: Floats) -> tuple[Family, tuple[float, ...], float]:
    """Return the family, the parameters and the distance of the curve that describes sorted gaps, if one does."""
    n = len(ordered)
    if n >= MIN_GAPS and 0 < ordered[0] < ordered[-1]:
        fitted: list[tuple[Family, tuple[float, float]]] = [
            ("lognormal", _fit_lognormal(ordered)),
            ("gamma", _fit_gamma(ordered)),
            ("weibull", _fit_weibull(ordered)),
        ]
        family, parameters = max(fitted, key=lambda one: float(_frozen(*one).logpdf(ordered).sum()))
        ks = _distance(ordered, _frozen(family, parameters).cdf(ordered))
        if ks < max(_KS_95 / np.sqrt(n), MIN_KS):
            return family, parameters, ks
    return "quantiles", (), 0.0


@dataclass(frozen=True, slots=True)
class ClassGaps:
    """The gaps of a class of sessions.

    Attributes
    ----------
    curves : dict of (int, int) to GapCurve
        By the codes of two endpoints, where the transition has `MIN_GAPS` gaps; by `ANY` and the second one for other
        transitions to it, resting on theirs alone.
    rest : GapCurve or None
        Of the gaps that no curve is of, or of all gaps where there are none left; None where no session has a second
        step.
    session_correlation : float
        Of two gaps of the same session, from 0 to 1, as normal scores within their curves: whoever is quick once is
        quick again.
    """

    curves: dict[tuple[int, int], GapCurve]
    rest: GapCurve | None
    session_correlation: float

    def to_dict(self, endpoints: Sequence[str]) -> dict[str, Any]:
        """Return the curves as plain values, endpoints by name; null for any endpoint."""
        return {
            "session_correlation": self.session_correlation,
            "rest": None if self.rest is None else self.rest.to_dict(),
            "curves": [
                {"from": None if before == ANY else endpoints[before], "to": endpoints[after], **curve.to_dict()}
                for (before, after), curve in sorted(self.curves.items(), key=lambda item: item[0])
            ],
        }


def fit_gaps(log: SessionLog, *, rng: np.random.Generator) -> ClassGaps:
    """Fit the gaps of a class by transition where there are `MIN_GAPS` of them, else by the endpoint that follows.

    Parameters
    ----------
    log : SessionLog
    rng : numpy.random.Generator
        Breaks ties between equal gaps, where their correlation is measured.
    """
    inner = np.flatnonzero(~log.is_first)
    if not len(inner):
        return ClassGaps({}, None, 0.0)
    width = len(log.endpoints)
    gaps_s, after = log.gaps_s[inner], log.codes[inner]
    curves: dict[tuple[int, int], GapCurve] = {}
    scores = np.zeros(len(inner))
    left = np.arange(len(inner))
    for before in (log.codes[inner - 1], np.full(len(inner), ANY)):
        pairs = (before[left] + 1) * width + after[left]
        few = np.ones(len(left), dtype=np.bool_)
        for kind, places in _grouped(pairs):
            if len(places) >= MIN_GAPS:
                own = gaps_s[left[places]]
                curves[kind // width - 1, kind % width] = fit_gap(own)
                scores[left[places]] = _normal_scores(own, rng)
                few[places] = False
        left = left[few]
    scores[left] = _normal_scores(gaps_s[left], rng)
    correlation = _correlate(scores, log.session_of[inner])
    return ClassGaps(curves, fit_gap(gaps_s[left] if len(left) else gaps_s), correlation)


def _grouped(keys: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each key with the places it stands at."""
    order = np.argsort(keys, kind="stable")
    kinds, begins, counts = np.unique(keys[order], return_index=True, return_counts=True)
    for kind, begin, count in zip(kinds.tolist(), begins.tolist(), counts.tolist(), strict=True):
        yield kind, order[begin : begin + count]


def _normal_scores(gaps_s: Floats, rng: np.random.Generator) -> Floats:
    """Return the normal quantile of each gap's rank; equal gaps are ranked by chance."""
    from scipy.special import ndtri  # noqa: PLC0415 - costs a quarter of a second to import

    ranks = np.empty(len(gaps_s))
    ranks[np.lexsort((rng.random(len(gaps_s)), gaps_s))] = np.arange(len(gaps_s))
    return np.asarray(ndtri((ranks + 0.5) / max(len(gaps_s), 1)), dtype=np.float64)


def _correlate(scores: Floats, session: Ints) -> float:
    """Return the intraclass correlation of scores within sessions; 0 where there is none to measure.

    Notes
    -----
    The analysis-of-variance estimator for groups of unequal size (Donner 1986, doi:10.2307/1403259).
    """
    counts = np.unique(session, return_counts=True)[1].astype(np.float64)
    groups, total = len(counts), len(scores)
    if groups < MIN_CORRELATED or total <= groups:
        return 0.0
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    means = np.add.reduceat(scores, begins) / counts
    between = float((counts * (means - scores.mean()) ** 2).sum()) / (groups - 1)
    within = float(((scores - np.repeat(means, counts.astype(np.int64))) ** 2).sum()) / (total - groups)
    size = (total - float((counts**2).sum()) / total) / (groups - 1)
    return float(np.clip((between - within) / (between + (size - 1) * within), 0.0, 0.99))


def _frozen(family: Family, parameters: tuple[float, ...]) -> Any:  # noqa: ANN401 - scipy has no types
    from scipy import stats  # noqa: PLC0415 - costs a second to import

    first, second = parameters
    if family == "lognormal":
        return stats.lognorm(s=second, scale=np.exp(first))
    return stats.gamma(first, scale=second) if family == "gamma" else stats.weibull_min(first, scale=second)


def _fit_lognormal(gaps_s: Floats) -> tuple[float, float]:
    logs = np.log(gaps_s)
    return float(logs.mean()), float(max(logs.std(), 1e-9))


def _fit_gamma(gaps_s: Floats) -> tuple[float, float]:
    """Return shape and scale: Minka (2002), Estimating a Gamma distribution, eq. 16."""
    from scipy.special import digamma, polygamma  # noqa: PLC0415 - costs a quarter of a second to import

    spread = max(float(np.log(gaps_s.mean()) - np.log(gaps_s).mean()), 1e-9)
    shape = (3 - spread + np.sqrt((spread - 3) ** 2 + 24 * spread)) / (12 * spread)
    for _ in range(_NEWTON_ROUNDS):
        error = np.log(shape) - digamma(shape) - spread
        step = error / (shape**2 * (1 / shape - polygamma(1, shape)))
        shape = 1 / (1 / shape + step)
        if abs(error) < 1e-10:
            break
    return float(shape), float(gaps_s.mean() / shape)


def _fit_weibull(gaps_s: Floats) -> tuple[float, float]:
    """Return shape and scale by Newton's method on the shape, with gaps scaled to their largest."""
    scaled = gaps_s / gaps_s.max()
    logs = np.log(scaled)
    shape = 1.2 / max(float(logs.std()), 1e-9)
    for _ in range(_NEWTON_ROUNDS):
        powers = scaled**shape
        whole, first, second = powers.sum(), (powers * logs).sum(), (powers * logs**2).sum()
        error = first / whole - 1 / shape - logs.mean()
        slope = second / whole - (first / whole) ** 2 + 1 / shape**2
        shape = max(shape - error / slope, shape / 4)
        if abs(error) < 1e-10:
            break
    return float(shape), float(gaps_s.max() * np.mean(scaled**shape) ** (1 / shape))


def _distance(ordered: Floats, cdf: Floats) -> float:
    n = len(ordered)
    above = np.searchsorted(ordered, ordered, side="right") / n
    below = np.searchsorted(ordered, ordered, side="left") / n
    return float(max((above - cdf).max(), (cdf - below).max()))
