"""Options and fixtures of the monitors beside it, and what their exit code says.

They need Python 3.11, pytest, httpx and jsonschema. Exit code 0: what was asked for is healthy; 1: something is wrong;
2: nobody can tell. `pytest --help` lists the options under "monitors".
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

from prodintel_lib.renderers.templates.monitor_system import Monitored, Settings
from prodintel_lib.renderers.templates.ui_target import check_target, typed_base_url

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

DEFAULT_URL = "http://127.0.0.1:8080"
WRONG, UNJUDGED = 1, 2
SETTINGS = pytest.StashKey[Settings]()
VERDICTS = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; a plugin or another suite's conftest may have registered some already."""
    group = parser.getgroup("monitors", "monitors of production's endpoints")
    options: dict[str, dict[str, Any]] = {
        "--base-url": {"help": f"the system to monitor (default: BASE_URL or {DEFAULT_URL})"},
        "--allow-sign-in": {"action": "store_true", "help": "let monitors sign in to a system beyond loopback"},
        "--allow-writes": {"action": "store_true", "help": "let monitors write to a system beyond loopback"},
        "--latency-factor": {"type": float, "help": "times every limit, for slower ways (LATENCY_FACTOR, or 1)"},
    }
    for name, settings in options.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks and refuse a target that was not asked for, before anything is sent."""
    config.addinivalue_line("markers", "writes: changes the system that is monitored")
    config.addinivalue_line("markers", "signs_in: sends the request that authorises a session")
    config.stash[VERDICTS] = []
    try:
        config.stash[SETTINGS] = read_settings(config)
    except pytest.UsageError as error:
        pytest.exit(str(error), returncode=UNJUDGED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what came of each check."""
    report = yield
    if Path(__file__).parent in item.path.parents and (report.when == "call" or not report.passed):
        known = dict(report.user_properties).get("verdict")
        item.config.stash[VERDICTS].append("skipped" if report.skipped else str(known or "unjudged"))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let the exit code say it: red comes first, and what was not judged is not healthy."""
    verdicts = session.config.stash.get(VERDICTS, [])
    if exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        judged = [verdict for verdict in verdicts if verdict != "skipped"]
        code = WRONG if "red" in judged else UNJUDGED if "unjudged" in judged or not judged else 0
        if session.config.getoption("collectonly") or (code == 0 and exitstatus == pytest.ExitCode.TESTS_FAILED):
            return
        session.exitstatus = code
    else:
        session.exitstatus = UNJUDGED


def read_settings(config: pytest.Config) -> Settings:
    """Read and check the options; a target beyond loopback has to be named on the command line itself."""
    if hasattr(config, "workerinput"):
        raise pytest.UsageError("monitors ask one system one after another: run them without -n.")
    typed = typed_base_url(config)
    chosen = config.getoption("base_url", default=None) or os.environ.get("BASE_URL") or DEFAULT_URL
    base_url, loopback = check_target(chosen, may_leave=bool(typed))
    factor = config.getoption("latency_factor", default=None)
    try:
        latency_factor = float(os.environ.get("LATENCY_FACTOR") or 1) if factor is None else float(factor)
    except ValueError:
        latency_factor = math.nan
    if not (math.isfinite(latency_factor) and latency_factor > 0):
        raise pytest.UsageError("--latency-factor (LATENCY_FACTOR) is a positive number, for instance 2.")
    return Settings(
        base_url,
        loopback,
        allow_writes=bool(config.getoption("allow_writes", default=False)),
        allow_sign_in=bool(config.getoption("allow_sign_in", default=False)),
        latency_factor=latency_factor,
    )


class SecretValues(dict[str, str]):
    """Values for what was masked in the recording: SECRET_<NAME>, or a visible placeholder."""

    def __missing__(self, name: str) -> str:
        """Look in the environment."""
        return os.environ.get(f"SECRET_{name.upper()}", f"placeholder-for-{name}")


@pytest.fixture(scope="session")
def secret_values() -> Mapping[str, str]:
    """Values for what was masked in the recording; override it to take them from elsewhere."""
    return SecretValues()


@pytest.fixture(scope="session")
def monitored(request: pytest.FixtureRequest, secret_values: Mapping[str, str]) -> Monitored:
    """Return the system that is monitored."""
    data = json.loads((Path(__file__).parent / "monitor_data.json").read_text(encoding="utf-8"))
    return Monitored(request.config.stash[SETTINGS], data, secret_values)


@pytest.fixture
def check(monitored: Monitored, record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Return the function that judges one check of one monitor."""
    return lambda monitor, check: monitored.assert_holds(monitor, check, record_property)
