"""What customers plan to do: sessions drawn from a seed, complete with choices and think times.

A plan depends on nothing but the seed, the traffic's shape and the duration, so that two runs send the same requests.
Only what a customer does when the shop fails is decided while it happens (from the session's own seed).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from demo.shop.assortment import CATEGORIES, POPULAR_SEARCHES, Product, products
from demo.shop.preferences import CURRENCIES
from demo.traffic.population import Customer, draw_customer
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from demo.incidents.model import Traffic

Action = Literal[
    "home",
    "preferences",
    "category",
    "search",
    "product",
    "add",
    "add_twice",
    "list",
    "coupon",
    "cart",
    "checkout",
    "order",
    "guess",
    "quote",
    "local_product",
    "availability",
    "express_checkout",
    "gift_checkout",
    "wallet_checkout",
    "confirmation",
]

_QUICK: Final[tuple[Action, ...]] = ("product", "add", "checkout")

SESSION_KINDS: Final[dict[str, tuple[Action, ...]]] = {
    "quick_buyer": (*_QUICK, "order"),
    "regular": ("category", *_QUICK, *_QUICK, *_QUICK, "order"),
    "browser": ("category", "product", "category", "product", "product", "add", "cart"),
    "searcher": ("search", "product", "search", "product", "add", "checkout", "order"),
    "bouncer": ("category",),
    "coupon_buyer": ("product", "add", "coupon", "cart", "checkout", "order"),
    "double_clicker": ("product", "add_twice", "cart", "checkout", "order"),
    "wholesaler": ("category", "list", "checkout", "order", "order", "order"),
    "comparer": ("search", "search", "product", "search", "search", "search"),
    "newcomer": ("home", "product", "home", "product", "add", "checkout", "order"),
    "chooser": ("preferences", "home", "product", "home", "home", "product", "add", "checkout", "order"),
    "coupon_hunter": ("guess", "guess", "guess"),
    "cart_watcher": ("product", "add", "cart", "product", "add", "cart", "cart"),
    "lingerer": ("home", "product", "home", "product", "home", "product", "home"),
    "glancer": ("home", "home", "product"),
    "express_buyer": ("product", "add", "express_checkout", "order"),
    "local_looker": ("local_product", "local_product", "local_product", "add", "checkout", "order"),
    "gift_buyer": ("product", "add", "gift_checkout", "order"),
    "confirmed_buyer": ("product", "add", "checkout", "confirmation", "order"),
    "quoted_buyer": ("product", "add", "quote", "checkout", "order"),
    "wallet_buyer": ("product", "add", "wallet_checkout", "order", "order"),
    "stock_checker": ("product", "availability", "add", "checkout", "order"),
    "bargain_hunter": ("availability", "availability", "availability", "availability"),
}
_THINK_MEAN_S: Final[dict[Action, float]] = {
    "category": 2.5,
    "search": 4.0,
    "home": 0.7,
    "preferences": 1.5,
    "product": 3.0,
    "add": 4.5,
    "add_twice": 4.5,
    "list": 6.0,
    "coupon": 3.0,
    "cart": 2.0,
    "checkout": 5.0,
    "order": 2.0,
    "guess": 0.8,
    "quote": 2.0,
    "local_product": 3.0,
    "availability": 0.8,
    "express_checkout": 5.0,
    "gift_checkout": 5.0,
    "wallet_checkout": 5.0,
    "confirmation": 0.5,
}
_COUPONS_BY_LANGUAGE: Final = {
    "en": ("WELCOME10", "SAVE5"),
    "de": ("HERBST15", "FRÜHLING15", "WELCOME10"),
    "fr": ("ÉTÉ2024", "NOËL15", "WELCOME10"),
    "nl": ("WELKOM10", "SAVE5"),
    "es": ("OTOÑO15", "SAVE5"),
}
_LIST_LENGTHS: Final = (24, 60)
_WORDS: Final[dict[Action, tuple[str, ...]]] = {
    "category": CATEGORIES,
    "search": POPULAR_SEARCHES,
    "preferences": CURRENCIES,
    "guess": ("SUMMER24", "FREESHIP", "VIP50", "BLACK30", "HELLO20"),
    "gift_checkout": ("Happy birthday!", "With love from all of us", "Alles Gute", "Congratulations \N{PARTY POPPER}"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a customer does after thinking for `think_s`."""

    action: Action
    think_s: float
    product_id: str = ""
    quantity: int = 1
    words: str = ""
    items: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One visit: when it starts (seconds from the beginning), who comes, and what they plan."""

    number: int
    start_s: float
    kind: str
    customer: Customer
    steps: tuple[Step, ...]


def plan_sessions(traffic: Traffic, *, duration_s: float, seed: int) -> list[SessionPlan]:
    """Plan every visit of a run.

    Parameters
    ----------
    traffic : Traffic
        Rate of arrivals and mix of kinds.
    duration_s : float
        Visits start within this many seconds.
    seed : int

    Returns
    -------
    list of SessionPlan
        By start. The time between two arrivals is exponential: customers do not wait for each other.

    Raises
    ------
    ParameterError
        If the mix names a kind of session that there is not.
    """
    for kind in traffic.kinds:
        if kind not in SESSION_KINDS:
            raise ParameterError.unknown("kind of session", kind, known=SESSION_KINDS)
    rng = random.Random(seed)  # noqa: S311 - traffic, not secrets
    plans: list[SessionPlan] = []
    start_s = rng.expovariate(traffic.sessions_per_s)
    while start_s < duration_s:
        kind = rng.choices(list(traffic.kinds), list(traffic.kinds.values()))[0]
        customer = draw_customer(rng)
        steps = _plan_steps(rng, SESSION_KINDS[kind], customer)
        plans.append(SessionPlan(len(plans), round(start_s, 3), kind, customer, steps))
        start_s += rng.expovariate(traffic.sessions_per_s)
    return plans


def _plan_steps(rng: random.Random, actions: tuple[Action, ...], customer: Customer) -> tuple[Step, ...]:
    steps: list[Step] = []
    looked_at = _draw_product(rng)
    for action in actions:
        think_s = round(min(0.3 + rng.expovariate(1 / _THINK_MEAN_S[action]), 20.0), 3)
        if action in _WORDS:
            steps.append(Step(action, think_s, words=rng.choice(_WORDS[action])))
        elif action in {"product", "local_product", "availability"}:
            looked_at = _draw_product(rng)
            steps.append(Step(action, think_s, product_id=looked_at.product_id))
        elif action == "coupon":
            codes = _COUPONS_BY_LANGUAGE[customer.locale.partition("-")[0]]
            steps.append(Step(action, think_s, words=rng.choice(codes)))
        elif action == "list":
            wanted = rng.sample(products(), rng.randint(*_LIST_LENGTHS))
            steps.append(Step(action, think_s, items=tuple((item.product_id, rng.randint(1, 4)) for item in wanted)))
        elif action in {"add", "add_twice"}:
            quantity = rng.choices((1, 2, 3), (80, 15, 5))[0]
            steps.append(Step(action, think_s, product_id=looked_at.product_id, quantity=quantity))
        else:
            steps.append(Step(action, think_s))
    return tuple(steps)


def _draw_product(rng: random.Random) -> Product:
    # A few things sell, most lie about: the share falls with the place in the list.
    assortment = products()
    return assortment[min(int(rng.paretovariate(0.9)) - 1 + rng.randrange(6), len(assortment) - 1)]
