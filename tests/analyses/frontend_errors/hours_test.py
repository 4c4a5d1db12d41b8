import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors.hours import find_hour_pattern


def pattern(hits, sessions, *, unknown=0):
    counts = pl.DataFrame({"hour_local": list(range(24)), "hits": hits, "sessions": sessions})
    return find_hour_pattern(counts.cast(pl.Int64), unknown=unknown)


TRAFFIC = np.array([20, 10, 5, 5, 5, 10, 40, 80, *[150] * 12, 120, 100, 60, 40])


def test_find_hour_pattern_takes_traffic_for_what_it_is():
    found = pattern(TRAFFIC // 5, TRAFFIC)
    assert found.p_value > 0.9
    assert (found.is_peaked, str(found)) == (False, "as the traffic")


def test_find_hour_pattern_finds_the_hours_of_a_peak():
    hits = TRAFFIC // 50
    hits[19:22] = 60
    found = pattern(hits, TRAFFIC)
    assert (found.peak_from, found.peak_to) == (19, 22)
    assert found.inside.hits == 180
    assert str(found).startswith("19 to 22 h: ")


def test_find_hour_pattern_finds_a_peak_over_midnight():
    hits = np.zeros(24, dtype=int)
    hits[[22, 23, 0, 1]] = [30, 20, 10, 5]
    found = pattern(hits, TRAFFIC)
    assert (found.peak_from, found.peak_to) == (22, 2)
    assert str(found) == "22 to 02 h: at no other hour"


@pytest.mark.parametrize(
    ("hits", "unknown", "said"),
    [(0, 0, "too few to say"), (0, 7, "local time not known"), (1, 0, "too few to say")],
)
def test_find_hour_pattern_says_when_it_cannot_tell(hits, unknown, said):
    found = pattern([hits] + [0] * 23, [50] * 24, unknown=unknown)
    assert found.p_value is None
    assert str(found) == said


def test_find_hour_pattern_seldom_cries_wolf():
    chance = np.random.default_rng(2)
    found = [pattern(chance.binomial(TRAFFIC, 0.05), TRAFFIC) for _ in range(300)]
    assert sum(one.is_peaked for one in found) <= 6
    assert 0.02 <= np.mean([one.p_value < 0.05 for one in found]) <= 0.09


def test_find_hour_pattern_takes_missing_hours_for_hours_without_traffic():
    counts = pl.DataFrame({"hour_local": [9, 10, 20], "hits": [5, 5, 90], "sessions": [500, 500, 500]})
    found = find_hour_pattern(counts, unknown=0)
    assert (found.peak_from, found.peak_to) == (20, 21)
