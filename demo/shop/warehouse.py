"""The warehouse's own database, asked for what is in stock right now: never kept, and slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from demo.shop.database import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData

    from demo.shop.policies import CataloguePolicy

POOL_TIMEOUT_S: Final = 2.0


class Warehouse:
    """Counts what is in stock.

    Parameters
    ----------
    policy : CataloguePolicy
        How many may ask at once, and how long an answer takes.
    tables : MetaData
        The catalogue's tables, of which the warehouse keeps ``products``.
    """

    def __init__(self, policy: CataloguePolicy, tables: MetaData) -> None:
        self._products = tables.tables["products"]
        self._database: Engine = open_database(
            "warehouse",
            tables,
            file="catalogue",
            pool_size=policy.warehouse_connections,
            pool_timeout_s=POOL_TIMEOUT_S,
            statement_latency_ms=policy.warehouse_latency_ms,
        )

    def count(self, product_id: str) -> int:
        """Return how many of a product there are."""
        query = select(self._products.c.stock).where(self._products.c.product_id == product_id)
        with self._database.connect() as connection:
            stock: int = connection.execute(query).scalar_one()
        return stock
