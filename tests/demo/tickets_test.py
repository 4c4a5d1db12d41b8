from pathlib import Path

import pytest
from sqlalchemy import create_engine

from demo.shop.policies import AuthPolicy
from demo.shop.tickets import TicketExpiredError, Tickets, tables


def tickets(folder: Path, kind: str, clock: list[float]) -> Tickets:
    database = create_engine(f"sqlite:///{folder / 'tickets.db'}")
    tables.create_all(database)
    return Tickets(database, AuthPolicy(tickets=kind, ticket_life_s=6.0), now_s=lambda: clock[0])


def test_require_refuses_a_ticket_that_is_over(tmp_path: Path) -> None:
    clock = [100.0]
    never_renewed = tickets(tmp_path, "never_renewed", clock)
    never_renewed.issue("ses_1")

    clock[0] = 106.0
    never_renewed.require("ses_1")
    clock[0] = 107.5
    with pytest.raises(TicketExpiredError, match=r"the ticket was over 1\.5 s ago"):
        never_renewed.require("ses_1")


def test_require_renews_a_ticket_that_is_over(tmp_path: Path) -> None:
    clock = [100.0]
    renewed = tickets(tmp_path, "renewed", clock)
    renewed.issue("ses_1")

    clock[0] = 107.5
    renewed.require("ses_1")

    # Renewed until 113.5: who never renews finds the same row still good.
    clock[0] = 113.0
    tickets(tmp_path, "never_renewed", clock).require("ses_1")


def test_require_gives_a_session_from_before_its_first_ticket(tmp_path: Path) -> None:
    clock = [100.0]
    never_renewed = tickets(tmp_path, "never_renewed", clock)

    never_renewed.require("ses_old")

    clock[0] = 106.5
    with pytest.raises(TicketExpiredError, match=r"over 0\.5 s ago"):
        never_renewed.require("ses_old")
