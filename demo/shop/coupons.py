"""Coupons: which there are, what a cart has of them, and which redemptions were counted."""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from demo.shop.assortment import COUPONS
from demo.shop.problems import ProblemError
from demo.shop.refusals import Refusals

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from demo.shop.policies import OrdersPolicy

_ENCODINGS: Final = {"keyed_ascii": "ascii", "keyed_utf8": "utf-8"}

tables = MetaData()
_cart_coupons = Table(
    "cart_coupons",
    tables,
    Column("session_id", String, primary_key=True),
    Column("code", String, nullable=False),
    Column("percent", Integer, nullable=False),
)
_redemptions = Table(
    "redemptions",
    tables,
    Column("redemption_key", String, primary_key=True),
    Column("code", String, nullable=False),
)


class Coupons:
    """The coupons of carts.

    Parameters
    ----------
    database : Engine
    policy : OrdersPolicy
    """

    def __init__(self, database: Engine, policy: OrdersPolicy) -> None:
        self._database = database
        self._policy = policy
        self._refusals = Refusals(database, policy)

    def apply(self, session_id: str, code: str) -> None:
        """Give the cart a coupon, in place of an earlier one; 404 when there is none of this code."""
        code = unicodedata.normalize("NFC", code).strip().upper()
        if self._policy.coupons == "off" or code not in COUPONS:
            self._refusals.note(session_id, code)
            raise ProblemError(404, "Not Found", f"there is no coupon {code}")
        row = upsert(_cart_coupons).values(session_id=session_id, code=code, percent=COUPONS[code])
        replaced = row.on_conflict_do_update(
            index_elements=["session_id"], set_={"code": row.excluded.code, "percent": row.excluded.percent}
        )
        counted = insert(_redemptions).prefix_with("OR IGNORE")
        key = self._redemption_key(session_id, code)
        with self._database.begin() as connection:
            connection.execute(replaced)
            connection.execute(counted.values(redemption_key=key, code=code))

    def find(self, connection: Connection, session_id: str) -> tuple[str, int] | None:
        """Return code and percentage of the cart's coupon."""
        if self._policy.coupons == "off":
            return None
        query = select(_cart_coupons.c.code, _cart_coupons.c.percent).where(_cart_coupons.c.session_id == session_id)
        row = connection.execute(query).one_or_none()
        return (row.code, row.percent) if row else None

    def remove(self, session_id: str) -> None:
        """Take the coupon out of the cart."""
        if self._policy.coupons != "off":
            with self._database.begin() as connection:
                connection.execute(delete(_cart_coupons).where(_cart_coupons.c.session_id == session_id))

    def _redemption_key(self, session_id: str, code: str) -> str:
        encoding = _ENCODINGS.get(self._policy.coupons)
        if encoding is None:
            return uuid.uuid4().hex
        return hashlib.sha256(f"{session_id}/{code}".encode(encoding)).hexdigest()[:32]
