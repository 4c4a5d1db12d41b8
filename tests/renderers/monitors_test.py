"""Rendered monitors, run for real against a shop on loopback: what they find, and what their exit code says."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.monitors import cron_of, folders_of, index_of, render_monitors
from tests.renderers.hostile import broken_texts
from tests.renderers.monitor_sets import KIND, LOOKED, Shop, make_check, make_suite, order_monitor, shelf_monitor

CHECKS = ("availability", "latency", "schema", "rule_1")
BEYOND = "http://shop.invalid"


@pytest.fixture
def folder(tmp_path):
    return rendered(tmp_path / "monitors", shelf_monitor(), order_monitor())


def rendered(folder, *monitors):
    write_files(render_monitors(make_suite(*monitors)), folder)
    # Were anything to import prodintel, it would get this.
    (folder / "endpoints" / "prodintel_lib.py").write_text("raise ImportError('monitors must not need prodintel')\n")
    return folder


def run(folder, *options, **more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
    command = [sys.executable, "-I", "-m", "pytest", str(folder / "endpoints"), "-p", "no:cacheprovider", "-rA"]
    return subprocess.run(
        [*command, *options],
        env=environment | more,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def results(done):
    """Return what pytest tells of each check: passed, skipped, or the symptom."""
    found = dict.fromkeys(re.findall(r"PASSED \S+::test_(\w+)", done.stdout), "healthy")
    return found | dict(re.findall(r"FAILED \S+::test_(\w+) - Failed: (\w+):", done.stdout))


def of_shelf(alter):
    """Alter the answers of the shelf alone."""
    return lambda method, path, status, document, count: (
        alter(status, document, count) if path.startswith("/api/shelf") else (status, document)
    )


def of_page(alter):
    """Alter the pages of orders alone."""
    return lambda method, path, status, document, count: (
        alter(status, document, count) if method == "GET" and path.startswith("/api/orders") else (status, document)
    )


def test_monitors_of_a_healthy_shop_are_green(folder):
    with Shop() as shop:
        done = run(folder, "--base-url", shop.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(done) == {f"{name}__{check}": "healthy" for name in ("get_shelf", "get_order") for check in CHECKS}
    # Each customer asks once, and all checks judge the same answers.
    assert sum(path.startswith("/api/shelf") for _, path, _ in shop.seen) == 2
    assert [path for method, path, _ in shop.seen if (method, "orders" in path) == ("GET", True)] == [
        "/api/orders/o1",
        "/api/orders/o2",
        "/api/orders/o3",
    ]


@pytest.mark.parametrize(
    ("alter", "check", "symptom", "said"),
    [
        (lambda status, document, count: (503, {}), "availability", "server_error", "2 server_error: status 503"),
        (lambda status, document, count: (404, {}), "availability", "unexpected_status", "status 404"),
        (
            lambda status, document, count: (200, {**document, "items": "none"}),
            "schema",
            "schema",
            "$.items: 'none' is not of type 'array'",
        ),
        (
            lambda status, document, count: (200, {"items": document["items"]}),
            "schema",
            "schema",
            "'kind' is a required property",
        ),
        (lambda status, document, count: (200, b"<html>"), "schema", "schema", "the answer is no JSON"),
        (
            lambda status, document, count: (200, {**document, "items": [{"id": "p1", "kind": "other"}]}),
            "rule_1",
            "business_rule",
            "2 business_rule",
        ),
    ],
    ids=["down", "gone", "another type", "a member gone", "no JSON", "another kind"],
)
def test_monitors_are_red_for_the_right_reason(folder, alter, check, symptom, said):
    with Shop(of_shelf(alter)) as shop:
        done = run(folder, "--base-url", shop.url, "-k", "get_shelf")
    assert done.returncode == 1
    found = results(done)
    assert found.pop(f"get_shelf__{check}") == symptom
    assert set(found.values()) <= {"healthy", "unjudged"}
    assert said in done.stdout


def test_monitors_find_a_total_that_its_items_do_not_make(folder):
    with Shop(of_page(lambda status, document, count: (200, {**document, "total": 17}))) as shop:
        done = run(folder, "--base-url", shop.url, "-k", "get_order")
    assert done.returncode == 1
    assert results(done) == {f"get_order__{check}": "healthy" for check in CHECKS} | {
        "get_order__rule_1": "business_rule"
    }


def test_monitors_find_slow_answers_and_a_factor_excuses_them(tmp_path):
    folder = rendered(tmp_path / "monitors", shelf_monitor(limit_ms=150))
    with Shop(slow_s=0.4) as shop:
        done = run(folder, "--base-url", shop.url)
        slower = run(folder, "--base-url", shop.url, "--latency-factor", "20")
    assert (done.returncode, slower.returncode) == (1, 0)
    assert results(done)["get_shelf__latency"] == "too_slow"


def test_monitors_ask_again_before_they_raise_an_alarm(folder):
    # Every other answer is bad: nobody is answered badly twice in a row.
    with Shop(of_shelf(lambda status, document, count: (500, {}) if count % 2 else (status, document))) as shop:
        done = run(folder, "--base-url", shop.url, "-k", "get_shelf")
    assert done.returncode == 0, done.stdout
    assert sum(path.startswith("/api/shelf") for _, path, _ in shop.seen) == 4


def test_monitors_are_red_where_one_kind_of_customer_is_struck(tmp_path):
    # The second customer alone is answered badly, each time.
    bad = {2, 3}
    folder = rendered(tmp_path / "monitors", shelf_monitor(exchanges=(LOOKED, LOOKED, LOOKED)))
    with Shop(of_shelf(lambda status, document, count: (500, {}) if count in bad else (status, document))) as shop:
        done = run(folder, "--base-url", shop.url)
    assert done.returncode == 1
    assert "server_error: 1 of 3 customers were answered badly each time" in done.stdout


def test_monitors_are_red_where_nobody_answers(folder):
    with Shop() as shop:
        url = shop.url
    done = run(folder, "--base-url", url, "-k", "get_shelf")
    assert done.returncode == 1
    assert results(done)["get_shelf__availability"] == "unreachable"


def test_monitors_cannot_judge_what_nobody_gets_to(folder):
    with Shop(
        lambda method, path, status, document, count: (500, {}) if "sessions" in path else (status, document)
    ) as shop:
        done = run(folder, "--base-url", shop.url, "-k", "get_order")
    assert done.returncode == 2
    assert set(results(done).values()) == {"unjudged"}
    assert "POST /api/sessions got 500" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-k", "no_such_monitor"], "no tests ran|deselected"),
        (["--latency-factor", "0"], "--latency-factor .LATENCY_FACTOR. is a positive number"),
        (["--base-url", "http://user@127.0.0.1"], "A target is http"),
    ],
)
def test_monitors_that_judged_nothing_end_with_2(folder, options, said):
    done = run(folder, *options)
    assert done.returncode == 2
    assert re.search(said, done.stdout + done.stderr)


def test_monitors_leave_loopback_only_where_it_is_typed(folder):
    done = run(folder, BASE_URL=BEYOND)
    assert done.returncode == 2
    assert "is beyond loopback: name it with --base-url on the command line" in done.stdout + done.stderr


def test_monitors_that_write_or_sign_in_are_skipped_beyond_loopback(tmp_path):
    folder = rendered(tmp_path / "monitors", order_monitor(), order_monitor(id="signs_in", writes=False))
    done = run(folder, "--base-url", BEYOND)
    assert done.returncode == 2, "nothing was judged"
    assert "it writes, and the target is beyond loopback: --allow-writes lets it" in done.stdout
    assert "it signs in, and the target is beyond loopback: --allow-sign-in lets it" in done.stdout
    assert "8 skipped" in done.stdout


def test_render_monitors_makes_the_same_bytes_twice():
    suite = make_suite(shelf_monitor(), order_monitor())
    assert render_monitors(suite) == render_monitors(suite)


def test_render_monitors_without_an_endpoint_still_says_what_was_left_out():
    suite = make_suite(left_out=[("GET /x", "nothing was asked for there.")])
    files = {file.path: file.text for file in render_monitors(suite)}
    assert set(files) == {"README.md", "monitors.json"}
    assert json.loads(files["monitors.json"])["left_out"] == [{"what": "GET /x", "why": "nothing was asked for there."}]
    assert "without a monitor: GET /x" in files["README.md"]
    assert folders_of(suite) == ()


def test_render_monitors_says_how_sure_an_alarm_is():
    files = {file.path: file.text for file in render_monitors(make_suite(shelf_monitor()))}
    said = " ".join(files["endpoints/test_monitors.py"].split())
    assert "In production 0 of 900 did not (at most 0.33 %, at 95 %)." in said
    assert "Red where one of 2 customers is answered badly 2 times in a row: by chance in 2e-05 of runs at most" in said
    assert "Of 450 groups of as many neighbouring requests of healthy production, 0 held so many" in said
    assert "That any of 40 rules tried holds so often by chance has a chance of 1e-12 at most." in said


def test_index_of_says_what_to_schedule_and_how():
    index = index_of(make_suite(shelf_monitor(), order_monitor()))
    assert [(each["id"], each["cron"], each["command"], each["writes"]) for each in index["endpoints"]] == [
        ("get_shelf", "*/5 * * * *", "pytest endpoints -k test_get_shelf__", False),
        ("get_order", "7 * * * *", "pytest endpoints -k test_get_order__", True),
    ]


@pytest.mark.parametrize(("every_min", "cron"), [(5, "*/5 * * * *"), (15, "*/15 * * * *"), (60, "7 * * * *")])
def test_cron_of_writes_minutes_and_hours(every_min, cron):
    assert cron_of(every_min) == cron


@given(text=broken_texts)
def test_render_monitors_keeps_hostile_text_in_literals(text):
    monitor = shelf_monitor(endpoint=text, reasons=(text,), checks=(make_check(says=text), KIND))
    files = {file.path: file.text for file in render_monitors(make_suite(monitor, left_out=[(text, text)]))}
    kinds = {type(node).__name__ for node in ast.walk(ast.parse(files["endpoints/test_monitors.py"]))}
    assert not kinds & {"Lambda", "JoinedStr", "BinOp", "If", "For", "While", "With"}
    assert json.loads(files["endpoints/monitor_data.json"])["monitors"]["get_shelf"]["endpoint"] == text
    calm = {file.path: file.text for file in render_monitors(make_suite(shelf_monitor()))}
    assert files["endpoints/monitor_system.py"] == calm["endpoints/monitor_system.py"]
    assert files["README.md"].isascii()
