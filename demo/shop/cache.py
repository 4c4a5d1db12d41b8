"""A cache in the process that counts what it saved."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from cachetools import TTLCache
from opentelemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class CountingCache(Generic[T]):
    """Keep values for a while; report ``cache.hits`` and ``cache.misses`` under ``cache.name``.

    Parameters
    ----------
    name : str
    max_items : int
    ttl_s : float
    """

    def __init__(self, name: str, *, max_items: int, ttl_s: float) -> None:
        self._items: TTLCache[str, T] = TTLCache(maxsize=max_items, ttl=ttl_s)
        self._lock = threading.Lock()
        self._label = {"cache.name": name}
        meter = metrics.get_meter(__name__)
        self._hits = meter.create_counter("cache.hits", unit="{lookup}")
        self._misses = meter.create_counter("cache.misses", unit="{lookup}")

    def get_or_load(self, key: str, load: Callable[[], T]) -> T:
        """Return the kept value, or load and keep it; what `load` raises is not kept."""
        with self._lock:
            kept = self._items.get(key)
        if kept is not None:
            self._hits.add(1, self._label)
            return kept
        self._misses.add(1, self._label)
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
