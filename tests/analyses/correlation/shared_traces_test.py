import polars as pl
import pytest

from prodintel_lib.analyses.correlation.shared_traces import find_shared_traces, trace_sample_key
from prodintel_lib.errors import MissingColumnsError


def seen(signal, traces, *, route="r", time_us=0, keys=None):
    rows = {"signal": signal, "trace_id": [f"{trace:032x}" for trace in traces], "time_us": time_us, "route": route}
    frame = pl.DataFrame(
        rows, schema={"signal": pl.String, "trace_id": pl.String, "time_us": pl.Int64, "route": pl.String}
    )
    return frame.with_columns(
        pl.Series("sample_key", keys, dtype=pl.Float64) if keys else pl.lit(None, dtype=pl.Float64).alias("sample_key")
    )


def strata(**traces):
    return pl.DataFrame(
        {"route": list(traces), "traces": list(traces.values())}, schema={"route": pl.String, "traces": pl.Int64}
    )


def test_find_shared_traces_counts_and_expects_within_the_route():
    traces = pl.concat([seen("a", range(20)), seen("b", range(10, 40), time_us=5_000)])
    found = find_shared_traces(traces, strata=strata(r=1000))
    row = found.pairs.row(0, named=True)
    assert (row["traces_both"], row["traces_one"], row["traces_other"]) == (10, 20, 30)
    assert row["expected"] == pytest.approx(20 * 30 / 1000)
    assert row["lift"] == pytest.approx(10 / 0.6)
    assert (row["one_before"], row["other_before"], row["gap_ms"], row["leader"]) == (10, 0, 5.0, "a")
    assert (found.pairs_tested, found.traces) == (1, 1000)


def test_find_shared_traces_p_value_is_never_below_the_exact_one():
    from scipy.stats import hypergeom

    for n_one, n_other, both, total in ((20, 30, 10, 1000), (200, 300, 90, 1000), (5, 5, 5, 50), (40, 40, 8, 400)):
        first = range(n_one)
        second = range(n_one - both, n_one - both + n_other)
        found = find_shared_traces(pl.concat([seen("a", first), seen("b", second)]), strata=strata(r=total))
        exact = hypergeom.sf(both - 1, total, n_one, n_other)
        assert exact <= found.pairs["trace_p_value"][0] <= 50 * exact + 1e-12


def test_find_shared_traces_does_not_believe_what_a_common_route_explains():
    # Both are in nearly every trace of a rare route, without regard to each other: 81 of 100 have both.
    one, other = [t for t in range(100) if t % 10], [t for t in range(100) if t // 10]
    traces = pl.concat([seen("a", one, route="rare"), seen("b", other, route="rare")])
    apart = find_shared_traces(traces, strata=strata(rare=100, busy=9_900))
    row = apart.pairs.row(0, named=True)
    assert (row["traces_both"], row["expected"], row["trace_p_value"]) == (81, pytest.approx(81.0), 1.0)
    together = traces.with_columns(pl.lit("all").alias("route"))
    pooled = find_shared_traces(together, strata=strata(all=10_000))
    assert pooled.pairs["trace_p_value"][0] < 1e-50


def test_find_shared_traces_of_two_are_too_few():
    found = find_shared_traces(pl.concat([seen("a", [1, 2]), seen("b", [1, 2])]), strata=strata(r=100_000))
    assert found.pairs["trace_p_value"].to_list() == [1.0]


def test_find_shared_traces_counts_a_signal_once_a_trace():
    traces = pl.concat([seen("a", [1, 1, 1, 2]), seen("b", [1, 2, 3])])
    row = find_shared_traces(traces, strata=strata(r=100)).pairs.row(0, named=True)
    assert (row["traces_both"], row["traces_one"], row["traces_other"]) == (2, 2, 3)


def test_find_shared_traces_cuts_two_samples_to_the_keys_of_both():
    # Of 200 traces with both, the sample of a ends at .5 and that of b at .25.
    keys_a, keys_b = [place / 200 for place in range(100)], [place / 200 for place in range(50)]
    traces = pl.concat([seen("a", range(100), keys=keys_a), seen("b", range(50), keys=keys_b)])
    found = find_shared_traces(traces, strata=strata(r=10_000), sampled=frozenset({"a", "b"}))
    row = found.pairs.row(0, named=True)
    assert (row["traces_both"], row["traces_one"], row["traces_other"]) == (50, 50, 50)
    assert row["expected"] == pytest.approx(50 * 50 / (10_000 * 49 / 200))


def test_find_shared_traces_does_not_test_samples_of_unknown_keys():
    traces = pl.concat([seen("a", range(50)), seen("b", range(50)), seen("c", range(25, 75))])
    found = find_shared_traces(traces, strata=strata(r=1000), sampled=frozenset({"a", "b"}))
    assert (found.pairs_tested, found.pairs_of_samples) == (2, 1)
    assert set(found.pairs.select("one", "other").iter_rows()) == {("a", "c"), ("b", "c")}


def test_find_shared_traces_keeps_to_families_and_focus():
    traces = pl.concat([seen(name, range(20)) for name in "abc"])
    families = {"a": "f", "b": "f", "c": ""}
    assert find_shared_traces(traces, strata=strata(r=1000), families=families).pairs_tested == 2
    focused = find_shared_traces(traces, strata=strata(r=1000), focus=frozenset({"a"}))
    assert set(focused.pairs.select("one", "other").iter_rows()) == {("a", "b"), ("a", "c")}


def test_find_shared_traces_names_no_leader_where_the_order_varies():
    traces = pl.concat([seen("a", range(20)), seen("b", range(10), time_us=5), seen("b", range(10, 20), time_us=-5)])
    assert find_shared_traces(traces, strata=strata(r=1000)).pairs["leader"].to_list() == [""]


def test_find_shared_traces_without_a_signal_finds_nothing():
    found = find_shared_traces(seen("a", []), strata=strata(r=10))
    assert (found.pairs.height, found.pairs_tested) == (0, 0)


def test_find_shared_traces_says_what_is_missing():
    with pytest.raises(MissingColumnsError, match="Table `traces` needs column `time_us`"):
        find_shared_traces(seen("a", [1]).drop("time_us"), strata=strata(r=10))
    with pytest.raises(MissingColumnsError, match="Table `strata` needs column `traces`"):
        find_shared_traces(seen("a", [1]), strata=strata(r=10).drop("traces"))


def test_trace_sample_key_is_the_number_of_the_last_eight_digits():
    ids = pl.DataFrame({"trace_id": ["0" * 24 + "80000000", "f" * 24 + "00000000", "no id"]})
    assert ids.select(trace_sample_key()).to_series().to_list() == [0.5, 0.0, None]
