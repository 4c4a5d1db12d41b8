import pytest

from prodintel_lib.scenarios.load_model.flows import PlaceKey, find_flows
from prodintel_lib.scenarios.model import Extract, Extracted, Fresh

from .made import exchange, shopper

SHOPPERS = [shopper(number) for number in range(6)]
ORDER_ID = PlaceKey("GET /orders/{id}", "path", "1")


def test_find_flows_extracts_what_an_answer_gave_and_makes_what_the_client_made():
    flows = find_flows(SHOPPERS)
    assert flows.origins == {
        ORDER_ID: Extracted(name="order_id"),
        PlaceKey("POST /orders", "body", "/key"): Fresh(format="uuid", length=36),
    }
    # Of two pointers to the value the shorter one counts; what an order repeats of its own request is no source.
    assert flows.extracts == {"POST /orders": (Extract(name="order_id", pointer="/order_id"),)}


def test_find_flows_goes_by_most_sessions():
    looked = [exchange(f"other_{n}", "GET", "/orders/ord_shared", route="/orders/{id}") for n in range(5)]
    assert ORDER_ID in find_flows([*SHOPPERS, *([one] for one in looked[:4])]).origins
    many = [exchange(f"more_{n}", "GET", f"/orders/ord_mail_{n}", route="/orders/{id}") for n in range(3)]
    assert ORDER_ID not in find_flows([*SHOPPERS, *([one] for one in (*looked[:4], *many))]).origins


def test_find_flows_takes_a_value_that_others_were_given_for_the_systems():
    def viewer(number):
        shown = {"products": [{"id": "prod-9000"}, {"id": f"prod-{number:04d}"}]}
        return (
            exchange(f"v{number}", "GET", "/products", answer=shown),
            exchange(f"v{number}", "GET", f"/products/prod-{number:04d}", route="/products/{id}"),
        )

    # Each product is looked at once only, but a catalogue shows it to everybody.
    everybody = [exchange(f"all{n}", "GET", "/products", answer=[f"prod-{k:04d}" for k in range(5)]) for n in range(2)]
    assert find_flows([viewer(n) for n in range(5)] + [[one] for one in everybody]).origins == {}
    assert PlaceKey("GET /products/{id}", "path", "1") in find_flows([viewer(n) for n in range(5)]).origins


def test_find_flows_knows_a_user_in_several_sessions():
    def visit(number, user):
        order = f"ord_{user}"
        return (
            exchange(f"v{number}", "POST", "/orders", body={}, answer={"id": order}, owner=user),
            exchange(f"v{number}", "GET", f"/orders/{order}", route="/orders/{id}", owner=user),
        )

    visits = [visit(number, f"user{number % 4}") for number in range(8)]
    assert ORDER_ID in find_flows(visits).origins


def test_find_flows_shares_a_name_among_all_who_give_it():
    def visit(number):
        order = f"ord_{number:05d}"
        first = (
            exchange(f"v{number}", "POST", "/orders", body={}, answer={"order": {"id": order}})
            if number % 2
            else exchange(f"v{number}", "GET", "/orders", answer={"latest": order})
        )
        return (
            first,
            exchange(f"v{number}", "GET", f"/orders/{order}", route="/orders/{id}"),
            exchange(f"v{number}", "DELETE", f"/orders/{order}", route="/orders/{id}"),
        )

    flows = find_flows([visit(number) for number in range(9)])
    (name,) = {origin.name for origin in flows.origins.values()}
    assert name == "latest"
    assert flows.extracts == {
        "GET /orders": (Extract(name=name, pointer="/latest"),),
        "POST /orders": (Extract(name=name, pointer="/order/id"),),
    }
    assert set(flows.origins) == {ORDER_ID, PlaceKey("DELETE /orders/{id}", "path", "1")}


def test_find_flows_names_two_things_of_one_name_apart():
    def visit(number):
        return (
            exchange(f"v{number}", "POST", "/carts", body={}, answer={"id": f"cart{number:04d}"}),
            exchange(
                f"v{number}", "POST", "/orders", body={"cart": f"cart{number:04d}"}, answer={"id": 70_000 + number}
            ),
            exchange(f"v{number}", "GET", f"/orders/{70_000 + number}", route="/orders/{id}"),
        )

    flows = find_flows([visit(number) for number in range(4)])
    assert flows.origins == {
        ORDER_ID: Extracted(name="id"),
        PlaceKey("POST /orders", "body", "/cart"): Extracted(name="post_carts_id"),
    }


def test_find_flows_leaves_out_sources_that_are_mostly_wrong():
    def visit(number):
        listed = [f"ord_{number:03d}_{place}" for place in range(4)]
        return (
            exchange(f"v{number}", "GET", "/orders", answer=listed),
            exchange(f"v{number}", "GET", f"/orders/{listed[number % 4]}", route="/orders/{id}"),
        )

    # Each of the list's places is right for a quarter of the sessions.
    assert find_flows([visit(number) for number in range(8)]).origins == {}


def test_find_flows_of_a_bad_answer_takes_nothing():
    bad = [tuple(one if one.endpoint != "POST /orders" else exchange(
        one.request.session_id, "POST", "/orders", status=500, body=one.request.body, answer=one.request.answer)
        for one in visitor) for visitor in SHOPPERS]  # fmt: skip
    assert ORDER_ID not in find_flows(bad).origins


@pytest.mark.parametrize(("method", "is_fresh"), [("GET", False), ("PUT", True)])
def test_find_flows_does_not_make_up_what_is_only_read(method, is_fresh):
    visits = [[exchange(f"v{n}", method, f"/carts/cart-{n:06d}", route="/carts/{id}")] for n in range(4)]
    made = {PlaceKey(f"{method} /carts/{{id}}", "path", "1"): Fresh(format="text", length=11)}
    assert find_flows(visits).origins == (made if is_fresh else {})


def test_find_flows_counts_the_items_of_a_list_together():
    def visit(number):
        lines = [{"line_id": f"line-{number}-{place}000"} for place in range(number % 3 + 1)]
        return (exchange(f"v{number}", "POST", "/orders", body={"lines": lines}),)

    flows = find_flows([visit(number) for number in range(6)])
    assert flows.origins == {PlaceKey("POST /orders", "body", "/lines/*/line_id"): Fresh(format="text", length=11)}


def test_find_flows_does_not_trace_masks():
    visits = [
        (exchange(f"v{n}", "POST", "/cards", body={}, answer={"token": "[masked]"}),
         exchange(f"v{n}", "POST", "/orders", body={"token": "[masked]"}))
        for n in range(3)
    ]  # fmt: skip
    assert find_flows(visits).origins == {}


@pytest.mark.parametrize(("captured", "is_fresh"), [(True, True), (False, False)])
def test_find_flows_makes_up_what_several_sent_and_nobody_was_given(captured, is_fresh):
    # A recording of the same scripted customers twice: each key comes twice.
    visits = [
        [exchange(f"v{n}", "POST", "/orders", body={"key": f"key-{n % 5}000-aaaa", "code": "SUMMER2025"},
                  answer={"status": "paid"} if captured else None)]
        for n in range(10)
    ]  # fmt: skip
    made = {PlaceKey("POST /orders", "body", "/key"): Fresh(format="text", length=13)}
    assert find_flows(visits).origins == (made if is_fresh else {})


def test_find_flows_sends_what_anybody_was_given_as_it_is():
    visits = [
        [exchange(f"v{n}", "POST", "/cart", body={"sku": f"sku-{n % 5}000-aaaa"}, answer={"status": "ok"})]
        for n in range(10)
    ]  # fmt: skip
    shown = [exchange(f"w{n}", "GET", "/shelf", answer=[f"sku-{k}000-aaaa" for k in range(5)]) for n in range(2)]
    assert find_flows([*visits, *([one] for one in shown)]).origins == {}


def test_find_flows_takes_no_answer_for_a_source_that_repeats_what_it_was_sent():
    def visit(number):
        order = f"ord_{number:05d}"
        return (
            exchange(f"v{number}", "GET", f"/orders/{order}", route="/orders/{id}", answer={"order_id": order}),
            exchange(f"v{number}", "GET", f"/orders/{order}/slip", route="/orders/{id}/slip"),
        )

    # They came with the id, from a mail: there is no request to begin with that would give it.
    assert find_flows([visit(number) for number in range(4)]).origins == {}
