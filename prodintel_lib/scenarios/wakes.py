"""The wake of a request: what others sent shortly before, after which anybody's requests go bad.

A connection that leaks with every refused coupon, a record that blocks the worker behind a queue: those who fail did
nothing unusual themselves. What somebody else did, and how lately, is what sets their requests apart.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from prodintel_lib.scenarios.recorded import MASK, leaves
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.recorded import RecordedRequest

WITHIN_S: Final = (1, 2, 3, 5, 10, 20, 30, 60)
MIN_EVENTS: Final = 3
MIN_WIDTHS: Final = 5
MAX_KINDS: Final = 120
# A wake ends at a moment nobody recorded, and spares some who come in it: less than a half is asked of it.
MIN_YOUDEN: Final = 1 / 3
SHIFTS: Final = 39
MAX_P: Final = 0.05

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wake:
    """What anybody sent in the seconds before, and how often at least, that separates bad requests from good ones best.

    Attributes
    ----------
    kind : str
        As kinds_of names it.
    within_s, threshold : int
    youden : float
    counts : tuple of int
        How many such requests came before each request of interest.
    """

    kind: str
    within_s: int
    threshold: int
    youden: float
    counts: tuple[int, ...]


def find_wake(times_us: Sequence[int], bad: Sequence[bool], around: Iterable[RecordedRequest]) -> Wake | None:
    """Find what others sent that bad requests follow.

    Parameters
    ----------
    times_us : sequence of int
        When the requests of interest began.
    bad : sequence of bool
        Which of them went bad.
    around : iterable of RecordedRequest
        Everything that was sent around them.

    Returns
    -------
    Wake or None
        None where the best has a Youden index below a third, or is no better than chance.

    Notes
    -----
    Failures come in bursts and so do customers, and requests that follow each other are no independent trials. So the
    chance is taken from the same series put against each other at another time: everything that was sent is shifted
    around the clock of the stretch, and the best wake of each shift counts, whatever its kind (a permutation test with
    the maximum statistic: Westfall and Young 1993, Resampling-Based Multiple Testing).
    """
    at, is_bad = np.asarray(times_us, dtype=np.int64), np.asarray(bad, dtype=bool)
    if is_bad.all() or not is_bad.any():
        return None
    # What is counted over a large part of the time says only when it was, and that is no difference between requests.
    stretch_us = int(at.max() - at.min())
    widths_s = [within_s for within_s in WITHIN_S if within_s * US_PER_S * MIN_WIDTHS <= stretch_us]
    if not widths_s:
        return None
    start_us = int(at.min()) - widths_s[-1] * US_PER_S
    sent = _sent(around, start_us, int(at.max()))
    best = _strongest(at, is_bad, sent, widths_s)
    if best is None or best.youden < MIN_YOUDEN:
        return None
    length_us = int(at.max()) - start_us
    shifts_us = [round(length_us * (0.1 + 0.8 * number / (SHIFTS - 1))) for number in range(SHIFTS)]
    chance = 1
    for shift_us in shifts_us:
        moved = {kind: np.sort(start_us + (times - start_us + shift_us) % length_us) for kind, times in sent.items()}
        other = _strongest(at, is_bad, moved, widths_s)
        chance += other is not None and other.youden >= best.youden
    return best if chance / (SHIFTS + 1) <= MAX_P else None


def _sent(around: Iterable[RecordedRequest], start_us: int, end_us: int) -> dict[str, Times]:
    times: dict[str, list[int]] = defaultdict(list)
    for request in around:
        if start_us <= request.time_us < end_us:
            for kind in kinds_of(request):
                times[kind].append(request.time_us)
    often = sorted(
        (kind for kind in times if len(times[kind]) >= MIN_EVENTS), key=lambda kind: (-len(times[kind]), kind)
    )
    return {kind: np.sort(np.asarray(times[kind], dtype=np.int64)) for kind in often[:MAX_KINDS]}


def _strongest(
    at: Times, is_bad: npt.NDArray[np.bool_], sent: Mapping[str, Times], widths_s: Sequence[int]
) -> Wake | None:
    best: tuple[float, str, int, int] | None = None
    for kind, events in sent.items():
        until = np.searchsorted(events, at, side="left")
        for within_s in widths_s:
            counts = until - np.searchsorted(events, at - within_s * US_PER_S, side="left")
            levels = np.arange(1, int(counts.max(initial=0)) + 1)[:, None]
            youden = (counts[is_bad] >= levels).mean(axis=1) - (counts[~is_bad] >= levels).mean(axis=1)
            if len(youden) and (best is None or youden.max() > best[0] + EQUAL):
                best = float(youden.max()), kind, within_s, int(youden.argmax()) + 1
    if best is None:
        return None
    youden_index, kind, within_s, threshold = best
    counts = np.searchsorted(sent[kind], at) - np.searchsorted(sent[kind], at - within_s * US_PER_S)
    return Wake(kind, within_s, threshold, youden_index, tuple(int(number) for number in counts))


EQUAL: Final = 1e-9


def kinds_of(request: RecordedRequest) -> Iterable[str]:
    """Name what is particular about a request: that it was refused, or an input it holds."""
    if request.status is not None and 400 <= request.status < 500:
        yield f"{request.label} answered {request.status}"
    if not request.writes:
        return
    asked: list[tuple[str, JsonValue]] = [(f"query {name}", value) for name, value in request.query]
    for name, leaf in [*asked, *leaves(request.body)]:
        if isinstance(leaf, str) and not MASK.fullmatch(leaf):
            if not leaf.isascii():
                yield f"{request.label} whose {name} holds a character beyond ASCII"
            yield f"{request.label} whose {name} is {leaf!r:.60}"


def requests_of_kind(
    kind: str, sessions: Mapping[str, Sequence[RecordedRequest]]
) -> Iterable[tuple[RecordedRequest, tuple[RecordedRequest, ...]]]:
    """Yield the requests of a kind, as kinds_of names it, each with what its session did before."""
    for requests in sessions.values():
        for number, request in enumerate(requests):
            if kind in kinds_of(request):
                yield request, tuple(requests[:number])
