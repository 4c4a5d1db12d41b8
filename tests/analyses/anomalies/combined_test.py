import math

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from prodintel_lib.analyses.anomalies import Combined, SeriesMatrix, combined
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
    many = [max(naive.known(at), default=math.nan) for at in zip(*tails, strict=True)]
    few, seen, scores = naive.level_scores(row), 0, []
    for value, by_few, by_many in zip(row, few, many, strict=True):
        weight = min(max((seen - 50) / 100, 0.0), 1.0)
        seen += not math.isnan(value)
        if math.isnan(by_few) or math.isnan(by_many):
            scores.append(by_few if math.isnan(by_many) else by_many)
        else:
            scores.append(weight * by_many + (1 - weight) * by_few)
    return scores


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
    assert np.flatnonzero(~np.isnan(scores.score[0])).tolist() == [i for i in range(12, 120) if i != 110]
    assert (scores.missing, scores.unlearned) == (1, 12)


def test_combined_finds_what_stands_out_of_a_short_past():
    chance = np.random.default_rng(11)
    utilisation = 0.2 + 0.02 * chance.normal(0, 1, 40)
    utilisation[30:] = 0.95
    assert Combined().score(made.hourly(utilisation)).score[0, 30] > 4.0
    trials, hits = np.full((1, 40), 200.0), chance.binomial(200, 0.005, (1, 40)).astype(float)
    hits[0, 12:] = 40.0
    scores = Combined().score(made.hourly(hits, exposure=trials, kind="ratio"))
    assert scores.score[0, 12] > 4.0
    assert scores.expected[0, 12] < 0.01


def test_combined_of_many_short_recordings_judges_each_by_itself():
    chance = np.random.default_rng(12)
    values = np.full((1, 20 * 400), math.nan)
    for start in range(0, 8_000, 400):
        values[0, start : start + 60] = chance.uniform(5, 500) + chance.normal(0, 1, 60)
    values[0, 7_640:7_660] += 30.0
    scores = Combined().score(made.hourly(values)).score[0]
    assert scores[7_640] > 4.0
    assert np.nanmax(scores[:7_640]) < 4.0


def test_combined_explains_a_point_of_few_values():
    row = np.concatenate([np.tile([9.0, 11.0], 10), [50.0]])
    parts = Combined().explain(made.hourly(row), row=0, column=20)
    assert parts[0].name == "first values"
    assert (parts[0].value, parts[0].expected) == (50.0, 10.0)
    assert parts[0].score == Combined().score(made.hourly(row)).score[0, 20]


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


def test_combined_of_a_ratio_is_not_blinded_by_thin_buckets():
    chance = np.random.default_rng(13)
    trials = chance.choice([3.0, 150.0], (1, 800))
    hits = chance.binomial(trials.astype(int), 0.004).astype(float)
    trials[0, 780:790], hits[0, 780:790] = 130.0, 11.0
    # A failure of three is a larger share than eleven of 130, and says nothing.
    assert np.nanmax((hits / trials)[0, :780]) > 0.3
    scores = Combined().score(made.hourly(hits, exposure=trials, kind="ratio")).score[0]
    assert (scores[780:790] > 4.0).all()
    assert np.nanmax(scores[150:780]) < 4.0


def test_combined_of_a_ratio_that_often_surprises_is_less_surprised():
    chance = np.random.default_rng(14)
    trials = np.full((2, 1_500), 500.0)
    share = np.stack([np.full(1_500, 0.05), chance.beta(1.0, 19.0, 1_500)])
    hits = chance.binomial(500, share).astype(float)
    hits[:, -1] = 150.0
    series = made.hourly(hits, exposure=trials, kind="ratio")
    steady, wild = Combined().score(series).score[:, -1]
    assert steady > 4.0 > wild
    assert Combined().explain(series, row=1, column=1_499)[-1].name == "counts, by those before"


def test_combined_of_traffic_sees_a_drop_at_night():
    chance = np.random.default_rng(15)
    usual = 60 + 50 * np.sin(2 * np.pi * np.arange(28 * 24) / 24)
    rows = chance.poisson(usual, (1, 28 * 24)).astype(float)
    rows[0, 27 * 24 + 17 : 27 * 24 + 20] = 0.0
    assert np.nanmax(Combined().score(made.hourly(rows, kind="count")).score[0, 27 * 24 + 17 : 27 * 24 + 20]) > 3.0


def test_combined_finds_a_drop_of_traffic_that_is_lively_from_hour_to_hour():
    """Whole hours differ by a fifth: by their values alone, such a past makes a drop to a third look usual."""
    chance, days, at = np.random.default_rng(2), 21, 288 * 20 + 60
    hours = np.arange(288 * days) / 12
    usual = 600 * (1 + 0.5 * np.sin(2 * np.pi * hours / 24)) * np.repeat(chance.lognormal(0, 0.18, 24 * days), 12)
    counts = chance.poisson(usual).astype(np.float64)
    counts[at : at + 8] = np.round(0.35 * counts[at : at + 8])
    times = np.arange(len(counts), dtype=np.int64) * 300_000_000
    series = SeriesMatrix(keys=("a",), time_us=times, values=counts[None, :], kind="count")
    score = Combined().score(series).score[0]
    assert score[at : at + 8].max() >= 4.0
    assert np.nanmax(score[288 * 10 : at - 1]) < 4.0
