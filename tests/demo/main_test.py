from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.demo.shoppers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def shop(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "demo", "up", "--incident", "INC-2024-1234", "--build", "fixed", "--json"]
    with subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=-1, stderr=-1, text=True) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_incidents_lists_the_bank() -> None:
    done = run("incidents")

    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "INC-2024-1234  Checkouts fail while the card processor hangs"
    assert "condition on card-processor: http_latency (latency_ms 30000, rate 0.45, seed 1234)" in done.stdout


def test_up_refuses_an_unknown_incident_without_a_traceback() -> None:
    done = run("up", "--incident", "INC-2024-9999", "--build", "faulty")

    assert done.returncode == 2
    assert done.stderr.startswith("Unknown incident `INC-2024-9999`; known: INC-2024-1234")
    assert "Traceback" not in done.stderr


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_stops_cleanly_on_a_signal(number: signal.Signals) -> None:
    with shop() as (process, ready):
        assert httpx.get(f"{ready['base_url']}/healthz").json()["service"] == "gateway"
        assert "card-processor" in httpx.get(f"{ready['toxiproxy_url']}/proxies").json()
        process.send_signal(number)

        assert process.wait(timeout=20) == 0
        assert not any(is_running(pid) for pid in ready["pids"])


@pytest.mark.proof
def test_up_leaves_nothing_behind_when_it_is_killed() -> None:
    with shop() as (process, ready):
        process.kill()
        process.wait()

        assert eventually(lambda: not any(is_running(pid) for pid in ready["pids"]), within_s=15)


@pytest.mark.proof
def test_up_says_which_service_died() -> None:
    with shop() as (process, ready):
        os.kill(ready["pids"][-1], signal.SIGKILL)

        assert process.wait(timeout=20) == 1
        assert process.stderr.read().startswith("gateway-6 has stopped with exit status -9.")
        assert not any(is_running(pid) for pid in ready["pids"])


@pytest.mark.proof
def test_up_writes_telemetry_when_asked_to(tmp_path: Path) -> None:
    with shop("--telemetry", str(tmp_path)) as (process, ready):
        member = {"locale": "en-GB", "email": "member000@shop.example", "password": "canary-2718"}
        assert httpx.post(f"{ready['base_url']}/api/sessions", json=member).status_code == 401
        session = httpx.post(f"{ready['base_url']}/api/sessions", json={"locale": "de-DE"}).json()
        headers = {"Authorization": f"Bearer {session['token']}"}
        page = httpx.get(f"{ready['base_url']}/api/products/prd_101", headers=headers)
        assert page.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0

    written = (tmp_path / "traces.jsonl").read_text()
    spans = [span for line in written.splitlines() for span in spans_of(json.loads(line))]
    (shown,) = [span for span in spans if span["name"] == "GET /api/products/{product_id}"]
    trace = [span for span in spans if span["traceId"] == shown["traceId"]]
    assert {span["service"] for span in trace} == {"gateway", "catalogue", "payment"}
    assert shown["attributes"]["user.id"] == session["user_id"]
    assert shown["attributes"]["shop.region"] == "DE"
    assert "client.address" not in shown["attributes"]
    (page_span,) = [span for span in trace if span["name"] == "GET /products/{product_id}/page"]
    assert page_span["attributes"]["http.status_code"] == "200"
    assert {span["attributes"].get("peer.service") for span in trace} >= {"catalogue", "payment"}
    assert session["token"] not in written
    assert "canary-2718" not in written
    metrics = (tmp_path / "metrics.jsonl").read_text()
    for name in ("db.client.connection.count", "db.client.connection.max", "cache.misses", "shop.queue.depth"):
        assert f'"name":"{name}"' in metrics


def spans_of(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in document["resourceSpans"]:
        about = attributes_of(resource["resource"])
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield {**span, "service": about["service.name"], "attributes": attributes_of(span)}


def attributes_of(item: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in item.get("attributes", [])}
