import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.correlation import analysis, correlate
from prodintel_lib.analyses.correlation.hypotheses import _against, _when
from prodintel_lib.analyses.correlation.lags import LagScan
from prodintel_lib.analyses.correlation.model import PAIRS_SCHEMA
from prodintel_lib.errors import NoDataError

from .made import changes, evidence, frame, linked, noise


def test_correlate_by_time_alone_says_that_only_time_speaks():
    found = correlate(linked(lag=3), max_lag_s=100)
    row = found.pairs.row(0, named=True)
    assert (row["first"], row["second"], row["lag_s"], row["evidence"]) == ("a", "b", 30.0, "time only")
    assert (row["lag_low_s"], row["lag_high_s"], row["verdict"]) == (25.0, 35.0, "together in time")
    assert found.answer == "`a` goes with `b`, and leads by 30 s (25 to 35)."
    hypothesis = found.hypotheses.found[0]
    assert "no traces were looked at: only time speaks for it" in hypothesis.evidence_against
    assert "without `b`" in hypothesis.would_refute
    assert "No traces were given: only time speaks." in found.caption
    assert dict(found.pairs.schema) == PAIRS_SCHEMA


def test_correlate_by_shared_traces_says_what_came_first_in_them():
    found = correlate(linked(), evidence=evidence(("a", 0, 40, 9_000), ("c", 10, 50, 1_000)), max_lag_s=100)
    row = found.pairs.row(0, named=True)
    assert (row["first"], row["second"], row["evidence"]) == ("c", "a", "shared traces")
    assert (row["traces_both"], row["traces_first"], row["traces_second"], row["first_before"]) == (30, 40, 40, 30)
    assert (row["gap_ms"], row["is_ordered"], row["strength"]) == (8.0, True, None)
    assert found.answer == "`c` comes before `a` in the same requests: in 30 of the 30 that have both."
    timed = found.hypotheses.found[1]
    assert "no trace has both: only time speaks for it" in timed.evidence_against


def test_correlate_with_both_kinds_of_evidence_joins_them_in_one_row():
    found = correlate(linked(), evidence=evidence(("a", 0, 40, 1_000), ("b", 0, 40, 1_000)), max_lag_s=100)
    row = found.pairs.row(0, named=True)
    assert (row["verdict"], row["lag_s"], row["traces_both"]) == ("in the same traces, and together in time", 30.0, 40)
    assert not row["is_ordered"]
    assert found.pairs.height == 1


def test_correlate_names_what_may_be_behind_both():
    signals = (("a", 0, 40, 1_000), ("b", 0, 40, 2_000), ("c", 0, 40, 3_000))
    found = correlate(linked(), evidence=evidence(*signals), max_lag_s=100)
    row = found.pairs.filter((pl.col("first") == "b") & (pl.col("second") == "c")).row(0, named=True)
    assert "both also go with `a`, which comes before them: it may be behind both" in list(
        _against(row, found.pairs, 10, has_traces=True)
    )


def test_correlate_abstains_in_a_sentence():
    series = linked().filter(pl.col("signal") != "b")
    found = correlate(series, max_lag_s=100)
    assert found.pairs.is_empty()
    assert found.answer == "None of the 1 pairs tested goes together beyond chance: there is no hypothesis."
    assert found.answer in found._repr_html_()
    assert found.hypotheses.to_dicts() == []


def test_correlate_says_when_nothing_could_be_compared():
    found = correlate(frame("a", noise(0)), max_lag_s=100)
    assert found.answer == "No two signals could be compared: too little was recorded of them."


def test_correlate_says_which_change_came_before_an_error():
    rng = np.random.default_rng(0)
    rate = np.where(np.arange(400) < 180, 0.1, 6.0)
    series = pl.concat([frame("e", rng.poisson(rate), exposure=np.full(400, 100.0), label="KeyError"), linked()])
    found = correlate(series, changes=changes((178, "d1", "pay", "2")), max_lag_s=100)
    assert found.beginnings["signal"].to_list() == ["e"]
    first = found.hypotheses.found[0]
    assert first.sentence == "`KeyError` began 20.0 s after a change: deployment of pay 2."
    assert (first.change_id, first.signals) == ("d1", ("e",))
    assert "KeyError" in found.began._repr_html_()


def test_when_an_onset_before_its_change_lies_in_the_same_window():
    assert [_when(after_s) for after_s in (-4.0, 0.0, 20.0)] == [
        "in the same window as a change", "in the same window as a change", "20.0 s after a change",
    ]  # fmt: skip


def test_correlate_in_focus_tests_only_pairs_with_an_error():
    error = frame("e", np.random.default_rng(0).poisson(3.0, 400), exposure=np.full(400, 100.0))
    found = correlate(pl.concat([linked(), error]), focus=("pattern",), max_lag_s=100)
    assert (found.pairs_tested_in_time, found.pairs.height) == (3, 0)


def test_correlate_writes_markup_of_production_as_text():
    hostile = linked().with_columns(pl.col("label").replace({"a": "<script>alert(1)</script>"}))
    found = correlate(hostile, max_lag_s=100)
    assert found.pairs.height == 1
    for part in (found, found.hypotheses):
        assert "<script>" not in part._repr_html_()
        assert "&lt;script&gt;" in part._repr_html_()


def test_correlate_without_series_is_no_data():
    with pytest.raises(NoDataError, match="There is no series to correlate"):
        correlate(linked().clear())


def test_correlate_lists_no_pair_whose_interval_holds_nothing_as_well(monkeypatch):
    """A chance below the level with an interval around zero is no answer."""

    def scanned(*_, **__):
        of_two = np.array([0, 0])
        values = {
            name: np.array([0.0, 0.0]) for name in ("lag_low", "lag_high", "p_value", "q_value")
        }  # fmt: skip
        return LagScan(
            first=of_two, second=np.array([1, 2]), lag=of_two, strength=np.array([0.2, 0.2]), low=np.array([0.1, -0.1]),
            high=np.array([0.3, 0.5]), n_windows=np.array([300, 300]), pairs_tested=3, candidates=2, set_aside=0,
            max_lag=1, **values,
        )  # fmt: skip

    monkeypatch.setattr(analysis, "scan_lags", scanned)
    pairs = correlate(linked(lag=3), max_lag_s=100).pairs
    assert pairs.select("first", "second").rows() == [("a", "b")]
