import numpy as np
import pytest

from prodintel_lib.analyses.behaviour.guards import (
    NONE,
    Guard,
    allowed_targets,
    counts_before,
    find_candidates,
    keep_those_that_matter,
)

from .made import log_of

A, B, C = 0, 1, 2


def rules(guards):
    return {(guard.endpoint, guard.needs, guard.used_by) for guard in guards}


def test_counts_before_counts_within_the_session():
    assert counts_before(log_of("aab", "ba"), [A, B]).tolist() == [[0, 0], [1, 0], [2, 0], [0, 0], [0, 1]]


def test_find_candidates_holds_what_no_session_breaks():
    found = find_candidates(log_of(*["ab"] * 20, *["aab"] * 20, *["a"] * 5))
    assert rules(found) == {(B, A, NONE)}
    assert found[0].sessions == 40


def test_find_candidates_is_refuted_by_one_session():
    assert find_candidates(log_of(*["ab"] * 40, "b")) == []


def test_find_candidates_finds_what_uses_a_need_up():
    # b takes one of the a there are; c needs one to be left.
    found = find_candidates(log_of(*["abac"] * 20, *["aabc"] * 20, *["aabb"] * 20))
    assert (B, A, B) in rules(found)
    assert (C, A, B) in rules(found)
    assert (C, A, NONE) in rules(found)


def test_find_candidates_leaves_rare_endpoints_alone():
    assert find_candidates(log_of(*["ab"] * 29)) == []


def test_keep_those_that_matter_keeps_what_the_chain_breaks():
    guard = Guard(B, A, NONE, 100, 0.0)
    kept = keep_those_that_matter([guard], log_of(*["ab"] * 9, "b"))
    assert kept == (Guard(B, A, NONE, 100, 0.1),)


@pytest.mark.parametrize(("sessions", "kept"), [(43, 0), (44, 1)])
def test_keep_those_that_matter_asks_for_more_sessions_than_chance_would_keep(sessions, kept):
    # 0.9^43 is 0.0108, 0.9^44 is 0.0097.
    assert len(keep_those_that_matter([Guard(B, A, NONE, sessions, 0.0)], log_of(*["ab"] * 9, "b"))) == kept


def test_keep_those_that_matter_drops_what_the_chain_never_breaks():
    assert keep_those_that_matter([Guard(B, A, NONE, 10_000, 0.0)], log_of(*["ab"] * 10)) == ()


def test_keep_those_that_matter_counts_use_only_where_there_was_something():
    used = Guard(C, A, B, 1_000, 0.0)
    # Of the sessions that had an a before c, half used it up; the one without any a is the plain guard's matter.
    kept = keep_those_that_matter([used], log_of("abc", "aabc", "c"))
    assert kept == (Guard(C, A, B, 1_000, 0.5),)


def test_keep_those_that_matter_leaves_out_what_follows():
    chain = [Guard(B, A, NONE, 500, 0.0), Guard(C, B, NONE, 500, 0.0), Guard(C, A, NONE, 500, 0.0)]
    assert rules(keep_those_that_matter(chain, log_of("c", "b", "abc"))) == {(B, A, NONE), (C, B, NONE)}


def test_keep_those_that_matter_keeps_the_stricter_of_two():
    pair = [Guard(C, A, NONE, 500, 0.0), Guard(C, A, B, 500, 0.0)]
    assert rules(keep_those_that_matter(pair, log_of("c", "abc", "ac"))) == {(C, A, B)}


def test_allowed_targets_says_when_each_guarded_endpoint_may_come():
    guarded, allowed = allowed_targets(log_of("abac"), [Guard(B, A, NONE, 1, 0.0), Guard(C, A, B, 1, 0.0)])
    assert guarded.tolist() == [B, C]
    assert allowed.tolist() == [[False, False], [True, True], [True, False], [True, True]]
    assert allowed.dtype == np.bool_
