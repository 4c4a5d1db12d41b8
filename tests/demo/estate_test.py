"""Proofs against the running shop. The condition's delay is scaled from 30 s to 6 s; everything else is the bank's."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from demo.errors import ShopError
from demo.estate import Estate
from demo.incidents import find_incident
from tests.demo.shoppers import Shopper, eventually, together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.proof

INCIDENT = find_incident("INC-2024-1234")
CONDITION = [toxic.with_latency(6_000) for toxic in INCIDENT.condition]
CROWD = 32
# Payment gives up after 1 s; what is below the 6 s of the condition was not waited for, however busy the machine.
PROMISED_S = 5.0


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Estate(tmp_path_factory.mktemp("faulty"), releases=[INCIDENT.faulty]) as estate:
        yield estate


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Estate(tmp_path_factory.mktemp("fixed"), releases=[INCIDENT.fixed]) as estate:
        yield estate


@contextmanager
def crowd(estate: Estate, size: int) -> Iterator[list[Shopper]]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        shoppers = list(pool.map(lambda _: Shopper.arrive(estate.base_url).fill_cart(), range(size)))
    try:
        yield shoppers
    finally:
        for shopper in shoppers:
            shopper.leave()


@contextmanager
def condition(estate: Estate) -> Iterator[None]:
    estate.apply(CONDITION)
    try:
        yield
    finally:
        estate.lift()


@pytest.mark.parametrize("build", ["faulty", "fixed"])
def test_shop_is_healthy_without_the_condition(build: str, request: pytest.FixtureRequest) -> None:
    estate: Estate = request.getfixturevalue(build)
    with crowd(estate, 12) as shoppers:
        answers = together([shopper.check_out for shopper in shoppers])
        assert [answer.status_code for answer in answers] == [201] * 12
        assert {answer.json()["status"] for answer in answers} == {"paid"}
        order = shoppers[0].order(answers[0].json()["order_id"])
        assert (order["status"], order["amount"], len(order["payments"])) == ("paid", 3190, 1)
        page = shoppers[0].look_at_product()
        assert page.status_code == 200
        assert [offer["months"] for offer in page.json()["offers"]] == [3, 6, 12]


def test_pool_runs_dry_on_faulty_and_product_pages_follow(faulty: Estate) -> None:
    with (
        crowd(faulty, CROWD + 1) as (onlooker, *shoppers),
        condition(faulty),
        concurrent.futures.ThreadPoolExecutor(CROWD) as pool,
    ):
        checkouts = [pool.submit(shopper.check_out) for shopper in shoppers]
        concurrent.futures.wait(checkouts, return_when=concurrent.futures.FIRST_COMPLETED)
        page = onlooker.look_at_product()
        answers = [checkout.result() for checkout in checkouts]

    failed = [answer for answer in answers if answer.status_code == 502]
    assert failed, "every checkout got a connection"
    assert "QueuePool limit of size 10 overflow 0 reached" in failed[0].json()["detail"]
    assert page.status_code == 502
    assert "catalogue answered 502: payment answered 500: TimeoutError: QueuePool" in page.json()["detail"]


def test_faulty_is_healthy_again_when_the_condition_ends(faulty: Estate) -> None:
    with crowd(faulty, 2) as shoppers:
        assert shoppers[0].check_out().status_code == 201
        assert shoppers[1].look_at_product().status_code == 200


def test_fixed_answers_in_time_and_loses_and_doubles_nothing(fixed: Estate) -> None:
    with crowd(fixed, CROWD) as shoppers:
        with condition(fixed):
            answers = together([shopper.check_out for shopper in shoppers])
            page = shoppers[0].look_at_product()
            again = shoppers[0].check_out()

        assert {answer.status_code for answer in answers} <= {201, 202}
        assert {202} <= {answer.status_code for answer in answers}, "the condition struck nobody"
        assert max(answer.elapsed.total_seconds() for answer in answers) < PROMISED_S
        assert page.status_code == 200
        assert again.json()["order_id"] == answers[0].json()["order_id"]

        orders = {answer.json()["order_id"]: shopper for answer, shopper in zip(answers, shoppers, strict=True)}
        assert len(orders) == CROWD
        for order_id, shopper in orders.items():
            assert eventually(lambda: shopper.order(order_id)["status"] == "paid", within_s=10)  # noqa: B023
            order = shopper.order(order_id)
            assert (order["amount"], [payment["status"] for payment in order["payments"]]) == (3190, ["paid"])
    ledger = httpx.get(f"{fixed.direct_url('card-processor')}/v1/charges").json()["charges"]
    charged = [entry["idempotency_key"] for entry in ledger]
    assert all(charged.count(shopper.key) == 1 for shopper in shoppers)


def test_fixed_fails_fast_once_the_breaker_is_open(fixed: Estate) -> None:
    with crowd(fixed, 16) as shoppers:
        fixed.apply([toxic.with_rate(1.0) for toxic in CONDITION])
        try:
            together([shopper.check_out for shopper in shoppers[:6]])
            late = [shopper.check_out() for shopper in shoppers[6:]]
        finally:
            fixed.lift()

        assert {answer.status_code for answer in late} == {202}
        # Ten that ask the card processor in turn wait for ten timeouts of a second.
        assert sum(answer.elapsed.total_seconds() for answer in late) < 7
        for answer, shopper in zip(late, shoppers[6:], strict=True):
            order_id = answer.json()["order_id"]
            assert eventually(lambda: shopper.order(order_id)["status"] == "paid", within_s=10)  # noqa: B023


def test_declined_card_is_not_the_shops_failure(fixed: Estate) -> None:
    with crowd(fixed, 1) as (shopper,):
        refused = shopper.check_out(card_token="tok_declined_1")
        assert (refused.status_code, refused.json()["detail"]) == (402, "the card was declined")
        assert shopper.check_out(card_token="tok_visa_1").json()["status"] == "paid"


def test_deploy_replaces_a_service_without_a_refused_request(tmp_path: Path) -> None:
    with Estate(tmp_path, releases=[INCIDENT.previous]) as estate:
        before = estate.pids["payment"]
        shopper = Shopper.arrive(estate.base_url)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            rollout = pool.submit(estate.deploy, INCIDENT.faulty)
            statuses = {shopper.look_at_product().status_code}
            while not rollout.done():
                statuses.add(shopper.look_at_product().status_code)
        times = rollout.result()
        version = httpx.get(f"{estate.direct_url('payment')}/healthz").json()["version"]
        after = estate.pids["payment"]
        shopper.leave()

    assert statuses == {200}
    assert version == "2.4.2"
    assert before != after
    assert times.started_us < times.ready_us <= times.finished_us


def test_estate_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    with Estate(tmp_path, releases=[INCIDENT.fixed]) as estate:
        pids = list(estate.pids.values())
        urls = [estate.base_url, estate.toxiproxy_url, *estate.proxied.values()]
        assert all(is_running(pid) for pid in pids)
        assert len(pids) == 7

    assert not any(is_running(pid) for pid in pids)
    for url in urls:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(address(url)):
            pytest.fail(f"{url} is still open")


def test_estate_names_the_process_that_died_and_shows_its_log(tmp_path: Path) -> None:
    with Estate(tmp_path, releases=[INCIDENT.fixed]) as estate:
        os.kill(estate.pids["auth"], signal.SIGKILL)

        def has_died() -> bool:
            try:
                estate.require_alive()
            except ShopError as error:
                return "auth" in str(error) and "auth 3.3.1 is ready" in str(error)
            return False

        assert eventually(has_died, within_s=5)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0
