"""Scenarios of the user interface for the tests of their renderers: sessions of a small shop, told again."""

import polars as pl

from prodintel_lib.scenarios.ui_journeys import (
    ErrorPattern,
    Journey,
    build_error_scenario,
    build_journey_scenario,
    build_ui_suite,
)
from prodintel_lib.scenarios.ui_model import UiSuite
from tests.scenarios.ui_sessions import act, custom, error, session, view

ROUTES = {"/product/prd_7": "/product/{id}", "/order/ord_1": "/order/{id}"}
VITALS = pl.DataFrame(
    {
        "route": ["/product/{id}", "/product/{id}", "/"],
        "metric": ["lcp_ms", "cls_score", "lcp_ms"],
        "p75": [1210.4, 0.041, 900.0],
        "p95": [60_000.0, 0.2, 60_000.0],
        "n": [812, 812, 90],
    }
)
PRODUCT = "/product/prd_7"


def buying() -> pl.DataFrame:
    return session(
        view(0, "/"),
        act(3.4, "/", "click", role="combobox", name="Search products", test_id="search-box"),
        act(6.0, "/", "change", role="combobox", name="Search products", test_id="search-box", value='5" "lamp"'),
        act(6.1, "/", "click", role="button", name="Search", test_id="search-button"),
        act(6.2, "/", "submit", role="search", name="Search"),
        view(6.3, "/search", query="q=5%22+%22lamp%22"),
        act(9.3, "/search", "click", role="link", name="Aurora lamp"),
        view(9.5, PRODUCT),
        act(13.0, PRODUCT, "click", role="button", name="Add to basket", test_id="buy", selector="#buy"),
        view(13.3, "/search"),
        act(13.3001, "/search", "back"),
        act(15.0, "/search", "click", role="link", name="Basket", test_id="basket-link"),
        view(15.2, "/checkout"),
        act(20.0, "/checkout", "change", role="textbox", name="E-mail", input_type="email"),
        act(24.0, "/checkout", "change", role="textbox", name="Postcode", input_type="postal-code"),
        act(26.0, "/checkout", "change", role="combobox", name="Country", test_id="country", value="NL"),
        act(28.0, "/checkout", "change", name="Security code", test_id="code", selector="#code", input_type="cc-csc"),
        act(30.0, "/checkout", "click", role="button", name="Pay now", test_id="pay"),
        view(30.3, "/order/ord_1"),
        custom(30.6, "/order/ord_1", "purchase"),
        routes=ROUTES,
    )


def failing() -> pl.DataFrame:
    return session(
        view(0, PRODUCT), error(0.6, PRODUCT, "Cannot read properties of undefined (reading 'toFixed')"), routes=ROUTES
    )


def make_ui_suite() -> UiSuite:
    journey = Journey("J-1", [buying()], sessions=412, of_sessions=5120)
    pattern = ErrorPattern(
        "E-1",
        "TypeError",
        "Cannot read properties of undefined (reading 'toFixed')",
        "exception",
        [failing()],
        [buying()],
        occurrences=96,
        sessions=41,
        priority="P0",
    )
    return build_ui_suite(
        "Journeys of the shop",
        [
            build_journey_scenario(journey, conversions=["purchase"], vitals=VITALS),
            build_error_scenario(pattern, conversions=["purchase"]),
        ],
    )
