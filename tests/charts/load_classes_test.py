from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.behaviour.chain import END, START
from prodintel_lib.analyses.behaviour.gaps import ClassGaps, fit_gap
from prodintel_lib.analyses.behaviour.model import SEEN_LEVELS
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.charts.load_classes import (
    MAX_CURVES,
    count_gaps,
    law_quantiles_s,
    plot_classes,
    plot_think_times,
)
from prodintel_lib.markup import Note


def transitions(*rows):
    frame = pl.DataFrame(rows, schema=["from_endpoint", "to_endpoint", "transitions"], orient="row")
    return frame.with_columns(
        (pl.col("transitions") / pl.col("transitions").sum().over("from_endpoint")).alias("share")
    )


def one_class(name, hits, *, n=100, gaps_s=(2.0, 4.0, 8.0), length=3.0):
    gaps = np.array(gaps_s)
    rows = [(START, "a", hits), ("a", "b", len(gaps)), ("a", END, hits - len(gaps)), ("b", END, len(gaps))]
    return SimpleNamespace(
        name=name, share=Proportion.of(hits, n), single_share=0.25, median_length=length, length_p95=4 * length,
        median_gap_s=float(np.median(gaps)) if len(gaps) else None, transitions=transitions(*rows),
        gaps=ClassGaps({}, fit_gap(gaps) if len(gaps) else None, 0.0),
        seen_gaps_s=tuple(np.quantile(gaps, SEEN_LEVELS).tolist()) if len(gaps) else (),
    )  # fmt: skip


def behaviour(*classes):
    return SimpleNamespace(classes=classes, sessions=100, requests=340)


def rows_of(spec, view):
    named = [part["data"]["name"] for part in [view, *view.get("layer", [])] if "name" in part.get("data", {})]
    return [spec["datasets"][name] for name in named or [spec["data"]["name"]]]


def test_plot_classes_draws_shares_lengths_and_gaps():
    spec = plot_classes(behaviour(one_class("readers", 60), one_class("buyers", 40, length=9.0))).to_dict()
    assert [panel["title"]["text"] for panel in spec["vconcat"]] == [
        ["Share of the sessions, with its 95 % interval"],
        ["Requests of a session: median to p95"],
        ["Seconds from request to request: p10, median and p90"],
    ]
    rows = rows_of(spec, spec["vconcat"][0])[0]
    assert [(row["class"], row["sessions"], row["share"], row["median_length"]) for row in rows] == [
        ("readers", 60, 0.6, 3.0),
        ("buyers", 40, 0.4, 9.0),
    ]
    assert rows[0]["share_low"] == pytest.approx(Proportion.of(60, 100).low)
    gaps = rows_of(spec, spec["vconcat"][2])[0]
    assert (gaps[0]["gap_low_s"], gaps[0]["median_gap_s"], gaps[0]["gap_high_s"]) == pytest.approx((2.4, 4.0, 7.2))
    assert spec["title"] == "Classes of behaviour (n 100 sessions, 340 requests)"


def test_plot_classes_leaves_out_the_gaps_of_who_has_none():
    spec = plot_classes(behaviour(one_class("readers", 60), one_class("bouncers", 40, gaps_s=()))).to_dict()
    assert [row["class"] for row in rows_of(spec, spec["vconcat"][2])[0]] == ["readers"]
    assert len(plot_classes(behaviour(one_class("bouncers", 40, gaps_s=()))).to_dict()["vconcat"]) == 2


def test_plot_classes_draws_gaps_of_no_length_at_the_edge_and_tells_them_as_they_are():
    spec = plot_classes(behaviour(one_class("robots", 60, gaps_s=(0.0, 0.0, 5.0)))).to_dict()
    [row] = rows_of(spec, spec["vconcat"][2])[0]
    assert (row["median_gap_s"], row["drawn_median_gap_s"], row["drawn_gap_low_s"]) == (0.0, 0.1, 0.1)


def test_plot_classes_without_sessions_is_a_sentence():
    for plot in (plot_classes, plot_think_times):
        note = plot(None)
        assert isinstance(note, Note)
        assert note.says == "Requests name no visitor: how users behave is not known."


def test_plot_think_times_draws_what_was_seen_beside_the_laws():
    spec = plot_think_times(behaviour(one_class("readers", 60), one_class("buyers", 40, gaps_s=(20.0, 30.0)))).to_dict()
    [rows] = rows_of(spec, spec)
    at_half = {(row["class"], row["what"]): row for row in rows if row["level"] == 0.51}
    assert at_half["readers", "seen"]["seconds"] == pytest.approx(4.08, abs=0.01)
    assert at_half["readers", "seen"]["n"] == 3
    assert at_half["buyers", "fitted"]["seconds"] == pytest.approx(25.1, abs=0.05)
    assert spec["title"]["text"] == "Think times: gaps between requests by class (n 5 gaps)"
    assert "{'param': 'class_picked'" in str(spec["layer"][0]["encoding"]["opacity"])


def test_plot_think_times_counts_the_classes_it_leaves_out():
    many = [one_class(f"class {number}", 10) for number in range(MAX_CURVES + 2)]
    spec = plot_think_times(behaviour(*many)).to_dict()
    assert "(n 24 gaps, 2 smaller classes not shown)" in spec["title"]["text"]
    assert len(spec["layer"][0]["encoding"]["color"]["scale"]["domain"]) == MAX_CURVES


def test_plot_think_times_of_single_requests_is_a_sentence():
    note = plot_think_times(behaviour(one_class("bouncers", 100, gaps_s=())))
    assert isinstance(note, Note)
    assert note.says == "None of 100 sessions has a second request: there is no gap to show."


def test_law_quantiles_s_weighs_each_law_by_the_gaps_it_rests_on():
    slow, quick = fit_gap(np.full(60, 100.0)), fit_gap(np.full(20, 1.0))
    gaps = ClassGaps({(0, 1): slow}, quick, 0.0)
    found = law_quantiles_s(gaps, np.array([0.1, 0.24, 0.26, 0.9]), n=80)
    assert found.tolist() == [1.0, 1.0, 100.0, 100.0]
    # Where transitions' laws rest on all gaps, that of the rest is of the same gaps and does not count again.
    assert law_quantiles_s(gaps, np.array([0.01]), n=60).tolist() == [100.0]


def test_count_gaps_leaves_beginnings_and_ends_out():
    assert count_gaps(one_class("readers", 60)) == 3
