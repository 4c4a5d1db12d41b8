import json

import pytest

from prodintel_lib.certify.alterations import KINDS, AnswerParts, Target, alter, find_targets
from prodintel_lib.scenarios.model import Suite
from tests.renderers.suites import make_suite

ORDER = {"order_id": "ord_1", "paid": True, "amount": 1950, "items": [{"id": 7, "name": "lamp"}], "note": None}


def altered(document, kind, *, status=201, pointers=(), step=1):
    answer = alter(AnswerParts(status, json.dumps(document).encode()), kind, pointers, step=step)
    return answer.status, json.loads(answer.body)


def test_alter_changes_nothing_but_what_its_kind_says():
    assert altered(ORDER, "unaltered") == (201, ORDER)
    assert altered(ORDER, "server_error") == (500, ORDER)
    assert altered(ORDER, "other_success") == (200, ORDER)
    assert altered(ORDER, "other_success", status=200) == (202, ORDER)
    assert altered(ORDER, "no_body") == (201, {})
    assert altered([1], "no_body") == (201, [])
    assert altered(ORDER, "other_id") == (201, ORDER | {"order_id": "pse_2", "items": [{"id": 8, "name": "lamp"}]})
    assert altered(ORDER, "other_values") == (
        201,
        {"order_id": "ord_1", "paid": False, "amount": 1951, "items": [{"id": 7, "name": "mbnq"}], "note": "x"},
    )


def test_alter_takes_for_an_id_what_is_named_so_looks_so_or_is_used_later():
    document = {
        "paid": "a",
        "userId": "a",
        "grid": "a",
        "ref": "123e4567-e89b-12d3-a456-426614174000",
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "number": "A-9",
    }
    _, changed = altered(document, "other_id", pointers=("/number",))
    assert {name for name, value in changed.items() if value != document[name]} == {"userId", "ref", "trace", "number"}


def test_alter_moves_values_that_are_compared_by_steps_of_their_own():
    firsts = [altered(ORDER, "other_values", step=step)[1] for step in (1, 2)]
    for name in ("paid", "amount", "note"):
        assert firsts[0][name] != firsts[1][name]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "server_error"])
def test_alter_leaves_a_failure_alone(kind):
    assert altered(ORDER, kind, status=404) == (404, ORDER)


def test_alter_of_what_is_no_json_can_only_empty_it():
    answer = AnswerParts(200, b"<p>hello</p>")
    assert alter(answer, "other_values") is answer
    assert alter(answer, "other_id") is answer
    assert alter(answer, "no_body").body == b""


@pytest.mark.parametrize(
    ("method", "path", "matches"),
    [
        ("GET", "/api/orders/ord_9", True),
        ("GET", "/api/orders/a%2Fb?x=/y", True),
        ("GET", "/api/%6frders/1", True),
        ("POST", "/api/orders/ord_9", False),
        ("GET", "/api/orders", False),
        ("GET", "/api/carts/ord_9", False),
    ],
)
def test_target_matches_the_path_but_for_what_varies(method, path, matches):
    assert Target("GET", ("api", "orders", None)).matches(method, path) is matches


def test_find_targets_are_the_requests_that_expectations_judge():
    targets = find_targets(make_suite())
    order = Target("POST", ("api", "orders"), ("/order_id",))
    read_back = Target("GET", ("api", "orders", None))
    page = Target("GET", ("api", "products", "prd_17"))
    assert targets == {
        "test_checkouts_answer_in_time_while_the_card_processor_hangs": [order],
        "test_checkouts_fail_fast_once_the_card_processor_keeps_hanging": [order],
        "test_product_pages_stay_healthy_while_checkouts_wait": [page],
        "test_accepted_orders_are_paid_once_after_recovery": [order, read_back],
    }


def test_find_targets_skips_what_the_preparation_sends():
    suite = make_suite()
    scenario = suite.scenarios[0]
    prepare, *rest = scenario.actions
    judged = rest[-1].request
    again = prepare.model_copy(update={"requests": (*prepare.requests, judged)})
    prepared = Suite.model_construct(scenarios=(scenario.model_copy(update={"actions": (again, *rest)}),))
    (targets,) = find_targets(prepared).values()
    assert [target.skip for target in targets] == [again.customers]


def test_target_round_trips_as_plain_values():
    target = Target("GET", ("a", None), ("/id",), 3)
    assert Target.from_json(json.loads(json.dumps(target.as_json()))) == target
