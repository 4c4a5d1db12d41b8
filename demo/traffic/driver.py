"""Customers at work: sends what they planned, and does what people do when nothing comes."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.traffic.plans import SessionPlan, Step


@dataclass(frozen=True, slots=True)
class Answer:
    """What a customer got for one request.

    Attributes
    ----------
    time_s : float
        When it was over, seconds since the epoch.
    route : str
        Such as ``POST /api/orders``.
    status : int
        The HTTP status; 0 when the customer gave up or the connection broke.
    elapsed_s : float
    """

    time_s: float
    route: str
    status: int
    elapsed_s: float

    @property
    def is_failure(self) -> bool:
        """Whether the customer got no answer, or the shop's excuse."""
        return self.status == 0 or self.status >= 500

    @property
    def is_success(self) -> bool:
        """Whether the customer got what was asked for."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the gateway; `route` is the path's template where it has one."""

    method: str
    path: str
    route: str = ""
    params: dict[str, str] | None = None
    body: dict[str, Any] | None = None


async def drive(base_url: str, plans: Sequence[SessionPlan], *, seed: int, on_answer: Callable[[Answer], None]) -> None:
    """Let every planned visit happen at its time; cancel it to end early.

    Parameters
    ----------
    base_url : str
        The gateway.
    plans : sequence of SessionPlan
        By start.
    seed : int
        Decides what impatient customers do.
    on_answer : callable
        Is told of every answer.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    beginning_s = time.monotonic()
    async with (
        httpx.AsyncClient(base_url=base_url, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as visits,
    ):
        for plan in plans:
            await asyncio.sleep(max(0.0, beginning_s + plan.start_s - time.monotonic()))
            visits.create_task(Visit(client, plan, seed=seed, on_answer=on_answer).run())


class Visit:
    """One customer's visit."""

    def __init__(
        self, client: httpx.AsyncClient, plan: SessionPlan, *, seed: int, on_answer: Callable[[Answer], None]
    ) -> None:
        self._client = client
        self._plan = plan
        self._on_answer = on_answer
        self._rng = random.Random(f"{seed}/{plan.number}")  # noqa: S311 - behaviour, not secrets
        self._headers = {"User-Agent": plan.customer.user_agent}
        self._order_id = ""

    async def run(self) -> None:
        """Go through the plan; a customer who does not get further leaves."""
        if not await self._sign_in():
            return
        for step in self._plan.steps:
            await asyncio.sleep(step.think_s)
            if step.action in {"order", "confirmation"} and not self._order_id:
                return
            if not await self._insist(step):
                return

    async def _sign_in(self) -> bool:
        customer = self._plan.customer
        body: dict[str, Any] = {"locale": customer.locale}
        if customer.member:
            body |= {"email": customer.member.email, "password": customer.member.password}
        answer, content = await self._send(Call("POST", "/api/sessions", body=body))
        if answer.is_success:
            self._headers["Authorization"] = f"Bearer {content['token']}"
        return answer.is_success

    async def _insist(self, step: Step) -> bool:
        """Do one step; press again, with the same idempotency key, as often as the customer's nature has it."""
        key = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        for _attempt in range(self._plan.customer.persistence + 1):
            call = self._call_for(step, key)
            if step.action == "add_twice":
                # A double click: the browser sends both.
                (first, _), (answer, content) = await asyncio.gather(self._send(call), self._send(call))
                answer = answer if first.is_success else first
            else:
                answer, content = await self._send(call)
            if answer.is_success:
                self._order_id = content.get("order_id", self._order_id)
                return True
            if 400 <= answer.status < 500:
                # Who tries his luck with coupons tries the next one.
                return step.action == "guess"
            await asyncio.sleep(self._rng.uniform(0.5, 2.5))
        return False

    def _call_for(self, step: Step, key: str) -> Call:
        match step.action:
            case "checkout" | "express_checkout" | "gift_checkout" | "wallet_checkout":
                return Call("POST", "/api/orders", body=self._checkout(key) | self._wishes(step))
            case "order" | "confirmation":
                suffix = "/confirmation" if step.action == "confirmation" else ""
                path, route = f"/api/orders/{self._order_id}{suffix}", f"/api/orders/{{order_id}}{suffix}"
                return Call("GET", path, route=route)
            case "quote":
                return Call("POST", "/api/cart/quote", body={"country": self._country})
            case "local_product":
                return replace(_browsing_call(step), params={"region": self._country})
            case "add" | "add_twice" | "list" | "coupon" | "guess" | "cart":
                return _cart_call(step)
            case _:
                return _browsing_call(step)

    @property
    def _country(self) -> str:
        return self._plan.customer.locale.partition("-")[2]

    def _wishes(self, step: Step) -> dict[str, Any]:
        """Return what a customer wants of this order besides the usual."""
        match step.action:
            case "express_checkout":
                return {"shipping": {"method": "express", "country": self._country}}
            case "gift_checkout":
                return {"gift_note": step.words}
            case "wallet_checkout":
                return {"payment_method": "wallet"}
            case _:
                return {}

    def _checkout(self, key: str) -> dict[str, Any]:
        customer = self._plan.customer
        kind = "declined" if customer.card_declined else "visa"
        return {
            "payment_method": "card",
            "card_token": f"tok_{kind}_{self._plan.number:06d}",
            "shipping": {"method": "standard", "country": self._country},
            "idempotency_key": key,
        }

    async def _send(self, call: Call) -> tuple[Answer, dict[str, Any]]:
        began_s = time.monotonic()
        content: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self._plan.customer.patience_s):
                response = await self._client.request(
                    call.method, call.path, params=call.params, json=call.body, headers=self._headers, timeout=None
                )
            status = response.status_code
            content = response.json()
        except (TimeoutError, httpx.TransportError, ValueError):
            status = 0
        route = f"{call.method} {call.route or call.path}"
        answer = Answer(time.time(), route, status, time.monotonic() - began_s)
        self._on_answer(answer)
        return answer, content


def _cart_call(step: Step) -> Call:
    match step.action:
        case "list":
            items = [{"product_id": product_id, "quantity": quantity} for product_id, quantity in step.items]
            return Call("POST", "/api/cart/list", body={"items": items})
        case "coupon" | "guess":
            return Call("POST", "/api/cart/coupon", body={"code": step.words})
        case "cart":
            return Call("GET", "/api/cart")
        case _:
            item = {"product_id": step.product_id, "quantity": step.quantity}
            return Call("POST", "/api/cart/items", body=item)


def _browsing_call(step: Step) -> Call:
    match step.action:
        case "home":
            return Call("GET", "/api/home")
        case "preferences":
            return Call("PUT", "/api/preferences", body={"currency": step.words})
        case "category":
            return Call("GET", "/api/products", params={"category": step.words})
        case "search":
            return Call("GET", "/api/search", params={"q": step.words})
        case "availability":
            path = f"/api/products/{step.product_id}/availability"
            return Call("GET", path, route="/api/products/{product_id}/availability")
        case _:
            return Call("GET", f"/api/products/{step.product_id}", route="/api/products/{product_id}")
