"""Scenarios of the user interface as Gherkin: fixed words and slugs in the steps, everything else as JSON in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.renderers.code import Filling, fill, load
from prodintel_lib.renderers.gherkin import entries, with_ands
from prodintel_lib.renderers.ui_calls import calls_of, client_data, origin, sentences
from prodintel_lib.scenarios.ui_model import FormValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.renderers.ui_calls import Call
    from prodintel_lib.scenarios.ui_model import UiScenario, UiSuite

FEATURE: Final = "journeys.feature"
_INDENT: Final = " " * 4
STEPS: Final = {
    "visit": "When the visitor opens",
    "click": "When the visitor clicks",
    "fill": "When the visitor fills in",
    "choose": "When the visitor chooses in",
    "reside": "When the visitor is of",
    "submit": "When the visitor submits",
    "go_back": "When the visitor goes back",
    "think": "When the visitor thinks for",
    "expect_route": "Then the page is at",
    "expect_visible": "Then the page shows",
    "expect_vitals": "Then the web vitals hold for",
    "expect_conversion": "Then the visitor has converted at",
    "expect_no_errors": "Then no error occurred",
}
WATCHING: Final = " while watching"
"""The words of each call's step; an expectation of no errors that watches for them says so."""


def render_ui_feature(suite: UiSuite) -> tuple[str, str]:
    """Render a suite's feature file and the module that runs its steps under pytest-bdd.

    Parameters
    ----------
    suite : UiSuite

    Returns
    -------
    tuple of str, str
        The feature and the steps.
    """
    lines = [f"# {line}" for line in origin(suite.scenarios)]
    lines.append("Feature: journeys")
    for scenario in suite.scenarios:
        lines += ["", *_scenario(scenario)]
    header = "\n".join(["Steps of the journeys.", "", *origin(suite.scenarios), ""])
    steps = fill(load("ui_feature_steps.py"), Filling(header=header, values={"feature": FEATURE}))
    return "\n".join(with_ands(lines)) + "\n", steps.text


def _scenario(scenario: UiScenario) -> Iterator[str]:
    if scenario.writes:
        yield "  @writes"
    yield f"  Scenario: {scenario.id}"
    title, seen = sentences(scenario)
    yield f"{_INDENT}Given what production shows"
    yield from entries({"title": title, "seen": seen})
    if client := client_data(scenario.client):
        yield f"{_INDENT}Given the client"
        yield from entries(client)
    for call in calls_of(scenario.steps):
        watching = WATCHING if call.method == "expect_no_errors" and call.arguments else ""
        yield f"{_INDENT}{STEPS[call.method]}{watching}"
        yield from entries(call_data(call)) if call.ways or call.arguments else ()


def call_data(call: Call) -> dict[str, Any]:
    """Return the cells of a call: the element's ways, then the arguments; form values by their key."""
    data: dict[str, Any] = {}
    for way in call.ways:
        data |= {"role": way.text, "name": way.name} if way.by == "role" else {way.by: way.text}
    for name, value in call.arguments:
        data |= {"form_value": value.key} if isinstance(value, FormValue) else {name: value}
    return data
