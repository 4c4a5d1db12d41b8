from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from demo.shop.carts import Carts, choose_carts, tables
from demo.shop.database import open_database
from demo.shop.policies import OrdersPolicy
from demo.shop.problems import ProblemError

PRICES = {"prd_1": 100, "prd_2": 250}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.chdir(tmp_path)
    return open_database("orders", tables, pool_size=4, pool_timeout_s=5)


def find_products(product_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [{"product_id": key, "name": key.upper(), "price": PRICES[key]} for key in product_ids]


def contents(carts: Carts, database: Engine) -> tuple[dict[str, int], int]:
    with database.connect() as connection:
        items, amount = carts.read(connection, "ses_1")
    return {item["product_id"]: item["quantity"] for item in items}, amount


@pytest.mark.parametrize("kind", ["rows", "document", "versioned_document"])
def test_carts_add_up_what_comes_in_turn(kind, database: Engine) -> None:
    carts = choose_carts(OrdersPolicy(cart=kind), database)

    carts.add("ses_1", {"prd_2": 1}, find_products)
    carts.add("ses_1", {"prd_1": 2, "prd_2": 3}, find_products)

    assert contents(carts, database) == ({"prd_1": 2, "prd_2": 4}, 1_200)
    carts.empty("ses_1")
    assert contents(carts, database) == ({}, 0)


@pytest.mark.parametrize(
    ("kind", "kept"), [("rows", {"prd_1": 2}), ("document", {"prd_1": 1}), ("versioned_document", {"prd_1": 2})]
)
def test_only_document_carts_lose_what_comes_in_between(kind, kept: dict[str, int], database: Engine) -> None:
    carts = choose_carts(OrdersPolicy(cart=kind), database)
    others = [{"prd_1": 1}]

    def find_while_another_adds(product_ids: Sequence[str]) -> list[dict[str, Any]]:
        if others:
            carts.add("ses_1", others.pop(), find_products)
        return find_products(product_ids)

    carts.add("ses_1", {"prd_1": 1}, find_while_another_adds)

    assert contents(carts, database) == (kept, 200)


def test_versioned_document_gives_up_when_it_is_always_too_late(database: Engine) -> None:
    carts = choose_carts(OrdersPolicy(cart="versioned_document"), database)

    def find_while_another_adds(product_ids: Sequence[str]) -> list[dict[str, Any]]:
        carts.add("ses_1", {"prd_2": 1}, find_products)
        return find_products(product_ids)

    with pytest.raises(ProblemError, match="being changed by somebody else"):
        carts.add("ses_1", {"prd_1": 1}, find_while_another_adds)
