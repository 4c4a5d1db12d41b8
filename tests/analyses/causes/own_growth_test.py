import math

import polars as pl
import pytest

from prodintel_lib.analyses.causes.own_growth import OwnGrowth, find_own_growth
from prodintel_lib.rollups.own_time import OWN_TIME_SCHEMA
from prodintel_lib.windows import Window

S = 1_000_000
WINDOW = Window(60 * S, 120 * S)


def spans_of(service, operation, *, before, during, callee=""):
    """Return two rows of the rollup, in the bucket before the window and in its first."""
    return [
        {
            "bucket_us": at_us, "service_name": service, "operation": operation, "callee": callee,
            "spans": len(times_ms), "own_ms": float(sum(times_ms)),
            "own_log": sum(math.log1p(ms) for ms in times_ms),
            "own_log_squares": sum(math.log1p(ms) ** 2 for ms in times_ms),
        }
        for at_us, times_ms in ((0, before), (60 * S, during))
        if times_ms
    ]  # fmt: skip


def growth(*rows):
    return find_own_growth(pl.DataFrame([row for pair in rows for row in pair], schema=OWN_TIME_SCHEMA), window=WINDOW)


def test_find_own_growth_finds_a_rare_operation_among_many_of_another():
    found = growth(
        spans_of("shop", "GET /cart", before=[10] * 400, during=[10] * 400),
        spans_of("shop", "POST /pay", before=[20] * 5, during=[120] * 5),
    )
    assert found.added_ms == {"shop": 500.0}
    assert found.most == {"shop": "POST /pay"}
    assert found.usual_ms == pytest.approx(4100.0)
    assert found.materiality == pytest.approx(500 / (0.2 * 4100))


def test_find_own_growth_is_blind_to_a_change_of_the_mix():
    found = growth(
        spans_of("shop", "GET /cart", before=[10] * 90, during=[10] * 10),
        spans_of("shop", "POST /pay", before=[500] * 10, during=[500] * 90),
    )
    assert found.added_ms == {}
    assert found.materiality == 0.0


def test_find_own_growth_takes_one_long_pause_for_chance():
    found = growth(spans_of("shop", "GET /cart", before=[10] * 200, during=[10] * 199 + [9000]))
    assert found.added_ms == {}


def test_find_own_growth_sees_a_part_of_the_spans_become_slow():
    found = growth(spans_of("shop", "GET /cart", before=[10] * 40, during=[10] * 28 + [1010] * 12))
    assert found.added_ms == {"shop": pytest.approx(12_000.0)}


def test_find_own_growth_needs_a_rise_of_a_fifth():
    assert growth(spans_of("shop", "GET /", before=[100] * 9000, during=[110] * 9000)).added_ms == {}
    grown = growth(spans_of("shop", "GET /", before=[100] * 9000, during=[130] * 9000))
    assert grown.added_ms == {"shop": pytest.approx(270_000.0)}


def test_find_own_growth_needs_more_than_the_usual_spread():
    spread = [1, 400] * 6
    assert growth(spans_of("shop", "GET /", before=spread, during=[300] * 12)).added_ms == {}
    assert growth(spans_of("shop", "GET /", before=[20] * 12, during=[300] * 12)).added_ms == {"shop": 3360.0}


def test_find_own_growth_does_not_trust_a_few_spans_that_were_all_alike():
    assert growth(spans_of("shop", "GET /", before=[10] * 3, during=[13] * 3)).added_ms == {}
    assert growth(spans_of("shop", "GET /", before=[10] * 3, during=[90] * 3)).added_ms == {"shop": 240.0}


def test_find_own_growth_gives_the_way_between_to_the_end_that_is_slow_to_all():
    found = growth(
        spans_of("shop", "POST", callee="pay", before=[2] * 10, during=[102] * 10),
        spans_of("shop", "POST", callee="cart", before=[2] * 30, during=[2] * 30),
        spans_of("desk", "POST", callee="pay", before=[2] * 10, during=[102] * 10),
    )
    # Per call pay loses 100 ms with everybody; shop 25 and desk 100.
    assert found.added_ms == {
        "shop": pytest.approx(1000 * 25 / 125), "desk": pytest.approx(500.0), "pay": pytest.approx(800.0 + 500.0)
    }  # fmt: skip
    assert found.most == {"shop": "calls of pay", "desk": "calls of pay", "pay": "calls by shop"}


def test_find_own_growth_leaves_out_what_was_seen_on_one_side_alone():
    new = spans_of("shop", "POST /new", before=[], during=[50] * 9)
    gone = spans_of("shop", "GET /old", before=[50] * 9, during=[])
    few = spans_of("shop", "GET /few", before=[1] * 2, during=[900] * 9)
    assert growth(new, gone, few) is None


def test_find_own_growth_ignores_what_comes_after_the_window():
    after = [{**row, "bucket_us": 120 * S} for row in spans_of("shop", "GET /", before=[900] * 9, during=[])]
    assert growth(spans_of("shop", "GET /", before=[10] * 9, during=[10] * 9), after).added_ms == {}


def test_own_growth_where_nothing_took_time_before_is_material():
    assert OwnGrowth({"shop": 5.0}, {"shop": "GET /"}, 0.0).materiality == 1.0
