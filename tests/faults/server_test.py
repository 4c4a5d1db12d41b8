"""The server as a process of its own, as ``prodintel faults serve`` and the demo start it."""

import json
import signal
import subprocess
import sys

import pytest

from prodintel_lib.faults.client import FaultClient


@pytest.fixture
def launch():
    processes = []

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-X", "dev", "-W", "error", "-m", "prodintel_lib.faults", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def config(tmp_path, upstream):
    path = tmp_path / "proxies.json"
    path.write_text(json.dumps([{"name": "shop", "upstream": f"127.0.0.1:{upstream.server_port}"}]))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_its_url_serves_and_stops_cleanly(launch, config, http_client, number):
    process = launch("--config", str(config), "--host", "127.0.0.1", "--port", "0")
    client = FaultClient(process.stdout.readline().strip())
    host, port = client.proxies()["shop"]["listen"].split(":")
    connection = http_client((host, int(port)))
    connection.request("GET", "/x")
    assert connection.getresponse().read() == b"answer to /x"
    client.add_toxic("shop", "http_latency", {"latency_ms": 3_600_000})
    connection.request("GET", "/x")

    process.send_signal(number)

    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_it_starts_without_a_config(launch):
    process = launch("--port", "0")
    assert FaultClient(process.stdout.readline().strip()).proxies() == {}


def test_a_taken_port_is_a_failure_with_a_hint(launch, sockets):
    port = sockets.listen().getsockname()[1]

    out, err = (process := launch("--port", str(port))).communicate(timeout=20)

    assert process.returncode == 1
    assert out == ""
    assert err.startswith(f"the fault API cannot listen on 127.0.0.1:{port}: ")
    assert "\nHint: give it a free port" in err


def test_a_broken_config_is_the_users_mistake(launch, tmp_path):
    path = tmp_path / "proxies.json"
    path.write_text('[{"name": "a", "upstraem": "b:1"}]')

    out, err = (process := launch("--config", str(path), "--port", "0")).communicate(timeout=20)

    assert (process.returncode, out) == (2, "")
    assert err == (
        f"Unknown key `upstraem` in {path}, proxy 1; known: enabled, listen, name, upstream.\n"
        "Hint: did you mean `upstream`?\n"
    )
