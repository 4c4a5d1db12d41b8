import sys
from pathlib import Path

import numpy as np
import pytest

from prodintel_lib.charts.anomaly_overview import MAX_FINDINGS, MAX_SERIES, plot_anomaly_timeline, plot_series_heat
from prodintel_lib.markup import Note
from prodintel_lib.windows import Window

sys.path.insert(0, str(Path(__file__).parent))
from abnormal_shop import BUCKET_US, PAY, POOL, SHOP, TIMES, failures, finding, findings

from prodintel_lib.analyses.anomalies import Scores, SeriesMatrix


def data_of(spec, column):
    """Return the rows of the data sets of a chart that have a column."""
    return [row for rows in spec["datasets"].values() for row in rows if column in row]


def test_plot_anomaly_timeline_draws_each_finding_and_each_time_it_came_again():
    came_again = Window(35 * BUCKET_US, 37 * BUCKET_US)
    spec = plot_anomaly_timeline(
        findings(
            finding(recurrences=(came_again,)),
            finding(id="AN-2", service_name="", origin_service="", grain="region", ongoing=True),
        )
    ).to_dict()
    rows = [(row["id"], row["where"], row["start"][14:19], row["end"][14:19], row["is_first"], row["lasted"])
            for row in data_of(spec, "where")]  # fmt: skip
    assert rows == [
        ("AN-1", "shop", "03:20", "05:00", True, "1 min 40 s, came again once"),
        ("AN-1", "shop", "05:50", "06:10", False, "1 min 40 s, came again once"),
        ("AN-2", "no service named (region)", "03:20", "05:00", True, "1 min 40 s, goes on"),
    ]
    assert [row["origin"] for row in data_of(spec, "where")] == ["pay", "pay", "not known"]
    assert spec["title"]["text"] == "Findings by service and severity (2 in 3 series and 70 points)"


def test_plot_anomaly_timeline_tells_severities_by_shape_and_colour():
    spec = plot_anomaly_timeline(findings(finding())).to_dict()
    marks = spec["vconcat"][0]["layer"][-1]["encoding"]
    assert marks["shape"]["scale"]["domain"] == marks["color"]["scale"]["domain"] == [
        "critical", "high", "medium", "low",
    ]  # fmt: skip
    assert len(set(marks["shape"]["scale"]["range"])) == len(set(marks["color"]["scale"]["range"])) == 4


def test_plot_anomaly_timeline_counts_series_that_are_abnormal_at_once():
    spec = plot_anomaly_timeline(findings(finding())).to_dict()
    counts = {row["time"][14:19]: row["series"] for row in data_of(spec, "until")}
    # Buckets 20 to 29 of the shop, 22 to 24 of pay too; the alarm of the pool belongs to no finding.
    assert counts == {
        "03:20": 1, "03:30": 1, "03:40": 2, "03:50": 2, "04:00": 2, "04:10": 1, "04:20": 1, "04:30": 1, "04:40": 1,
        "04:50": 1,
    }  # fmt: skip


def test_plot_anomaly_timeline_lets_the_lower_part_choose_what_the_upper_shows():
    spec = plot_anomaly_timeline(findings(finding())).to_dict()
    above, below = spec["vconcat"]
    places = [layer["encoding"]["x"]["scale"] for layer in above["layer"] if "scale" in layer["encoding"]["x"]]
    assert places
    assert all(scale["domain"] == {"param": "stretch"} for scale in places)
    views = {param["name"]: param["views"] for param in spec["params"]}
    assert views["stretch"] == [below["name"]]
    assert set(views["picked"]) <= {layer.get("name") for layer in above["layer"]}


def test_plot_anomaly_timeline_says_how_many_it_does_not_show():
    many = findings(*(finding(id=f"AN-{number}") for number in range(MAX_FINDINGS + 3)))
    spec = plot_anomaly_timeline(many).to_dict()
    assert len(data_of(spec, "where")) == MAX_FINDINGS
    assert "(203 in 3 series and 70 points, 3 less severe ones not shown)" in spec["title"]["text"]


def test_plot_series_heat_joins_neighbours_of_one_class_and_draws_what_has_no_score_apart():
    spec = plot_series_heat(findings(finding())).to_dict()
    runs = [(row["series"].partition(": ")[2], row["level"], row["time"][14:19], row["until"][14:19], row["score"],
             row["points"]) for row in data_of(spec, "level")]  # fmt: skip
    assert sorted(runs) == sorted(
        [
            (SHOP, "less than half", "01:40", "02:30", 0.5, 5),
            (SHOP, "not scored", "02:30", "02:40", None, 0),
            (SHOP, "less than half", "02:40", "03:20", 0.5, 4),
            (SHOP, "twice and more", "03:20", "05:00", 8.0, 10),
            (SHOP, "less than half", "05:00", "06:40", 0.5, 10),
            (PAY, "less than half", "01:40", "02:30", 0.5, 5),
            (PAY, "not scored", "02:30", "02:40", None, 0),
            (PAY, "less than half", "02:40", "03:20", 0.5, 4),
            (PAY, "one to two times", "03:20", "05:00", 5.0, 10),
            (PAY, "less than half", "05:00", "06:40", 0.5, 10),
            (POOL, "not scored", "01:40", "04:40", None, 0),
            (POOL, "half to all", "04:40", "06:40", 2.5, 12),
        ]
    )
    assert spec["layer"][0]["encoding"]["y"]["sort"] == [
        f"failed: {SHOP}", f"failed: {PAY}", f"saturation: {POOL}",
    ]  # fmt: skip


def test_plot_series_heat_shows_the_time_around_the_findings():
    found = finding(start_us=20 * BUCKET_US, end_us=22 * BUCKET_US)
    # Two of the window's thirty buckets, forty at least: nineteen before it, of which ten lie in the window.
    spec = plot_series_heat(findings(found, window=Window(0, 40 * BUCKET_US))).to_dict()
    starts = [row["time"][14:19] for row in data_of(spec, "level")]
    assert (min(starts), max(row["until"][14:19] for row in data_of(spec, "level"))) == ("01:20", "06:40")
    spec = plot_series_heat(findings(finding(start_us=28 * BUCKET_US, end_us=30 * BUCKET_US), bucket_s=2)).to_dict()
    starts = [row["time"][14:19] for row in data_of(spec, "level")]
    assert (min(starts), max(row["until"][14:19] for row in data_of(spec, "level"))) == ("04:10", "05:22")


def test_plot_series_heat_gives_each_class_the_opacity_it_names():
    spec = plot_series_heat(findings(finding())).to_dict()
    scale = spec["layer"][1]["encoding"]["opacity"]["scale"]
    # A point scale, which Vega-Lite would choose, takes the first two values of the range for its ends.
    assert scale == {
        "type": "ordinal", "domain": ["less than half", "half to all", "one to two times", "twice and more"],
        "range": [0.12, 0.3, 0.65, 1.0],
    }  # fmt: skip


def test_plot_series_heat_draws_nothing_where_nothing_was_recorded():
    quiet = failures()
    quiet.signals.matrix.values[:, 12:15] = np.nan
    quiet.scores.score[:, 4:7] = np.nan
    spec = plot_series_heat(findings(finding(), scored=(quiet,))).to_dict()
    gaps = [row for row in data_of(spec, "level") if row["series"].endswith(SHOP) and row["level"] == "not scored"]
    assert gaps == []
    ends = sorted(row["until"][14:19] for row in data_of(spec, "level") if row["series"].endswith(SHOP))
    assert ends[0] == "02:00"


def test_plot_series_heat_shows_the_series_with_the_highest_scores():
    keys = tuple(f"s{number:02}" for number in range(60))
    matrix = SeriesMatrix(keys, TIMES, np.ones((60, 40)))
    scores = Scores("combined", "-log10 p", keys, TIMES, np.arange(60.0)[:, None] + np.zeros((60, 40)), np.ones((60, 40)),
                    0, 0)  # fmt: skip
    many = failures()
    many.signals.matrix, many.scores = matrix, scores
    spec = plot_series_heat(findings(scored=(many,), series_scored=60)).to_dict()
    order = spec["layer"][0]["encoding"]["y"]["sort"]
    assert len(order) == MAX_SERIES
    assert (order[0], order[-1]) == ("failed: s59", "failed: s20")
    assert "40 of 60 series" in spec["title"]["text"]


def test_plot_series_heat_without_a_score_is_a_sentence():
    nothing = failures()
    nothing.scores.score[:] = np.nan
    note = plot_series_heat(findings(scored=(nothing,), series_too_short=2))
    assert isinstance(note, Note)
    assert note.says == (
        "No point in 1970-01-01 00:01:40-00:06:40 UTC could be scored: 2 series had too little before it."
    )


@pytest.mark.parametrize("series", [0, 3])
def test_plot_anomaly_timeline_of_nothing_says_what_was_looked_at(series):
    note = plot_anomaly_timeline(findings(series_scored=series))
    assert isinstance(note, Note)
    assert note.says.startswith(f"Nothing abnormal began in 1970-01-01 00:01:40-00:06:40 UTC: {series} series with 70")
