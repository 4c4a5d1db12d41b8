"""The walk of sessions through the pages: all of them one page further at a time, until nobody is left."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from demo.rum import causes as planted
from demo.rum.causes import CAUSES
from demo.rum.clients import CLIENTS, LOAD_BY_DEVICE, LOAD_BY_NETWORK, REGIONS
from demo.rum.pages import (
    CART,
    CATEGORIES,
    CHECKOUT,
    CONFIRMATION,
    ENTRIES,
    HOME,
    LEAVING_AT_FIRST_LOOK,
    LEAVING_BY_DEVICE,
    LOAD_SIGMA,
    LOOK,
    PAGES,
    PAYMENT,
    PRODUCT,
    SEARCHES,
    THINK_SIGMA,
    product_bounds,
    transition_bounds,
)

if TYPE_CHECKING:
    from demo.rum.pages import Flags, Floats, Ints
    from demo.rum.plan import Plan
    from demo.rum.population import Population

US_PER_MS: Final = 1000
US_PER_MIN: Final = 60_000_000
# So few sessions get here that cutting them off shows nowhere.
MAX_STEPS: Final = 60
LEFT: Final = -1
# Codes of `Views.left_for`.
STAYED, OF_THEMSELVES, SAVED = -1, -2, -3
CAUSE_CODES: Final = {name: code for code, name in enumerate(CAUSES)}
COUPON_SHARE: Final = 0.25
RETRY_SHARE: Final = 0.07
SLOW_EXTRA_MS: Final = 6500.0
FAULT_SLOWER: Final = 3.0
# Retries of a refused form, and presses of a button that does nothing, take time.
RETRY_MS: Final = 9000.0
PRESSES_MS: Final = 3000.0
_MAX_CHANCE: Final = 0.98


@dataclass(frozen=True, slots=True)
class Views:
    """Page views, one an element of every array, by session and step.

    Attributes
    ----------
    session : ndarray
        Place of the session in the population.
    step : ndarray
        From 1.
    page, after : ndarray
        Places in PAGES; `after` is LEFT at the end.
    time_us, load_ms, think_ms : ndarray
        When it began, how long it loaded, how long it was then looked at.
    product, category, search : ndarray
        What it shows, where it shows one.
    exposed : ndarray
        Bits of CAUSE_CODES: which causes befell it.
    retries : ndarray
        Times a form was refused for a mistake of the visitor's own (0 or 1).
    tries_coupon : ndarray
    left_for : ndarray
        Why the session ended here: a code of CAUSE_CODES, or OF_THEMSELVES; SAVED where the experiment kept it.
    """

    session: Ints
    step: Ints
    page: Ints
    after: Ints
    time_us: Ints
    load_ms: Floats
    think_ms: Floats
    product: Ints
    category: Ints
    search: Ints
    exposed: Ints
    retries: Ints
    tries_coupon: Flags
    left_for: Ints

    def befell(self, cause_id: str) -> Flags:
        """Say of each view whether a cause befell it."""
        return _has_bit(self.exposed, cause_id)


def _has_bit(exposed: Ints, cause_id: str) -> Flags:
    bits: Flags = (exposed >> CAUSE_CODES[cause_id]) & 1 == 1
    return bits


_Columns: TypeAlias = dict[str, "Ints | Floats | Flags"]


@dataclass(frozen=True, slots=True)
class _Traits:
    """What of a session's visitor decides its walk, by session of the part."""

    intent: Ints
    leaving: Floats
    load: Floats
    is_mobile: Flags
    is_safari: Flags
    has_price_error: Flags
    is_british: Flags
    is_in_fault_country: Flags
    utc_offset_min: Ints
    is_new: Flags
    in_treatment: Flags


def walk(population: Population, first: int, last: int, plan: Plan) -> Views:
    """Walk the sessions from `first` to before `last`; the same for the same seed, whatever the other parts are."""
    rng = np.random.default_rng([plan.seed, 2, first])
    sessions = np.arange(first, last)
    traits = _traits_of(population, sessions)
    alive = np.arange(last - first)
    page = np.searchsorted(np.cumsum(ENTRIES), rng.random(len(alive)), side="right").clip(0, len(PAGES) - 1)
    time_us = population.start_us[first:last].copy()
    bounds, products = transition_bounds(), product_bounds()
    taken: list[_Columns] = []
    for step in range(1, MAX_STEPS + 1):
        columns = _look_at(page, alive, time_us, traits, products, plan, rng)
        ends, left_for = _leave(page, alive, step, columns, traits, plan, rng)
        after = (rng.random(len(alive))[:, None] >= bounds[traits.intent[alive], page]).sum(axis=1)
        columns |= {"session": sessions[alive], "step": np.full(len(alive), step), "page": page, "time_us": time_us}
        columns |= {"after": np.where(ends, LEFT, after), "left_for": left_for}
        taken.append(columns)
        stays = ~ends
        spent_us = ((columns["load_ms"] + columns["think_ms"]) * US_PER_MS).astype(np.int64)
        alive, page, time_us = alive[stays], after[stays], (time_us + spent_us)[stays]
        if not len(alive):
            break
    joined = {field.name: np.concatenate([columns[field.name] for columns in taken]) for field in fields(Views)}
    order = np.lexsort((joined["step"], joined["session"]))
    return Views(**{name: values[order] for name, values in joined.items()})


def _traits_of(population: Population, sessions: Ints) -> _Traits:
    visitor = population.visitor[sessions]
    client, region = population.visitor_client[visitor], population.visitor_region[visitor]
    device = np.array([each.device for each in CLIENTS])[client]
    country = np.array([each.country for each in REGIONS])[region]
    is_safari = np.array([each.browser == "Safari" for each in CLIENTS])[client]
    version = np.array([each.version for each in CLIENTS])[client]
    load = (
        np.array([LOAD_BY_DEVICE[each.device] for each in CLIENTS])[client]
        * np.array([each.latency for each in REGIONS])[region]
        * np.array(LOAD_BY_NETWORK)[population.visitor_network[visitor]]
    )
    return _Traits(
        intent=population.intent[sessions],
        leaving=np.array([LEAVING_BY_DEVICE[each.device] for each in CLIENTS])[client],
        load=load,
        is_mobile=device == "mobile",
        is_safari=is_safari,
        has_price_error=is_safari & (version == planted.PRICE_ERROR_VERSION),
        is_british=country == planted.POSTCODE_COUNTRY,
        is_in_fault_country=country == planted.FAULT_COUNTRY,
        utc_offset_min=population.utc_offset_min[sessions],
        is_new=population.is_new[sessions],
        in_treatment=population.visitor_in_treatment[visitor, 0],
    )


def _look_at(
    page: Ints, alive: Ints, time_us: Ints, traits: _Traits, products: Floats, plan: Plan, rng: np.random.Generator
) -> _Columns:
    """Draw what is shown, how fast, for how long, and what befalls each view."""
    count = len(page)
    medians_ms = np.array([each.load_ms for each in PAGES])[page]
    load_ms = medians_ms * traits.load[alive] * rng.lognormal(0, LOAD_SIGMA, count)
    think_ms = np.array([each.think_s for each in PAGES])[page] * 1000 * rng.lognormal(0, THINK_SIGMA, count)
    shown = {
        "product": np.searchsorted(products, rng.random(count), side="right").clip(0, len(products) - 1),
        "category": np.minimum(rng.geometric(0.28, count) - 1, len(CATEGORIES) - 1),
        "search": rng.integers(0, len(SEARCHES), count),
    }
    is_form = (page == CHECKOUT) | (page == PAYMENT)
    retries = (is_form & (rng.random(count) < RETRY_SHARE)).astype(np.int64)
    tries_coupon = (page == CART) & (rng.random(count) < COUPON_SHARE)
    exposed = _befall(page, alive, time_us, tries_coupon, traits, plan, rng)
    is_slow, is_faulted = _has_bit(exposed, planted.SLOW_CHECKOUT), _has_bit(exposed, planted.REGIONAL_FAULT)
    load_ms = np.where(is_faulted, load_ms * FAULT_SLOWER, load_ms)
    load_ms = np.where(is_slow, load_ms + SLOW_EXTRA_MS * rng.lognormal(0, 0.25, count), load_ms)
    is_refused, is_looped = _has_bit(exposed, planted.REFUSED_POSTCODE), _has_bit(exposed, planted.COUPON_LOOP)
    think_ms = think_ms + RETRY_MS * (retries + 2 * is_refused) + PRESSES_MS * is_looped
    return {
        **shown,
        "load_ms": load_ms,
        "think_ms": think_ms.clip(800, 25 * 60_000),
        "exposed": exposed,
        "retries": retries,
        "tries_coupon": tries_coupon,
    }


def _befall(
    page: Ints, alive: Ints, time_us: Ints, tries_coupon: Flags, traits: _Traits, plan: Plan, rng: np.random.Generator
) -> Ints:
    """Draw which causes befall each view: bits of CAUSE_CODES.

    Causes that are not planted are drawn as well: with one and without it, the walks begin alike.
    """
    local_hour = (time_us // US_PER_MIN + traits.utc_offset_min[alive]) // 60 % 24
    is_peak = (local_hour >= planted.FAULT_HOURS[0]) & (local_hour < planted.FAULT_HOURS[1])
    can_befall = {
        planted.SLOW_CHECKOUT: (page == CHECKOUT) & traits.is_mobile[alive],
        planted.REFUSED_POSTCODE: (page == CHECKOUT) & traits.is_british[alive],
        planted.PAYMENT_ERROR: (page == PAYMENT) & traits.is_safari[alive],
        planted.COUPON_LOOP: tries_coupon,
        planted.REGIONAL_FAULT: traits.is_in_fault_country[alive] & is_peak,
        planted.NEW_USER_ERROR: (page == HOME) & traits.is_new[alive],
        planted.PRICE_ERROR: (page == PRODUCT) & traits.has_price_error[alive],
    }
    exposed = np.zeros(len(page), dtype=np.int64)
    for name, possible in can_befall.items():
        drawn = rng.random(len(page)) < CAUSES[name].share
        if plan.has(name):
            exposed |= (possible & drawn).astype(np.int64) << CAUSE_CODES[name]
    return exposed


def _leave(
    page: Ints, alive: Ints, step: int, columns: _Columns, traits: _Traits, plan: Plan, rng: np.random.Generator
) -> tuple[Flags, Ints]:
    """Decide by one draw a view whether the session ends there, and to what that is owed.

    The line from 0 to 1 is divided: first what people leave for of themselves, the end of which the experiment takes
    away, then a stretch for each cause that befell the view; the draw falls into one of them, or beyond.
    """
    own = np.array([each.leaving for each in PAGES])[page] * traits.leaving[alive]
    if step == 1:
        own = np.where(traits.intent[alive] == LOOK, LEAVING_AT_FIRST_LOOK, own)
    drawn = np.full(len(page), 0.0) if step == MAX_STEPS else rng.random(len(page))
    left_for = np.full(len(page), STAYED, dtype=np.int64)
    left_for[drawn < own] = OF_THEMSELVES
    if plan.has(planted.EXPERIMENT) and step < MAX_STEPS:
        kept = (page == CHECKOUT) & traits.in_treatment[alive]
        left_for[kept & (drawn < own) & (drawn >= own * (1 - planted.EXPERIMENT_SAVES))] = SAVED
    reached = own
    for name, code in CAUSE_CODES.items():
        if not CAUSES[name].effect:
            continue
        # Whoever has bought has nothing left to be kept from.
        befallen = _has_bit(columns["exposed"].astype(np.int64), name) & (page != CONFIRMATION)
        further = np.minimum(reached + CAUSES[name].effect * befallen, _MAX_CHANCE)
        left_for[(drawn >= reached) & (drawn < further)] = code
        reached = np.maximum(reached, further)
    return (left_for >= 0) | (left_for == OF_THEMSELVES), left_for
