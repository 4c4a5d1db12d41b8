"""Who asks in a run."""

from prodintel_lib.scenarios.model import Request
from prodintel_lib.scenarios.monitors.building import choose_customers


def step(method, route):
    return Request(id="r", method=method, route=route, path="/x")


def customer(number, *routes):
    asked = Request(id="asked", method="GET", route="/page", path=f"/page/{number}")
    return tuple(step("POST", route) for route in routes), asked


def test_choose_customers_takes_one_of_each_kind_first():
    built = [customer(0, "/cart"), customer(1, "/cart"), customer(2, "/cart"), customer(3, "/list"), customer(4)]
    # The frequent kind first, then the rare ones, then again.
    assert [request.path for _, request in choose_customers(built, most=4)] == [
        "/page/0",
        "/page/4",
        "/page/3",
        "/page/1",
    ]


def test_choose_customers_takes_no_more_than_asked_for_or_there_are():
    built = [customer(number, "/cart") for number in range(3)]
    assert len(choose_customers(built, most=2)) == 2
    assert choose_customers(built, most=9) == tuple(built)
    assert choose_customers([]) == ()
