import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from prodintel_lib.faults.sequence import is_struck, offset_of, spread


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    name=st.text(max_size=20),
    rate=st.floats(0, 1),
    start=st.integers(0, 10**9),
    count=st.integers(1, 168),
)
def test_is_struck_holds_the_share_in_any_window(seed, name, rate, start, count):
    offset = offset_of(seed, name)

    hits = sum(is_struck(offset, index, rate) for index in range(start, start + count))

    assert abs(hits - rate * count) < 3


@settings(deadline=None)
@given(seed=st.integers(0, 2**63 - 1), start=st.integers(0, 10**9))
def test_is_struck_hits_nine_of_twenty_at_forty_five_percent_give_or_take_two(seed, start):
    offset = offset_of(seed, "slow")

    assert 7 <= sum(is_struck(offset, index, 0.45) for index in range(start, start + 20)) <= 11


def test_is_struck_is_the_same_every_time():
    offset = offset_of(7, "slow")

    struck = [index for index in range(20) if is_struck(offset, index, 0.45)]

    assert struck == [1, 3, 4, 6, 9, 11, 14, 16, 17, 19]


def test_is_struck_never_at_zero_and_always_at_one():
    offset = offset_of(0, "any")

    assert not any(is_struck(offset, index, 0.0) for index in range(1000))
    assert all(is_struck(offset, index, 1.0) for index in range(1000))


def test_offset_of_differs_by_seed_and_by_the_end_of_the_name():
    offsets = [offset_of(0, "slow_a"), offset_of(0, "slow_b"), offset_of(1, "slow_a"), offset_of(1, "slow_b")]
    turns = sorted(offset / 2**64 for offset in offsets)

    assert min(after - before for before, after in itertools.pairwise(turns)) > 0.001


def test_spread_covers_both_signs_evenly():
    factors = [spread(offset_of(0, "any"), index) for index in range(1000)]

    assert min(factors) >= -1
    assert max(factors) < 1
    assert abs(sum(factors) / 1000) < 0.01
