"""Values that clients make up are made anew for every send."""

import uuid

from prodintel_lib.scenarios.model import Fresh, Request
from prodintel_lib.scenarios.monitors.client_made import find_client_made, with_fresh_values
from tests.scenarios.monitors.rules_test import request

KEY = ("POST /orders", "/key")


def sessions(n, *, echoed=False, answered=True):
    found = {}
    for number in range(n):
        # As in recordings made from one script, every key comes in two sessions.
        key = str(uuid.UUID(int=number // 2))
        answer = ({"key": key} if echoed else {"id": f"o{number}"}) if answered else None
        found[f"s{number}"] = (
            request("POST", "/orders", body={"key": key, "product": "prd_106"}, answer=answer, time_us=number),
        )
    return found


def test_find_client_made_finds_keys_that_no_answer_held():
    assert find_client_made(sessions(40)) == {KEY}


def test_find_client_made_leaves_what_answers_gave():
    assert find_client_made(sessions(40, echoed=True)) == frozenset()


def test_find_client_made_needs_many_values_and_recorded_answers():
    assert find_client_made(sessions(38)) == frozenset()
    assert find_client_made(sessions(40, answered=False)) == frozenset()


def test_with_fresh_values_replaces_them_once():
    key = str(uuid.UUID(int=7))
    step = Request(id="order", method="POST", route="/orders", path="/orders", body={"key": key, "product": "prd_106"})
    (made,) = with_fresh_values([step], frozenset({KEY}))
    assert [(part.into, part.at, part.value) for part in made.replacements] == [("body", "/key", Fresh())]
    assert with_fresh_values([made], frozenset({KEY})) == (made,)
    assert with_fresh_values([step], frozenset()) == (step,)
