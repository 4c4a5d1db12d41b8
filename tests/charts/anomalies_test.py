import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.anomalies import Scores, SeriesMatrix
from prodintel_lib.charts.anomalies import MAX_OTHERS, plot_anomaly
from prodintel_lib.markup import Note
from prodintel_lib.windows import Window, to_datetime

sys.path.insert(0, str(Path(__file__).parent))
from abnormal_shop import BUCKET_US, PAY, SHOP, TIMES, failures, finding, findings, members


def at(bucket):
    return to_datetime(bucket * BUCKET_US).strftime("%Y-%m-%dT%H:%M:%S+0000")


def rows_of(spec, panel):
    """Return the rows of a panel's last layer with data by name: that of the observed values."""
    names = [layer["data"]["name"] for layer in spec["vconcat"][panel]["layer"] if "name" in layer.get("data", {})]
    return spec["datasets"][names[-1]]


def test_plot_anomaly_draws_the_main_series_what_was_expected_and_what_it_rests_on():
    found = finding()
    spec = plot_anomaly(findings(found), found).to_dict()
    rows = {row["time"]: row for row in rows_of(spec, 0)}
    assert len(rows) == 40
    assert (rows[at(20)]["value"], rows[at(20)]["expected"], rows[at(20)]["score"], rows[at(20)]["n"]) == (
        0.5, 0.02, 8.0, 100.0,
    )  # fmt: skip
    assert (rows[at(7)]["value"], rows[at(7)]["expected"], rows[at(7)]["score"]) == (0.02, None, None)
    assert rows[at(15)]["value"] is None
    assert spec["title"]["text"] == (
        "Requests that failed: shop POST /orders, per 10 s (n 1,000 in it, 1,900 before)"
    )  # fmt: skip
    assert "below: 1 more of its series" in spec["title"]["subtitle"]


def test_plot_anomaly_shades_the_finding_and_what_came_again_within_the_stretch():
    later = Window(35 * BUCKET_US, 37 * BUCKET_US)
    found = finding(recurrences=(later, Window(900 * BUCKET_US, 901 * BUCKET_US)))
    spec = plot_anomaly(findings(found), found).to_dict()
    data = [spec["datasets"][layer["data"]["name"]] for layer in spec["vconcat"][0]["layer"] if "data" in layer]
    shades = [(rows[0]["start"][11:19], rows[0]["end"][11:19]) for rows in data if "start" in rows[0]]
    assert shades == [("00:03:20", "00:05:00"), ("00:05:50", "00:06:10")]


def test_plot_anomaly_marks_changes_within_the_stretch_only():
    found = finding()
    said = str(plot_anomaly(findings(found), found).to_dict())
    assert "deployment pay 2" in said
    assert "long ago" not in said
    quiet = finding(nearby_changes=found.nearby_changes.clear())
    assert "change" not in plot_anomaly(findings(quiet), quiet).to_dict()["title"]["subtitle"]


def test_plot_anomaly_says_the_threshold_in_the_detector_s_unit():
    found = finding()
    score = plot_anomaly(findings(found), found).to_dict()["vconcat"][1]
    assert score["title"]["text"] == ["Score, -log10 p; dashed: the threshold, 4"]


def test_plot_anomaly_draws_the_other_series_below_with_their_own_values():
    found = finding()
    spec = plot_anomaly(findings(found), found).to_dict()
    assert [panel["title"]["text"] for panel in spec["vconcat"][2:]] == [[f"{PAY}: requests that failed"]]
    assert {row["value"] for row in rows_of(spec, 2)} == {0.02, 0.2, None}


def test_plot_anomaly_counts_the_series_it_leaves_out():
    keys = tuple(f"s{number}" for number in range(9))
    matrix = SeriesMatrix(keys, TIMES, np.full((9, 40), 2.0), np.full((9, 40), 100.0), "ratio")
    scores = Scores("combined", "-log10 p", keys, TIMES, np.full((9, 40), 5.0), np.full((9, 40), 0.02), 0, 0)
    many = failures()
    many.signals.matrix, many.scores = matrix, scores
    found = finding(key="s0", series=members(*((key, "error_ratio", 0, 0) for key in keys)))
    spec = plot_anomaly(findings(found, scored=(many,)), found).to_dict()
    assert len(spec["vconcat"]) == 2 + MAX_OTHERS
    assert "below: 6 more of its series, 2 not shown" in spec["title"]["subtitle"]


def test_plot_anomaly_shows_one_series_of_each_service_and_signal_before_a_second():
    names = [f"{service} {number}" for service in ("shop", "pay") for number in range(8)]
    matrix = SeriesMatrix(tuple(names), TIMES, np.full((16, 40), 2.0), np.full((16, 40), 100.0), "ratio")
    scores = Scores("combined", "-log10 p", matrix.keys, TIMES, np.full((16, 40), 5.0), matrix.values, 0, 0)
    many = failures()
    many.signals.matrix, many.scores = matrix, scores
    found = finding(key="shop 0", series=members(*((name, "error_ratio", 0, 0) for name in names)))
    spec = plot_anomaly(findings(found, scored=(many,)), found).to_dict()
    assert [panel["title"]["text"][0].partition(":")[0] for panel in spec["vconcat"][2:]] == [
        "pay 0", "shop 1", "pay 1", "shop 2", "pay 2", "shop 3",
    ]  # fmt: skip


def test_plot_anomaly_draws_no_band_where_too_few_points_came_before():
    found = finding()
    rows = rows_of(plot_anomaly(findings(found), found).to_dict(), 0)
    assert {row["low"] for row in rows} == {None}


def test_plot_anomaly_bands_the_expectation_by_the_differences_before():
    times = np.arange(101, dtype=np.int64) * BUCKET_US
    values = 1000.0 + np.arange(101)[None, :]
    matrix = SeriesMatrix((SHOP,), times, values, None, "count")
    scores = Scores("combined", "-log10 p", matrix.keys, times, values * 0, values * 0 + 1000.0, 0, 0)
    scored = failures()
    scored.signals.matrix, scored.scores, scored.signals.signal = matrix, scores, "throughput"
    found = finding(
        signal="throughput", unit="per_s", measure="requests a second", start_us=100 * BUCKET_US,
        end_us=101 * BUCKET_US, series=members((SHOP, "throughput", 0, 0)),
    )  # fmt: skip
    spec = plot_anomaly(findings(found, scored=(scored,)), found).to_dict()
    rows = rows_of(spec, 0)
    # The stretch holds the sixty points before it, 40 to 99 above: 41.475 and 97.525 are their quantiles.
    assert len(rows) == 61
    assert [row["high"] for row in rows] == pytest.approx([1097.525] * 61)
    assert {row["low"] for row in rows} == {1000.0}
    assert spec["vconcat"][0]["layer"][-1]["encoding"]["y"]["title"] == "requests per 10 s"


def test_plot_anomaly_of_a_long_finding_joins_points_by_what_they_rest_on():
    times = np.arange(1000, dtype=np.int64) * BUCKET_US
    hits, trials = np.zeros((1, 1000)), np.full((1, 1000), 10.0)
    hits[0, 900:], trials[0, 901::2] = 5.0, 40.0
    matrix = SeriesMatrix((SHOP,), times, hits, trials, "ratio")
    scores = Scores("combined", "-log10 p", matrix.keys, times, np.arange(1000.0)[None, :], hits * 0, 0, 0)
    scored = failures()
    scored.signals.matrix, scored.scores = matrix, scores
    found = finding(start_us=900 * BUCKET_US, end_us=1000 * BUCKET_US, series=members((SHOP, "error_ratio", 0, 0)))
    spec = plot_anomaly(findings(found, scored=(scored,)), found).to_dict()
    rows = {row["time"]: row for row in rows_of(spec, 0)}
    assert "per 20 s" in spec["title"]["text"]
    # Buckets 950 and 951: 5 of 10 and 5 of 40.
    assert (rows[at(950)]["value"], rows[at(950)]["n"], rows[at(950)]["score"]) == (0.2, 50.0, 951.0)


def test_plot_anomaly_of_latency_says_that_its_series_is_a_share():
    scored = failures()
    scored.signals.signal = "latency"
    found = finding(signal="latency", unit="ms", measure="p95 of the duration", series=members((SHOP, "latency", 0, 0)))
    spec = plot_anomaly(findings(found, scored=(scored,)), found).to_dict()
    observed = spec["vconcat"][0]["layer"][-1]["encoding"]["y"]
    assert (observed["title"], observed["axis"]["format"]) == ("requests slower than usual", "~%")


def test_plot_anomaly_without_a_finding_says_what_was_looked_at():
    note = plot_anomaly(findings(), None)
    assert isinstance(note, Note)
    assert note.says == (
        "Nothing abnormal began in 1970-01-01 00:01:40-00:06:40 UTC: 3 series with 70 points were scored, 1 had too "
        "little before it."
    )


def test_plot_anomaly_of_a_series_that_was_not_kept_is_a_sentence():
    found = finding(key="gone")
    note = plot_anomaly(findings(found), found)
    assert isinstance(note, Note)
    assert note.says == "No point of gone is at hand, so there is no course of AN-1 to show."


def test_plot_anomaly_shows_no_time_at_which_nothing_was_recorded():
    scored = failures()
    scored.signals.matrix.values[0, :12] = np.nan
    found = finding()
    spec = plot_anomaly(findings(found, scored=(scored,)), found).to_dict()
    domain = spec["vconcat"][0]["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert (domain[0]["minutes"], domain[0]["seconds"]) == (2, 0)
    assert pl.Series([row["time"] for row in rows_of(spec, 0)]).min() == at(12)
