import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.correlation.preparation import prepare_series
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

from .made import BUCKET_S, frame, linked, noise


def test_prepare_series_keeps_every_series_that_moves_and_counts_the_others():
    rare, few = np.zeros(400), np.full(400, 5.0)
    rare[[3, 9]] = 1.0
    few[:3] = 6.0
    series = pl.concat([linked(), frame("rare", rare, exposure=np.full(400, 50.0)), frame("still", few),
                        frame("short", noise(9, 20))])  # fmt: skip
    prepared = prepare_series(series)
    assert prepared.signals["signal"].to_list() == ["a", "b", "c"]
    assert prepared.not_tested == {
        "observed in fewer than 24 windows": 1, "fewer than 5 events": 1, "moved in fewer than 4 windows": 1,
    }  # fmt: skip
    assert (prepared.bucket_s, prepared.windows) == (BUCKET_S, 400)
    assert prepared.innovations.std(axis=1) == pytest.approx([1.0] * 3, abs=1e-6)


def test_prepare_series_puts_traffic_last_and_keeps_it_only_where_it_is_asked_for():
    load = np.exp(0.5 * noise(0))
    level = 10 * load * np.exp(0.1 * noise(1))
    prepared = prepare_series(pl.concat([frame("calls", 100 * load, kind="throughput"), frame("level", level)]))
    assert prepared.signals["signal"].to_list() == ["level", "calls"]
    assert prepared.first_traffic == 1
    kept, freed = prepared.innovations_with_traffic, prepared.innovations
    assert np.corrcoef(kept[0], kept[1])[0, 1] > 0.9
    assert abs(np.corrcoef(freed[0], kept[1])[0, 1]) < 0.1


def test_prepare_series_does_not_take_a_missing_bucket_for_a_zero():
    series = linked().filter(~((pl.col("signal") == "a") & (pl.col("bucket_us") < 100 * BUCKET_S * 1_000_000)))
    prepared = prepare_series(series)
    assert prepared.signals["n_windows"].to_list() == [300, 400, 400]
    assert not prepared.innovations[0, :100].any()


def test_prepare_series_says_what_is_missing():
    with pytest.raises(MissingColumnsError, match="Table `series` needs column `exposure`"):
        prepare_series(linked().drop("exposure"))


def test_prepare_series_without_a_row_is_no_data():
    with pytest.raises(NoDataError, match="There is no series to correlate"):
        prepare_series(linked().clear())


def test_prepare_series_refuses_two_values_of_one_bucket():
    with pytest.raises(ParameterError, match="`a` has more than one"):
        prepare_series(pl.concat([linked(), linked().head(1)]))


def test_prepare_series_refuses_buckets_without_a_common_width():
    series = linked().with_columns(pl.col("bucket_us") + pl.when(pl.col("signal") == "b").then(7).otherwise(0))
    with pytest.raises(ParameterError, match="Buckets of one width in whole seconds were expected"):
        prepare_series(series)
