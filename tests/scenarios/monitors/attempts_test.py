"""How often a monitor asks again: exact chances, and what simulated runs do."""

import numpy as np
import pytest

from prodintel_lib.scenarios.monitors.attempts import FALSE_ALARM, count_alarms, find_odds


def test_find_odds_takes_the_fewest_tries_that_keep_the_promise():
    odds = find_odds(0.01, 6)
    assert (odds.customers, odds.tries) == (6, 3)
    assert odds.false_alarm == pytest.approx(1 - (1 - 1e-6) ** 6)
    two_in_a_row = 1 - (1 - 0.01**2) ** 6
    assert two_in_a_row > FALSE_ALARM


def test_find_odds_says_none_where_production_fails_too_often():
    assert find_odds(0.2, 6) is None


def test_find_odds_detects_its_share_with_ninety_percent():
    odds = find_odds(0.003, 6)
    share = odds.detects
    runs = np.random.default_rng(3).random((40_000, 6, odds.tries)) < share
    assert runs.all(axis=2).any(axis=1).mean() == pytest.approx(0.9, abs=0.01)


def test_find_odds_states_the_chance_that_runs_have():
    odds = find_odds(0.05, 6, false_alarm=0.02)
    runs = np.random.default_rng(4).random((200_000, 6, odds.tries)) < 0.05
    assert odds.tries == 2
    assert runs.all(axis=2).any(axis=1).mean() == pytest.approx(odds.false_alarm, rel=0.05)


@pytest.mark.parametrize(
    ("bad", "wanted"),
    [
        ("..XX..", (0, 2)),
        ("X.XX.X", (0, 2)),
        (".XXX..", (1, 2)),
        ("XX", (0, 0)),
    ],
)
def test_count_alarms_counts_groups_with_so_many_in_a_row(bad, wanted):
    # Groups do not overlap: what begins in one and ends in the next is in neither.
    assert count_alarms([sign == "X" for sign in bad], 3, 2) == wanted


def test_find_odds_is_exact_at_the_ends():
    assert find_odds(1.0, 6) is None
    assert find_odds(1e-12, 6).false_alarm == pytest.approx(6e-12)
