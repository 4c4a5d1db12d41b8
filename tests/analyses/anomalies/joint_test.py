import math

import numpy as np
import pytest

from prodintel_lib.analyses.anomalies import IsolationForest, joint
from prodintel_lib.errors import NoDataError, ParameterError

from . import made


def signals(seed, points):
    """Two signals that go together, and one that is on its own."""
    chance = np.random.default_rng(seed)
    load = chance.normal(0, 1, points)
    return np.stack([100 + 10 * load, 50 + 5 * load + chance.normal(0, 0.5, points), chance.normal(5, 1, points)])


def at_last(moment):
    rows = signals(2, 5)
    rows[:, -1] = moment
    return made.hourly(rows)


def test_isolation_forest_scores_a_moment_and_names_the_signal():
    fitted = IsolationForest().fit(made.hourly(signals(1, 400)))
    odd = at_last([100.0, 50.0, 12.0])
    scores = fitted.score(odd)
    assert scores.score.shape == (1, 5)
    # 120 moments were held back, and none of them was as odd.
    assert scores.score[0, -1] == pytest.approx(math.log10(121))
    assert scores.score[0, :-1].max() < 2.0
    parts = fitted.explain(odd, column=4)
    assert (parts[0].name, parts[0].value) == ("series 2", 12.0)
    assert parts[0].score > 3 * max(abs(part.score) for part in parts[1:])


def test_tail_counts_those_at_least_as_odd():
    found = joint._tail(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 2.0, 3.0]))
    assert found.tolist() == pytest.approx([0.0, -math.log10(4 / 5), math.log10(5)])


def test_isolation_forest_is_deterministic():
    history, odd = made.hourly(signals(1, 200)), at_last([130.0, 60.0, 8.0])
    first, second = (IsolationForest().fit(history).score(odd).score for _ in range(2))
    assert first.tolist() == second.tolist()


def test_isolation_forest_does_not_score_a_moment_with_a_gap():
    series = at_last([100.0, math.nan, 5.0])
    fitted = IsolationForest().fit(made.hourly(signals(1, 200)))
    scores = fitted.score(series)
    assert np.isnan(scores.score[0]).tolist() == [False] * 4 + [True]
    assert scores.missing == 1
    assert fitted.explain(series, column=4) == ()


def test_isolation_forest_takes_a_signal_that_never_moved():
    rows = signals(1, 200)
    rows[2] = 3.0
    assert not np.isnan(IsolationForest().fit(made.hourly(rows)).score(at_last([100.0, 50.0, 3.0])).score).any()


def test_isolation_forest_needs_a_history():
    with pytest.raises(NoDataError, match=r"needs 50 moments.*has 20"):
        IsolationForest().fit(made.hourly(signals(1, 20)))
    with pytest.raises(ParameterError, match="only after `fit`"):
        IsolationForest().score(made.hourly(signals(1, 20)))


def test_isolation_forest_refuses_other_signals():
    fitted = IsolationForest().fit(made.hourly(signals(1, 100)))
    with pytest.raises(ParameterError, match="fitted on 3 signals and is to score 2"):
        fitted.score(made.hourly(signals(1, 10)[:2]))


def test_isolation_forest_explains_its_only_row():
    fitted = IsolationForest().fit(made.hourly(signals(1, 100)))
    with pytest.raises(ParameterError, match="one row, 0; asked was 1"):
        fitted.explain(made.hourly(signals(1, 10)), row=1, column=3)
