import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load import measure_headroom
from prodintel_lib.charts.load_headroom import BINS, MAX_RESOURCES, plot_headroom
from prodintel_lib.markup import Note
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA

sys.path.insert(0, str(Path(__file__).parent))
from load_shop import MINUTE_US, START_US, arrivals, rows_of

RATES = np.tile(np.arange(2, 22), 6)


def levels(values, *, service="shop"):
    rows = [
        (START_US + at * MINUTE_US, "system.cpu.utilization", "1", service, "", "", False, level, level, level, 1)
        for at, level in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=METRIC_BUCKETS_SCHEMA, orient="row")


def found(*parts, limit=0.8):
    return measure_headroom(pl.concat(parts), arrivals({"GET /a": [60 * int(rate) for rate in RATES]}), limit=limit)


def test_plot_headroom_draws_points_the_line_and_where_it_reaches_the_limit():
    spec = plot_headroom(found(levels(0.1 + 0.02 * RATES))).to_dict()
    [panel] = spec["vconcat"]
    points, limit, peak, line, reached = rows_of(spec, panel)[:5]
    assert len(points) == 20
    assert (points[0]["rps"], points[0]["utilization"], points[0]["n"]) == pytest.approx((2.0, 0.14, 6))
    assert (limit, peak) == ([{"limit": 0.8}], [{"peak_rps": 21.0}])
    assert [(row["rps"], row["utilization"]) for row in line] == [
        pytest.approx((2.0, 0.14)),
        pytest.approx((35.0, 0.8)),
    ]
    assert reached[0]["rps"] == pytest.approx(35.0)
    assert reached[0]["n"] == 120
    assert " ".join(panel["title"]["text"]) == (
        "shop system.cpu.utilization: 80 % at 35/s (35 to 35), 1.7 times the peak (n 120)"
    )
    assert spec["title"]["text"] == "Utilisation against requests a second (1 of 1 resources)"


def test_plot_headroom_draws_no_line_where_nothing_is_known_and_says_why():
    spec = plot_headroom(found(levels(0.5 + 0 * RATES))).to_dict()
    [panel] = spec["vconcat"]
    assert len(panel["layer"]) == 3
    assert " ".join(panel["title"]["text"]) == (
        "shop system.cpu.utilization: it does not rise with traffic for certain (n 120)"
    )


def test_plot_headroom_joins_points_by_cells_and_counts_them():
    rng = np.random.default_rng(3)
    rates = rng.integers(1, 600, 3000)
    noisy = levels(0.001 * rates + rng.uniform(0, 0.2, 3000))
    head = measure_headroom(noisy, arrivals({"GET /a": [60 * int(rate) for rate in rates]}))
    spec = plot_headroom(head).to_dict()
    points = rows_of(spec, spec["vconcat"][0])[0]
    assert len(points) <= BINS[0] * BINS[1]
    assert sum(row["n"] for row in points) == 3000


def test_plot_headroom_shows_what_is_full_first():
    parts = [levels(slope * RATES, service=f"s{slope}") for slope in (0.01, 0.03, 0.02, 0.015, 0.025)]
    spec = plot_headroom(found(*parts)).to_dict()
    titles = [" ".join(panel["title"]["text"]).split()[0] for panel in spec["vconcat"]]
    assert titles == ["s0.03", "s0.025", "s0.02", "s0.015"]
    assert len(titles) == MAX_RESOURCES
    assert "(4 of 5 resources)" in spec["title"]["text"]


def test_plot_headroom_shows_the_fullest_first_where_nothing_can_be_foreseen():
    parts = [levels(level + 0 * RATES, service=f"s{level}") for level in (0.2, 0.9, 0.5, 0.1, 0.3)]
    spec = plot_headroom(found(*parts, levels(0.02 * RATES, service="known"))).to_dict()
    titles = [" ".join(panel["title"]["text"]).split()[0] for panel in spec["vconcat"]]
    assert titles == ["known", "s0.9", "s0.5", "s0.3"]


def test_plot_headroom_of_few_points_is_a_sentence():
    note = plot_headroom(found(levels([0.1] * 7), levels([0.1] * 9, service="pay")))
    assert isinstance(note, Note)
    assert note.says == (
        "2 resources have a known limit, with 9 points at most: 20 are needed to set utilisation against traffic."
    )


def test_plot_headroom_without_a_resource_is_a_sentence():
    note = plot_headroom(found(levels([0.1]).clear()))
    assert isinstance(note, Note)
    assert note.says == "No resource with a known limit was recorded: how much traffic fits is not known."
