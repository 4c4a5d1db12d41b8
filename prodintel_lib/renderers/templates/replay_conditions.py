"""The conditions of an incident, applied through Toxiproxy's HTTP API and always removed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from prodintel_lib.renderers.templates.replay_requests import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.renderers.templates.replay_system import Settings, System

OWN_TOXICS = "replay_"
NOT_TOXIPROXY = (httpx.HTTPError, ValueError, AttributeError, KeyError, TypeError)

Data = dict[str, Any]


class Conditions:
    """The conditions of the incident, applied through Toxiproxy's HTTP API and always removed."""

    def __init__(self, settings: Settings, system: System) -> None:
        self._settings = settings
        self._system = system
        self._api = httpx.Client(base_url=settings.toxiproxy_url, timeout=10, trust_env=False)
        self._applied: list[str] = []

    def apply(self, condition: Data) -> None:
        """Apply one condition and see that it is in place; skip with the reason where that is not possible."""
        if self._settings.without_conditions:
            return
        if not self._settings.toxiproxy_url:
            pytest.skip("conditions need TOXIPROXY_URL: it is not set")
        proxy = f"/proxies/{quote(condition['proxy'], safe='')}"
        try:
            for toxic in self._toxics(condition):
                path = f"{proxy}/toxics/{toxic['name']}"
                self._applied.append(path)
                self._api.delete(path)
                answer = self._api.post(f"{proxy}/toxics", json=toxic)
                if not answer.is_success:
                    pytest.skip(f"Toxiproxy refused the condition {toxic['name']}: {plain(answer.text[:200])}")
                self._check_in_place(proxy, toxic)
        except NOT_TOXIPROXY as error:
            pytest.skip(f"TOXIPROXY_URL does not answer as Toxiproxy does: {plain(str(error))}")

    def lift(self) -> None:
        """Remove every condition of this test."""
        left = []
        for path in reversed(self._applied):
            try:
                gone = self._api.delete(path).status_code in {200, 204, 404}
            except httpx.HTTPError:
                gone = False
            if not gone:
                left.append(path)
        self._applied.clear()
        if left:
            pytest.fail(f"set-up failed: conditions could not be removed: {', '.join(left)}")

    def remove_leftovers(self) -> None:
        """Remove what a run that was killed has left behind."""
        with contextlib.suppress(*NOT_TOXIPROXY):
            for name, proxy in self._api.get("/proxies").json().items():
                for toxic in proxy["toxics"]:
                    if toxic["name"].startswith(OWN_TOXICS):
                        self._api.delete(f"/proxies/{quote(name, safe='')}/toxics/{toxic['name']}")

    def close(self) -> None:
        """Remove every condition and close the connection."""
        try:
            self.lift()
        finally:
            self._api.close()

    def _toxics(self, condition: Data) -> Iterator[Data]:
        offered = self._api.get("/version").json().get("prodintel", {}).get("http_toxics", [])
        name, rate = f"{OWN_TOXICS}{condition['id']}", condition["rate"]
        share = {"rate": rate, "seed": 0}
        if (latency_ms := condition.get("latency_ms")) is not None:
            delay_ms = round(latency_ms * self._settings.time_scale)
            if latency_ms > self._system.deadline_ms >= delay_ms:
                pytest.skip(f"at this time scale the delay is {delay_ms} ms, within the deadline: it proves nothing")
            if "http_latency" in offered:
                yield _toxic(f"{name}_latency", "http_latency", {"latency_ms": delay_ms} | share)
            elif rate == 1:
                yield _toxic(f"{name}_latency", "latency", {"latency": delay_ms, "jitter": 0})
            else:
                pytest.skip("this Toxiproxy has no http_latency: it cannot delay a share of the requests")
        if (status := condition.get("status")) is not None:
            if "http_status" not in offered:
                pytest.skip("this Toxiproxy has no http_status: it cannot answer in a dependency's place")
            yield _toxic(f"{name}_status", "http_status", {"status": status, "body": ""} | share)

    def _check_in_place(self, proxy: str, toxic: Data) -> None:
        state = self._api.get(proxy).json()
        there = {each["name"]: each for each in state["toxics"]}.get(toxic["name"], {})
        same = there.get("type") == toxic["type"] and toxic["attributes"].items() <= there["attributes"].items()
        if not (same and state["enabled"]):
            pytest.skip(f"Toxiproxy accepted the condition {toxic['name']} but does not show it in place")


def _toxic(name: str, kind: str, attributes: Data) -> Data:
    return {"name": name, "type": kind, "stream": "downstream", "toxicity": 1.0, "attributes": attributes}
