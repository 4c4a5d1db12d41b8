"""The steps of the feature file: their words are fixed, and what came from production stands in table cells as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from prodintel_lib.renderers.templates.marks import SLOT
from prodintel_lib.renderers.templates.ui_visitor import Visitor

bdd = pytest.importorskip("pytest_bdd", reason="needs pytest-bdd; the pytest files say the same without it")

bdd.scenarios(str(Path(__file__).with_name(SLOT("feature"))))

Table = Sequence[Sequence[str]]
Data = dict[str, Any]


@pytest.fixture
def client() -> Data:
    """Return the browser the visit was made with, once a step has said so."""
    return {}


def entries(table: Table) -> Data:
    """Read a table of names and JSON values."""
    return {name: json.loads(value) for name, value in table}


def ways(page: Page, said: Data) -> list[Locator]:
    """Return the ways to an element, the one that users know it by first."""
    found = []
    if "role" in said:
        found.append(page.get_by_role(said["role"], name=said["name"], exact=True))
    if "test_id" in said:
        found.append(page.get_by_test_id(said["test_id"]))
    if "selector" in said:
        found.append(page.locator(said["selector"]))
    if "label" in said:
        found.append(page.get_by_label(said["label"], exact=True))
    return found


def value_of(said: Data, form_values: Mapping[str, str]) -> str:
    """Return what to type: the recorded value, or a valid one in place of a personal one."""
    return form_values[said["form_value"]] if "form_value" in said else said["value"]


@bdd.given("what production shows")
def what_production_shows(record_property: Callable[[str, object], None], datatable: Table) -> None:
    """Note what the scenario tells again."""
    for name, said in entries(datatable).items():
        record_property(name, said)


@bdd.given("the client")
def the_client(client: Data, datatable: Table) -> None:
    """Say with which browser the visit was made, before it is started."""
    client |= entries(datatable)


@bdd.when("the visitor opens")
def the_visitor_opens(visitor: Visitor, datatable: Table) -> None:
    """Open a page by its address."""
    said = entries(datatable)
    visitor.visit(said["path"], query=said.get("query", ""))


@bdd.when("the visitor clicks")
def the_visitor_clicks(page: Page, visitor: Visitor, datatable: Table) -> None:
    """Click an element."""
    visitor.click(*ways(page, entries(datatable)))


@bdd.when("the visitor fills in")
def the_visitor_fills_in(page: Page, visitor: Visitor, form_values: Mapping[str, str], datatable: Table) -> None:
    """Type a value into a field."""
    said = entries(datatable)
    visitor.fill(*ways(page, said), value=value_of(said, form_values))


@bdd.when("the visitor chooses in")
def the_visitor_chooses_in(page: Page, visitor: Visitor, form_values: Mapping[str, str], datatable: Table) -> None:
    """Choose an option."""
    said = entries(datatable)
    visitor.choose(*ways(page, said), value=value_of(said, form_values))


@bdd.when("the visitor is of")
def the_visitor_is_of(visitor: Visitor, datatable: Table) -> None:
    """Choose the visitor's country where a form has another one chosen."""
    visitor.reside(entries(datatable)["country"])


@bdd.when("the visitor submits")
def the_visitor_submits(page: Page, visitor: Visitor, datatable: Table) -> None:
    """Send a form."""
    visitor.submit(*ways(page, entries(datatable)))


@bdd.when("the visitor goes back")
def the_visitor_goes_back(visitor: Visitor) -> None:
    """Go back in the browser's history."""
    visitor.go_back()


@bdd.when("the visitor thinks for")
def the_visitor_thinks_for(visitor: Visitor, datatable: Table) -> None:
    """Let the time go by that the person took, times the scale."""
    visitor.think(entries(datatable)["seconds"])


@bdd.then("the page is at")
def the_page_is_at(visitor: Visitor, datatable: Table) -> None:
    """Expect a route."""
    visitor.expect_route(entries(datatable)["route"])


@bdd.then("the page shows")
def the_page_shows(page: Page, visitor: Visitor, datatable: Table) -> None:
    """Expect an element to be there."""
    visitor.expect_visible(*ways(page, entries(datatable)))


@bdd.then("the web vitals hold for")
def the_web_vitals_hold_for(visitor: Visitor, datatable: Table) -> None:
    """Expect web vitals within production's."""
    said = entries(datatable)
    visitor.expect_vitals(said["route"], said["limits"])


@bdd.then("the visitor has converted at")
def the_visitor_has_converted_at(visitor: Visitor, datatable: Table) -> None:
    """Expect that the visit did what the site is for."""
    said = entries(datatable)
    visitor.expect_conversion(said["route"], event=said["event"])


@bdd.then("no error occurred")
def no_error_occurred(visitor: Visitor) -> None:
    """Expect no error so far."""
    visitor.expect_no_errors()


@bdd.then("no error occurred while watching")
def no_error_occurred_while_watching(visitor: Visitor, datatable: Table) -> None:
    """Expect no error so far nor in a while, and know production's again."""
    said = entries(datatable)
    visitor.expect_no_errors(seen=said.get("seen", ""), watch_s=said.get("watch_s", 0))
