"""What the pages show of the assortment: words, reviews, search and suggestions."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import Final

from demo.shop.assortment import CATEGORIES, Product, products

MOST_SUGGESTIONS: Final = 6
SHOWN_AT_HOME: Final = 8
_CLAIMS: Final = {
    "Aurora": "Light, bright, and ready before you are.",
    "Basalt": "Built from few parts, all of which can be replaced.",
    "Cedar": "Warm to look at and quiet to live with.",
}
_DETAILS: Final = {
    "audio": "Tuned by ear in a small room, for small rooms.",
    "cameras": "Fits every bag we sell, and most we do not.",
    "garden": "Stays outside all year; rain is part of the test.",
    "kitchen": "Goes into the dishwasher and comes out of it.",
    "lighting": "A warm white that can be dimmed to a candle's.",
    "outdoor": "Two kilograms less than you would think.",
}
_OPINIONS: Final = (
    (5, "Exactly what I hoped for", "Arrived in two days, well packed. I would buy it again."),
    (5, "A present that was kept", "My brother never keeps presents. He kept this one."),
    (4, "Good, with one wish", "Does what it says. A longer guarantee would make it perfect."),
    (4, "Better than the old one", "We used the one before for nine years; this one is lighter."),
    (3, "Fine", "Nothing to complain about, nothing to tell the neighbours."),
    (2, "Not my colour", "The picture is warmer than the thing. It works, though."),
)
_AUTHORS: Final = ("Mara", "Ines", "Tom", "Yusuf", "Lena", "Pieter", "Aoife", "Nils")


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody thought of a product; `stars` from 1 to 5."""

    author: str
    stars: int
    title: str
    text: str


@functools.cache
def by_id() -> dict[str, Product]:
    """Return the products by their id."""
    return {product.product_id: product for product in products()}


def in_category(category: str) -> list[Product]:
    """Return a category's products; none where there is no such category."""
    return [product for product in products() if product.category == category]


def featured() -> list[Product]:
    """Return what the first page shows: one product a category, then the cheapest of the others."""
    first = [in_category(category)[0] for category in CATEGORIES]
    others = sorted((product for product in products() if product not in first), key=lambda product: product.price)
    return [*first, *others][:SHOWN_AT_HOME]


def related(product: Product) -> list[Product]:
    """Return three others of the same category."""
    shelf = in_category(product.category)
    at = shelf.index(product)
    return [shelf[(at + step) % len(shelf)] for step in (1, 4, 7)]


def search(words: str) -> list[Product]:
    """Return the products whose name or category holds every word."""
    wanted = words.casefold().split()
    return [
        product
        for product in products()
        if wanted and all(word in f"{product.name} {product.category}".casefold() for word in wanted)
    ]


def suggest(words: str) -> list[Product]:
    """Return the first few that a search would find, those whose name begins so before the others."""
    start = words.strip().casefold()
    found = sorted(search(words), key=lambda product: not product.name.casefold().startswith(start))
    return found[:MOST_SUGGESTIONS]


def description(product: Product) -> str:
    """Return two sentences about a product."""
    return f"{_CLAIMS[product.name.partition(' ')[0]]} {_DETAILS[product.category]}"


@functools.cache
def reviews(product_id: str) -> tuple[Review, ...]:
    """Return two to four reviews of a product, always the same."""
    rng = random.Random(product_id)  # noqa: S311 - opinions, not secrets
    opinions = rng.sample(_OPINIONS, rng.randint(2, 4))
    authors = rng.sample(_AUTHORS, len(opinions))
    return tuple(Review(author, *opinion) for author, opinion in zip(authors, opinions, strict=True))
