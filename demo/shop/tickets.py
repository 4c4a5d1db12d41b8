"""Tickets: a short-lived permission to read what is personal, given at sign-in and renewed in use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Column, Float, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert as upsert

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from demo.shop.policies import AuthPolicy

tables = MetaData()
_tickets = Table(
    "tickets",
    tables,
    Column("session_id", String, primary_key=True),
    Column("valid_until_s", Float, nullable=False),
)


class TicketExpiredError(Exception):
    """The session's ticket is over."""


class Tickets:
    """The tickets of sessions.

    Parameters
    ----------
    database : Engine
    policy : AuthPolicy
        Whether a ticket that is over is renewed for a session that is not.
    now_s : callable, optional
        Seconds since the epoch: the tickets outlive the process.
    """

    def __init__(self, database: Engine, policy: AuthPolicy, *, now_s: Callable[[], float] = time.time) -> None:
        self._database = database
        self._policy = policy
        self._now_s = now_s

    def issue(self, session_id: str) -> None:
        """Give a session a ticket, in place of an earlier one."""
        if self._policy.tickets == "none":
            return
        row = upsert(_tickets).values(session_id=session_id, valid_until_s=self._now_s() + self._policy.ticket_life_s)
        renewed = row.on_conflict_do_update(
            index_elements=["session_id"], set_={"valid_until_s": row.excluded.valid_until_s}
        )
        with self._database.begin() as connection:
            connection.execute(renewed)

    def require(self, session_id: str) -> None:
        """See that a session has a ticket that is not over; a session from before there were tickets gets its first."""
        if self._policy.tickets == "none":
            return
        query = select(_tickets.c.valid_until_s).where(_tickets.c.session_id == session_id)
        with self._database.connect() as connection:
            until_s = connection.execute(query).scalar_one_or_none()
        if until_s is None:
            self.issue(session_id)
        elif until_s < self._now_s():
            if self._policy.tickets == "never_renewed":
                raise TicketExpiredError(f"the ticket was over {self._now_s() - until_s:.1f} s ago")
            self.issue(session_id)
