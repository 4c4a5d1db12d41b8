import pytest

from demo.shop.cache import CountingCache


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
