import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.behaviour import ArrivalCurve, find_behaviour, simulate
from prodintel_lib.errors import ParameterError

from .made import FORWARD, log_of, steps_of, walks


def paths_of(log):
    return log.group_by("session", maintain_order=True).agg(pl.col("endpoint"))["endpoint"].list.join("").to_list()


def test_arrival_curve_counts_sessions_from_the_first_one_on():
    curve = ArrivalCurve.of(log_of("a", "b", "c", "a", start_every_s=40.0), bucket_s=60.0, scale=2.0)
    assert curve.sessions.tolist() == [4.0, 2.0, 2.0]
    assert curve.duration_s == 180.0


def test_draw_starts_s_draws_what_the_curve_says_in_each_bucket():
    starts_s = ArrivalCurve(10.0, np.array([3.0, 0.0, 2.0])).draw_starts_s(np.random.default_rng(1))
    assert (starts_s // 10).tolist() == [0, 0, 0, 2, 2]
    assert np.all(np.diff(starts_s) > 0)


def test_draw_starts_s_takes_fractions_as_chances():
    starts_s = ArrivalCurve(1.0, np.full(4000, 0.25)).draw_starts_s(np.random.default_rng(2))
    assert len(starts_s) == pytest.approx(1000, abs=90)
    assert len(np.unique(starts_s // 1)) == len(starts_s)


def test_simulate_repeats_what_is_always_the_same():
    model = find_behaviour(steps_of(*["abc"] * 40, gap_s=7.0))
    made = simulate(model, ArrivalCurve(60.0, np.array([5.0, 5.0])), seed=1)
    assert paths_of(made) == ["abc"] * 10
    gaps_s = made.with_columns(pl.col("t").diff().over("session"))["t"].drop_nulls()
    # Sums of times lose nothing: equal gaps stay equal.
    assert gaps_s.unique().to_list() == [7.0]
    assert made["t"].filter(made["endpoint"] == "a").is_between(0, 120).all()


def test_simulate_keeps_shares_lengths_and_transitions():
    paths = walks(FORWARD, sessions=3000, seed=5)
    model = find_behaviour(steps_of(*paths), max_classes=1)
    made = paths_of(simulate(model, ArrivalCurve(60.0, np.array([3000.0])), seed=2))
    assert len(made) == 3000
    assert np.mean([len(path) for path in made]) == pytest.approx(np.mean([len(path) for path in paths]), abs=0.25)
    for pair in ("ab", "bc", "ac", "ad"):
        seen, again = (sum(path.count(pair) for path in each) for each in (paths, made))
        assert again == pytest.approx(seen, rel=0.15, abs=40)
    assert not any("aa" in path for path in made)


def test_simulate_keeps_guards_that_a_chain_would_break():
    # p comes only with a c before it; x forgets whether there was one.
    rng = np.random.default_rng(3)
    paths = []
    for _ in range(600):
        path, has = "", False
        for _ in range(int(rng.integers(2, 9))):
            path += "x" * 9 if not path else ""
            to = rng.choice(["c", "x", "p"], p=[0.3, 0.4, 0.3] if has else [0.4, 0.6, 0.0])
            has |= to == "c"
            path += str(to) + "x" * 9
        paths.append(path)
    model = find_behaviour(steps_of(*paths), max_classes=1)
    curve = ArrivalCurve(60.0, np.array([1000.0]))
    guarded, loose = (paths_of(simulate(model, curve, seed=4, guarded=kept)) for kept in (True, False))
    breaks = [
        sum(0 <= path.find("p") < (path.find("c") if "c" in path else len(path)) for path in each)
        for each in (guarded, loose)
    ]
    assert breaks[0] == 0
    assert breaks[1] > 50
    seen, again = (np.mean([path.count("p") for path in each]) for each in (paths, guarded))
    assert again == pytest.approx(seen, rel=0.15)


def test_simulate_draws_gaps_alike_within_a_session():
    rng = np.random.default_rng(7)
    pace = rng.standard_normal((500, 1))
    gaps_s = np.exp(1 + 0.6 * rng.standard_normal((500, 8)) + 0.8 * pace)
    steps = steps_of(*[("a" * 9, row.tolist()) for row in gaps_s])
    made = simulate(find_behaviour(steps, max_classes=1), ArrivalCurve(60.0, np.array([500.0])), seed=1)
    lasted = made.group_by("session").agg(pl.col("t").max() - pl.col("t").min())["t"].to_numpy()
    # Independent gaps would make sessions that all last about as long: a third of this spread.
    assert np.std(np.log(lasted)) == pytest.approx(np.std(np.log(gaps_s.sum(axis=1))), rel=0.12)


def test_simulate_leaves_out_what_comes_after_the_end():
    model = find_behaviour(steps_of(*["aaaa"] * 40, gap_s=30.0))
    made = simulate(model, ArrivalCurve(60.0, np.array([10.0])), seed=1, duration_s=60.0)
    assert made["t"].max() < 60.0
    assert 10 < made.height < 40


def test_simulate_is_the_same_for_the_same_seed_only():
    model = find_behaviour(steps_of(*walks(FORWARD, sessions=200, seed=1)))
    curve = ArrivalCurve(60.0, np.array([50.0]))
    one, same, other = (simulate(model, curve, seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_simulate_of_no_arrivals_makes_nothing():
    made = simulate(find_behaviour(steps_of("ab")), ArrivalCurve(60.0, np.zeros(3)), seed=1)
    assert made.is_empty()
    assert made.schema == {"session": pl.Int64, "endpoint": pl.String, "t": pl.Float64}


def test_simulate_refuses_to_last_no_time():
    with pytest.raises(ParameterError, match="must last longer than 0 s; duration_s is 0"):
        simulate(find_behaviour(steps_of("ab")), ArrivalCurve(60.0, np.ones(1)), seed=1, duration_s=0.0)
