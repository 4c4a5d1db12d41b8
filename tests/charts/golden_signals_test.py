import sys
from pathlib import Path

import pytest

from prodintel_lib.charts.golden_signals import MAX_RESOURCES, plot_error_ratio, plot_saturation, plot_traffic
from prodintel_lib.markup import Note

sys.path.insert(0, str(Path(__file__).parent))
from golden_shop import ALL, CART, MINUTE_US, ORDERS, PAY, SHOP, errors, golden, minutes, saturation, traffic


def rows_of(panel, spec):
    """Return the rows of a panel's layers that have data, in their order."""
    own = [spec["datasets"][panel["data"]["name"]]] if "data" in panel else []
    return own + [spec["datasets"][layer["data"]["name"]] for layer in panel.get("layer", []) if "data" in layer]


def columns(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def titles(spec):
    return [" ".join(panel["title"]["text"]) for panel in spec["vconcat"]]


def test_plot_traffic_draws_observed_and_usual_with_the_count_behind_the_rate():
    over_time = minutes(ALL, 29, 31, requests=120, rps=2.0, usual_rps=1.5, usual_low_rps=1.0, usual_high_rps=1.9)
    chart = plot_traffic(
        golden(traffic=traffic([{**ALL, "n": 240, "rps": 2.0, "usual_rps": 1.5, "forecast_says": "too little history"}],
                               over_time=over_time))
    )  # fmt: skip
    spec = chart.to_dict()
    observed = [rows for rows in rows_of(spec["vconcat"][0], spec) if "requests" in rows[0]]
    assert (
        columns(observed[-1], "requests", "rps", "usual_rps", "usual_low_rps", "usual_high_rps")
        == [(120, 2.0, 1.5, 1.0, 1.9)] * 3
    )
    assert titles(spec) == ["all entry requests: 2/s, usually 1.5/s (n 240)"]
    assert spec["title"]["subtitle"].endswith("all entry requests: too little history")
    assert "low_rps" not in str(spec["datasets"].values()).replace("usual_low_rps", "")


def test_plot_traffic_draws_the_forecast_after_the_window_and_says_what_it_is_worth():
    foreseen = [{**ALL, "bucket_us": 60 * MINUTE_US, "step_s": 3600, "rps": 3.0, "low_rps": 2.0, "high_rps": 4.5,
                 "method": "seasonal naive"}]  # fmt: skip
    row = {**ALL, "n": 240, "rps": 2.0, "forecast_says": "by the hour of the day", "coverage": 0.88, "coverage_n": 50}
    spec = plot_traffic(
        golden(traffic=traffic([row], over_time=minutes(ALL, 30, 59, requests=120, rps=2.0), forecast=foreseen))
    ).to_dict()
    drawn = [rows for rows in rows_of(spec["vconcat"][0], spec) if "method" in rows[0]]
    assert columns(drawn[0], "rps", "low_rps", "high_rps", "method") == [(3.0, 2.0, 4.5, "seasonal naive")]
    ends = spec["vconcat"][0]["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert [(end["hours"], end["minutes"]) for end in ends] == [(0, 30), (2, 0)]
    assert "its 90 % interval" in spec["title"]["subtitle"]
    assert spec["title"]["subtitle"].endswith("by the hour of the day; its interval held 88 % of 50 backtests")


def test_plot_traffic_shows_as_much_before_the_window_as_the_window_is_long():
    over_time = minutes(ALL, -60, 40, requests=60, rps=1.0)
    spec = plot_traffic(
        golden(traffic=traffic([{**ALL, "n": 60, "rps": 1.0, "forecast_says": "none"}], over_time=over_time))
    ).to_dict()
    [observed] = {str(rows): rows for rows in rows_of(spec["vconcat"][0], spec) if "requests" in rows[0]}.values()
    assert len(observed) == 41
    assert "the window begins" in str(spec["datasets"])
    assert "the window ends" not in str(spec["datasets"])


def test_plot_traffic_shows_what_is_unusual_before_what_is_not():
    rows = [
        {**ALL, "n": 90, "rps": 1.0, "verdict": "usual", "forecast_says": "none"},
        {**SHOP, "n": 80, "rps": 1.0, "verdict": "usual"},
        {**PAY, "n": 0, "rps": 0.0, "usual_rps": 2.0, "verdict": "less"},
        {**CART, "n": 0, "rps": 0.0, "verdict": "usual"},
        {**ORDERS, "n": 10, "rps": 1.0, "verdict": "more"},
    ]
    spec = plot_traffic(golden(traffic=traffic(rows, over_time=minutes(ALL, 30, 31, requests=60, rps=1.0)))).to_dict()
    assert titles(spec) == [
        "all entry requests: 1/s (n 90)", "pay: 0/s, usually 2/s (n 0)", "POST /orders (shop): 1/s (n 10)",
        "shop: 1/s (n 80)",
    ]  # fmt: skip


def test_plot_traffic_of_no_request_is_a_sentence():
    note = plot_traffic(golden(traffic=traffic([{**ALL, "n": 0}])))
    assert isinstance(note, Note)
    assert note.says == "No request was recorded in 1970-01-01 00:30:00-01:00:00 UTC."


def test_plot_error_ratio_puts_what_is_new_or_rising_after_all_requests():
    rows = [
        {**ALL, "n": 1000, "failed": 50, "ratio": 0.05, "trend": "steady"},
        {**SHOP, "n": 1000, "failed": 50, "ratio": 0.05, "trend": "rising"},
        {**PAY, "n": 900, "failed": 40, "ratio": 0.044, "trend": "steady"},
        {**CART, "n": 900, "failed": 0, "ratio": 0.0, "trend": "none"},
        {**ORDERS, "n": 100, "failed": 9, "ratio": 0.09, "trend": "rising"},
    ]
    over_time = minutes(ORDERS, 30, 32, n=10, failed=1, ratio=0.1, low=0.02, high=0.4)
    spec = plot_error_ratio(golden(errors=errors(rows, over_time=over_time))).to_dict()
    # The shop's requests are all requests: they are shown once.
    assert titles(spec) == [
        "all entry requests: 5.00 %, steady (50 of 1,000)",
        "POST /orders (shop): 9.00 %, rising (9 of 100)",
        "pay: 4.40 %, steady (40 of 900)",
    ]
    assert "(3 of 4 with failures)" in spec["title"]["text"]
    [orders] = [rows for rows in rows_of(spec["vconcat"][1], spec) if "failed" in rows[0]][-1:]
    assert columns(orders, "failed", "n", "ratio", "low", "high") == [(1, 10, 0.1, 0.02, 0.4)] * 3


def test_plot_error_ratio_draws_the_share_before_only_where_there_was_one():
    known = {**ALL, "n": 10, "failed": 1, "ratio": 0.1, "trend": "rising", "history_ratio": 0.02, "history_n": 500}
    over_time = minutes(ALL, 30, 31, n=5, failed=1, ratio=0.2, low=0.1, high=0.5)
    spec = plot_error_ratio(golden(errors=errors([known], over_time=over_time))).to_dict()
    assert columns(rows_of(spec["vconcat"][0], spec)[-1], "before", "n") == [(0.02, 500)]
    unknown = {**known, "history_ratio": None}
    spec = plot_error_ratio(golden(errors=errors([unknown], over_time=over_time))).to_dict()
    assert "before" not in str(spec["datasets"])


def test_plot_error_ratio_without_a_failure_is_a_sentence():
    note = plot_error_ratio(golden(errors=errors([{**ALL, "n": 1234, "failed": 0}, {**SHOP, "n": 99, "failed": 0}])))
    assert isinstance(note, Note)
    assert note.says == "None of 1,234 entry requests in 1970-01-01 00:30:00-01:00:00 UTC failed."


def resource(key, level, *, name="pool", risk="ok", hours_left=None, instance="shop-1"):
    return {
        "key": key, "service_name": "shop", "service_instance_id": instance, "resource": name, "level": level,
        "highest": level + 0.02, "risk": risk, "n": 30, "hours_left": hours_left,
    }  # fmt: skip


def levels(key, value):
    return minutes({"key": key}, 30, 33, value=value, highest=value + 0.1)


def test_plot_saturation_draws_levels_against_the_bounds_of_risk():
    spec = plot_saturation(
        golden(
            saturation=saturation(
                [resource("a", 0.95, risk="critical", hours_left=2.5), resource("b", 0.6, name="cpu"),
                 resource("c", 0.2, name="memory"), resource("q", 40.0, name="queue", risk="no limit known")],
                over_time=[*levels("a", 0.95), *levels("b", 0.6), *levels("c", 0.2), *levels("q", 40.0)],
            )
        )
    ).to_dict()  # fmt: skip
    assert titles(spec) == [
        "shop pool: 95 %, highest 97 %, critical; if it goes on like this, full in 2 h 30 min (n 30)",
        "shop cpu: 60 %, highest 62 %, ok (n 30)",
    ]
    bounds, pool = rows_of(spec["vconcat"][0], spec)
    assert columns(bounds, "risk", "from") == [("watch", 0.7), ("high", 0.8), ("critical", 0.9)]
    assert columns(pool, "value", "highest") == [(0.95, 1.05)] * 4
    scales = [panel["layer"][-1]["encoding"]["y"]["scale"]["domain"] for panel in spec["vconcat"]]
    assert scales == [[0, 1.05], [0, 1.0]]
    assert "(2 of 3, fullest first)" in spec["title"]["text"]
    assert spec["title"]["subtitle"].endswith("2 of 3 came to 50 % or more")


def test_plot_saturation_shows_the_fullest_alone_where_none_came_near_its_limit():
    rows = [resource("a", 0.3), resource("b", 0.2, name="cpu")]
    spec = plot_saturation(
        golden(saturation=saturation(rows, over_time=[*levels("a", 0.3), *levels("b", 0.2)]))
    ).to_dict()
    assert titles(spec) == ["shop pool: 30 %, highest 32 %, ok (n 30)"]
    assert spec["title"]["subtitle"].endswith("0 of 2 came to 50 % or more")


def test_plot_saturation_names_the_instance_where_one_name_is_not_enough():
    rows = [resource("a", 0.8), resource("b", 0.7, instance="shop-2"), resource("c", 0.6, name="cpu")]
    over_time = [*levels("a", 0.8), *levels("b", 0.7), *levels("c", 0.6)]
    spec = plot_saturation(golden(saturation=saturation(rows, over_time=over_time))).to_dict()
    assert [title.partition(":")[0] for title in titles(spec)] == ["shop shop-1 pool", "shop shop-2 pool", "shop cpu"]


def test_plot_saturation_shows_the_fullest_and_counts_all():
    many = [resource(f"r{number}", 0.9 - number / 100, name=f"r{number}") for number in range(9)]
    over_time = [row for number in range(9) for row in levels(f"r{number}", 0.5)]
    spec = plot_saturation(golden(saturation=saturation(many, over_time=over_time, resources_left_out=4))).to_dict()
    assert len(spec["vconcat"]) == MAX_RESOURCES
    assert "(6 of 13, fullest first)" in spec["title"]["text"]


@pytest.mark.parametrize(("rows", "without"), [([], 0), ([resource("q", 40.0, risk="no limit known")], 1)])
def test_plot_saturation_without_a_limit_is_a_sentence(rows, without):
    note = plot_saturation(golden(saturation=saturation(rows)))
    assert isinstance(note, Note)
    assert note.says == (
        f"No resource with a known limit was recorded ({without} without one), so there is no level to show."
    )
