"""Which series move together, with what lag: every pair at every lag in one pass, the search paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.statistics import Z95, adjust_for_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.correlation.preparation import Prepared

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Spectra = NDArray[np.complex128]

PERMUTATIONS: Final = 199
MAX_CONFIRMED: Final = 2_000
MAX_LAG_SHARE: Final = 5
LAG_CHI2: Final = 3.841458820694124
_BLOCK_BYTES: Final = 96_000_000
_EULER: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class LagScan:
    """Pairs that may move together.

    Attributes
    ----------
    first, second : arrays of int, shape (pairs,)
        Rows of Prepared; the first leads where the lag is positive.
    lag, lag_low, lag_high : arrays, shape (pairs,)
        In buckets; the ends of its 95 % interval are halves of buckets.
    strength, low, high : arrays, shape (pairs,)
        The correlation of what was not foretold, at that lag, from -1 to 1, with its 95 % interval.
    p_value, q_value : arrays, shape (pairs,)
        The chance of so strong a pair at any lag searched; and after Benjamini and Hochberg over all pairs tested,
        those with traffic apart from the others.
    n_windows : array of int, shape (pairs,)
        Buckets in which both were observed at that lag.
    pairs_tested, candidates, set_aside : int
        All pairs; those that went to the permutations; and those beyond MAX_CONFIRMED that did not.
    max_lag : int
        Searched on either side, in buckets.
    """

    first: Ints
    second: Ints
    lag: Ints
    lag_low: Floats
    lag_high: Floats
    strength: Floats
    low: Floats
    high: Floats
    p_value: Floats
    q_value: Floats
    n_windows: Ints
    pairs_tested: int
    candidates: int
    set_aside: int
    max_lag: int


def scan_lags(
    prepared: Prepared,
    *,
    max_lag: int,
    false_discovery_rate: float,
    focus: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LagScan:
    """Cross-correlate all pairs of signals, and confirm by permutation those that could pass.

    Parameters
    ----------
    prepared : Prepared
    max_lag : int
        Buckets, on either side; at most a fifth of the windows.
    false_discovery_rate : float
    focus : frozenset of str
        Kinds of signals; only pairs with one of them are tested. Empty: all pairs.
    seed : int
        Of the permutations; the same seed gives the same figures.

    Notes
    -----
    A pair's statistic is its largest correlation over the ``2 max_lag + 1`` lags, found by the Fourier transform, in
    blocks of rows. Its p value is the largest of two:

    - by formula: the tail of one lag, Student's or, where both series have heavy tails (rare events, clusters),
      Pearson's type III with the skewness that permutations of the two would have (their product over the root of T;
      Mielke and Berry 2007, section 2.3; here at least so much that its fourth moment is theirs too), times the lags
      searched (Šidák). Every circular shift beyond the lags searched is a draw from
      the null hypothesis: where these vary more than chance, the statistic is divided by their deviation, as genomic
      control does (Devlin and Roeder 1999, doi:10.1111/j.0006-341X.1999.00997.x), but pair by pair.
    - by permutation: 199 shuffles of blocks of the second series, each with its own maximum over all lags; beyond
      what 199 can show, by a Gumbel distribution fitted to the squares of their maxima (Abrams, Kulldorff and Kleinman
      2010, doi:10.1186/1476-072X-9-61; they fit the statistic itself).

    Only pairs that pass by the formula are permuted: the final p value is never smaller, so no other pair could pass.
    """
    max_lag = max(1, min(max_lag, prepared.windows // MAX_LAG_SHARE))
    rows, columns, p_values = _Screen(prepared, max_lag, focus).pairs()
    # Much goes with traffic: in one family with the rest it would let by others that do not.
    with_traffic = columns >= prepared.first_traffic
    order = np.lexsort((columns, rows, p_values))
    passing = order[_adjusted(p_values, with_traffic)[order] <= false_discovery_rate]
    chosen = passing[:MAX_CONFIRMED]
    chance = np.random.default_rng(seed)
    confirmed = [_confirm(prepared, int(rows[at]), int(columns[at]), max_lag, p_values[at], chance) for at in chosen]
    final = p_values.copy()
    final[chosen] = [one[-1] for one in confirmed]
    final[passing[MAX_CONFIRMED:]] = 1.0
    adjusted = _adjusted(final, with_traffic)
    figures = np.array(confirmed, dtype=np.float64).reshape(-1, 8)
    leads = figures[:, 0] >= 0
    sign = np.where(leads, 1.0, -1.0)
    ends = np.sort(sign[:, None] * figures[:, 1:3], axis=1)
    return LagScan(
        first=np.where(leads, rows[chosen], columns[chosen]),
        second=np.where(leads, columns[chosen], rows[chosen]),
        lag=np.abs(figures[:, 0]).astype(np.int64),
        lag_low=ends[:, 0],
        lag_high=ends[:, 1],
        strength=figures[:, 3],
        low=figures[:, 4],
        high=figures[:, 5],
        p_value=figures[:, 7],
        q_value=adjusted[chosen],
        n_windows=figures[:, 6].astype(np.int64),
        pairs_tested=len(p_values),
        candidates=len(chosen),
        set_aside=max(0, len(passing) - MAX_CONFIRMED),
        max_lag=max_lag,
    )


def _adjusted(p_values: Floats, with_traffic: NDArray[np.bool_]) -> Floats:
    q_values = np.ones_like(p_values)
    for family in (with_traffic, ~with_traffic):
        q_values[family] = adjust_for_many(p_values[family].tolist())
    return q_values


class _Screen:
    """The p value by formula of every pair: rows without traffic among themselves, and traffic against everything."""

    def __init__(self, prepared: Prepared, max_lag: int, focus: frozenset[str]) -> None:
        self._prepared = prepared
        self._is_wanted = np.array([not focus or kind in focus for kind in prepared.signals["kind"]], dtype=np.bool_)
        self._family = prepared.signals["family"].to_numpy()
        self._max_lag = max_lag
        self._size = _smooth_length(prepared.windows + max_lag)

    def pairs(self) -> tuple[Ints, Ints, Floats]:
        prepared, first_traffic = self._prepared, self._prepared.first_traffic
        total = prepared.signals.height
        parts = [self._of(prepared.innovations, 0, first_traffic, 0)]
        if first_traffic < total:
            parts.append(self._of(prepared.innovations_with_traffic, 0, total, first_traffic))
        rows, columns, p_values = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rows, columns, p_values

    def _of(self, matrix: Floats, start: int, stop: int, columns_from: int) -> tuple[Ints, Ints, Floats]:
        """Return pairs ``row < column`` with both in ``[start, stop)`` and the column at or after `columns_from`."""
        spectra = np.fft.rfft(matrix.astype(np.float32), self._size, axis=1)
        energy = (matrix**2).sum(axis=1)
        skewness, excess = (matrix**3).mean(axis=1), np.maximum((matrix**4).mean(axis=1) - 3, 0.0)
        step = max(1, _BLOCK_BYTES // (24 * self._size * max(1, stop - start)))
        found: list[tuple[Ints, Ints, Floats]] = []
        for begin in range(start, stop, step):
            block = np.arange(begin, min(begin + step, stop))
            others = np.arange(max(begin, columns_from), stop)
            if not len(others):
                continue
            peaks = self._peaks(spectra[block], spectra[others], energy[block], energy[others])
            row, column = np.nonzero(self._is_asked(block[:, None], others[None, :]))
            skew = skewness[block[row]] * skewness[others[column]] / np.sqrt(self._prepared.windows)
            heavy = excess[block[row]] * excess[others[column]] / self._prepared.windows
            highest, lowest = (peak[row, column] for peak in peaks)
            p_values = peak_p_value(highest, lowest, skew, heavy, self._freedom(), 2 * self._max_lag + 1)
            found.append((block[row], others[column], p_values))
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
        rows, columns, p_values = (np.concatenate(part) for part in zip(*found, strict=True))
        return rows, columns, p_values

    def _is_asked(self, one: Ints, other: Ints) -> NDArray[np.bool_]:
        apart = (self._family[one] != self._family[other]) | (self._family[one] == "")
        return np.asarray((one < other) & apart & (self._is_wanted[one] | self._is_wanted[other]))

    def _freedom(self) -> float:
        return max(3.0, self._prepared.windows - self._prepared.regressors - 2.0)

    def _peaks(self, one: Spectra, other: Spectra, energy: Floats, other_energy: Floats) -> tuple[Floats, Floats]:
        """Return the highest and the lowest correlation within the lags, over the deviation beyond them."""
        products = np.fft.irfft(np.conj(one)[:, None, :] * other[None, :, :], self._size, axis=2)
        scale = np.sqrt(energy[:, None] * other_energy[None, :])
        scale = np.where(scale > 0, scale, np.inf)
        lags = self._max_lag
        near = np.concatenate([products[..., : lags + 1], products[..., self._size - lags :]], axis=2)
        beyond = products[..., lags + 1 : self._size - lags]
        spread = np.sqrt(np.mean(beyond.astype(np.float64) ** 2, axis=2)) / scale
        # What the shifts beyond would have by chance: they overlap in T - (size - T) buckets.
        expected = np.sqrt(max(1, 2 * self._prepared.windows - self._size)) / self._prepared.windows
        control = np.maximum(1.0, spread / expected)
        return near.max(axis=2) / scale / control, near.min(axis=2) / scale / control


def peak_p_value(
    highest: Floats, lowest: Floats, skewness: Floats, heaviness: Floats, freedom: float, lags: int
) -> Floats:
    """Return the chance of so high or so low a correlation at any of the lags, by formula.

    Parameters
    ----------
    highest, lowest : arrays, shape (pairs,)
        The extremes over the lags.
    skewness, heaviness : arrays, shape (pairs,)
        Skewness and excess kurtosis of the permutation distribution of one lag.
    freedom : float
        Degrees of freedom of one correlation.
    lags : int
    """
    # A gamma distribution's excess kurtosis is 1.5 times its squared skewness.
    least = np.sqrt(np.maximum(heaviness, 0.0) / 1.5)
    up = _tail(highest, np.maximum(skewness, least), freedom)
    down = _tail(-lowest, np.maximum(-skewness, least), freedom)
    one_lag = np.minimum(1.0, 2 * np.minimum(up, down))
    return np.asarray(-np.expm1(lags * np.log1p(-np.minimum(one_lag, 1 - 1e-16))), dtype=np.float64)


def _tail(strength: Floats, skewness: Floats, freedom: float) -> Floats:
    """Return the chance of at least so high a correlation; the larger of Student's tail and Pearson's type III."""
    from scipy.special import gammaincc, stdtr  # noqa: PLC0415 - scipy costs half a second to import

    bounded = np.clip(strength, -1 + 1e-12, 1 - 1e-12)
    student = stdtr(freedom, -bounded * np.sqrt(freedom / (1 - bounded**2)))
    deviates = bounded * np.sqrt(freedom)
    is_skewed = skewness > 0.01
    skew = np.where(is_skewed, skewness, 1.0)
    shape = 4 / skew**2
    gamma = gammaincc(shape, np.maximum(0.0, shape + 2 * deviates / skew))
    return np.asarray(np.where(is_skewed, np.maximum(student, gamma), student), dtype=np.float64)


def _confirm(
    prepared: Prepared, row: int, column: int, max_lag: int, screened: float, chance: np.random.Generator
) -> tuple[float, ...]:
    """Return lag, its two ends, strength, its two ends, n and the final p value of one pair."""
    is_traffic = max(row, column) >= prepared.first_traffic
    matrix = prepared.innovations_with_traffic if is_traffic else prepared.innovations
    one, other = matrix[row], matrix[column]
    lags = np.arange(-max_lag, max_lag + 1)
    overlap = np.rint(_correlate(prepared.observed[row].astype(float), prepared.observed[column].astype(float), lags))
    strengths = _correlate(one, other, lags) / np.sqrt((one**2).sum() * (other**2).sum())
    peak = int(np.argmax(np.abs(strengths)))
    strength, n = float(strengths[peak]), int(overlap[peak])
    freedom = max(3.0, n - prepared.regressors - 2.0)
    low, high = _lag_interval(strengths, peak, freedom)
    half = Z95 / np.sqrt(max(1.0, freedom - 1))
    middle = np.arctanh(np.clip(strength, -1 + 1e-9, 1 - 1e-9))
    permuted = _permuted_p_value(one, other, max_lag, abs(strength), chance)
    return (
        float(lags[peak]), lags[low] - 0.5, lags[high] + 0.5, strength, float(np.tanh(middle - half)),
        float(np.tanh(middle + half)), float(n), max(float(screened), permuted),
    )  # fmt: skip


def _lag_interval(strengths: Floats, peak: int, freedom: float) -> tuple[int, int]:
    """Return the lags beside the peak whose likelihood is not clearly less than its own."""
    limited = np.minimum(strengths**2, 1 - 1e-12)
    loss = freedom * (np.log1p(-limited) - np.log1p(-limited[peak]))
    near = (loss <= LAG_CHI2) & (np.sign(strengths) == np.sign(strengths[peak]))
    low = high = peak
    while low > 0 and near[low - 1]:
        low -= 1
    while high < len(near) - 1 and near[high + 1]:
        high += 1
    return low, high


def _correlate(one: Floats, other: Floats, lags: Ints) -> Floats:
    size = _smooth_length(len(one) + int(np.abs(lags).max()))
    products = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size), size)
    return np.asarray(products[lags % size], dtype=np.float64)


def _permuted_p_value(one: Floats, other: Floats, max_lag: int, strength: float, chance: np.random.Generator) -> float:
    windows = len(one)
    block = max(1, round(windows ** (1 / 3)))
    shifts = chance.integers(0, windows, size=PERMUTATIONS)
    starts = np.arange(0, windows, block)
    orders = np.argsort(chance.random((PERMUTATIONS, len(starts))), axis=1)
    places = (starts[orders][:, :, None] + np.arange(block)[None, None, :]).reshape(PERMUTATIONS, -1)
    # The last block is short: what lies beyond the end is dropped, which leaves each bucket once in every shuffle.
    kept = places[places < windows].reshape(PERMUTATIONS, windows)
    shuffled = other[(kept + shifts[:, None]) % windows]
    size = _smooth_length(windows + max_lag)
    products = np.fft.irfft(np.conj(np.fft.rfft(one, size))[None, :] * np.fft.rfft(shuffled, size, axis=1), size)
    near = np.concatenate([products[:, : max_lag + 1], products[:, size - max_lag :]], axis=1)
    squares = (near**2).max(axis=1) / ((one**2).sum() * (other**2).sum()) * windows
    seen = strength**2 * windows
    counted = (1 + int((squares >= seen).sum())) / (PERMUTATIONS + 1)
    width = float(squares.std(ddof=1)) * np.sqrt(6) / np.pi
    if width <= 0:
        return counted
    fitted = float(-np.expm1(-np.exp(-(seen - (float(squares.mean()) - _EULER * width)) / width)))
    return counted if (squares >= seen).sum() > 1 else min(counted, fitted)


def _smooth_length(at_least: int) -> int:
    """Return the least length of factors 2, 3 and 5, which transforms fast."""
    best = 1 << (at_least - 1).bit_length()
    for fives in range(6):
        for threes in range(8):
            odd = 5**fives * 3**threes
            if odd >= at_least:
                best = min(best, odd)
                break
            best = min(best, odd << max(0, (-(-at_least // odd) - 1).bit_length()))
    return best
