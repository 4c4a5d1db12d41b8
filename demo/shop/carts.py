"""How carts are kept: a row a line, or all lines in one document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Update

    from demo.shop.policies import OrdersPolicy

    Item = dict[str, Any]
    FindProducts = Callable[[Sequence[str]], list[dict[str, Any]]]

ATTEMPTS: Final = 50

tables = MetaData()
_cart_items = Table(
    "cart_items",
    tables,
    Column("session_id", String, primary_key=True),
    Column("product_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("unit_price", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
)
_cart_documents = Table(
    "cart_documents",
    tables,
    Column("session_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("lines", String, nullable=False),
)


class Carts(Protocol):
    """Keeps carts."""

    def read(self, connection: Connection, session_id: str) -> tuple[list[Item], int]:
        """Return the lines, by product, and the amount; an unknown session has an empty cart."""

    def add(self, session_id: str, wanted: Mapping[str, int], find_products: FindProducts) -> None:
        """Put products (quantity by id) into the cart; the same product again adds to its quantity."""

    def empty(self, session_id: str) -> None:
        """Remove everything from the cart."""


class RowCarts:
    """A row a line: the database adds up what comes at the same moment."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    def read(self, connection: Connection, session_id: str) -> tuple[list[Item], int]:
        """See ``Carts``."""
        columns = [column for column in _cart_items.c if column.name != "session_id"]
        query = select(*columns).where(_cart_items.c.session_id == session_id).order_by(_cart_items.c.product_id)
        items = [dict(row) for row in connection.execute(query).mappings()]
        return items, amount_of(items)

    def add(self, session_id: str, wanted: Mapping[str, int], find_products: FindProducts) -> None:
        """See ``Carts``."""
        lines = [_line(product, wanted[product["product_id"]]) for product in find_products(list(wanted))]
        row = upsert(_cart_items).values([{"session_id": session_id, **line} for line in lines])
        more = row.on_conflict_do_update(
            index_elements=["session_id", "product_id"],
            set_={"quantity": _cart_items.c.quantity + row.excluded.quantity},
        )
        with self._database.begin() as connection:
            connection.execute(more)

    def empty(self, session_id: str) -> None:
        """See ``Carts``."""
        with self._database.begin() as connection:
            connection.execute(delete(_cart_items).where(_cart_items.c.session_id == session_id))


class DocumentCarts:
    """All lines of a cart in one document: read, changed, written.

    Parameters
    ----------
    database : Engine
    checks_version : bool
        Whether a document is only written over the one that was read, and the change made again otherwise. Without
        it, of two changes at the same moment the later one forgets the lines of the other; the amount, which the
        database adds up, still counts both.
    """

    def __init__(self, database: Engine, *, checks_version: bool) -> None:
        self._database = database
        self._checks_version = checks_version

    def read(self, connection: Connection, session_id: str) -> tuple[list[Item], int]:
        """See ``Carts``."""
        query = select(_cart_documents).where(_cart_documents.c.session_id == session_id)
        row = connection.execute(query).mappings().one_or_none()
        return (json.loads(row["lines"]), row["amount"]) if row else ([], 0)

    def add(self, session_id: str, wanted: Mapping[str, int], find_products: FindProducts) -> None:
        """See ``Carts``."""
        for _attempt in range(ATTEMPTS):
            version, lines = self._open(session_id)
            added = [_line(product, wanted[product["product_id"]]) for product in find_products(list(wanted))]
            if self._write(session_id, version, _merged(lines, added), amount_of(added)):
                return
        raise ProblemError(503, "Service Unavailable", "the cart is being changed by somebody else")

    def empty(self, session_id: str) -> None:
        """See ``Carts``."""
        with self._database.begin() as connection:
            connection.execute(delete(_cart_documents).where(_cart_documents.c.session_id == session_id))

    def _open(self, session_id: str) -> tuple[int, list[Item]]:
        """Return version and lines of the cart, which is there from now on."""
        fresh = upsert(_cart_documents).values(session_id=session_id, version=0, amount=0, lines="[]")
        query = select(_cart_documents).where(_cart_documents.c.session_id == session_id)
        with self._database.begin() as connection:
            connection.execute(fresh.on_conflict_do_nothing())
            row = connection.execute(query).mappings().one()
        return row["version"], json.loads(row["lines"])

    def _write(self, session_id: str, version: int, lines: list[Item], added: int) -> bool:
        change: Update = update(_cart_documents).where(_cart_documents.c.session_id == session_id)
        if self._checks_version:
            change = change.where(_cart_documents.c.version == version)
        values = {"lines": json.dumps(lines), "version": version + 1, "amount": _cart_documents.c.amount + added}
        with self._database.begin() as connection:
            return connection.execute(change.values(values)).rowcount == 1


def choose_carts(policy: OrdersPolicy, database: Engine) -> Carts:
    """Return the way of keeping carts that a build's policy asks for."""
    if policy.cart == "rows":
        return RowCarts(database)
    return DocumentCarts(database, checks_version=policy.cart == "versioned_document")


def amount_of(items: list[Item]) -> int:
    """Return what the lines cost."""
    return sum(item["unit_price"] * item["quantity"] for item in items)


def _line(product: dict[str, Any], quantity: int) -> Item:
    return {
        "product_id": product["product_id"],
        "name": product["name"],
        "unit_price": product["price"],
        "quantity": quantity,
    }


def _merged(lines: list[Item], added: list[Item]) -> list[Item]:
    by_product = {line["product_id"]: line for line in lines}
    for line in added:
        earlier = by_product.get(line["product_id"])
        quantity = line["quantity"] + (earlier["quantity"] if earlier else 0)
        by_product[line["product_id"]] = {**line, "quantity": quantity}
    return [by_product[product_id] for product_id in sorted(by_product)]
