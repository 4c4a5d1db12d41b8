"""Exchanges for the tests: a shopper's requests with their answers, and answers counted."""

import polars as pl

from prodintel_lib.rollups.histograms import GROWTH
from prodintel_lib.rollups.load_answers import LOAD_ANSWERS_SCHEMA, NO_DURATION
from prodintel_lib.scenarios.load_model.exchanges import Exchange, Exchanges
from prodintel_lib.scenarios.load_model.flows import find_flows
from prodintel_lib.scenarios.recorded import RecordedRequest
from prodintel_lib.windows import Window

WINDOW = Window(0, 3_600_000_000)


def exchange(visitor, method, path, *, route=None, status=200, body=None, answer=None, query=(), headers=(), owner=None,
             bad=False, body_is=None):  # fmt: skip
    request = RecordedRequest(
        0, visitor, "t", method, route or path, path, tuple(query), status, 12.0, bad, body, answer, tuple(headers)
    )
    kind = body_is or ("unknown" if body is None else "json")
    return Exchange(f"{method} {route or path}", owner or visitor, request, kind, answer is not None)


def shopper(number, *, product="p-1000"):
    """Sign in, look at a product, order, look at the order."""
    visitor, order = f"sess_{number:04d}", f"ord_{number:06d}"
    return (
        exchange(visitor, "POST", "/sessions", status=201, body={"locale": ("de", "fr")[number % 2]},
                 answer={"session_id": visitor, "token": "[masked]"}),
        exchange(visitor, "GET", f"/products/{product}", route="/products/{id}", answer={"id": product}),
        exchange(visitor, "POST", "/orders", status=201,
                 body={"lines": [{"product": product, "count": 1}], "key": f"7f9c24e5-2c1d-4d5e-9f00-{number:012d}"},
                 answer={"order_id": order, "links": {"order": order}}),
        exchange(visitor, "GET", f"/orders/{order}", route="/orders/{id}", answer={"order_id": order}),
    )  # fmt: skip


def exchanges_of(*visitors, answers=None, source="spans", kept_fields=()):
    counted = answers if answers is not None else answers_of(
        *((one.endpoint, one.request.status, 1, 12.0) for visitor in visitors for one in visitor)
    )  # fmt: skip
    return Exchanges(WINDOW, source, tuple(visitors), counted, find_flows(visitors), tuple(kept_fields))


def answers_of(*rows):
    """Return counted answers of (endpoint, status or None, requests, duration or None); 500 and more failed."""
    return pl.DataFrame(
        [
            (endpoint, endpoint.split(" ")[0], status or 0, (status or 0) >= 500,
             NO_DURATION if ms is None else bin_of(ms), requests)
            for endpoint, status, requests, ms in rows
        ],
        schema=LOAD_ANSWERS_SCHEMA, orient="row",
    )  # fmt: skip


def bin_of(duration_ms):
    number = -1000
    while GROWTH ** (number + 1) <= duration_ms:
        number += 1
    return number
