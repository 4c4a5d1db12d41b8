"""Options and fixtures of the browser tests beside it.

The same file serves every journey. The tests need Python 3.11, pytest and Playwright; pytest-playwright's options work
where that plugin is installed, and nothing is missing where it is not. Chromium is Playwright's own, or the one that
PLAYWRIGHT_CHROMIUM names, or the system's.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# What the tests import lies beside them; `--import-mode=importlib` would not find it.
sys.path.insert(0, str(Path(__file__).parent))

from playwright.sync_api import expect, sync_playwright

from prodintel_lib.renderers.templates.ui_target import check_target, typed_base_url
from prodintel_lib.renderers.templates.ui_visitor import Settings, Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext, BrowserType, Page

DEFAULT_URL = "http://127.0.0.1:8080"
EXPECT_WITHIN_MS = 10_000
SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Plugins are imported before a conftest, unless they are told to stay away.
HAS_PLUGIN = "pytest_playwright" in sys.modules

SETTINGS = pytest.StashKey[Settings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; a plugin or another suite's conftest may have registered some already."""
    group = parser.getgroup("journeys", "journeys told again")
    options: dict[str, dict[str, Any]] = {
        "--base-url": {"help": f"the site under test (default: BASE_URL or {DEFAULT_URL})"},
        "--allow-writes": {"action": "store_true", "help": "let tests fill and send forms beyond loopback"},
        "--think-time-scale": {"type": float, "help": "times what people took to think (THINK_TIME_SCALE, or 0.1)"},
    }
    if HAS_PLUGIN:
        # It registers this one itself, and from version 0.10 on after every conftest.
        del options["--base-url"]
    for name, settings in options.items():
        with contextlib.suppress(ValueError):
            group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks and refuse a target that was not asked for, before anything is opened."""
    for mark in ("client(data): the browser a visit was made with", "writes: fills or sends forms"):
        config.addinivalue_line("markers", mark)
    config.stash[SETTINGS] = read_settings(config)
    expect.set_options(timeout=EXPECT_WITHIN_MS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to fill and send forms beyond loopback unless that was asked for."""
    settings, here = config.stash[SETTINGS], Path(__file__).parent
    if not (settings.loopback or settings.allow_writes) and any(
        here in item.path.parents and item.get_closest_marker("writes") for item in items
    ):
        raise pytest.UsageError(
            f"{settings.base_url} is beyond loopback and these tests write: add --allow-writes, or -m 'not writes'."
        )


def read_settings(config: pytest.Config) -> Settings:
    """Read and check the options; a target beyond loopback has to be named on the command line itself."""
    # The process that starts xdist's workers has checked what it passes on.
    is_worker = hasattr(config, "workerinput")
    typed = typed_base_url(config)
    chosen = typed or config.getoption("base_url", default=None) or os.environ.get("BASE_URL") or DEFAULT_URL
    base_url, loopback = check_target(chosen, may_leave=bool(typed) or is_worker)
    scale = config.getoption("think_time_scale", default=None)
    try:
        think_time_scale = float(os.environ.get("THINK_TIME_SCALE") or 0.1) if scale is None else float(scale)
    except ValueError:
        think_time_scale = math.nan
    if not (math.isfinite(think_time_scale) and think_time_scale >= 0):
        raise pytest.UsageError("--think-time-scale (THINK_TIME_SCALE) is a number from 0, for instance 0.1.")
    return Settings(
        base_url,
        loopback,
        allow_writes=bool(config.getoption("allow_writes", default=False)),
        think_time_scale=think_time_scale,
    )


class FormValues(dict[str, str]):
    """Valid test data for forms: FORM_<NAME> in the environment, else `ui_form_values.json`, for a country first."""

    def __init__(self, country: str) -> None:
        super().__init__(json.loads(Path(__file__).with_name("ui_form_values.json").read_text(encoding="utf-8")))
        self._country = country

    def __getitem__(self, key: str) -> str:
        """Return the value of a name, or of ``name@country``; without a country, that of the client's."""
        name, _, country = key.partition("@")
        known = self.get(f"{name}@{country or self._country}") or self.get(name)
        return os.environ.get(f"FORM_{name.upper()}") or known or f"test {name.replace('_', ' ')}"


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Return the browser the visit was made with."""
    mark = request.node.get_closest_marker("client")
    return mark.args[0] if mark else {}


@pytest.fixture
def form_values(client: Mapping[str, Any]) -> Mapping[str, str]:
    """Values for what is personal in a form; override it to take them from elsewhere."""
    return FormValues(client.get("locale", "").rpartition("-")[2].upper())


def launch_arguments(own_program: str) -> dict[str, Any]:
    """Return how to start Chromium: the program named, Playwright's own where it is installed, or the system's."""
    chosen = os.environ.get("PLAYWRIGHT_CHROMIUM", "")
    if not chosen and not Path(own_program).exists():
        chosen = next((found for name in SYSTEM_BROWSERS if (found := shutil.which(name))), "")
    arguments: dict[str, Any] = {"args": shlex.split(os.environ.get("PLAYWRIGHT_CHROMIUM_ARGS", ""))}
    return arguments | ({"executable_path": chosen} if chosen else {})


def context_arguments(client: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a browser context that passes for the client."""
    names = {"user_agent": "user_agent", "locale": "locale", "timezone": "timezone_id", "is_mobile": "is_mobile"}
    arguments = {theirs: client[ours] for ours, theirs in names.items() if ours in client}
    if "viewport_width_px" in client and "viewport_height_px" in client:
        arguments["viewport"] = {"width": client["viewport_width_px"], "height": client["viewport_height_px"]}
    return arguments | ({"has_touch": True} if client.get("is_mobile") else {})


if HAS_PLUGIN:

    @pytest.fixture(scope="session")
    def browser_type_launch_args(
        browser_type_launch_args: dict[str, Any], browser_type: BrowserType, browser_name: str
    ) -> dict[str, Any]:
        """Add to the plugin's options which Chromium to start."""
        if browser_name != "chromium" or browser_type_launch_args.get("channel"):
            return browser_type_launch_args
        return {**browser_type_launch_args, **launch_arguments(browser_type.executable_path)}

    @pytest.fixture
    def context(new_context: Callable[..., BrowserContext], client: Mapping[str, Any]) -> BrowserContext:
        """Return the plugin's context, as the client has it."""
        return new_context(**context_arguments(client))

else:

    @pytest.fixture(scope="session")
    def browser() -> Iterator[Browser]:
        """Return a headless Chromium."""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_arguments(playwright.chromium.executable_path))
            yield browser
            browser.close()

    @pytest.fixture
    def context(browser: Browser, client: Mapping[str, Any]) -> Iterator[BrowserContext]:
        """Return a fresh profile, as the client has it."""
        context = browser.new_context(**context_arguments(client))
        yield context
        context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return the visitor's page."""
    return context.new_page()


@pytest.fixture
def visitor(
    page: Page,
    client: Mapping[str, Any],
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Visitor:
    """Return the visitor whose page it is."""
    return Visitor(page, request.config.stash[SETTINGS], client, record_property)
