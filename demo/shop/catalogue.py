"""The catalogue: products, search, and the product page with its instalment offers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from demo.shop.assortment import CATEGORIES, products
from demo.shop.cache import CountingCache
from demo.shop.database import open_database
from demo.shop.dependencies import Dependency
from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy import Engine, Select

    from demo.shop.settings import ServiceSettings

THREADS = 64
PAYMENT_TIMEOUT_S = 15.0
CACHE_TTL_S = 45.0

_tables = MetaData()
_products = Table(
    "products",
    _tables,
    Column("product_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("category", String, nullable=False, index=True),
    Column("price", Integer, nullable=False),
    Column("stock", Integer, nullable=False),
)


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service."""
    database = open_database("catalogue", _tables, pool_size=16, pool_timeout_s=5)
    _stock_shelves(database)
    payment = Dependency("payment", settings.dependencies["payment"], timeout_s=PAYMENT_TIMEOUT_S)
    shelf = Shelf(database)
    app = Flask(settings.service)

    @app.get("/products")
    def list_products() -> ResponseReturnValue:
        category = request.args.get("category", "")
        if category not in CATEGORIES:
            raise ProblemError(422, "Unprocessable Content", f"`category` has to be one of {', '.join(CATEGORIES)}")
        query = select(_products).where(_products.c.category == category).order_by(_products.c.product_id)
        return jsonify({"category": category, "products": shelf.find(f"category {category}", query)})

    @app.get("/search")
    def search() -> ResponseReturnValue:
        words = request.args.get("q", "").strip().lower()
        if not words:
            raise ProblemError(422, "Unprocessable Content", "`q` has to be a text")
        query = select(_products).where(_products.c.name.icontains(words, autoescape=True)).limit(12)
        return jsonify({"q": words, "products": shelf.find(f"search {words}", query)})

    @app.get("/products/<product_id>")
    def product(product_id: str) -> ResponseReturnValue:
        return jsonify(shelf.find_one(product_id))

    @app.get("/products/<product_id>/page")
    def product_page(product_id: str) -> ResponseReturnValue:
        shown = shelf.find_one(product_id)
        # Offers depend on today's interest rate, so they are asked for every time.
        offers = payment.get(f"/offers/{shown['price']}")
        return jsonify({**shown, "offers": offers["offers"]})

    return app


class Shelf:
    """The products as read from the database, kept for a short while."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._cache: CountingCache[list[dict[str, Any]]] = CountingCache(
            "catalogue.products", max_items=500, ttl_s=CACHE_TTL_S
        )

    def find(self, key: str, query: Select[Any]) -> list[dict[str, Any]]:
        """Return what `query` finds; `key` is what it is remembered by."""

        def load() -> list[dict[str, Any]]:
            with self._database.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        return self._cache.get_or_load(key, load)

    def find_one(self, product_id: str) -> dict[str, Any]:
        """Return a product; 404 when there is none."""
        query = select(_products).where(_products.c.product_id == product_id)
        found = self.find(f"product {product_id}", query)
        if not found:
            raise ProblemError(404, "Not Found", f"there is no product {product_id}")
        return found[0]


def _stock_shelves(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(insert(_products).prefix_with("OR IGNORE"), [asdict(product) for product in products()])
