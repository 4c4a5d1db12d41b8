"""Carriers: which one takes the orders of a shipping method. The one for ``express`` is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from demo.shop.policies import OrdersPolicy

# Days to the door, by the code that the carrier gave itself.
CARRIERS: Final = {"swift-express": 1, "royal-parcel": 3, "locker-net": 4}


class Dispatch:
    """Finds the carrier of an order.

    Parameters
    ----------
    policy : OrdersPolicy
        Its configuration is read as it is: a code that no carrier has is found by the first order for it.
    """

    def __init__(self, policy: OrdersPolicy) -> None:
        self._is_on = policy.delivery == "by_carrier"
        self._codes = {"standard": "royal-parcel", "pickup": "locker-net", "express": policy.express_carrier}

    def require_carrier(self, shipping: dict[str, Any]) -> None:
        """See that somebody takes the order: 422 for a method that there is not."""
        if not self._is_on:
            return
        method = shipping.get("method", "standard")
        if method not in self._codes:
            raise ProblemError(422, "Unprocessable Content", f"`method` has to be one of {', '.join(self._codes)}")
        _ = CARRIERS[self._codes[method]]
