"""The steps of the feature file: their words are fixed, and what came from production stands in table cells as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prodintel_lib.renderers.templates.marks import SLOT
from prodintel_lib.renderers.templates.replay_conditions import Conditions
from prodintel_lib.renderers.templates.replay_system import Answers, Customer, System

bdd = pytest.importorskip("pytest_bdd", reason="needs pytest-bdd; the pytest files say the same without it")

# What an earlier run left behind has to go before the first step.
pytestmark = [pytest.mark.incident(SLOT("incident_id")), pytest.mark.usefixtures("conditions")]

bdd.scenarios(str(Path(__file__).with_name(SLOT("feature"))))

Table = Sequence[Sequence[str]]
step = bdd.parsers.re


@dataclass
class World:
    """What the steps of one scenario have named so far."""

    requests: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    conditions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    customers: dict[str, list[Customer]] = field(default_factory=dict)
    otherwise: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)


@pytest.fixture
def world() -> World:
    """Return what the steps have named: nothing yet."""
    return World()


def entries(table: Table) -> dict[str, Any]:
    """Read a table of names and JSON values."""
    return {name: json.loads(value) for name, value in table}


@bdd.given(step("the request (?P<name>[a-z0-9_]+)"))
def the_request(world: World, name: str, datatable: Table) -> None:
    """Define a recorded request."""
    world.requests[name] = entries(datatable)


@bdd.given(step("the condition (?P<name>[a-z0-9_]+)"))
def the_condition(world: World, name: str, datatable: Table) -> None:
    """Define a condition of the incident."""
    world.conditions[name] = entries(datatable)


@bdd.given("what users saw")
def what_users_saw(system: System, datatable: Table) -> None:
    """Tell the system's customers how long they wait and which symptom to know again."""
    system.scenario = entries(datatable)


@bdd.step(step("(?P<count>[0-9]+) customers as (?P<label>[a-z0-9_]+) who sent"))
def customers_who_sent(world: World, system: System, count: str, label: str, datatable: Table) -> None:
    """Prepare customers."""
    requests = [world.requests[name] for (name,) in datatable]
    world.customers[label] = system.prepare(int(count), requests, otherwise=world.otherwise.get(label))


@bdd.step(step("(?P<count>[0-9]+) customers as (?P<label>[a-z0-9_]+) who sent nothing"))
def customers_who_sent_nothing(world: World, system: System, count: str, label: str) -> None:
    """Prepare customers who have only just come."""
    world.customers[label] = system.prepare(int(count), [], otherwise=world.otherwise.get(label))


@bdd.step(step("(?P<label>[a-z0-9_]+) who, without the conditions, sent"))
def who_otherwise_sent(world: World, label: str, datatable: Table) -> None:
    """Say what healthy customers sent instead."""
    world.otherwise[label] = [world.requests[name] for (name,) in datatable]


@bdd.step(step("(?P<label>[a-z0-9_]+) who, without the conditions, sent nothing"))
def who_otherwise_sent_nothing(world: World, label: str) -> None:
    """Say that healthy customers had only just come."""
    world.otherwise[label] = []


@bdd.when(
    step(
        r"the (?P<label>[a-z0-9_]+) send (?P<name>[a-z0-9_]+) \(without the conditions (?P<other>[a-z0-9_]+)\) "
        "(?P<how>together|in turn) as (?P<of>[a-z0-9_]+)"
    )
)
def the_customers_send_or(world: World, system: System, label: str, name: str, other: str, how: str, of: str) -> None:
    """Send a request, once each; without the conditions the one that healthy customers sent."""
    send = {"together": system.send_together, "in turn": system.send_in_turn}[how]
    world.answers[of] = send(world.requests[name], world.customers[label], otherwise=world.requests[other])


@bdd.when(
    step("the (?P<label>[a-z0-9_]+) send (?P<name>[a-z0-9_]+) (?P<copies>[0-9]+) times at once as (?P<of>[a-z0-9_]+)")
)
def the_customers_send_copies(world: World, system: System, label: str, name: str, copies: str, of: str) -> None:
    """Send several copies of a request at once."""
    world.answers[of] = system.send_together(world.requests[name], world.customers[label], copies=int(copies))


@bdd.step(step("the condition (?P<name>[a-z0-9_]+) holds"))
def the_condition_holds(world: World, conditions: Conditions, name: str) -> None:
    """Apply a condition."""
    conditions.apply(world.conditions[name])


@bdd.when(step("the (?P<label>[a-z0-9_]+), under the conditions, send (?P<name>[a-z0-9_]+)"))
def the_customers_disturb(world: World, system: System, label: str, name: str) -> None:
    """Send what others failed after; without the conditions nobody sends it."""
    system.disturb(world.requests[name], world.customers[label])


@bdd.when(step(r"(?P<seconds>[0-9]+(\.[0-9]+)?) seconds go by under the conditions"))
def seconds_go_by(system: System, seconds: str) -> None:
    """Let time go by; without the conditions nobody waits."""
    system.wait(float(seconds))


@bdd.step("the conditions are lifted")
def the_conditions_are_lifted(conditions: Conditions) -> None:
    """Remove every condition."""
    conditions.lift()


@bdd.when(
    step(
        "the (?P<label>[a-z0-9_]+) send (?P<name>[a-z0-9_]+) "
        "(?P<how>together|in turn|behind|crowd) as (?P<of>[a-z0-9_]+)"
    )
)
def the_customers_send(world: World, system: System, label: str, name: str, how: str, of: str) -> None:
    """Send a request, once each."""
    send = {
        "together": system.send_together,
        "in turn": system.send_in_turn,
        "behind": system.send_behind,
        "crowd": system.send_crowd,
    }[how]
    world.answers[of] = send(world.requests[name], world.customers[label])


@bdd.when(step("the (?P<label>[a-z0-9_]+) send (?P<name>[a-z0-9_]+) until recovered as (?P<of>[a-z0-9_]+)"))
def the_customers_send_until_recovered(
    world: World, system: System, label: str, name: str, of: str, datatable: Table
) -> None:
    """Send a request, one customer after another, until it is answered as before the incident."""
    world.answers[of] = system.send_until_recovered(world.requests[name], world.customers[label], entries(datatable))


@bdd.then(step("the (?P<of>[a-z0-9_]+) show that it recovered"))
def show_that_it_recovered(world: World, system: System, of: str, datatable: Table) -> None:
    """See that the last answer is healthy."""
    system.assert_recovered(world.answers[of], entries(datatable))


@bdd.then(step("the (?P<of>[a-z0-9_]+) are answered"))
def are_answered(world: World, system: System, of: str, datatable: Table) -> None:
    """See that answers come in time."""
    system.assert_answered(world.answers[of], entries(datatable))


@bdd.then(step("(?P<read>[a-z0-9_]+) shows what became of the (?P<of>[a-z0-9_]+)"))
def shows_what_became_of(world: World, system: System, read: str, of: str, datatable: Table) -> None:
    """See that what was accepted is there afterwards."""
    system.assert_settled(world.answers[of], world.requests[read], entries(datatable))
