"""Where a series left its own past: a step, a ramp, something that began or that stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.windows import Window

ChangeShape = Literal["step", "ramp", "appearance", "stop"]

MIN_BEFORE: Final = 5
MIN_BEFORE_WITH_HISTORY: Final = 2
MIN_DURING: Final = 2
MAX_STARTS: Final = 400
GAP_INTERVALS: Final = 5.0
BLOCK: Final = 10
MIN_POOL_FOR_BLOCKS: Final = 30
MIN_FOR_TREND: Final = 12
RAMP_GAIN: Final = 0.7
MIN_RAMP: Final = 5
ARRIVED: Final = 0.8
IN_BAND: Final = 3.0
END_SLACK: Final = 5
FLOOR_OF_LEVEL: Final = 0.005
FLOOR_OF_DEVIATION: Final = 0.25
FLOOR_OF_RANGE: Final = 0.001
TAIL: Final = 0.02
TAIL_TO_SIGMA: Final = 2.054
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Change:
    """An interval in which a series is unlike the time just before it.

    Attributes
    ----------
    onset_us : int
        The first point that differs; for a ramp where it set in.
    last_us : int
        The last point that differs.
    shape : {"step", "ramp", "appearance", "stop"}
        ``appearance``: it was zero before; ``stop``: it is zero since.
    before, during : float
        Medians; for a ramp `during` is the median of its last quarter.
    before_n, during_n : int
        Points behind each.
    noise : float
        The usual deviation of one point, as the series' whole past has it; at least a thousandth of the largest value.
    effect : float
        The shift in units of `noise`, signed.
    p_value : float
        The chance of so great a shift anywhere in the search if nothing had changed.
    """

    onset_us: int
    last_us: int
    shape: ChangeShape
    before: float
    during: float
    before_n: int
    during_n: int
    noise: float
    effect: float
    p_value: float


def find_change(
    times_us: NDArray[np.int64], values: NDArray[np.float64], *, window: Window, is_count: bool = False
) -> Change | None:
    """Find the interval that reaches into the window and is least like the points before it.

    Parameters
    ----------
    times_us, values : arrays, shape (points,)
        In the order of time, no NaN. What comes after the window is not looked at.
    window : Window
        The time in question; the change may have begun long before it, but must last into it.
    is_count : bool
        Whether values count events: then chance alone moves them by about their square root.

    Returns
    -------
    Change or None
        None where there are too few points, the series is constant, or one straight line says it all: a clock that
        counts down has not changed.

    Notes
    -----
    The interval maximises the between-segments sum of squares, the circular binary segmentation of Olshen et al.
    (2004), doi:10.1093/biostatistics/kxh008, section 2; here on ``arcsinh`` of the standardised values, so that single
    outliers do not decide, and the p value is not from permutations but from Student's t: the shift against how far
    block means of the series' own past lie apart (which keeps it honest where neighbouring points are alike), times the
    number of starts that were tried. Where the data have a gap before the window (an old normal period, then the time
    of the incident), the level is that of the points after the gap and the noise that of the whole past: a service
    may have moved for good in between.
    """
    kept = times_us < window.end_us
    times_us, values = times_us[kept], values[kept]
    first = _start_after_gap(times_us, window)
    history, times_us, values = values[:first], times_us[first:], values[first:]
    need = MIN_BEFORE_WITH_HISTORY if len(history) >= MIN_POOL_FOR_BLOCKS else MIN_BEFORE
    if len(values) < need + MIN_DURING or np.ptp(values) == 0:
        return None
    interval = _find_interval(times_us, values, history, need, window)
    if interval is None or (len(values) >= MIN_FOR_TREND and _is_one_line(times_us, values, interval)):
        return None
    begin, end = interval
    calm = _end_of_calm(times_us[:end], values[:end], begin, need)
    onset = _last_usual(values, np.concatenate([history, values[:calm]]), calm, begin) + 1
    return _measure(times_us, values, history, (calm, onset, end), is_count=is_count)


def _start_after_gap(times_us: NDArray[np.int64], window: Window) -> int:
    steps = np.diff(times_us)
    if not len(steps):
        return 0
    is_gap = steps > GAP_INTERVALS * np.median(steps)
    # Two points of level are needed after a gap; a gap within the window is the incident's own.
    room = np.searchsorted(times_us, window.start_us)
    gaps = np.flatnonzero(is_gap[: max(0, room - MIN_BEFORE_WITH_HISTORY)])
    return int(gaps[-1]) + 1 if len(gaps) else 0


def _find_interval(
    times_us: NDArray[np.int64], values: NDArray[np.float64], history: NDArray[np.float64], need: int, window: Window
) -> tuple[int, int] | None:
    n = len(values)
    calm = np.concatenate([history, values[: max(need, n // 4)]])
    scaled = np.arcsinh((values - np.median(calm)) / usual_deviation(calm))
    sums = np.concatenate([[0.0], np.cumsum(scaled - scaled.mean())])
    starts = np.unique(np.linspace(need, n - MIN_DURING, num=min(MAX_STARTS, n), dtype=np.int64))
    # What was full has often just burst when somebody is paged: the interval may end a few points before.
    reported = int(np.searchsorted(times_us, window.start_us)) - END_SLACK
    ends = np.arange(max(need + MIN_DURING, reported), n + 1)
    if not len(ends):
        return None
    inside = ends[None, :] - starts[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (sums[ends][None, :] - sums[starts][:, None]) ** 2 * n / (inside * (n - inside))
    gain = np.where((inside >= MIN_DURING) & (inside < n), gain, -1.0)
    row, column = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return (int(starts[row]), int(ends[column])) if gain[row, column] > 0 else None


def _is_one_line(times_us: NDArray[np.int64], values: NDArray[np.float64], interval: tuple[int, int]) -> bool:
    """Say whether a straight line explains the points up to the interval's end as well as a change does (BIC)."""
    begin, end = interval
    x, y = (times_us[:end] - times_us[0]).astype(np.float64), values[:end]
    line = _residual(x, y)
    step = float(np.sum((y[:begin] - y[:begin].mean()) ** 2) + np.sum((y[begin:] - y[begin:].mean()) ** 2))
    hinges = _hinge_residuals(x, y)
    best = min(step, float(hinges.min()))
    floor = 1e-12 * (1.0 + float(np.sum(y * y)))
    return end * math.log((line + floor) / (best + floor)) < 2 * math.log(end)


def _end_of_calm(times_us: NDArray[np.int64], values: NDArray[np.float64], begin: int, need: int) -> int:
    """Return how many points are surely from before: to the step, or to the hinge where that fits clearly better."""
    if len(values) < MIN_FOR_TREND or len(values) - begin < MIN_BEFORE:
        return begin
    step = float(np.sum((values[:begin] - values[:begin].mean()) ** 2))
    step += float(np.sum((values[begin:] - values[begin:].mean()) ** 2))
    hinges = _hinge_residuals((times_us - times_us[0]).astype(np.float64), values)
    hinges[:need] = math.inf
    best = int(np.argmin(hinges))
    return best if best < begin and hinges[best] < RAMP_GAIN * step else begin


def _last_usual(values: NDArray[np.float64], calm: NDArray[np.float64], start: int, begin: int) -> int:
    """Return the last point before `begin` that is still within three deviations of the calm; at least `start` - 1."""
    if start == begin:
        return begin - 1
    band = IN_BAND * usual_deviation(calm)
    usual = np.flatnonzero(np.abs(values[start:begin] - np.median(calm)) <= band)
    return start + int(usual[-1]) if len(usual) else start - 1


def _residual(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    dx, dy = x - x.mean(), y - y.mean()
    spread = float(dx @ dx)
    return float(dy @ dy) - (float(dx @ dy) ** 2 / spread if spread else 0.0)


def _hinge_residuals(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for a hinge at each point, the squared residuals of ``level + slope * max(0, x - hinge)``."""
    bent = np.maximum(0.0, x[None, :] - x[:, None])
    dx, dy = bent - bent.mean(axis=1, keepdims=True), y - y.mean()
    spread = np.einsum("ij,ij->i", dx, dx)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(spread > 0, (dx @ dy) ** 2 / spread, 0.0)
    return np.asarray(float(dy @ dy) - explained, dtype=np.float64)


def usual_deviation(values: NDArray[np.float64], *, is_count: bool = False) -> float:
    """Return the usual deviation of one point: robust, and never so small that rounding counts as a change.

    It is the largest of the scaled median absolute deviation, the fiftieths at either end as a normal distribution
    would have them (series with heavy tails blip every day), a quarter of the standard deviation (for series that
    hardly ever move), half a per cent of the level (a sensor's resolution), and for counts the root of the mean.
    """
    centre = float(np.median(values))
    mad = _MAD_TO_SIGMA * float(np.median(np.abs(values - centre)))
    poisson = math.sqrt(max(float(values.mean()), 0.0) + 0.5) if is_count else 0.0
    low, high = (float(edge) for edge in np.quantile(values, [TAIL, 1 - TAIL]))
    tail = max(high - centre, centre - low) / TAIL_TO_SIGMA
    return max(mad, tail, FLOOR_OF_DEVIATION * float(values.std()), FLOOR_OF_LEVEL * abs(centre), poisson, 1e-9)


def _measure(
    times_us: NDArray[np.int64],
    values: NDArray[np.float64],
    history: NDArray[np.float64],
    cuts: tuple[int, int, int],
    *,
    is_count: bool,
) -> Change:
    calm, onset, end = cuts
    recent, pool = values[:calm], np.concatenate([history, values[:calm]])
    arrived = values[end - max(MIN_DURING, (end - onset) // 4) : end]
    is_ramp = not is_count and _points_to_arrive(values[onset:end], float(np.median(recent)), arrived) >= MIN_RAMP
    during = arrived if is_ramp else values[onset:end]
    noise = max(usual_deviation(pool, is_count=is_count), FLOOR_OF_RANGE * float(np.abs(values).max()))
    level, level_during = float(np.median(recent)), float(np.median(during))
    # Counts are rare events: their median is 0 long before their mean is.
    shift = float(during.mean() - recent.mean()) if is_count else level_during - level
    blocks = min(BLOCK, len(recent)), min(BLOCK, len(during))
    error = max(noise * math.sqrt(1 / blocks[0] + 1 / blocks[1]), _block_deviation(pool, *blocks))
    tail = student_tail(abs(shift) / error, degrees=max(3, min(len(pool), 60) - 1))
    shape: ChangeShape = "ramp" if is_ramp else "step"
    if not is_ramp and not pool.any():
        shape = "appearance"
    elif not is_ramp and not during.any():
        shape = "stop"
    starts = max(1, len(values) - MIN_DURING - 1)
    return Change(
        onset_us=int(times_us[onset]),
        last_us=int(times_us[end - 1]),
        shape=shape,
        before=float(recent.mean()) if is_count else level,
        during=float(during.mean()) if is_count else level_during,
        before_n=len(recent),
        during_n=end - onset,
        noise=noise,
        effect=shift / noise,
        p_value=min(1.0, tail * starts),
    )


def _points_to_arrive(rising: NDArray[np.float64], level: float, arrived: NDArray[np.float64]) -> int:
    """Return after how many points most of the way to the last quarter's level is done."""
    way = float(np.median(arrived)) - level
    there = (rising - level) * np.sign(way) >= ARRIVED * abs(way)
    return int(np.argmax(there)) if there.any() else len(rising)


def _block_deviation(pool: NDArray[np.float64], before: int, during: int) -> float:
    """Return how far means of neighbouring blocks lie apart in the past; 0 where the past is too short to say."""
    if len(pool) < max(MIN_POOL_FOR_BLOCKS, 2 * (before + during)):
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(pool)])
    edges = np.arange(before, len(pool) - during + 1)
    apart = (sums[edges + during] - sums[edges]) / during - (sums[edges] - sums[edges - before]) / before
    return _MAD_TO_SIGMA * float(np.median(np.abs(apart)))


def student_tail(t: float, *, degrees: int) -> float:
    """Return the two-sided tail of Student's t.

    Notes
    -----
    Wallace (1959), doi:10.1214/aoms/1177706093, eq. 2.7: a normal deviate within 0.02 of the exact one for all t at
    three degrees of freedom and more; it spares the import of a statistics library.
    """
    scale = (8 * degrees + 1) / (8 * degrees + 3)
    return math.erfc(scale * math.sqrt(degrees * math.log1p(t * t / degrees)) / math.sqrt(2))
