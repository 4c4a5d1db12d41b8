import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.matched import compare_matched, two_sided_p


def compared(*strata):
    rows = [("g", *row) for row in strata]
    columns = ["g", "exposed", "exposed_hits", "unexposed", "unexposed_hits"]
    return compare_matched(pl.DataFrame(rows, schema=columns, orient="row"), by=["g"]).row(0, named=True)


def test_compare_matched_of_one_stratum_is_the_plain_difference_with_its_plain_interval():
    found = compared((10, 4, 20, 10))
    half = 1.959963984540054 * math.sqrt(0.4 * 0.6 / 10 + 0.5 * 0.5 / 20)
    assert found["difference"] == pytest.approx(-0.1)
    assert (found["low"], found["high"]) == pytest.approx((-0.1 - half, -0.1 + half))
    assert (found["exposed_share"], found["unexposed_share"]) == pytest.approx((0.4, 0.5))


def test_compare_matched_weighs_strata_so_that_a_confounder_does_not_count():
    # Phones convert 10 %, desktops 50 %, with the error or without; the error is met on phones.
    found = compared((1000, 100, 200, 20), (100, 50, 2000, 1000))
    assert found["difference"] == pytest.approx(0.0, abs=1e-12)
    assert found["low"] < 0 < found["high"]


def test_compare_matched_counts_those_without_a_match():
    found = compared((10, 4, 20, 10), (5, 1, 0, 0), (0, 0, 7, 7))
    assert (found["matched_exposed"], found["matched_unexposed"], found["unmatched_exposed"]) == (10, 20, 5)
    assert found["difference"] == pytest.approx(-0.1)


def test_compare_matched_says_nothing_where_nobody_matches():
    found = compared((3, 1, 0, 0))
    assert [found[name] for name in ("exposed_share", "difference", "low", "high")] == [None] * 4


def test_compare_matched_is_not_certain_where_nobody_hits():
    found = compared((3, 0, 10, 0))
    assert found["difference"] == 0
    assert (found["low"], found["high"]) == pytest.approx((-0.2775, 0.5615), abs=1e-3)


def test_compare_matched_covers_the_true_difference_in_many_small_strata():
    chance = np.random.default_rng(5)
    rounds, strata = 400, 30
    share = np.tile(np.linspace(0.25, 0.6, strata), rounds)
    exposed, unexposed = chance.poisson(4, share.size), chance.poisson(40, share.size)
    found = compare_matched(
        pl.DataFrame(
            {
                "g": np.repeat(np.arange(rounds), strata),
                "exposed": exposed,
                "exposed_hits": chance.binomial(exposed, share - 0.15),
                "unexposed": unexposed,
                "unexposed_hits": chance.binomial(unexposed, share),
            }
        ),
        by=["g"],
    )
    covered = found.select(((pl.col("low") <= -0.15) & (pl.col("high") >= -0.15)).mean()).item()
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize(
    ("interval", "p_value"),
    [
        ((-0.1, -0.2, 0.0), 0.05),
        ((0.1, 0.0, 0.3), 0.05),
        ((0.1, 0.05, 0.3), 8.857e-05),
        ((0.0, -0.1, 0.1), 1.0),
        ((None, None, None), None),
    ],
)
def test_two_sided_p_is_that_of_the_interval_on_the_side_of_no_difference(interval, p_value):
    assert two_sided_p(*interval) == (p_value if p_value is None else pytest.approx(p_value, rel=1e-3))
