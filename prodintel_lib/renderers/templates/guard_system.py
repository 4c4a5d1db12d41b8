"""The system a guard is run against, over httpx."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from prodintel_lib.renderers.templates.guard_plan import (
    GRACE_MS,
    PREPARATION_MS,
    READS,
    Tally,
    limit_ms,
    what_is_wrong,
)
from prodintel_lib.renderers.templates.replay_requests import MISSING, SetUpError, at_pointer, fill, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PREPARED_AT_ONCE = 8
NEVER = httpx.Timeout(None)  # `wait_for` keeps the time, over whole requests
WORDS = {
    "error_ratio": "requests that fail",
    "latency": "requests slower than the limit",
    "throughput": "requests without an answer in time at production's rate",
    "conversion": "journeys that do not get through",
}

Data = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say."""

    base_url: str
    loopback: bool
    allow_writes: bool
    latency_factor: float
    worker: bool


@dataclass
class Customer:
    """One customer: a client with its own cookies, the values that answers gave it, and what it is there for."""

    client: httpx.AsyncClient
    exchange: Data
    values: dict[str, Any] = field(default_factory=dict)
    lost: str = ""
    reason: str = ""


class Guarded:
    """The system under test; a guard holds on it or does not."""

    def __init__(
        self,
        settings: Settings,
        requests: Data,
        secret_values: Mapping[str, str],
        record: Callable[[str, object], None],
    ) -> None:
        self._settings = settings
        self._requests = requests
        self._secrets = secret_values
        self._record = record

    def assert_holds(self, guard: Data) -> None:
        """Send until the plan concludes; fail where the signal is as bad as in the anomaly, or nobody can tell."""
        __tracebackhide__ = True
        tally = asyncio.run(self._judged(guard))
        symptom, told = tally.conclusion()
        self._record("requests", tally.sent)
        self._record("bad", tally.bad)
        if symptom == "healthy":
            return
        self._record("symptom", symptom)
        if symptom in {"setup", "unreachable"}:
            pytest.fail(f"{symptom}: {told}.\nThis is no judgement: the guard could not be run.")
        healthy, anomalous = guard["healthy"], guard["anomalous"]
        limit = f" ({limit_ms(guard, self._settings.latency_factor):.0f} ms)" if guard["kind"] == "latency" else ""
        pytest.fail(
            f"{symptom}: {told}.\nExpected: {WORDS[guard['kind']]}{limit} as when healthy, {healthy['bad']} of "
            f"{healthy['n']}; in {guard['finding_id']} they were {anomalous['bad']} of {anomalous['n']}."
        )

    async def _judged(self, guard: Data) -> Tally:
        tally = Tally(guard)
        # A connection a request: an idle one that the server closes meanwhile would look like a failure of its own.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncHTTPTransport(limits=limits, trust_env=False) as transport:
            while not tally.conclusion()[0]:
                customers = [
                    Customer(httpx.AsyncClient(transport=transport, timeout=NEVER, trust_env=False), exchange)
                    for exchange in tally.exchanges()
                ]
                gate = asyncio.Semaphore(PREPARED_AT_ONCE)
                await asyncio.gather(*(self._prepare(guard, customer, gate) for customer in customers))
                for customer in customers:
                    if customer.lost and guard["whole"]:
                        tally.add(customer.lost)
                    elif customer.lost:
                        tally.lost = customer.reason
                await self._send(guard, [customer for customer in customers if not customer.lost], tally)
        return tally

    async def _send(self, guard: Data, customers: Sequence[Customer], tally: Tally) -> None:
        gate = asyncio.Semaphore(guard["at_once"])

        async def closed(customer: Customer) -> str:
            async with gate:
                return await self._judge(guard, customer)

        async def at_rate(place: int, customer: Customer) -> str:
            await asyncio.sleep(place / guard["rate_per_s"])
            return await self._judge(guard, customer)

        rated = guard["kind"] == "throughput"
        sent = [at_rate(place, each) if rated else closed(each) for place, each in enumerate(customers)]
        for symptom in await asyncio.gather(*sent):
            tally.add(symptom)

    async def _judge(self, guard: Data, customer: Customer) -> str:
        patience_ms = limit_ms(guard, self._settings.latency_factor) + GRACE_MS
        status, elapsed_ms, _ = await self._ask(customer, customer.exchange["request"], patience_ms)
        if isinstance(status, str):
            return status
        return what_is_wrong(guard, status, elapsed_ms, self._settings.latency_factor)

    async def _prepare(self, guard: Data, customer: Customer, gate: asyncio.Semaphore) -> None:
        patience_ms = limit_ms(guard, self._settings.latency_factor) if guard["whole"] else PREPARATION_MS
        async with gate:
            for name in customer.exchange["prepare"]:
                request = self._requests[name]
                status, _, document = await self._ask(customer, name, patience_ms)
                if isinstance(status, str) or not 200 <= status < 300:
                    failed = "server_error" if status not in range(500) else "unexpected_status"
                    customer.lost = status if isinstance(status, str) else failed
                    customer.reason = f"{plain(request['method'] + ' ' + request['route'])} got {status}"
                    return
                for extract in request.get("extracts", []):
                    if (found := at_pointer(document, extract["pointer"])) is not MISSING:
                        customer.values[extract["name"]] = found

    async def _ask(self, customer: Customer, name: str, patience_ms: float) -> tuple[int | str, float, Any]:
        """Return the status or what was in its place, the milliseconds it took, and the document."""
        request = self._requests[name]
        may_write = self._settings.loopback or self._settings.allow_writes
        if not may_write and request["method"] not in READS:
            pytest.fail("setup: writing beyond loopback needs --allow-writes.")
        try:
            path, headers, body = fill(request, customer.values, self._secrets)
        except SetUpError:
            return "unexpected_status", 0.0, None
        started = time.perf_counter()
        try:
            response = await asyncio.wait_for(
                customer.client.request(
                    request["method"],
                    self._settings.base_url + path,
                    headers=headers,
                    content=None if body is None else json.dumps(body).encode(),
                    follow_redirects=False,
                ),
                patience_ms / 1000,
            )
        except TimeoutError:
            return "no_answer_in_time", patience_ms, None
        except (httpx.HTTPError, httpx.InvalidURL):
            return "unreachable", (time.perf_counter() - started) * 1000, None
        elapsed_ms = (time.perf_counter() - started) * 1000
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = MISSING
        return response.status_code, elapsed_ms, document
