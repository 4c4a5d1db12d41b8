from prodintel_lib.minimise.parts import (
    list_actions,
    list_conditions,
    list_expectations,
    list_set_up_requests,
    measure,
    why_invalid,
    without,
)
from prodintel_lib.scenarios.model import Apply, Lift, Prepare, Send
from tests.renderers.suites import graceful, integrity, isolation


def part(parts, name):
    return next(each for each in parts if name in each.name)


def test_measure_counts_each_unit():
    assert measure(integrity()) == {
        "conditions": 1,
        "longest_delay_ms": 30_000,
        "actions": 5,
        "set_up_requests": 2,
        "customers": 3,
        "at_once": 1,
        "payload_fields": 11,
        "list_items": 0,
        "requests_sent": 12,
        "expectations": 2,
    }
    assert measure(graceful(2500))["at_once"] == 6


def test_without_a_condition_nothing_applies_it():
    smaller = without(graceful(2500), list_conditions(graceful(2500)))
    assert smaller.conditions == ()
    assert not any(isinstance(action, Apply) for action in smaller.actions)
    assert why_invalid(smaller) == ""


def test_without_customers_goes_what_they_sent_and_what_was_expected_of_it():
    whole = isolation(1000)
    smaller = without(whole, [part(list_actions(whole), "customers buyers")])
    assert [action.label for action in smaller.actions if isinstance(action, Prepare | Send)] == [
        "visitors", "product_pages",
    ]  # fmt: skip
    assert why_invalid(smaller) == ""


def test_without_its_recovery_nothing_is_sent_until_recovered_and_nothing_lifted_in_vain():
    whole = integrity()
    smaller = without(whole, [part(list_expectations(whole), "later_orders")])
    assert [action.label for action in smaller.actions if isinstance(action, Send)] == ["orders"]
    assert why_invalid(smaller) == ""
    assert not any(isinstance(action, Lift) for action in without(smaller, list_conditions(smaller)).actions)


def test_without_a_request_whose_value_is_needed_is_invalid():
    whole = graceful(2500)
    lost = without(whole, [part(list_set_up_requests(whole), "/api/sessions")])
    assert why_invalid(lost) == "POST /api/cart/items needs `token` of an answer before it"
    kept = without(whole, [part(list_set_up_requests(whole), "/api/cart/items")])
    assert why_invalid(kept) == ""


def test_a_read_back_needs_what_the_answers_gave():
    whole = integrity()
    order = whole.actions[2].request.model_copy(update={"extracts": ()})
    actions = (*whole.actions[:2], whole.actions[2].model_copy(update={"request": order}), *whole.actions[3:])
    lost = whole.model_copy(update={"actions": actions})
    assert why_invalid(lost) == "GET /api/orders/{order_id} needs `order_id` of an answer before it"


def test_what_spared_customers_send_needs_its_values_too():
    whole = graceful(2500)
    prepare = whole.actions[0].model_copy(update={"otherwise": whole.actions[0].requests[1:]})
    lost = whole.model_copy(update={"actions": (prepare, *whole.actions[1:])})
    assert "needs `token`" in why_invalid(lost)


def test_without_every_expectation_is_invalid():
    whole = graceful(2500)
    assert why_invalid(without(whole, list_expectations(whole))) == "nothing would be judged"
