"""A suite as Gherkin: fixed words and slugs in the steps, everything else as JSON in table cells.

JSON keeps what Gherkin's cells would lose: spaces at the ends, control characters, the difference between 1 and "1".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.errors import UnsafeValueError
from prodintel_lib.renderers.code import Filling, fill, load
from prodintel_lib.renderers.pytest_files import header, origin
from prodintel_lib.renderers.suite_data import SuiteData, module_name, recovery_of, writes
from prodintel_lib.scenarios.model import Answered, Apply, Disturb, Prepare, Recovers, Send, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.scenarios.model import Action, Expectation, Request, Scenario, Suite

_STEP_INDENT: Final = " " * 4
_ROW_INDENT: Final = " " * 6
_MAX_PADDED: Final = 60


def render_feature(suite: Suite) -> tuple[str, str]:
    """Render a suite's feature file and the module that runs its steps under pytest-bdd.

    Parameters
    ----------
    suite : Suite
        The scenarios of one incident.

    Returns
    -------
    tuple of str, str
        The feature and the steps.
    """
    name = module_name(suite.incident_id)
    steps = fill(
        load("feature_steps.py"),
        Filling(
            header=header(suite, "Steps of the feature of"),
            values={"incident_id": suite.incident_id, "feature": f"{name}.feature"},
        ),
    )
    return _Writer(suite).feature(), steps.text


def cell(value: object) -> str:
    r"""Write a value into a table cell, so that ``json.loads`` of the cell that Gherkin reads gives it back.

    Examples
    --------
    >>> cell("a|b\n")
    '"a\\|b\\\\n"'
    """
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsafeValueError(f"A table cell holds JSON; {error}.", hint="check where the value is made.") from error
    return text.replace("\x7f", "\\u007f").replace("\\", "\\\\").replace("|", "\\|")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out the rows of a table; narrow columns are aligned."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    padded = [width if width <= _MAX_PADDED else 0 for width in widths]
    return [
        f"{_ROW_INDENT}| " + " | ".join(text.ljust(width) for text, width in zip(row, padded, strict=True)) + " |"
        for row in rows
    ]


def entries(data: dict[str, Any]) -> list[str]:
    """Lay out a dictionary as a table of names and JSON values."""
    return table([(name, cell(value)) for name, value in data.items()])


class _Writer:
    """Writes the feature of one suite and names its data on the way, as the pytest modules do."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._data = SuiteData(suite)

    def feature(self) -> str:
        """Write the whole feature."""
        lines = [f"# {line}" for line in origin(self._suite).splitlines()]
        lines += [f"Feature: {module_name(self._suite.incident_id)}", "", "  Background:"]
        for name, value in self._data.names.values.items():
            if name != "INCIDENT":
                kind = "request" if "method" in value else "condition"
                lines += [f"{_STEP_INDENT}Given the {kind} {name.lower()}", *entries(value)]
        for scenario in self._suite.scenarios:
            lines += ["", *self._scenario(scenario)]
        return "\n".join(with_ands(lines)) + "\n"

    def _scenario(self, scenario: Scenario) -> Iterator[str]:
        if writes(scenario):
            yield "  @writes"
        yield f"  Scenario: {scenario.id}"
        yield f"{_STEP_INDENT}Given what users saw"
        known = self._data.names.values[self._data.scenario(scenario)]
        yield from entries(known)
        for action in scenario.actions:
            yield from self._action(scenario, action)
        for expectation in scenario.expectations:
            yield from self._expectation(expectation)

    def _action(self, scenario: Scenario, action: Action) -> Iterator[str]:
        if isinstance(action, Prepare):
            if action.otherwise is not None:
                yield from self._sent(f"Given {action.label} who, without the conditions, sent", action.otherwise)
            yield from self._sent(f"Given {action.customers} customers as {action.label} who sent", action.requests)
        elif isinstance(action, Apply):
            for condition in scenario.conditions:
                if condition.id in action.conditions:
                    yield f"{_STEP_INDENT}When the condition {self._data.condition(condition).lower()} holds"
        elif isinstance(action, Send):
            yield from self._send(scenario, action)
        elif isinstance(action, Disturb):
            name = self._data.request(action.request).lower()
            yield f"{_STEP_INDENT}When the {action.customers}, under the conditions, send {name}"
        elif isinstance(action, Wait):
            yield f"{_STEP_INDENT}When {action.seconds:g} seconds go by under the conditions"
        else:
            yield f"{_STEP_INDENT}When the conditions are lifted"

    def _sent(self, step: str, requests: Sequence[Request]) -> Iterator[str]:
        """Write a step with a table of requests; a table has at least one row, so nothing sent is a step of its own."""
        if not requests:
            yield f"{_STEP_INDENT}{step} nothing"
            return
        yield f"{_STEP_INDENT}{step}"
        yield from table([(self._data.request(request).lower(),) for request in requests])

    def _send(self, scenario: Scenario, action: Send) -> Iterator[str]:
        how, name = action.how.replace("_", " "), self._data.request(action.request).lower()
        if action.otherwise is not None:
            name += f" (without the conditions {self._data.request(action.otherwise).lower()})"
        if action.copies > 1:
            how = f"{action.copies} times at once"
        yield f"{_STEP_INDENT}When the {action.customers} send {name} {how} as {action.label}"
        if recovers := recovery_of(scenario, action):
            yield from entries(self._data.names.values[self._data.expectation(recovers)])

    def _expectation(self, expectation: Expectation) -> Iterator[str]:
        if isinstance(expectation, Answered):
            yield f"{_STEP_INDENT}Then the {expectation.of} are answered"
        elif isinstance(expectation, Recovers):
            yield f"{_STEP_INDENT}Then the {expectation.of} show that it recovered"
        else:
            read = self._data.request(expectation.read).lower()
            yield f"{_STEP_INDENT}Then {read} shows what became of the {expectation.of}"
        yield from entries(self._data.names.values[self._data.expectation(expectation)])


def with_ands(lines: Sequence[str]) -> Iterator[str]:
    """Say `And` where a step goes on with the keyword of the one before."""
    before = ""
    for line in lines:
        keyword, _, rest = line.strip().partition(" ")
        if keyword in {"Given", "When", "Then"}:
            yield f"{_STEP_INDENT}And {rest}" if keyword == before else line
            before = keyword
        else:
            yield line
            before = "" if keyword in {"Scenario:", "Background:"} else before
