import sys
from pathlib import Path

import pytest

from prodintel_lib.charts.load import MAX_STRETCH_BARS, MAX_STRETCHES, plot_load_course, plot_load_mix
from prodintel_lib.markup import Note

sys.path.insert(0, str(Path(__file__).parent))
from load_shop import HOUR_US, START_US, every_hour, profiles, rows_of


def test_plot_load_course_draws_the_rate_with_the_count_behind_it():
    load = profiles({"GET /a": [60, 120, 180], "GET /b": [60, 0, 0]}, time_zone="Europe/Paris")
    spec = plot_load_course(load).to_dict()
    [rows] = rows_of(spec, spec["vconcat"][0])
    assert [(row["time"][11:16], row["local"], row["rps"], row["requests"], row["minutes"]) for row in rows] == [
        ("00:00", "2025-10-27 01:00 +01:00", 2.0, 120, 1.0),
        ("00:01", "2025-10-27 01:01 +01:00", 2.0, 120, 1.0),
        ("00:02", "2025-10-27 01:02 +01:00", 3.0, 180, 1.0),
    ]
    assert spec["title"]["text"] == "Requests a second, per 1 min (n 420 requests)"
    assert spec["title"]["subtitle"] == "Drag below to choose a stretch of time"


def test_plot_load_course_breaks_the_line_where_nothing_was_recorded():
    # An hour, a gap of an hour, an hour: of most of the time there is a record.
    load = profiles({"GET /a": [60] * 60 + [None] * 60 + [60] * 60})
    spec = plot_load_course(load).to_dict()
    rows = rows_of(spec, spec["vconcat"][0])[-1]
    assert [row["time"][11:16] for row in rows if row["rps"] is None] == ["01:00"]
    assert len(rows) == 121


def test_plot_load_course_draws_the_forecast_and_what_it_is_worth():
    load = profiles({"GET /a": every_hour(9)}, bucket_s=900)
    spec = plot_load_course(load).to_dict()
    foreseen, line = rows_of(spec, spec["vconcat"][0])[-2:]
    assert load.forecast.height == len(foreseen)
    assert (foreseen[0]["rps"], foreseen[0]["low_rps"], foreseen[0]["high_rps"]) == pytest.approx(
        load.forecast.row(0)[2:5], rel=1e-4
    )
    assert "minutes" in line[0]
    assert f"dashed: forecast with its 80 % interval, {load.forecast_says}" in spec["title"]["subtitle"]
    # What is chosen below is shown above.
    assert spec["vconcat"][0]["layer"][-1]["encoding"]["x"]["scale"]["domain"] == {"param": "stretch"}
    end = spec["vconcat"][1]["encoding"]["x"]["scale"]["domain"][1]
    assert (end["month"], end["date"]) == (11, 6)


def test_plot_load_course_shades_events_as_far_as_they_are_shown():
    events = [
        "2025-10-01/2025-10-02 before",
        "2025-10-26/2025-10-27T06:00 early",
        "2025-11-02/2025-11-03 sale <b>",
        "2025-11-04T12:00/2025-11-20 long",
        "2026-01-01/2026-01-02 later",
    ]
    spec = plot_load_course(profiles({"GET /a": every_hour(9)}, bucket_s=900, events=events)).to_dict()
    shaded = rows_of(spec, spec["vconcat"][0])[0]
    assert [(row["event"], row["time"][5:16], row["ends"][5:16]) for row in shaded] == [
        ("early", "10-27T00:00", "10-27T06:00"),
        ("sale <b>", "11-02T00:00", "11-03T00:00"),
        ("long", "11-04T12:00", "11-05T00:00"),
    ]
    assert spec["title"]["subtitle"].endswith("shaded: named events")


def test_plot_load_course_shows_stretches_one_by_one_where_little_was_recorded():
    later = [(START_US + 24 * HOUR_US * day, {"GET /a": [60] * (day + 1)}) for day in range(1, 8)]
    load = profiles({"GET /a": [600, 60]}, more=later)
    spec = plot_load_course(load).to_dict()
    titles = [" ".join(panel["title"]["text"]) for panel in spec["vconcat"]]
    assert len(titles) == MAX_STRETCHES
    assert titles[0] == "2025-10-29 00:00 UTC, 3 min 00 s (n 180 requests)"
    assert titles[-1] == "2025-11-03 00:00 UTC, 8 min 00 s (n 480 requests)"
    assert spec["title"]["subtitle"] == (
        "37 min 00 s were recorded in 8 stretches apart, 2 shorter ones not shown; all with the same scale"
    )
    domains = [panel["layer"][0]["encoding"]["y"]["scale"]["domain"] for panel in spec["vconcat"]]
    assert domains == [[0, 10.0]] * MAX_STRETCHES


def test_plot_load_course_of_one_bucket_is_a_sentence():
    note = plot_load_course(profiles({"GET /a": [90]}))
    assert isinstance(note, Note)
    assert note.says == "90 requests in 1 min 00 s, 1.5 a second: too short a time for a course."


def test_plot_load_mix_stacks_shares_to_the_whole_most_asked_for_first():
    spec = plot_load_mix(profiles({"GET /a": [30, 10], "GET /b": [10, 30], "GET /c": [60, 0]})).to_dict()
    [rows] = rows_of(spec, spec)
    # /a and /b are asked for 40 times each, /c 60 times.
    assert [(row["time"][11:16], row["endpoint"], row["low"], row["high"], row["requests"]) for row in rows] == [
        ("00:00", "GET /c", 0.0, 0.6, 60),
        ("00:00", "GET /a", 0.6, 0.9, 30),
        ("00:00", "GET /b", 0.9, 1.0, 10),
        ("00:01", "GET /a", 0.0, 0.25, 10),
        ("00:01", "GET /b", 0.25, 1.0, 30),
    ]
    assert spec["encoding"]["color"]["scale"]["domain"] == ["GET /c", "GET /a", "GET /b"]
    assert spec["title"]["text"] == "What is asked for, shares per 1 min (n 140 requests)"


def test_plot_load_mix_puts_the_rest_together_in_a_quiet_colour():
    counts = {f"GET /{number}": [100 - number] * 2 for number in range(9)}
    spec = plot_load_mix(profiles(counts)).to_dict()
    scale = spec["encoding"]["color"]["scale"]
    assert scale["domain"] == [*(f"GET /{number}" for number in range(6)), "(others)"]
    assert scale["range"][-1] == "#75808c"
    others = [row for row in rows_of(spec, spec)[0] if row["endpoint"] == "(others)"]
    assert [row["requests"] for row in others] == [94 + 93 + 92] * 2


def test_plot_load_mix_has_a_bar_a_stretch_where_little_was_recorded():
    later = [(START_US + 24 * HOUR_US, {"GET /a": [10, 20], "GET /b": [None, 10]})]
    spec = plot_load_mix(profiles({"GET /a": [10, 10]}, more=later)).to_dict()
    [rows] = rows_of(spec, spec)
    assert [(row["begins"], row["endpoint"], row["share"], row["requests"]) for row in rows] == [
        ("2025-10-27 00:00", "GET /a", 1.0, 20),
        ("2025-10-28 00:00", "GET /a", 0.75, 30),
        ("2025-10-28 00:00", "GET /b", 0.25, 10),
    ]
    assert spec["title"]["text"] == "What is asked for, shares per stretch of the record (n 60 requests)"


def test_plot_load_mix_says_how_many_stretches_it_leaves_out():
    later = [(START_US + 24 * HOUR_US * day, {"GET /a": [day] * 3}) for day in range(1, MAX_STRETCH_BARS + 3)]
    spec = plot_load_mix(profiles({"GET /a": [100] * 3}, more=later)).to_dict()
    [rows] = rows_of(spec, spec)
    assert [row["requests"] for row in rows] == [3 * day for day in range(3, MAX_STRETCH_BARS + 3)]
    assert spec["title"]["subtitle"].endswith("; the last 40 of 43 stretches")
