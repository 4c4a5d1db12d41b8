"""Caches in the process that count what they saved."""

from __future__ import annotations

import logging
import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from cachetools import LRUCache, TTLCache
from opentelemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Cache(Protocol[T]):
    """What every cache can."""

    def get_or_load(self, key: str, load: Callable[[], T]) -> T:
        """Return the kept value, or load and keep it; what `load` raises is not kept."""

    def put(self, key: str, value: T) -> None:
        """Keep a value."""

    def flush(self) -> int:
        """Declare every value to be out of date; return how many there were."""


class _Lookups:
    """Counts lookups as ``cache.hits`` and ``cache.misses`` under ``cache.name``."""

    def __init__(self, name: str) -> None:
        self._label = {"cache.name": name}
        meter = metrics.get_meter(__name__)
        self._hits = meter.create_counter("cache.hits", unit="{lookup}")
        self._misses = meter.create_counter("cache.misses", unit="{lookup}")

    def count(self, *, hit: bool) -> None:
        (self._hits if hit else self._misses).add(1, self._label)


class CountingCache(Generic[T]):
    """Keep values for a while. Whoever misses one loads it: while that lasts, all who ask load the same.

    Parameters
    ----------
    name : str
    max_items : int
    ttl_s : float
    """

    def __init__(self, name: str, *, max_items: int, ttl_s: float) -> None:
        self._items: TTLCache[str, T] = TTLCache(maxsize=max_items, ttl=ttl_s)
        self._lock = threading.Lock()
        self._lookups = _Lookups(name)

    def get_or_load(self, key: str, load: Callable[[], T]) -> T:
        """Return the kept value, or load and keep it; what `load` raises is not kept."""
        with self._lock:
            kept = self._items.get(key)
        self._lookups.count(hit=kept is not None)
        if kept is not None:
            return kept
        value = load()
        self.put(key, value)
        return value

    def put(self, key: str, value: T) -> None:
        """Keep a value."""
        with self._lock:
            self._items[key] = value

    def get(self, key: str) -> T | None:
        """Return the kept value without counting."""
        with self._lock:
            return self._items.get(key)

    def flush(self) -> int:
        """Forget every value; return how many there were."""
        with self._lock:
            flushed = len(self._items)
            self._items.clear()
        return flushed


@dataclass(slots=True)
class _Kept(Generic[T]):
    value: T
    fresh_until_s: float


class CoalescingCache(Generic[T]):
    """Keep values for a while, and load each value once however many ask for it.

    What is out of date is still given while one loads it anew in the background; what was never there is loaded by
    the first who asks, and the others wait for that.

    Parameters
    ----------
    name : str
    max_items : int
    ttl_s : float
    now_s : callable, optional
        A clock that never goes back.
    """

    def __init__(self, name: str, *, max_items: int, ttl_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._items: LRUCache[str, _Kept[T]] = LRUCache(maxsize=max_items)
        self._flights: dict[str, Future[T]] = {}
        self._ttl_s = ttl_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._lookups = _Lookups(name)
        # One: what is only out of date must not take the database from those who have nothing at all.
        self._refresher = ThreadPoolExecutor(1, thread_name_prefix=f"refresh-{name}")

    def get_or_load(self, key: str, load: Callable[[], T]) -> T:
        """Return the kept value, or load and keep it; what `load` raises is not kept."""
        with self._lock:
            kept = self._items.get(key)
            is_fresh = kept is not None and self._now_s() < kept.fresh_until_s
            flight = None if is_fresh else self._flights.get(key)
            takes_off = not is_fresh and flight is None
            if flight is None:
                flight = Future()
            if takes_off:
                self._flights[key] = flight
        self._lookups.count(hit=kept is not None)
        if kept is not None:
            if takes_off:
                self._refresher.submit(self._fly, key, load, flight)
            return kept.value
        if takes_off:
            self._fly(key, load, flight)
        return flight.result()

    def put(self, key: str, value: T) -> None:
        """Keep a value."""
        with self._lock:
            self._items[key] = _Kept(value, self._now_s() + self._ttl_s)

    def flush(self) -> int:
        """Declare every value to be out of date; return how many there were."""
        with self._lock:
            for kept in self._items.values():
                kept.fresh_until_s = -math.inf
            return len(self._items)

    def _fly(self, key: str, load: Callable[[], T], flight: Future[T]) -> None:
        """Load for all who wait; whoever waits is told of a failure as well."""
        try:
            value = load()
        except Exception as error:
            logger.warning("%s could not be loaded: %s", key, error)
            with self._lock:
                del self._flights[key]
            flight.set_exception(error)
            raise
        self.put(key, value)
        with self._lock:
            del self._flights[key]
        flight.set_result(value)
