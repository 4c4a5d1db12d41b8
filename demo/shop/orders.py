"""The orders service: carts, and orders that are paid through the payment service.

An order's life: ``created`` → ``paid``, or ``payment_pending`` (payment took the order and will settle it) → ``paid``,
or ``payment_failed``. Amounts are in cents.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request

from demo.shop.carriers import Dispatch
from demo.shop.confirmations import Confirmations
from demo.shop.database import open_database
from demo.shop.dependencies import Dependency
from demo.shop.orders_store import OrderStore, tables
from demo.shop.policies import OrdersPolicy, read_policy
from demo.shop.price_lists import PriceLists
from demo.shop.problems import ProblemError
from demo.shop.requests import cart_line, json_object, objects, optional_text, text

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from demo.shop.settings import ServiceSettings

THREADS = 64
PAYMENT_TIMEOUT_S = 25.0
CATALOGUE_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class CartOwnershipError(Exception):
    """The quoted cart is somebody else's."""


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service."""
    policy = read_policy(OrdersPolicy, settings.policy)
    database = open_database(
        "orders",
        tables,
        pool_size=policy.pool_size,
        pool_timeout_s=policy.pool_timeout_s,
        statement_latency_ms=policy.statement_latency_ms,
    )
    store = OrderStore(database, policy)
    checkout = Checkout(store, Dependency("payment", settings.dependencies["payment"], timeout_s=PAYMENT_TIMEOUT_S))
    catalogue = Dependency("catalogue", settings.dependencies["catalogue"], timeout_s=CATALOGUE_TIMEOUT_S)
    app = Flask(settings.service)
    _serve_carts(app, store, PriceLists(catalogue, policy))
    _serve_orders(app, checkout, Dispatch(policy), Confirmations(policy))
    return app


def _serve_orders(app: Flask, checkout: Checkout, dispatch: Dispatch, confirmations: Confirmations) -> None:
    @app.post("/orders")
    def place_order() -> ResponseReturnValue:
        body = json_object()
        session_id = text(body, "session_id")
        dispatch.require_carrier(body.get("shipping", {}))
        _require_own_cart(session_id, optional_text(body, "quoted_cart_id"))
        order = checkout.place(
            session_id=session_id,
            user_id=text(body, "user_id"),
            payment_method=optional_text(body, "payment_method") or "card",
            card_token=text(body, "card_token"),
            idempotency_key=text(body, "idempotency_key"),
        )
        confirmations.add(order["order_id"], optional_text(body, "gift_note"))
        return jsonify(order), 202 if order["status"] == "payment_pending" else 201

    @app.get("/orders/<order_id>")
    def show_order(order_id: str) -> ResponseReturnValue:
        return jsonify(checkout.settled(order_id))

    @app.get("/orders/<order_id>/confirmation")
    def show_confirmation(order_id: str) -> ResponseReturnValue:
        order = checkout.find(order_id)
        confirmations.wait(order_id)
        return jsonify({"order_id": order_id, "user_id": order["user_id"], "status": "confirmed"})


def _serve_carts(app: Flask, store: OrderStore, prices: PriceLists) -> None:
    @app.get("/carts/<session_id>")
    def show_cart(session_id: str) -> ResponseReturnValue:
        return jsonify(store.read_cart(session_id))

    @app.get("/carts/<session_id>/quote")
    def quote_cart(session_id: str) -> ResponseReturnValue:
        cart = store.read_cart(session_id)
        quote = {"cart_id": _cart_id(session_id), "country": request.args.get("country", "")}
        return jsonify({**quote, "amount": cart["amount"], "currency": cart["currency"], "items": len(cart["items"])})

    @app.post("/carts/<session_id>/items")
    def add_item(session_id: str) -> ResponseReturnValue:
        store.add_items(session_id, dict([cart_line(json_object())]), prices.find)
        return jsonify(store.read_cart(session_id)), 201

    @app.post("/carts/<session_id>/list")
    def add_list(session_id: str) -> ResponseReturnValue:
        store.add_items(session_id, dict(cart_line(item) for item in objects(json_object(), "items")), prices.find)
        return jsonify(store.read_cart(session_id)), 201

    @app.post("/carts/<session_id>/coupon")
    def apply_coupon(session_id: str) -> ResponseReturnValue:
        store.apply_coupon(session_id, text(json_object(), "code"))
        return jsonify(store.read_cart(session_id))


def _cart_id(session_id: str) -> str:
    return f"crt_{hashlib.sha256(session_id.encode()).hexdigest()[:12]}"


def _require_own_cart(session_id: str, quoted_cart_id: str) -> None:
    """See that the cart a customer was quoted is the one that is paid."""
    own = _cart_id(session_id)
    if quoted_cart_id not in {"", own}:
        raise CartOwnershipError(f"the quoted cart {quoted_cart_id} is not the session's, which is {own}")


class Checkout:
    """Turns a cart into an order and has it paid, once, however often the customer asks."""

    def __init__(self, store: OrderStore, payment: Dependency) -> None:
        self._store = store
        self._payment = payment

    def place(
        self, *, session_id: str, user_id: str, payment_method: str, card_token: str, idempotency_key: str
    ) -> dict[str, Any]:
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
            order |= self._charge(order, payment_method, card_token)
        return {name: order[name] for name in ("order_id", "status", "amount", "currency")}

    def _charge(self, order: dict[str, Any], payment_method: str, card_token: str) -> dict[str, Any]:
        try:
            payment = self._payment.post(
                "/charges",
                {
                    "order_id": order["order_id"],
                    "amount": order["amount"],
                    "currency": order["currency"],
                    "payment_method": payment_method,
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

    def find(self, order_id: str) -> dict[str, Any]:
        """Return the order with its items; 404 when there is none."""
        order = self._store.read_order(order_id)
        if order is None:
            raise ProblemError(404, "Not Found", f"there is no order {order_id}")
        return order

    def settled(self, order_id: str) -> dict[str, Any]:
        """Return the order with its items and payments; what payment has settled meanwhile is taken over."""
        order = self.find(order_id)
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
