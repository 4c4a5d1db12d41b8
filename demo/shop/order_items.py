"""The items of an order, with where each is: asked for one by one, or all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST_STATUS: Final = "packing"

tables = MetaData()
_order_items = Table(
    "order_items",
    tables,
    Column("order_id", String, primary_key=True),
    Column("product_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("unit_price", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
)
_shipments = Table(
    "shipments",
    tables,
    Column("order_id", String, primary_key=True),
    Column("product_id", String, primary_key=True),
    Column("status", String, nullable=False),
)
_shown = [column for column in _order_items.c if column.name != "order_id"]


def write_items(connection: Connection, order_id: str, items: list[dict[str, Any]], *, with_shipments: bool) -> None:
    """Write the items of a new order, and that each is being packed."""
    connection.execute(insert(_order_items), [{"order_id": order_id, **item} for item in items])
    if with_shipments:
        begun = [{"order_id": order_id, "product_id": item["product_id"], "status": FIRST_STATUS} for item in items]
        connection.execute(insert(_shipments), begun)


def read_items(
    connection: Connection, order_id: str, shipments: Literal["hidden", "per_item", "joined"]
) -> list[dict[str, Any]]:
    """Return the items of an order by product, as a build's policy has it."""
    if shipments == "per_item":
        return _read_one_by_one(connection, order_id)
    query = select(*_shown)
    if shipments == "joined":
        same = (_shipments.c.order_id == _order_items.c.order_id) & (
            _shipments.c.product_id == _order_items.c.product_id
        )
        status = func.coalesce(_shipments.c.status, FIRST_STATUS).label("shipment")
        query = select(*_shown, status).select_from(_order_items.outerjoin(_shipments, same))
    query = query.where(_order_items.c.order_id == order_id).order_by(_order_items.c.product_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _read_one_by_one(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """Ask for each item and for its shipment: right for one, and two statements more for each that follows."""
    ids = select(_order_items.c.product_id).where(_order_items.c.order_id == order_id)
    items = []
    for product_id in connection.execute(ids.order_by(_order_items.c.product_id)).scalars().all():
        item = select(*_shown).where(_order_items.c.order_id == order_id, _order_items.c.product_id == product_id)
        status = select(_shipments.c.status).where(
            _shipments.c.order_id == order_id, _shipments.c.product_id == product_id
        )
        row = dict(connection.execute(item).mappings().one())
        items.append({**row, "shipment": connection.execute(status).scalar_one_or_none() or FIRST_STATUS})
    return items
