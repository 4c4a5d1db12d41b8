import numpy as np
import pytest

from prodintel_lib.analyses.behaviour.contexts import choose_memory, context_keys, list_moves, shift_logits

from .made import FORWARD, log_of, walks


def test_list_moves_lists_every_step_and_the_end_with_what_came_before():
    moves = list_moves(log_of("ab", "b"), depth=2)
    # 2 is END as a target and START in the past, 3 is before START.
    assert moves.target.tolist() == [0, 1, 2, 1, 2]
    assert moves.past.tolist() == [[2, 3], [0, 2], [1, 0], [2, 3], [1, 2]]
    assert moves.done.tolist() == [0, 1, 2, 0, 1]
    assert moves.session.tolist() == [0, 0, 0, 1, 1]
    assert moves.part.tolist() == [0, 0, 1, 0, 0]


def test_context_keys_are_equal_where_the_past_is():
    keys = context_keys(list_moves(log_of("ab", "cab"), depth=2), 2)
    assert keys[0].tolist() == [0] * 7
    one_back, two_back = keys[1].tolist(), keys[2].tolist()
    # After b both sessions ended with the same two endpoints; after a the first had just begun.
    assert one_back[2] == one_back[6]
    assert two_back[2] == two_back[6]
    assert one_back[1] == one_back[5]
    assert two_back[1] != two_back[5]


def test_choose_memory_keeps_to_one_step_where_no_more_helps():
    order, counts_steps, trials = choose_memory(
        [log_of(*walks(FORWARD, sessions=800, seed=1))], rng=np.random.default_rng(0)
    )
    assert (order, counts_steps) == (1, False)
    assert [(trial.order, trial.counts_steps) for trial in trials[:3]] == [(1, False), (1, True), (2, False)]


def test_choose_memory_remembers_two_steps_where_the_next_depends_on_them():
    # Whoever came from b goes on to c, whoever came from d goes on to e; both by way of a.
    rng = np.random.default_rng(2)
    paths = ["".join("bac" if rng.random() < 0.5 else "dae" for _ in range(rng.geometric(0.4))) for _ in range(400)]
    assert choose_memory([log_of(*paths)], rng=rng)[0] == 2


def test_choose_memory_counts_steps_where_sessions_end_by_number():
    assert choose_memory([log_of(*["a" * 7] * 300, *["a" * 3] * 300)], rng=np.random.default_rng(0))[1] is True


def test_choose_memory_judges_each_class_by_itself():
    # What comes after a is certain within each class; together the step before a tells it.
    mixed = log_of(*["bac"] * 300, *["dae"] * 300)
    apart = [mixed.take(np.arange(300)), mixed.take(np.arange(300, 600))]
    assert choose_memory([mixed], rng=np.random.default_rng(0))[0] > 1
    assert choose_memory(apart, rng=np.random.default_rng(0))[0] == 1


def test_choose_memory_of_single_sessions_falls_back_to_the_simplest():
    assert choose_memory([log_of("ab")], rng=np.random.default_rng(0)) == (1, False, ())


def test_choose_memory_backs_off_the_further_the_more_different_things_followed():
    # This seed puts one of each path into each half.
    trials = choose_memory([log_of("ab", "ab", "ac", "ac")], rng=np.random.default_rng(4))[2]
    # Without a past, three things were seen in four visits, and 1 / 3 is what says nothing.
    a, b = (2 + 3 / 3) / (4 + 3), (1 + 3 / 3) / (4 + 3)
    begins, goes_on = (2 + 1 * a) / (2 + 1), (1 + 2 * b) / (2 + 2)
    # Half of the steps end; of two after a none did, the one after b (or c) did.
    stays, ends = 1 - (0 + 1 / 2) / (2 + 1), (1 + 1 / 2) / (1 + 1)
    assert (trials[0].order, trials[0].counts_steps) == (1, False)
    assert trials[0].held_out == pytest.approx(np.log(begins * stays * goes_on * ends))


def test_shift_logits_expects_as_many_hits_as_were_counted():
    logits, visits = np.array([-1.0, 0.0, 2.0]), np.array([4000.0, 1000.0, 3000.0])
    shift = shift_logits(logits, visits, 3000.0)
    expected = float((visits / (1 + np.exp(-(logits + shift)))).sum())
    # The pull to no shift is half a visit's worth.
    assert expected == pytest.approx(3000.0, abs=0.5)


def test_shift_logits_stays_finite_where_nothing_is_hit():
    assert -12.0 < shift_logits(np.zeros(1), np.array([100.0]), 0.0) < -3.0
