"""The load test for Locust, run for real against a shop on loopback: one process, several, and what makes it fail."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from urllib.request import Request, urlopen

import pytest
from hypothesis import given

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.load_tests import LOAD_RUNTIME, render_load_test
from prodintel_lib.renderers.templates.load_options import read_model
from prodintel_lib.renderers.templates.load_plan import Behaviour, Setting
from prodintel_lib.scenarios.load_model.model import LoadArc, LoadState, Threshold
from tests.renderers.hostile import broken_texts
from tests.renderers.load_models import BROWSERS, ENDPOINTS, SEARCH, LoadShop, make_model

SETTING = Setting(scale=1.0, compress=1.0, multiplier=1.0, start_s=0.0, length_s=2.0, seed=7)
# Blocks the process for longer than a session may be late, as a hook of the user's might.
BLOCKER = """
import gevent
from gevent.monkey import get_original
from locust import events

@events.test_start.add_listener
def block(**_):
    gevent.spawn_later(1.2, get_original("time", "sleep"), 2.5)
"""
# Puts something where the record is to be written, when it is too late to see it.
OBSTACLE = """
from pathlib import Path
import gevent
from locust import events

@events.test_start.add_listener
def block(**_):
    gevent.spawn_later(1, (Path(__file__).parent / "load_run" / "planned.csv").mkdir)
"""
RUN_KEYS = [
    *("schema", "generator", "input_digest", "target", "seed", "scale", "compress", "multiplier", "start_s"),
    *("length_s", "bucket_s", "curve_start_us", "curve_end_us", "source", "planned_sessions", "begun_sessions"),
    *("late_sessions", "delay_p99_s", "cut_short", "requests", "failed_requests", "setup_requests", "errors"),
    *("thresholds", "failed", "why"),
]


@pytest.fixture(autouse=True)
def locust(needs):
    needs("locust")


@pytest.fixture
def folder(tmp_path):
    return rendered(tmp_path / "load", make_model())


def rendered(folder, model):
    write_files(render_load_test(model), folder)
    # Were anything to import prodintel, it would get this.
    (folder / "prodintel_lib.py").write_text("raise ImportError('a load test must not need prodintel')\n")
    return folder


def environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | more


def command(folder, *options, headless=True, files="locustfile.py"):
    locustfiles = ",".join(str(folder / name) for name in files.split(","))
    start = [sys.executable, "-m", "locust", "-f", locustfiles, "--only-summary", "--out", str(folder / "load_run")]
    return [*start, *(["--headless"] if headless else []), *options]


def run(folder, *options, files="locustfile.py", **more):
    return subprocess.run(
        command(folder, *options, files=files),
        env=environment(**more),
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def record(folder):
    """Return run.json, the rows of requests.csv and those of planned.csv."""
    out = folder / "load_run"
    rows = [list(csv.DictReader((out / name).read_text().splitlines())) for name in ("requests.csv", "planned.csv")]
    return json.loads((out / "run.json").read_text()), *rows


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_render_load_test_makes_the_same_bytes_twice():
    assert render_load_test(make_model()) == render_load_test(make_model())


@given(text=broken_texts)
def test_render_load_test_keeps_hostile_text_in_the_model(text):
    hostile = SEARCH.model_copy(update={"label": text, "route": text})
    state = LoadState(after=(text,), visits=1, end_logit=0.0, arcs=(LoadArc(endpoint=0, weight=1, state=0),))
    model = make_model().model_copy(
        update={
            "endpoints": (hostile, *ENDPOINTS[1:]),
            "classes": (BROWSERS.model_copy(update={"name": text, "states": (state,)}),),
            "left_out": (text,),
        }
    )
    files = {file.path: file.text for file in render_load_test(model)}
    calm = {file.path: file.text for file in render_load_test(make_model())}
    assert {path for path in files if files[path] != calm[path]} <= {"load_model.json", "README.md"}
    assert files["load_model.json"].isascii()
    data = json.loads(files["load_model.json"])
    assert data["endpoints"][0]["label"] == data["classes"][0]["name"] == text
    readme = files["README.md"]
    assert readme.isascii()
    [fence] = {line.removesuffix("text") for line in readme.splitlines() if line.startswith("~~~")}
    fenced = readme.split(f"\n{fence}")[1].splitlines()[1:]
    assert all(isinstance(json.loads(line), str) for line in fenced)


def test_the_readme_names_every_file_option_and_exit_code():
    readme = next(file.text for file in render_load_test(make_model()) if file.path == "README.md")
    source = next(file.text for file in render_load_test(make_model()) if file.path == "locustfile.py")
    options = set(re.findall(r'"(--[a-z-]+)"', source))
    assert len(options) == 9
    assert [option for option in options if f"`{option}" not in readme] == []


def test_one_process_sends_what_is_planned(folder):
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url, "--csv", str(folder / "stats"), SECRET_CARD="4111")
    assert done.returncode == 0, done.stderr
    judged, rows, planned = record(folder)
    assert (
        "load test: held: no threshold is broken, 2 of 2 are held; 40 of 40 planned sessions began within 1 s"
        in done.stderr
    )

    model, _ = read_model(folder / "load_model.json")
    behaviour = Behaviour(model)
    expected = behaviour.planned(model["curve"], SETTING)
    assert [(int(row["session"]), float(row["t"])) for row in planned] == [
        (number, round(at_s, 6)) for number, at_s in expected
    ]
    rows.sort(key=lambda row: (int(row["session"]), float(row["t"])))
    for number, at_s in expected:
        mine = [row for row in rows if row["session"] == str(number) and row["setup"] == "0"]
        steps = list(behaviour.walk(7, number))
        assert [row["endpoint"] for row in mine] == [ENDPOINTS[step.endpoint].label for step in steps]
        since_s = [float(row["t"]) - at_s for row in mine]
        # Never before its time; how long after is the machine's affair.
        assert all(late >= 0 for late in since_s)
        for before, after, step in zip(mine, mine[1:], steps[1:], strict=False):
            assert float(after["t"]) - float(before["t"]) >= step.gap_s - 0.001
    assert judged["planned_sessions"] == judged["begun_sessions"] == 40
    assert judged["requests"] + judged["setup_requests"] == len(rows) == len(shop.seen)
    assert {row["status"] for row in rows} == {"200", "201"}
    assert list(judged) == RUN_KEYS
    assert (judged["failed"], judged["why"], judged["errors"]) == (False, [], [])


def test_what_is_sent_is_as_production_had_it(folder):
    with LoadShop() as shop:
        assert run(folder, "--host", shop.url, SECRET_CARD="4111").returncode == 0
    _, rows, _ = record(folder)
    searches = {path for method, path, *_ in shop.seen if method == "GET"}
    assert searches == {
        "/api/search/gr%C3%BCn%20&%20blau?q=%C3%A9t%C3%A9+%27a%27+%28b%29%2A",
        "/api/search/rot?q=lamp",
    }
    orders = [(path, body, token) for _, path, body, token, _ in shop.seen if path.endswith("/orders")]
    assert orders
    assert all(path.startswith("/api/carts/cart_") and token.startswith("Bearer tok_") for path, _, token in orders)
    assert {body["card"] for _, body, _ in orders} == {"4111"}
    assert {body["note"] for _, body, _ in orders} == {"ü\u2028"}
    assert len({body["key"] for _, body, _ in orders}) == len(orders)
    # A session signs in once, only where it needs to, and has its own cookies.
    signed = Counter(row["session"] for row in rows if row["setup"] == "1")
    needing = {row["session"] for row in rows if row["endpoint"] in {ENDPOINTS[2].label, ENDPOINTS[3].label}}
    assert set(signed) == needing
    assert set(signed.values()) == {1}
    first = len({row["session"] for row in rows})
    assert sum(cookie is None for *_, cookie in shop.seen) == first


def test_locusts_own_statistics_have_the_endpoints_names(folder):
    with LoadShop() as shop:
        run(folder, "--host", shop.url, "--json-file", str(folder / "stats"))
    _, rows, _ = record(folder)
    counted = {each["name"]: each["num_requests"] for each in json.loads((folder / "stats.json").read_text())}
    sent = Counter(row["endpoint"] + (" (set-up)" if row["setup"] == "1" else "") for row in rows)
    assert counted == sent


def test_master_and_workers_share_the_same_sessions_out(folder):
    port = str(free_port())
    with LoadShop() as shop:
        workers = [
            subprocess.Popen(
                [*command(folder), "--worker", "--master-host", "127.0.0.1", "--master-port", port],
                env=environment(),
                cwd=folder.parent,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ask = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
        done = run(folder, *ask, "--host", shop.url)
        said = [worker.communicate(timeout=30)[1] for worker in workers]
    assert done.returncode == 0, done.stderr + "".join(said)
    assert [worker.returncode for worker in workers] == [0, 0]
    judged, rows, planned = record(folder)
    model, _ = read_model(folder / "load_model.json")
    expected = Behaviour(model).planned(model["curve"], SETTING)
    assert [int(row["session"]) for row in planned] == [number for number, _ in expected]
    assert judged["begun_sessions"] == 40
    assert len({row["session"] for row in rows}) == 40
    assert judged["requests"] + judged["setup_requests"] == len(rows) == len(shop.seen)
    # Locust's own table counts them as well, for it is made of what the workers report.
    assert f"Aggregated {len(rows)}" in " ".join(done.stderr.split() + done.stdout.split())


@pytest.mark.slow
def test_processes_on_one_machine_work_as_well(folder):
    port = str(free_port())
    with LoadShop() as shop:
        ask = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
        done = run(folder, *ask, "--host", shop.url, "--seed", "8", "--scale", "0.5")
    assert done.returncode == 0, done.stderr
    judged, rows, _ = record(folder)
    assert (judged["seed"], judged["scale"], judged["begun_sessions"]) == (8, 0.5, 20)
    assert len(rows) == len(shop.seen)


def test_a_worker_with_another_model_fails_the_run(folder, tmp_path):
    other = rendered(tmp_path / "other", make_model(longest=3))
    port = str(free_port())
    with LoadShop() as shop:
        worker = subprocess.Popen(
            [*command(other), "--worker", "--master-host", "127.0.0.1", "--master-port", port],
            env=environment(),
            cwd=folder.parent,
            stderr=subprocess.DEVNULL,
        )
        ask = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1")
        done = run(folder, *ask, "--host", shop.url)
        assert worker.wait(timeout=30) == 1
    assert done.returncode == 1
    assert shop.seen == []
    assert "this process has another load_model.json than the one that conducts the run" in done.stderr


def test_a_record_that_cannot_be_written_fails_the_run(folder):
    (folder / "load_run").write_text("in the way")
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url)
    assert done.returncode == 1
    assert "load test: FAILED: not run:" in done.stderr
    assert shop.seen == []


def test_a_judgement_that_cannot_be_written_fails_the_run(folder):
    (folder / "obstacle.py").write_text(OBSTACLE)
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url, files="locustfile.py,obstacle.py")
    assert shop.seen
    assert done.returncode == 1
    assert not (folder / "load_run" / "run.json").exists()
    assert "IsADirectoryError" in done.stderr


@pytest.mark.slow
def test_a_worker_that_dies_is_said_and_its_sessions_are_missed(tmp_path):
    model = make_model()
    curve = model.curve.model_copy(update={"sessions": (4.0,) * 16})
    folder = rendered(tmp_path / "load", make_model(curve=curve))
    port = str(free_port())
    with LoadShop() as shop:
        ask = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
        master = subprocess.Popen(
            [*command(folder, *ask, "--host", shop.url, "--length", "8")],
            env=environment(),
            cwd=folder.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        workers = [
            subprocess.Popen(
                [*command(folder), "--worker", "--master-host", "127.0.0.1", "--master-port", port],
                env=environment(),
                cwd=folder.parent,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]
        while not shop.seen:
            shop.closed.wait(0.05)
        workers[0].kill()
        _, said = master.communicate(timeout=90)
        for worker in workers:
            worker.wait(timeout=30)
    assert master.returncode == 1, said
    judged, _, _ = record(folder)
    assert "a worker was lost, with share" in judged["why"][0]
    assert "arrivals were missed: of 64 planned sessions" in judged["why"][1]
    assert 20 <= judged["begun_sessions"] < 60


def test_an_error_in_the_load_test_itself_fails_the_run(folder):
    path = folder / "load_model.json"
    data = json.loads(path.read_text())
    data["endpoints"][2]["variants"][0]["replacements"].append(
        {"into": "path", "at": "nowhere", "value": {"source": "masked", "name": "x"}}
    )
    path.write_text(json.dumps(data))
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url)
    assert done.returncode == 1
    judged, _, _ = record(folder)
    [error] = judged["errors"]
    assert error["what"].startswith("ValueError: invalid literal for int()")
    assert error["where"].startswith("replay_requests.py:")
    assert "load test: FAILED: ValueError: invalid literal for int()" in done.stderr
    # The other sessions went on.
    assert judged["begun_sessions"] == 40


def test_a_server_that_sends_garbage_is_no_error_of_the_load_test(folder):
    with LoadShop("garbage") as shop:
        done = run(folder, "--host", shop.url)
    assert done.returncode == 1
    judged, _, _ = record(folder)
    assert judged["errors"] == []
    assert judged["cut_short"] > 2
    assert judged["why"] == [f"{judged['cut_short']} of 40 sessions were cut short: they lacked a value to send."]


def test_a_broken_threshold_fails_the_run(folder):
    with LoadShop("error") as shop:
        done = run(folder, "--host", shop.url)
    assert done.returncode == 1
    judged, rows, _ = record(folder)
    latency, failures = judged["thresholds"]
    assert (latency["held"], failures["held"]) == (True, False)
    assert (failures["value"], failures["n"]) == (1.0, sum(row["endpoint"] == SEARCH.label for row in rows))
    assert judged["why"] == [
        f"'{SEARCH.label}': failed 100.00 % of {failures['n']}, limit 5.00 %: BROKEN",
    ]


def test_slow_answers_break_a_latency_and_the_latency_factor_widens_it(tmp_path):
    limit = Threshold(endpoint=1, kind="latency", percentile=95, limit=200, origin="slo", seen=90, n=900)
    folder = rendered(tmp_path / "load", make_model(thresholds=(limit,)))
    with LoadShop("slow") as shop:
        slow = run(folder, "--host", shop.url)
        [threshold] = record(folder)[0]["thresholds"]
        assert (threshold["held"], threshold["limit"]) == (False, 200)
        assert threshold["value"] > 300
        factored = run(folder, "--host", shop.url, "--latency-factor", "50")
    assert (slow.returncode, factored.returncode) == (1, 0)
    assert record(folder)[0]["thresholds"][0]["limit"] == 10_000


def test_no_answer_in_patience_is_a_failure_of_that_long(tmp_path):
    hasty = SEARCH.model_copy(update={"patience_ms": 100})
    folder = rendered(tmp_path / "load", make_model(endpoints=(ENDPOINTS[0], hasty, *ENDPOINTS[2:])))
    with LoadShop("slow", slow_s=5) as shop:
        done = run(folder, "--host", shop.url)
    judged, rows, _ = record(folder)
    assert done.returncode == 1
    searches = [row for row in rows if row["endpoint"] == SEARCH.label]
    assert {row["status"] for row in searches} == {""}
    assert all(float(row["elapsed_ms"]) >= 100 for row in searches)
    latency, failures = judged["thresholds"]
    assert latency["n"] == failures["n"] == len(searches)
    assert failures["value"] == 1.0
    assert judged["errors"] == []


def test_a_target_that_refuses_has_failures_without_a_latency(folder):
    with LoadShop() as shop:
        url = shop.url
    done = run(folder, "--host", url)
    judged, rows, _ = record(folder)
    assert done.returncode == 1
    latency, failures = judged["thresholds"]
    assert (latency["n"], latency["held"]) == (0, None)
    assert (failures["held"], failures["n"]) == (False, len([row for row in rows if row["setup"] == "0"]))


def test_arrivals_that_a_blocked_process_missed_fail_the_run(folder):
    (folder / "blocker.py").write_text(BLOCKER)
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url, files="locustfile.py,blocker.py")
    judged, _, _ = record(folder)
    assert done.returncode == 1
    assert judged["late_sessions"] > 10
    assert judged["begun_sessions"] == 40
    missed = f"arrivals were missed: of 40 planned sessions 0 never began and {judged['late_sessions']} began more than"
    assert any(why.startswith(missed) for why in judged["why"])


def test_a_run_that_is_stopped_early_fails(folder):
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url, "--length", "60", "--run-time", "4s")
    judged, rows, _ = record(folder)
    assert done.returncode == 1
    assert judged["why"][0] == "it was stopped before its sessions had ended."
    assert 0 < judged["begun_sessions"] < judged["planned_sessions"]
    assert len(rows) > 0


def test_a_part_of_the_curve_without_sessions_fails(tmp_path):
    curve = make_model().curve.model_copy(update={"sessions": (0.0, 9.0)})
    folder = rendered(tmp_path / "load", make_model(curve=curve))
    with LoadShop() as shop:
        done = run(folder, "--host", shop.url, "--length", "0.5")
    assert done.returncode == 1
    assert "FAILED: nothing was sent: the model expects no session in this part of the curve" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scale", "0"), "--scale is a number above 0"),
        (("--event", "pink-friday"), "the name of an event (none); got 'pink-friday'"),
        (("--start", "03:00"), "the curve begins at 08:00 and ends before 03:00"),
        (("--host", "http://staging.invalid"), "is beyond loopback and this load writes: add --allow-writes"),
        (("--host", "http://127.1"), "A target is http(s)://host[:port][/path] and nothing else"),
    ],
)
def test_what_cannot_be_followed_ends_with_2_before_anything_is_sent(folder, options, said):
    done = run(folder, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (folder / "load_run").exists()


def test_a_load_that_only_reads_may_leave_loopback(tmp_path):
    model = make_model(endpoints=(SEARCH,) * 4, login=None, guards=(), classes=(BROWSERS,))
    folder = rendered(tmp_path / "load", model)
    done = run(folder, "--host", "http://staging.invalid", "--run-time", "1s")
    assert done.returncode == 1
    assert "beyond loopback" not in done.stderr


def test_a_load_model_that_is_none_ends_with_2(folder):
    (folder / "load_model.json").write_text('{"schema": "prodintel/load/0"}')
    done = run(folder)
    assert done.returncode == 2
    assert "load_model.json is no load model of schema prodintel/load/1" in done.stderr


@pytest.mark.slow
def test_the_web_page_starts_runs_one_after_another(folder):
    port = free_port()
    ask = ("--web-host", "127.0.0.1", "--web-port", str(port))
    with LoadShop() as shop:
        server = subprocess.Popen(
            command(folder, *ask, "--host", shop.url, headless=False),
            env=environment(),
            cwd=folder.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            came = [swarm(port, folder, shop, scale) for scale in ("0.5", "0.25")]
        finally:
            server.send_signal(signal.SIGTERM)
            _, said = server.communicate(timeout=30)
    assert [judged["planned_sessions"] for judged in came] == [20, 10]
    assert [judged["failed"] for judged in came] == [False, False]
    assert server.returncode == 0, said


def swarm(port, folder, shop, scale):
    """Start a run as the page does, wait for its record, and return what it says."""
    wanted, out = f"http://127.0.0.1:{port}/swarm", folder / "load_run" / "run.json"
    form = f"user_count=1&spawn_rate=1&host={shop.url}&scale={scale}".encode()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urlopen(Request(wanted, data=form)) as answer:
                assert json.loads(answer.read())["success"]
            break
        except OSError:
            shop.closed.wait(0.2)
    while time.monotonic() < deadline:
        shop.closed.wait(0.2)
        if out.exists() and (text := out.read_text()).endswith("}\n") and json.loads(text)["scale"] == float(scale):
            return json.loads(text)
    raise AssertionError("the run did not end")


def test_every_template_of_the_runtime_is_used():
    source = "".join(file.text for file in render_load_test(make_model()) if file.path in LOAD_RUNTIME)
    modules = {path.removesuffix(".py") for path in LOAD_RUNTIME} - {"locustfile"}
    assert {name for name in modules if f"from {name} import" in source} == modules
    assert "prodintel_lib" not in source
