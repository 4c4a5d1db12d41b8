"""The system under test, as its customers meet it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

from prodintel_lib.renderers.templates.replay_requests import (
    MISSING,
    SetUpError,
    UnreachableError,
    at_pointer,
    fill,
    pinned,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

DEFAULT_DEADLINE_MS = 10_000
GRACE_MS = 500  # clients give up this long after the deadline, so that late differs from never
LEAD_S = 1.0  # what is sent behind gets this long to arrive before the next action starts
PREPARATION_S = 30.0
PREPARED_AT_ONCE = 8
POLL_S = 0.2
GAVE_UP = "gave up waiting"
NEVER = httpx.Timeout(None)  # `Answers` and `wait_for` keep the time, over whole requests

Json = Any
Data = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say."""

    base_url: str
    loopback: bool
    allow_writes: bool
    time_scale: float
    without_conditions: bool
    toxiproxy_url: str
    worker: bool


@dataclass(frozen=True)
class Answer:
    """What a customer got: a status after some time, or an error and no status."""

    status: int | None
    elapsed_ms: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Json = field(default=None, repr=False)
    sent: Json = field(default=None, repr=False)
    error: str = ""
    customer: Customer | None = field(default=None, repr=False)
    kept: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @property
    def accepted(self) -> bool:
        """Whether the status is 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def symptom(self) -> str:
        """How a user would meet it: `no_answer_in_time`, `unreachable`, `server_error`, or nothing."""
        if self.error:
            return "no_answer_in_time" if self.error == GAVE_UP else "unreachable"
        return "server_error" if self.status is not None and self.status >= 500 else ""


@dataclass
class Customer:
    """One customer: a client with its own cookies, and the values that answers gave it."""

    client: httpx.AsyncClient
    values: dict[str, Json] = field(default_factory=dict)


class Answers:
    """The answers to one request sent by several customers; those still missing at the end of patience gave up."""

    def __init__(
        self,
        futures: Sequence[concurrent.futures.Future[Answer]],
        patience_s: float,
        collected: list[Answer] | None = None,
    ) -> None:
        self._futures = futures
        self._patience_s = patience_s
        self._started = time.perf_counter()
        self._collected = collected

    def lead(self) -> None:
        """Let the requests arrive; nobody waits longer than for all the answers."""
        concurrent.futures.wait(self._futures, timeout=LEAD_S)

    def collected(self) -> list[Answer]:
        """Wait for the answers, and no longer than the customers would."""
        if self._collected is None:
            left = self._started + self._patience_s - time.perf_counter()
            concurrent.futures.wait(self._futures, timeout=max(0.0, left))
            self._collected = [self._answer(future) for future in self._futures]
        return self._collected

    def rejected(self) -> bool:
        """Say whether everything was turned away as a mistake of the client's: no load, and nothing to learn."""
        done = (
            [future.result() for future in self._futures if future.done()]
            if self._collected is None
            else self._collected
        )
        if not done or len(done) < len(self._futures):
            return False
        return all(answer.status is not None and 400 <= answer.status < 500 and answer.status != 429 for answer in done)

    def _answer(self, future: concurrent.futures.Future[Answer]) -> Answer:
        if future.done() or not future.cancel():
            return future.result()
        return Answer(None, (time.perf_counter() - self._started) * 1000, error=GAVE_UP)


class System:
    """The system under test, as its customers meet it."""

    def __init__(
        self,
        settings: Settings,
        secret_values: Mapping[str, str],
        record: Callable[[str, object], None],
        scenario: Data,
    ) -> None:
        self.scenario = scenario
        self._sent: list[Answers] = []
        self._settings = settings
        self._secrets = secret_values
        self._record = record
        # A connection a request: an idle one that the server closes meanwhile would look like a failure of its own.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="customers", daemon=True)
        self._thread.start()

    @property
    def deadline_ms(self) -> float:
        """When an answer of this scenario is late; customers give up a little later."""
        return float(self.scenario.get("deadline_ms", DEFAULT_DEADLINE_MS))

    def prepare(self, count: int, requests: Sequence[Data], otherwise: Sequence[Data] | None = None) -> list[Customer]:
        """Bring new customers to the point before the request that failed; anything but 2xx is no finding.

        Without the conditions they send what healthy customers sent, where that is another thing.
        """
        __tracebackhide__ = True
        requests = requests if otherwise is None else self._behaving(requests, otherwise)
        customers = [self._new_customer() for _ in range(count)]
        gate = asyncio.Semaphore(PREPARED_AT_ONCE)

        async def bring_all() -> None:
            await asyncio.gather(*(self._bring(customer, requests, gate) for customer in customers))

        self._checked(self._run(bring_all()).result)
        return customers

    def send_together(
        self, request: Data, customers: Sequence[Customer], otherwise: Data | None = None, copies: int = 1
    ) -> Answers:
        """Let every customer send the request at the same moment, or several copies of it at once.

        Without the conditions they send what healthy customers sent, and copies one after another.
        """
        __tracebackhide__ = True
        request = request if otherwise is None else self._behaving(request, otherwise)
        if copies > 1 and self._settings.without_conditions:
            for _ in range(copies - 1):
                self._checked(self._started(request, customers).collected)
            copies = 1
        answers = self._started(request, [customer for customer in customers for _ in range(copies)])
        self._sent.append(answers)
        self._checked(answers.collected)
        return answers

    def disturb(self, request: Data, customers: Sequence[Customer]) -> None:
        """Let every customer send a request after which others failed; without the conditions nobody sends it."""
        __tracebackhide__ = True
        if not self._settings.without_conditions:
            self._checked(self._started(request, customers).collected)

    def wait(self, seconds: float) -> None:
        """Let time go by between what customers do; without the conditions nobody waits."""
        if not self._settings.without_conditions:
            time.sleep(seconds)

    def send_crowd(self, request: Data, customers: Sequence[Customer]) -> Answers:
        """Let all customers ask for the same thing at the same moment; without the conditions one after another."""
        __tracebackhide__ = True
        send = self.send_in_turn if self._settings.without_conditions else self.send_together
        return send(pinned(request), customers)

    def send_in_turn(self, request: Data, customers: Sequence[Customer], otherwise: Data | None = None) -> Answers:
        """Let one customer send the request after the other has its answer."""
        __tracebackhide__ = True
        request = request if otherwise is None else self._behaving(request, otherwise)
        each = [self._checked(self._started(request, [customer]).collected) for customer in customers]
        answers = Answers([], 0, collected=[answer for one in each for answer in one])
        self._sent.append(answers)
        return answers

    def send_behind(self, request: Data, customers: Sequence[Customer]) -> Answers:
        """Let every customer send the request; the test goes on while they wait."""
        answers = self._started(request, customers)
        self._sent.append(answers)
        answers.lead()
        return answers

    def send_until_recovered(self, request: Data, customers: Sequence[Customer], expected: Data) -> Answers:
        """Let one customer after another try, spread over the time it may take, until one is answered as before."""
        __tracebackhide__ = True
        began, pause_s = time.perf_counter(), expected["within_s"] / len(customers)
        came: list[Answer] = []
        for number, customer in enumerate(customers):
            time.sleep(max(0.0, began + number * pause_s - time.perf_counter()))
            came += self._checked(self._started(request, [customer]).collected)
            if not _symptom(came[-1], expected):
                break
        answers = Answers([], 0, collected=came)
        self._sent.append(answers)
        return answers

    def assert_recovered(self, answers: Answers, expected: Data) -> None:
        """See that the last answer is healthy."""
        __tracebackhide__ = True
        came = self._judged(answers)
        symptom = _symptom(came[-1], expected)
        if symptom:
            symptoms = Counter([symptom])
            raise self._failure(
                symptoms,
                f"not recovered after {len(came)} tries in {expected['within_s']:g} s: {_told(symptoms, came[-1:])}.\n"
                f"Oracle: {plain(expected['oracle'])}",
            )

    def assert_answered(self, answers: Answers, expected: Data) -> None:
        """See that every answer is in time, with an expected status or as an honest refusal where that is allowed."""
        __tracebackhide__ = True
        came = self._judged(answers)
        symptoms = Counter(filter(None, (_symptom(answer, expected) for answer in came)))
        if symptoms:
            refusal = ", or 429 or 503 with Retry-After" if expected["refusals"] else ""
            statuses = " or ".join(map(str, expected["statuses"]))
            raise self._failure(
                symptoms,
                f"{_told(symptoms, came)}.\nExpected: every answer within {expected['deadline_ms']} ms, "
                f"status {statuses}{refusal}.\nOracle: {plain(expected['oracle'])}",
            )

    def assert_settled(self, answers: Answers, read: Data, expected: Data) -> None:
        """See that what was accepted is there afterwards: a read-back shows every fact in time."""
        __tracebackhide__ = True
        came = self._judged(answers)
        accepted = [answer for answer in came if answer.accepted]
        if len(accepted) < expected["at_least"]:
            symptoms = Counter(answer.symptom or "unexpected_status" for answer in came if not answer.accepted)
            raise self._failure(
                symptoms or Counter(["setup"]),
                f"{len(accepted)} of {len(came)} were accepted and {expected['at_least']} are needed to judge "
                f"what became of them: {_told(symptoms, came)}.",
            )

        async def read_all() -> list[tuple[str, str] | None]:
            until = time.perf_counter() + expected["within_s"]
            return await asyncio.gather(*(self._settle(answer, read, expected["facts"], until) for answer in accepted))

        wrong = [result for result in self._checked(self._run(read_all()).result) if result]
        if wrong:
            raise self._failure(
                Counter(symptom for symptom, _ in wrong),
                f"{len(wrong)} of {len(accepted)} accepted are not as they should be after {expected['within_s']} s: "
                f"{'; '.join(sorted({words for _, words in wrong})[:3])}.\nOracle: {plain(expected['oracle'])}",
            )

    def close(self) -> None:
        """Give up on everything still waited for, and close every connection."""

        async def stop() -> None:
            waiting = asyncio.all_tasks() - {asyncio.current_task()}
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await self._transport.aclose()

        self._run(stop()).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _behaving(self, requests: T, otherwise: T) -> T:
        """Choose what customers do: as those who failed, or, without the conditions, as those who did not."""
        return otherwise if self._settings.without_conditions else requests

    def _run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _new_customer(self) -> Customer:
        return Customer(httpx.AsyncClient(transport=self._transport, timeout=NEVER, trust_env=False))

    def _started(self, request: Data, customers: Sequence[Customer]) -> Answers:
        futures = [self._run(self._send(customer, request, customer.values)) for customer in customers]
        return Answers(futures, (self.deadline_ms + GRACE_MS) / 1000)

    def _checked(self, work: Callable[[], T]) -> T:
        __tracebackhide__ = True
        try:
            return work()
        except SetUpError as error:
            failed = error
        symptom = "unreachable" if isinstance(failed, UnreachableError) else "setup"
        raise self._failure(Counter([symptom]), f"set-up failed: {failed}")

    def _judged(self, answers: Answers) -> list[Answer]:
        __tracebackhide__ = True
        for other in self._sent:
            if other is not answers and self._checked(other.rejected):
                raise self._failure(Counter(["setup"]), "set-up failed: what was sent beside this got nothing but 4xx.")
        return self._checked(answers.collected)

    def _failure(self, symptoms: Counter[str], message: str) -> BaseException:
        symptom = "unreachable" if "unreachable" in symptoms else symptoms.most_common(1)[0][0]
        self._record("symptom", symptom)
        seen = self.scenario.get("symptom", {})
        if symptom in {"unreachable", "setup"}:
            message += "\nThis is not a reproduction: the system was never seen failing as in the incident."
        elif symptom in seen.get("kinds", []):
            message += f"\nThis is what users met in the incident: {plain(seen['words'])}"
        return pytest.fail.Exception(f"{symptom}: {message}")

    async def _bring(self, customer: Customer, requests: Sequence[Data], gate: asyncio.Semaphore) -> None:
        async with gate:
            for request in requests:
                name = plain(f"{request['method']} {request['route']}")
                try:
                    answer = await asyncio.wait_for(self._send(customer, request, customer.values), PREPARATION_S)
                except TimeoutError:
                    raise SetUpError(f"{name} had no answer within {PREPARATION_S:g} s.") from None
                if answer.error:
                    raise UnreachableError(f"{name} to {self._settings.base_url}: {answer.error}.")
                if not answer.accepted:
                    raise SetUpError(f"{name} was answered with status {answer.status}; expected 2xx.")
                for extract in request.get("extracts", []):
                    if extract["name"] not in customer.values:
                        raise SetUpError(f"the answer to {name} holds nothing at {plain(extract['pointer'])}.")

    async def _send(self, customer: Customer, request: Data, values: dict[str, Json]) -> Answer:
        may_write = self._settings.loopback or self._settings.allow_writes
        if not may_write and request["method"] not in {"GET", "HEAD", "OPTIONS"}:
            raise SetUpError("writing beyond loopback needs --allow-writes.")
        path, headers, body = fill(request, values, self._secrets)
        url = self._settings.base_url + path
        content = None if body is None else json.dumps(body).encode()
        started = time.perf_counter()
        try:
            response = await customer.client.request(
                request["method"], url, headers=headers, content=content, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            elapsed_ms = (time.perf_counter() - started) * 1000
            return Answer(None, elapsed_ms, sent=body, error=plain(f"{type(error).__name__} {error}".strip()))
        elapsed_ms = (time.perf_counter() - started) * 1000
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = MISSING
        if response.is_success:
            for extract in request.get("extracts", []):
                if (found := at_pointer(document, extract["pointer"])) is not MISSING:
                    values[extract["name"]] = found
        return Answer(
            response.status_code, elapsed_ms, response.headers, document, body, customer=customer, kept=dict(values)
        )

    async def _settle(self, answer: Answer, read: Data, facts: Sequence[Data], until: float) -> tuple[str, str] | None:
        customer = answer.customer or self._new_customer()
        while True:
            left_s = until - time.perf_counter()
            try:
                shown = await asyncio.wait_for(self._send(customer, read, dict(answer.kept)), max(left_s, POLL_S))
            except TimeoutError:
                shown = Answer(None, left_s * 1000, error=GAVE_UP)
            wrong = _unlike(shown, answer, facts)
            if wrong is None or time.perf_counter() + POLL_S >= until:
                return wrong
            await asyncio.sleep(POLL_S)


def _symptom(answer: Answer, expected: Data) -> str:
    """Name what is wrong with an answer, or nothing."""
    refused = expected.get("refusals") and answer.status in {429, 503} and "retry-after" in answer.headers
    if answer.error:
        return answer.symptom
    if answer.status in expected["statuses"] or refused:
        return "no_answer_in_time" if answer.elapsed_ms > expected["deadline_ms"] else ""
    return answer.symptom or "unexpected_status"


def _told(symptoms: Counter[str], came: Sequence[Answer]) -> str:
    words = {"no_answer_in_time": "had no answer in time", "server_error": "got a server error"}
    words |= {"unreachable": "could not be sent or were cut off", "unexpected_status": "got a status nobody expects"}
    told = [f"{n} of {len(came)} {words.get(symptom, symptom)}" for symptom, n in symptoms.most_common()]
    got = Counter(f"status {answer.status}" if answer.status else answer.error for answer in came)
    slowest = max((answer.elapsed_ms for answer in came), default=0.0)
    return (
        f"{', '.join(told)} ({', '.join(f'{n} x {name}' for name, n in got.most_common())}; slowest {slowest:.0f} ms)"
    )


def _unlike(shown: Answer, answer: Answer, facts: Sequence[Data]) -> tuple[str, str] | None:
    """Say how a read-back differs from the facts."""
    if not shown.accepted:
        words = shown.error or f"status {shown.status}"
        return shown.symptom or "wrong_state", f"the read-back got {words}"
    for fact in facts:
        found = at_pointer(shown.json, fact["pointer"])
        value = at_pointer(answer.json, fact["other"]) if fact["check"] == "same_as_answer" else fact["value"]
        if value is MISSING:
            continue  # the answer promised nothing there
        if fact["check"] == "length":
            found = len(found) if isinstance(found, list) else MISSING
        # JSON's true is not its 1, though Python says so.
        if found is MISSING or found != value or isinstance(found, bool) is not isinstance(value, bool):
            what = f"{fact['check']} at {plain(fact['pointer'])}"
            return "wrong_state", f"{what}: expected {_shown(value)}, found {_shown(found)}"
    return None


def _shown(value: Json) -> str:
    return "nothing" if value is MISSING else json.dumps(value)[:80]
