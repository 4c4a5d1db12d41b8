"""Interpreting a scenario and running its rendered test: the same requests, judged alike."""

import re
import socket
import warnings

import pytest

from prodintel_lib.certify import SystemUnderTest, run_tests
from prodintel_lib.errors import ParameterError
from prodintel_lib.minimise.trial import Target, run_scenario
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.scenarios.model import Suite
from tests.renderers.behaviour_execution_test import SUITE as BEHAVIOURS
from tests.renderers.shop import Shop
from tests.renderers.suites import make_suite

EVERY = [*make_suite(deadline_ms=700, page_deadline_ms=400).scenarios, *BEHAVIOURS.scenarios]


def in_process(scenario, shop, *, without_conditions):
    return run_scenario(scenario, Target(SystemUnderTest(shop.url, shop.url)), without_conditions=without_conditions)


def rendered(scenario, shop, folder, *, without_conditions):
    suite = Suite(incident_id=scenario.provenance.incident_id, title=scenario.title, scenarios=(scenario,))
    write_files(render_suite(suite), folder)
    (only,) = (path for path in folder.glob("test_*.py") if "feature" not in path.name)
    (outcome,) = run_tests(only, SystemUnderTest(shop.url, shop.url), without_conditions=without_conditions).values()
    return outcome


def what_was_sent(shop):
    """Return all requests, in any order, without what is made anew each time."""
    requests = [(*seen[:3], bool(seen[3])) for seen in filter(None, shop.seen)]
    fresh = r"ord_[0-9a-f]{8}|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=view=)[a-z]{12}\b"
    return sorted(re.sub(fresh, "*", repr(request)) for request in requests)


@pytest.mark.parametrize(("way", "without_conditions"), [("error", False), ("fixed", True)], ids=["faulty", "spared"])
@pytest.mark.parametrize("scenario", EVERY, ids=lambda scenario: scenario.id)
def test_a_trial_sends_and_judges_as_the_rendered_test_does(scenario, way, without_conditions, tmp_path):
    with Shop(way) as shop:
        outcome, sent = in_process(scenario, shop, without_conditions=without_conditions), what_was_sent(shop)
        conditions = [line for line in shop.log if line.startswith("POST")]
    with Shop(way) as shop:
        as_test, sent_by_test = (
            rendered(scenario, shop, tmp_path, without_conditions=without_conditions),
            what_was_sent(shop),
        )
        assert conditions == [line for line in shop.log if line.startswith("POST")]
    assert (outcome.colour, outcome.symptom) == (as_test.colour, as_test.symptom)
    # How often a read-back or a recovery is tried is a matter of time.
    assert sorted(set(sent)) == sorted(set(sent_by_test))
    if not any("orders/*" in request for request in sent):
        assert sent == sent_by_test
    struck_for_sure = scenario in EVERY[:3]
    assert outcome.colour == ("red" if way == "error" and struck_for_sure else "green")


def test_a_trial_tells_late_answers_and_lifts_its_conditions():
    with Shop("slow") as shop, warnings.catch_warnings():
        outcome = in_process(EVERY[0], shop, without_conditions=False)
        assert shop.toxics == {"card-processor": {}}
    assert (outcome.colour, outcome.symptom) == ("red", "no_answer_in_time")
    assert outcome.message.startswith("no_answer_in_time: ")


def test_a_trial_of_a_system_that_is_not_there_is_no_judgement():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = SystemUnderTest(f"http://127.0.0.1:{taken.getsockname()[1]}")
        outcome = run_scenario(BEHAVIOURS.scenarios[0], Target(nowhere))
    assert (outcome.colour, outcome.symptom) == ("error", "unreachable")


def test_a_trial_without_a_fault_layer_is_skipped_with_the_reason():
    with Shop("fixed") as shop:
        outcome = run_scenario(EVERY[0], Target(SystemUnderTest(shop.url)))
    assert (outcome.colour, outcome.message) == ("skipped", "conditions need TOXIPROXY_URL: it is not set")


def test_a_trial_writes_nothing_beyond_loopback_unless_asked():
    away = Target(SystemUnderTest("http://shop.example"))
    assert not away.loopback
    outcome = run_scenario(BEHAVIOURS.scenarios[0], away)
    assert outcome.colour == "error"
    assert "writing beyond loopback needs --allow-writes" in outcome.message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://127.0.0.1/?q=1"])
def test_target_refuses_what_is_no_address(url):
    with pytest.raises(ParameterError, match=r"A system is at http\(s\)://host"):
        Target(SystemUnderTest(url))


def test_target_refuses_a_fault_layer_that_is_farther_away_than_the_system():
    with pytest.raises(ParameterError, match=r"its fault layer at http://toxics\.example is not"):
        Target(SystemUnderTest("http://127.0.0.1:1", "http://toxics.example"))
