"""The generated files, run for real: in an interpreter of their own, against a tiny shop, without prodintel."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import pytest

from prodintel_lib.renderers import render_suite, write_files
from tests.renderers.shop import Shop, charge_through
from tests.renderers.suites import PLACE_ORDER, make_suite

ROOT = Path(__file__).parents[2]
GRACEFUL = "test_checkouts_answer_in_time_while_the_card_processor_hangs"
FAILS_FAST = "test_checkouts_fail_fast_once_the_card_processor_keeps_hanging"
ISOLATION = "test_product_pages_stay_healthy_while_checkouts_wait"
INTEGRITY = "test_accepted_orders_are_paid_once_after_recovery"
EVERY = (GRACEFUL, FAILS_FAST, ISOLATION, INTEGRITY)
ONE = f"{GRACEFUL} and not feature"
MODULES = ("test_inc_2024_1234", "test_inc_2024_1234_feature")


@pytest.fixture
def folder(tmp_path):
    return rendered(tmp_path / "tests")


def rendered(folder, **deadlines):
    write_files(render_suite(make_suite(**deadlines)), folder)
    # Were anything to import prodintel, it would get this.
    (folder / "prodintel_lib.py").write_text("raise ImportError('generated tests must not need prodintel')\n")
    return folder


def command(folder, *options):
    plugins = ("-p", "no:cacheprovider", "-p", "pytest_bdd.plugin")
    return [
        sys.executable,
        "-I",
        "-B",
        "-m",
        "pytest",
        str(folder),
        *plugins,
        "--junitxml",
        str(folder / "out.xml"),
        *options,
    ]


def environment(shop=None, **more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return kept | ({"TOXIPROXY_URL": shop.url} if shop else {}) | more


def run(folder, *options, env):
    """Run the generated tests; return the process and, by module and test, outcome, symptom and message."""
    (folder / "out.xml").unlink(missing_ok=True)
    done = subprocess.run(
        command(folder, *options), env=env, cwd=folder.parent, capture_output=True, text=True, timeout=120, check=False
    )
    results = {}
    if (folder / "out.xml").exists():
        for case in ET.parse(folder / "out.xml").iter("testcase"):
            found = next(
                (case.find(kind) for kind in ("failure", "error", "skipped") if case.find(kind) is not None), None
            )
            symptom = case.find("properties/property[@name='symptom']")
            results[case.get("classname"), case.get("name")] = (
                "passed" if found is None else found.tag,
                "" if symptom is None else symptom.get("value"),
                "" if found is None else found.get("message"),
            )
    return done, results


def by_name(results, module):
    return {name: result[:2] for (of, name), result in results.items() if of == module}


def outcomes(results):
    """Return outcome and symptom by test, the same for pytest and Gherkin."""
    pytests, features = (by_name(results, module) for module in MODULES)
    assert pytests == features
    return pytests


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Run everything once against a system that handles the condition."""
    folder = rendered(tmp_path_factory.mktemp("healthy") / "tests")
    with Shop("fixed") as shop:
        done, results = run(folder, "--base-url", shop.url, env=environment(shop))
    return shop, done, results


def test_generated_tests_pass_on_a_system_that_handles_the_condition(healthy):
    shop, done, results = healthy

    assert outcomes(results) == dict.fromkeys(EVERY, ("passed", "")), done.stdout
    assert shop.toxics == {"card-processor": {}}
    applied = Counter(line for line in shop.log if line.startswith("POST"))
    assert applied == {"POST /proxies/card-processor/toxics": 8}


def test_pytest_and_gherkin_send_the_same_requests(healthy):
    shop, _, _ = healthy
    tests = [Counter(shape(*request) for request in requests) for requests in by_test(shop.seen)]
    # How often a read-back is repeated is a matter of timing.
    reads = ("GET", "/api/orders/*", "null", True)

    assert len(tests) == 8
    assert [counted | {reads: 0} for counted in tests[:4]] == [counted | {reads: 0} for counted in tests[4:]]
    assert tests[0] == {
        ("POST", "/api/sessions", '{"locale": "en-GB"}', False): 6,
        ("POST", "/api/cart/items", '{"product_id": "prd_17", "quantity": 2}', True): 6,
        ("POST", "/api/orders", ORDER_SHAPE, True): 6,
    }
    assert tests[2]["GET", "/api/products/prd_17?currency=EUR&view=full+page", "null", False] == 3
    assert [counted[reads] for counted in tests[:3]] == [0, 0, 0]


def test_read_backs_ask_for_what_the_answers_named(healthy):
    shop, _, _ = healthy
    integrity = by_test(shop.seen)[3]

    assert len({path for method, path, _, _ in integrity if method == "GET"}) == 3
    assert "/api/orders/ord_recorded" not in {path for _, path, _, _ in integrity}


def test_values_of_a_client_are_fresh_in_every_request(healthy):
    shop, _, _ = healthy
    bodies = [body for _, _, body, _ in filter(None, shop.seen) if body and "idempotency_key" in body]
    keys = {body["idempotency_key"] for body in bodies}

    assert len(keys) == len(bodies) == 2 * (6 + 4 + 2 + 4 + 3 + 1)
    assert PLACE_ORDER.body["idempotency_key"] not in keys


ORDER_SHAPE = json.dumps(
    {
        "payment_method": "card",
        "card_token": "placeholder-for-card_token",
        "shipping": "express",
        "idempotency_key": "*",
    }
)


def by_test(seen):
    """Split what the shop saw where a test began; it asks Toxiproxy for leftovers first."""
    tests = []
    for request in seen:
        if request is None:
            tests.append([])
        else:
            tests[-1].append(request)
    return tests


def shape(method, path, body, authorization):
    if body and "idempotency_key" in body:
        body = body | {"idempotency_key": "*"}
    return method, re.sub(r"ord_[0-9a-f]+", "*", path), json.dumps(body), authorization is not None


def test_generated_tests_show_the_symptom_of_a_system_that_waits(tmp_path):
    folder = rendered(tmp_path / "tests", deadline_ms=400, page_deadline_ms=400)
    with Shop("slow") as shop:
        chosen = f"not feature or {GRACEFUL}"
        done, results = run(folder, "--base-url", shop.url, "-k", chosen, env=environment(shop))

    late = ("failure", "no_answer_in_time")
    assert by_name(results, MODULES[0]) == dict.fromkeys(EVERY[:3], late) | {INTEGRITY: ("passed", "")}, done.stdout
    assert by_name(results, MODULES[1]) == {GRACEFUL: late}
    assert shop.toxics == {"card-processor": {}}
    message = results[MODULES[0], FAILS_FAST][2]
    assert "no_answer_in_time: 2 of 2 had no answer in time (2 x gave up waiting; slowest" in message
    assert "Expected: every answer within 400 ms, status 201 or 202, or 429 or 503 with Retry-After." in message
    assert "This is what users met in the incident: no answer for 20 s, then status 504" in message


def test_generated_tests_show_the_symptom_of_a_system_that_fails(folder):
    with Shop("error") as shop:
        done, results = run(folder, "--base-url", shop.url, env=environment(shop))

    failed = ("failure", "server_error")
    assert outcomes(results) == dict.fromkeys(EVERY[:3], failed) | {INTEGRITY: ("passed", "")}, done.stdout


def test_generated_tests_show_the_symptom_of_a_system_that_loses_what_it_accepted(folder):
    with Shop("lossy") as shop:
        done, results = run(folder, "--base-url", shop.url, env=environment(shop))

    healthy = dict.fromkeys(EVERY[:3], ("passed", ""))
    assert outcomes(results) == healthy | {INTEGRITY: ("failure", "wrong_state")}, done.stdout
    assert 'equals at /status: expected "paid", found "payment_pending"' in results[MODULES[0], INTEGRITY][2]


def test_generated_tests_pass_on_a_faulty_system_without_conditions(folder):
    with Shop("slow") as shop:
        done, results = run(folder, "--base-url", shop.url, "--without-conditions", env=environment())

    assert outcomes(results) == dict.fromkeys(EVERY, ("passed", "")), done.stdout
    assert shop.log == []


def test_generated_tests_call_a_system_that_is_down_no_reproduction(folder):
    with socket.socket() as closed, Shop("fixed") as shop:
        closed.bind(("127.0.0.1", 0))
        done, results = run(folder, "--base-url", f"http://127.0.0.1:{closed.getsockname()[1]}", env=environment(shop))

    assert outcomes(results) == dict.fromkeys(EVERY, ("failure", "unreachable")), done.stdout
    for _, _, message in results.values():
        assert "set-up failed: POST /api/sessions" in message
        assert "This is not a reproduction" in message


def test_generated_tests_call_a_failing_preparation_an_error_of_the_set_up(folder):
    with Shop("fixed") as shop:
        data = folder / "inc_2024_1234.py"
        data.write_text(data.read_text().replace('"prefix": "Bearer "', '"prefix": "Wrong "'))
        done, results = run(folder, "--base-url", shop.url, "-k", "not feature", env=environment(shop))

    assert {result[:2] for result in results.values()} == {("failure", "setup")}, done.stdout
    assert "setup: set-up failed: POST /api/cart/items was answered with status 401" in results[MODULES[0], GRACEFUL][2]


def test_generated_tests_are_red_when_the_system_never_recovers(folder):
    with Shop("fixed") as shop:
        answer, accepted = shop.answer, {}

        def pending_for_ever(method, path, *rest):
            status, headers, document = answer(method, path, *rest)
            if path == "/api/orders":
                accepted[document["order_id"]] = document["amount"]
                return 202, headers, {**document, "status": "payment_pending"}
            return status, headers, document

        shop.answer = pending_for_ever
        output, results = run(folder, "--base-url", shop.url, "-k", "recovery and not feature", env=environment(shop))

    assert by_name(results, MODULES[0]) == {INTEGRITY: ("failure", "unexpected_status")}
    assert "not recovered after 3 tries in 3 s" in output.stdout


def test_generated_tests_do_not_pass_when_the_load_was_turned_away(folder):
    with Shop("fixed") as shop:
        answer = shop.answer
        shop.answer = lambda method, path, *rest: (
            (422, {}, {}) if path == "/api/orders" else answer(method, path, *rest)
        )
        _, results = run(folder, "--base-url", shop.url, "-k", "not feature", env=environment(shop))

    assert by_name(results, MODULES[0]) == {
        GRACEFUL: ("failure", "unexpected_status"),
        FAILS_FAST: ("failure", "setup"),
        ISOLATION: ("failure", "setup"),
        INTEGRITY: ("failure", "setup"),
    }
    assert "what was sent beside this got nothing but 4xx" in results[MODULES[0], ISOLATION][2]


def test_generated_tests_skip_without_toxiproxy_and_say_so(folder):
    with Shop("fixed") as shop:
        done, results = run(folder, "--base-url", shop.url, env=environment())

    assert outcomes(results) == dict.fromkeys(EVERY, ("skipped", "")), done.stdout
    assert {result[2] for result in results.values()} == {"conditions need TOXIPROXY_URL: it is not set"}


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (
            lambda shop: setattr(shop, "toxics", {}),
            "Toxiproxy refused the condition replay_card_processor_hangs_latency",
        ),
        (lambda shop: setattr(shop, "http_toxics", ()), "this Toxiproxy has no http_latency"),
        (lambda shop: setattr(shop, "toxics", {"card-processor": Forgetful()}), "does not show it in place"),
    ],
    ids=["unknown proxy", "unsupported toxic", "not in place"],
)
def test_generated_tests_skip_where_a_condition_cannot_be_applied(folder, break_it, reason):
    with Shop("fixed") as shop:
        break_it(shop)
        _, results = run(folder, "--base-url", shop.url, "-k", ONE, env=environment(shop))

    assert {result[0] for result in results.values()} == {"skipped"}
    assert all(reason in result[2] for result in results.values())


class Forgetful(dict):
    """Toxics that are accepted and never there."""

    def __setitem__(self, name, toxic):
        pass


def test_generated_tests_use_plain_latency_where_every_request_is_struck(folder):
    with Shop("fixed", http_toxics=()) as shop:
        _, results = run(folder, "--base-url", shop.url, "-k", f"{FAILS_FAST} and not feature", env=environment(shop))

    assert by_name(results, MODULES[0]) == {FAILS_FAST: ("passed", "")}


def test_generated_tests_scale_delays_and_skip_where_they_prove_nothing(folder):
    with Shop("fixed") as shop:
        _, scaled = run(
            folder,
            "--base-url",
            shop.url,
            "--time-scale",
            "0.1",
            "-k",
            ONE,
            env=environment(shop),
        )
        _, short = run(folder, "--base-url", shop.url, "-k", ONE, env=environment(shop, TIME_SCALE="0.05"))

    assert set(by_name(scaled, MODULES[0]).values()) == {("passed", "")}
    assert set(by_name(short, MODULES[0]).values()) == {("skipped", "")}
    reason = "at this time scale the delay is 1500 ms, within the deadline: it proves nothing"
    assert {result[2] for result in short.values()} == {reason}


@pytest.mark.parametrize(
    ("options", "env", "reason"),
    [
        ((), {"BASE_URL": "http://shop.example.com"}, "beyond loopback: name it with --base-url"),
        (("--base-url", "http://shop.example.com"), {}, "these tests write: add --allow-writes"),
        (("--base-url", "http://127.0.0.1@evil.com"), {}, "and nothing else; got 'http://127.0.0.1@evil.com'"),
        ((), {"TOXIPROXY_URL": "http://shop.example.com:8474"}, "beyond loopback: name it with --base-url"),
        (("--time-scale", "0"), {}, "--time-scale (TIME_SCALE) is a positive number"),
    ],
)
def test_generated_tests_refuse_what_was_not_asked_for(folder, options, env, reason):
    done, results = run(folder, *options, env=environment(**env))

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert reason in done.stdout + done.stderr
    assert results == {}


def test_generated_tests_do_not_follow_a_redirect_off_the_host(folder):
    with Shop("fixed") as other, Shop("fixed") as shop:
        shop.answer = lambda method, path, *_: (307, {"Location": other.url + path}, {})
        _, results = run(folder, "--base-url", shop.url, "-k", ONE, env=environment())

    assert by_name(results, MODULES[0]) == {GRACEFUL: ("failure", "setup")}
    assert other.seen == []


def test_generated_tests_remove_conditions_when_interrupted(folder):
    with Shop("slow") as shop:
        process = subprocess.Popen(
            command(folder, "--base-url", shop.url, "-k", ONE),
            env=environment(shop),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not shop._waiting["orders"] and process.poll() is None:
            time.sleep(0.01)
        assert shop.toxics["card-processor"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED

        assert shop.toxics == {"card-processor": {}}


def test_generated_tests_remove_what_a_killed_run_left_behind(folder):
    with Shop("slow") as shop:
        left = {"name": "replay_old_latency", "type": "http_latency", "attributes": {"rate": 1}}
        own = {"name": "somebody_elses", "type": "http_latency", "attributes": {"rate": 0}}
        shop.toxics["card-processor"] |= {left["name"]: left, own["name"]: own}
        run(
            folder,
            "--base-url",
            shop.url,
            "--without-conditions",
            "-k",
            ONE,
            env=environment(shop),
        )

        assert shop.toxics == {"card-processor": {"somebody_elses": own}}


def test_generated_tests_run_against_the_embedded_fault_server(tmp_path):
    folder = rendered(tmp_path / "tests", deadline_ms=400, page_deadline_ms=400)
    with Shop("fixed") as processor:
        config = [
            {
                "name": "card-processor",
                "listen": "127.0.0.1:0",
                "upstream": processor.url.removeprefix("http://"),
                "enabled": True,
            }
        ]
        (tmp_path / "proxies.json").write_text(json.dumps(config))
        server = subprocess.Popen(
            [sys.executable, "-m", "prodintel_lib.faults", "--config", str(tmp_path / "proxies.json"), "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            api = re.search(r"http://[0-9.:]+", server.stdout.readline())[0]
            through = f"http://{listening(api)}/api/products/prd_17"
            env = environment(TOXIPROXY_URL=api)
            only = f"{FAILS_FAST} and not feature"
            with Shop("fixed", charge=charge_through(through, timeout_s=0.1)) as shop:
                _, fixed = run(folder, "--base-url", shop.url, "-k", only, env=env)
            with Shop("fixed", charge=charge_through(through, timeout_s=15)) as shop:
                _, faulty = run(folder, "--base-url", shop.url, "-k", only, env=env)
                _, without = run(folder, "--base-url", shop.url, "-k", only, "--without-conditions", env=env)
            left = toxics(api)
        finally:
            server.terminate()
            server.wait(timeout=20)
            server.stdout.close()

    assert by_name(fixed, MODULES[0]) == {FAILS_FAST: ("passed", "")}
    assert by_name(faulty, MODULES[0]) == {FAILS_FAST: ("failure", "no_answer_in_time")}
    assert by_name(without, MODULES[0]) == {FAILS_FAST: ("passed", "")}
    assert left == []


def proxy(api):
    with urlopen(f"{api}/proxies/card-processor", timeout=10) as answer:
        return json.load(answer)


def listening(api):
    return proxy(api)["listen"]


def toxics(api):
    return proxy(api)["toxics"]


def test_generated_tests_start_without_any_argument(tmp_path):
    folder = rendered(tmp_path / "tests")
    listing = environment(PYTEST_ADDOPTS="--collect-only -q")
    del listing["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest"],
        env=listing,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 tests collected" in done.stdout, done.stdout
