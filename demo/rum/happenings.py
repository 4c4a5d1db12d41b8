"""What happens on page views: which events the browser reports of each, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from demo.rum import causes as planted
from demo.rum import templates as kinds
from demo.rum.pages import CART, CHECKOUT, CONFIRMATION, HOME, PAYMENT, PRODUCT, SEARCH
from demo.rum.templates import CODES, LEADING_TO
from demo.rum.walk import US_PER_MS

if TYPE_CHECKING:
    from demo.rum.pages import Flags, Floats, Ints
    from demo.rum.templates import Template
    from demo.rum.walk import Views

FAILED_REQUESTS: Final = 0.004
SERVER_ERROR: Final = 500
GATEWAY_TIMEOUT: Final = 504
# How often a view brings what nobody minds.
RESIZE_SHARE: Final = 0.012
CHUNK_SHARE: Final = 0.0015
CUT_OFF_SHARE: Final = 0.002
IMPATIENT_SHARE: Final = 0.003
IMPATIENT_FROM_MS: Final = 3000.0
VITAL_SHARE: Final = 0.62
SCROLL_SHARE: Final = 0.3
REQUEST_MS: Final = 130.0
PRESS_MS: Final = 190
LEAVING_MS: Final = 80
# The last moment of a view in which something else than going on happens.
BUSY_UNTIL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Rows:
    """Events, one an element of every array.

    Attributes
    ----------
    kind : ndarray
        Place in TEMPLATES.
    view : ndarray
        Place of its view in Views.
    time_us : ndarray
    duration_ms : ndarray
        NaN where there is none.
    status : ndarray
        HTTP status of a request; 0 where there is none.
    """

    kind: Ints
    view: Ints
    time_us: Ints
    duration_ms: Floats
    status: Ints


@dataclass
class _Gathered:
    """Events as they come, kind after kind."""

    views: Views
    rng: np.random.Generator
    kinds: list[Ints] = field(default_factory=list)
    places: list[Ints] = field(default_factory=list)
    times: list[Ints] = field(default_factory=list)
    durations: list[Floats] = field(default_factory=list)
    statuses: list[Ints] = field(default_factory=list)

    def add(self, kind: Template, where: Flags, time_us: Ints, duration_ms: Floats | None = None) -> None:
        """Add an event of a kind to each view that is marked; times and durations are given for all views."""
        self.put(kind, np.flatnonzero(where), time_us[where], None if duration_ms is None else duration_ms[where])

    def put(self, kind: Template, places: Ints, time_us: Ints, duration_ms: Floats | None = None) -> None:
        """Add events of a kind to the views at some places, at times given for each."""
        count = len(places)
        self.kinds.append(np.full(count, CODES[kind], dtype=np.int64))
        self.places.append(places)
        self.times.append(time_us)
        self.durations.append(np.full(count, np.nan) if duration_ms is None else duration_ms)
        self.statuses.append(np.zeros(count, dtype=np.int64))

    def request(self, kind: Template, where: Flags, time_us: Ints, *, status: int = 0) -> None:
        """Add a request to each view that is marked; a few fail of themselves."""
        duration_ms = REQUEST_MS * self.rng.lognormal(0, 0.5, len(where))
        answered = np.where(self.rng.random(len(where)) < FAILED_REQUESTS, SERVER_ERROR, status or 200)
        self.add(kind, where, time_us, duration_ms)
        self.statuses[-1] = answered[where]

    def happens(self, share: float) -> Flags:
        """Draw whether something happens on each view."""
        return self.rng.random(len(self.views.page)) < share

    def at(self, share: float) -> Ints:
        """Return the moment at which a share of the time a page is looked at has gone by."""
        views = self.views
        return views.time_us + ((views.load_ms + share * views.think_ms) * US_PER_MS).astype(np.int64)

    def sometime(self) -> Ints:
        """Draw a moment in which each page is looked at."""
        views = self.views
        spent = BUSY_UNTIL * self.rng.random(len(views.page))
        return views.time_us + ((views.load_ms + spent * views.think_ms) * US_PER_MS).astype(np.int64)


def happen(views: Views, rng: np.random.Generator) -> Rows:
    """Draw the events of page views, in the order of time."""
    gathered = _Gathered(views, rng)
    _report_views(gathered)
    _go_on(gathered)
    _fill_forms(gathered)
    _try_coupons(gathered)
    _err(gathered)
    kind, view, time_us = (np.concatenate(each) for each in (gathered.kinds, gathered.places, gathered.times))
    order = np.lexsort((kind, view, time_us))
    durations, statuses = np.concatenate(gathered.durations), np.concatenate(gathered.statuses)
    return Rows(kind[order], view[order], time_us[order], durations[order], statuses[order])


def _report_views(gathered: _Gathered) -> None:
    views = gathered.views
    everywhere = np.ones(len(views.page), dtype=np.bool_)
    gathered.add(kinds.VIEW, everywhere, views.time_us, views.load_ms)
    gathered.add(kinds.VITAL, gathered.happens(VITAL_SHARE), gathered.at(0.97))
    gathered.add(kinds.SCROLL, gathered.happens(SCROLL_SHARE), gathered.sometime())
    for kind, page, share in ((kinds.RECOMMENDS, HOME, 0.5), (kinds.REVIEWS, PRODUCT, 0.6)):
        gathered.request(kind, (views.page == page) & gathered.happens(share), gathered.at(0.0))


def _go_on(gathered: _Gathered) -> None:
    """Add what leads to the next page."""
    views = gathered.views
    leaving_us = gathered.at(1.0) - LEAVING_MS * US_PER_MS
    for page, kind in LEADING_TO.items():
        where = views.after == page
        if page == CART:
            gathered.add(kinds.CART_LINK, where & (views.page != PRODUCT), leaving_us)
            where &= views.page == PRODUCT
        gathered.add(kind, where, leaving_us)
    searches = views.after == SEARCH
    gathered.add(kinds.TYPES_SEARCH, searches, gathered.at(0.93))
    gathered.request(kinds.SUGGESTS, searches & gathered.happens(0.8), gathered.at(0.93))
    adds = (views.page == PRODUCT) & (views.after == CART)
    gathered.add(kinds.ADDED, adds, leaving_us)
    gathered.request(kinds.POSTS_CART, adds, leaving_us)
    gathered.request(kinds.POSTS_CHECKOUT, (views.page == CHECKOUT) & (views.after == PAYMENT), leaving_us)
    gathered.request(kinds.POSTS_PAYMENT, (views.page == PAYMENT) & (views.after == CONFIRMATION), leaving_us)
    gathered.add(kinds.PURCHASE, views.page == CONFIRMATION, views.time_us + 40 * US_PER_MS)


def _fill_forms(gathered: _Gathered) -> None:
    """Add what is typed into the two forms, and what they refuse."""
    views = gathered.views
    refused = views.befell(planted.REFUSED_POSTCODE)
    mistaken = views.retries > 0
    address = (views.page == CHECKOUT) & ((views.after == PAYMENT) | refused | mistaken)
    card = (views.page == PAYMENT) & ((views.after == CONFIRMATION) | mistaken)
    for where, fields in ((address, kinds.ADDRESS_FIELDS), (card, kinds.CARD_FIELDS)):
        for number, kind in enumerate(fields, start=1):
            gathered.add(kind, where, gathered.at(0.5 * number / len(fields)))
    for where, press, mistake in (
        (mistaken & address, LEADING_TO[PAYMENT], kinds.MISTYPED_EMAIL),
        (mistaken & card, LEADING_TO[CONFIRMATION], kinds.MISTYPED_CARD),
    ):
        pressed_us = gathered.at(0.55)
        gathered.add(press, where, pressed_us)
        gathered.add(mistake, where, pressed_us + 20 * US_PER_MS)
    # People send the same postcode again, and some once more: it is right, after all.
    for share, wanted in ((0.65, 1.0), (0.75, 1.0), (0.85, 0.5)):
        where = refused & gathered.happens(wanted)
        pressed_us = gathered.at(share)
        gathered.add(LEADING_TO[PAYMENT], where, pressed_us)
        gathered.add(kinds.REFUSED, where, pressed_us + 20 * US_PER_MS)


def _try_coupons(gathered: _Gathered) -> None:
    views = gathered.views
    gathered.add(kinds.TYPES_COUPON, views.tries_coupon, gathered.at(0.4))
    pressed_us = gathered.at(0.5)
    gathered.add(kinds.APPLIES_COUPON, views.tries_coupon, pressed_us)
    gathered.request(kinds.POSTS_COUPON, views.tries_coupon, pressed_us)
    loops = views.befell(planted.COUPON_LOOP)
    _press_again(gathered, kinds.APPLIES_COUPON, loops, pressed_us, times=4)
    impatient = (views.page == PRODUCT) & (views.think_ms > IMPATIENT_FROM_MS) & gathered.happens(IMPATIENT_SHARE)
    gathered.add(kinds.NEXT_IMAGE, impatient, pressed_us)
    _press_again(gathered, kinds.NEXT_IMAGE, impatient, pressed_us, times=3)


def _press_again(gathered: _Gathered, kind: Template, where: Flags, first_us: Ints, *, times: int) -> None:
    for number in range(1, times + 1):
        gathered.add(kind, where, first_us + number * PRESS_MS * US_PER_MS)


def _err(gathered: _Gathered) -> None:
    """Add the errors: those that belong to a cause, and those that nobody minds."""
    views = gathered.views
    early_us = views.time_us + ((views.load_ms + 30) * US_PER_MS).astype(np.int64)
    for kind, share in ((kinds.RESIZE, RESIZE_SHARE), (kinds.CHUNK, CHUNK_SHARE), (kinds.NETWORK, CUT_OFF_SHARE)):
        gathered.add(kind, gathered.happens(share), early_us)
    payment = views.befell(planted.PAYMENT_ERROR)
    gathered.add(kinds.TOTAL, payment, early_us)
    gathered.add(kinds.TOTAL, payment & gathered.happens(0.6), gathered.at(0.5))
    gathered.add(kinds.PRICE, views.befell(planted.PRICE_ERROR), early_us)
    gathered.add(kinds.PREFERENCES, views.befell(planted.NEW_USER_ERROR), early_us)
    faulted = views.befell(planted.REGIONAL_FAULT)
    gathered.add(kinds.NETWORK, faulted, early_us)
    gathered.request(kinds.GETS_SESSION, faulted, views.time_us + 200 * US_PER_MS, status=GATEWAY_TIMEOUT)
