"""Who visits the shop, when, and what they come for: drawn from a seed before anybody is let in.

Also what somebody does when the shop fails is drawn beforehand, so that it is known who would have left.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from demo.storefront.visits.profiles import COUNTRIES, DEVICES, Country, Device

if TYPE_CHECKING:
    from demo.storefront.builds import BuildName

Persona = Literal["searcher", "category_browser", "coupon_user", "buyer", "bouncer", "hesitant", "returner"]

FIRST_DAY: Final = datetime(2026, 11, 16, tzinfo=UTC)
# Until this moment the faulty build was out; the fixed one since.
REPAIRED_AT: Final = datetime(2026, 11, 20, 5, tzinfo=UTC)
DAYS: Final = 5
# The incidents' recordings lie in these hours, UTC; nobody's visit does.
QUIET_HOURS_UTC: Final = range(9, 14)
RETURNING_SHARE: Final = 0.16
SLOW_SHARE: Final = 0.2
_LOCAL_HOURS: Final = (6, 7, 8, 12, 13, 15, 16, 17, 18, 19, 20, 20, 21, 21, 22)
_PERSONAS: Final[dict[Persona, float]] = {
    "searcher": 0.16,
    "category_browser": 0.15,
    "coupon_user": 0.14,
    "buyer": 0.27,
    "bouncer": 0.14,
    "hesitant": 0.14,
}


@dataclass(frozen=True, slots=True)
class Temper:
    """What somebody does when something goes wrong, and which mistakes they make themselves.

    Attributes
    ----------
    rages : int
        How often the button that does nothing is clicked again, quickly.
    reloads : bool
        Whether they then look at the page again before they leave.
    has_spaced_postcode : bool
        Whether they write a postcode with a space where people do.
    insists : int
        How often a refused form is sent again as it is.
    drops_space : bool
        Whether they then try without the space.
    mistypes_card, corrects_card : bool
        Whether they get a digit of the card's number wrong; whether they look at it again.
    guesses_coupon : bool
        Whether they try a code that there is not first.
    """

    rages: int
    reloads: bool
    has_spaced_postcode: bool
    insists: int
    drops_space: bool
    mistypes_card: bool
    corrects_card: bool
    guesses_coupon: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One session: what for, and when it is said to have begun."""

    persona: Persona
    start: datetime
    seed: int


@dataclass(frozen=True, slots=True)
class Person:
    """A browser with somebody at it, and their visits in order, all of one build."""

    number: int
    device: Device
    country: Country
    is_slow: bool
    build: BuildName
    temper: Temper
    visits: tuple[Visit, ...]


def plan_people(sessions: int, *, seed: int) -> list[Person]:
    """Draw people until they make so many visits.

    Parameters
    ----------
    sessions : int
    seed : int

    Returns
    -------
    list of Person
        By their first visit.
    """
    rng = random.Random(seed)  # noqa: S311 - a plan, not a secret
    people: list[Person] = []
    left = sessions
    while left:
        person = _draw_person(rng, number=len(people) + 1, most_visits=left)
        people.append(person)
        left -= len(person.visits)
    return sorted(people, key=lambda person: person.visits[0].start)


def _draw_person(rng: random.Random, *, number: int, most_visits: int) -> Person:
    device = rng.choices(DEVICES, [device.weight for device in DEVICES])[0]
    country = rng.choices(COUNTRIES, [country.weight for country in COUNTRIES])[0]
    is_slow = device.is_phone and rng.random() < SLOW_SHARE
    start = _draw_start(rng, country)
    build: BuildName = "faulty" if start < REPAIRED_AT else "fixed"
    weights = dict(_PERSONAS)
    if is_slow:
        # Who waits for pages leaves sooner: the one cause of leaving that is the network's.
        weights["bouncer"] *= 4
    persona = rng.choices(list(weights), list(weights.values()))[0]
    visits = [Visit(persona, start, rng.getrandbits(32))]
    again = start + timedelta(minutes=rng.randrange(70, 260))
    may_return = again.hour not in QUIET_HOURS_UTC and (again < REPAIRED_AT or build == "fixed")
    if rng.random() < RETURNING_SHARE and most_visits > 1 and may_return:
        visits.append(Visit("returner", again, rng.getrandbits(32)))
    return Person(number, device, country, is_slow, build, _draw_temper(rng), tuple(visits))


def _draw_start(rng: random.Random, country: Country) -> datetime:
    while True:
        local = FIRST_DAY.replace(tzinfo=ZoneInfo(country.timezone)) + timedelta(
            days=rng.randrange(DAYS), hours=rng.choice(_LOCAL_HOURS), seconds=rng.randrange(3_600)
        )
        start = local.astimezone(UTC)
        # A visit takes minutes: who comes just before the quiet hours would be in them.
        if start.hour not in QUIET_HOURS_UTC and (start.hour + 1) not in QUIET_HOURS_UTC and start.hour < 23:
            return start


def _draw_temper(rng: random.Random) -> Temper:
    return Temper(
        rages=rng.randint(3, 6) if rng.random() < 0.65 else 0,
        reloads=rng.random() < 0.3,
        has_spaced_postcode=rng.random() < 0.85,
        insists=rng.randint(1, 2),
        drops_space=rng.random() < 0.3,
        mistypes_card=rng.random() < 0.2,
        corrects_card=rng.random() < 0.85,
        guesses_coupon=rng.random() < 0.5,
    )
