import numpy as np
import pytest

from prodintel_lib.analyses.load.burstiness import find_burstiness

S = 1_000_000
MINUTES = 120
WHOLE = np.arange(MINUTES, dtype=np.int64) * 60 * S


def measured(arrivals_of, times_s, *, whole=WHOLE, bucket_s=60, endpoints=("",)):
    frame = arrivals_of(times_s, ["GET /"] * len(times_s), bucket_s=bucket_s)
    return find_burstiness(frame, whole, bucket_s=bucket_s, endpoints=list(endpoints)).rows(named=True)


def test_find_burstiness_is_exact_on_a_small_bucket(arrivals_of):
    # Sixty seconds: one holds 100, the others none.
    row = measured(arrivals_of, [7] * 100, whole=WHOLE[:1])[0]
    assert row["fano"] == pytest.approx((100**2 - 100**2 / 60) / 59 / (100 / 60))
    assert row["peak_over_mean"] == 60.0
    assert (row["fano_low"], row["verdict"]) == (None, "too few to say")


def test_find_burstiness_calls_random_arrivals_random(arrivals_of):
    rng = np.random.default_rng(5)
    # The level changes tenfold from minute to minute: that is no burst within one.
    rates = np.where(np.arange(4 * MINUTES) % 2, 60, 600)
    times = np.concatenate([60 * at + rng.integers(0, 60, size=rng.poisson(rate)) for at, rate in enumerate(rates)])
    row = measured(arrivals_of, times, whole=np.arange(4 * MINUTES, dtype=np.int64) * 60 * S)[0]
    assert row["fano_low"] < 1 < row["fano_high"]
    assert row["verdict"] == "at random"
    assert row["peak_over_mean"] == pytest.approx(row["random_peak_over_mean"], rel=0.05)


def test_find_burstiness_finds_pairs(arrivals_of):
    times = np.repeat(np.random.default_rng(5).integers(0, 60 * MINUTES, size=6000), 2)
    row = measured(arrivals_of, times)[0]
    # Everything comes in twos: the variance is twice the mean.
    assert row["fano"] == pytest.approx(2.0, abs=0.1)
    assert row["verdict"] == "bursty"
    assert row["peak_over_mean"] > 1.2 * row["random_peak_over_mean"]


def test_find_burstiness_finds_a_metronome(arrivals_of):
    row = measured(arrivals_of, np.arange(0, 60 * MINUTES, 2))[0]
    # Every other second one: a variance of 15 / 59 over a mean of one half.
    assert row["fano"] == pytest.approx(15 / 59 / 0.5)
    assert row["verdict"] == "even"


def test_find_burstiness_leaves_out_buckets_that_are_not_whole(arrivals_of):
    times = [*([7] * 100), *range(60, 60 * MINUTES, 2)]
    row = measured(arrivals_of, times, whole=WHOLE[1:])[0]
    assert row["fano"] == pytest.approx(15 / 59 / 0.5)


def test_find_burstiness_abstains_on_few_requests_and_on_seconds(arrivals_of):
    rows = measured(arrivals_of, list(range(99)), endpoints=["", "GET /", "GET /none"])
    assert [(row["endpoint"], row["requests"], row["fano"], row["verdict"]) for row in rows] == [
        ("", 99, None, "too few to say"),
        ("GET /", 99, None, "too few to say"),
        ("GET /none", 0, None, "too few to say"),
    ]
    whole = np.arange(200, dtype=np.int64) * S
    row = measured(arrivals_of, list(range(200)), whole=whole, bucket_s=1)[0]
    assert row["verdict"] == "a bucket of one second has no inside"
