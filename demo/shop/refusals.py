"""Refused coupons: which codes customers tried that do not exist, for whoever makes the next ones."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, MetaData, String, Table, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from demo.shop.policies import OrdersPolicy

logger = logging.getLogger(__name__)

RECLAIMED_AFTER_S: Final = 5.0
LOOK_EVERY_S: Final = 0.25

tables = MetaData()
_refusals = Table("coupon_refusals", tables, Column("session_id", String, nullable=False), Column("code", String))


class Refusals:
    """Writes refused codes down.

    Connections that nobody gives back are closed after five seconds, as pools do that look for leaks.

    Parameters
    ----------
    database : Engine
    policy : OrdersPolicy
    """

    def __init__(self, database: Engine, policy: OrdersPolicy) -> None:
        self._database = database
        self._policy = policy
        self._lent: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()
        if policy.refused_coupons != "forgotten":
            threading.Thread(target=self._reclaim, name="connection-leaks", daemon=True).start()

    def note(self, session_id: str, code: str) -> None:
        """Write a refused code down, as a build's policy has it."""
        if self._policy.refused_coupons == "forgotten":
            return
        connection = self._lend()
        connection.execute(insert(_refusals).values(session_id=session_id, code=code))
        connection.commit()
        if self._policy.refused_coupons == "noted":
            self._give_back(connection)

    def _lend(self) -> Connection:
        connection = self._database.connect()
        with self._lock:
            self._lent.append((time.monotonic(), connection))
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            self._lent = [(lent_s, other) for lent_s, other in self._lent if other is not connection]
        connection.close()

    def _reclaim(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            until_s = time.monotonic() - RECLAIMED_AFTER_S
            with self._lock:
                abandoned = [connection for lent_s, connection in self._lent if lent_s <= until_s]
            for connection in abandoned:
                logger.warning("A connection was not given back for %.0f s and is closed", RECLAIMED_AFTER_S)
                self._give_back(connection)
