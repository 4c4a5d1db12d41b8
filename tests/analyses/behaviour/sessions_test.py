import polars as pl
import pytest

from prodintel_lib.analyses.behaviour.sessions import read_sessions
from prodintel_lib.errors import MissingColumnsError, NoDataError

from .made import START_US, log_of, steps_of


def test_read_sessions_lays_steps_out_by_session_and_order():
    log = read_sessions(steps_of("cab", "a", gap_s=2.5).reverse())
    assert log.endpoints == ("a", "b", "c")
    assert log.codes.tolist() == [2, 0, 1, 0]
    assert log.offsets.tolist() == [0, 3, 4]
    assert log.starts_us.tolist() == [START_US, START_US + 60_000_000]
    assert log.gaps_s.tolist() == [0.0, 2.5, 2.5, 0.0]
    assert log.lengths.tolist() == [3, 1]
    assert log.session_of.tolist() == [0, 0, 0, 1]
    assert log.is_first.tolist() == [True, False, False, True]


def test_read_sessions_takes_step_numbers_before_equal_times():
    steps = steps_of("ab", gap_s=0.0).with_columns(step_no=pl.Series([2, 1]))
    assert read_sessions(steps).codes.tolist() == [1, 0]


def test_read_sessions_calls_what_has_no_endpoint_unknown():
    steps = steps_of("ab").with_columns(pl.when(pl.col("step_no") == 1).then("endpoint").alias("endpoint"))
    assert read_sessions(steps).endpoints == ("a", "unknown")


def test_read_sessions_says_which_column_is_missing():
    with pytest.raises(MissingColumnsError, match="Table `load_steps` needs column `endpoint`"):
        read_sessions(steps_of("a").drop("endpoint"))


def test_read_sessions_of_nothing_says_so():
    with pytest.raises(NoDataError, match="there are 0 steps"):
        read_sessions(steps_of("a").clear())


def test_take_returns_the_chosen_sessions_in_the_order_given():
    part = log_of("ab", "c", "cba").take([2, 0])
    assert part.endpoints == ("a", "b", "c")
    assert part.codes.tolist() == [2, 1, 0, 0, 1]
    assert part.offsets.tolist() == [0, 3, 5]
    assert part.gaps_s.tolist() == [0.0, 10.0, 10.0, 0.0, 10.0]
    assert part.starts_us.tolist() == [START_US + 120_000_000, START_US]
