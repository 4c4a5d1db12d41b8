"""Options and verdict of the contract checks beside it.

They need Python 3.11, pytest, httpx and Schemathesis 4. The exit code is made for a scheduler: 0 all is well, 1 an
answer breaks the contract, 2 nothing could be judged.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

from prodintel_lib.renderers.templates.monitor_contract_system import ContractSystem, Settings, prepare
from prodintel_lib.renderers.templates.replay_requests import SetUpError, UnreachableError
from prodintel_lib.renderers.templates.ui_target import check_target, typed_base_url

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

DEFAULT_URL = "http://127.0.0.1:8080"
# A plugin that registers `--base-url` itself may do so after every conftest.
HAS_PLUGIN = "pytest_playwright" in sys.modules or "pytest_base_url" in sys.modules
COULD_NOT_JUDGE = 2

SYSTEM = pytest.StashKey[ContractSystem]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; a plugin or another suite's conftest may have registered some already."""
    group = parser.getgroup("contract", "an API against its OpenAPI document")
    options: dict[str, dict[str, Any]] = {
        "--base-url": {"help": f"the system under test (default: BASE_URL or {DEFAULT_URL})"},
        "--allow-writes": {"action": "store_true", "help": "check the operations that write as well"},
        "--allow-sign-in": {"action": "store_true", "help": "sign in beyond loopback"},
        "--examples": {"type": int, "help": "generated requests for each operation"},
        "--contract-seed": {"type": int, "help": "other requests than usual: those of this number"},
    }
    if HAS_PLUGIN:
        del options["--base-url"]
    for name, settings in options.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a target that was not asked for, and read the document, before anything is sent to the target."""
    system = prepare(read_settings(config))
    config.stash[SYSTEM] = system
    try:
        # The tests are made of its operations.
        _ = system.schema
    except SetUpError as error:
        pytest.exit(f"could not judge: {error}", returncode=COULD_NOT_JUDGE)


def read_settings(config: pytest.Config) -> Settings:
    """Read and check the options; a target beyond loopback has to be named on the command line itself."""
    # The process that starts xdist's workers has checked what it passes on.
    is_worker = hasattr(config, "workerinput")
    typed = typed_base_url(config)
    chosen = typed or config.getoption("base_url", default=None) or os.environ.get("BASE_URL") or DEFAULT_URL
    base_url, loopback = check_target(chosen, may_leave=bool(typed) or is_worker)
    examples, seed = config.getoption("examples", default=None), config.getoption("contract_seed", default=None)
    if (examples is not None and examples < 1) or (seed is not None and seed < 0):
        raise pytest.UsageError("--examples is a number from 1, --contract-seed one from 0.")
    return Settings(
        base_url,
        loopback,
        allow_writes=bool(config.getoption("allow_writes", default=False)),
        allow_sign_in=bool(config.getoption("allow_sign_in", default=False)),
        examples=examples,
        seed=seed,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Sign in once, before the first request."""
    if session.config.option.collectonly or not session.items:
        return
    try:
        _ = session.config.stash[SYSTEM].headers
    except UnreachableError as error:
        pytest.exit(str(error), returncode=1)
    except SetUpError as error:
        pytest.exit(f"could not judge: {error}", returncode=COULD_NOT_JUDGE)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Say by the exit code what a scheduler has to know."""
    system = session.config.stash.get(SYSTEM, None)
    judged = system is not None and any(is_healthy(status) for seen in system.answers.values() for status in seen)
    if exitstatus != 1 and not session.config.option.collectonly and (exitstatus != 0 or not judged):
        session.exitstatus = COULD_NOT_JUDGE


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Say what was asked and how it was answered; what was only refused is not judged to be healthy."""
    answers = config.stash[SYSTEM].answers
    for label, seen in sorted(answers.items()):
        told = ", ".join(f"{status}: {n}" for status, n in sorted(seen.items()))
        only = "" if any(is_healthy(status) for status in seen) else "; its healthy answers were not seen"
        terminalreporter.write_line(f"{label}: {seen.total()} requests ({told}){only}")


def is_healthy(status: int) -> bool:
    """Say whether an answer gave what was asked for."""
    return 200 <= status < 400
