from demo.shop.policies import GatewayPolicy
from demo.shop.quotes import Quotes


class Orders:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str, *, params: dict[str, str]) -> dict[str, str]:
        self.asked.append(path)
        return {"cart_id": path.split("/")[2], "country": params["country"]}


def test_give_keeps_a_quote_by_cart_for_four_seconds() -> None:
    clock, orders = [0.0], Orders()
    quotes = Quotes(orders, GatewayPolicy(quotes="kept_by_cart"), now_s=lambda: clock[0])

    assert [quotes.give(session, country="GB")["cart_id"] for session in ("a", "b", "a")] == ["a", "b", "a"]
    clock[0] = 4.1
    quotes.give("a", country="GB")

    assert orders.asked == ["/carts/a/quote", "/carts/b/quote", "/carts/a/quote"]


def test_give_kept_by_country_gives_the_cart_of_others() -> None:
    quotes = Quotes(Orders(), GatewayPolicy(quotes="kept_by_country"))

    assert [
        quotes.give(session, country=land)["cart_id"] for session, land in (("a", "GB"), ("b", "GB"), ("c", "DE"))
    ] == [
        "a",
        "a",
        "c",
    ]
    assert quotes.given_to("b") == {"quoted_cart_id": "a"}


def test_given_to_is_nothing_for_who_saw_no_quote() -> None:
    assert Quotes(Orders(), GatewayPolicy()).given_to("a") == {}
