"""Prices with tax, by region, behind a flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from demo.shop.policies import CataloguePolicy

# Per cent, by region and, as the table was first written, by language: the same letters for most, not for all.
_BY_REGION: Final = {"GB": 20, "DE": 19, "FR": 20, "NL": 21, "ES": 21, "US": 0}
_BY_LANGUAGE: Final = {"EN": 20, "DE": 19, "FR": 20, "NL": 21, "ES": 21}


class TaxedPrices:
    """Shows the tax in a price where the flag is on.

    Parameters
    ----------
    policy : CataloguePolicy
    """

    def __init__(self, policy: CataloguePolicy) -> None:
        self._rates = _BY_LANGUAGE if policy.tax_rates == "by_language" else _BY_REGION
        self.regions = _read(policy.taxed_regions)

    def switch(self, regions: str) -> None:
        """Switch the flag on for these regions, with commas between, and off for all others."""
        self.regions = _read(regions)

    def show(self, product: dict[str, Any], region: str) -> dict[str, Any]:
        """Return a product as it is shown in a region."""
        if region not in self.regions:
            return product
        percent = self._rates[region]
        return {**product, "tax_percent": percent, "tax": product["price"] * percent // (100 + percent)}


def _read(regions: str) -> frozenset[str]:
    return frozenset(region for region in regions.split(",") if region)
