"""Two builds of a tiny system, and a suite that certifies in part: fast, and without conditions to wait for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prodintel_lib.certify.outcomes import SystemUnderTest
from prodintel_lib.renderers import render_suite, write_files
from tests.renderers.suites import make_suite

SUITE = make_suite()
LOOKS, BLIND, FLAKY, OTHERWISE = (f"test_{scenario.id}" for scenario in SUITE.scenarios)
MODULE = "test_inc_2024_1234.py"

# The faulty build answers 500 to whoever behaves as those who failed; every third such answer is fine after all.
TESTS = f"""
import json
import urllib.error
import urllib.request

import pytest


def ask(request, path):
    condition = "0" if request.config.getoption("without_conditions") else "1"
    url = request.config.getoption("base_url") + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, b"", {{"x-condition": condition}}), timeout=10) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {{}}, error.headers


def fail_unless(good, record_property, symptom="server_error"):
    if not good:
        record_property("symptom", symptom)
        pytest.fail(symptom)


def {LOOKS}(request, record_property):
    status, document, _ = ask(request, "/api/orders")
    fail_unless(status == 200, record_property)
    fail_unless(document["amount"] == 5, record_property, "wrong_state")


def {BLIND}(request, record_property):
    _, _, headers = ask(request, "/api/orders")
    fail_unless(headers["x-works"] == "1", record_property)


def {FLAKY}(request, record_property):
    status, _, _ = ask(request, "/api/orders?flaky")
    fail_unless(status == 200, record_property)


def {OTHERWISE}(request, record_property):
    status, _, _ = ask(request, "/api/orders")
    fail_unless(status == 200, record_property, "wrong_state")
"""
CONFTEST = """
def pytest_addoption(parser):
    for name in ("--base-url", "--time-scale"):
        parser.addoption(name)
    parser.addoption("--without-conditions", action="store_true")
    parser.addoption("--allow-writes", action="store_true")
"""


def write_suite(run_dir):
    """Write a run's tests: the rendered scenarios, and tests of their names that need no shop."""
    write_files(render_suite(SUITE), run_dir / "tests")
    (run_dir / "tests" / MODULE).write_text(TESTS)
    (run_dir / "tests" / "conftest.py").write_text(CONFTEST)
    (run_dir / "tests" / "test_inc_2024_1234_feature.py").write_text("def test_of_somebody_else():\n    pass\n")
    return run_dir / "tests"


class Build:
    """A running build; use it as a context manager."""

    def __init__(self, *, faulty):
        self.faulty = faulty
        self.flaky_asked = 0
        self.requests = 0
        build = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                build.requests += 1
                self.rfile.read(int(self.headers.get("content-length", 0)))
                bad = build.faulty and self.headers.get("x-condition") == "1"
                if self.path.endswith("?flaky"):
                    build.flaky_asked += bad
                    bad = bad and build.flaky_asked % 3 != 0
                content = json.dumps({"order_id": "ord_1", "amount": 5}).encode()
                self.send_response(500 if bad else 200)
                self.send_header("x-works", "0" if bad else "1")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815 - the names are http.server's

            def log_message(self, *_):
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def system(self):
        return SystemUnderTest(
            f"http://127.0.0.1:{self._server.server_address[1]}",
            "",
            "the faulty build" if self.faulty else "the fixed build",
        )
