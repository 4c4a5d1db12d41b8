"""How wide buckets are, which of them were recorded, and the times that series stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.production.model import QUIET_BUCKETS
from prodintel_lib.errors import NoDataError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_POINTS: Final = 12_000
"""So many points a series has at most, unless the width is given."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
_HOUR_US: Final = HOUR_S * US_PER_S
_MINUTE_US: Final = 60 * US_PER_S
_WEEK_US: Final = 7 * DAY_S * US_PER_S
# A width, and up to how much recorded time it is fine enough to see an incident and wide enough to count in.
_WIDTHS_S: Final = ((10, 6 * HOUR_S), (60, 3 * DAY_S), (300, 42 * DAY_S), (900, 126 * DAY_S), (HOUR_S, 0))
MIN_SPANS: Final = 5.0
MIN_VISITS: Final = 20.0
"""Fewer sessions in a bucket say nothing of a share of them."""


def choose_bucket_s(minutes_us: NDArray[np.int64], *, spans: int | None = None) -> int:
    """Choose the width of buckets by how much time is covered by data.

    Parameters
    ----------
    minutes_us : array of int
        Starts of the minutes in which anything was recorded, increasing.
    spans : int, optional
        How many spans there are: where a bucket would hold fewer than MIN_SPANS, a minute is the least, since what is
        known then comes from metrics, and they are mostly taken once a minute.

    Returns
    -------
    int
        10 s where up to six hours were recorded, 60 s up to three days, 300 s up to six weeks, else 900 or 3,600; wider
        where a series would have more than MAX_POINTS points. An hour without data is a gap, less is a quiet time.

    Raises
    ------
    NoDataError
        If nothing was recorded.
    """
    covered_s = _covered_us(minutes_us, quiet_us=_HOUR_US) / US_PER_S
    for width_s, until_s in _WIDTHS_S[:-1]:
        points = len(choose_times(join_quiet(minutes_us, bucket_us=width_s * US_PER_S), bucket_us=width_s * US_PER_S))
        is_thin = spans is not None and width_s < MINUTE_S and spans * width_s < MIN_SPANS * covered_s
        if covered_s <= until_s and points <= MAX_POINTS and not is_thin:
            return width_s
    return _WIDTHS_S[-1][0]


def choose_visit_bucket_s(minutes_us: NDArray[np.int64], *, sessions: int) -> int:
    """Choose the width of buckets for visits: as choose_bucket_s, and wide enough for MIN_VISITS in each on average.

    Parameters
    ----------
    minutes_us : array of int
        Starts of the minutes in which anything of a visitor was recorded, increasing.
    sessions : int
        All there are.
    """
    least_s = choose_bucket_s(minutes_us)
    covered_s = _covered_us(minutes_us, quiet_us=_HOUR_US) / US_PER_S
    enough = (width_s for width_s, _ in _WIDTHS_S if sessions * width_s >= MIN_VISITS * covered_s)
    return max(least_s, next(enough, _WIDTHS_S[-1][0]))


def join_quiet(recorded_us: NDArray[np.int64], *, bucket_us: int) -> NDArray[np.int64]:
    """Return the buckets in which something was recorded, and the quiet ones between them.

    Parameters
    ----------
    recorded_us : array of int
        Times at which anything was recorded, increasing.
    bucket_us : int

    Returns
    -------
    array of int
        Starts of buckets, increasing; QUIET_BUCKETS without anything, between two that have something, count as well.
    """
    starts = np.unique(recorded_us // bucket_us * bucket_us)
    filled = [np.arange(first, last + 1, bucket_us) for first, last in _stretches(starts, bucket_us)]
    return np.concatenate([*filled, np.empty(0, dtype=np.int64)]).astype(np.int64)


def choose_times(recorded_us: NDArray[np.int64], *, bucket_us: int) -> NDArray[np.int64]:
    """Return the times a series has points at: all recorded buckets, and enough of the gaps between them.

    Where less than a day was recorded nothing can be learned of days: of each gap QUIET_BUCKETS are left, so that what
    came before a gap and what comes after it are apart. Where more was recorded, whole weeks are left out of gaps, so
    that the same hour of the week stays where it is looked for.

    Parameters
    ----------
    recorded_us : array of int
        As join_quiet returns it.
    bucket_us : int
    """
    day = DAY_S * US_PER_S // bucket_us
    week = _WEEK_US // bucket_us
    parts: list[NDArray[np.int64]] = []
    for first, last in _stretches(recorded_us, bucket_us):
        if parts:
            after = parts[-1][-1] + bucket_us
            missing = int((first - after) // bucket_us)
            kept = QUIET_BUCKETS if len(recorded_us) < day else missing - missing // week * week
            parts.append(after + bucket_us * np.arange(min(missing, kept), dtype=np.int64))
        parts.append(np.arange(first, last + 1, bucket_us, dtype=np.int64))
    return np.concatenate([*parts, np.empty(0, dtype=np.int64)])


def number_stretches(recorded_us: NDArray[np.int64], *, bucket_us: int) -> NDArray[np.int64]:
    """Return for each recorded bucket which uninterrupted stretch of recording it is in: 0, 1, ..."""
    if not len(recorded_us):
        return np.empty(0, dtype=np.int64)
    return np.concatenate([[0], np.cumsum(np.diff(recorded_us) > bucket_us)]).astype(np.int64)


def _stretches(starts_us: NDArray[np.int64], bucket_us: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last bucket of each stretch that no gap interrupts."""
    if not len(starts_us):
        return
    ends = np.flatnonzero(np.diff(starts_us) > (QUIET_BUCKETS + 1) * bucket_us)
    for first, last in zip([0, *(ends + 1)], [*ends, len(starts_us) - 1], strict=True):
        yield int(starts_us[first]), int(starts_us[last])


def _covered_us(minutes_us: NDArray[np.int64], *, quiet_us: int) -> int:
    if not len(minutes_us):
        raise NoDataError("Nothing was recorded, so there is no width of buckets to choose.")
    waits = np.diff(minutes_us)
    return int(waits[waits <= quiet_us].sum()) + _MINUTE_US * (1 + int((waits > quiet_us).sum()))
