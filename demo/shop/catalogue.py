"""The catalogue: products, search, and the product page with its instalment offers."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from demo.shop.assortment import CATEGORIES, POPULAR_SEARCHES, products
from demo.shop.cache import CoalescingCache, CountingCache
from demo.shop.database import open_database
from demo.shop.dependencies import Dependency
from demo.shop.policies import CataloguePolicy, read_policy
from demo.shop.problems import ProblemError
from demo.shop.taxes import TaxedPrices
from demo.shop.warehouse import Warehouse

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy import Engine, Select

    from demo.shop.cache import Cache
    from demo.shop.settings import ServiceSettings

THREADS = 64
PAYMENT_TIMEOUT_S = 15.0
CACHE_TTL_S = 45.0
SEARCH_POOL_SIZE = 2
SEARCH_POOL_TIMEOUT_S = 2.0

Products = list[dict[str, Any]]

logger = logging.getLogger(__name__)

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
    policy = read_policy(CataloguePolicy, settings.policy)
    searches = _open_searches(policy, shelf)
    taxed_prices = TaxedPrices(policy)
    app = Flask(settings.service)
    _serve_searches(app, searches)
    _serve_flag(app, taxed_prices)
    _serve_stock(app, shelf, Warehouse(policy, _tables))

    @app.get("/products")
    def list_products() -> ResponseReturnValue:
        category = request.args.get("category", "")
        if category not in CATEGORIES:
            raise ProblemError(422, "Unprocessable Content", f"`category` has to be one of {', '.join(CATEGORIES)}")
        query = select(_products).where(_products.c.category == category).order_by(_products.c.product_id)
        return jsonify({"category": category, "products": shelf.find(f"category {category}", query)})

    @app.get("/products/several")
    def several_products() -> ResponseReturnValue:
        wanted = request.args.get("ids", "").split(",")
        found = {product["product_id"]: product for product in shelf.find("all", select(_products))}
        missing = [product_id for product_id in wanted if product_id not in found]
        if missing:
            raise ProblemError(404, "Not Found", f"there is no product {missing[0]}")
        return jsonify({"products": [found[product_id] for product_id in wanted]})

    @app.get("/products/<product_id>")
    def product(product_id: str) -> ResponseReturnValue:
        return jsonify(shelf.find_one(product_id))

    @app.get("/products/<product_id>/page")
    def product_page(product_id: str) -> ResponseReturnValue:
        shown = shelf.find_one(product_id)
        # Offers depend on today's interest rate, so they are asked for every time.
        offers = payment.get(f"/offers/{shown['price']}")
        return jsonify({**taxed_prices.show(shown, request.args.get("region", "")), "offers": offers["offers"]})

    return app


def _serve_flag(app: Flask, taxed_prices: TaxedPrices) -> None:
    @app.put("/internal/flags/taxed-prices")
    def switch_taxed_prices() -> ResponseReturnValue:
        taxed_prices.switch(request.args.get("regions", ""))
        return jsonify({"flag": "taxed-prices", "regions": sorted(taxed_prices.regions)})


def _serve_stock(app: Flask, shelf: Shelf, warehouse: Warehouse) -> None:
    @app.get("/products/<product_id>/availability")
    def availability(product_id: str) -> ResponseReturnValue:
        shown = shelf.find_one(product_id)
        return jsonify({"product_id": product_id, "in_stock": warehouse.count(shown["product_id"])})


def _serve_searches(app: Flask, searches: Shelf) -> None:
    @app.get("/search")
    def search() -> ResponseReturnValue:
        words = request.args.get("q", "").strip().lower()
        if not words:
            raise ProblemError(422, "Unprocessable Content", "`q` has to be a text")
        return jsonify({"q": words, "products": searches.find(f"search {words}", _search(words))})

    @app.delete("/internal/cache")
    def flush_cache() -> ResponseReturnValue:
        flushed = searches.flush()
        logger.warning("The cache of searches was flushed: %d entries", flushed)
        return jsonify({"flushed": flushed})


class Shelf:
    """The products as read from the database, kept for a short while.

    Parameters
    ----------
    database : Engine
    cache : CountingCache or CoalescingCache, optional
        Where they are kept.
    """

    def __init__(self, database: Engine, cache: Cache[Products] | None = None) -> None:
        self._database = database
        self._cache = cache or CountingCache[Products]("catalogue.products", max_items=500, ttl_s=CACHE_TTL_S)

    def find(self, key: str, query: Select[Any]) -> Products:
        """Return what `query` finds; `key` is what it is remembered by."""
        return self._cache.get_or_load(key, lambda: _read(self._database, query))

    def remember(self, key: str, products: Products) -> None:
        """Keep what is known already."""
        self._cache.put(key, products)

    def flush(self) -> int:
        """Declare what is kept to be out of date; return how much it was."""
        return self._cache.flush()

    def find_one(self, product_id: str) -> dict[str, Any]:
        """Return a product; 404 when there is none."""
        query = select(_products).where(_products.c.product_id == product_id)
        found = self.find(f"product {product_id}", query)
        if not found:
            raise ProblemError(404, "Not Found", f"there is no product {product_id}")
        return found[0]


def _open_searches(policy: CataloguePolicy, shelf: Shelf) -> Shelf:
    """Return where searches are looked up, as a build's policy has it."""
    if policy.search == "shared":
        return shelf
    replica = open_database(
        "catalogue-search",
        _tables,
        file="catalogue",
        pool_size=SEARCH_POOL_SIZE,
        pool_timeout_s=SEARCH_POOL_TIMEOUT_S,
        statement_latency_ms=policy.search_latency_ms,
    )
    kind = CoalescingCache[Products] if policy.search == "replica_coalesced" else CountingCache[Products]
    searches = Shelf(replica, kind("catalogue.searches", max_items=500, ttl_s=CACHE_TTL_S))
    # Taken from the shelf, while nobody waits: a new instance begins with a warm cache.
    for words in POPULAR_SEARCHES:
        searches.remember(f"search {words}", shelf.find(f"search {words}", _search(words)))
    return searches


def _search(words: str) -> Select[Any]:
    return select(_products).where(_products.c.name.icontains(words, autoescape=True)).limit(12)


def _read(database: Engine, query: Select[Any]) -> Products:
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _stock_shelves(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(insert(_products).prefix_with("OR IGNORE"), [asdict(product) for product in products()])
