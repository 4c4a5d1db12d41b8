"""The wake of a request: what others sent shortly before, after which anybody's requests go bad.

A connection that leaks with every refused coupon, a record that blocks the worker behind a queue: those who fail did
nothing unusual themselves. What somebody else did, and how lately, is what sets their requests apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.scenarios.recorded import MASK, leaves
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.recorded import RecordedRequest

WITHIN_S: Final = (1, 2, 3, 5, 10, 20, 30, 60)
MIN_EVENTS: Final = 3
MAX_KINDS: Final = 300


def find_wakes(times_us: Sequence[int], around: Iterable[RecordedRequest]) -> Iterable[tuple[str, int, Sequence[int]]]:
    """Count, for requests at some times, what anybody sent in the seconds before each.

    Parameters
    ----------
    times_us : sequence of int
        When the requests of interest began.
    around : iterable of RecordedRequest
        Everything that was sent around them.

    Yields
    ------
    str, int, sequence of int
        What was sent, within how many seconds, and how many such requests came before each time.
    """
    sent: dict[str, list[int]] = defaultdict(list)
    for request in around:
        for kind in kinds_of(request):
            sent[kind].append(request.time_us)
    counts = Counter({kind: len(times) for kind, times in sent.items() if len(times) >= MIN_EVENTS})
    at = np.asarray(times_us, dtype=np.int64)
    for kind, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_KINDS]:
        events = np.sort(np.asarray(sent[kind], dtype=np.int64))
        until = np.searchsorted(events, at, side="left")
        for within_s in WITHIN_S:
            since = np.searchsorted(events, at - within_s * US_PER_S, side="left")
            yield kind, within_s, [int(number) for number in until - since]


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
