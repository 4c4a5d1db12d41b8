from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.minimise.ddmin import ddmin, drop_singles, smallest_count


def naive_one_minimal(items, shows):
    """Take single items away for as long as any can go: slow, and plainly right."""
    kept = list(items)
    while kept:
        smaller = next((rest for rest in map(list, combinations(kept, len(kept) - 1)) if shows(rest)), None)
        if smaller is None:
            break
        kept = smaller
    return kept


def test_ddmin_finds_the_example_of_its_paper():
    assert ddmin(range(1, 9), lambda kept: {1, 7, 8} <= set(kept)) == [1, 7, 8]


def test_ddmin_tries_nothing_at_all_first():
    tried = []
    assert ddmin([1, 2, 3], lambda kept: tried.append(list(kept)) or True) == []
    assert tried == [[]]


def test_ddmin_never_asks_about_everything():
    tried = []
    assert ddmin([1, 2, 3, 4], lambda kept: tried.append(list(kept)) or False) == [1, 2, 3, 4]
    assert [1, 2, 3, 4] not in tried


@given(st.sets(st.integers(0, 11)), st.integers(0, 12))
def test_ddmin_agrees_with_the_naive_search_where_one_set_is_what_it_takes(needed, size):
    needed = {item for item in needed if item < size}

    def shows(kept):
        return needed <= set(kept)

    assert ddmin(range(size), shows) == naive_one_minimal(range(size), shows) == sorted(needed)


@given(st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=4))
def test_ddmin_is_one_minimal_where_several_sets_would_do(ways):
    def shows(kept):
        return any(way <= set(kept) for way in ways) or len(kept) == 8

    kept = ddmin(range(8), shows)
    assert shows(kept)
    assert not any(shows([item for item in kept if item != gone]) for gone in kept)


def test_drop_singles_drops_each_that_can_go():
    assert drop_singles([1, 2, 3, 4], lambda kept: 3 in kept) == [3]


@pytest.mark.parametrize("least", [1, 2, 3, 13, 39, 40])
def test_smallest_count_finds_the_least_that_shows(least):
    tried = []
    assert smallest_count(40, lambda n: tried.append(n) or n >= least) == least
    assert 40 not in tried
    assert least == 1 or least - 1 in tried, "one fewer was seen not to show it"
