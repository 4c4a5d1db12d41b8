import numpy as np
import polars as pl
import pytest

from demo.rum.causes import CAUSES, planted_causes
from demo.rum.clients import CLIENTS, REGIONS
from demo.rum.pages import CHECKOUT, CONFIRMATION, PAYMENT, PRODUCT
from demo.rum.plan import US_PER_DAY, Plan
from demo.rum.population import APART_US, populate
from demo.rum.walk import CAUSE_CODES, LEFT, OF_THEMSELVES, SAVED, walk

SESSIONS = 60_000
PLAN = Plan(SESSIONS, 7, seed=5)
EFFECTIVE = [name for name, cause in CAUSES.items() if cause.effect]


@pytest.fixture(scope="module")
def population():
    return populate(PLAN)


@pytest.fixture(scope="module")
def views(population):
    return walk(population, 0, SESSIONS, PLAN)


def local_hours(population, views):
    return (views.time_us // 60_000_000 + population.utc_offset_min[views.session]) // 60 % 24


def test_populate_begins_every_session_in_the_time_and_in_order(population):
    assert len(population.start_us) == SESSIONS
    assert population.start_us.min() >= PLAN.start_us
    assert population.start_us.max() < PLAN.start_us + 7 * US_PER_DAY
    assert (np.diff(population.start_us) >= 0).all()


def test_populate_follows_the_clock_of_each_region(population):
    region = population.visitor_region[population.visitor]
    hours = (population.start_us // 60_000_000 + population.utc_offset_min) // 60 % 24
    for place, each in enumerate(REGIONS):
        counts = np.bincount(hours[region == place], minlength=24)
        assert counts.argmax() in {18, 19, 20, 21}, each
        assert counts[2:5].sum() < counts[19:22].sum() / 8, each


def test_populate_calls_a_visitor_new_at_most_once_and_first(population):
    sessions = pl.DataFrame({"visitor": population.visitor, "is_new": population.is_new})
    assert sessions.group_by("visitor").agg(pl.col("is_new").sum())["is_new"].max() == 1
    assert not (population.is_new & ~population.is_first).any()
    assert 0.1 < population.is_new.mean() < 0.5


def test_populate_keeps_a_visitors_sessions_apart_but_for_few(population):
    sessions = pl.DataFrame({"visitor": population.visitor, "start_us": population.start_us})
    apart = sessions.sort("visitor", "start_us").select(pl.col("start_us").diff().over("visitor"))["start_us"]
    assert (apart.drop_nulls() < APART_US).mean() < 0.002


def test_walk_numbers_the_views_and_ends_each_session_once(views):
    frame = pl.DataFrame({"session": views.session, "step": views.step, "after": views.after})
    by_session = frame.group_by("session").agg(
        pl.col("step").max().alias("last"), pl.len(), (pl.col("after") == LEFT).sum().alias("ends")
    )
    assert by_session.height == SESSIONS
    assert (by_session["last"] == by_session["len"]).all()
    assert (by_session["ends"] == 1).all()


def test_walk_goes_to_the_page_that_was_chosen_when_the_last_is_left(views):
    same = views.session[1:] == views.session[:-1]
    assert (views.page[1:][same] == views.after[:-1][same]).all()
    shown_us = ((views.load_ms + views.think_ms) * 1000).astype(np.int64)
    assert (views.time_us[1:][same] == (views.time_us + shown_us)[:-1][same]).all()


def test_walk_is_the_same_for_a_part_whatever_else_is_made(population, views):
    again = walk(population, 0, SESSIONS, PLAN)
    other = walk(population, 0, 1000, PLAN)
    assert (again.time_us == views.time_us).all()
    assert other.session.max() == 999


@pytest.mark.parametrize("name", EFFECTIVE)
def test_walk_loses_the_share_of_those_exposed_that_was_planted(views, name):
    # The stretch of an effect is part of the line from 0 to 1: of the views exposed, this share falls into it.
    exposed = views.befell(name) & (views.page != CONFIRMATION)
    lost = views.left_for[exposed] == CAUSE_CODES[name]
    error = np.sqrt(CAUSES[name].effect * (1 - CAUSES[name].effect) / exposed.sum())
    assert exposed.sum() > 150
    assert abs(lost.mean() - CAUSES[name].effect) < 4 * error + 0.02


@pytest.mark.parametrize("name", EFFECTIVE)
def test_walk_leaves_for_a_cause_only_where_it_befell(views, name):
    assert views.befell(name)[views.left_for == CAUSE_CODES[name]].all()


def test_walk_leaves_as_often_of_itself_with_a_harmless_error_as_without(views):
    later = (views.page == PRODUCT) & (views.step > 1)
    exposed = views.befell("price_error_safari")
    left = views.left_for == OF_THEMSELVES
    rates = [left[later & exposed], left[later & ~exposed]]
    error = np.sqrt(sum(rate.var() / len(rate) for rate in rates))
    assert abs(rates[0].mean() - rates[1].mean()) < 4 * error


def test_walk_confines_each_cause_to_whom_it_is_for(population, views):
    visitor = population.visitor[views.session]
    client, region = population.visitor_client[visitor], population.visitor_region[visitor]
    device = np.array([each.device for each in CLIENTS])[client]
    browser = np.array([f"{each.browser} {each.version}" for each in CLIENTS])[client]
    country = np.array([each.country for each in REGIONS])[region]
    faulted = views.befell("regional_network_fault")
    assert set(country[faulted]) == {"PL"}
    assert set(local_hours(population, views)[faulted]) == {18, 19, 20}
    assert set(device[views.befell("slow_checkout_mobile")]) == {"mobile"}
    assert set(views.page[views.befell("slow_checkout_mobile")]) == {CHECKOUT}
    assert set(browser[views.befell("price_error_safari")]) == {"Safari 26.0"}
    assert set(browser[views.befell("payment_error_safari")]) == {"Safari 26.1", "Safari 26.0", "Safari 18.6"}
    assert set(views.page[views.befell("payment_error_safari")]) == {PAYMENT}
    assert set(country[views.befell("refused_postcode")]) == {"GB"}
    assert population.is_new[views.session[views.befell("new_user_error")]].all()


def test_walk_makes_the_planted_page_slow(views):
    checkout = views.page == CHECKOUT
    slow = views.befell("slow_checkout_mobile")
    assert np.median(views.load_ms[checkout & slow]) > 4 * np.median(views.load_ms[checkout & ~slow])


def test_walk_without_causes_has_none(population):
    plan = Plan(SESSIONS, 7, seed=5, causes=())
    views = walk(population, 0, SESSIONS, plan)
    assert not views.exposed.any()
    assert not (views.left_for >= 0).any()
    assert not (views.left_for == SAVED).any()


def test_walk_keeps_people_at_the_checkout_only_in_the_treatment(population, views):
    kept = views.left_for == SAVED
    treated = population.visitor_in_treatment[population.visitor[views.session], 0]
    assert kept.sum() > 100
    assert treated[kept].all()
    assert (views.page[kept] == CHECKOUT).all()
    alone = walk(
        population, 0, SESSIONS, Plan(SESSIONS, 7, seed=5, causes=planted_causes(without=["experiment_with_effect"]))
    )
    assert not (alone.left_for == SAVED).any()
