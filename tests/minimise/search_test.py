"""The search on pretended systems, where what it takes is known."""

import random
from collections import Counter

import pytest

from prodintel_lib.certify import Outcome
from prodintel_lib.errors import ConditionError, ParameterError
from prodintel_lib.minimise.payload import failing_requests
from prodintel_lib.minimise.search import minimise, scaled
from prodintel_lib.scenarios.model import (
    Answered,
    Behaviour,
    DependencyFault,
    Disturb,
    Prepare,
    Recovers,
    Send,
    Wait,
)
from tests.minimise.pretended import GREEN, RED, Pretended
from tests.renderers.suites import FILL_CART, PLACE_ORDER, START_SESSION, graceful, integrity, scenario

DIGEST = "0" * 16


def order(candidate):
    return next((request for request in failing_requests(candidate) if request.id == "place_order"), None)


def customers(candidate):
    return sum(action.customers for action in candidate.actions if isinstance(action, Prepare))


def search(system, whole=None, **options):
    bounds = {name: options.pop(name) for name in ("max_runs", "max_minutes") if name in options}
    bench = system.bench(**{"max_runs": 1000} | bounds)
    return minimise(whole or graceful(2500), incident_id="INC-7", suite_digest=DIGEST, bench=bench, **options)


def finding(minimal, name):
    return next(each for each in minimal.findings if each.name == name)


def needs_three_and_express(candidate):
    return customers(candidate) >= 3 and "shipping" in order(candidate).body and bool(candidate.conditions)


def test_minimise_leaves_what_it_takes_and_nothing_else():
    minimal = search(Pretended(needs_three_and_express))
    assert minimal.is_minimal
    assert customers(minimal.scenario) == 3
    assert order(minimal.scenario).body == {"shipping": "express"}
    assert minimal.scenario.actions[0].requests == (), "neither the session nor the cart is needed here"
    assert [condition.latency_ms for condition in minimal.scenario.conditions] == [1]
    assert (minimal.original_shown, minimal.original_runs, minimal.shown, minimal.runs) == (5, 5, 5, 5)


def test_minimise_says_of_every_part_whether_it_mattered_with_its_runs():
    minimal = search(Pretended(needs_three_and_express))
    roles = {(each.unit, each.name): (each.role, each.shown, each.runs) for each in minimal.findings}
    assert roles["condition", "card_processor_hangs"][:2] == ("mattered", 0)
    assert roles["condition", "card_processor_hangs"][2] >= 5, "every control left it out"
    assert roles["payload_field", "place_order: body /shipping"] == ("mattered", 0, 2)
    assert roles["payload_field", "place_order: body /payment_method"] == ("did_not_matter", 4, 4)
    assert roles["customers", "buyers"] == ("reduced", 0, 2), "one fewer was run, and did not show it"
    assert (finding(minimal, "buyers").before, finding(minimal, "buyers").after) == (6, 3)
    assert roles["set_up_request", "POST /api/sessions by buyers"][0] == "did_not_matter"
    assert roles["expectation", "checkouts are answered"][0] == "needed"
    assert minimal.of_role("not_tried") == ()


def test_minimise_gives_the_same_result_twice():
    first, second = (search(Pretended(needs_three_and_express)) for _ in range(2))
    assert first.as_json() == second.as_json()


def test_minimise_does_not_slip_to_a_failure_of_another_kind():
    # Without a payment method it fails on any system, also in the way users met: that is another failure.
    def other_failure(candidate):
        return "payment_method" not in order(candidate).body

    system = Pretended(lambda candidate: bool(candidate.conditions), fails=other_failure)
    minimal = search(system)
    assert order(minimal.scenario).body == {"payment_method": "card"}
    needed = finding(minimal, "place_order: body /payment_method")
    assert (needed.role, needed.why) == ("needed", "not green without the conditions either: status 422")


def test_minimise_keeps_values_consistent_without_running_what_cannot_be():
    system = Pretended(lambda candidate: any(r.into == "header" for r in order(candidate).replacements))
    minimal = search(system)
    assert [request.id for request in minimal.scenario.actions[0].requests] == ["start_session"]
    session = finding(minimal, "POST /api/sessions by buyers")
    assert (session.role, session.runs) == ("needed", 0)
    assert session.why == "POST /api/orders needs `token` of an answer before it"


def test_minimise_tells_whether_it_takes_one_moment():
    def in_turn_too(candidate):
        return customers(candidate) >= 2

    def at_once_only(candidate):
        send = next(action for action in candidate.actions if isinstance(action, Send))
        return customers(candidate) >= 2 and send.how == "together"

    assert finding(search(Pretended(in_turn_too)), "checkouts").role == "did_not_matter"
    assert finding(search(Pretended(at_once_only)), "checkouts").role == "mattered"


def test_minimise_drops_what_is_expected_beside_the_symptom():
    minimal = search(
        Pretended(lambda candidate: any(each.of == "orders" for each in candidate.expectations)), integrity()
    )
    assert [each.of for each in minimal.scenario.expectations] == ["orders"]
    assert [action.do for action in minimal.scenario.actions] == ["prepare", "apply", "send"]


def test_minimise_shortens_a_long_list_from_both_ends():
    whole = graceful(2500)
    many = PLACE_ORDER.model_copy(update={"body": {"items": list(range(40))}, "replacements": ()})
    whole = whole.model_copy(
        update={"actions": (*whole.actions[:2], whole.actions[2].model_copy(update={"request": many}))}
    )
    minimal = search(Pretended(lambda candidate: 17 in (order(candidate).body.get("items") or ())), whole)
    assert order(minimal.scenario).body == {"items": [17]}
    items = finding(minimal, "place_order: items of body /items")
    assert (items.role, items.before, items.after) == ("reduced", 40, 1)


def test_minimise_leaves_waits_and_copies_only_where_they_tell():
    behaviour = Behaviour(id="customers_at_once", differs="sent twice", seen="5 of 5")
    whole = scenario(
        "twice",
        title="Twice",
        kind="graceful_handling",
        conditions=(behaviour,),
        actions=(
            Prepare(customers=4, requests=(START_SESSION,), label="buyers"),
            Wait(seconds=3),
            Send(request=FILL_CART, customers="buyers", copies=4, label="copies"),
            Send(request=PLACE_ORDER, customers="buyers", label="orders"),
        ),
        expectations=(Answered(of="orders", deadline_ms=500, statuses=(201,), oracle="baseline"),),
    )

    def raced(candidate):
        return any(isinstance(action, Send) and action.copies >= 2 for action in candidate.actions)

    minimal = search(Pretended(raced), whole)
    assert [action.do for action in minimal.scenario.actions] == ["prepare", "send", "send"]
    assert (finding(minimal, "copies").before, finding(minimal, "copies").after) == (4, 2)
    assert finding(minimal, "wait of 3 s").role == "did_not_matter"
    assert finding(minimal, "customers_at_once").role == "mattered"


def test_minimise_copes_with_an_outcome_that_is_flaky():
    chance = random.Random(7)
    system = Pretended(lambda candidate: needs_three_and_express(candidate) and chance.random() < 0.9)
    minimal = search(system, max_runs=3000)
    assert needs_three_and_express(minimal.scenario)
    assert minimal.shown >= 3


def test_minimise_goes_back_to_what_holds_where_what_it_found_does_not():
    """With one customer it shows it four times, as on a machine that is busy for a while, and never again."""
    lucky = [True] * 4
    minimal = search(Pretended(lambda candidate: customers(candidate) >= 2 or (bool(lucky) and lucky.pop())))
    assert lucky == []
    assert customers(minimal.scenario) == 2
    assert (minimal.is_minimal, minimal.shown) == (True, 5)


def test_minimise_of_what_does_not_hold_says_that_it_is_not_minimal():
    """Whatever it is, it shows it four times and then five times not."""
    tried = Counter()

    def shows(candidate):
        key = candidate.model_dump_json()
        tried[key] += 1
        return customers(candidate) == 6 or tried[key] % 9 < 5

    minimal = search(Pretended(shows))
    assert minimal.stopped == "what is smaller shows it only now and then"
    assert not minimal.is_minimal


def test_minimise_of_what_does_not_show_the_symptom_says_so():
    with pytest.raises(
        ConditionError, match=r"does not show the symptom .* in any of 5 runs; the last was green"
    ) as error:
        search(Pretended(lambda _: False))
    assert error.value.exit_code == 1


def test_minimise_of_what_fails_without_the_conditions_too_says_so():
    with pytest.raises(ConditionError, match=r"Without its conditions .* is not green: .*status 422"):
        search(Pretended(lambda _: True, fails=lambda _: True))


def test_minimise_of_what_is_skipped_says_why():
    system = Pretended(lambda _: True)
    system.run = lambda _scenario, without: (
        GREEN if without else Outcome("skipped", "", "conditions need TOXIPROXY_URL")
    )
    with pytest.raises(ConditionError, match="cannot be applied: conditions need TOXIPROXY_URL"):
        search(system)


def test_minimise_takes_another_symptom_for_none():
    system = Pretended(lambda _: True)
    system.run = lambda _scenario, without: GREEN if without else Outcome("red", "wrong_state", "not paid")
    with pytest.raises(ConditionError, match="the last was red: not paid"):
        search(system)


@pytest.mark.parametrize(
    ("bounds", "words"), [({"max_runs": 12}, "12 runs were taken"), ({"max_minutes": 0.5}, "0.5 minutes went by")]
)
def test_minimise_ends_at_a_bound_and_says_what_was_not_tried(bounds, words):
    minimal = search(Pretended(needs_three_and_express), **bounds)
    assert words in minimal.stopped
    assert not minimal.is_minimal
    assert needs_three_and_express(minimal.scenario)
    assert "place_order: body /payment_method" in {each.name for each in minimal.of_role("not_tried")}


def test_scaled_shortens_delays_and_refuses_those_that_prove_nothing():
    assert [c.latency_ms for c in scaled(graceful(2500), 0.2).conditions] == [6000]
    with pytest.raises(
        ParameterError, match="the delay of `card_processor_hangs` is 1500 ms, within the deadline of 2500"
    ):
        scaled(graceful(2500), 0.05)


def test_minimise_keeps_one_of_two_conditions_where_one_is_enough():
    second = DependencyFault(id="mail_fails", dependency="mail", proxy="mail", rate=1, status=503, seen="9 of 9")
    whole = graceful(2500)
    apply = whole.actions[1].model_copy(update={"conditions": ("card_processor_hangs", "mail_fails")})
    whole = whole.model_copy(
        update={"conditions": (*whole.conditions, second), "actions": (whole.actions[0], apply, whole.actions[2])}
    )
    minimal = search(Pretended(lambda candidate: "mail_fails" in {each.id for each in candidate.conditions}), whole)
    assert [each.id for each in minimal.scenario.conditions] == ["mail_fails"]
    assert finding(minimal, "card_processor_hangs").role == "did_not_matter"
    assert finding(minimal, "mail_fails").role == "mattered"
    assert RED.symptom in whole.symptom.kinds


def disturbed():
    """Return customers who fail after what others sent, and a look before at whether all is well."""
    others = Behaviour(id="wake", differs="others sent an order before", seen="40 of 42 came after one")
    return scenario(
        "pages_are_answered_after_what_others_sent",
        title="Pages are answered after what others sent",
        kind="graceful_handling",
        conditions=(others,),
        actions=(
            Prepare(customers=1, requests=(START_SESSION, FILL_CART), label="first_visitors"),
            Send(request=PLACE_ORDER, customers="first_visitors", how="until_recovered", label="before"),
            Prepare(customers=4, requests=(START_SESSION, FILL_CART), label="disturbers"),
            Disturb(request=PLACE_ORDER, customers="disturbers"),
            Prepare(customers=3, requests=(START_SESSION, FILL_CART), label="visitors"),
            Send(request=PLACE_ORDER, customers="visitors", label="answers"),
        ),
        expectations=(
            Recovers(of="before", deadline_ms=2500, statuses=(201,), within_s=20, oracle="the baseline"),
            Answered(of="answers", deadline_ms=2500, statuses=(201,), oracle="the baseline"),
        ),
    )


class Lingering(Pretended):
    """Stays in the wake of a disturbance until somebody has looked whether all is well."""

    poisoned = False

    def run(self, scenario, without_conditions):
        if any(isinstance(each, Recovers) for each in scenario.expectations):
            self.poisoned = False
        if not without_conditions and any(isinstance(action, Disturb) for action in scenario.actions):
            self.poisoned = True
        self.tried.append((scenario, without_conditions))
        judged = any(each.of == "answers" for each in scenario.expectations)
        return RED if self.poisoned and judged else GREEN


def test_minimise_keeps_the_look_before_without_which_a_run_begins_in_the_wake_of_the_last():
    minimal = search(Lingering(lambda _: True), disturbed())
    assert minimal.is_minimal
    assert [each.of for each in minimal.scenario.expectations] == ["before", "answers"]
    look = finding(minimal, "before show that it recovered")
    assert (look.role, look.why) == ("needed", "shows that no run begins in the wake of the one before")
    assert finding(minimal, "wake").role == "mattered"
    assert [a.customers for a in minimal.scenario.actions if isinstance(a, Prepare)] == [1, 1, 1]
