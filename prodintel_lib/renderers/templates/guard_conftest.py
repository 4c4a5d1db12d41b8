"""Options and fixtures of the guards beside it.

Guards need Python 3.11, pytest and httpx, and nothing else. `pytest --help` lists the options under "guards".
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

from prodintel_lib.renderers.templates.guard_plan import DEFAULT_URL, check_target
from prodintel_lib.renderers.templates.guard_system import Guarded, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTINGS = pytest.StashKey[Settings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; a plugin or another suite's conftest may have registered some already."""
    group = parser.getgroup("guards", "guards of production's signals")
    options: dict[str, dict[str, Any]] = {
        "--base-url": {"help": f"the system under test (default: BASE_URL or {DEFAULT_URL})"},
        "--allow-writes": {"action": "store_true", "help": "let guards write to a system beyond loopback"},
        "--latency-factor": {"type": float, "help": "times every limit, for slower machines (LATENCY_FACTOR, or 1)"},
    }
    for name, settings in options.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark and refuse a target that was not asked for, before anything is sent."""
    config.addinivalue_line("markers", "writes: changes the system under test")
    config.stash[SETTINGS] = read_settings(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to write to a system beyond loopback unless that was asked for."""
    settings, here = config.stash[SETTINGS], Path(__file__).parent
    if not (settings.loopback or settings.allow_writes) and any(
        here in item.path.parents and item.get_closest_marker("writes") for item in items
    ):
        raise pytest.UsageError(
            f"{settings.base_url} is beyond loopback and these guards write: add --allow-writes, or -m 'not writes'."
        )


def read_settings(config: pytest.Config) -> Settings:
    """Read and check the options; a target beyond loopback has to be named on the command line itself."""
    worker = hasattr(config, "workerinput")
    args = [str(arg) for arg in config.invocation_params.args]
    typed = not worker and any(arg == "--base-url" or arg.startswith("--base-url=") for arg in args)
    chosen = config.getoption("base_url", default=None) or os.environ.get("BASE_URL") or DEFAULT_URL
    try:
        base_url, loopback = check_target(DEFAULT_URL if worker else chosen)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if not (loopback or typed):
        raise pytest.UsageError(f"{base_url} is beyond loopback: name it with --base-url on the command line.")
    factor = config.getoption("latency_factor", default=None)
    try:
        latency_factor = float(os.environ.get("LATENCY_FACTOR") or 1) if factor is None else float(factor)
    except ValueError:
        latency_factor = math.nan
    if not (math.isfinite(latency_factor) and latency_factor > 0):
        raise pytest.UsageError("--latency-factor (LATENCY_FACTOR) is a positive number, for instance 2.")
    allow_writes = bool(config.getoption("allow_writes", default=False))
    return Settings(base_url, loopback, allow_writes=allow_writes, latency_factor=latency_factor, worker=worker)


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
) -> Guarded:
    """Return the system under test."""
    settings = request.config.stash[SETTINGS]
    if settings.worker:
        pytest.skip("guards act on one system one after another: run them without -n")
    return Guarded(settings, request.module.guards.REQUESTS, secret_values, record_property)
