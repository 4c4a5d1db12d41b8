"""Who visits, and when: visitors with a place and a browser, and the sessions they begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from demo.rum.clients import CLIENTS, HOURS, NETWORK_SHARES, NETWORKS, REGIONS, WEEKDAYS
from demo.rum.pages import BROWSE, BUY, LOOK
from demo.rum.plan import US_PER_DAY, US_PER_S, Plan

if TYPE_CHECKING:
    from demo.rum.pages import Flags, Floats, Ints

VISITORS_PER_SESSION: Final = 0.8
# How differently often visitors come: the standard deviation of the logarithm.
HABIT_SIGMA: Final = 0.9
MOST_HABIT: Final = 6.0
NEWCOMER_SHARE: Final = 0.55
MEMBER_SHARE: Final = 0.3
# Wherever they are, so many have their browser speak another language than the region's.
ENGLISH_SHARE: Final = 0.12
# Shares of those who look, browse and buy; people who come back want something more often.
INTENTS_OF_NEW: Final = (0.25, 0.50, 0.25)
INTENTS_OF_KNOWN: Final = (0.16, 0.46, 0.38)
# A visitor who has just been there does not begin anew.
APART_US: Final = 3 * 3600 * US_PER_S
_REDRAWS: Final = 8
_HOUR_US: Final = 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class Population:
    """All sessions of people, in the order in which they begin, and their visitors.

    Attributes
    ----------
    visitor_client, visitor_region, visitor_network : ndarray
        By visitor: places in CLIENTS, REGIONS and NETWORKS.
    visitor_is_member : ndarray
        By visitor: whether they sign in.
    visitor_speaks_english : ndarray
        By visitor: whether the browser speaks English, whatever the region does.
    visitor_in_treatment : ndarray
        By visitor: ``[visitor, experiment]``, whether they get the new variant.
    visitor, start_us, intent, utc_offset_min : ndarray
        By session.
    is_new : ndarray
        By session: whether it is the visitor's first ever.
    is_first : ndarray
        By session: whether it is the visitor's first in this time.
    """

    visitor_client: Ints
    visitor_region: Ints
    visitor_network: Ints
    visitor_is_member: Flags
    visitor_speaks_english: Flags
    visitor_in_treatment: Flags
    visitor: Ints
    start_us: Ints
    intent: Ints
    utc_offset_min: Ints
    is_new: Flags
    is_first: Flags


def populate(plan: Plan) -> Population:
    """Draw the visitors and their sessions.

    A few bytes a session are kept of it, so that any number of sessions has its order and its returning visitors
    before the first event is made.
    """
    rng = np.random.default_rng([plan.seed, 1])
    count = max(1, round(plan.sessions * VISITORS_PER_SESSION))
    clients = rng.choice(len(CLIENTS), count, p=_normal([client.share for client in CLIENTS]))
    regions = rng.choice(len(REGIONS), count, p=_normal([region.share for region in REGIONS]))
    networks = _networks(clients, rng)
    is_member, is_newcomer = rng.random(count) < MEMBER_SHARE, rng.random(count) < NEWCOMER_SHARE
    speaks_english = rng.random(count) < ENGLISH_SHARE
    in_treatment = rng.random((count, 2)) < 0.5
    habit = np.cumsum(rng.lognormal(0, HABIT_SIGMA, count).clip(max=MOST_HABIT))
    visitor = np.searchsorted(habit, rng.random(plan.sessions) * habit[-1], side="right").astype(np.int64)
    start_us = _spread(visitor, regions, plan, rng)
    order = np.lexsort((visitor, start_us))
    visitor, start_us = visitor[order], start_us[order]
    is_first = np.zeros(plan.sessions, dtype=np.bool_)
    is_first[np.unique(visitor, return_index=True)[1]] = True
    is_new = is_first & is_newcomer[visitor]
    offset_min = _offsets_min(plan)[regions[visitor], (start_us - plan.start_us) // US_PER_DAY]
    return Population(
        clients.astype(np.int64),
        regions.astype(np.int64),
        networks,
        is_member,
        speaks_english,
        in_treatment,
        visitor,
        start_us,
        _intents(is_new, rng),
        offset_min,
        is_new,
        is_first,
    )


def _normal(shares: list[float]) -> Floats:
    return np.array(shares) / sum(shares)


def _networks(clients: Ints, rng: np.random.Generator) -> Ints:
    bounds = np.cumsum([NETWORK_SHARES[client.device] for client in CLIENTS], axis=1)[clients]
    drawn = rng.random(len(clients))
    networks: Ints = np.minimum((drawn[:, None] >= bounds).sum(axis=1), len(NETWORKS) - 1)
    return networks


def _intents(is_new: Flags, rng: np.random.Generator) -> Ints:
    drawn = rng.random(len(is_new))
    look = np.where(is_new, INTENTS_OF_NEW[LOOK], INTENTS_OF_KNOWN[LOOK])
    browse = np.where(is_new, INTENTS_OF_NEW[BROWSE], INTENTS_OF_KNOWN[BROWSE])
    return np.where(drawn < look, LOOK, np.where(drawn < look + browse, BROWSE, BUY))


def _offsets_min(plan: Plan) -> Ints:
    """Return each region's clock minus UTC at the noon of each day, minutes: ``[region, day]``."""
    noons = [
        datetime.fromtimestamp((plan.start_us + day * US_PER_DAY) // US_PER_S + 43_200, UTC) for day in range(plan.days)
    ]
    table = np.zeros((len(REGIONS), plan.days), dtype=np.int64)
    for place, region in enumerate(REGIONS):
        zone = ZoneInfo(region.zone)
        for day, noon in enumerate(noons):
            offset = noon.astimezone(zone).utcoffset()
            table[place, day] = int(offset.total_seconds()) // 60 if offset else 0
    return table


def _spread(visitor: Ints, regions: Ints, plan: Plan, rng: np.random.Generator) -> Ints:
    """Draw when sessions begin, by the local rhythm; what comes too soon after the visitor's last is drawn again."""
    offsets = _offsets_min(plan)
    start_us = _draw_starts(regions[visitor], offsets, plan, rng)
    for _ in range(_REDRAWS):
        order = np.lexsort((start_us, visitor))
        apart_us = np.diff(start_us[order], prepend=0)
        same = np.diff(visitor[order], prepend=-1) == 0
        again = order[same & (apart_us < APART_US)]
        start_us[again] = _draw_starts(regions[visitor[again]], offsets, plan, rng)
    return start_us


def _draw_starts(region: Ints, offsets_min: Ints, plan: Plan, rng: np.random.Generator) -> Ints:
    first = datetime.fromisoformat(plan.start).weekday()
    days = rng.choice(plan.days, len(region), p=_normal([WEEKDAYS[(first + day) % 7] for day in range(plan.days)]))
    hours = rng.choice(24, len(region), p=_normal([float(share) for share in HOURS]))
    local_us = days * US_PER_DAY + hours * _HOUR_US + rng.integers(0, _HOUR_US, len(region))
    # A local day reaches over the ends of the time that is generated: what lies outside is put at its other end.
    offset_us = offsets_min[region, days] * 60 * US_PER_S
    return plan.start_us + (local_us - offset_us) % (plan.days * US_PER_DAY)
