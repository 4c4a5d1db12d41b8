"""How strongly a combination explains what went wrong, and how far that could be chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.statistics import Z95

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG_POWER: Final = 0.5


def fold_of(
    bad: NDArray[np.float64] | np.float64, expected: NDArray[np.float64] | np.float64, sign: int
) -> NDArray[np.float64]:
    """Return how many times worse than expected: bad / expected, or its inverse where a lowered rate is worse."""
    return np.asarray(((bad + 0.5) / (expected + 0.5)) ** sign, dtype=np.float64)


def strength_of(bad: NDArray[np.float64], expected: NDArray[np.float64], sign: int) -> NDArray[np.float64]:
    """Return the excess times the square root of the logarithm of its fold; 0 where there is no excess.

    Notes
    -----
    The Poisson log likelihood ratio of a raised rate (Kulldorff 1997, doi:10.1080/03610929708831995) is about excess *
    log(fold). It likes the core of a fault, where the fold is greatest, better than the whole of it; the excess alone
    likes whatever is large. This is the geometric mean of the two.
    """
    excess = sign * (bad - expected)
    fold = np.maximum(fold_of(bad, expected, sign), 1.0)
    return np.where(excess > 0, excess * np.log(fold) ** LOG_POWER, 0.0)


def evidence_of(
    bad: NDArray[np.float64],
    total: NDArray[np.float64],
    expected: NDArray[np.float64],
    reference: NDArray[np.float64],
    sign: int,
) -> NDArray[np.float64]:
    """Return the log likelihood ratio of two rates against one, 0 where the rate is not worse than expected.

    Both sides are samples: `bad` of `total`, and the expected rate seen in `reference` trials.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        other = np.where(total > 0, expected / total, 0.0) * reference
    ratio = (
        log_likelihood(bad, total) + log_likelihood(other, reference) - log_likelihood(bad + other, total + reference)
    )
    return np.where((sign * (bad - expected) > 0) & (reference > 0), np.maximum(ratio, 0.0), 0.0)


def log_likelihood(bad: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bad * log(rate) + good * log(1 - rate), with 0 * log(0) = 0."""
    good = total - bad
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = bad / total
        return np.asarray(
            np.where(bad > 0, bad * np.log(rate), 0.0) + np.where(good > 0, good * np.log1p(-rate), 0.0),
            dtype=np.float64,
        )


def p_value_of(evidence: float, *, tested: int, dispersion: float) -> float:
    """Return an upper bound of the chance of such evidence anywhere among the combinations, were nothing the matter.

    Notes
    -----
    Chernoff's bound exp(-ratio) for one combination, the union bound over all of them, and the ratio divided by the
    dispersion (McCullagh and Nelder 1989, Generalized Linear Models, section 4.5). It holds at any count and needs no
    random numbers; it is conservative, since combinations overlap.
    """
    return min(1.0, tested * math.exp(-min(evidence / dispersion, 700.0)))


def lift_interval(
    bad: float, total: float, other_bad: float, other_total: float, *, dispersion: float
) -> tuple[float, float, float]:
    """Return the ratio of two rates with its 95 % interval.

    Notes
    -----
    The log interval of Katz et al. (1978), doi:10.2307/2530610, with a half added to each count as Walter (1975),
    doi:10.1093/biomet/62.2.371, does, so that it exists for a count of 0; the variance is multiplied by the
    dispersion. It does not know that the combination was chosen as the worst among many: of a weak cause the lift is
    overstated.
    """
    rate, other = (bad + 0.5) / (total + 0.5), (other_bad + 0.5) / (other_total + 0.5)
    variance = 1 / (bad + 0.5) - 1 / (total + 0.5) + 1 / (other_bad + 0.5) - 1 / (other_total + 0.5)
    half = Z95 * math.sqrt(max(variance, 0.0) * dispersion)
    lift = rate / other
    return lift, lift * math.exp(-half), lift * math.exp(half)
