"""The payment service: charges cards through the external processor, and knows the instalment offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, jsonify, request

from demo.shop.charging import choose_charging
from demo.shop.database import open_database
from demo.shop.payment_store import Charge, offers_for_price, payments_of_order, tables, write_offers
from demo.shop.policies import read_payment_policy
from demo.shop.problems import ProblemError
from demo.shop.processor import NAME as PROCESSOR
from demo.shop.processor import CardProcessor
from demo.shop.requests import json_object, text, whole_number
from demo.shop.settlement import Settlement

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from demo.shop.settings import ServiceSettings

# Far more than the pool: a full pool shows as requests that wait for a connection, not as requests never begun.
THREADS = 96
POOL_SIZE = 10
POOL_TIMEOUT_S = 5.0
MOST_CENTS = 10_000_000


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service as its build's policy says."""
    policy = read_payment_policy(settings.policy)
    database = open_database("payment", tables, pool_size=POOL_SIZE, pool_timeout_s=POOL_TIMEOUT_S)
    write_offers(database)
    processor = CardProcessor(settings.dependencies[PROCESSOR], policy)
    settlement = Settlement(database, processor) if policy.when_unreachable == "settle_later" else None
    if settlement:
        settlement.start()
    charging = choose_charging(policy, database, processor, settlement)
    app = Flask(settings.service)

    @app.post("/charges")
    def charge() -> ResponseReturnValue:
        body = json_object()
        asked = Charge(
            idempotency_key=text(body, "idempotency_key"),
            order_id=text(body, "order_id"),
            amount=whole_number(body, "amount", least=1, most=MOST_CENTS),
            currency=text(body, "currency"),
            payment_method=text(body, "payment_method"),
            card_token=text(body, "card_token"),
        )
        status = charging.charge(asked)
        return jsonify({"order_id": asked.order_id, "status": status}), 201 if status == "paid" else 202

    @app.get("/payments")
    def list_payments() -> ResponseReturnValue:
        with database.connect() as connection:
            return jsonify({"payments": payments_of_order(connection, request.args.get("order_id", ""))})

    @app.get("/offers/<int:price>")
    def list_offers(price: int) -> ResponseReturnValue:
        with database.connect() as connection:
            offers = offers_for_price(connection, price)
        if not offers:
            raise ProblemError(404, "Not Found", f"there are no offers for {price}")
        return jsonify({"price": price, "offers": offers})

    return app
