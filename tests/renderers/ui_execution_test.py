"""The browser tests that were rendered are run, in every language, against a small shop that writes down what happens."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.ui_suite import render_ui_suite
from prodintel_lib.scenarios.ui_clients import draws
from prodintel_lib.scenarios.ui_model import Client, ExpectNoErrors, ExpectVisible, Target, UiSuite, Visit
from tests.conftest import CHROMIUM_FLAGS, lacking
from tests.renderers.ui_shop import running_shop
from tests.renderers.ui_suites import make_ui_suite

NODE_MODULES = Path(__file__).parent / "ui_node" / "node_modules"
SEED, RATE = 11, 0.5

# Browsers start anew for every rendering; a shared machine takes its time.
pytestmark = pytest.mark.timeout(900)
BUYING = [
    "GET /",
    'change box=5" "lamp"',
    "click go",
    "submit search",
    "GET /search?q=5%22+%22lamp%22",
    "click first",
    "GET /product/prd_7",
    "click buy",
    "GET /search?q=5%22+%22lamp%22",
    "click basket",
    "GET /checkout",
    "change email=ada.tester@example.com",
    "change postcode=1012 AB",
    "change country=NL",
    "change code=123",
    "click pay",
    "submit pay-form",
    "POST /pay [('code', '123'), ('country', 'NL'), ('email', 'ada.tester@example.com'), ('postcode', '1012 AB')]",
    "GET /order/ord_2",
]


def make_suite() -> UiSuite:
    """Return the journey, the error, and a visit on a bad network."""
    journey, error = make_ui_suite().scenarios
    asking = error.model_copy(
        update={
            "id": "asking",
            "client": Client(request_failure_rate=RATE, seed=SEED),
            "steps": (
                Visit(path="/asks"),
                ExpectVisible(target=Target(role="button", name="Done")),
                ExpectNoErrors(),
            ),
        }
    )
    return UiSuite(title="t", scenarios=(asking, journey, error))


@pytest.fixture(scope="module")
def suite_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    write_files(render_ui_suite(make_suite()), folder)
    return folder


@pytest.fixture(scope="session")
def environment(needs_program):
    return {
        **os.environ,
        "PLAYWRIGHT_CHROMIUM": needs_program("chromium"),
        "PLAYWRIGHT_CHROMIUM_ARGS": " ".join(CHROMIUM_FLAGS),
        "THINK_TIME_SCALE": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="session")
def node_packages():
    if not (NODE_MODULES / "@playwright" / "test").is_dir():
        lacking("the Node packages of tests/renderers/ui_node")
    return NODE_MODULES


def run_python(folder, environment, url, *arguments):
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--tb=line", "-rfE", "--base-url", url]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=folder / "python",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run_typescript(suite_folder, environment, node_packages, needs_program, tmp_path):
    folder = tmp_path / "typescript"
    shutil.copytree(suite_folder / "typescript", folder)
    (folder / "node_modules").symlink_to(node_packages)
    node = needs_program("node")

    def run(url, *arguments):
        command = [node, str(node_packages / "@playwright" / "test" / "cli.js"), "test", "--workers=1", *arguments]
        return subprocess.run(
            command,
            cwd=folder,
            env={**environment, "BASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def journey_and_asking(log: list[str]) -> tuple[list[str], list[str]]:
    """Part the log of a run: what the asking visit's requests came to, and the journey's deeds."""
    asked = [line for line in log if line.startswith(("GET /api/", "GET /asks"))]
    start = log.index("GET /", log.index("GET /asks"))
    return asked, [line for line in log[start : start + len(BUYING)] if line not in asked]


def test_every_rendering_does_what_the_person_did(suite_folder, environment, run_typescript):
    logs = {}
    for name, run in {
        "python": lambda url: run_python(suite_folder, environment, url, "--ignore=test_journeys_feature.py"),
        "gherkin": lambda url: run_python(suite_folder, environment, url, "test_journeys_feature.py"),
        "typescript": run_typescript,
    }.items():
        with running_shop() as shop:
            done = run(shop.url)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "3 passed" in done.stdout
            logs[name] = shop.log

    came = [f"GET /api/{n}" for n, fails in enumerate(draws(SEED, RATE, 8)) if not fails]
    assert 0 < len(came) < 8
    for name, log in logs.items():
        assert journey_and_asking(log) == (["GET /asks", *came], BUYING), name
        # The last visit is the one that met the error.
        assert log[-1] == "GET /product/prd_7", name


def test_python_and_gherkin_fail_as_production_did(suite_folder, environment):
    with running_shop("throws", "shifts") as shop:
        done = run_python(suite_folder, environment, shop.url)

    assert "4 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    error = "production's error occurred: TypeError: Cannot read properties of undefined (reading 'toFixed')"
    assert done.stdout.count(f"AssertionError: {error}") >= 2
    shifts = re.findall(
        r"web vitals of /product/\{id\}: cls_score ([0-9.]+) is over 0.2, production's p95", done.stdout
    )
    assert len(shifts) >= 2
    assert all(0.2 < float(shift) < 1.0 for shift in shifts)


def test_typescript_fails_as_production_did(run_typescript):
    with running_shop("throws", "shifts") as shop:
        done = run_typescript(shop.url)

    assert "2 failed" in done.stdout, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "production's error occurred: TypeError: Cannot read properties of undefined" in done.stdout
    assert re.search(r"web vitals of /product/\{id\}: cls_score 0\.[0-9]+ is over 0\.2, production's p95", done.stdout)


def test_typescript_is_typed(run_typescript, node_packages, tmp_path, needs_program):
    done = subprocess.run(
        [needs_program("node"), str(node_packages / "typescript" / "bin" / "tsc"), "--noEmit"],
        cwd=tmp_path / "typescript",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("target", "arguments", "words"),
    [
        ("http://shop.example", [], "these tests write: add --allow-writes"),
        ("http://user@127.0.0.1", [], "A target is http"),
    ],
)
def test_python_refuses_what_was_not_asked_for(suite_folder, environment, target, arguments, words):
    done = run_python(suite_folder, environment, target, "--collect-only", *arguments)

    assert done.returncode == 4
    assert words in done.stdout + done.stderr


def test_python_does_not_take_a_target_beyond_loopback_from_the_environment(suite_folder, environment):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only"],
        cwd=suite_folder / "python",
        env={**environment, "BASE_URL": "http://shop.example"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 4
    assert "is beyond loopback: name it with --base-url" in done.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BASE_URL": "http://shop.example"}, "beyond loopback, to shop.example: name it again in ALLOW_HOST"),
        ({"BASE_URL": "http://127.0.0.1@shop.example"}, "BASE_URL is http(s)://host[:port][/path] and nothing else"),
        ({"BASE_URL": "http://127.0.0.1:1", "THINK_TIME_SCALE": "-1"}, "THINK_TIME_SCALE is a number from 0"),
    ],
)
def test_typescript_refuses_what_was_not_asked_for(run_typescript, environment, settings, words, monkeypatch):
    monkeypatch.setitem(environment, "THINK_TIME_SCALE", settings.get("THINK_TIME_SCALE", "0"))
    done = run_typescript(settings["BASE_URL"], "--list")

    assert done.returncode == 1
    assert words in done.stdout + done.stderr


def test_typescript_refuses_to_write_beyond_loopback(run_typescript, environment, monkeypatch):
    monkeypatch.setitem(environment, "ALLOW_HOST", "shop.invalid")
    done = run_typescript("http://shop.invalid", "-g", "@writes")

    assert done.returncode == 1
    assert "is beyond loopback and this test writes: set ALLOW_WRITES=1" in done.stdout
