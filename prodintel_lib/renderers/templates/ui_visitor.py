"""A visitor of the site, who does what a person did in production and sees whether it went as it did there."""

from __future__ import annotations

import contextlib
import json
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Error, expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from playwright.sync_api import ConsoleMessage, Locator, Page, Response, Route

PAGE_SCRIPT = Path(__file__).with_name("ui_page.js")
PATH_SIGNS = "%/!$&'()*+,;=:@~"
MODULUS, MULTIPLIER = 2_147_483_647, 48_271  # Park and Miller's generator, as the other renderings draw
OF_LOADING = {"lcp_ms", "fcp_ms", "ttfb_ms"}
PARTS = {"document", "script", "stylesheet", "font", "image"}
COUNTRIES = "select:is([autocomplete*=country], [name*=country i], [id*=country i])"
POLL_MS = 50


class VitalsWarning(UserWarning):
    """A web vital over its budget (production's p75) and within its limit (the p95)."""


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say."""

    base_url: str
    loopback: bool
    allow_writes: bool
    think_time_scale: float


class Visitor:
    """One visitor with one page."""

    def __init__(
        self,
        page: Page,
        settings: Settings,
        client: Mapping[str, Any],
        record_property: Callable[[str, object], None],
    ) -> None:
        self._page = page
        self._settings = settings
        self._record = record_property
        self._errors: list[str] = []
        self._rate: float = client.get("request_failure_rate", 0)
        self._state: int = client.get("seed", 1)
        self._draw()
        page.add_init_script(path=PAGE_SCRIPT)
        page.on("pageerror", lambda error: self._errors.append(f"{error.name}: {error.message}"))
        page.on("console", self._hear)
        page.on("response", self._look_at)
        if self._rate:
            page.route("**/*", self._maybe_cut_off)

    def visit(self, path: str, *, query: str = "") -> None:
        """Open a page by its address."""
        url = self._settings.base_url + quote(path, safe=PATH_SIGNS)
        if query:
            url += f"?{quote(query, safe=PATH_SIGNS + '?')}"
        with self._telling(f"visit {path}"):
            self._page.goto(url)

    def go_back(self) -> None:
        """Go back in the browser's history."""
        with self._telling("go back"):
            self._page.go_back()

    def think(self, seconds: float) -> None:
        """Let the time go by that the person took, times the scale."""
        self._page.wait_for_timeout(seconds * 1000 * self._settings.think_time_scale)

    def click(self, *ways: Locator) -> None:
        """Click an element."""
        with self._telling("click", ways):
            self._find(ways).click()

    def fill(self, *ways: Locator, value: str) -> None:
        """Type a value into a field, in place of what is there."""
        with self._telling("fill", ways):
            self._find(ways).fill(value)

    def choose(self, *ways: Locator, value: str) -> None:
        """Choose an option by its value or its label; where the list is a field with suggestions, type it."""
        with self._telling("choose", ways):
            found = self._find(ways)
            if found.evaluate("element => element.tagName") == "SELECT":
                # A person leaves the field before: its change is told first.
                found.focus()
                found.select_option(value)
            else:
                found.fill(value)

    def reside(self, country: str) -> None:
        """Be of a country: where a form has another one chosen, choose it; production may have known the network's."""
        with self._telling(f"be of {country}"):
            for choice in self._page.locator(COUNTRIES).filter(visible=True).all():
                offered = choice.evaluate("element => [...element.options].map((option) => option.value)")
                if country in offered and choice.input_value() != country:
                    choice.select_option(country)

    def submit(self, *ways: Locator) -> None:
        """Send the form that an element belongs to, as Enter does."""
        with self._telling("submit", ways):
            self._find(ways).evaluate("element => (element.form ?? element.closest('form')).requestSubmit()")

    def expect_visible(self, *ways: Locator) -> None:
        """Expect that an element is there to be used."""
        with self._telling("expect to see", ways):
            self._find(ways)

    def expect_route(self, route: str) -> None:
        """Expect the page to be at a route; a segment in braces stands for any value."""
        with self._telling(f"expect to be at {route}"):
            expect(self._page).to_have_url(self._pattern(route))

    def expect_conversion(self, route: str, *, event: str) -> None:
        """Expect that the visit did what the site is for: it is where production's conversions happened."""
        with self._telling(f"expect the conversion {event} at {route}"):
            expect(self._page).to_have_url(self._pattern(route))

    def expect_vitals(self, route: str, limits: Mapping[str, Sequence[float]]) -> None:
        """Expect web vitals within production's p95; what is over its p75 is told, and what cannot be measured."""
        with self._telling(f"measure {route}"):
            self._page.wait_for_load_state("load")
            measured = self._page.evaluate("window.__replay.measure()")
        # A page that a script has put in place of another was not loaded: the other's loading says nothing of it.
        loaded = bool(self._pattern(route).match(measured["loaded_url"]))
        over, told = [], {}
        for metric, (budget, limit) in limits.items():
            value = measured[metric] if loaded or metric not in OF_LOADING else None
            told[metric] = "not measured" if value is None else round(value, 3)
            if value is not None and value > limit:
                over.append(f"{metric} {value:.3f} is over {limit:g}, production's p95")
            elif value is not None and value > budget:
                warnings.warn(f"{route}: {metric} {value:.3f} is over {budget:g}", VitalsWarning, stacklevel=2)
        self._record(f"vitals {route}", json.dumps(told))
        if over:
            raise AssertionError(f"web vitals of {plain(route)}: {'; '.join(over)}")

    def expect_no_errors(self, *, seen: str = "", watch_s: float = 0) -> None:
        """Expect no uncaught exception and no console error so far, nor within the time to watch."""
        until = time.monotonic() + watch_s
        self._page.wait_for_timeout(POLL_MS)
        while not self._errors and time.monotonic() < until:
            self._page.wait_for_timeout(POLL_MS)
        met = [error for error in self._errors if seen and shape(seen) in shape(error)]
        if self._errors:
            what = "production's error occurred" if met else "errors occurred"
            raise AssertionError(f"{what}: {told_once(met + self._errors)}")

    def _find(self, ways: Sequence[Locator]) -> Locator:
        """Wait until one of the ways leads to something to be seen; where it leads to several, the others narrow it."""
        anyhow = ways[0]
        for way in ways[1:]:
            anyhow = anyhow.or_(way)
        expect(anyhow.filter(visible=True).first).to_be_visible()
        for way in ways:
            shown = way.filter(visible=True)
            count = shown.count()
            if count == 1:
                return shown
            if count:
                narrowed = (shown.and_(other) for other in ways if other is not way)
                return next((each for each in narrowed if each.count() == 1), shown.first)
        return anyhow.filter(visible=True).first

    def _pattern(self, route: str) -> re.Pattern[str]:
        parts = re.split(r"\{[^{}/]*\}", route.rstrip("/"))
        path = "[^/?#]+".join(re.escape(quote(part, safe=PATH_SIGNS)) for part in parts)
        return re.compile(f"^{re.escape(self._settings.base_url)}{path}/?([?#].*)?$")

    def _hear(self, message: ConsoleMessage) -> None:
        # What the browser itself says of failed requests is judged by the answers.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._errors.append(f"console: {message.text}")

    def _look_at(self, answer: Response) -> None:
        """Take a server's error for one, and what is missing of a page; a refusal (4xx) is the script's business."""
        kind = answer.request.resource_type
        asked_for = 500 if kind in {"fetch", "xhr"} else 400 if kind in PARTS else None
        if asked_for and answer.status >= asked_for:
            self._errors.append(f"{answer.request.method} {urlsplit(answer.url).path} answered {answer.status}")

    def _maybe_cut_off(self, route: Route) -> None:
        """Let a request of the page's scripts fail, as on the network of those who met the error."""
        if route.request.resource_type in {"fetch", "xhr"} and self._draw() / MODULUS < self._rate:
            route.abort("connectionreset")
        else:
            route.fallback()

    def _draw(self) -> int:
        self._state = self._state * MULTIPLIER % MODULUS
        return self._state

    @contextlib.contextmanager
    def _telling(self, what: str, ways: Sequence[Locator] = ()) -> Iterator[None]:
        """Say of a step that failed where the page was, what it told its visitor, and which errors it had."""
        try:
            yield
        except (AssertionError, Error) as error:
            told = [f"{plain(what)} failed at {plain(urlsplit(self._page.url).path)}"]
            told += [f"  looked for {plain(str(way))}" for way in ways]
            with contextlib.suppress(Error):
                told += [f"  the page says: {plain(said)}" for said in self._page.evaluate("window.__replay.said()")]
            if self._errors:
                told.append(f"  errors: {told_once(self._errors)}")
            raise AssertionError("\n".join([*told, str(error)])) from error


def shape(message: str) -> str:
    """Return a message without the figures in it."""
    return re.sub("[0-9]+", "0", message).strip()


def told_once(errors: Sequence[str]) -> str:
    """Return errors on one line, each once."""
    return "; ".join(plain(error[:300]) for error in dict.fromkeys(errors))


def plain(text: str) -> str:
    """Escape what a terminal would obey."""
    return text.encode("unicode_escape").decode("ascii")
