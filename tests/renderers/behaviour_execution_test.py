"""Scenarios in which customers themselves are the condition: rendered, run, and seen to send what they should."""

import json
from collections import Counter

import pytest

from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.renderers.templates.replay_system import Settings, System
from prodintel_lib.scenarios.model import Answered, Behaviour, Disturb, Fresh, Prepare, Replacement, Send, Suite, Wait
from tests.renderers.execution_test import environment, run
from tests.renderers.shop import Shop
from tests.renderers.suites import FILL_CART, PLACE_ORDER, READ_PRODUCT, START_SESSION, scenario

SMALL_CART = FILL_CART.model_copy(update={"body": {"product_id": "prd_17", "quantity": 1}})
LARGE_CART = FILL_CART.model_copy(update={"body": {"product_id": "prd_17", "quantity": 99}})
EXPRESS = PLACE_ORDER.model_copy(update={"body": {**PLACE_ORDER.body, "shipping": "überexpress"}})
NOVEL_PRODUCT = READ_PRODUCT.model_copy(
    update={"replacements": (Replacement(into="query", at="view", value=Fresh(format="text", length=12)),)}
)
REFUSED = READ_PRODUCT.model_copy(update={"id": "read_nothing", "path": "/api/nothing", "query": ()})
BEHAVIOUR = Behaviour(id="customers_input", differs="/shipping holds a character beyond ASCII", seen="5 of 5, 0 of 9")


def answered(label):
    return Answered(of=label, deadline_ms=2500, statuses=(200, 201), oracle="statuses of the baseline")


SUITE = Suite(
    incident_id="INC-7",
    title="Some orders fail",
    scenarios=(
        scenario(
            "orders_with_the_input_that_failed",
            title="Orders are answered",
            kind="graceful_handling",
            conditions=(BEHAVIOUR,),
            actions=(
                Prepare(
                    customers=3,
                    requests=(START_SESSION, LARGE_CART),
                    otherwise=(START_SESSION, SMALL_CART),
                    label="buyers",
                ),
                Send(request=EXPRESS, otherwise=PLACE_ORDER, customers="buyers", label="orders"),
            ),
            expectations=(answered("orders"),),
        ),
        scenario(
            "orders_sent_twice_at_once",
            title="Orders are answered",
            kind="integrity_recovery",
            conditions=(BEHAVIOUR,),
            actions=(
                Prepare(customers=2, requests=(START_SESSION,), label="buyers"),
                Send(request=FILL_CART, customers="buyers", copies=2, label="clicks"),
                Send(request=PLACE_ORDER, customers="buyers", label="orders"),
            ),
            expectations=(answered("orders"),),
        ),
        scenario(
            "products_for_a_crowd",
            title="Products are shown",
            kind="fails_fast",
            conditions=(BEHAVIOUR,),
            actions=(
                Prepare(customers=6, requests=(START_SESSION,), label="crowd"),
                Send(request=NOVEL_PRODUCT, customers="crowd", how="crowd", label="pages"),
            ),
            expectations=(answered("pages"),),
        ),
        scenario(
            "orders_after_a_while",
            title="Orders are answered",
            kind="graceful_handling",
            conditions=(BEHAVIOUR,),
            actions=(
                Prepare(customers=1, requests=(START_SESSION,), label="buyers"),
                Wait(seconds=0.25),
                Prepare(customers=2, requests=(START_SESSION,), label="others"),
                Disturb(request=REFUSED, customers="others"),
                Send(request=READ_PRODUCT, customers="buyers", label="pages"),
            ),
            expectations=(answered("pages"),),
        ),
    ),
)


@pytest.fixture(params=[(), ("--without-conditions",)], ids=["as those who failed", "as those who were spared"])
def seen(request, tmp_path):
    write_files(render_suite(SUITE), tmp_path / "tests")
    with Shop("fixed") as shop:
        done, results = run(tmp_path / "tests", "--base-url", shop.url, *request.param, env=environment(shop))
        requests = list(shop.seen)
    assert {result[0] for result in results.values()} == {"passed"}, done.stdout
    assert len(results) == 8, "each scenario as pytest and as Gherkin"
    return bool(request.param), requests


def test_customers_do_what_the_failing_ones_did_or_what_the_spared_ones_did(seen):
    spared, requests = seen
    shipped = Counter(body["shipping"] for _, _, body, _ in filter(None, requests) if body and "shipping" in body)
    carts = Counter(body["quantity"] for _, _, body, _ in filter(None, requests) if body and "quantity" in body)
    # Two orders of the second scenario are the usual ones, and everything happens twice: as pytest and as Gherkin.
    assert shipped == ({"express": 10} if spared else {"überexpress": 6, "express": 4})
    assert carts == ({1: 6, 2: 8} if spared else {99: 6, 2: 8})


def test_a_crowd_asks_for_one_thing_that_nobody_asked_for_before(seen):
    _, requests = seen
    paths = [path for _, path, _, _ in filter(None, requests) if path.startswith("/api/products")]
    pages = Counter(path for path in paths if "full" not in path)
    assert sorted(pages.values()) == [6, 6], "one new thing as pytest, another as Gherkin"
    assert sum("full" in path for path in paths) == 2, "the page that is shown after a while, twice"


def test_what_disturbs_others_is_sent_under_the_conditions_only_and_not_judged(seen):
    spared, requests = seen
    sent = [path for _, path, _, _ in filter(None, requests) if path == "/api/nothing"]
    assert len(sent) == (0 if spared else 4)


def test_behaviours_are_told_in_the_data(tmp_path):
    write_files(render_suite(SUITE), tmp_path)
    assert "/shipping holds a character beyond ASCII" in (tmp_path / "inc_7.py").read_text()
    assert json.loads((tmp_path / "scenarios.json").read_text())["scenarios"][0]["conditions"][0]["kind"] == "behaviour"


@pytest.mark.parametrize(("without_conditions", "slept"), [(False, [12.5]), (True, [])])
def test_wait_lets_time_go_by_under_the_conditions_only(monkeypatch, without_conditions, slept):
    waits = []
    monkeypatch.setattr("prodintel_lib.renderers.templates.replay_system.time.sleep", waits.append)
    settings = Settings("http://127.0.0.1:1", True, False, 1.0, without_conditions, "", False)
    system = System(settings, {}, lambda _name, _value: None, {})
    system.wait(12.5)
    system.close()
    assert waits == slept
