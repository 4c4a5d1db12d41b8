import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prodintel_lib.reports.html import render_html

_SAMPLE = importlib.util.spec_from_file_location("report_sample", Path(__file__).with_name("sample.py"))


@pytest.fixture(scope="session")
def sample():
    """Return the module that makes sample notebooks: in importlib mode a test cannot import its neighbour."""
    module = importlib.util.module_from_spec(_SAMPLE)
    _SAMPLE.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def render():
    """Return a function that renders a notebook with fixed words around it."""

    def render_it(notebook, **words):
        fixed = {
            "title": "Checkouts failed for 38 % of active users",
            "kicker": "INC-2024-1234 · payment-service",
            "workspace_label": "demo workspace",
            "generated_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        }
        return render_html(notebook, **{**fixed, **words})

    return render_it


class Visit:
    """A page opened from a file with the network cut, and what it tried."""

    def __init__(self, browser, path: Path, **options):
        self.page = browser.new_page(**options)
        self.requests, self.errors = [], []
        self.page.route("**/*", self._route)
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.documentElement.dataset.charts === 'drawn'")

    def _route(self, route):
        if route.request.is_navigation_request() and route.request.url.startswith("file:"):
            route.continue_()
        else:
            self.requests.append(route.request.url)
            route.abort()

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()


@pytest.fixture
def visit(chromium, tmp_path):
    """Return a function that opens HTML text in the browser."""
    opened = []

    def open_it(html, **options):
        path = tmp_path / f"report-{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        opened.append(Visit(chromium, path, **options))
        return opened[-1]

    yield open_it
    for each in opened:
        each.page.close()
