import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.correlation.changes import BEGAN, BEGAN_SCHEMA, ROSE_OTHERWISE, find_beginnings, is_near

from .made import BUCKET_S, changes, frame

N = 360
TRAFFIC = np.full(N, 100.0)


def errors(*, before=0.1, after=6.0, since=180, until=N):
    rng = np.random.default_rng(0)
    rate = np.full(N, before)
    rate[since:until] = after
    return frame("e", rng.poisson(rate), exposure=TRAFFIC, label="KeyError", service="pay")


def test_find_beginnings_names_the_change_that_an_error_began_with():
    found = find_beginnings(errors(), changes((178, "d1", "pay", "2")), bucket_s=BUCKET_S)
    row = found.row(0, named=True)
    assert (row["signal"], row["change_id"], row["verdict"]) == ("e", "d1", BEGAN)
    assert (row["onset_after_s"], row["change_label"]) == (20.0, "deployment of pay 2")
    assert (row["before_n"], row["before_exposure"]) == (28, 17_800.0)
    assert (row["after_n"], row["after_exposure"]) == (460, 7_200.0)
    assert row["rate_ratio"] == pytest.approx((460.5 / 7_200) / (28.5 / 17_800))
    assert 20 < row["low"] < row["rate_ratio"] < row["high"] < 70
    assert row["against"] == "it occurred before it: 28"
    assert row["coincidence"] == pytest.approx(20 / (N * BUCKET_S))
    assert dict(found.schema) == BEGAN_SCHEMA


def test_find_beginnings_holds_against_a_change_that_the_error_came_long_after_it():
    found = find_beginnings(errors(), changes((60, "d0", "pay", "1"), (178, "d1", "cart", "2")), bucket_s=BUCKET_S)
    verdicts = dict(found.select("change_id", "verdict").iter_rows())
    assert verdicts == {"d1": BEGAN, "d0": ROSE_OTHERWISE}
    assert "its own change point lies 20 min 00 s after it" in found.filter(pl.col("change_id") == "d0")["against"][0]


def test_find_beginnings_names_the_other_changes_that_are_as_near():
    found = find_beginnings(errors(), changes((178, "d1", "pay", "2"), (176, "d2", "cart", "7")), bucket_s=BUCKET_S)
    row = found.filter(pl.col("change_id") == "d1").row(0, named=True)
    assert row["alternatives"] == "deployment of cart 7, 1970-01-01 00:29:20 UTC"
    assert "1 other change is as near to its change point" in row["against"]


def test_find_beginnings_counts_what_was_seen_without_the_release():
    contexts = pl.DataFrame(
        {"pattern_id": ["e"] * 2, "attribute": ["release"] * 2, "value": ["2", "1"], "rows": [900, 40]}
    )
    found = find_beginnings(errors(), changes((178, "d1", "pay", "2")), bucket_s=BUCKET_S, contexts=contexts)
    assert found.select("elsewhere", "elsewhere_of").row(0) == (40, 940)
    assert "40 of 940 were seen on another version" in found["against"][0]


def test_find_beginnings_of_an_error_that_was_over_soon():
    found = find_beginnings(errors(before=0.0, until=215), changes((178, "d1", "pay", "2")), bucket_s=BUCKET_S)
    row = found.row(0, named=True)
    assert (row["verdict"], row["before_n"], row["against"]) == (BEGAN, 0, "")
    assert row["after"] == pytest.approx(0.06, rel=0.15)


def test_find_beginnings_is_silent_on_an_error_that_is_always_there():
    found = find_beginnings(errors(before=6.0), changes((178, "d1", "pay", "2")), bucket_s=BUCKET_S)
    assert found.is_empty()


def test_find_beginnings_is_silent_where_only_the_traffic_rose():
    rng = np.random.default_rng(1)
    traffic = np.where(np.arange(N) < 180, 100.0, 1000.0)
    series = frame("e", rng.poisson(traffic / 100), exposure=traffic, service="pay")
    assert find_beginnings(series, changes((178, "d1", "pay", "2")), bucket_s=BUCKET_S).is_empty()


def test_find_beginnings_is_silent_on_an_error_that_comes_and_goes_in_waves():
    rng = np.random.default_rng(2)
    waves = np.where((np.arange(N) // 30) % 2 == 1, 8.0, 0.5)
    series = frame("e", rng.poisson(waves), exposure=TRAFFIC, service="pay")
    assert find_beginnings(series, changes((209, "d1", "pay", "2")), bucket_s=BUCKET_S).is_empty()


def test_find_beginnings_without_changes_finds_nothing():
    assert find_beginnings(errors(), changes(), bucket_s=BUCKET_S).is_empty()


def test_is_near_allows_a_bucket_before_and_ten_minutes_after():
    assert [is_near(onset * 1_000_000, 1000 * 1_000_000, 30) for onset in (969, 970, 1600, 1601)] == [
        False,
        True,
        True,
        False,
    ]
