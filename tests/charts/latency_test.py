import sys
from pathlib import Path

import pytest

from prodintel_lib.charts.latency import plot_latency, plot_modes
from prodintel_lib.markup import Note

sys.path.insert(0, str(Path(__file__).parent))
from golden_shop import ALL, ORDERS, PAY, SHOP, golden, latency, minutes

WHOLE = {"n": 4000, "p50_ms": 20.0, "p95_ms": 100.0, "p99_ms": 250.0, "verdict": "same", "modes": 1}


def data_with(spec, column):
    return [rows for rows in spec["datasets"].values() if column in rows[0]]


def test_plot_latency_draws_percentiles_with_n_and_none_where_too_few_show_it():
    over_time = minutes(ALL, 30, 31, n=90, p50_ms=20.0, p95_ms=110.0)
    spec = plot_latency(golden(latency=latency([{**ALL, **WHOLE}], over_time=over_time, routes_left_out=7))).to_dict()
    [rows] = data_with(spec, "p50")
    assert [(row["n"], row["p50"], row["p95"], row["p99"]) for row in rows] == [(90, 20.0, 110.0, None)] * 2
    lines = spec["vconcat"][0]["layer"][-1]
    assert lines["transform"] == [{"fold": ["p50", "p95", "p99"], "as": ["percentile", "duration_ms"]}]
    assert lines["encoding"]["y"]["scale"]["type"] == "log"
    assert "(1 shown, 7 more measured)" in spec["title"]["text"]


def test_plot_latency_names_each_panel_with_its_percentiles_and_verdict():
    rows = [{**ALL, **WHOLE}, {**ORDERS, **WHOLE, "n": 50, "p95_ms": None, "p99_ms": None, "verdict": "slower"}]
    over_time = [*minutes(ALL, 30, 31, n=90, p50_ms=20.0), *minutes(ORDERS, 30, 31, n=9, p50_ms=30.0)]
    spec = plot_latency(golden(latency=latency(rows, over_time=over_time))).to_dict()
    assert [" ".join(panel["title"]["text"]) for panel in spec["vconcat"]] == [
        "all entry requests: p50 20, p95 100, p99 250 ms (n 4,000)",
        "POST /orders (shop): p50 20 ms, slower (n 50)",
    ]


def test_plot_latency_shows_what_became_slower_before_what_has_more_requests():
    rows = [
        {**ALL, **WHOLE},
        {**SHOP, **WHOLE, "p50_ms": 19.0},
        {**PAY, **WHOLE},
        {**ORDERS, **WHOLE, "n": 50, "verdict": "slower"},
    ]
    spec = plot_latency(golden(latency=latency(rows, over_time=minutes(ALL, 30, 31, n=90, p50_ms=20.0)))).to_dict()
    # The requests of pay agree with all requests in number and percentiles: they are the same.
    assert [panel["title"]["text"][0].partition(":")[0] for panel in spec["vconcat"]] == [
        "all entry requests", "POST /orders (shop)", "shop",
    ]  # fmt: skip


def test_plot_latency_draws_a_panel_that_has_no_percentile_at_all():
    few = {**ALL, "n": 3, "verdict": "too few to say"}
    spec = plot_latency(golden(latency=latency([few], over_time=minutes(ALL, 30, 30, n=3)))).to_dict()
    assert spec["vconcat"][0]["title"]["text"] == ["all entry requests: too few for a percentile (n 3)"]


def test_plot_latency_of_no_request_is_a_sentence():
    note = plot_latency(golden(latency=latency([])))
    assert isinstance(note, Note)
    assert note.says == "No request was recorded in 1970-01-01 00:30:00-01:00:00 UTC, so no duration is known."


BINS = [
    {"low_ms": 10.0, "high_ms": 20.0, "n": 70, "mode": 1},
    {"low_ms": 20.0, "high_ms": 40.0, "n": 5, "mode": 1},
    {"low_ms": 300.0, "high_ms": 600.0, "n": 25, "mode": 2},
]
MODES = [
    {"mode": 1, "value_ms": 15.0, "share": 0.75, "share_low": 0.66, "share_high": 0.82, "n": 75, "of_n": 100},
    {"mode": 2, "value_ms": 420.0, "share": 0.25, "share_low": 0.18, "share_high": 0.34, "n": 25, "of_n": 100},
]
SPLITS = [
    {"dimension": "region", "value": "eu", "n": 50, "slow_n": 13, "slow_share": 0.26, "slow_share_elsewhere": 0.24,
     "explains": 0.01},
    {"dimension": "cache", "value": "hit", "n": 75, "slow_n": 1, "slow_share": 0.013, "slow_share_elsewhere": 0.96,
     "explains": 0.8},
    {"dimension": "cache", "value": "", "n": 25, "slow_n": 24, "slow_share": 0.96, "slow_share_elsewhere": 0.013,
     "explains": 0.8},
]  # fmt: skip


def two_modes(splits=SPLITS):
    return golden(
        latency=latency(
            [{**ALL, **WHOLE}, {**ORDERS, **WHOLE, "n": 100, "modes": 2}, {**SHOP, **WHOLE, "modes": None}],
            modes=[{**ORDERS, **row} for row in MODES],
            splits=[{**ORDERS, **row} for row in splits],
            distribution=[{**about, **row} for about in (ALL, ORDERS) for row in BINS],
        )
    )


def test_plot_modes_draws_the_distribution_of_what_has_several_with_n_of_all():
    spec = plot_modes(two_modes()).to_dict()
    [bars] = data_with(spec, "low_ms")
    assert [(row["low_ms"], row["high_ms"], row["n"], row["of"], row["mode"]) for row in bars] == [
        (10.0, 20.0, 70, 100, 1), (20.0, 40.0, 5, 100, 1), (300.0, 600.0, 25, 100, 2),
    ]  # fmt: skip
    [peaks] = data_with(spec, "value_ms")
    assert [(row["value_ms"], row["share"]) for row in peaks] == [(15.0, 0.75), (420.0, 0.25)]
    assert spec["vconcat"][0]["title"]["text"] == ["POST /orders (shop): 15 ms (75 %) and 420 ms (25 %) (n 100)"]
    assert "(1 of 2 tested; 1 shown)" in spec["title"]["text"]


def test_plot_modes_shows_the_dimension_that_explains_most():
    spec = plot_modes(two_modes()).to_dict()
    [values] = data_with(spec, "slow_share")
    assert [(row["value"], row["slow_n"], row["n"]) for row in values] == [("(unknown)", 24, 25), ("hit", 1, 75)]
    assert spec["vconcat"][1]["title"]["text"] == ["by cache, which explains 80 % of it"]


def test_plot_modes_without_anything_to_split_them_by_draws_the_distribution_alone():
    assert len(plot_modes(two_modes(splits=())).to_dict()["vconcat"]) == 1


@pytest.mark.parametrize(
    ("modes", "tested", "untested"), [([1, 1], 2, ""), ([1, None], 1, " (1 more had too few requests for a test)")]
)
def test_plot_modes_of_one_mode_each_is_a_sentence(modes, tested, untested):
    rows = [{**about, **WHOLE, "modes": count} for about, count in zip((ALL, SHOP), modes, strict=True)]
    note = plot_modes(golden(latency=latency(rows)))
    assert isinstance(note, Note)
    assert note.says == (
        f"None of {tested} distributions of durations has more than one mode that can be told{untested}."
    )
