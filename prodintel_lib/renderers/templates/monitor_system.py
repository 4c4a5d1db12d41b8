"""The system that is monitored, over httpx."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import httpx
import jsonschema
import pytest

from prodintel_lib.renderers.templates.monitor_verdict import Attempt, is_settled, judge
from prodintel_lib.renderers.templates.replay_requests import MISSING, SetUpError, at_pointer, fill, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREPARATION_MS = 10_000
MAX_TOLD = 300
NEVER = httpx.Timeout(None)  # `wait_for` keeps the time, over whole requests
READS = {"GET", "HEAD", "OPTIONS"}

Json = Any
Data = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say."""

    base_url: str
    loopback: bool
    allow_writes: bool
    allow_sign_in: bool
    latency_factor: float


@dataclass
class Monitored:
    """The system; each monitor asks it once a run, and all its checks judge the same answers."""

    settings: Settings
    data: Data
    secret_values: Mapping[str, str]
    _asked: dict[str, list[list[Attempt]]] = field(default_factory=dict)

    def assert_holds(self, monitor_id: str, check_id: str, record: Callable[[str, object], None]) -> None:
        """Fail where a check does not hold, or nobody can tell."""
        __tracebackhide__ = True
        monitor = self.data["monitors"][monitor_id]
        self._refuse(monitor)
        if monitor_id not in self._asked:
            self._asked[monitor_id] = asyncio.run(self._ask(monitor_id))
        check = next(each for each in monitor["checks"] if each["id"] == check_id)
        asked = self._asked[monitor_id]
        verdict = judge(monitor, check, asked, self.settings.latency_factor, self._breaks(monitor_id))
        record("verdict", verdict.colour)
        record("symptom", verdict.symptom)
        if verdict.colour == "healthy":
            return
        record("told", verdict.told)
        if verdict.colour == "unjudged":
            pytest.fail(f"unjudged: {verdict.told}.")
        pytest.fail(
            f"{verdict.symptom}: {verdict.told}.\nExpected: {plain(monitor['endpoint'])} {plain(check['says'])}; in "
            f"production {check['bad']} of {check['n']} did not. {check['tries']} in a row come by chance in "
            f"{check['false_alarm']:.1e} of runs at most."
        )

    def _refuse(self, monitor: Data) -> None:
        settings = self.settings
        if settings.loopback or settings.allow_writes:
            return
        if monitor["writes"]:
            pytest.skip("it writes, and the target is beyond loopback: --allow-writes lets it")
        if monitor["signs_in"] and not settings.allow_sign_in:
            pytest.skip("it signs in, and the target is beyond loopback: --allow-sign-in lets it")

    def _breaks(self, monitor_id: str) -> Callable[[int, Json], str | None]:
        def told(status: int, document: Json) -> str | None:
            path = Path(__file__).parent / "schemas" / f"{monitor_id}_{status}.json"
            if not path.is_file():
                return None
            if document is MISSING:
                return "the answer is no JSON"
            schema = json.loads(path.read_text(encoding="utf-8"))
            found = sorted(
                jsonschema.Draft202012Validator(schema).iter_errors(document), key=lambda each: each.json_path
            )
            return plain(f"{found[0].json_path}: {found[0].message}")[:MAX_TOLD] if found else ""

        return told

    async def _ask(self, monitor_id: str) -> list[list[Attempt]]:
        """Let each customer ask, and again for as long as the answers settle nothing."""
        monitor, factor = self.data["monitors"][monitor_id], self.settings.latency_factor
        asked = []
        for exchange in monitor["exchanges"]:
            attempts = [await self._attempt(monitor, exchange)]
            while not is_settled(monitor, attempts, factor, self._breaks(monitor_id)):
                attempts.append(await self._attempt(monitor, exchange))
            asked.append(attempts)
        return asked

    async def _attempt(self, monitor: Data, exchange: Data) -> Attempt:
        values: dict[str, Any] = {}
        earlier: dict[str, Any] = {}
        async with httpx.AsyncClient(timeout=NEVER, trust_env=False) as client:
            for name in exchange["prepare"]:
                request = self.data["requests"][name]
                label = f"{request['method']} {request['route']}"
                answer = await self._send(client, request, values, PREPARATION_MS)
                if answer.symptom or answer.lost or not 200 <= answer.status < 300:
                    return Attempt(lost=answer.lost or f"{plain(label)} got {answer.symptom or answer.status}")
                earlier[label] = answer.facts["answer"]
                for extract in request.get("extracts", []):
                    if (found := at_pointer(answer.facts["answer"], extract["pointer"])) is not MISSING:
                        values[extract["name"]] = found
            request = self.data["requests"][exchange["request"]]
            # Slow and never differ: a client waits a little longer than either limit.
            patience_ms = max(monitor["patience_ms"], monitor["limit_ms"] or 0) * self.settings.latency_factor
            attempt = await self._send(client, request, values, patience_ms)
        attempt.facts["earlier"] = earlier
        return attempt

    async def _send(self, client: httpx.AsyncClient, request: Data, values: Data, patience_ms: float) -> Attempt:
        try:
            path, headers, body = fill(request, values, self.secret_values)
        except SetUpError as why:
            return Attempt(lost=f"{plain(request['method'] + ' ' + request['route'])}: {why}")
        facts = sent(path, body)
        started = time.perf_counter()
        try:
            response = await asyncio.wait_for(
                client.request(
                    request["method"],
                    self.settings.base_url + path,
                    headers={b"user-agent": b"prodintel-monitor", **headers},
                    content=None if body is None else json.dumps(body).encode(),
                    follow_redirects=False,
                ),
                patience_ms / 1000,
            )
        except TimeoutError:
            return Attempt(symptom="no_answer_in_time", elapsed_ms=patience_ms, facts=facts)
        except (httpx.HTTPError, httpx.InvalidURL):
            return Attempt(symptom="unreachable", facts=facts)
        elapsed_ms = (time.perf_counter() - started) * 1000
        try:
            facts["answer"] = response.json()
        except (ValueError, RecursionError):
            facts["answer"] = MISSING
        return Attempt(status=response.status_code, elapsed_ms=elapsed_ms, facts=facts)


def sent(path: str, body: Json) -> Data:
    """Return what a request said, in the parts that rules speak of."""
    where, _, query = path.partition("?")
    segments = [unquote(segment) for segment in where.lstrip("/").split("/")]
    known = {"path": segments, "query": dict(parse_qsl(query, keep_blank_values=True)), "body": body}
    return {**known, "answer": MISSING, "earlier": {}}
