"""Rendered guards, run for real against a server on loopback: pytest, Locust, and k6's script under Node."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.guards import render_guards
from prodintel_lib.scenarios.guards import GuardSuite, Level
from tests.renderers.guard_sets import ORDERED, PLAN, SEARCHED, Api, make_guard, make_guards
from tests.renderers.hostile import broken_texts

K6 = Path(__file__).with_name("guard_k6")
KINDS = (
    make_guard(),
    make_guard(id="search_latency", kind="latency", limit_ms=150),
    make_guard(id="search_throughput", kind="throughput"),
    make_guard(id="orders_conversion", kind="conversion", whole=True, route="POST /api/orders", exchanges=(ORDERED,)),
)
EVERY = tuple(guard.id for guard in KINDS)


@pytest.fixture
def folder(tmp_path):
    return rendered(tmp_path / "guards", *KINDS)


def rendered(folder, *guards):
    write_files(render_guards(make_guards(*guards)), folder)
    # Were anything to import prodintel, it would get this.
    (folder / "prodintel_lib.py").write_text("raise ImportError('guards must not need prodintel')\n")
    return folder


def environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"} | more


def run_pytest(folder, *options, **more):
    command = [sys.executable, "-I", "-m", "pytest", str(folder), "-p", "no:cacheprovider", "-rA", *options]
    return subprocess.run(
        command, env=environment(**more), cwd=folder.parent, capture_output=True, text=True, timeout=120, check=False
    )


def run_locust(folder, *options, **more):
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(folder / "locustfile.py"),
        "--headless",
        "--skip-log",
        *options,
    ]
    return subprocess.run(
        command, env=environment(**more), cwd=folder.parent, capture_output=True, text=True, timeout=120, check=False
    )


def run_k6(folder, node, url, **more):
    command = [node, str(K6 / "run.mjs"), str(folder / "guards.k6.js")]
    return subprocess.run(
        command, env=environment(BASE_URL=url, **more), capture_output=True, text=True, timeout=120, check=False
    )


def told(output):
    """Return the symptom of each guard that Locust or k6 tell."""
    return dict(re.findall(r"guard (\w+): (\w+):", output))


def results(output):
    """Return what pytest tells of each guard: passed, or the symptom."""
    passed = dict.fromkeys(re.findall(r"PASSED \S+::test_(\w+)", output), "healthy")
    return passed | dict(re.findall(r"FAILED \S+::test_(\w+) - Failed: (\w+):", output))


def sent(api):
    """Return what a server saw, whatever was made anew for each request left out."""
    fresh = re.compile(r'"[0-9a-f]{8}-[0-9a-f-]{27}"|(?<="n": )"?[1-9]{8}"?')
    return sorted(fresh.sub("fresh", json.dumps(part)) for part in api.seen)


def test_render_guards_makes_the_same_bytes_twice():
    assert render_guards(make_guards(*KINDS)) == render_guards(make_guards(*KINDS))


def test_render_guards_without_a_guard_makes_no_file():
    assert render_guards(GuardSuite(None, (("AN-1: x", "why"),))) == ()


def test_render_guards_states_sample_sizes_power_and_false_alarms():
    files = {file.path: file.text for file in render_guards(make_guards(make_guard()))}
    said = " ".join(files["test_guards.py"].split())
    assert "Takes 8 requests at most, 8 on average where it is healthy and 6 where it is as bad as seen" in said
    assert "Red with 95.0 % at 50.0 % bad requests, and with 0.50 % at 2.0 %." in said
    data = json.loads(files["guards.json"])["guards"][0]
    assert data["looks"] == [[4, -1, 3], [8, 1, 2]]
    assert data["expected_requests"] == {"healthy": 8.0, "bad": 5.5}


@given(text=broken_texts)
def test_render_guards_keeps_hostile_text_in_literals(text):
    files = render_guards(make_guards(make_guard(title=text, seen=text, route=text)))
    by_path = {file.path: file.text for file in files}
    for path in ("test_guards.py", "guard_data.py"):
        kinds = {type(node).__name__ for node in ast.walk(ast.parse(by_path[path]))}
        assert not kinds & {"Lambda", "JoinedStr", "BinOp", "If", "For", "While", "With"}
    assert json.loads(by_path["guards.json"])["guards"][0]["route"] == text
    calm = {file.path: file.text for file in render_guards(make_guards(make_guard()))}
    assert by_path["guards.k6.js"] == calm["guards.k6.js"]
    assert by_path["locustfile.py"] == calm["locustfile.py"]


def test_all_three_send_the_same_requests(folder, needs, needs_program):
    needs("locust")
    node = needs_program("node")
    seen = []
    for run in (
        lambda url: run_pytest(folder, "--base-url", url, SECRET_CARD="4111"),
        lambda url: run_locust(folder, "--host", url, SECRET_CARD="4111"),
        lambda url: run_k6(folder, node, url, SECRET_CARD="4111"),
    ):
        with Api() as api:
            done = run(api.url)
        assert done.returncode == 0, done.stdout + done.stderr
        seen.append(sent(api))
    # Eight of each guard, each after signing in; an order after a search as well.
    assert [len(requests) for requests in seen] == [3 * 16 + 24] * 3
    assert seen[0] == seen[1] == seen[2]
    assert any('"card": "4111"' in request and "Bearer tok_1" in request for request in seen[0])


@pytest.mark.parametrize(
    ("way", "search", "order"),
    [
        ("error", "server_error", "server_error"),
        ("refused", "setup", "setup"),
        ("mixed", "server_error", "server_error"),
    ],
)
def test_all_three_judge_alike(folder, needs, needs_program, way, search, order):
    needs("locust")
    node = needs_program("node")
    wanted = dict.fromkeys(EVERY[:3], search) | {"orders_conversion": order}
    with Api(way) as api:
        by_pytest, by_locust = run_pytest(folder, "--base-url", api.url), run_locust(folder, "--host", api.url)
        by_k6 = run_k6(folder, node, api.url)
    assert results(by_pytest.stdout) == wanted
    assert told(by_locust.stderr) == wanted
    assert told(by_k6.stdout) == wanted
    assert (by_pytest.returncode, by_locust.returncode, by_k6.returncode) == (1, 1, 99)


def test_all_three_find_the_latency_guard_red_where_answers_are_slow(tmp_path, needs, needs_program):
    needs("locust")
    node = needs_program("node")
    folder = rendered(tmp_path / "guards", KINDS[1])
    with Api("slow", slow_s=0.4) as api:
        assert results(run_pytest(folder, "--base-url", api.url).stdout) == {"search_latency": "no_answer_in_time"}
        assert told(run_locust(folder, "--host", api.url).stderr) == {"search_latency": "no_answer_in_time"}
        assert told(run_k6(folder, node, api.url).stdout) == {"search_latency": "no_answer_in_time"}
        slower = run_pytest(folder, "--base-url", api.url, "--latency-factor", "20")
    assert results(slower.stdout) == {"search_latency": "healthy"}


def test_pytest_judges_nothing_where_nobody_answers(folder):
    with Api() as api:
        url = api.url
    done = run_pytest(folder, "--base-url", url)
    assert set(results(done.stdout).values()) == {"setup", "unreachable"}
    assert done.returncode == 1
    assert "This is no judgement: the guard could not be run." in done.stdout


def test_locust_ends_with_1_where_nobody_answers(folder, needs):
    needs("locust")
    with Api() as api:
        url = api.url
    done = run_locust(folder, "--host", url)
    assert done.returncode == 1
    assert set(told(done.stderr).values()) == {"setup", "unreachable"}


def test_locust_ends_with_1_where_it_is_stopped_before_it_judged(tmp_path, needs):
    needs("locust")
    folder = rendered(tmp_path / "guards", make_guard(kind="throughput", rate_per_s=0.1))
    with Api() as api:
        done = run_locust(folder, "--host", api.url, "--run-time", "1s", "--stop-timeout", "0")
    assert done.returncode == 1
    assert told(done.stderr) == {"get_search_error_ratio": "setup"}


def test_locust_runs_only_the_guard_asked_for(folder, needs):
    needs("locust")
    with Api() as api:
        done = run_locust(folder, "--host", api.url, "--guard", "search_latency")
        unknown = run_locust(folder, "--host", api.url, "--guard", "nothing")
    assert told(done.stderr) == {"search_latency": "healthy"}
    assert done.returncode == 0
    assert "no such guard: nothing" in unknown.stderr
    assert unknown.returncode == 2


def test_writing_beyond_loopback_is_refused_before_anything_is_sent(folder, needs, needs_program):
    needs("locust")
    node = needs_program("node")
    far = "http://staging.invalid"
    by_pytest, by_locust = run_pytest(folder, "--base-url", far), run_locust(folder, "--host", far)
    by_k6 = run_k6(folder, node, far)
    assert [done.returncode for done in (by_pytest, by_locust, by_k6)] == [4, 2, 107]
    for done in (by_pytest, by_locust, by_k6):
        assert "is beyond loopback and these guards write: add" in done.stdout + done.stderr


def test_a_target_beyond_loopback_has_to_be_typed(folder):
    done = run_pytest(folder, BASE_URL="http://staging.invalid")
    assert done.returncode == 4
    assert "is beyond loopback: name it with --base-url on the command line" in done.stderr


@pytest.mark.parametrize(
    "target", ["http://127.1", "http://user@127.0.0.1", "http://127.0.0.1/?x=1", "ftp://127.0.0.1"]
)
def test_a_target_that_hides_its_host_is_refused(folder, needs_program, target):
    node = needs_program("node")
    assert run_pytest(folder, "--base-url", target).returncode == 4
    refused = run_k6(folder, node, target)
    assert refused.returncode == 107


def test_customers_who_do_not_get_there_are_replaced_and_told_of(tmp_path):
    folder = rendered(tmp_path / "guards", make_guard(exchanges=(SEARCHED,)))
    with Api("mixed", struck="/api/sessions") as api:
        done = run_pytest(folder, "--base-url", api.url)
    assert results(done.stdout) == {"get_search_error_ratio": "healthy"}
    assert sum(path.startswith("/api/search") for _, path, *_ in api.seen) == 8
    with Api("error", struck="/api/sessions") as api:
        done = run_pytest(folder, "--base-url", api.url)
    assert results(done.stdout) == {"get_search_error_ratio": "setup"}
    assert "POST /api/sessions got 500" in done.stdout


def test_guards_that_are_sure_early_stop_early(tmp_path):
    guard = make_guard(healthy=Level(bad=0, n=9, bound=0.1), plan=PLAN)
    folder = rendered(tmp_path / "guards", guard)
    with Api("error") as api:
        assert run_pytest(folder, "--base-url", api.url).returncode == 1
    assert sum(path.startswith("/api/search") for _, path, *_ in api.seen) == 4


def test_the_k6_script_is_a_module_that_node_parses(folder, needs_program):
    (folder / "package.json").write_text('{"type": "module"}')
    command = [needs_program("node"), "--check", str(folder / "guards.k6.js")]
    assert subprocess.run(command, check=False).returncode == 0
