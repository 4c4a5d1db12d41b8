import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load_fidelity.distances import (
    DISTANCES,
    jensen_shannon,
    kolmogorov_smirnov,
    measure_distances,
    measure_facts,
    read_log,
    total_variation,
)
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError


def log(*sessions):
    rows = [(n, name, t) for n, (path, times) in enumerate(sessions) for name, t in zip(path, times, strict=True)]
    return pl.DataFrame(rows, schema={"session": pl.Int64, "endpoint": pl.String, "t": pl.Float64}, orient="row")


ONE = log(("abc", [100, 110, 130]), ("ab", [130, 135]), ("a", [170]), ("abb", [200, 202, 260]))
OTHER = log(
    ("abc", [5, 10, 20]), ("b", [50]), ("ac", [60, 100]), ("aab", [70, 75, 90]), ("ca", [200, 230])
)  # fmt: skip


def distances(one, other, *, bucket_s=60.0, scale=1.0, compress=1.0):
    facts = [
        measure_facts(read_log(each, name="log", compress=by), bucket_s=bucket_s)
        for each, by in ((one, 1.0), (other, compress))
    ]
    return measure_distances(*facts, scale=scale)


def test_measure_distances_equals_the_published_nine():
    # By an independent program for these two logs, in both directions.
    expected = {
        "mix_tv": 17 / 99, "len_ks": 0.1, "think_ks": 0.2, "dur_ks": 0.3, "trans_tv": 0.34871794871794876,
        "rate_wape": 4 / 9, "peak_rel": 0.0, "iat_cv": 0.8644783999643844, "path_tv": 0.8,
    }  # fmt: skip
    found = distances(ONE, OTHER)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    turned = expected | {"trans_tv": 0.359375, "rate_wape": 8 / 11}
    found = distances(OTHER, ONE, bucket_s=30.0)
    assert {name: found[name] for name in turned} == pytest.approx(turned, abs=1e-12)


def test_measure_distances_of_a_log_to_itself_are_nothing():
    assert distances(ONE, ONE.sample(fraction=1.0, shuffle=True, seed=1)) == dict.fromkeys(DISTANCES, 0.0)


def test_measure_distances_compares_sessions_open_at_once():
    # Open in each minute: 1, 2, 1 and 1, 1, 0, 1.
    one = log(("aa", [0, 130]), ("aa", [60, 70]))
    other = log(("aa", [0, 70]), ("a", [200]))
    assert distances(one, other)["open_wape"] == pytest.approx((0 + 1 + 1 + 1) / 4)


def test_measure_distances_divides_rates_by_the_scale():
    twice = pl.concat([ONE, ONE.with_columns(pl.col("session") + 10)])
    found = distances(ONE, twice, scale=2.0)
    assert {name: found[name] for name in ("rate_wape", "peak_rel", "open_wape")} == {
        "rate_wape": 0.0, "peak_rel": 0.0, "open_wape": 0.0,
    }  # fmt: skip
    assert distances(ONE, twice)["rate_wape"] == 1.0


def test_measure_distances_takes_an_endpoint_never_left_as_all_different():
    # Two of three visits are START and a; what follows c is not there to be compared.
    found = distances(log(("ac", [0, 1])), log(("a", [0])))
    assert found["trans_tv"] == pytest.approx((0 + 1 + 1) / 3)


def test_read_log_stretches_starts_and_not_what_is_inside_a_session():
    read = read_log(log(("aa", [10, 12]), ("aa", [20, 25])), name="generated", compress=60.0)
    assert read["t"].to_list() == [0.0, 2.0, 600.0, 605.0]


def test_read_log_counts_from_the_time_its_clock_began():
    late = log(("aa", [10, 12]), ("aa", [20, 25]))
    assert read_log(late, name="log", start_s=4.0)["t"].to_list() == [6.0, 8.0, 16.0, 21.0]
    # Ten times faster: the first session began 6 s into the run, which is a minute of production's.
    assert read_log(late, name="log", start_s=4.0, compress=10.0)["t"].to_list() == [60.0, 62.0, 160.0, 165.0]
    with pytest.raises(ParameterError, match="must begin at 11 s or after; its first request is of 10 s"):
        read_log(late, name="generated", start_s=11.0)


def test_read_log_says_what_is_wrong():
    with pytest.raises(MissingColumnsError, match="Table `generated` needs column `t`"):
        read_log(ONE.drop("t"), name="generated")
    with pytest.raises(NoDataError, match="The generated log needs a request at least; it has 0"):
        read_log(ONE.clear(), name="generated")
    with pytest.raises(ParameterError, match="compress must be above 0; it is 0"):
        read_log(ONE, name="generated", compress=0.0)


def test_measure_facts_pools_rare_paths():
    rare = [("a", [float(n)]) for n in range(2000)] + [("b", [1.0])]
    assert measure_facts(log(*rare), bucket_s=60.0).paths == {"a": 2000.0, "<rare>": 1.0}


def test_measure_facts_pools_paths_below_the_number_given():
    few = log(("a", [0]), ("a", [1]), ("b", [2]))
    assert measure_facts(few, bucket_s=60.0).paths == {"a": 2.0, "b": 1.0, "<rare>": 0.0}
    assert measure_facts(few, bucket_s=60.0, rare_below=1.5).paths == {"a": 2.0, "<rare>": 1.0}


def test_jensen_shannon_is_the_mean_divergence_from_the_middle():
    # Shares 1/2, 1/2 against 1, 0; the middle is 3/4, 1/4.
    expected = (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25) + math.log2(1 / 0.75)) / 2
    assert jensen_shannon({"a": 5, "b": 5}, {"a": 3}) == pytest.approx(expected)
    assert jensen_shannon({"a": 2, "b": 1}, {"a": 4, "b": 2}) == 0.0


def test_total_variation_is_half_the_differences():
    assert total_variation({"a": 3, "b": 1}, {"b": 1, "c": 1}) == pytest.approx(0.75)


def test_kolmogorov_smirnov_is_the_largest_step_apart():
    assert kolmogorov_smirnov(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0])) == 0.5
    assert kolmogorov_smirnov(np.zeros(0), np.array([1.0])) == 1.0
    assert kolmogorov_smirnov(np.zeros(0), np.zeros(0)) == 0.0
