import keyword

import pytest

from prodintel_lib.renderers.suite_data import Names, deadline_ms, module_name, request_data, variable_names, writes
from prodintel_lib.scenarios.model import Fresh, Prepare, Replacement, Request, Send
from tests.renderers.suites import FILL_CART, PLACE_ORDER, READ_PRODUCT, START_SESSION, isolation, make_suite


@pytest.mark.parametrize(
    ("incident_id", "name"),
    [("INC-2024-1234", "inc_2024_1234"), ("json", "inc_json"), ("P.7_-x", "inc_p_7_x"), ("2024", "inc_2024")],
)
def test_module_name_hides_no_library(incident_id, name):
    assert module_name(incident_id) == name


def test_request_data_leaves_out_what_is_not_there():
    assert request_data(Request(id="look", method="GET", route="/a", path="/a")) == {
        "id": "look",
        "method": "GET",
        "route": "/a",
        "path": "/a",
    }


def test_request_data_says_where_values_come_from():
    fresh = Replacement(into="query", at="q", value=Fresh(format="hex", length=8))

    assert request_data(PLACE_ORDER.model_copy(update={"replacements": (*PLACE_ORDER.replacements, fresh)}))[
        "replacements"
    ] == [
        {"into": "header", "at": "authorization", "extracted": "token", "prefix": "Bearer "},
        {"into": "body", "at": "/idempotency_key", "fresh": "uuid"},
        {"into": "body", "at": "/card_token", "masked": "card_token"},
        {"into": "query", "at": "q", "fresh": "hex", "length": 8},
    ]


def test_names_are_shared_by_equal_values_and_numbered_for_others():
    names = Names()

    assert [names.name("A", value) for value in (1, 2, 1, 1.0, True)] == ["A", "A_2", "A", "A_3", "A_4"]
    assert names.values == {"A": 1, "A_2": 2, "A_3": 1.0, "A_4": True}


def test_deadline_is_the_longest_of_the_scenario_or_of_the_suite():
    suite = make_suite(deadline_ms=2500, page_deadline_ms=700)

    assert [deadline_ms(scenario, suite) for scenario in suite.scenarios] == [2500, 2500, 700, 2500]


def test_writes_looks_at_every_request():
    reading = isolation(700).model_copy(
        update={
            "actions": (
                Prepare(customers=1, requests=(READ_PRODUCT,), label="visitors"),
                Send(request=READ_PRODUCT, customers="visitors", label="product_pages"),
            )
        }
    )

    assert not writes(reading)
    assert writes(isolation(700))


def test_variable_names_avoid_keywords_builtins_fixtures_and_each_other():
    labels = ["class", "print", "system", "orders"]
    scenario = isolation(700).model_copy(
        update={
            "actions": (
                *(Prepare(customers=1, requests=(START_SESSION,), label=label) for label in labels),
                Send(request=FILL_CART, customers="orders", label="orders"),
            )
        }
    )
    named = variable_names(scenario)

    assert list(named.values()) == [
        "class_customers",
        "print_customers",
        "system_customers",
        "orders",
        "orders_answers",
    ]
    assert not any(map(keyword.iskeyword, named.values()))
