"""What a run of a monitor says, where running it whole would not show a corner."""

import pytest

from prodintel_lib.renderers.templates.monitor_verdict import Attempt, is_settled, judge

AVAILABLE = {"id": "availability", "kind": "availability", "tries": 2}
FAST = {"id": "latency", "kind": "latency", "tries": 3}
SHAPED = {"id": "schema", "kind": "schema", "tries": 2}
MONITOR = {"statuses": [200, 402], "limit_ms": 100, "checks": [AVAILABLE, FAST, SHAPED]}
GOOD = Attempt(status=200, elapsed_ms=10.0, facts={"answer": {}})
REFUSED = Attempt(status=402, elapsed_ms=10.0, facts={"answer": {}})
ACCEPTED = Attempt(status=202, elapsed_ms=10.0, facts={"answer": {}})
ODD = Attempt(status=404, elapsed_ms=10.0, facts={"answer": {}})
DOWN = Attempt(status=503, elapsed_ms=10.0, facts={"answer": {}})
LATE = Attempt(symptom="no_answer_in_time", elapsed_ms=2000.0)
SLOW = Attempt(status=200, elapsed_ms=150.0, facts={"answer": {}})
LOST = Attempt(lost="POST /api/sessions got 500")


def breaks(status, document):
    return {200: "", 202: "it is broken"}.get(status)


def colour(check, *customers, factor=1.0):
    verdict = judge(MONITOR, check, customers, factor, breaks)
    return verdict.colour, verdict.symptom


@pytest.mark.parametrize(
    ("check", "customers", "wanted"),
    [
        (AVAILABLE, [[GOOD], [REFUSED], [ACCEPTED]], ("healthy", "")),
        (AVAILABLE, [[GOOD], [DOWN, DOWN]], ("red", "server_error")),
        (AVAILABLE, [[GOOD], [DOWN, GOOD]], ("healthy", "")),
        (AVAILABLE, [[ODD, ODD], [DOWN, DOWN], [ODD, ODD]], ("red", "unexpected_status")),
        (AVAILABLE, [[GOOD], [LOST, LOST, LOST]], ("unjudged", "unjudged")),
        (AVAILABLE, [[GOOD], [GOOD], [LOST, LOST, LOST]], ("healthy", "")),
        (AVAILABLE, [[LOST], [DOWN, DOWN]], ("red", "server_error")),
        (FAST, [[GOOD], [SLOW, LATE, SLOW]], ("red", "too_slow")),
        (FAST, [[GOOD], [SLOW, SLOW, GOOD]], ("healthy", "")),
        (FAST, [[DOWN, DOWN], [DOWN, DOWN]], ("unjudged", "unjudged")),
        (SHAPED, [[ACCEPTED, ACCEPTED], [GOOD]], ("red", "schema")),
        (SHAPED, [[REFUSED], [REFUSED], [GOOD]], ("healthy", "")),
        (SHAPED, [[REFUSED], [REFUSED]], ("unjudged", "unjudged")),
    ],
)
def test_judge_says_red_where_one_customer_is_answered_badly_each_time(check, customers, wanted):
    assert colour(check, *customers) == wanted


def test_judge_takes_a_slower_machine_into_account():
    assert colour(FAST, [SLOW, SLOW, SLOW], factor=2.0) == ("healthy", "")


def test_is_settled_asks_again_for_as_long_as_it_tells_anything():
    assert is_settled(MONITOR, [GOOD], 1.0, breaks)
    assert not is_settled(MONITOR, [SLOW, SLOW], 1.0, breaks)
    assert is_settled(MONITOR, [SLOW, SLOW, SLOW], 1.0, breaks)
    # What is down is neither fast nor slow, however often it is asked.
    assert is_settled(MONITOR, [DOWN, DOWN], 1.0, breaks)
    assert not is_settled(MONITOR, [LOST, LOST, LOST], 1.0, breaks)
    assert is_settled(MONITOR, [LOST, LOST, LOST, LOST], 1.0, breaks)
