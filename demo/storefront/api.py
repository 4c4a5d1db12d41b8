"""What the pages' scripts ask for, in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import jsonify, request, url_for

from demo.shop.assortment import COUPONS
from demo.shop.problems import ProblemError
from demo.shop.requests import cart_line, json_object, text, whole_number
from demo.storefront import shelves, visitor
from demo.storefront.baskets import MOST_OF_ONE

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

    from demo.storefront.baskets import Basket

OFFER: Final = "WELCOME10"


def serve_api(app: Flask) -> None:
    """Add the API to the application."""

    @app.get("/api/suggest")
    def suggest() -> ResponseReturnValue:
        found = shelves.suggest(request.args.get("q", ""))
        names = [{"name": product.name, "url": url_for("product", product_id=product.product_id)} for product in found]
        return jsonify({"suggestions": names})

    @app.get("/api/offer")
    def offer() -> ResponseReturnValue:
        return jsonify({"text": f"{OFFER} takes {COUPONS[OFFER]} per cent off your basket."})

    @app.get("/api/products/<product_id>/price")
    def price(product_id: str) -> ResponseReturnValue:
        product = shelves.by_id().get(product_id)
        if product is None:
            raise ProblemError(404, "Not Found", f"there is no product {product_id}")
        return jsonify({"amount": product.price / 100, "currency": "EUR"})

    @app.post("/api/cart/items")
    def add_item() -> ResponseReturnValue:
        product_id, quantity = cart_line(json_object())
        visitor.basket().add(product_id, quantity)
        return jsonify(_summary(visitor.basket())), 201

    @app.put("/api/cart/items/<product_id>")
    def put_item(product_id: str) -> ResponseReturnValue:
        visitor.basket().put(product_id, whole_number(json_object(), "quantity", least=0, most=MOST_OF_ONE))
        return jsonify(_summary(visitor.basket()))

    @app.post("/api/cart/coupon")
    def redeem() -> ResponseReturnValue:
        visitor.basket().redeem(text(json_object(), "code"))
        return jsonify(_summary(visitor.basket()))


def _summary(basket: Basket) -> dict[str, Any]:
    totals = basket.totals
    return {
        "count": basket.count,
        "coupon": basket.coupon,
        "lines": {line.product.product_id: line.amount_cents for line in basket.lines},
        "goods_cents": totals.goods_cents,
        "discount_cents": totals.discount_cents,
        "shipping_cents": totals.shipping_cents,
        "total_cents": totals.total_cents,
    }
