import math

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.anomalies import Combined, combined
from prodintel_lib.analyses.anomalies.tails import refits
from prodintel_lib.windows import Window

from . import made, naive


def naive_scores(row, floor):
    level = naive.level(row, 7 * 24, 12)
    daily = naive.seasonal(row, 24, 7, 1)
    weekly = naive.seasonal(row, 7 * 24, 3, 2)
    best = naive.best(row, [level, daily, weekly], 28 * 24)
    off = [value - forecast for value, forecast in zip(row, best, strict=True)]
    smooth = [
        math.nan if math.isnan(off[i]) else float(np.mean(naive.known(off[max(0, i - 5) : i + 1])))
        for i in range(len(off))
    ]
    views = [
        [value - forecast for value, forecast in zip(row, level, strict=True)],
        [value - forecast for value, forecast in zip(row, daily, strict=True)],
        off,
        smooth,
    ]
    tails = [naive.tails([abs(d) for d in view], floor, refits(len(row))) for view in views]
    return [max(naive.known(at), default=math.nan) for at in zip(*tails, strict=True)]


def test_combined_is_that_of_the_naive_loop():
    rows = made.rhythmic(7, series=2, days=20)
    rows[0, 430] = 200.0
    scores = Combined().score(made.hourly(rows)).score
    floors = [0.005 * abs(np.median(naive.known(row[:50]))) for row in rows]
    assert_allclose(
        scores, [naive_scores(list(row), floor) for row, floor in zip(rows, floors, strict=True)], rtol=1e-9
    )


def test_combined_finds_a_usual_value_at_an_unusual_hour():
    rows = made.rhythmic(8, series=2, days=21, gaps=0.0)
    peak, trough = 20 * 24 + 6, 20 * 24 + 18
    rows[0, trough] = rows[0, peak]
    scores = Combined().score(made.hourly(rows)).score
    assert scores[0, trough] > 4.0
    assert scores[0, peak] < 3.0
    parts = Combined().explain(made.hourly(rows), row=0, column=trough)
    assert parts[0].name in {"same time of day", "best forecast"}
    assert abs(parts[0].expected - 70.0) < 5.0


def test_combined_takes_to_a_level_that_stays():
    chance = np.random.default_rng(9)
    row = 100 + chance.normal(0, 2, 60 * 24)
    row[30 * 24 :] += 40
    scores = Combined().score(made.hourly(row))
    assert scores.score[0, 30 * 24] > 4.0
    assert np.nanmax(scores.score[0, 40 * 24 :]) < 4.0
    assert abs(scores.expected[0, -1] - 140.0) < 3.0


def test_combined_of_a_series_that_never_moves_is_0_until_it_does():
    row = np.full(300, 50.0)
    row[280] = 50.1
    row[290] = 60.0
    score = Combined().score(made.hourly(row)).score[0]
    assert_array_equal(score[100:280], 0.0)
    assert score[280] < 4.0 < score[290]


def test_combined_abstains_on_a_short_past_and_says_so():
    row = np.full(120, 5.0)
    row[110] = math.nan
    scores = Combined().score(made.hourly(row))
    assert np.flatnonzero(~np.isnan(scores.score[0])).tolist() == [i for i in range(100, 120) if i != 110]
    assert (scores.missing, scores.unlearned) == (1, int(np.isnan(scores.score).sum()) - 1)


def test_combined_is_the_same_whatever_the_blocks(monkeypatch):
    series = made.hourly(made.rhythmic(4, series=5, days=8))
    whole = Combined().score(series).score
    monkeypatch.setattr(combined, "BLOCK_VALUES", 400)
    assert_array_equal(Combined().score(series).score, whole)


def test_combined_neither_learns_from_events_nor_scores_them():
    rows = made.rhythmic(10, series=2, days=21, gaps=0.0)
    calm = Combined().score(made.hourly(rows)).score
    sale = slice(300, 310)
    rows[:, sale] = 1_000.0
    events = (Window(300 * made.HOUR_US, 310 * made.HOUR_US),)
    scores = Combined(events=events).score(made.hourly(rows)).score
    assert np.isnan(scores[:, sale]).all()
    assert np.nanmax(scores[:, 310:]) < 4.0
    assert_array_equal(scores[:, :300], calm[:, :300])


def test_combined_of_few_events_needs_the_number_as_well():
    hits = np.zeros((1, 400))
    hits[0, 390] = 1.0
    assert Combined().score(made.hourly(hits)).score[0, 390] > 4.0
    trials = np.full((1, 400), 3.0)
    assert Combined().score(made.hourly(hits, exposure=trials, kind="ratio")).score[0, 390] < 4.0
    assert Combined().score(made.hourly(40 * hits, exposure=40 * trials, kind="ratio")).score[0, 390] > 4.0
