"""The gateway: the shop's public API. It knows the customer, asks the other services, and answers in JSON."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request
from opentelemetry import trace

from demo.shop.cache import CountingCache
from demo.shop.dependencies import Dependency, segment
from demo.shop.masking import masked_body
from demo.shop.policies import GatewayPolicy, read_policy
from demo.shop.problems import ProblemError
from demo.shop.quotes import Quotes
from demo.shop.requests import bearer_token, cart_line, json_object, objects, optional_text, text

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from demo.shop.settings import ServiceSettings

THREADS = 128
TIMEOUT_S = 20.0
AUTH_TIMEOUT_S = 5.0
SESSION_TTL_S = 60.0
LARGEST_CAPTURED_BYTES = 1_024
SHOWN_AT_HOME = 4
PAYMENT_METHODS = ("card", "wallet")
CONTRACT = Path(__file__).with_name("openapi.json")

Session = dict[str, Any]


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service."""
    auth = Dependency("auth", settings.dependencies["auth"], timeout_s=AUTH_TIMEOUT_S)
    catalogue = Dependency("catalogue", settings.dependencies["catalogue"], timeout_s=TIMEOUT_S)
    orders = Dependency("orders", settings.dependencies["orders"], timeout_s=TIMEOUT_S)
    customers = Customers(auth)
    app = Flask(settings.service)
    _capture_bodies(app)
    _serve_person(app, customers, auth, catalogue)
    _serve_products(app, customers, catalogue)
    _serve_cart(app, customers, orders)
    quotes = Quotes(orders, read_policy(GatewayPolicy, settings.policy))
    _serve_quotes(app, customers, quotes)
    _serve_orders(app, customers, orders, quotes)
    _serve_contract(app)
    return app


def _serve_person(app: Flask, customers: Customers, auth: Dependency, catalogue: Dependency) -> None:
    @app.post("/api/sessions")
    def start_session() -> ResponseReturnValue:
        session = auth.post("/sessions", json_object())
        customers.welcome(session)
        return jsonify({name: session[name] for name in ("session_id", "user_id", "token")}), 201

    @app.get("/api/home")
    def show_home() -> ResponseReturnValue:
        customers.recognise()
        preferences = auth.get("/preferences", token=bearer_token())
        shelf = catalogue.get("/products", params={"category": preferences["category"]})
        return jsonify({**preferences, "products": shelf["products"][:SHOWN_AT_HOME]})

    @app.put("/api/preferences")
    def save_preferences() -> ResponseReturnValue:
        customers.recognise()
        return jsonify(auth.put("/preferences", json_object(), token=bearer_token()))


def _serve_products(app: Flask, customers: Customers, catalogue: Dependency) -> None:
    @app.get("/api/products")
    def list_products() -> ResponseReturnValue:
        customers.recognise()
        return jsonify(catalogue.get("/products", params=request.args.to_dict()))

    @app.get("/api/search")
    def search() -> ResponseReturnValue:
        customers.recognise()
        return jsonify(catalogue.get("/search", params=request.args.to_dict()))

    @app.get("/api/products/<product_id>")
    def show_product(product_id: str) -> ResponseReturnValue:
        customers.recognise()
        return jsonify(catalogue.get(f"/products/{segment(product_id)}/page", params=request.args.to_dict()))

    @app.get("/api/products/<product_id>/availability")
    def show_availability(product_id: str) -> ResponseReturnValue:
        customers.recognise()
        return jsonify(catalogue.get(f"/products/{segment(product_id)}/availability"))


def _serve_cart(app: Flask, customers: Customers, orders: Dependency) -> None:
    def change(session: Session, what: str, body: dict[str, object]) -> dict[str, Any]:
        cart = orders.post(f"/carts/{session['session_id']}/{what}", body)
        customers.remember_cart(session, cart)
        return cart

    @app.get("/api/cart")
    def show_cart() -> ResponseReturnValue:
        session = customers.recognise()
        cart = orders.get(f"/carts/{session['session_id']}")
        customers.remember_cart(session, cart)
        return jsonify(cart)

    @app.post("/api/cart/items")
    def add_item() -> ResponseReturnValue:
        session = customers.recognise()
        return jsonify(change(session, "items", _read_line(json_object()))), 201

    @app.post("/api/cart/list")
    def add_list() -> ResponseReturnValue:
        session = customers.recognise()
        lines = [_read_line(item) for item in objects(json_object(), "items")]
        return jsonify(change(session, "list", {"items": lines})), 201

    @app.post("/api/cart/coupon")
    def apply_coupon() -> ResponseReturnValue:
        session = customers.recognise()
        return jsonify(change(session, "coupon", {"code": text(json_object(), "code")}))


def _serve_quotes(app: Flask, customers: Customers, quotes: Quotes) -> None:
    @app.post("/api/cart/quote")
    def quote_cart() -> ResponseReturnValue:
        session = customers.recognise()
        return jsonify(quotes.give(session["session_id"], country=text(json_object(), "country")))


def _serve_orders(app: Flask, customers: Customers, orders: Dependency, quotes: Quotes) -> None:
    @app.post("/api/orders")
    def place_order() -> ResponseReturnValue:
        session = customers.recognise()
        order = orders.post("/orders", _read_checkout(session) | quotes.given_to(session["session_id"]))
        return jsonify(order), 202 if order["status"] == "payment_pending" else 201

    @app.get("/api/orders/<order_id>")
    def show_order(order_id: str) -> ResponseReturnValue:
        session = customers.recognise()
        order = orders.get(f"/orders/{segment(order_id)}")
        if order.pop("user_id") != session["user_id"]:
            raise ProblemError(404, "Not Found", f"there is no order {order_id}")
        trace.get_current_span().set_attribute("shop.order.items", len(order["items"]))
        return jsonify(order)

    @app.get("/api/orders/<order_id>/confirmation")
    def show_confirmation(order_id: str) -> ResponseReturnValue:
        session = customers.recognise()
        confirmation = orders.get(f"/orders/{segment(order_id)}/confirmation")
        if confirmation.pop("user_id") != session["user_id"]:
            raise ProblemError(404, "Not Found", f"there is no order {order_id}")
        return jsonify(confirmation)


def _serve_contract(app: Flask) -> None:
    @app.get("/openapi.json")
    def show_contract() -> ResponseReturnValue:
        return Response(CONTRACT.read_bytes(), mimetype="application/json")


class Customers:
    """Who is asking: sessions verified by auth, kept for a minute, and written on the request's span."""

    def __init__(self, auth: Dependency) -> None:
        self._auth = auth
        self._sessions: CountingCache[Session] = CountingCache(
            "gateway.sessions", max_items=10_000, ttl_s=SESSION_TTL_S
        )
        self._cart_values: CountingCache[int] = CountingCache("gateway.cart_values", max_items=10_000, ttl_s=900)

    def welcome(self, session: Session) -> None:
        """Take note of a session that has just begun."""
        self._sessions.put(_key(session["token"]), session)
        self._describe(session)

    def recognise(self) -> Session:
        """Return the session of the request's bearer token; 401 when there is none."""
        token = bearer_token()
        session = self._sessions.get_or_load(_key(token), lambda: self._auth.get("/sessions/current", token=token))
        self._describe(session)
        return session

    def remember_cart(self, session: Session, cart: dict[str, Any]) -> None:
        """Take note of what the cart is worth, also for the spans of later requests."""
        self._cart_values.put(session["session_id"], cart["amount"])
        trace.get_current_span().set_attribute("shop.cart.value", cart["amount"] / 100)

    def _describe(self, session: Session) -> None:
        cart_cents = self._cart_values.get(session["session_id"]) or 0
        trace.get_current_span().set_attributes(
            {
                "session.id": session["session_id"],
                "user.id": session["user_id"],
                "shop.account.age_days": session["account_age_days"],
                "shop.previous_orders": session["previous_orders"],
                "shop.region": session["locale"].partition("-")[2],
                "shop.cart.value": cart_cents / 100,
            }
        )


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read_line(body: dict[str, Any]) -> dict[str, object]:
    product_id, quantity = cart_line(body)
    return {"product_id": product_id, "quantity": quantity}


def _read_checkout(session: Session) -> dict[str, object]:
    body = json_object()
    method = body.get("payment_method")
    if method not in PAYMENT_METHODS:
        raise ProblemError(
            422, "Unprocessable Content", f"`payment_method` has to be one of {', '.join(PAYMENT_METHODS)}"
        )
    if not isinstance(body.get("shipping"), dict):
        raise ProblemError(422, "Unprocessable Content", "`shipping` has to be an object")
    return {
        "session_id": session["session_id"],
        "user_id": session["user_id"],
        "card_token": text(body, "card_token"),
        "idempotency_key": text(body, "idempotency_key"),
        "shipping": body["shipping"],
        "payment_method": method,
        "gift_note": optional_text(body, "gift_note"),
    }


def _capture_bodies(app: Flask) -> None:
    """Write JSON bodies on the request's span, secrets masked; answers only while they are short."""

    @app.before_request
    def capture_request() -> None:
        span = trace.get_current_span()
        if span.is_recording() and request.is_json:
            body = masked_body(request.get_data())
            if body is not None:
                span.set_attribute("http.request.body.content", body)

    @app.after_request
    def capture_response(response: Response) -> Response:
        span = trace.get_current_span()
        if span.is_recording() and response.is_json:
            raw = response.get_data()
            body = masked_body(raw) if len(raw) < LARGEST_CAPTURED_BYTES else None
            if body is not None:
                span.set_attribute("http.response.body.content", body)
        return response
