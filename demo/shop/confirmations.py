"""Confirmations: one worker confirms orders in the order in which they were placed, and tells the customer."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace

from demo.shop.problems import ProblemError
from demo.shop.queues import observe_queue

if TYPE_CHECKING:
    from demo.shop.policies import OrdersPolicy

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 12
PAUSE_S: Final = 0.25
LONGEST_WAIT_S: Final = 0.7
_ENCODINGS: Final = {"latin_1": "latin-1", "utf_8": "utf-8"}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What is confirmed, and what the customer wants to have said."""

    order_id: str
    gift_note: str


class Confirmations:
    """A queue of orders to confirm and its one worker.

    What the worker cannot confirm it tries again, twelve times in three seconds, before it is set aside: order must
    be kept, so whoever comes behind waits meanwhile.

    Parameters
    ----------
    policy : OrdersPolicy
    """

    def __init__(self, policy: OrdersPolicy) -> None:
        self._encoding = _ENCODINGS.get(policy.confirmation, "")
        self._waiting: queue.SimpleQueue[Confirmation] = queue.SimpleQueue()
        self._unconfirmed: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._pause = threading.Event()
        if self._encoding:
            observe_queue("orders.confirmation", self._waiting.qsize)
            threading.Thread(target=self._work, name="confirmation", daemon=True).start()

    def add(self, order_id: str, gift_note: str) -> None:
        """Have an order confirmed; once, however often it is asked for meanwhile."""
        if not self._encoding:
            return
        with self._lock:
            if order_id in self._unconfirmed:
                return
            self._unconfirmed[order_id] = threading.Event()
        self._waiting.put(Confirmation(order_id, gift_note))

    def wait(self, order_id: str) -> None:
        """Wait until an order is confirmed; 504 where that takes too long.

        What another process confirmed, or one that has ended, counts as confirmed.
        """
        with self._lock:
            confirmed = self._unconfirmed.get(order_id)
        if confirmed and not confirmed.wait(LONGEST_WAIT_S):
            raise ProblemError(504, "Gateway Timeout", f"order {order_id} waits for its confirmation")

    def _work(self) -> None:
        while True:
            confirmation = self._waiting.get()
            for attempt in range(1, ATTEMPTS + 1):
                if self._try(confirmation, attempt):
                    break
                self._pause.wait(PAUSE_S)
            else:
                logger.error("Order %s is set aside after %d attempts", confirmation.order_id, ATTEMPTS)

    def _try(self, confirmation: Confirmation, attempt: int) -> bool:
        tracer = trace.get_tracer(__name__)
        try:
            with tracer.start_as_current_span("confirm order") as span:
                span.set_attributes({"shop.order.id": confirmation.order_id, "shop.attempt": attempt})
                message = f"Thank you for your order {confirmation.order_id}.\n{confirmation.gift_note}"
                size_bytes = len(message.encode(self._encoding))
        except UnicodeEncodeError:
            logger.exception("Order %s could not be confirmed, attempt %d", confirmation.order_id, attempt)
            return False
        logger.debug("Order %s is confirmed with %d bytes", confirmation.order_id, size_bytes)
        with self._lock:
            self._unconfirmed.pop(confirmation.order_id).set()
        return True
