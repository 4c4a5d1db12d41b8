"""Payments and instalment offers as rows. A payment is known by its idempotency key: one key, one payment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, insert, select, update

from demo.shop.assortment import price_bands

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

PaymentStatus = Literal["pending", "paid", "failed"]

tables = MetaData()
_payments = Table(
    "payments",
    tables,
    Column("idempotency_key", String, primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("payment_method", String, nullable=False),
    Column("card_token", String, nullable=False),
    Column("status", String, nullable=False),
    Column("charge_id", String),
)
_offers = Table(
    "offers",
    tables,
    Column("price", Integer, primary_key=True),
    Column("months", Integer, primary_key=True),
    Column("monthly", Integer, nullable=False),
    Column("interest_rate", Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged, and to which card or wallet."""

    idempotency_key: str
    order_id: str
    amount: int
    currency: str
    payment_method: str
    card_token: str


def find_status(connection: Connection, idempotency_key: str) -> PaymentStatus | None:
    """Return the status of the payment with this key."""
    query = select(_payments.c.status).where(_payments.c.idempotency_key == idempotency_key)
    found: PaymentStatus | None = connection.execute(query).scalar_one_or_none()
    return found


def open_payment(connection: Connection, charge: Charge) -> None:
    """Write a pending payment unless there is one with this key."""
    row = insert(_payments).prefix_with("OR IGNORE")
    connection.execute(row.values(**asdict(charge), status="pending"))


def close_payment(
    connection: Connection, idempotency_key: str, status: PaymentStatus, *, charge_id: str | None = None
) -> None:
    """Set what became of a payment; a paid one stays paid."""
    change = update(_payments).where(_payments.c.idempotency_key == idempotency_key, _payments.c.status != "paid")
    connection.execute(change.values(status=status, charge_id=charge_id))


def pending_charges(connection: Connection) -> list[Charge]:
    """Return the charges that were never settled."""
    columns = [_payments.c[name] for name in Charge.__slots__]
    query = select(*columns).where(_payments.c.status == "pending")
    return [Charge(**row) for row in connection.execute(query).mappings()]


class MissingChargeError(Exception):
    """A payment is said to be paid, and no charge was made for it."""


def payments_of_order(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """Return the payments made for an order."""
    query = select(_payments.c.status, _payments.c.amount, _payments.c.currency, _payments.c.charge_id).where(
        _payments.c.order_id == order_id
    )
    payments = [dict(row) for row in connection.execute(query).mappings()]
    for payment in payments:
        if payment["status"] == "paid" and not payment["charge_id"]:
            raise MissingChargeError(f"order {order_id} is paid, and there is no charge of {payment['amount']}")
    return payments


def offers_for_price(connection: Connection, price: int) -> list[dict[str, Any]]:
    """Return the instalment offers for a price."""
    query = (
        select(_offers.c.months, _offers.c.monthly, _offers.c.interest_rate)
        .where(_offers.c.price == price)
        .order_by(_offers.c.months)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def write_offers(database: Engine) -> None:
    """Fill the table of offers."""
    rows = []
    for price in price_bands():
        for months, rate in ((3, 0.0), (6, 0.039), (12, 0.059)):
            monthly = round(price * (1 + rate * months / 12) / months)
            rows.append({"price": price, "months": months, "monthly": monthly, "interest_rate": rate})
    with database.begin() as connection:
        connection.execute(insert(_offers).prefix_with("OR IGNORE"), rows)
