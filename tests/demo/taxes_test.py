import pytest

from demo.shop.carriers import Dispatch
from demo.shop.policies import CataloguePolicy, OrdersPolicy
from demo.shop.problems import ProblemError
from demo.shop.taxes import TaxedPrices

PRODUCT = {"product_id": "prd_101", "price": 1200}


def test_show_adds_the_tax_where_the_flag_is_on() -> None:
    prices = TaxedPrices(CataloguePolicy(taxed_regions="GB,DE"))

    assert prices.show(PRODUCT, "GB") == {**PRODUCT, "tax_percent": 20, "tax": 200}
    assert prices.show(PRODUCT, "DE") == {**PRODUCT, "tax_percent": 19, "tax": 191}
    assert prices.show(PRODUCT, "FR") == prices.show(PRODUCT, "") == PRODUCT


def test_show_by_language_knows_regions_only_where_the_letters_are_the_same() -> None:
    prices = TaxedPrices(CataloguePolicy(taxed_regions="GB,DE", tax_rates="by_language"))

    assert prices.show(PRODUCT, "DE")["tax_percent"] == 19
    with pytest.raises(KeyError, match="GB"):
        prices.show(PRODUCT, "GB")


def test_switch_replaces_the_regions() -> None:
    prices = TaxedPrices(CataloguePolicy(taxed_regions="GB"))

    prices.switch("NL")
    assert (prices.show(PRODUCT, "GB"), prices.show(PRODUCT, "NL")["tax_percent"]) == (PRODUCT, 21)
    prices.switch("")
    assert prices.regions == frozenset()


def test_require_carrier_takes_the_configured_code_as_it_is() -> None:
    Dispatch(OrdersPolicy(delivery="by_carrier")).require_carrier({"method": "express"})
    misnamed = Dispatch(OrdersPolicy(delivery="by_carrier", express_carrier="SWIFT"))

    misnamed.require_carrier({"method": "standard"})
    with pytest.raises(KeyError, match="SWIFT"):
        misnamed.require_carrier({"method": "express"})
    with pytest.raises(ProblemError, match="`method` has to be one of standard, pickup, express"):
        misnamed.require_carrier({"method": "by pigeon"})


def test_require_carrier_asks_for_none_where_orders_are_not_dispatched() -> None:
    Dispatch(OrdersPolicy(express_carrier="SWIFT")).require_carrier({"method": "express"})
