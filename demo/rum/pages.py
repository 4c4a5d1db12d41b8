"""The shop's pages, how people go from one to the next, and how long they look at each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Page:
    """A kind of page.

    Attributes
    ----------
    name : str
    route : str
        Its path as a template; one slot at most.
    title : str
    think_s : float
        Median of how long it is looked at.
    load_ms : float
        Median of its load on a desktop in the nearest region.
    leaving : float
        Share of the views after which people leave, of themselves.
    """

    name: str
    route: str
    title: str
    think_s: float
    load_ms: float
    leaving: float


PAGES: Final = (
    Page("home", "/", "Home", 9, 900, 0.18),
    Page("search", "/search", "Search", 12, 1200, 0.165),
    Page("category", "/c/{category}", "Category", 15, 1100, 0.177),
    Page("product", "/product/{product}", "Product", 22, 1300, 0.206),
    Page("cart", "/cart", "Cart", 18, 800, 0.25),
    Page("checkout", "/checkout", "Checkout", 55, 1000, 0.18),
    Page("payment", "/payment", "Payment", 40, 1100, 0.12),
    Page("confirmation", "/confirmation", "Thank you", 12, 900, 0.75),
    Page("account", "/account", "Your account", 20, 900, 0.35),
    Page("help", "/help", "Help", 35, 700, 0.45),
)
HOME, SEARCH, CATEGORY, PRODUCT, CART, CHECKOUT, PAYMENT, CONFIRMATION, ACCOUNT, HELP = range(len(PAGES))
THINK_SIGMA: Final = 0.8
LOAD_SIGMA: Final = 0.42

CATEGORIES: Final = ("boots", "sandals", "trainers", "socks", "jackets", "bags", "hats", "sale")
SEARCHES: Final = (
    "boots", "rain jacket", "running shoes", "wool socks", "blue bag", "sandals 42", "hat", "kids boots",
    "leather boots", "trainers white", "sale", "gift card", "hiking", "laces", "umbrella", "scarf",
)  # fmt: skip
PRODUCTS: Final = 2400
FIRST_PRODUCT: Final = 1000
ZIPF_EXPONENT: Final = 0.9

# What a visitor came for; it decides how soon they reach the cart. On a page, all of them leave equally often (but who
# came for one look leaves the first page), and all stay on a kind of page equally often: so that how a session got to
# a page says nothing on whether it ends there, and every association with leaving that is not planted is chance.
INTENTS: Final = ("look", "browse", "buy")
LOOK, BROWSE, BUY = range(len(INTENTS))
LEAVING_AT_FIRST_LOOK: Final = 0.86
LEAVING_BY_DEVICE: Final = {"desktop": 1.0, "mobile": 1.12, "tablet": 1.05}
ENTRIES: Final = (0.38, 0.06, 0.20, 0.31, 0.01, 0.0, 0.0, 0.0, 0.02, 0.02)
_NEXT: Final[dict[int, dict[int, float]]] = {
    HOME: {SEARCH: 0.30, CATEGORY: 0.40, PRODUCT: 0.20, ACCOUNT: 0.05, HELP: 0.05},
    SEARCH: {SEARCH: 0.15, PRODUCT: 0.65, CATEGORY: 0.12, HOME: 0.08},
    CATEGORY: {CATEGORY: 0.20, PRODUCT: 0.65, SEARCH: 0.10, HOME: 0.05},
    PRODUCT: {PRODUCT: 0.25, CATEGORY: 0.33, SEARCH: 0.23, CART: 0.05, HOME: 0.14},
    CART: {CHECKOUT: 0.75, PRODUCT: 0.12, CATEGORY: 0.05, HOME: 0.08},
    CHECKOUT: {PAYMENT: 0.93, CART: 0.07},
    PAYMENT: {CONFIRMATION: 0.95, CHECKOUT: 0.05},
    CONFIRMATION: {HOME: 0.5, ACCOUNT: 0.5},
    ACCOUNT: {HOME: 0.4, PRODUCT: 0.3, HELP: 0.2, CATEGORY: 0.1},
    HELP: {HOME: 0.5, ACCOUNT: 0.2, PRODUCT: 0.3},
}
_NEXT_OF_BUYERS: Final[dict[int, dict[int, float]]] = {
    PRODUCT: {PRODUCT: 0.25, CART: 0.28, CATEGORY: 0.22, SEARCH: 0.15, HOME: 0.10},
}


def transition_bounds() -> Floats:
    """Return the cumulated chances of the next page: ``[intent, page, next]``."""
    chances = np.zeros((len(INTENTS), len(PAGES), len(PAGES)))
    for intent in range(len(INTENTS)):
        rows = {**_NEXT, **_NEXT_OF_BUYERS} if intent == BUY else _NEXT
        for page, following in rows.items():
            for after, chance in following.items():
                chances[intent, page, after] = chance
    return np.cumsum(chances, axis=2)


def conversion_chances() -> Floats:
    """Return the chance that who goes on from a page buys, if nothing is planted: ``[device, intent, page]``.

    Devices are in the order of LEAVING_BY_DEVICE. A session is a Markov chain that ends at leaving or at the
    confirmation: the chances are the solution of its linear system.
    """
    bounds = transition_bounds()
    following = np.diff(bounds, axis=2, prepend=0)
    chances = np.zeros((len(LEAVING_BY_DEVICE), len(INTENTS), len(PAGES)))
    buys = following[:, :, CONFIRMATION]
    for device, factor in enumerate(LEAVING_BY_DEVICE.values()):
        stays = 1 - factor * np.array([page.leaving for page in PAGES])
        stays[CONFIRMATION] = 0
        for intent in range(len(INTENTS)):
            system = np.eye(len(PAGES)) - following[intent] * stays
            chances[device, intent] = np.linalg.solve(system, buys[intent])
    return chances


def product_bounds() -> Floats:
    """Return the cumulated chances of the products: Zipf's law."""
    weights = 1 / np.arange(1, PRODUCTS + 1) ** ZIPF_EXPONENT
    return np.cumsum(weights / weights.sum())
