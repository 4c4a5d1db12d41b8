import polars as pl
import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.rollups.histograms import value_of
from prodintel_lib.scenarios.monitors.attempts import FALSE_ALARM
from prodintel_lib.scenarios.monitors.journeys import SLOW, SLOW_WALKS, build_journey_monitors, find_limits
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace


@pytest.fixture
def view(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: w\n", encoding="utf-8")
    return open_view(open_workspace(tmp_path))


def tally(views_by_bin, *, dimension="page", part="/cart", vital="lcp_ms"):
    rows = [
        {"dimension": dimension, "part": part, "vital": vital, "bin": number, "views": views, "good": 0, "poor": 0}
        for number, views in views_by_bin.items()
    ]
    return pl.DataFrame(rows)


def test_slow_walks_keep_false_alarms_below_the_promised_chance():
    assert SLOW**SLOW_WALKS <= FALSE_ALARM < SLOW ** (SLOW_WALKS - 1)


def test_find_limits_takes_the_order_statistics_of_the_slowest_twentieth(view):
    # 200 views, one in each bin: the p95 is the 190th; 196 of 200 is the one-sided 95 % end of Binomial(200, 0.95).
    found = find_limits(tally(dict.fromkeys(range(1, 201), 1)), private=view.private)

    low, high = value_of(pl.Series([190, 196]).to_numpy())
    assert found.to_dicts() == [
        {"route": "/cart", "metric": "lcp_ms", "p75": pytest.approx(low), "p95": pytest.approx(high), "n": 200}
    ]


@pytest.mark.parametrize(("views", "rows"), [(58, 0), (59, 1)])
def test_find_limits_needs_fifty_nine_views(view, views, rows):
    assert find_limits(tally({3: views}), private=view.private).height == rows


def test_find_limits_looks_at_pages_alone(view):
    others = pl.concat([tally({3: 100}, dimension="device"), tally({3: 100}, vital="fid_ms")])

    assert find_limits(others, private=view.private).is_empty()


def test_build_journey_monitors_says_why_there_are_none(view):
    window = Window.parse("2025-01-01T00:00/2025-01-08T00:00")

    monitors = build_journey_monitors(view, window=window)

    assert monitors.monitors == ()
    assert [left.what for left in monitors.left_out] == ["journeys"]
    assert "No event of a user was recorded" in monitors.left_out[0].why
