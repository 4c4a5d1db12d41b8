"""Options and fixtures of the replays beside it.

The same file serves every incident. Replays need Python 3.11, pytest and httpx; their conditions need a Toxiproxy, or
an equivalent, in front of the system's dependencies (TOXIPROXY_URL). `pytest --help` lists the options under "replay".
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

from prodintel_lib.renderers.templates.replay_conditions import Conditions
from prodintel_lib.renderers.templates.replay_system import Settings, System
from prodintel_lib.renderers.templates.replay_verified import Verified, read_verified, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_URL = "http://127.0.0.1:8080"

SETTINGS = pytest.StashKey[Settings]()
VERIFIED = pytest.StashKey[Verified]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; pytest-base-url or another incident's conftest may have registered some already."""
    group = parser.getgroup("replay", "replays of incidents")
    options: dict[str, dict[str, Any]] = {
        "--base-url": {"help": f"the system under test (default: BASE_URL or {DEFAULT_URL})"},
        "--allow-writes": {"action": "store_true", "help": "let tests write to a system beyond loopback"},
        "--time-scale": {"type": float, "help": "scale the delays of conditions, never deadlines (TIME_SCALE)"},
        "--without-conditions": {"action": "store_true", "help": "run everything with no condition applied"},
        "--include-unverified": {"action": "store_true", "help": "run tests that were run and did not certify as well"},
    }
    for name, settings in options.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks and refuse a target that was not asked for, before anything is sent."""
    for mark in (
        "incident(id): the incident a test replays",
        "replays(scenario): the scenario a test replays, as data",
        "writes: changes the system under test",
        "unverified: was run against a faulty and a fixed system, and did not certify",
    ):
        config.addinivalue_line("markers", mark)
    config.stash[SETTINGS] = read_settings(config)
    config.stash[VERIFIED] = read_verified(Path(__file__).parent)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which tests have no certificate."""
    return f"replays: {told(config.stash[VERIFIED], include_unverified=_includes_unverified(config))}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what was run and did not certify, in time for ``-m``."""
    name = f"{item.path.name}::{getattr(item, 'originalname', '') or item.name}"
    if item.config.stash[VERIFIED].leaves_out(name):
        item.add_marker("unverified")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what did not certify, and refuse to write to a system beyond loopback unless that was asked for."""
    settings = config.stash[SETTINGS]
    here = Path(__file__).parent
    left_out = [item for item in items if here in item.path.parents and item.get_closest_marker("unverified")]
    if left_out and not _includes_unverified(config):
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    if not (settings.loopback or settings.allow_writes) and any(
        here in item.path.parents and item.get_closest_marker("writes") for item in items
    ):
        raise pytest.UsageError(
            f"{settings.base_url} is beyond loopback and these tests write: add --allow-writes, or -m 'not writes'."
        )


def _includes_unverified(config: pytest.Config) -> bool:
    return bool(config.getoption("include_unverified", default=False))


def read_settings(config: pytest.Config) -> Settings:
    """Read and check the options; a target beyond loopback has to be named on the command line itself."""
    worker = hasattr(config, "workerinput")
    typed = "" if worker else _typed_base_url(config)
    chosen = typed or config.getoption("base_url", default=None) or os.environ.get("BASE_URL") or DEFAULT_URL
    base_url, loopback = check_target(DEFAULT_URL if worker else chosen, may_leave=bool(typed))
    toxiproxy = os.environ.get("TOXIPROXY_URL", "")
    scale = config.getoption("time_scale", default=None)
    try:
        time_scale = float(os.environ.get("TIME_SCALE") or 1) if scale is None else float(scale)
    except ValueError:
        time_scale = math.nan
    if not (math.isfinite(time_scale) and time_scale > 0):
        raise pytest.UsageError("--time-scale (TIME_SCALE) is a positive number, for instance 0.2.")
    return Settings(
        base_url,
        loopback,
        allow_writes=bool(config.getoption("allow_writes", default=False)),
        time_scale=time_scale,
        without_conditions=bool(config.getoption("without_conditions", default=False)),
        toxiproxy_url=check_target(toxiproxy, may_leave=not loopback)[0] if toxiproxy else "",
        worker=worker,
    )


def _typed_base_url(config: pytest.Config) -> str:
    typed = ""
    args = [str(arg) for arg in config.invocation_params.args]
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        if arg == "--base-url":
            typed = following
        elif arg.startswith("--base-url="):
            typed = arg.partition("=")[2]
    return typed


def check_target(url: str, *, may_leave: bool) -> tuple[str, bool]:
    """Return the URL without a trailing slash, and whether it is loopback; refuse what hides its host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        hidden = not re.fullmatch(
            r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]+)?", parts.netloc
        )
    except ValueError:
        host, hidden = "", True
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # What ends in a number but is no address may still be read as one (127.1, 2130706433, 0x7f000001).
        hidden |= bool(re.fullmatch(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)", host))
        loopback = False
    if hidden or not re.fullmatch(r"https?://[!-~]+", url) or re.search(r"[\\?#]", url):
        raise pytest.UsageError(f"A target is http(s)://host[:port][/path] and nothing else; got {url!a}.")
    if not (loopback or may_leave):
        raise pytest.UsageError(f"{url} is beyond loopback: name it with --base-url on the command line.")
    return url.rstrip("/"), loopback


class SecretValues(dict[str, str]):
    """Values for what was masked in the recording: SECRET_<NAME>, or a visible placeholder."""

    def __missing__(self, name: str) -> str:
        """Look in the environment."""
        return os.environ.get(f"SECRET_{name.upper()}", f"placeholder-for-{name}")


@pytest.fixture
def secret_values() -> Mapping[str, str]:
    """Values for what was masked in the recording; override it to take them from elsewhere."""
    return SecretValues()


@pytest.fixture
def system(
    request: pytest.FixtureRequest,
    secret_values: Mapping[str, str],
    record_property: Callable[[str, object], None],
) -> Iterator[System]:
    """Return the system under test, as its customers meet it."""
    settings = request.config.stash[SETTINGS]
    if settings.worker:
        pytest.skip("conditions and customers act on one system: run replays without -n")
    mark = request.node.get_closest_marker("replays")
    system = System(settings, secret_values, record_property, mark.args[0] if mark else {})
    yield system
    system.close()


@pytest.fixture
def conditions(request: pytest.FixtureRequest, system: System) -> Iterator[Conditions]:
    """Return the conditions of the incident; whatever is applied is removed after the test."""
    conditions = Conditions(request.config.stash[SETTINGS], system)
    conditions.remove_leftovers()
    yield conditions
    conditions.close()
