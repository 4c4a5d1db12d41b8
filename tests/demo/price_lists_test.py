import pytest

from demo.shop.policies import OrdersPolicy
from demo.shop.price_lists import PAGE_SIZE, PriceLists


class Catalogue:
    """Knows every product, and how many it was asked for each time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def get(self, path: str, *, params: dict[str, str] | None = None) -> dict[str, object]:
        ids = params["ids"].split(",") if params else [path.rpartition("/")[2]]
        self.sizes.append(len(ids))
        products = [{"product_id": product_id} for product_id in ids]
        return {"products": products} if params else products[0]


def ids(number: int) -> list[str]:
    return [f"prd_{index}" for index in range(number)]


@pytest.mark.parametrize(
    ("pages", "number", "sizes"),
    [("one_call", 90, [90]), ("all_pages", 90, [40, 40, 10]), ("first_page", PAGE_SIZE, [40]), ("all_pages", 1, [1])],
)
def test_find_reads_as_the_policy_has_it(pages, number, sizes) -> None:
    catalogue = Catalogue()

    found = PriceLists(catalogue, OrdersPolicy(price_pages=pages)).find(ids(number))

    assert [product["product_id"] for product in found] == ids(number)
    assert catalogue.sizes == sizes


def test_find_of_the_first_page_does_not_know_the_next() -> None:
    with pytest.raises(KeyError, match="prd_40"):
        PriceLists(Catalogue(), OrdersPolicy(price_pages="first_page")).find(ids(41))
