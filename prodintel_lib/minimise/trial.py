"""One run of a scenario, in this process: its actions interpreted on the runtime that the rendered tests bring along.

A pytest process of its own costs more than a second a run, and a search takes a hundred. What is sent and how it is
judged is the runtime's own doing, and the data are those the renderers write.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from prodintel_lib.certify import Outcome
from prodintel_lib.certify.outcomes import NO_JUDGEMENT
from prodintel_lib.errors import ParameterError
from prodintel_lib.renderers.suite_data import (
    condition_data,
    expectation_data,
    has_conditions,
    recovery_of,
    request_data,
    scenario_data,
)
from prodintel_lib.renderers.templates.replay_conditions import Conditions
from prodintel_lib.renderers.templates.replay_system import Settings, System
from prodintel_lib.scenarios.model import Answered, Apply, Disturb, Lift, Prepare, Recovers, Send, Settles, Suite, Wait

if TYPE_CHECKING:
    from prodintel_lib.certify import SystemUnderTest
    from prodintel_lib.renderers.templates.replay_system import Answers, Customer
    from prodintel_lib.scenarios.model import Action, Expectation, Scenario


@dataclass(frozen=True, slots=True)
class Target:
    """Where scenarios are run, checked as the generated tests check it.

    Raises
    ------
    ParameterError
        If the system is no HTTP address, or its fault layer is farther away than the system itself.
    """

    system: SystemUnderTest
    allow_writes: bool = False

    def __post_init__(self) -> None:
        for url in filter(None, (self.system.base_url, self.system.toxiproxy_url)):
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
                raise ParameterError(
                    f"A system is at http(s)://host[:port][/path]; got {url!a}.",
                    hint="name the address where it answers.",
                )
        if self.loopback and self.system.toxiproxy_url and not _is_loopback(self.system.toxiproxy_url):
            raise ParameterError(
                f"The system is on loopback and its fault layer at {self.system.toxiproxy_url} is not.",
                hint="name the Toxiproxy that stands before this system's dependencies.",
            )

    @property
    def loopback(self) -> bool:
        """Whether the system is on this machine; beyond it nothing is written unless that was asked for."""
        return _is_loopback(self.system.base_url)

    def settings(self, *, without_conditions: bool) -> Settings:
        """Return the settings of one run; delays are those of the scenario."""
        return Settings(
            self.system.base_url.rstrip("/"),
            self.loopback,
            allow_writes=self.allow_writes,
            time_scale=1.0,
            without_conditions=without_conditions,
            toxiproxy_url=self.system.toxiproxy_url.rstrip("/"),
            worker=False,
        )


def run_scenario(scenario: Scenario, target: Target, *, without_conditions: bool = False) -> Outcome:
    """Run a scenario once and judge it as the rendered test would.

    Returns
    -------
    Outcome
        Red only with a symptom that says something about the system; a set-up that fails is an error.
    """
    recorded: dict[str, str] = {}
    alone = Suite(incident_id=scenario.provenance.incident_id, title=scenario.title, scenarios=(scenario,))
    settings = target.settings(without_conditions=without_conditions)
    system = System(
        settings,
        _SecretValues(),
        lambda name, value: recorded.update({name: str(value)}),
        scenario_data(scenario, alone),
    )
    try:
        conditions = Conditions(settings, system) if has_conditions(scenario) else None
        try:
            if conditions:
                conditions.remove_leftovers()
            _Interpreter(scenario, system, conditions).run()
            outcome = Outcome("green")
        except pytest.skip.Exception as skipped:
            outcome = Outcome("skipped", "", _first_line(skipped))
        except pytest.fail.Exception as failed:
            symptom = recorded.get("symptom", "")
            outcome = Outcome("error" if symptom in NO_JUDGEMENT else "red", symptom, _first_line(failed))
        finally:
            if conditions:
                conditions.close()
    except pytest.fail.Exception as left_behind:
        return Outcome("error", recorded.get("symptom", ""), _first_line(left_behind))
    finally:
        system.close()
    return outcome


class _SecretValues(dict[str, str]):
    """What the suite's own fixture gives for masked values."""

    def __missing__(self, name: str) -> str:
        return os.environ.get(f"SECRET_{name.upper()}", f"placeholder-for-{name}")


class _Interpreter:
    """Does what the rendered test of a scenario does, action by action."""

    def __init__(self, scenario: Scenario, system: System, conditions: Conditions | None) -> None:
        self._scenario = scenario
        self._system = system
        self._conditions = conditions
        self._customers: dict[str, list[Customer]] = {}
        self._answers: dict[str, Answers] = {}

    def run(self) -> None:
        """Do every action, then see every expectation."""
        for action in self._scenario.actions:
            self._act(action)
        for expectation in self._scenario.expectations:
            self._expect(expectation)

    def _act(self, action: Action) -> None:
        if isinstance(action, Prepare):
            otherwise = None if action.otherwise is None else [request_data(each) for each in action.otherwise]
            requests = [request_data(each) for each in action.requests]
            self._customers[action.label] = self._system.prepare(action.customers, requests, otherwise)
        elif isinstance(action, Apply) and self._conditions:
            for condition in self._scenario.conditions:
                if condition.id in action.conditions:
                    self._conditions.apply(condition_data(condition))
        elif isinstance(action, Lift) and self._conditions:
            self._conditions.lift()
        elif isinstance(action, Wait):
            self._system.wait(action.seconds)
        elif isinstance(action, Disturb):
            self._system.disturb(request_data(action.request), self._customers[action.customers])
        elif isinstance(action, Send):
            self._answers[action.label] = self._send(action)

    def _send(self, action: Send) -> Answers:
        request, customers = request_data(action.request), self._customers[action.customers]
        otherwise = request_data(action.otherwise) if action.otherwise else None
        if recovers := recovery_of(self._scenario, action):
            return self._system.send_until_recovered(request, customers, expectation_data(recovers))
        if action.copies > 1:
            return self._system.send_together(request, customers, copies=action.copies)
        if action.how == "behind":
            return self._system.send_behind(request, customers)
        if action.how == "crowd":
            return self._system.send_crowd(request, customers)
        send = self._system.send_in_turn if action.how == "in_turn" else self._system.send_together
        return send(request, customers, otherwise=otherwise)

    def _expect(self, expectation: Expectation) -> None:
        answers, expected = self._answers[expectation.of], expectation_data(expectation)
        if isinstance(expectation, Answered):
            self._system.assert_answered(answers, expected)
        elif isinstance(expectation, Recovers):
            self._system.assert_recovered(answers, expected)
        elif isinstance(expectation, Settles):
            self._system.assert_settled(answers, request_data(expectation.read), expected)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _first_line(failure: BaseException) -> str:
    return (str(failure).strip().splitlines() or [""])[0][:200]
