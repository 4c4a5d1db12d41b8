import pytest

from demo.incidents.model import Traffic
from demo.shop.assortment import COUPONS
from demo.traffic.plans import SESSION_KINDS, plan_sessions
from prodintel_lib.errors import ParameterError

TRAFFIC = Traffic(sessions_per_s=2.0, kinds={"quick_buyer": 3.0, "browser": 1.0})


def test_plan_sessions_is_the_same_for_the_same_seed() -> None:
    assert plan_sessions(TRAFFIC, duration_s=60, seed=5) == plan_sessions(TRAFFIC, duration_s=60, seed=5)


def test_plan_sessions_differs_by_seed() -> None:
    assert plan_sessions(TRAFFIC, duration_s=60, seed=5) != plan_sessions(TRAFFIC, duration_s=60, seed=6)


def test_plan_sessions_of_a_longer_run_begins_with_the_shorter() -> None:
    short = plan_sessions(TRAFFIC, duration_s=60, seed=5)

    assert plan_sessions(TRAFFIC, duration_s=120, seed=5)[: len(short)] == short


def test_plan_sessions_arrives_in_order_at_about_the_rate_with_the_mix() -> None:
    plans = plan_sessions(TRAFFIC, duration_s=1_000, seed=5)

    starts = [plan.start_s for plan in plans]
    assert starts == sorted(starts)
    assert max(starts) < 1_000
    assert 1_850 < len(plans) < 2_150
    assert 0.72 < sum(plan.kind == "quick_buyer" for plan in plans) / len(plans) < 0.78
    assert all(tuple(step.action for step in plan.steps) == SESSION_KINDS[plan.kind] for plan in plans)
    assert 0.55 < sum(plan.customer.member is None for plan in plans) / len(plans) < 0.65


def test_plan_sessions_puts_what_was_looked_at_into_the_cart() -> None:
    plan = next(plan for plan in plan_sessions(TRAFFIC, duration_s=60, seed=5) if plan.kind == "quick_buyer")

    looked_at, added = plan.steps[0], plan.steps[1]

    assert looked_at.product_id == added.product_id != ""


def test_plan_sessions_draws_coupons_by_language_and_lists_without_repetition() -> None:
    kinds = {"coupon_buyer": 1.0, "wholesaler": 1.0}
    plans = plan_sessions(Traffic(2.0, kinds), duration_s=300, seed=5)

    codes = {
        (plan.customer.locale.partition("-")[0], step.words)
        for plan in plans
        for step in plan.steps
        if step.action == "coupon"
    }
    lists = [step.items for plan in plans for step in plan.steps if step.action == "list"]
    assert {code for language, code in codes if language == "en"} == {"WELCOME10", "SAVE5"}
    assert ("fr", "ÉTÉ2024") in codes
    assert all(24 <= len(items) <= 60 and len({product_id for product_id, _ in items}) == len(items) for items in lists)


def test_plan_sessions_draws_notes_and_codes_that_do_not_exist() -> None:
    kinds = {"gift_buyer": 1.0, "coupon_hunter": 1.0}
    steps = [step for plan in plan_sessions(Traffic(2.0, kinds), duration_s=200, seed=5) for step in plan.steps]

    notes = {step.words for step in steps if step.action == "gift_checkout"}
    codes = {step.words for step in steps if step.action == "guess"}
    assert {note.isascii() for note in notes} == {True, False}
    assert codes
    assert codes.isdisjoint(COUPONS)


def test_plan_sessions_refuses_an_unknown_kind() -> None:
    with pytest.raises(ParameterError, match=r"kind of session `browsr`(.|\n)*did you mean `browser`"):
        plan_sessions(Traffic(1.0, {"browsr": 1.0}), duration_s=1, seed=0)
