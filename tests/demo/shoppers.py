"""Customers for the proofs: each signs in, fills a cart and is ready to pay."""

from __future__ import annotations

import concurrent.futures
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_WAIT_S = 30.0


@dataclass
class Shopper:
    """A guest at the gateway."""

    client: httpx.Client
    key: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def arrive(cls, base_url: str) -> Shopper:
        client = httpx.Client(base_url=base_url, timeout=LONGEST_WAIT_S, trust_env=False)
        session = client.post("/api/sessions", json={"locale": "en-GB"}).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {session['token']}"
        return cls(client)

    def fill_cart(self) -> Shopper:
        item = {"product_id": "prd_101", "quantity": 2}
        self.client.post("/api/cart/items", json=item).raise_for_status()
        return self

    def check_out(self, *, card_token: str = "tok_visa") -> httpx.Response:
        order = {
            "payment_method": "card",
            "card_token": card_token,
            "shipping": {"method": "standard", "country": "GB"},
            "idempotency_key": self.key,
        }
        return self.client.post("/api/orders", json=order)

    def look_at_product(self) -> httpx.Response:
        return self.client.get("/api/products/prd_140")

    def order(self, order_id: str) -> dict[str, Any]:
        order: dict[str, Any] = self.client.get(f"/api/orders/{order_id}").raise_for_status().json()
        return order

    def leave(self) -> None:
        self.client.close()


def together(actions: Sequence[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """Do everything at the same moment."""
    with concurrent.futures.ThreadPoolExecutor(len(actions)) as pool:
        return [future.result() for future in [pool.submit(action) for action in actions]]


def eventually(look: Callable[[], bool], *, within_s: float) -> bool:
    """Look again and again until it holds; the deadline only bounds a failure."""
    deadline_s = time.monotonic() + within_s
    while not look():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.1)
    return True
