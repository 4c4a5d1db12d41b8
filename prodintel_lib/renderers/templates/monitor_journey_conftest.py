"""Fixtures and verdict of the monitors of journeys beside it.

They need Python 3.11, pytest and Playwright. The exit code is made for a scheduler: 0 all is well, 1 a journey is
broken or slow, 2 nothing could be judged.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

    from prodintel_lib.renderers.templates.monitor_journey_walks import Walks, Watcher

# The options, the browser and the target are those of every suite of browser tests.
pytest_plugins = ["ui_conftest"]

COULD_NOT_JUDGE = 2
VERDICTS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep what becomes of the tests."""
    verdicts: list[str] = []
    config.stash[VERDICTS] = verdicts
    config.pluginmanager.register(_Verdicts(verdicts))


class _Verdicts:
    def __init__(self, verdicts: list[str]) -> None:
        self._verdicts = verdicts

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            self._verdicts.append(f"{report.when} {report.outcome}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Say by the exit code what a scheduler has to know; what failed before or after a walk judges no journey."""
    if session.config.option.collectonly:
        return
    verdicts = session.config.stash[VERDICTS]
    judged = set(verdicts) <= {"call passed", "call skipped"} and "call passed" in verdicts and session.exitstatus == 0
    session.exitstatus = 1 if "call failed" in verdicts else 0 if judged else COULD_NOT_JUDGE


@pytest.fixture
def walks(
    request: pytest.FixtureRequest, browser: Browser, client: Mapping[str, Any], form_values: Mapping[str, str]
) -> Walks:
    """Return the walks of the journey, each with a fresh profile."""
    # Imported where they are used: pytest loads `ui_conftest` itself, after this file.
    from prodintel_lib.renderers.templates.monitor_journey_walks import Walks, Watcher  # noqa: PLC0415
    from prodintel_lib.renderers.templates.ui_conftest import SETTINGS, context_arguments  # noqa: PLC0415

    told = json.loads(Path(__file__).with_name("monitors.json").read_text(encoding="utf-8"))

    @contextlib.contextmanager
    def opened() -> Iterator[tuple[Page, Watcher]]:
        context = browser.new_context(**context_arguments(client))
        try:
            page = context.new_page()
            yield page, Watcher(page, request.config.stash[SETTINGS], client)
        finally:
            context.close()

    return Walks(opened, form_values, broken=told["broken_walks"], slow=told["slow_walks"])
