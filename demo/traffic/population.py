"""Who visits the shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from demo.shop.members import LOCALES, Member, members

if TYPE_CHECKING:
    import random

GUEST_SHARE: Final = 0.6
_LOCALE_WEIGHTS: Final = (30, 24, 16, 10, 8, 12)

_MOZILLA: Final = "Mozilla/5.0"
_USER_AGENTS: Final = {
    f"{_MOZILLA} (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.6 Mobile/15E148 Safari/604.1": 26,
    f"{_MOZILLA} (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Mobile Safari/537.36": 20,
    f"{_MOZILLA} (Linux; Android 13; SM-A546B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36": 8,
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36": 22,
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0": 7,
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": 6,
    f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15": 8,
    f"{_MOZILLA} (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0": 3,
}


@dataclass(frozen=True, slots=True)
class Customer:
    """One visitor.

    Attributes
    ----------
    locale, user_agent : str
    member : Member or None
        None for a guest.
    patience_s : float
        How long the customer looks at a page that does not come before pressing again.
    persistence : int
        How often the customer tries again before leaving.
    card_declined : bool
        Whether the customer's bank says no, as banks now and then do.
    """

    locale: str
    user_agent: str
    member: Member | None
    patience_s: float
    persistence: int
    card_declined: bool


def draw_customer(rng: random.Random) -> Customer:
    """Draw a visitor; regulars come back under the same name."""
    member = None if rng.random() < GUEST_SHARE else rng.choice(members())
    return Customer(
        locale=member.locale if member else rng.choices(LOCALES, _LOCALE_WEIGHTS)[0],
        user_agent=rng.choices(list(_USER_AGENTS), list(_USER_AGENTS.values()))[0],
        member=member,
        patience_s=round(rng.uniform(8, 26), 2),
        persistence=rng.choices((0, 1, 2, 3), (2, 4, 3, 1))[0],
        card_declined=rng.random() < 0.02,
    )
