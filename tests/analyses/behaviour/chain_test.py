import math

import numpy as np
import pytest

from prodintel_lib.analyses.behaviour.chain import _weigh, fit_chain
from prodintel_lib.analyses.behaviour.guards import NONE, Guard

from .made import log_of

A, B = 0, 1


def arcs(chain):
    return {
        (chain.contexts[here], to): (chain.contexts[there], pytest.approx(weight))
        for here, to, there, weight in zip(
            chain.arc_from.tolist(), chain.arc_to.tolist(), chain.arc_state.tolist(), chain.arc_weight, strict=True
        )
    }


def test_fit_chain_of_one_step_has_the_shares_seen():
    chain = fit_chain(log_of("aab", "ab", "b", "aaa"), order=1, counts_steps=False)
    # START is 2. a is followed by a three times, by b twice and by the end once; b by the end only.
    assert chain.contexts == ((2,), (0,), (1,))
    assert chain.visits.tolist() == [4, 6, 3]
    assert arcs(chain) == {
        ((2,), A): ((0,), 0.75),
        ((2,), B): ((1,), 0.25),
        ((0,), A): ((0,), 0.6),
        ((0,), B): ((1,), 0.4),
    }
    assert 1 / (1 + math.exp(-chain.end_logit[1])) == pytest.approx(1 / 6)
    assert chain.end_logit.tolist()[0] == -40.0
    assert chain.end_logit.tolist()[2] == 40.0
    assert set(chain.end_shift.tolist()) == {0.0}


def test_fit_chain_keeps_longer_contexts_that_were_visited_often_enough():
    chain = fit_chain(log_of(*["ab"] * 4, *["bb"] * 3), order=2, counts_steps=False)
    # After b that followed b three sessions ended: too few; after b that followed a four did.
    assert (1, 0) in chain.contexts
    assert (1, 1) not in chain.contexts
    assert arcs(chain)[((0, 2), B)] == ((1, 0), 1.0)


def test_fit_chain_goes_to_the_longest_context_that_was_kept():
    chain = fit_chain(log_of(*["abab"] * 5, "bb"), order=3, counts_steps=False)
    assert arcs(chain)[((0, 1, 0), B)] == ((1, 0, 1), 1.0)
    assert arcs(chain)[((1,), B)][0] == (1,)


def test_fit_chain_counts_steps_so_that_sessions_end_when_they_did():
    chain = fit_chain(log_of(*["aaa"] * 400, *["aaaa"] * 400), order=1, counts_steps=True)
    chance = 1 / (1 + np.exp(-(chain.end_logit[1] + chain.end_shift)))
    # Nobody ends after one or two steps, half after three, everybody after four.
    assert chance[:4].tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0], abs=0.02)


def test_fit_chain_weighs_a_guarded_arc_by_the_visits_that_allowed_it():
    # From x, b needs an a before: of 40 visits to x that allowed it, 10 went to b, all others to y.
    log = log_of(*["axb"] * 10, *["axy"] * 30, *["xy"] * 60)
    x, y = 2, 3
    guard = Guard(B, A, NONE, 10, 0.5)
    guarded = arcs(fit_chain(log, order=1, counts_steps=False, guards=[guard]))
    assert guarded[((x,), B)][1] == pytest.approx(0.25, abs=1e-6)
    assert guarded[((x,), y)][1] == pytest.approx(0.75, abs=1e-6)
    plain = arcs(fit_chain(log, order=1, counts_steps=False))
    assert plain[((x,), B)][1] == 0.1


def test_weigh_makes_expected_choices_equal_those_counted():
    counts = np.array([40.0, 25.0, 35.0])
    may = np.array([[True, True, True], [True, False, True], [True, False, False]])
    visits = np.array([60.0, 25.0, 15.0])
    weights = _weigh(counts, visits, may)
    chosen = may * weights
    expected = (visits[:, None] * chosen / chosen.sum(axis=1, keepdims=True)).sum(axis=0)
    assert expected.tolist() == pytest.approx(counts.tolist(), abs=1e-4)


def test_to_dict_names_endpoints():
    log = log_of("ab")
    shown = fit_chain(log, order=1, counts_steps=False).to_dict(log.endpoints)
    assert [state["after"] for state in shown["states"]] == [["<start>"], ["a"], ["b"]]
    assert shown["arcs"][0] == {"from": 0, "endpoint": "a", "state": 1, "weight": 1.0}
