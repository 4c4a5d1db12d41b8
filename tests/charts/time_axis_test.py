import polars as pl
import pytest

from prodintel_lib.charts.time_axis import (
    ROOMY_POINTS,
    column_s,
    line_points,
    log_axis,
    panel_title,
    recorded_stretch,
    with_breaks,
)
from prodintel_lib.windows import Window

S = 1_000_000


@pytest.mark.parametrize(
    ("bucket_s", "length_s", "most", "width_s"),
    [
        (10, 4000, 400, 10),
        (10, 4001, 400, 20),
        (10, 12_001, 400, 60),
        (60, 86_400, 100, 900),
        (300, 10, 5, 300),
        (7, 99, 5, 21),
    ],
)
def test_column_s_is_the_least_round_multiple_of_a_bucket_that_is_few_enough(bucket_s, length_s, most, width_s):
    assert column_s(bucket_s, Window(0, length_s * S), most=most) == width_s


def test_recorded_stretch_goes_from_the_first_bucket_to_the_end_of_the_last():
    times = pl.Series([500 * S, 90 * S, 40 * S, 60 * S])
    assert recorded_stretch(times, Window(50 * S, 200 * S), bucket_s=10) == Window(60 * S, 100 * S)


def test_recorded_stretch_without_a_bucket_is_the_whole():
    assert recorded_stretch(pl.Series([5 * S]), Window(50 * S, 200 * S), bucket_s=10) == Window(50 * S, 200 * S)


def test_with_breaks_puts_an_empty_row_into_each_gap_and_none_elsewhere():
    rows = pl.DataFrame({"bucket_us": [40 * S, 10 * S, 20 * S], "value": [3.0, 1.0, 2.345678]})
    broken = with_breaks(rows, width_s=10)
    assert broken["bucket_us"].to_list() == [10 * S, 20 * S, 30 * S, 40 * S]
    assert broken["value"].to_list() == [1.0, 2.3457, None, 3.0]
    assert broken["time"][2].isoformat() == "1970-01-01T00:00:30+00:00"


def test_line_points_of_a_dense_line_are_there_for_the_pointer_only():
    assert line_points(ROOMY_POINTS).to_dict() == {"size": 14}
    assert line_points(ROOMY_POINTS + 1, "#c8500a").to_dict() == {"color": "#c8500a", "size": 50, "opacity": 0}


def test_log_axis_of_a_narrow_range_has_ticks_between_the_decades():
    axis = log_axis(11.5, 400)
    assert axis["axis"].to_dict()["values"] == [10, 20, 50, 100, 200]
    assert axis["scale"].to_dict()["domain"] == pytest.approx([10, 460])


def test_log_axis_of_a_wide_range_has_the_decades_alone():
    assert log_axis(0.5, 4000)["axis"].to_dict()["values"] == [1, 10, 100, 1000]


def test_panel_title_is_broken_into_lines_that_a_phone_can_show():
    lines = panel_title("GET /api/products/{id} (storefront): p50 12, p95 140, p99 812 ms, slower (n 25,000)").to_dict()
    assert lines["text"] == ["GET /api/products/{id} (storefront): p50 12, p95 140, p99 812", "ms, slower (n 25,000)"]


def test_panel_title_keeps_a_figure_and_its_unit_in_one_line():
    words = "POST /api/checkout/{id}/confirmation (storefront) has now 12.5 % (n 25,000)"
    assert panel_title(words).to_dict()["text"] == [
        "POST /api/checkout/{id}/confirmation (storefront) has now", "12.5 % (n 25,000)",
    ]  # fmt: skip
