import narwhals as nw
import numpy as np
import polars as pl
import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.histograms import ZERO_BIN, bin_of, quantile, value_of


def histogram(values, groups=None):
    frame = pl.DataFrame(
        {"value": values, "group": groups or ["g"] * len(values)}, schema_overrides={"value": pl.Float64}
    )
    binned = nw.from_native(frame.lazy()).with_columns(bin_of("value").alias("bin"))
    return binned.group_by("group", "bin").agg(nw.len().alias("count")).collect().to_native()


def test_bin_of_gives_nothing_a_bin_of_its_own_and_no_value_none():
    frame = nw.from_native(pl.DataFrame({"value": [0.0, 1.0, None, float("nan")]}))
    assert frame.select(bin_of("value").alias("bin"))["bin"].to_list() == [ZERO_BIN, 0, None, None]


def test_value_of_is_within_a_hundredth_of_all_a_bin_holds():
    values = np.exp(np.random.default_rng(7).uniform(np.log(1e-5), np.log(1e9), 20_000))
    bins = nw.from_native(pl.DataFrame({"value": values})).select(bin_of("value").alias("bin"))["bin"].to_numpy()
    assert np.abs(value_of(bins) / values - 1).max() <= 0.01 + 1e-9


@pytest.mark.parametrize("q", [0.0, 0.5, 0.75, 0.95, 0.99, 1.0])
def test_quantile_is_within_a_hundredth_of_the_exact_one(q):
    chance = np.random.default_rng(11)
    for values in (chance.lognormal(5, 2, 5_001), chance.exponential(0.1, 777), np.array([3.0])):
        found = quantile(histogram(values.tolist()), q)
        exact = np.quantile(values, q, method="inverted_cdf")
        assert found["n"].to_list() == [len(values)]
        assert abs(found["value"][0] / exact - 1) <= 0.01 + 1e-9


def test_quantile_keeps_groups_apart_and_adds_parts_up():
    parts = pl.concat([histogram([1.0, 1.0, 100.0], ["a", "a", "b"]), histogram([100.0, 100.0, 100.0], ["a"] * 3)])
    found = quantile(parts, 0.5, by=["group"])
    assert found.select("group", "n", pl.col("value").round(0)).rows() == [("a", 5, 100.0), ("b", 1, 100.0)]
    assert quantile(parts, 0.4, by=["group"])["value"].round(0).to_list() == [1.0, 100.0]


def test_quantile_of_nothing_has_no_rows():
    empty = pl.DataFrame(schema={"bin": pl.Int64, "count": pl.Int64})
    assert quantile(empty, 0.5).height == 0


def test_quantile_refuses_a_percentage():
    with pytest.raises(ParameterError, match=r"at 0 to 1, not at 95"):
        quantile(pl.DataFrame(schema={"bin": pl.Int64, "count": pl.Int64}), 95)
