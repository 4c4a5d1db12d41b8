"""The closed loop of monitors: green on healthy builds of the demo, red for the right reason on faulty ones."""

import http.client
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from demo.incidents import find_incident
from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.analyses.production import gather_production
from prodintel_lib.analyses.telemetry import choose_window, open_view
from prodintel_lib.faults.client import FaultClient
from prodintel_lib.prove_command import running_demo
from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.monitors import render_monitors
from prodintel_lib.scenarios.monitors import MonitorSuite
from prodintel_lib.scenarios.monitors.building import build_endpoint_monitors
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.windows import US_PER_S, Window, to_datetime
from prodintel_lib.workspace import RouteSlo, open_workspace

ROOT = Path(__file__).parents[1]
# A shared machine may pause: what does not hold at once is tried once more, all of it anew.
ATTEMPTS = 2
DAY_US = 86_400 * US_PER_S
HEALTHY, RED = {"healthy"}, "red"
ORDER_PAGE = "/api/orders/ord_"


def built(workspace, folder, *, incident_id="", promised=""):
    """Render the monitors of all of the demo, or of an incident's day with one more route that is promised."""
    opened = open_workspace(workspace)
    if promised:
        slos = (*opened.config.slos, RouteSlo(route=promised, availability=0.99))
        opened = replace(opened, config=opened.config.model_copy(update={"slos": slos}))
    view = open_view(opened)
    window = choose_window(view, "28d", tables=("spans",))
    if incident_id:
        last = to_datetime(window.end_us) - timedelta(days=find_incident(incident_id).days_earlier)
        end_us = int(last.timestamp()) * US_PER_S
        window = Window(end_us - DAY_US, end_us)
    production = gather_production(view, window=window, history_days=0.1)
    endpoints = build_endpoint_monitors(view, production, authorization=Authorization.of(opened))
    suite = MonitorSuite(
        generator="prodintel 0.0.0", input_digest=digest_of("proof"), window=window.label(), endpoints=endpoints
    )
    write_files(render_monitors(suite), folder)
    return folder / "endpoints"


def run(folder, base_url, *options):
    """Run rendered monitors in an interpreter that knows nothing of this one: the exit code, and what each check says."""
    report = folder / "out.xml"
    command = [sys.executable, "-I", "-B", "-m", "pytest", str(folder), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--junitxml", str(report), "-o", "junit_family=xunit1", "--base-url", base_url, *options],
        env={"PATH": os.environ.get("PATH", ""), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    found = {}
    for case in ET.parse(report).iter("testcase"):
        told = {each.get("name"): each.get("value") for each in case.iter("property")}
        found[str(case.get("name")).removeprefix("test_")] = told.get("symptom") or told.get("verdict", "error")
    return done.returncode, found


def reds(found):
    """Return the checks that are red, with their symptom."""
    return {name: symptom for name, symptom in found.items() if symptom not in {"healthy", "unjudged"}}


def provoked(incident_id, system):
    faults = FaultClient(system.toxiproxy_url)
    for toxic in find_incident(incident_id).condition:
        faults.add_toxic(toxic.proxy, toxic.type, toxic.attributes)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("incident_id", "route", "wanted"),
    [
        ("INC-2024-1342", "GET /api/orders/{order_id}", {"get_api_orders_order_id__latency": "too_slow"}),
        ("INC-2024-1388", "GET /api/home", {"get_api_home__availability": "server_error"}),
        ("INC-2024-1301", "POST /api/cart/coupon", {"post_api_cart_coupon__availability": "server_error"}),
    ],
)
def test_monitors_are_red_on_the_faulty_build_and_green_on_the_fixed_one(
    incident_id, route, wanted, demo_workspace, tmp_path
):
    folder = built(demo_workspace, tmp_path, incident_id=incident_id, promised=route)
    for _ in range(ATTEMPTS):
        came = {}
        for build in ("faulty", "fixed"):
            with running_demo(incident_id, build, repository=ROOT) as system:
                provoked(incident_id, system)
                came[build] = run(folder, system.base_url)
        if came["fixed"][0] == 0 and reds(came["faulty"][1]) == wanted:
            break
    assert came["fixed"][0] == 0, came["fixed"][1]
    assert set(came["fixed"][1].values()) == HEALTHY
    assert came["faulty"][0] == 1
    assert reds(came["faulty"][1]) == wanted


@pytest.mark.proof
def test_monitors_of_the_whole_demo_stay_green_and_find_a_hanging_processor(demo_workspace, tmp_path):
    folder = built(demo_workspace, tmp_path)
    for _ in range(ATTEMPTS):
        with running_demo("INC-2024-1234", "fixed", repository=ROOT) as system:
            # What a run writes must not be in the way of the next.
            green = [run(folder, system.base_url) for _ in range(3)]
        with running_demo("INC-2024-1234", "faulty", repository=ROOT) as system:
            provoked("INC-2024-1234", system)
            code, found = run(folder, system.base_url, "-k", "post_api_orders")
        if {each for each, _ in green} == {0} and code == 1:
            break
    assert [each for each, _ in green] == [0, 0, 0], green
    assert code == 1
    assert found["post_api_orders__availability"] in {"no_answer_in_time", "server_error"}


@pytest.mark.proof
@pytest.mark.parametrize(
    ("alter", "wanted"),
    [
        (lambda order: order | {"amount": str(order["amount"])}, "get_api_orders_order_id__schema"),
        (
            lambda order: {name: value for name, value in order.items() if name != "items"},
            "get_api_orders_order_id__schema",
        ),
        (lambda order: order | {"amount": order["amount"] + 1}, "get_api_orders_order_id__rule_1"),
    ],
    ids=["an amount that is a text", "no items", "another amount"],
)
def test_monitors_find_answers_that_are_altered(alter, wanted, demo_workspace, tmp_path):
    folder = built(demo_workspace, tmp_path)
    with running_demo("INC-2024-1234", "fixed", repository=ROOT) as system, altering(system.base_url, alter) as url:
        code, found = run(folder, url, "-k", "get_api_orders_order_id")
    assert code == 1
    red = reds(found)
    assert red[wanted] == wanted.rpartition("__")[2].replace("rule_1", "business_rule")
    assert set(red.values()) <= {"schema", "business_rule"}


class altering(ThreadingHTTPServer):  # noqa: N801 - read as a verb
    """A proxy that alters the pages of orders."""

    daemon_threads = True

    def __init__(self, base_url, alter):
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind, self.alter = urlsplit(base_url).netloc, alter
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Passing(BaseHTTPRequestHandler):
    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        behind.request(self.command, self.path, body, dict(self.headers))
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        if self.path.startswith(ORDER_PAGE) and answer.status == 200 and not self.path.endswith("confirmation"):
            content = json.dumps(self.server.alter(json.loads(content))).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _pass  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass
