"""The shop's OpenAPI document, and the gateway that has to be as it says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask import Flask, abort

from demo.estate import Estate
from demo.shop.dependencies import segment
from demo.shop.gateway import CONTRACT, create_app
from demo.shop.problems import register_problems
from demo.shop.settings import ServiceSettings
from tests.demo.shoppers import Shopper

DEMO = Path(__file__).parents[2] / "demo"
DOCUMENT = json.loads(CONTRACT.read_text(encoding="utf-8"))


def test_document_names_every_route_of_the_gateway_and_no_other() -> None:
    others = dict.fromkeys(("auth", "catalogue", "orders"), "http://127.0.0.1:9")
    app = create_app(ServiceSettings("gateway", "1", "gateway-1", 0, "", others))
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/api/") and method not in {"HEAD", "OPTIONS"}
    }

    assert {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item} == served


@pytest.mark.parametrize("workspace", ["workspace", "healthy"])
def test_document_of_the_demo_workspaces_is_the_shops_own(workspace: str) -> None:
    assert (DEMO / workspace / "openapi.json").read_bytes() == CONTRACT.read_bytes()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("prd_101", "prd_101"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("\x17", "%17"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a..", "a.."),
    ],
)
def test_segment_stays_one_segment(text: str, written: str) -> None:
    assert segment(text) == written


def test_problems_of_a_wrong_method_name_the_right_ones() -> None:
    app = Flask("shop")
    register_problems(app)
    app.add_url_rule("/cart", "cart", lambda: "", methods=["GET", "PUT"])
    app.add_url_rule("/gone", "gone", lambda: abort(410))

    answer = app.test_client().delete("/cart")

    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
    assert "Allow" not in app.test_client().get("/gone").headers


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Estate(tmp_path_factory.mktemp("shop")) as estate:
        yield estate


@pytest.mark.proof
def test_gateway_serves_the_document(shop: Estate) -> None:
    answer = httpx.get(f"{shop.base_url}/openapi.json", trust_env=False)

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == DOCUMENT


@pytest.mark.proof
@pytest.mark.parametrize("product_id", ["prd_101%3Fx", "%17", "%2E%2E", "several"])
def test_gateway_looks_a_strange_id_up_as_it_is(shop: Estate, product_id: str) -> None:
    shopper = Shopper.arrive(shop.base_url)
    try:
        answers = [
            shopper.client.get(f"/api/products/{product_id}"),
            shopper.client.get(f"/api/products/{product_id}/availability"),
            shopper.client.get(f"/api/orders/{product_id}"),
        ]
    finally:
        shopper.leave()

    assert [answer.status_code for answer in answers] == [404, 404, 404]
