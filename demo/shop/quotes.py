"""Quotes: what a cart costs with its delivery, as a customer is shown it before paying."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from cachetools import TTLCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.shop.dependencies import Dependency
    from demo.shop.policies import GatewayPolicy

KEPT_S: Final = 4.0
REMEMBERED_S: Final = 900.0
_MOST: Final = 10_000

Quote = dict[str, Any]


class Quotes:
    """Asks for quotes, keeps them for a moment, and remembers which quote a session was shown.

    Parameters
    ----------
    orders : Dependency
    policy : GatewayPolicy
        By what a quote is kept. By the country alone it is everybody's of that country: their cart, their amount.
    now_s : callable, optional
        A clock that never goes back.
    """

    def __init__(
        self, orders: Dependency, policy: GatewayPolicy, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._orders = orders
        self._policy = policy
        self._asking = threading.Lock()
        self._noting = threading.Lock()
        self._kept: TTLCache[str, Quote] = TTLCache(_MOST, KEPT_S, timer=now_s)
        self._shown: TTLCache[str, Quote] = TTLCache(_MOST, REMEMBERED_S, timer=now_s)

    def give(self, session_id: str, *, country: str) -> Quote:
        """Return the quote for a session's cart, delivered to a country."""
        quote = self._find(session_id, country)
        with self._noting:
            self._shown[session_id] = quote
        return quote

    def given_to(self, session_id: str) -> dict[str, object]:
        """Return the cart of the quote that a session was shown, as orders wants it; nothing where it saw none."""
        with self._noting:
            shown = self._shown.get(session_id)
        return {"quoted_cart_id": shown["cart_id"]} if shown else {}

    def _find(self, session_id: str, country: str) -> Quote:
        if self._policy.quotes == "uncached":
            return self._ask(session_id, country)
        key = country if self._policy.quotes == "kept_by_country" else f"{country} {session_id}"
        # Whoever comes meanwhile waits for the one who asks.
        with self._asking:
            quote = self._kept.get(key)
            if quote is None:
                self._kept[key] = quote = self._ask(session_id, country)
            return quote

    def _ask(self, session_id: str, country: str) -> Quote:
        return self._orders.get(f"/carts/{session_id}/quote", params={"country": country})
