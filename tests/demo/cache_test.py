import concurrent.futures
import threading

import pytest

from demo.shop.cache import CoalescingCache, CountingCache
from tests.demo.shoppers import eventually


def test_get_or_load_loads_once() -> None:
    cache: CountingCache[str] = CountingCache("test", max_items=2, ttl_s=60)
    loads = []

    def load() -> str:
        loads.append(1)
        return "value"

    assert [cache.get_or_load("key", load) for _ in range(3)] == ["value"] * 3
    assert len(loads) == 1


def test_get_or_load_does_not_keep_a_failure() -> None:
    cache: CountingCache[str] = CountingCache("test", max_items=2, ttl_s=60)

    def fail() -> str:
        raise KeyError("no such product")

    with pytest.raises(KeyError, match="no such product"):
        cache.get_or_load("key", fail)
    assert cache.get_or_load("key", lambda: "value") == "value"


def test_flush_forgets_every_value() -> None:
    cache: CountingCache[str] = CountingCache("test", max_items=2, ttl_s=60)
    cache.put("key", "old")

    assert cache.flush() == 1
    assert cache.get_or_load("key", lambda: "new") == "new"


def test_coalescing_cache_loads_once_for_all_who_wait() -> None:
    cache: CoalescingCache[str] = CoalescingCache("test", max_items=2, ttl_s=60)
    loads: list[int] = []
    asked: list[concurrent.futures.Future[str]] = []

    def load() -> str:
        loads.append(1)
        if len(loads) == 1:
            asked.extend(pool.submit(cache.get_or_load, "key", load) for _ in range(5))
            # Time enough for those who would load themselves; those who wait are still waiting then.
            concurrent.futures.wait(asked, timeout=0.3)
        return "value"

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert cache.get_or_load("key", load) == "value"
        assert [future.result() for future in asked] == ["value"] * 5
    assert len(loads) == 1


def test_coalescing_cache_gives_what_is_stale_while_one_loads() -> None:
    cache: CoalescingCache[str] = CoalescingCache("test", max_items=2, ttl_s=60)
    cache.put("key", "old")
    may_load, loaded = threading.Event(), threading.Event()

    def load() -> str:
        may_load.wait(10)
        loaded.set()
        return "new"

    assert cache.flush() == 1
    assert [cache.get_or_load("key", load) for _ in range(3)] == ["old"] * 3
    may_load.set()
    assert loaded.wait(10)
    assert eventually(lambda: cache.get_or_load("key", load) == "new", within_s=10)


def test_coalescing_cache_loads_anew_after_its_time() -> None:
    clock = [0.0]
    cache: CoalescingCache[str] = CoalescingCache("test", max_items=2, ttl_s=60, now_s=lambda: clock[0])
    cache.put("key", "old")

    clock[0] = 59.9
    assert cache.get_or_load("key", lambda: "new") == "old"
    clock[0] = 60.1
    assert cache.get_or_load("key", lambda: "new") == "old"
    assert eventually(lambda: cache.get_or_load("key", lambda: "new") == "new", within_s=10)


def test_coalescing_cache_does_not_keep_a_failure() -> None:
    cache: CoalescingCache[str] = CoalescingCache("test", max_items=2, ttl_s=60)

    def fail() -> str:
        raise KeyError("no such product")

    with pytest.raises(KeyError, match="no such product"):
        cache.get_or_load("key", fail)
    assert cache.get_or_load("key", lambda: "value") == "value"
