"""Delta debugging over a list, and bisection over a number: the search itself, apart from what is searched."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def ddmin(items: Sequence[T], shows: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return a sub-list that still shows what all of `items` show, and from which no single item can be taken.

    Parameters
    ----------
    items : sequence
        What is known to show it.
    shows : callable
        Says whether a sub-list shows it; never called with all of `items`.

    Returns
    -------
    list
        1-minimal: without any one of its items it does not show it.

    Notes
    -----
    ddmin of Zeller & Hildebrandt (2002), "Simplifying and isolating failure-inducing input", section 3.2,
    doi:10.1109/32.988498. Where it differs: the empty list is tried first, since here it often suffices, and with two
    parts the complements are left out, since they are the other part.

    Examples
    --------
    >>> ddmin(range(1, 9), lambda kept: {1, 7, 8} <= set(kept))
    [1, 7, 8]
    """
    kept = list(items)
    if not kept or shows([]):
        return []
    parts = min(2, len(kept))
    while len(kept) >= 2:
        chunks = _split(kept, parts)
        chunk = next((each for each in chunks if shows(each)), None)
        if chunk is not None:
            kept, parts = chunk, min(2, len(chunk))
            continue
        rest = None
        if parts > 2:
            complements = ([item for other in chunks if other is not each for item in other] for each in chunks)
            rest = next((each for each in complements if shows(each)), None)
        if rest is not None:
            kept, parts = rest, max(parts - 1, 2)
        elif parts < len(kept):
            parts = min(len(kept), 2 * parts)
        else:
            break
    return kept


def drop_singles(items: Sequence[T], shows: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return what is left when every item that can be taken away by itself has been, one after another."""
    kept = list(items)
    for item in items:
        rest = [other for other in kept if other is not item]
        if shows(rest):
            kept = rest
    return kept


def smallest_count(high: int, shows: Callable[[int], bool], *, low: int = 0) -> int:
    """Return a count up to `high` that shows it while one fewer does not; `low` is known not to.

    One more than `low` is tried first, then the middle: where more never shows less, it is the smallest of all.

    Examples
    --------
    >>> smallest_count(40, lambda n: n >= 13)
    13
    """
    if high - low > 1:
        if shows(low + 1):
            return low + 1
        low += 1
    while high - low > 1:
        middle = (low + high) // 2
        if shows(middle):
            high = middle
        else:
            low = middle
    return high


def _split(items: list[T], parts: int) -> list[list[T]]:
    bounds = [len(items) * n // parts for n in range(parts + 1)]
    return [items[start:stop] for start, stop in pairwise(bounds)]
