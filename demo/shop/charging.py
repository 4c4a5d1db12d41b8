"""How a charge is carried out: the strategies between which payment's builds choose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from demo.shop.payment_store import PaymentStatus, close_payment, find_status, open_payment
from demo.shop.problems import ProblemError
from demo.shop.processor import ProcessorUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from demo.shop.payment_store import Charge
    from demo.shop.policies import PaymentPolicy
    from demo.shop.processor import CardProcessor
    from demo.shop.settlement import Settlement

logger = logging.getLogger(__name__)


class Charging(Protocol):
    """Carries out charges."""

    def charge(self, charge: Charge) -> PaymentStatus:
        """Carry out one and say what became of it; a ProblemError is raised when it failed."""


class HoldingCharging:
    """Look, charge and write in one transaction.

    It reads well and it is wrong: the connection is held for as long as the card processor takes to answer, so the
    pool is only as healthy as somebody else's service.
    """

    def __init__(self, database: Engine, processor: CardProcessor) -> None:
        self._database = database
        self._processor = processor

    def charge(self, charge: Charge) -> PaymentStatus:
        """See ``Charging``."""
        with self._database.begin() as connection:
            if find_status(connection, charge.idempotency_key) == "paid":
                return "paid"
            try:
                charge_id = self._processor.charge(charge)
            except ProcessorUnavailableError as error:
                raise ProblemError(502, "Bad Gateway", str(error)) from error
            open_payment(connection, charge)
            close_payment(connection, charge.idempotency_key, "paid", charge_id=charge_id)
            return "paid"


class ReleasingCharging:
    """Write the payment down, let the connection go, charge, write what became of it.

    Parameters
    ----------
    database : Engine
    processor : CardProcessor
    settlement : Settlement or None
        Takes the charges that got no answer; without one they fail.
    """

    def __init__(self, database: Engine, processor: CardProcessor, settlement: Settlement | None) -> None:
        self._database = database
        self._processor = processor
        self._settlement = settlement

    def charge(self, charge: Charge) -> PaymentStatus:
        """See ``Charging``."""
        with self._database.begin() as connection:
            earlier = find_status(connection, charge.idempotency_key)
            if earlier is None:
                open_payment(connection, charge)
            elif earlier == "failed":
                close_payment(connection, charge.idempotency_key, "pending")
        if earlier == "paid" or (earlier == "pending" and self._settlement):
            return earlier
        try:
            charge_id = self._processor.charge(charge)
        except ProcessorUnavailableError as error:
            return self._without_answer(charge, error)
        except ProblemError:
            self._close(charge, "failed")
            raise
        self._close(charge, "paid", charge_id)
        return "paid"

    def _without_answer(self, charge: Charge, error: ProcessorUnavailableError) -> PaymentStatus:
        if self._settlement is None:
            self._close(charge, "failed")
            raise ProblemError(502, "Bad Gateway", str(error)) from error
        logger.warning("Payment of order %s is kept as pending: %s", charge.order_id, error)
        self._settlement.add(charge)
        return "pending"

    def _close(self, charge: Charge, status: PaymentStatus, charge_id: str | None = None) -> None:
        with self._database.begin() as connection:
            close_payment(connection, charge.idempotency_key, status, charge_id=charge_id)


def choose_charging(
    policy: PaymentPolicy, database: Engine, processor: CardProcessor, settlement: Settlement | None
) -> Charging:
    """Return the strategy that a build's policy asks for."""
    if policy.connection_during_charge == "held":
        return HoldingCharging(database, processor)
    return ReleasingCharging(database, processor, settlement)
