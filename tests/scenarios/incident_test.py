"""The builder: scenarios from the shape of the evidence, whatever the names in it."""

import pytest

from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.contrast import Contrast, Feature, Name
from prodintel_lib.scenarios.faults import ObservedFault
from prodintel_lib.scenarios.incident import build_suite, customers_to_show
from prodintel_lib.scenarios.model import Answered, Extract, Fact, Request, Send, Settles, Symptom, Wait
from prodintel_lib.scenarios.parts import Disturbance, Replay, ScenarioEvidence
from prodintel_lib.scenarios.readback import ReadBack

SUBJECT = Replay(
    prepare=(Request(id="sign_in", method="POST", route="/in", path="/in"),),
    request=Request(id="post_x", method="POST", route="/x", path="/x"),
    healthy_statuses=(201,),
    healthy_p99_ms=310.0,
    healthy_n=400,
)
OTHER = Replay((), Request(id="get_y", method="GET", route="/y", path="/y"), (200,), 40.0, 900)
SYMPTOM = Symptom(
    route="POST /x", kinds=("no_answer_in_time",), statuses=(), words="many were slow", failed=9, requests=10
)
FAULT = ObservedFault("payer", "bank", 45, 100, 30_000, None, "hangs", 240.0)


def evidence(**changes):
    known = {
        "incident_id": "INC-1", "title": "t", "input_digest": "0" * 16, "critical": True, "subject": SUBJECT,
        "symptom": SYMPTOM, "fault": FAULT, "proxies": {}, "collateral": OTHER, "collateral_symptom": SYMPTOM,
        "peak_in_flight": 25,
        "read_back": ReadBack(
            Request(id="get_x", method="GET", route="/x/{id}", path="/x/1"),
            Extract(name="id", pointer="/id"),
            (Fact(pointer="/status", check="equals", value="done"),),
            12,
        ),
    }  # fmt: skip
    return ScenarioEvidence(**{**known, **changes})


def test_build_suite_makes_four_kinds_from_a_degraded_dependency():
    suite = build_suite(evidence())
    assert [scenario.kind for scenario in suite.scenarios] == [
        "graceful_handling", "fails_fast", "isolation", "integrity_recovery",
    ]  # fmt: skip
    assert suite.scenarios[0].id == "post_x_is_answered_while_bank_hangs"
    assert suite.scenarios[0].conditions[0].model_dump(include={"dependency", "proxy", "rate", "latency_ms"}) == {
        "dependency": "bank", "proxy": "bank", "rate": 0.45, "latency_ms": 30_000,
    }  # fmt: skip


def test_build_suite_names_follow_the_data_and_never_its_code():
    fault = ObservedFault("payer", "'; import os #", 45, 100, 30_000, None, "hangs", 240.0)
    suite = build_suite(evidence(fault=fault))
    assert suite.scenarios[0].id == "post_x_is_answered_while_import_os_hangs"
    assert suite.scenarios[0].conditions[0].dependency == "'; import os #"


def test_build_suite_uses_the_proxy_that_the_workspace_names():
    suite = build_suite(evidence(proxies={"bank": "bank-eu"}))
    assert suite.scenarios[0].conditions[0].proxy == "bank-eu"


def test_build_suite_fails_fast_keeps_failing_and_answers_as_fast_as_healthy():
    scenario = build_suite(evidence()).scenarios[1]
    assert scenario.conditions[0].rate == 1.0
    expected = scenario.expectations[0]
    assert (expected.deadline_ms, expected.oracle) == (650, "twice the healthy p99 of 310 ms (n 400), at least 500 ms")


def test_build_suite_deadline_is_the_slo_or_else_the_baselines():
    answered = build_suite(evidence()).scenarios[0].expectations[0]
    assert (answered.deadline_ms, answered.statuses, answered.refusals) == (950, (201, 202), True)
    promised = Replay(SUBJECT.prepare, SUBJECT.request, (201,), 310.0, 400, slo_ms=2500)
    assert build_suite(evidence(subject=promised)).scenarios[0].expectations[0].deadline_ms == 2500


def test_build_suite_isolation_sends_as_many_as_were_in_flight():
    scenario = build_suite(evidence()).scenarios[2]
    assert scenario.actions[0].customers == 25
    behind = [action for action in scenario.actions if isinstance(action, Send)]
    assert [(action.how, action.request.id) for action in behind] == [("behind", "post_x"), ("together", "get_y")]


def test_build_suite_integrity_reads_back_what_was_accepted():
    scenario = build_suite(evidence()).scenarios[3]
    settles = [part for part in scenario.expectations if isinstance(part, Settles)]
    assert settles[0].of == "during"
    sent = next(action for action in scenario.actions if isinstance(action, Send))
    assert sent.request.extracts == (Extract(name="id", pointer="/id"),)


def test_build_suite_without_a_known_condition_replays_against_the_baseline():
    suite = build_suite(evidence(fault=None, collateral=None, collateral_symptom=None, read_back=None))
    assert len(suite.scenarios) == 3
    assert all(not scenario.conditions for scenario in suite.scenarios)
    answered = suite.scenarios[0].expectations[0]
    assert isinstance(answered, Answered)
    assert (answered.statuses, answered.refusals) == ((201,), False)


def test_build_suite_without_healthy_requests_is_an_error():
    with pytest.raises(NoDataError, match="No healthy `POST /x` before the incident"):
        build_suite(evidence(subject=Replay((), SUBJECT.request, (200,), 0.0, 0)))


@pytest.mark.parametrize(("rate", "customers"), [(0.45, 16), (1.0, 5), (0.01, 40), (0.99, 5)])
def test_customers_to_show_makes_a_strike_nearly_certain(rate, customers):
    assert customers_to_show(rate) == customers


def test_build_suite_waits_a_little_longer_than_the_shortest_time_that_failed():
    feature = Feature(Name("wait", "the seconds since POST /in", "POST /in"), 20.0)
    suite = build_suite(evidence(fault=None, contrast=Contrast(feature, 9, 9, 0, 9, (), ()), read_back=None))
    assert [[action.seconds for action in each.actions if isinstance(action, Wait)] for each in suite.scenarios] == [
        [22.0], [22.0], [22.0],
    ]  # fmt: skip
    assert suite.scenarios[0].id == "post_x_is_answered_after_as_long_a_time"
    assert suite.scenarios[0].conditions[0].differs == "the seconds since POST /in at least 20"


@pytest.mark.parametrize(
    ("comes_first", "order"),
    [
        (False, ["prepare visitors", "prepare disturbers", "disturb disturbers", "send visitors"]),
        (True, ["prepare disturbers", "disturb disturbers", "prepare visitors", "send visitors"]),
    ],
)
def test_build_suite_sends_what_others_sent_in_the_order_it_was_seen(comes_first, order):
    contrast = Contrast(Feature(Name("wake", "POST /y answered 404 by anybody", "POST /y", 5), 4.0), 9, 9, 0, 9, (), ())
    others = Request(id="post_y", method="POST", route="/y", path="/y")
    suite = build_suite(
        evidence(fault=None, contrast=contrast, disturbance=Disturbance(SUBJECT.prepare, others, 6, comes_first))
    )
    assert [scenario.kind for scenario in suite.scenarios] == [
        "graceful_handling", "fails_fast", "integrity_recovery",
    ]  # fmt: skip
    first = suite.scenarios[0]
    assert [f"{a.do} {getattr(a, 'customers', '') if a.do != 'prepare' else a.label}" for a in first.actions] == [
        "prepare first_visitors", "send first_visitors", *order,
    ]  # fmt: skip
    assert next(a for a in first.actions if a.do == "prepare" and a.label == "disturbers").customers == 6
    assert first.conditions[0].differs == "at least 4 POST /y answered 404 by anybody"
