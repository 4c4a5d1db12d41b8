"""Somebody at a browser: looks around, thinks, gets things wrong, and puts up with what the shop does, or leaves."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from playwright.async_api import TimeoutError as WaitedInVainError

from demo.shop.assortment import CATEGORIES, POPULAR_SEARCHES, products
from demo.storefront.visits.clock import NS_PER_S, Pause

if TYPE_CHECKING:
    from playwright.async_api import Error as BrowserError
    from playwright.async_api import Locator, Page

    from demo.storefront.visits.plans import Person, Visit

Met = Literal["dead_button", "refused_postcode", "mistyped_card", "unknown_coupon"]

CARD: Final = "4242 4242 4242 4242"
MISTYPED_CARD: Final = "4242 4242 4242 4224"
# In the recording; what is planned is longer by the inverse of the pace.
ANSWER_WITHIN_MS: Final = 3_000
LOAD_WITHIN_MS: Final = 60_000
BETWEEN_RAGING_CLICKS_S: Final = 0.11
KEY_DELAY_MS: Final = 12
_PRICE_CAME: Final = """() => performance.getEntriesByType("resource").some(
  ({ name, responseEnd }) => name.endsWith("/price") && responseEnd
)"""


class LeftError(Exception):
    """Somebody has had enough.

    Parameters
    ----------
    because : str
        What of the things met made them leave.
    """

    def __init__(self, because: Met) -> None:
        super().__init__(because)
        self.because = because


@dataclass(slots=True)
class Story:
    """What somebody met, in order; how long they paused; how many pages they saw, and exceptions these threw."""

    met: list[Met] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    views: int = 0
    exceptions: int = 0
    has_bought: bool = False


class Shopper:
    """Does at a page what people do.

    Parameters
    ----------
    page : Page
    base_url : str
    person : Person
    visit : Visit
    pace : float
        How long a pause is while it is recorded, as a share of what was planned.
    """

    def __init__(self, page: Page, base_url: str, *, person: Person, visit: Visit, pace: float) -> None:
        self._page = page
        self._base_url = base_url
        self._person = person
        self._temper = person.temper
        self._rng = random.Random(visit.seed)  # noqa: S311 - a plan, not a secret
        self._pace = pace
        self.story = Story()
        page.on("domcontentloaded", self._count)
        page.on("pageerror", self._notice)

    def _count(self, page: Page) -> None:
        self.story.views += page.url.startswith(self._base_url)

    def _notice(self, _error: BrowserError) -> None:
        self.story.exceptions += 1

    async def think(self, around_s: float) -> None:
        """Pause; how long is drawn around a length."""
        planned_s = around_s * self._rng.lognormvariate(0.0, 0.5)
        start_ns = time.time_ns()
        await asyncio.sleep(planned_s * self._pace)
        self.story.pauses.append(Pause(start_ns, time.time_ns(), round(planned_s * NS_PER_S)))

    async def open(self, path: str = "/") -> None:
        """Come to a page by its address."""
        await self._page.goto(f"{self._base_url}{path}", timeout=LOAD_WITHIN_MS)
        await self.think(5)

    async def go_back(self) -> None:
        """Use the browser's button."""
        await self._page.go_back(timeout=LOAD_WITHIN_MS)
        await self.think(3)

    async def search(self) -> None:
        """Search by a word: take a suggestion, or look at the list and choose from that."""
        box = self._page.get_by_role("combobox", name="Search products")
        await self._press(box)
        await box.press_sequentially(self._rng.choice(POPULAR_SEARCHES), delay=KEY_DELAY_MS)
        options = self._page.get_by_role("listbox", name="Suggestions").get_by_role("option")
        await options.first.wait_for()
        await self.think(2)
        if self._rng.random() < 0.5:
            await self._follow(options.nth(self._rng.randrange(await options.count())))
            await self.think(9)
        else:
            await self._follow(self._page.get_by_role("button", name="Search"))
            await self.think(6)
            await self.choose_tile()

    async def browse(self) -> None:
        """Go to a category by the navigation."""
        categories = self._page.get_by_role("navigation", name="Categories")
        await self._follow(categories.get_by_role("link", name=self._rng.choice(CATEGORIES).capitalize()))
        await self.think(6)
        if self._rng.random() < 0.2:
            await self._follow(self._page.get_by_role("link", name="Cheapest first"))
            await self.think(4)

    async def choose_tile(self) -> None:
        """Look at one of the products shown."""
        tiles = self._page.get_by_test_id("tile").get_by_role("link")
        await self._follow(tiles.nth(self._rng.randrange(await tiles.count())))
        await self.think(10)
        if self._rng.random() < 0.3:
            await self._press(self._page.get_by_role("button", name="Side"))
            await self.think(3)

    async def land_on_product(self) -> None:
        """Come to a product from elsewhere."""
        await self.open(f"/product/{self._rng.choice(products()).product_id}")
        await self.think(6)

    async def add(self) -> None:
        """Put the product into the basket; where nothing happens, people differ."""
        if self._rng.random() < 0.15:
            await self._page.get_by_label("Quantity", exact=True).select_option("2")
            await self.think(2)
        if await self._tries_to_add():
            return
        self.story.met.append("dead_button")
        for _ in range(self._temper.rages):
            await self._press(self._page.get_by_role("button", name="Add to basket"))
            await asyncio.sleep(BETWEEN_RAGING_CLICKS_S)
        await self.think(4)
        if not self._temper.reloads:
            raise LeftError("dead_button")
        await self._page.reload(timeout=LOAD_WITHIN_MS)
        await self.think(4)
        if not await self._tries_to_add():
            raise LeftError("dead_button")

    async def _tries_to_add(self) -> bool:
        # Whoever read the page for as long as was planned pressed the button after the price had come.
        await self._page.wait_for_function(_PRICE_CAME, timeout=LOAD_WITHIN_MS)
        await self._press(self._page.get_by_role("button", name="Add to basket"))
        try:
            await self._page.get_by_text("Added to the basket").wait_for(timeout=ANSWER_WITHIN_MS)
        except WaitedInVainError:
            return False
        await self.think(3)
        return True

    async def look_at_basket(self) -> None:
        """Open the basket."""
        await self._follow(self._page.get_by_role("link", name="Basket", exact=True))
        await self.think(6)

    async def redeem(self) -> None:
        """Enter a coupon; some try one they have heard of."""
        if self._temper.guesses_coupon:
            await self._fill("Coupon code", "WELCOME20")
            await self._press(self._page.get_by_role("button", name="Apply coupon"))
            await self._page.get_by_text("This code is not known.").wait_for()
            self.story.met.append("unknown_coupon")
            await self.think(5)
        await self._fill("Coupon code", "WELCOME10")
        await self._press(self._page.get_by_role("button", name="Apply coupon"))
        await self._page.get_by_text("The coupon is applied.").wait_for()
        await self.think(3)

    async def check_out(self) -> None:
        """Go to the checkout, give the address and pay."""
        await self._follow(self._page.get_by_role("link", name="Go to checkout"))
        await self.think(5)
        await self._give_address()
        await self.think(5)
        await self._pay()

    async def _give_address(self) -> None:
        country = self._person.country
        spaced = country.postcode if self._temper.has_spaced_postcode else country.postcode.replace(" ", "")
        person = f"{self._person.number}"
        await self._fill("E-mail", f"visitor{person}@shop.example")
        await self._fill("Full name", f"Visitor {person}")
        await self._fill("Street and number", country.street)
        await self._fill("Town", country.city)
        await self._fill("Postcode", spaced)
        # Where the shop guessed the country from the address, nobody has to choose it.
        if await self._send_form("Continue to payment", leads_to="**/payment"):
            return
        self.story.met.append("refused_postcode")
        for _ in range(self._temper.insists):
            await self.think(6)
            await self._fill("Postcode", spaced)
            await self._send_form("Continue to payment", leads_to="")
        if not self._temper.drops_space:
            await self.think(8)
            raise LeftError("refused_postcode")
        await self.think(8)
        await self._fill("Postcode", spaced.replace(" ", ""))
        await self._send_form("Continue to payment", leads_to="**/payment")

    async def _pay(self) -> None:
        await self._fill("Name on the card", f"Visitor {self._person.number}")
        await self._fill("Card number", MISTYPED_CARD if self._temper.mistypes_card else CARD)
        await self._fill("Good until", "12/34")
        await self._fill("Security code", "123")
        if not await self._send_form("Pay now", leads_to="**/confirmation"):
            self.story.met.append("mistyped_card")
            await self.think(7)
            if not self._temper.corrects_card:
                raise LeftError("mistyped_card")
            await self._fill("Card number", CARD)
            await self._send_form("Pay now", leads_to="**/confirmation")
        self.story.has_bought = True
        await self.think(6)

    async def _send_form(self, button: str, *, leads_to: str) -> bool:
        """Press a form's button; say whether the next page came. Where none is expected, nothing is waited for."""
        await self._press(self._page.get_by_role("button", name=button))
        if not leads_to or await self._page.locator("[aria-invalid=true]").count():
            return False
        await self._page.wait_for_url(leads_to, timeout=LOAD_WITHIN_MS)
        return True

    async def _fill(self, label: str, content: str) -> None:
        field_ = self._page.get_by_label(label, exact=True)
        await self._press(field_)
        await field_.press("ControlOrMeta+a")
        await field_.press_sequentially(content, delay=KEY_DELAY_MS)
        await self.think(2.5)

    async def _press(self, target: Locator) -> None:
        await (target.tap() if self._person.device.is_phone else target.click())

    async def _follow(self, target: Locator) -> None:
        async with self._page.expect_navigation(timeout=LOAD_WITHIN_MS):
            await self._press(target)
