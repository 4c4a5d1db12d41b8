"""The shop's registered customers: a made-up, fixed list, so that the traffic can sign in as one of them."""

from __future__ import annotations

import functools
import hashlib
import random
from dataclasses import dataclass
from typing import Final

MEMBER_COUNT: Final = 240
LOCALES: Final = ("en-GB", "de-DE", "fr-FR", "nl-NL", "es-ES", "en-US")
_LOCALE_WEIGHTS: Final = (30, 24, 16, 10, 8, 12)
_HASH_ROUNDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Member:
    """A registered customer."""

    user_id: str
    email: str
    password: str
    locale: str
    account_age_days: int
    previous_orders: int


@functools.cache
def members() -> tuple[Member, ...]:
    """Return the registered customers, always the same."""
    rng = random.Random(20240115)  # noqa: S311 - made-up people, not secrets
    made = []
    for number in range(MEMBER_COUNT):
        age_days = min(int(rng.expovariate(1 / 420)), 2_400)
        made.append(
            Member(
                user_id=f"usr_{hashlib.sha256(f'member {number}'.encode()).hexdigest()[:12]}",
                email=f"member{number:03d}@shop.example",
                password=f"demo-{rng.getrandbits(40):010x}",
                locale=rng.choices(LOCALES, _LOCALE_WEIGHTS)[0],
                account_age_days=age_days,
                previous_orders=int(rng.expovariate(1 / (1 + age_days / 120))),
            )
        )
    return tuple(made)


def hash_password(password: str, salt: str) -> str:
    """Return a slow hash of a password.

    Notes
    -----
    A real shop takes a memory-hard function and far more rounds; here a start of the shop has to stay short.
    """
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _HASH_ROUNDS).hex()
