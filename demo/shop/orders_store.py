"""Carts and orders as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from demo.shop import carts, coupons, order_items, refusals
from demo.shop.carts import amount_of, choose_carts
from demo.shop.coupons import Coupons
from demo.shop.order_items import read_items, write_items
from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine

    from demo.shop.carts import FindProducts
    from demo.shop.policies import OrdersPolicy

CURRENCY = "EUR"

tables = MetaData()
for _part in (carts.tables, coupons.tables, order_items.tables, refusals.tables):
    for _table in _part.tables.values():
        _table.to_metadata(tables)
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


class CartIntegrityError(Exception):
    """A cart's amount is not what its lines cost: nobody can say what the customer wants."""


class OrderStore:
    """The tables of carts and orders; every method is one short transaction, but adding to a cart kept as a document.

    Parameters
    ----------
    database : Engine
    policy : OrdersPolicy
    """

    def __init__(self, database: Engine, policy: OrdersPolicy) -> None:
        self._database = database
        self._policy = policy
        self._carts = choose_carts(policy, database)
        self._coupons = Coupons(database, policy)

    def read_cart(self, session_id: str) -> dict[str, Any]:
        """Return the cart with its items and amount; an unknown session has an empty one."""
        with self._database.connect() as connection:
            return self._read_cart(connection, session_id)

    def add_items(self, session_id: str, wanted: Mapping[str, int], find_products: FindProducts) -> None:
        """Put products (quantity by id) into the cart; the same product again adds to its quantity."""
        self._carts.add(session_id, wanted, find_products)

    def apply_coupon(self, session_id: str, code: str) -> None:
        """Give the cart a coupon."""
        self._coupons.apply(session_id, code)

    def empty_cart(self, session_id: str) -> None:
        """Remove everything from the cart."""
        self._carts.empty(session_id)
        self._coupons.remove(session_id)

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
                cart = self._read_cart(connection, session_id)
                if not cart["items"]:
                    raise ProblemError(409, "Conflict", "the cart is empty")
                _require_sound(cart)
                order = {
                    "order_id": order_id,
                    "session_id": session_id,
                    "user_id": user_id,
                    "idempotency_key": idempotency_key,
                    "status": "created",
                    "amount": cart["amount"],
                    "currency": CURRENCY,
                }
                connection.execute(insert(_orders).values(order))
                write_items(connection, order_id, cart["items"], with_shipments=self._policy.shipments != "hidden")
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
        with self._database.connect() as connection:
            order = connection.execute(select(_orders).where(_orders.c.order_id == order_id)).mappings().one_or_none()
            if order is None:
                return None
            return {**order, "items": read_items(connection, order_id, self._policy.shipments)}

    def _read_cart(self, connection: Connection, session_id: str) -> dict[str, Any]:
        items, amount = self._carts.read(connection, session_id)
        cart: dict[str, Any] = {"items": items, "amount": amount, "currency": CURRENCY}
        coupon = self._coupons.find(connection, session_id)
        if coupon:
            code, percent = coupon
            discount = amount * percent // 100
            cart |= {"amount": amount - discount, "coupon": code, "discount": discount}
        return cart


def _require_sound(cart: dict[str, Any]) -> None:
    total, lines = cart["amount"] + cart.get("discount", 0), amount_of(cart["items"])
    if total != lines:
        raise CartIntegrityError(f"the cart's total of {total} is not the {lines} of its lines")
