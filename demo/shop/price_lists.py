"""Prices of many products, read from the catalogue in one call or page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from demo.shop.dependencies import segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.shop.dependencies import Dependency
    from demo.shop.policies import OrdersPolicy

PAGE_SIZE: Final = 40


class PriceLists:
    """Finds the products of a list with their prices.

    Parameters
    ----------
    catalogue : Dependency
    policy : OrdersPolicy
    """

    def __init__(self, catalogue: Dependency, policy: OrdersPolicy) -> None:
        self._catalogue = catalogue
        self._pages = policy.price_pages

    def find(self, product_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the products in the order asked for; 404 where there is none of an id."""
        if len(product_ids) == 1:
            return [self._catalogue.get(f"/products/{segment(product_ids[0])}")]
        if self._pages == "one_call":
            return self._page(product_ids)
        first, rest = product_ids[:PAGE_SIZE], product_ids[PAGE_SIZE:]
        found = self._page(first)
        while rest and self._pages == "all_pages":
            found += self._page(rest[:PAGE_SIZE])
            rest = rest[PAGE_SIZE:]
        by_id = {product["product_id"]: product for product in found}
        return [by_id[product_id] for product_id in product_ids]

    def _page(self, product_ids: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._catalogue.get("/products/several", params={"ids": ",".join(product_ids)})[
            "products"
        ]
        return found
