"""Carts and orders as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError

from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CURRENCY = "EUR"

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
_orders = Table(
    "orders",
    tables,
    Column("order_id", String, primary_key=True),
    Column("session_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String, nullable=False),
)
_order_items = Table(
    "order_items",
    tables,
    Column("order_id", String, primary_key=True),
    Column("product_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("unit_price", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
)


class OrderStore:
    """The tables of carts and orders; every method is one short transaction."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    def read_cart(self, session_id: str) -> dict[str, Any]:
        """Return the cart with its items and amount; an unknown session has an empty one."""
        with self._database.connect() as connection:
            items = _items_of_cart(connection, session_id)
        return {"items": items, "amount": _amount(items), "currency": CURRENCY}

    def add_item(self, session_id: str, product: dict[str, Any], quantity: int) -> None:
        """Put a product into the cart; the same product again adds to its quantity."""
        row = upsert(_cart_items).values(
            session_id=session_id,
            product_id=product["product_id"],
            name=product["name"],
            unit_price=product["price"],
            quantity=quantity,
        )
        more = row.on_conflict_do_update(
            index_elements=["session_id", "product_id"],
            set_={"quantity": _cart_items.c.quantity + row.excluded.quantity},
        )
        with self._database.begin() as connection:
            connection.execute(more)

    def empty_cart(self, session_id: str) -> None:
        """Remove everything from the cart."""
        with self._database.begin() as connection:
            connection.execute(delete(_cart_items).where(_cart_items.c.session_id == session_id))

    def find_by_key(self, idempotency_key: str) -> dict[str, Any] | None:
        """Return the order of an earlier attempt with this key."""
        query = select(_orders).where(_orders.c.idempotency_key == idempotency_key)
        with self._database.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return dict(row) if row else None

    def create_order(self, *, order_id: str, session_id: str, user_id: str, idempotency_key: str) -> dict[str, Any]:
        """Make an order of the cart; a concurrent attempt with the same key gets the one order."""
        try:
            with self._database.begin() as connection:
                items = _items_of_cart(connection, session_id)
                if not items:
                    raise ProblemError(409, "Conflict", "the cart is empty")
                order = {
                    "order_id": order_id,
                    "session_id": session_id,
                    "user_id": user_id,
                    "idempotency_key": idempotency_key,
                    "status": "created",
                    "amount": _amount(items),
                    "currency": CURRENCY,
                }
                connection.execute(insert(_orders).values(order))
                connection.execute(insert(_order_items), [{"order_id": order_id, **item} for item in items])
        except IntegrityError:
            earlier = self.find_by_key(idempotency_key)
            if earlier is None:
                raise
            return earlier
        return order

    def set_status(self, order_id: str, status: str) -> None:
        """Set the order's status; a paid order stays paid."""
        change = update(_orders).where(_orders.c.order_id == order_id, _orders.c.status != "paid")
        with self._database.begin() as connection:
            connection.execute(change.values(status=status))

    def read_order(self, order_id: str) -> dict[str, Any] | None:
        """Return the order with its items."""
        items = select(_order_items).where(_order_items.c.order_id == order_id)
        with self._database.connect() as connection:
            order = connection.execute(select(_orders).where(_orders.c.order_id == order_id)).mappings().one_or_none()
            if order is None:
                return None
            rows = connection.execute(items).mappings().all()
        return {
            **order,
            "items": [{name: value for name, value in row.items() if name != "order_id"} for row in rows],
        }


def _items_of_cart(connection: Connection, session_id: str) -> list[dict[str, Any]]:
    columns = [column for column in _cart_items.c if column.name != "session_id"]
    query = select(*columns).where(_cart_items.c.session_id == session_id).order_by(_cart_items.c.product_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _amount(items: list[dict[str, Any]]) -> int:
    return sum(item["unit_price"] * item["quantity"] for item in items)
