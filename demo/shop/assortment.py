"""What the shop sells: a fixed list of products, what is searched for, and the coupons."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import Final

CATEGORIES: Final = ("audio", "cameras", "garden", "kitchen", "lighting", "outdoor")
_KINDS: Final = {
    "audio": ("headphones", "speaker", "turntable", "microphone"),
    "cameras": ("camera", "lens", "tripod", "camera bag"),
    "garden": ("hose", "secateurs", "planter", "lawn mower"),
    "kitchen": ("kettle", "pan", "knife", "coffee grinder"),
    "lighting": ("desk lamp", "floor lamp", "pendant", "lantern"),
    "outdoor": ("tent", "rucksack", "sleeping bag", "stove"),
}
_STYLES: Final = ("Aurora", "Basalt", "Cedar")

POPULAR_SEARCHES: Final = ("tent", "lamp", "camera", "knife", "speaker", "cedar", "aurora", "pan", "stove", "lens")

# Percent off by code.
COUPONS: Final = {
    "WELCOME10": 10,
    "SAVE5": 5,
    "WELKOM10": 10,
    "HERBST15": 15,
    "FRÜHLING15": 15,
    "ÉTÉ2024": 20,
    "NOËL15": 15,
    "OTOÑO15": 15,
}


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for sale; `price` is in cents."""

    product_id: str
    name: str
    category: str
    price: int
    stock: int


@functools.cache
def products() -> tuple[Product, ...]:
    """Return the 72 products, always the same."""
    rng = random.Random(72)  # noqa: S311 - prices, not secrets
    made: list[Product] = []
    for category in CATEGORIES:
        for kind in _KINDS[category]:
            for style in _STYLES:
                number = len(made) + 101
                price = round(rng.lognormvariate(8.6, 0.7) / 100) * 100 + 95
                made.append(Product(f"prd_{number}", f"{style} {kind}", category, price, rng.randrange(20, 400)))
    return tuple(made)


def price_bands() -> tuple[int, ...]:
    """Return the distinct prices, for which there are instalment offers."""
    return tuple(sorted({product.price for product in products()}))
