"""Settles pending payments in the background until each is paid."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from demo.shop.payment_store import close_payment, pending_charges
from demo.shop.problems import ProblemError
from demo.shop.processor import ProcessorUnavailableError
from demo.shop.queues import observe_queue

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from demo.shop.payment_store import Charge
    from demo.shop.processor import CardProcessor

logger = logging.getLogger(__name__)

WORKERS: Final = 4
PAUSE_S: Final = 0.4


class Settlement:
    """A queue of charges that got no answer, and the workers that try them again.

    The idempotency key makes a repeated charge harmless, so a worker need not know whether the first one arrived.
    What was pending when the process last stopped is taken up again on start.
    """

    def __init__(self, database: Engine, processor: CardProcessor) -> None:
        self._database = database
        self._processor = processor
        self._waiting: queue.SimpleQueue[Charge] = queue.SimpleQueue()
        observe_queue("payment.settlement", self._waiting.qsize)

    def start(self) -> None:
        """Take up what is pending and start the workers; they end with the process."""
        with self._database.connect() as connection:
            for charge in pending_charges(connection):
                self.add(charge)
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"settlement-{number}", daemon=True).start()

    def add(self, charge: Charge) -> None:
        """Have a charge settled later."""
        self._waiting.put(charge)

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            charge = self._waiting.get()
            try:
                self._settle(charge)
            except ProcessorUnavailableError:
                self.add(charge)
                pause.wait(PAUSE_S)
            except Exception:
                # The payment stays in the database as pending: a worker that dies of it would lose the others too.
                logger.exception("Payment of order %s could not be settled; it will be tried again", charge.order_id)
                self.add(charge)
                pause.wait(PAUSE_S)

    def _settle(self, charge: Charge) -> None:
        try:
            charge_id = self._processor.charge(charge)
        except ProblemError as refusal:
            logger.warning("Payment of order %s was refused: %s", charge.order_id, refusal)
            with self._database.begin() as connection:
                close_payment(connection, charge.idempotency_key, "failed")
            return
        with self._database.begin() as connection:
            close_payment(connection, charge.idempotency_key, "paid", charge_id=charge_id)
        logger.info("Payment of order %s is settled", charge.order_id)
