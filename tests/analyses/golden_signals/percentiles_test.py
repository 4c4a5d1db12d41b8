import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.percentiles import read_percentiles
from prodintel_lib.rollups.request_bins import COARSE_GROWTH, COARSE_ZERO, NO_BIN

from . import made


def hist(counts, **about):
    return pl.DataFrame([{"key": "a", **about, "bin": at, "requests": n} for at, n in counts.items()])


def test_read_percentiles_is_within_a_bin_of_the_exact_ones():
    chance = np.random.default_rng(1)
    durations = chance.lognormal(4, 0.8, 20_000)
    frame = made.drawn(durations, np.zeros(20_000)).with_columns(pl.lit("a").alias("key"))
    row = read_percentiles(frame, {"p50": 0.5, "p99": 0.99}, by=["key"]).row(0, named=True)
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        exact = float(np.quantile(durations, q))
        assert row[f"{name}_ms"] == pytest.approx(exact, rel=0.02)
        assert row[f"{name}_low_ms"] <= exact <= row[f"{name}_high_ms"]
    assert row["n"] == 20_000


def test_read_percentiles_spreads_requests_over_their_bin():
    row = read_percentiles(hist({100: 10}), {"p50": 0.5}, by=["key"]).row(0, named=True)
    # The fifth of ten lies at (5 - 0.5) / 10 of the bin.
    assert row["p50_ms"] == pytest.approx(COARSE_GROWTH ** (100 + 0.45))


@pytest.mark.parametrize(("n", "shown"), [(99, None), (100, 1.0)])
def test_read_percentiles_needs_five_requests_beyond(n, shown):
    row = read_percentiles(hist({0: n}), {"p95": 0.95}, by=["key"]).row(0, named=True)
    assert (row["p95_ms"] is None) == (shown is None)


def test_read_percentiles_has_no_upper_end_where_requests_do_not_reach_it():
    row = read_percentiles(hist({0: 100}), {"p95": 0.95}, by=["key"]).row(0, named=True)
    assert row["p95_high_ms"] == pytest.approx(COARSE_GROWTH)
    few = read_percentiles(hist({0: 5, 5: 5}), {"p50": 0.5}, by=["key"]).row(0, named=True)
    assert few["p50_high_ms"] == pytest.approx(COARSE_GROWTH**6)


def test_read_percentiles_widens_by_dispersion():
    frame = hist(dict.fromkeys(range(60), 10))
    plain = read_percentiles(frame, {"p50": 0.5}, by=["key"]).row(0, named=True)
    alike = pl.DataFrame({"key": ["a"], "dispersion": [25.0]})
    wide = read_percentiles(frame, {"p50": 0.5}, by=["key"], dispersion=alike).row(0, named=True)
    widths = [math.log(row["p50_high_ms"] / row["p50_low_ms"]) for row in (plain, wide)]
    assert widths[1] > 4 * widths[0]
    assert plain["p50_ms"] == wide["p50_ms"]


def test_read_percentiles_leaves_out_unknown_durations_and_keeps_zeros():
    row = read_percentiles(hist({NO_BIN: 50, COARSE_ZERO: 30, 0: 10}), {"p50": 0.5}, by=["key"]).row(0, named=True)
    assert (row["n"], row["p50_ms"]) == (40, 0.0)


def test_read_percentiles_of_nothing_is_empty():
    assert read_percentiles(hist({0: 1}).head(0), {"p50": 0.5}, by=["key"]).is_empty()
