"""A small suite of every kind of scenario, for the tests of the renderers."""

from prodintel_lib.scenarios.model import (
    Answered,
    Apply,
    DependencyFault,
    Evidence,
    Extract,
    Extracted,
    Fact,
    Fresh,
    Lift,
    Masked,
    Prepare,
    Provenance,
    Recovers,
    Replacement,
    Request,
    Scenario,
    Send,
    Settles,
    Suite,
    Symptom,
)

BEARER = Replacement(into="header", at="authorization", value=Extracted(name="token", prefix="Bearer "))

START_SESSION = Request(
    id="start_session",
    method="POST",
    route="/api/sessions",
    path="/api/sessions",
    body={"locale": "en-GB"},
    extracts=(Extract(name="token", pointer="/token"),),
)
FILL_CART = Request(
    id="fill_cart",
    method="POST",
    route="/api/cart/items",
    path="/api/cart/items",
    body={"product_id": "prd_17", "quantity": 2},
    replacements=(BEARER,),
)
PLACE_ORDER = Request(
    id="place_order",
    method="POST",
    route="/api/orders",
    path="/api/orders",
    headers=(("accept-language", "en-GB"),),
    body={
        "payment_method": "card",
        "card_token": "[masked]",
        "shipping": "express",
        "idempotency_key": "7c1f0d3e-8d57-4f52-9f0e-2f8a3f1f9d11",
    },
    replacements=(
        BEARER,
        Replacement(into="body", at="/idempotency_key", value=Fresh()),
        Replacement(into="body", at="/card_token", value=Masked(name="card_token")),
    ),
    extracts=(Extract(name="order_id", pointer="/order_id"),),
)
READ_ORDER = Request(
    id="read_order",
    method="GET",
    route="/api/orders/{order_id}",
    path="/api/orders/ord_recorded",
    replacements=(BEARER, Replacement(into="path", at="2", value=Extracted(name="order_id"))),
)
READ_PRODUCT = Request(
    id="read_product",
    method="GET",
    route="/api/products/{product_id}",
    path="/api/products/prd_17",
    query=(("currency", "EUR"), ("view", "full page")),
)

SYMPTOM = Symptom(
    route="POST /api/orders",
    kinds=("no_answer_in_time", "server_error"),
    statuses=(504,),
    words="no answer for 20 s, then status 504",
    failed=366,
    requests=812,
)
PAGE_SYMPTOM = SYMPTOM.model_copy(update={"route": "GET /api/products/{product_id}", "failed": 41, "requests": 1520})


def hangs(rate: float, latency_ms: int = 30_000) -> DependencyFault:
    return DependencyFault(
        id="card_processor_hangs",
        dependency="card-processor",
        proxy="card-processor",
        rate=rate,
        latency_ms=latency_ms,
        seen="366 of 812 calls took 30 s; in the baseline p99 was 290 ms and none failed",
    )


def scenario(scenario_id: str, **fields) -> Scenario:
    return Scenario(
        id=scenario_id,
        seen="366 of 812 checkouts failed from 14:23 to 14:29 UTC.",
        provenance=Provenance(generator="prodintel 0.1.0", incident_id="INC-2024-1234", input_digest="5c1e9a0b7d42"),
        **{"priority": "P1", "symptom": SYMPTOM, "evidence": (Evidence(saw="checkouts failed", table="spans", n=812),)}
        | fields,
    )


def buyers(customers: int) -> Prepare:
    return Prepare(customers=customers, requests=(START_SESSION, FILL_CART), label="buyers")


def graceful(deadline_ms: int) -> Scenario:
    return scenario(
        "checkouts_answer_in_time_while_the_card_processor_hangs",
        title="Checkouts are answered in time while the card processor hangs",
        kind="graceful_handling",
        priority="P0",
        conditions=(hangs(0.45),),
        actions=(
            buyers(6),
            Apply(conditions=("card_processor_hangs",)),
            Send(request=PLACE_ORDER, customers="buyers", how="together", label="checkouts"),
        ),
        expectations=(
            Answered(
                of="checkouts",
                deadline_ms=deadline_ms,
                statuses=(201, 202),
                refusals=True,
                oracle="the objective of POST /api/orders: 2,500 ms at the 99th percentile; statuses of the baseline",
            ),
        ),
    )


def fails_fast(deadline_ms: int) -> Scenario:
    return scenario(
        "checkouts_fail_fast_once_the_card_processor_keeps_hanging",
        title="Checkouts fail fast once the card processor keeps hanging",
        kind="fails_fast",
        conditions=(hangs(1.0),),
        actions=(
            buyers(4),
            Prepare(customers=2, requests=(START_SESSION, FILL_CART), label="later_buyers"),
            Apply(conditions=("card_processor_hangs",)),
            Send(request=PLACE_ORDER, customers="buyers", how="together", label="first_checkouts"),
            Send(request=PLACE_ORDER, customers="later_buyers", how="in_turn", label="later_checkouts"),
        ),
        expectations=(
            Answered(
                of="later_checkouts",
                deadline_ms=deadline_ms,
                statuses=(201, 202),
                refusals=True,
                oracle="p99 of the baseline: 640 ms",
            ),
        ),
    )


def isolation(deadline_ms: int) -> Scenario:
    return scenario(
        "product_pages_stay_healthy_while_checkouts_wait",
        title="Product pages stay healthy while checkouts wait",
        kind="isolation",
        symptom=PAGE_SYMPTOM,
        conditions=(hangs(1.0),),
        actions=(
            buyers(4),
            Prepare(customers=3, requests=(START_SESSION,), label="visitors"),
            Apply(conditions=("card_processor_hangs",)),
            Send(request=PLACE_ORDER, customers="buyers", how="behind", label="waiting_checkouts"),
            Send(request=READ_PRODUCT, customers="visitors", how="together", label="product_pages"),
        ),
        expectations=(
            Answered(
                of="product_pages",
                deadline_ms=deadline_ms,
                statuses=(200,),
                oracle="the objective of GET /api/products/{product_id}: 1,000 ms at the 99th percentile",
            ),
        ),
    )


def integrity() -> Scenario:
    return scenario(
        "accepted_orders_are_paid_once_after_recovery",
        title="Accepted orders are paid once after recovery",
        kind="integrity_recovery",
        conditions=(hangs(0.45),),
        actions=(
            buyers(3),
            Apply(conditions=("card_processor_hangs",)),
            Send(request=PLACE_ORDER, customers="buyers", how="in_turn", label="orders"),
            Lift(),
            Send(request=PLACE_ORDER, customers="buyers", how="until_recovered", label="later_orders"),
        ),
        expectations=(
            Recovers(
                of="later_orders",
                deadline_ms=2500,
                statuses=(201,),
                within_s=3.0,
                oracle="statuses of the baseline",
            ),
            Settles(
                of="orders",
                read=READ_ORDER,
                facts=(
                    Fact(pointer="/status", check="equals", value="paid"),
                    Fact(pointer="/amount", check="same_as_answer", other="/amount"),
                    Fact(pointer="/payments", check="length", value=1),
                ),
                within_s=2.5,
                oracle="in the baseline every accepted order was paid, once",
            ),
        ),
    )


def make_suite(deadline_ms: int = 2500, page_deadline_ms: int = 1000) -> Suite:
    return Suite(
        incident_id="INC-2024-1234",
        title="Checkouts fail while the card processor hangs",
        scenarios=(graceful(deadline_ms), fails_fast(deadline_ms), isolation(page_deadline_ms), integrity()),
    )
