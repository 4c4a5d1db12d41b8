import pytest

from demo.shop import confirmations
from demo.shop.confirmations import Confirmations
from demo.shop.policies import OrdersPolicy
from demo.shop.problems import ProblemError
from tests.demo.shoppers import eventually

POISON = "Congratulations \N{PARTY POPPER}"


def is_confirmed(queue: Confirmations, order_id: str) -> bool:
    try:
        queue.wait(order_id)
    except ProblemError as problem:
        return problem.status != 504
    return True


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmations, "LONGEST_WAIT_S", 0.2)


def test_wait_ends_when_the_order_is_confirmed() -> None:
    queue = Confirmations(OrdersPolicy(confirmation="utf_8"))
    for order_id, note in (("ord_1", POISON), ("ord_2", "")):
        queue.add(order_id, note)

    assert eventually(lambda: is_confirmed(queue, "ord_2"), within_s=10)
    assert is_confirmed(queue, "ord_1")
    assert is_confirmed(queue, "ord_never_placed_here")


def test_wait_is_refused_while_another_order_holds_the_worker() -> None:
    queue = Confirmations(OrdersPolicy(confirmation="latin_1"))
    queue.add("ord_1", POISON)
    queue.add("ord_2", "Alles Gute")

    # Twelve attempts with a pause of 0.25 s after each: nothing behind is confirmed in the first 0.2 s.
    assert not is_confirmed(queue, "ord_2")


def test_an_order_is_set_aside_after_its_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmations, "PAUSE_S", 0.001)
    queue = Confirmations(OrdersPolicy(confirmation="latin_1"))
    queue.add("ord_1", POISON)
    queue.add("ord_2", "Alles Gute")

    assert eventually(lambda: is_confirmed(queue, "ord_2"), within_s=10)
    assert not is_confirmed(queue, "ord_1")


def test_add_does_nothing_where_orders_are_not_confirmed() -> None:
    queue = Confirmations(OrdersPolicy())
    queue.add("ord_1", POISON)

    assert is_confirmed(queue, "ord_1")
