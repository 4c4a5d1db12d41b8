"""Baskets and orders: all that the front end remembers, in memory, by the cookie of the browser."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from demo.shop.assortment import COUPONS, Product
from demo.shop.problems import ProblemError
from demo.storefront import shelves

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BASKETS: Final = 10_000
MOST_OF_ONE: Final = 20
SHIPPING_CENTS: Final = 495
FREE_SHIPPING_FROM_CENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A product and how many of it."""

    product: Product
    quantity: int

    @property
    def amount_cents(self) -> int:
        """What the line costs."""
        return self.product.price * self.quantity


@dataclass(frozen=True, slots=True)
class Totals:
    """What a basket costs, in cents."""

    goods_cents: int
    discount_cents: int
    shipping_cents: int

    @property
    def total_cents(self) -> int:
        """What is to be paid."""
        return self.goods_cents - self.discount_cents + self.shipping_cents


@dataclass(frozen=True, slots=True)
class Order:
    """What was bought."""

    order_id: str
    lines: tuple[Line, ...]
    totals: Totals
    coupon: str


@dataclass(slots=True)
class Basket:
    """What somebody wants to buy, and where it shall go; `coupon` is empty without one."""

    quantities: dict[str, int] = field(default_factory=dict)
    coupon: str = ""
    address: Mapping[str, str] | None = None
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its products, in the order in which they were put in."""
        return tuple(Line(shelves.by_id()[product_id], count) for product_id, count in self.quantities.items())

    @property
    def count(self) -> int:
        """How many things are in it."""
        return sum(self.quantities.values())

    @property
    def totals(self) -> Totals:
        """What it costs."""
        goods_cents = sum(line.amount_cents for line in self.lines)
        discount_cents = goods_cents * COUPONS.get(self.coupon, 0) // 100
        is_free = not goods_cents or goods_cents - discount_cents >= FREE_SHIPPING_FROM_CENTS
        return Totals(goods_cents, discount_cents, 0 if is_free else SHIPPING_CENTS)

    def add(self, product_id: str, quantity: int) -> None:
        """Put something in; 404 where there is no such product."""
        self.put(product_id, min(self.quantities.get(product_id, 0) + quantity, MOST_OF_ONE))

    def put(self, product_id: str, quantity: int) -> None:
        """Set how many of a product are wanted; 0 takes it out."""
        if product_id not in shelves.by_id():
            raise ProblemError(404, "Not Found", f"there is no product {product_id}")
        self.quantities[product_id] = quantity
        if not quantity:
            del self.quantities[product_id]

    def redeem(self, code: str) -> None:
        """Apply a coupon; 404 where there is no such coupon."""
        wanted = code.strip().upper()
        if wanted not in COUPONS:
            raise ProblemError(404, "Not Found", f"there is no coupon {wanted}")
        self.coupon = wanted

    def order(self) -> Order:
        """Buy what is in it; it is empty afterwards. 409 where nothing is in it, or the address is missing."""
        if not self.quantities or self.address is None:
            raise ProblemError(409, "Conflict", "an order needs something in the basket and an address")
        order = Order(f"ord_{secrets.token_hex(6)}", self.lines, self.totals, self.coupon)
        self.orders[order.order_id] = order
        self.quantities.clear()
        self.coupon = ""
        return order


class Baskets:
    """The baskets of everybody; the ones untouched for longest are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._baskets: LRUCache[str, Basket] = LRUCache(maxsize=MOST_BASKETS)

    def find(self, key: str) -> Basket | None:
        """Return a browser's basket."""
        with self._lock:
            return self._baskets.get(key)

    def open(self) -> tuple[str, Basket]:
        """Return a new basket with the key to keep in a cookie."""
        key, basket = secrets.token_urlsafe(18), Basket()
        with self._lock:
            self._baskets[key] = basket
        return key, basket
