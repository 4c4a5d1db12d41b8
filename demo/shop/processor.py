"""Payment's client of the external card processor."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from demo.shop.breaker import BreakerOpenError, CircuitBreaker
from demo.shop.dependencies import Dependency
from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from demo.shop.payment_store import Charge
    from demo.shop.policies import PaymentPolicy

NAME = "card-processor"
ATTEMPTS = 3
PAUSE_S = 0.1


class ProcessorUnavailableError(Exception):
    """The card processor gave no answer: the charge may or may not have happened, and may be tried again."""


class CardProcessor:
    """Asks the card processor to charge a card; safe to repeat, thanks to the idempotency key."""

    def __init__(self, base_url: str, policy: PaymentPolicy) -> None:
        self._reads_receipts = policy.receipts == "read"
        self._dependency = Dependency(NAME, base_url, timeout_s=policy.processor_timeout_s)
        self._breaker = (
            CircuitBreaker(NAME, policy.breaker, failures=(ProcessorUnavailableError,)) if policy.breaker else None
        )

    def charge(self, charge: Charge) -> str:
        """Charge the card and return the processor's id of the charge.

        Raises
        ------
        ProcessorUnavailableError
            If it gave no answer, or was not asked since it keeps failing.
        ProblemError
            If it refused the card.
        """
        guard: AbstractContextManager[None] = self._breaker.guard() if self._breaker else nullcontext()
        try:
            with guard:
                return self._ask(charge)
        except BreakerOpenError as error:
            raise ProcessorUnavailableError(str(error)) from error

    def _ask(self, charge: Charge) -> str:
        """Ask until there is a receipt of a charge: a 200 may say that it is to be asked again."""
        for _attempt in range(ATTEMPTS):
            receipt = self._post(charge)
            if not self._reads_receipts or receipt["status"] == "approved":
                return str(receipt.get("charge_id", ""))
            time.sleep(PAUSE_S)
        raise ProcessorUnavailableError(str(receipt.get("error", "no charge was made")))

    def _post(self, charge: Charge) -> dict[str, Any]:
        try:
            return self._dependency.post(
                "/v1/charges",
                {
                    "amount": charge.amount,
                    "currency": charge.currency,
                    "method": charge.payment_method,
                    "card_token": charge.card_token,
                    "idempotency_key": charge.idempotency_key,
                },
            )
        except ProblemError as problem:
            if problem.status < 500:
                raise
            raise ProcessorUnavailableError(problem.detail or problem.title) from problem
