"""Records sessions: lets planned people into the running front end by a real browser, and keeps what it told."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.async_api import Error as BrowserError
from playwright.async_api import async_playwright

from demo.errors import ShopError
from demo.storefront.builds import BUILDS
from demo.storefront.serving import running
from demo.storefront.visitor import COUNTRY_HEADER
from demo.storefront.visits.clock import NS_PER_S, SessionClock
from demo.storefront.visits.files import Session, write_sessions
from demo.storefront.visits.personas import PERSONAS
from demo.storefront.visits.plans import plan_people
from demo.storefront.visits.profiles import SLOW_NETWORK
from demo.storefront.visits.shopper import LeftError, Shopper

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Browser, BrowserContext

    from demo.storefront.builds import BuildName
    from demo.storefront.visits.plans import Person, Visit

CHROMIUM_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# So long the last beacon of a page may take to this host; too short is noticed, by the pages it then lacks.
LAST_BEACON_S: Final = 0.3
_HIDE_NETWORK: Final = "Object.defineProperty(Navigator.prototype, 'connection', { get: () => undefined });"


@dataclass(frozen=True, slots=True)
class Recorder:
    """How visits are recorded.

    Attributes
    ----------
    seed : int
        Of the plans; browsers and the front end take the time they take.
    pace : float
        How long a pause is while it is recorded, as a share of what was planned.
    at_once : int
        How many people are let in at the same time.
    stop : threading.Event
        Ends it early; nothing is written then.
    say : callable
        Is told of the progress.
    """

    seed: int
    pace: float
    at_once: int
    stop: threading.Event
    say: Callable[[str], None]

    def record(self, sessions: int, *, workspace: Path, truth: Path) -> Path:
        """Record so many sessions into ``WORKSPACE/rum/sessions.jsonl.zst``, and what is true of them into `truth`.

        Raises
        ------
        ShopError
            If Chromium is not installed, or if a page that somebody saw was not told of.
        """
        people = plan_people(sessions, seed=self.seed)
        with tempfile.TemporaryDirectory(prefix="sessions-") as temporary, ExitStack() as stack:
            told = {build: Path(temporary) / f"{build}.jsonl" for build in BUILDS}
            urls = {build: stack.enter_context(running(build, telemetry=told[build])) for build in BUILDS}
            recorded, browser_version = asyncio.run(self._let_in(people, urls))
            return write_sessions(
                recorded,
                told=[path for path in told.values() if path.exists()],
                origins=list(urls.values()),
                workspace=workspace,
                truth=truth,
                about={
                    "command": f"python -m demo sessions --count {sessions} --seed {self.seed} --pace {self.pace:g}",
                    "browser": f"Chromium {browser_version}",
                },
            )

    async def _let_in(self, people: list[Person], urls: dict[BuildName, str]) -> tuple[list[Session], str]:
        recorded: list[Session] = []
        waiting = list(reversed(people))

        async with _browser() as browser:

            async def let_in_one_after_another() -> None:
                while waiting and not self.stop.is_set():
                    person = waiting.pop()
                    recorded.extend(await self._watch(browser, person, urls[person.build]))
                    self.say(f"{len(recorded)} sessions, {len(waiting)} people to come")

            await asyncio.gather(*(let_in_one_after_another() for _ in range(self.at_once)))
            version = browser.version
        if self.stop.is_set():
            raise ShopError("The recording was stopped; nothing was written.")
        return recorded, version

    async def _watch(self, browser: Browser, person: Person, base_url: str) -> list[Session]:
        device, country = person.device, person.country
        context = await browser.new_context(
            user_agent=device.user_agent,
            viewport={"width": device.width_px, "height": device.height_px},
            is_mobile=device.is_phone,
            has_touch=device.is_phone,
            locale=country.locale,
            timezone_id=country.timezone,
            extra_http_headers={COUNTRY_HEADER: country.code},
        )
        if not device.tells_network:
            await context.add_init_script(_HIDE_NETWORK)
        try:
            return [await self._visit(context, person, visit, base_url) for visit in person.visits]
        finally:
            await context.close()

    async def _visit(self, context: BrowserContext, person: Person, visit: Visit, base_url: str) -> Session:
        page = await context.new_page()
        if person.is_slow:
            tools = await context.new_cdp_session(page)
            await tools.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False,
                    "latency": SLOW_NETWORK.latency_ms,
                    "downloadThroughput": SLOW_NETWORK.bytes_per_s,
                    "uploadThroughput": SLOW_NETWORK.bytes_per_s,
                    "connectionType": "cellular3g",
                },
            )
        shopper = Shopper(page, base_url, person=person, visit=visit, pace=self.pace)
        clock = SessionClock(time.time_ns(), round(visit.start.timestamp()) * NS_PER_S, shopper.story.pauses)
        because = ""
        try:
            await PERSONAS[visit.persona](shopper, random.Random(visit.seed + 1))  # noqa: S311 - a plan, not a secret
        except LeftError as left:
            because = left.because
        session_id = await page.evaluate("sessionStorage.getItem('session')")
        # Leaving a page makes it send what it still has.
        await page.goto("about:blank")
        await asyncio.sleep(LAST_BEACON_S)
        await page.close()
        return Session(session_id, person, visit, clock, shopper.story, because)


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        raise ShopError("Recording sessions needs the program chromium.", hint="install it with `make test-tools`.")
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=[*CHROMIUM_FLAGS])
            yield browser
            await browser.close()
    except BrowserError as error:
        raise ShopError(f"The browser failed: {error}") from error
