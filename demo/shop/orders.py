"""The orders service: carts, and orders that are paid through the payment service.

An order's life: ``created`` → ``paid``, or ``payment_pending`` (payment took the order and will settle it) → ``paid``,
or ``payment_failed``. Amounts are in cents.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify

from demo.shop.database import open_database
from demo.shop.dependencies import Dependency
from demo.shop.orders_store import OrderStore, tables
from demo.shop.policies import OrdersPolicy, read_policy
from demo.shop.problems import ProblemError
from demo.shop.requests import cart_line, json_object, objects, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask.typing import ResponseReturnValue

    from demo.shop.settings import ServiceSettings

THREADS = 64
PAYMENT_TIMEOUT_S = 25.0
CATALOGUE_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service."""
    policy = read_policy(OrdersPolicy, settings.policy)
    latency_ms = policy.statement_latency_ms
    database = open_database("orders", tables, pool_size=24, pool_timeout_s=5, statement_latency_ms=latency_ms)
    store = OrderStore(database, policy)
    checkout = Checkout(store, Dependency("payment", settings.dependencies["payment"], timeout_s=PAYMENT_TIMEOUT_S))
    catalogue = Dependency("catalogue", settings.dependencies["catalogue"], timeout_s=CATALOGUE_TIMEOUT_S)
    app = Flask(settings.service)
    _serve_carts(app, store, catalogue)

    @app.post("/orders")
    def place_order() -> ResponseReturnValue:
        body = json_object()
        order = checkout.place(
            session_id=text(body, "session_id"),
            user_id=text(body, "user_id"),
            card_token=text(body, "card_token"),
            idempotency_key=text(body, "idempotency_key"),
        )
        return jsonify(order), 202 if order["status"] == "payment_pending" else 201

    @app.get("/orders/<order_id>")
    def show_order(order_id: str) -> ResponseReturnValue:
        return jsonify(checkout.settled(order_id))

    return app


def _serve_carts(app: Flask, store: OrderStore, catalogue: Dependency) -> None:
    def find_products(product_ids: Sequence[str]) -> list[dict[str, Any]]:
        if len(product_ids) == 1:
            return [catalogue.get(f"/products/{product_ids[0]}")]
        found: list[dict[str, Any]] = catalogue.get("/products/several", params={"ids": ",".join(product_ids)})[
            "products"
        ]
        return found

    @app.get("/carts/<session_id>")
    def show_cart(session_id: str) -> ResponseReturnValue:
        return jsonify(store.read_cart(session_id))

    @app.post("/carts/<session_id>/items")
    def add_item(session_id: str) -> ResponseReturnValue:
        store.add_items(session_id, dict([cart_line(json_object())]), find_products)
        return jsonify(store.read_cart(session_id)), 201

    @app.post("/carts/<session_id>/list")
    def add_list(session_id: str) -> ResponseReturnValue:
        store.add_items(session_id, dict(cart_line(item) for item in objects(json_object(), "items")), find_products)
        return jsonify(store.read_cart(session_id)), 201

    @app.post("/carts/<session_id>/coupon")
    def apply_coupon(session_id: str) -> ResponseReturnValue:
        store.apply_coupon(session_id, text(json_object(), "code"))
        return jsonify(store.read_cart(session_id))


class Checkout:
    """Turns a cart into an order and has it paid, once, however often the customer asks."""

    def __init__(self, store: OrderStore, payment: Dependency) -> None:
        self._store = store
        self._payment = payment

    def place(self, *, session_id: str, user_id: str, card_token: str, idempotency_key: str) -> dict[str, Any]:
        """Create the order (or find the one of an earlier attempt) and have it charged."""
        order = self._store.find_by_key(idempotency_key)
        if order is None:
            order = self._store.create_order(
                order_id=f"ord_{uuid.uuid4().hex[:12]}",
                session_id=session_id,
                user_id=user_id,
                idempotency_key=idempotency_key,
            )
        if order["status"] in {"created", "payment_failed"}:
            order |= self._charge(order, card_token)
        return {name: order[name] for name in ("order_id", "status", "amount", "currency")}

    def _charge(self, order: dict[str, Any], card_token: str) -> dict[str, Any]:
        try:
            payment = self._payment.post(
                "/charges",
                {
                    "order_id": order["order_id"],
                    "amount": order["amount"],
                    "currency": order["currency"],
                    "card_token": card_token,
                    "idempotency_key": order["idempotency_key"],
                },
            )
        except ProblemError:
            # The order stays open: with the same idempotency key the customer may try again.
            self._store.set_status(order["order_id"], "payment_failed")
            raise
        status = "paid" if payment["status"] == "paid" else "payment_pending"
        self._store.set_status(order["order_id"], status)
        self._store.empty_cart(order["session_id"])
        logger.info("Order %s is %s: %d %s", order["order_id"], status, order["amount"], order["currency"])
        return {"status": status}

    def settled(self, order_id: str) -> dict[str, Any]:
        """Return the order with its items and payments; what payment has settled meanwhile is taken over."""
        order = self._store.read_order(order_id)
        if order is None:
            raise ProblemError(404, "Not Found", f"there is no order {order_id}")
        payments = self._payment.get("/payments", params={"order_id": order_id})["payments"]
        if order["status"] != "paid":
            order["status"] = self._take_over(order, {payment["status"] for payment in payments})
        del order["session_id"], order["idempotency_key"]
        return {**order, "payments": payments}

    def _take_over(self, order: dict[str, Any], settled: set[str]) -> str:
        """Set the order's status after what became of its payments, and return it."""
        status: str = order["status"]
        if "paid" in settled:
            status = "paid"
            self._store.empty_cart(order["session_id"])
        elif settled == {"failed"}:
            status = "payment_failed"
        if status != order["status"]:
            self._store.set_status(order["order_id"], status)
        return status
