"""How many requests it takes to tell a healthy share from a bad one, and when fewer are enough.

A guard counts bad answers among so many. Its plan says after which numbers of requests to look and what to conclude
from how many bad ones: the bounds are whole numbers, so every tool that can count can follow the plan, and the two
errors of the whole procedure are computed exactly, looks and truncation included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.guards.model import Look, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

POWER: Final = 0.9
FALSE_ALARM: Final = 0.01
MAX_REQUESTS: Final = 2_000
MAX_LOOKS: Final = 25
# Neighbouring requests share their luck: a handful of them says less than its number.
MIN_REQUESTS: Final = 10
_LARGEST_SEARCHED: Final = 1_000_000
_EDGE: Final = 1e-9
# Wald's thresholds overshoot with few looks and truncation costs some power: nearby ones are tried, exactly.
_FACTORS: Final = (0.7, 0.85, 1.0, 1.2, 1.5, math.inf)
_LENGTHS: Final = (1.0, 1.1, 1.25, 1.5)


@dataclass(frozen=True, slots=True)
class TooClose:
    """Two shares that no bearable number of requests tells apart.

    Attributes
    ----------
    needed : int or None
        How many it would take; None where the shares are equal or it is beyond a million.
    """

    needed: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """How a plan goes at one share."""

    red: float
    expected: float


def choose_plan(
    healthy: float,
    bad: float,
    *,
    at_once: int = 1,
    power: float = POWER,
    false_alarm: float = FALSE_ALARM,
    max_requests: int = MAX_REQUESTS,
) -> Plan | TooClose:
    """Find the plan that tells two shares apart with few requests.

    Parameters
    ----------
    healthy, bad : float
        Shares of bad answers, 0 to 1; `bad` is the larger.
    at_once : int
        Requests sent side by side: looks come after multiples of it.
    power : float
        The chance of red at the share `bad`, at least.
    false_alarm : float
        The chance of red at the share `healthy`, at most.
    max_requests : int
        More are not bearable.

    Returns
    -------
    Plan or TooClose

    Raises
    ------
    ParameterError
        If a share or a chance is no share, or `at_once` is not positive.

    Notes
    -----
    Wald (1945), doi:10.1214/aoms/1177731118: the likelihood ratio against two thresholds. Here it is looked at after
    groups of requests and truncated near the size of the fixed test; the thresholds are the best of a few multiples of
    Wald's, by the mean of the expected numbers at both shares, among those whose errors, summed exactly over all paths
    (Schultz et al. 1973, doi:10.2307/2529158), keep both promises.

    Examples
    --------
    >>> plan = choose_plan(0.01, 0.3)
    >>> plan.fixed_requests, plan.max_requests, plan.power >= 0.9, plan.false_alarm <= 0.01
    (12, 12, True, True)
    """
    _check(healthy, bad, power, false_alarm, at_once)
    if bad <= healthy:
        return TooClose(None)
    healthy, bad = max(healthy, _EDGE), min(bad, 1 - _EDGE)
    fixed = fixed_size(healthy, bad, power=power, false_alarm=false_alarm, at_most=max_requests)
    if fixed is None:
        return TooClose(fixed_size(healthy, bad, power=power, false_alarm=false_alarm, at_most=_LARGEST_SEARCHED))
    best: Plan | None = None
    for looks in _candidates(_Task(healthy, bad, power, false_alarm), fixed, at_once):
        if looks[-1].n > max_requests:
            continue
        at_healthy, at_bad = follow(looks, healthy), follow(looks, bad)
        plan = Plan(
            healthy=healthy,
            bad=bad,
            looks=looks,
            fixed_requests=fixed,
            power=at_bad.red,
            false_alarm=at_healthy.red,
            expected_healthy=at_healthy.expected,
            expected_bad=at_bad.expected,
        )
        if best is None or _cost(plan) < _cost(best):
            best = plan
    return best or TooClose(fixed)


def fixed_size(healthy: float, bad: float, *, power: float, false_alarm: float, at_most: int) -> int | None:
    """Return the smallest number of requests with which one look keeps both promises; None beyond `at_most`."""
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    step = 4_096
    for first in range(MIN_REQUESTS, at_most + 1, step):
        n = np.arange(first, min(first + step, at_most + 1))
        good = special.bdtrc(_critical(n, healthy, false_alarm) - 1, n, bad) >= power
        if good.any():
            return int(n[int(np.argmax(good))])
    return None


def follow(looks: Sequence[Look], share: float) -> Course:
    """Return the chance of red and the expected number of requests at a share of bad answers, exactly."""
    counts = np.ones(1)
    done, red, expected = 0, 0.0, 0.0
    for look in looks:
        counts = np.convolve(counts, _binomial(look.n - done, share))
        # Whoever has not concluded before this look sends up to it.
        expected += (look.n - done) * float(counts.sum())
        done = look.n
        red += float(counts[look.red_at_least :].sum())
        counts = counts[: look.red_at_least].copy()
        counts[: look.green_at_most + 1] = 0.0
    return Course(red, expected)


def conclude(looks: Sequence[Look], n: int, bad: int) -> str:
    """Return ``red`` or ``green`` where a look at `n` requests concludes, else nothing."""
    for look in looks:
        if look.n == n:
            return "red" if bad >= look.red_at_least else "green" if bad <= look.green_at_most else ""
    return ""


def upper_bound(hits: int, n: int, *, confidence: float = 0.95) -> float:
    """Return the share that is exceeded with the chance 1 - `confidence` at most, one-sided.

    Notes
    -----
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    return 1.0 if hits >= n else float(special.betaincinv(hits + 1, n - hits, confidence))


def lower_bound(hits: int, n: int, *, confidence: float = 0.95) -> float:
    """Return the share that lies above the true one with the chance 1 - `confidence` at most, one-sided."""
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    return 0.0 if hits <= 0 else float(special.betaincinv(hits, n - hits + 1, 1 - confidence))


def _check(healthy: float, bad: float, power: float, false_alarm: float, at_once: int) -> None:
    shares = {"healthy": healthy, "bad": bad, "power": power, "false_alarm": false_alarm}
    wrong = {name: value for name, value in shares.items() if not 0 <= value <= 1}
    if wrong or at_once < 1 or not false_alarm < power < 1 or not false_alarm:
        raise ParameterError(
            "A plan needs shares from 0 to 1, 0 < false_alarm < power < 1, and at least one request at once; got "
            f"{', '.join(f'{name}={value:g}' for name, value in shares.items())}, at_once={at_once}.",
            hint="give shares, not percentages.",
        )


def _critical(n: NDArray[np.int64], healthy: float, false_alarm: float) -> NDArray[np.float64]:
    """Return the fewest bad ones that are rarer than `false_alarm` among `n` healthy requests."""
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    found = np.maximum(np.ceil(special.bdtrik(1 - false_alarm, n, healthy)), 0.0)
    # The inverse is of floats; the count has to be right.
    found = np.where((found > 0) & (special.bdtr(found - 1, n, healthy) >= 1 - false_alarm), found - 1, found)
    critical: NDArray[np.float64] = found + 1
    return critical


@dataclass(frozen=True, slots=True)
class _Task:
    """What a plan has to do."""

    healthy: float
    bad: float
    power: float
    false_alarm: float

    def closed(self, looks: Sequence[Look], n: int) -> tuple[Look, ...] | None:
        """Add a last look at `n` that keeps both promises, as far from breaking either as can be; None if none does."""
        early = [follow(looks, share).red for share in (self.healthy, self.bad)]
        late = [np.cumsum(_reaching(looks, n, share)[::-1])[::-1] for share in (self.healthy, self.bad)]
        alarms, missed = early[0] + late[0], 1 - early[1] - late[1]
        strain = np.maximum(alarms / self.false_alarm, missed / (1 - self.power))
        critical = int(np.argmin(strain[1:])) + 1
        if strain[critical] > 1:
            return None
        return (*looks, Look(n=n, green_at_most=critical - 1, red_at_least=critical))


def _candidates(task: _Task, fixed: int, at_once: int) -> Iterator[tuple[Look, ...]]:
    group = max(at_once, math.ceil(fixed / MAX_LOOKS))
    up = math.log(task.power / task.false_alarm)
    down = math.log((1 - task.false_alarm) / (1 - task.power))
    lengths = sorted({math.ceil(fixed * length / group) * group for length in _LENGTHS})
    tried = [(fixed, math.inf, math.inf), *product(lengths, _FACTORS, _FACTORS)]
    for length, rise, fall in tried:
        looks = list(_walds(task, range(group, length, group), up * rise, down * fall))
        closed = task.closed(looks, length)
        if closed:
            yield closed


def _walds(task: _Task, numbers: range, up: float, down: float) -> Iterator[Look]:
    """Yield the looks at these numbers that can conclude, with the whole numbers beyond Wald's lines."""
    per_good = math.log((1 - task.bad) / (1 - task.healthy))
    per_bad = math.log(task.bad / task.healthy) - per_good
    for n in numbers:
        if n < MIN_REQUESTS:
            continue
        red = n + 1 if math.isinf(up) else min(n + 1, max(1, math.ceil((up - n * per_good) / per_bad)))
        green = -1 if math.isinf(down) else max(-1, min(red - 1, math.floor((-down - n * per_good) / per_bad)))
        if red <= n or green >= 0:
            yield Look(n=n, green_at_most=green, red_at_least=red)


def _reaching(looks: Sequence[Look], n: int, share: float) -> NDArray[np.float64]:
    """Return how likely each count of bad ones is at the last look, having come so far."""
    counts, done = np.ones(1), 0
    for look in looks:
        counts = np.convolve(counts, _binomial(look.n - done, share))[: look.red_at_least]
        counts[: look.green_at_most + 1] = 0.0
        done = look.n
    return np.convolve(counts, _binomial(n - done, share))


def _binomial(n: int, share: float) -> NDArray[np.float64]:
    if share in {0.0, 1.0}:
        certain = np.zeros(n + 1)
        certain[round(n * share)] = 1.0
        return certain
    logs = np.concatenate([np.zeros(1), np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    log = logs[n] - logs - logs[::-1] + k * math.log(share) + (n - k) * math.log1p(-share)
    chances: NDArray[np.float64] = np.exp(log)
    return chances


def _cost(plan: Plan) -> tuple[float, int]:
    return (plan.expected_healthy + plan.expected_bad) / 2, plan.max_requests
