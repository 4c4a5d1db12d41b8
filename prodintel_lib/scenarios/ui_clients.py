"""The client of a session: browser, window, language, clock, and how often its requests fail."""

from __future__ import annotations

import re
import zoneinfo
from functools import cache
from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.ui_model import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from prodintel_lib.scenarios.ui_events import Moment

_MODULUS: Final = 2_147_483_647
_MULTIPLIER: Final = 48_271
_SEEDS: Final = 20_000
_FOLLOWED: Final = 10
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def client_of(events: pl.DataFrame, *, as_browser: bool) -> Client:
    """Return the client a session was made with; what the rows do not say, or say in no known form, is left out.

    Parameters
    ----------
    events : polars.DataFrame
        RUM_EVENTS rows of one session.
    as_browser : bool
        Whether to pass for the session's browser, by its user agent.
    """
    locale = re.split(r"[,;]", _first(events, "browser_language") or "")[0].strip().replace("_", "-")
    timezone = _first(events, "timezone_name")
    return Client(
        user_agent=_first(events, "user_agent_original") if as_browser else None,
        viewport_width_px=_size(events, "viewport_width_px"),
        viewport_height_px=_size(events, "viewport_height_px"),
        is_mobile=_first(events, "device_type") in {"mobile", "tablet"},
        locale=locale if _LOCALE.fullmatch(locale) else None,
        timezone=timezone if timezone in _timezones() else None,
    )


def with_failing_requests(client: Client, moments: Sequence[Moment], *, rate: float) -> Client:
    """Return the client on a network where that share of requests fails; the first ones as they were recorded."""
    recorded = [moment.failed for moment in moments if moment.kind == "request"][:_FOLLOWED]
    seeds = range(1, _SEEDS)
    seed = next((n for n in seeds if draws(n, rate, len(recorded)) == recorded), 1)
    return client.model_copy(update={"request_failure_rate": rate, "seed": seed})


def draws(seed: int, rate: float, count: int) -> list[bool]:
    """Return which of the first requests fail; the generator's first number is left out, it is small for a small seed.

    Notes
    -----
    Park and Miller's minimal standard generator with the multiplier 48271 (Comm. ACM 36(7), 1993, p. 108): its products
    stay below 2**53, so that every language draws the same.

    Examples
    --------
    >>> draws(1, 0.5, 4)
    [True, False, False, False]
    """
    state, drawn = seed * _MULTIPLIER % _MODULUS, []
    for _ in range(count):
        state = state * _MULTIPLIER % _MODULUS
        drawn.append(state / _MODULUS < rate)
    return drawn


def _first(events: pl.DataFrame, column: str) -> str | None:
    values = events[column].drop_nulls().to_list() if column in events.columns else []
    return values[0] if values else None


def _size(events: pl.DataFrame, column: str) -> int | None:
    sizes = events[column].drop_nulls().to_list() if column in events.columns else []
    return int(sizes[0]) if sizes and 1 <= sizes[0] <= 10_000 else None


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
