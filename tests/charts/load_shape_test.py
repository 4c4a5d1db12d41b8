import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.analyses.load.model import BURSTINESS_SCHEMA, PEAKS_SCHEMA, PROFILE_SCHEMA, QUIET_SCHEMA
from prodintel_lib.charts.load_shape import plot_burstiness, plot_load_day, plot_load_week
from prodintel_lib.markup import Note

sys.path.insert(0, str(Path(__file__).parent))
from load_shop import every_hour, profiles, rows_of


def made(*, profile=(), quiet=(), quiet_cycle="", peaks=(), burstiness=(), days=9):
    frames = {"profile": PROFILE_SCHEMA, "quiet": QUIET_SCHEMA, "peaks": PEAKS_SCHEMA, "burstiness": BURSTINESS_SCHEMA}
    given = {"profile": profile, "quiet": quiet, "peaks": peaks, "burstiness": burstiness}
    built = {
        name: pl.DataFrame([{column: row.get(column) for column in schema} for row in given[name]], schema=schema)
        for name, schema in frames.items()
    }
    return SimpleNamespace(
        **built, quiet_cycle=quiet_cycle, time_zone="Europe/Paris", requests=40, bucket_s=60,
        days=pl.DataFrame({"date": ["d"] * days}),
    )  # fmt: skip


def slots(cycle, numbers, **more):
    return [
        {"cycle": cycle, "slot": slot, "label": f"slot {slot}", "rps": 1.0 + slot, "n": 2, **more} for slot in numbers
    ]


def test_plot_load_week_lays_hours_out_by_weekday_on_the_business_s_clock():
    spec = plot_load_week(made(profile=slots("hour of week", range(20, 50), low_rps=0.5, most_rps=99.0))).to_dict()
    rows = rows_of(spec, spec)[0]
    assert [(row["weekday"], row["hour"], row["until"], row["rps"], row["n"]) for row in rows[3:5]] == [
        ("Mon", 23, 24, 24.0, 2),
        ("Tue", 0, 1, 25.0, 2),
    ]
    assert (rows[0]["low_rps"], rows[0]["high_rps"], rows[0]["most_rps"]) == (0.5, None, 99.0)
    assert spec["title"]["text"] == "Requests a second by weekday and hour, Europe/Paris (n 60 hours)"
    assert spec["layer"][0]["encoding"]["opacity"]["scale"]["domain"] == [0, 50.0]


def test_plot_load_week_outlines_the_longest_quiet_stretches_and_cuts_them_at_midnight():
    quiet = [
        {"length_h": 1, "rank": 1, "slot": 5, "label": "Monday 05:00", "expected": 10.0, "n": 3},
        {"length_h": 4, "rank": 1, "slot": 167, "label": "Sunday 23:00", "expected": 40.0, "low": 30.0, "n": 3},
    ]
    spec = plot_load_week(made(profile=slots("hour of week", range(168)), quiet=quiet, quiet_cycle="week")).to_dict()
    outlined = rows_of(spec, spec)[1]
    assert [(row["weekday"], row["hour"], row["until"], row["quiet"]) for row in outlined] == [
        ("Sun", 23, 24, "4 h from Sunday 23:00"),
        ("Mon", 0, 3, "4 h from Sunday 23:00"),
    ]
    assert (outlined[0]["expected"], outlined[0]["low"], outlined[0]["high"]) == (40.0, 30.0, None)
    assert "the quietest 4 h of the week" in spec["title"]["subtitle"]


def test_plot_load_week_of_few_hours_is_a_sentence():
    note = plot_load_week(made(profile=slots("hour of week", range(23))))
    assert isinstance(note, Note)
    assert note.says.startswith("23 of 168 hours of the week were recorded by half: too few")


def test_plot_load_day_draws_mean_interval_and_range_with_the_hours_behind_them():
    load = profiles({"GET /a": every_hour(9)}, bucket_s=900)
    spec = plot_load_day(load).to_dict()
    bars = next(rows for rows in rows_of(spec, spec) if "least_rps" in rows[0])
    # Four quarters of (60 + 10 * 9) requests.
    assert (bars[9]["when"], bars[9]["n"]) == ("09:00", 9)
    assert [bars[9][name] for name in ("rps", "low_rps", "high_rps", "least_rps", "most_rps")] == pytest.approx(
        [600 / 3600] * 5, rel=1e-3
    )
    assert spec["title"]["text"] == "Requests a second by hour of the day, UTC (n 216 hours of 9 days)"


def test_plot_load_day_marks_the_hours_that_may_be_peak_and_low_above_all_that_is_drawn():
    peaks = [
        {"kind": "peak", "hour": 20, "rps": 21.0, "chance": 0.9, "days": 9},
        {"kind": "low", "hour": 3, "rps": 4.0, "chance": None, "days": 9},
    ]
    hours = slots("hour of day", range(24), high_rps=30.0, most_rps=25.0)
    spec = plot_load_day(made(profile=hours, peaks=peaks)).to_dict()
    marks = rows_of(spec, spec)[-1]
    assert [(row["kind"], row["middle"], row["chance"], row["top_rps"]) for row in marks] == [
        ("peak", 20.5, 0.9, 30.0),
        ("low", 3.5, None, 30.0),
    ]


def test_plot_load_day_shades_quiet_stretches_of_the_day():
    quiet = [{"length_h": 2, "rank": 1, "slot": 23, "label": "23:00", "expected": 10.0, "n": 3}]
    spec = plot_load_day(made(profile=slots("hour of day", range(24)), quiet=quiet, quiet_cycle="day")).to_dict()
    assert [(row["hour"], row["until"]) for row in rows_of(spec, spec)[0]] == [(23, 24), (0, 1)]
    assert spec["title"]["subtitle"].endswith("shaded: the quietest stretches")
    week = plot_load_day(made(profile=slots("hour of day", range(24)), quiet=quiet, quiet_cycle="week")).to_dict()
    assert "shaded" not in week["title"]["subtitle"]
    assert "rps" in rows_of(week, week)[0][0]


def test_plot_load_day_says_of_what_the_interval_holds():
    few = made(profile=slots("hour of day", range(3), interval_from="minutes"), days=1)
    spec = plot_load_day(few).to_dict()
    assert "its 95 % interval (of these days alone)" in spec["title"]["subtitle"]
    assert spec["title"]["text"].endswith("(n 6 hours of 1 day)")


def test_plot_load_day_of_no_hour_is_a_sentence():
    note = plot_load_day(made())
    assert isinstance(note, Note)
    assert note.says == "No hour of the day was recorded by half: how traffic goes through the day is not known."


def test_plot_burstiness_sets_what_was_seen_against_chance():
    rows = [
        {"endpoint": "", "requests": 900, "buckets": 9, "fano": 1.5, "peak_over_mean": 4.0,
         "random_peak_over_mean": 2.0, "verdict": "bursty"},
        {"endpoint": "GET /a", "requests": 500, "buckets": 9, "peak_over_mean": 3.0, "random_peak_over_mean": 3.1,
         "verdict": "at random"},
        {"endpoint": "GET /rare", "requests": 5, "buckets": 2, "verdict": "too few to say"},
    ]  # fmt: skip
    spec = plot_burstiness(made(burstiness=rows)).to_dict()
    [drawn] = rows_of(spec, spec)
    assert [
        (row["endpoint"], row["verdict"], row["peak_over_mean"], row["random_peak_over_mean"]) for row in drawn
    ] == [
        ("all endpoints", "bursty", 4.0, 2.0),
        ("GET /a", "at random", 3.0, 3.1),
    ]
    assert spec["title"]["text"] == "Bursts inside 60 s, by endpoint (n 900 requests)"
    shapes = spec["layer"][2]["encoding"]["shape"]["scale"]
    assert dict(zip(shapes["domain"], shapes["range"], strict=True))["bursty"] == "triangle-up"


def test_plot_burstiness_of_too_few_is_a_sentence():
    note = plot_burstiness(made(burstiness=[{"endpoint": "", "requests": 5, "verdict": "too few to say"}]))
    assert isinstance(note, Note)
    assert note.says == "Too few of 40 requests came in whole buckets to say how evenly they came."
