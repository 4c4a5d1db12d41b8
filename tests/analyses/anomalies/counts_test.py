import math

import numpy as np
import pytest

from prodintel_lib.analyses.anomalies import Counts

from . import made, naive


def last_score(values, **options):
    return Counts().score(made.hourly(values, **options)).score[0, -1]


def test_counts_are_the_negative_binomial_tail_of_what_was_learned():
    row = np.full(201, 4.0)
    freedom = 20 + 168 * 8.0 / 9.0
    for hits in (12.0, 0.0):
        row[-1] = hits
        expected = naive.count_score(hits, 1.0, 4.0 * 168, 168.0, 1.0, freedom)
        assert last_score(row, kind="count") == pytest.approx(expected, rel=1e-3)


def test_counts_of_a_ratio_are_near_the_binomial_tail():
    trials = np.full((1, 201), 20.0)
    hits = np.full((1, 201), 1.0)
    hits[0, -1] = 6.0
    share = (1.0 + 0.5 / 168) / 20
    tail = sum(math.comb(20, k) * share**k * (1 - share) ** (20 - k) for k in range(6, 21))
    # Heavier than the binomial's by what is not known of the rate, and never lighter.
    assert -math.log10(2 * tail) - 0.4 < last_score(hits, exposure=trials, kind="ratio") < -math.log10(2 * tail)


def test_counts_of_a_ratio_near_one_are_those_of_the_misses():
    trials, hits = np.full((1, 201), 20.0), np.full((1, 201), 1.0)
    hits[0, -1] = 6.0
    rare = last_score(hits, exposure=trials, kind="ratio")
    # Half an event is added to the hits, on whichever side they are: alike, not equal.
    assert last_score(trials - hits, exposure=trials, kind="ratio") == pytest.approx(rare, rel=0.02)


def test_counts_of_low_traffic_do_not_shout():
    hits, trials = np.zeros((1, 301)), np.full((1, 301), 2.0)
    hits[0, ::40] = 1.0
    hits[0, -1] = 1.0
    # One failure in two requests is half of them, and nothing out of the ordinary.
    assert last_score(hits, exposure=trials, kind="ratio") < 1.5
    assert last_score(50 * hits, exposure=50 * trials, kind="ratio") > last_score(hits, exposure=trials, kind="ratio")


def test_counts_that_come_in_bunches_weigh_less():
    chance = np.random.default_rng(1)
    plain = chance.poisson(10, 400).astype(float)
    bunched = 10.0 * chance.poisson(1, 400)
    plain[-1] = bunched[-1] = 40.0
    assert last_score(plain, kind="count") > 8.0
    assert last_score(bunched, kind="count") < 2.5


def test_counts_of_one_outage_do_not_hide_the_next():
    row = np.full(300, 4.0)
    row[[270, 299]] = [100_000.0, 2_000.0]
    # A rate that the outage raised for the week; its dispersion alone would make 2,000 nothing.
    assert last_score(row, kind="count") > 4.0


def test_counts_follow_the_hour_of_the_day():
    day = np.repeat([2.0, 60.0], 12)
    row = np.tile(day, 15)[: 14 * 24 + 1]
    row[-1] = 60.0
    assert last_score(row, kind="count") > 10.0
    row = np.tile(day, 15)[: 14 * 24 + 13]
    assert last_score(row, kind="count") < 0.5


def test_counts_abstain_until_three_points_are_known_and_without_exposure():
    scores = Counts().score(made.hourly(np.full(40, 3.0), kind="count"))
    assert np.flatnonzero(np.isnan(scores.score[0])).tolist() == [0, 1, 2]
    assert scores.unlearned == 3
    trials = np.full((1, 200), 10.0)
    trials[0, -1] = 0.0
    assert math.isnan(last_score(np.ones((1, 200)), exposure=trials, kind="ratio"))


def test_counts_of_two_minutes_are_evidence_enough():
    trials, hits = np.full((1, 13), 200.0), np.full((1, 13), 1.0)
    hits[0, -1] = 40.0
    assert last_score(hits, exposure=trials, kind="ratio") > 6.0
    hits[0, -1] = 3.0
    assert last_score(hits, exposure=trials, kind="ratio") < 1.5


@pytest.mark.parametrize("bunched", [1.0, 2.0, 4.0])
def test_counts_of_a_short_healthy_past_are_as_rare_as_they_say(bunched):
    chance = np.random.default_rng(4)
    above = total = 0
    for rate in (0.01, 0.1, 1.0, 10.0, 50.0):
        rates = np.full((1_000, 33), rate)
        if bunched > 1:
            rates = rates * chance.gamma(rate / (bunched - 1), (bunched - 1) / rate, rates.shape)
        scores = Counts().score(made.hourly(chance.poisson(rates), kind="count")).score
        above, total = above + int((scores >= 4.0).sum()), total + int((~np.isnan(scores)).sum())
    assert total == 5 * 1_000 * 30
    assert above / total < 5e-4


def recordings(first, second, *, pause=200):
    """Two recordings, apart by many times the length of the first."""
    return np.concatenate([first, np.full(pause, math.nan), second])


def test_counts_begin_anew_after_a_long_pause():
    traffic = Counts().score(made.hourly(recordings(np.full(20, 400.0), np.full(20, 4.0)), kind="count")).score[0]
    assert np.isnan(traffic[220:224]).all()
    assert np.nanmax(traffic[224:]) < 1.0
    # A break that is short beside what came before is no new recording.
    traffic = Counts().score(made.hourly(recordings(np.full(200, 400.0), np.full(20, 4.0), pause=100), kind="count"))
    assert traffic.score[0, 300] > 4.0


def test_counts_of_a_ratio_remember_the_recordings_before():
    trials = recordings(np.full(60, 200.0), np.full(40, 200.0))
    bad = recordings(np.full(60, 1.0), np.full(40, 60.0))
    score = Counts().score(made.hourly(bad, exposure=trials[None], kind="ratio")).score[0]
    assert (score[260:263] > 4.0).all()
    # Without them nothing stands out from its own first points.
    alone = Counts().score(made.hourly(bad[260:], exposure=trials[None, 260:], kind="ratio")).score[0]
    assert np.nanmax(alone) < 1.0
    same = recordings(np.full(60, 1.0), np.full(40, 2.0))
    assert np.nanmax(Counts().score(made.hourly(same, exposure=trials[None], kind="ratio")).score[0, 260:]) < 2.5


def test_counts_add_up_what_is_too_little_alone():
    trials, hits = np.full((1, 24), 170.0), np.zeros((1, 24))
    hits[0, 12:] = 3.0
    score = Counts().score(made.hourly(hits, exposure=trials, kind="ratio")).score[0]
    assert score[12] < 2.5
    assert score[23] > 4.0


def test_counts_that_are_over_are_over():
    trials, hits = np.full((1, 24), 170.0), np.zeros((1, 24))
    hits[0, 12:16] = 30.0
    score = Counts().score(made.hourly(hits, exposure=trials, kind="ratio")).score[0]
    assert (score[12:16] > 4.0).all()
    # The sums still hold the incident; the points themselves no longer go to its side.
    assert np.nanmax(score[16:]) < 2.0


def test_counts_do_not_learn_an_incident_while_it_lasts():
    trials, hits = np.full((1, 40), 200.0), np.full((1, 40), 1.0)
    hits[0, 15:] = 40.0
    scores = Counts().score(made.hourly(hits, exposure=trials, kind="ratio"))
    assert (scores.score[0, 15:35] > 4.0).all()
    assert scores.expected[0, 24] < 0.05


def test_counts_of_more_hits_than_trials_are_all_of_them():
    trials, hits = np.full((1, 30), 20.0), np.full((1, 30), 1.0)
    over = hits.copy()
    over[0, -1], hits[0, -1] = 25.0, 20.0
    assert last_score(over, exposure=trials, kind="ratio") == last_score(hits, exposure=trials, kind="ratio")
