import pytest
from pydantic import ValidationError

from prodintel_lib.scenarios.ui_model import (
    Budget,
    Click,
    Client,
    ExpectNoErrors,
    ExpectRoute,
    FormValue,
    Submit,
    Target,
    UiProvenance,
    UiScenario,
    UiSuite,
    Visit,
)

LINK = Target(role="link", name="Basket")


def scenario(*steps, scenario_id="home"):
    return UiScenario(
        id=scenario_id,
        title="t",
        kind="journey",
        priority="P1",
        seen="s",
        steps=steps,
        provenance=UiProvenance(generator="g", finding_id="J", input_digest="0" * 12),
    )


def test_target_needs_something_to_be_found_by():
    with pytest.raises(ValidationError, match="needs a name, a test id, or a selector"):
        Target(role="button")


def test_target_takes_only_roles_of_wai_aria():
    with pytest.raises(ValidationError, match="no role of WAI-ARIA: 'bouton'"):
        Target(role="bouton", name="Acheter")


def test_budget_refuses_a_limit_under_it():
    with pytest.raises(ValidationError, match=r"limit 1\.0 is under the budget 2\.0"):
        Budget(metric="lcp_ms", budget=2, limit=1, n=1)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "begins with a visit"),
        ((ExpectRoute(route="/"), ExpectNoErrors()), "begins with a visit"),
        ((Visit(path="/"), ExpectRoute(route="/")), "ends with the expectation of no errors"),
    ],
)
def test_scenario_begins_with_a_visit_and_ends_with_no_errors(steps, words):
    with pytest.raises(ValidationError, match=words):
        scenario(*steps)


@pytest.mark.parametrize("path", ["", "http://evil.example/", "cart"])
def test_visit_takes_only_paths(path):
    with pytest.raises(ValidationError, match="String should match pattern"):
        Visit(path=path)


@pytest.mark.parametrize("field", [{"locale": "en; DROP"}, {"timezone": "Europe/London\n"}, {"seed": 0}])
def test_client_takes_only_what_a_browser_does(field):
    with pytest.raises(ValidationError):
        Client(**field)


@pytest.mark.parametrize(
    ("step", "writes"),
    [
        (Click(target=LINK), False),
        (Click(target=Target(role="button", name="Buy")), True),
        (Submit(target=Target(selector="form")), True),
    ],
)
def test_scenario_writes_unless_it_only_looks_around(step, writes):
    assert scenario(Visit(path="/"), step, ExpectNoErrors()).writes is writes


def test_form_value_is_asked_for_by_name_and_country():
    assert FormValue(name="postcode").key == "postcode"
    assert FormValue(name="postcode", country="GB").key == "postcode@GB"


def test_suite_refuses_two_scenarios_of_one_name():
    one = scenario(Visit(path="/"), ExpectNoErrors())
    with pytest.raises(ValidationError, match="two scenarios share an id"):
        UiSuite(title="t", scenarios=(one, one))


def test_suite_comes_back_from_json():
    suite = UiSuite(title="t", scenarios=(scenario(Visit(path="/"), Click(target=LINK), ExpectNoErrors()),))

    assert UiSuite.model_validate_json(suite.model_dump_json(by_alias=True)) == suite
