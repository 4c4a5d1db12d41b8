"""The pages, rendered here; scripts make them livelier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import redirect, render_template, request, url_for

from demo.shop.problems import ProblemError
from demo.storefront import shelves, visitor

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

ADDRESS_FIELDS: Final = ("email", "name", "address", "city", "postcode", "country")
CARD_FIELDS: Final = ("card_name", "card_number", "card_expiry", "card_code")
# Where we send to, by the name customers read.
COUNTRIES: Final = {"DE": "Germany", "FR": "France", "GB": "United Kingdom", "NL": "Netherlands", "US": "United States"}
# The number with which issuers' test suites bring about a refusal.
REFUSED_CARD: Final = "4000000000000002"


def serve_pages(app: Flask) -> None:
    """Add the pages to the application."""
    _serve_shelves(app)
    _serve_checkout(app)
    _serve_payment(app)


def _serve_shelves(app: Flask) -> None:
    @app.get("/")
    def home() -> str:
        return render_template("home.html.j2", products=shelves.featured())

    @app.get("/search")
    def search() -> str:
        words = request.args.get("q", "").strip()
        return render_template("search.html.j2", words=words, products=shelves.search(words))

    @app.get("/category/<category>")
    def category(category: str) -> str:
        products = shelves.in_category(category)
        if not products:
            raise ProblemError(404, "Not Found", f"there is no category {category}")
        if request.args.get("sort") == "price":
            products = sorted(products, key=lambda product: product.price)
        return render_template("category.html.j2", category=category, products=products)

    @app.get("/product/<product_id>")
    def product(product_id: str) -> str:
        found = shelves.by_id().get(product_id)
        if found is None:
            raise ProblemError(404, "Not Found", f"there is no product {product_id}")
        return render_template(
            "product.html.j2",
            product=found,
            description=shelves.description(found),
            reviews=shelves.reviews(product_id),
            related=shelves.related(found),
        )

    @app.get("/cart")
    def cart() -> str:
        return render_template("cart.html.j2")


def _serve_checkout(app: Flask) -> None:
    @app.get("/checkout")
    def checkout() -> ResponseReturnValue:
        if not visitor.basket().quantities:
            return redirect(url_for("cart"))
        return render_template("checkout.html.j2", countries=COUNTRIES, given=visitor.basket().address or {})

    @app.post("/checkout")
    def keep_address() -> ResponseReturnValue:
        given = _form(ADDRESS_FIELDS)
        if not all(given.values()) or given["country"] not in COUNTRIES:
            refusal = "Please fill in every field."
            return render_template("checkout.html.j2", countries=COUNTRIES, given=given, refusal=refusal), 422
        visitor.basket().address = given
        return redirect(url_for("payment"), 303)


def _serve_payment(app: Flask) -> None:
    @app.get("/payment")
    def payment() -> ResponseReturnValue:
        if visitor.basket().address is None or not visitor.basket().quantities:
            return redirect(url_for("checkout"))
        return render_template("payment.html.j2")

    @app.post("/payment")
    def pay() -> ResponseReturnValue:
        card = _form(CARD_FIELDS)
        if not all(card.values()):
            return render_template("payment.html.j2", refusal="Please fill in every field."), 422
        if card["card_number"].replace(" ", "") == REFUSED_CARD:
            return render_template("payment.html.j2", refusal="Your bank has refused the card. Try another one."), 402
        order = visitor.basket().order()
        visitor.become_customer()
        return redirect(url_for("confirmation", order_id=order.order_id), 303)

    @app.get("/order/<order_id>/confirmation")
    def confirmation(order_id: str) -> str:
        order = visitor.basket().orders.get(order_id)
        if order is None:
            raise ProblemError(404, "Not Found", f"there is no order {order_id}")
        return render_template("confirmation.html.j2", order=order, address=visitor.basket().address)


def _form(fields: tuple[str, ...]) -> dict[str, str]:
    return {field: request.form.get(field, "").strip() for field in fields}
