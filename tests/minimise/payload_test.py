from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.minimise.payload import (
    PayloadList,
    PayloadPart,
    failing_requests,
    keys_of,
    list_lists,
    list_parts,
    pointer_of,
    with_items,
    without_parts,
)
from prodintel_lib.scenarios.model import Fresh, Prepare, Replacement
from tests.renderers.suites import PLACE_ORDER, READ_PRODUCT, graceful, isolation

BASKET = PLACE_ORDER.model_copy(
    update={
        "body": {"items": [{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"}], "a/b~c": 1},
        "replacements": (
            Replacement(into="body", at="/items/1/id", value=Fresh()),
            Replacement(into="body", at="/items/3/id", value=Fresh(format="hex")),
        ),
        "extracts": (),
    }
)
ITEMS = PayloadList("place_order", ("items",), 4)


def basket():
    whole = graceful(2500)
    send = whole.actions[2].model_copy(update={"request": BASKET})
    return whole.model_copy(update={"actions": (*whole.actions[:2], send)})


def sent(scenario):
    return scenario.actions[-1].request


def test_list_parts_names_what_failing_customers_send_outer_parts_first():
    names = [part.name for part in list_parts(basket())]
    assert names[:4] == [
        "start_session: body /locale",
        "fill_cart: header authorization",
        "fill_cart: body /product_id",
        "fill_cart: body /quantity",
    ]
    assert names[-1] == "place_order: body /items/3/id"
    assert "place_order: body /a~1b~0c" in names


def test_without_parts_takes_replacements_along():
    whole = graceful(2500)
    parts = [
        PayloadPart("place_order", "body", ("card_token",)),
        PayloadPart("place_order", "header", ("authorization",)),
    ]
    order = sent(without_parts(whole, parts))
    assert sorted(order.body) == ["idempotency_key", "payment_method", "shipping"]
    assert [part.at for part in order.replacements] == ["/idempotency_key"]
    assert order.headers == PLACE_ORDER.headers


def test_without_parts_drops_query_parameters_by_name():
    whole = isolation(1000)
    smaller = without_parts(whole, [PayloadPart("read_product", "query", ("view",))])
    assert sent(whole).query == READ_PRODUCT.query
    assert sent(smaller).query == (("currency", "EUR"),)


def test_with_items_moves_replacements_to_where_their_items_are():
    order = sent(with_items(basket(), ITEMS, 2, 4))
    assert order.body["items"] == [{"id": "c"}, {"id": "d"}]
    assert [(part.at, part.value.format) for part in order.replacements] == [("/items/1/id", "hex")]


def test_without_parts_takes_several_items_and_members_at_once():
    gone = [PayloadPart("place_order", "body", keys) for keys in (("items", 0), ("items", 3, "id"), ("items", 2))]
    order = sent(without_parts(basket(), gone))
    assert order.body["items"] == [{"id": "b"}, {}]
    assert [part.at for part in order.replacements] == ["/items/0/id"]


def test_without_parts_changes_spared_customers_alike_but_for_items():
    whole = basket()
    spared = BASKET.model_copy(update={"body": {"items": [{"id": "z"}, {"id": "y"}], "a/b~c": 2}, "replacements": ()})
    send = whole.actions[2].model_copy(update={"otherwise": spared})
    whole = whole.model_copy(update={"actions": (*whole.actions[:2], send)})
    gone = [PayloadPart("place_order", "body", ("a/b~c",)), PayloadPart("place_order", "body", ("items", 0))]
    smaller = without_parts(whole, gone).actions[-1]
    assert (len(smaller.request.body["items"]), smaller.otherwise.body) == (3, {"items": [{"id": "z"}, {"id": "y"}]})


def test_items_of_a_long_list_are_no_parts_but_the_list_is():
    whole = basket()
    order = BASKET.model_copy(update={"body": {"items": list(range(13))}, "replacements": ()})
    whole = whole.model_copy(
        update={"actions": (*whole.actions[:2], whole.actions[2].model_copy(update={"request": order}))}
    )
    assert list_lists(whole) == [PayloadList("place_order", ("items",), 13)]
    assert not any(len(part.keys) > 1 for part in list_parts(whole))


def test_failing_requests_yields_each_request_of_an_action():
    whole = graceful(2500)
    assert [request.id for request in failing_requests(whole)] == ["start_session", "fill_cart", "place_order"]
    assert isinstance(whole.actions[0], Prepare)


names = st.text(max_size=4)
bodies = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)


def ways(document, above=()):
    yield above
    inside = (
        enumerate(document) if isinstance(document, list) else document.items() if isinstance(document, dict) else ()
    )
    for key, value in inside:
        yield from ways(value, (*above, key))


@given(bodies)
def test_a_way_down_and_its_pointer_are_one(body):
    for keys in ways(body):
        assert keys_of(pointer_of(keys), body) == keys
    assert keys_of("/no such place/0", body) is None
