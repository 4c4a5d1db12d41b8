"""Whether an error is a defect or a user's mistake, and how soon it should be looked at: each with its reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from prodintel_lib.analyses.frontend_errors.patterns import EXCEPTION, VALIDATION

ErrorClass = Literal["bug", "user mistake", "unclear"]
Priority = Literal["high", "medium", "low"]

ONCE_PER_USER: Final = 1.5
"""Up to so many errors a user, people were told once and mended it."""

MANY_SHARE: Final = 0.01
"""The share of sessions from which on a defect is one of many users, whatever it costs."""

MAX_Q: Final = 0.01
"""Of the losses of conversions that are said to be some, the share that may be chance."""

_SERVER_ERROR: Final = re.compile(r"(?:HTTP )?5[0-9][0-9]")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a pattern when it is judged.

    Attributes
    ----------
    kind : str
        ``validation``, ``exception``, ``console``, ``network`` or empty.
    error_type, frame : str
    errors, users, sessions : int
    session_share_low : float
        Lower end of the interval of its share of the sessions that were on its page.
    is_rare : bool
        Too few sessions to say whom it hits.
    place : str
        Where it keeps to, in words; empty where it is met in proportion to traffic.
    difference, low, high : float or None
        Conversion of matched sessions with it less without; None where nothing can be compared.
    q_value : float or None
        Of that difference, corrected for the number of patterns; None where it is rare.
    exposed : int
        Sessions that met it before they converted.
    """

    kind: str
    error_type: str
    frame: str
    errors: int
    users: int
    sessions: int
    session_share_low: float
    is_rare: bool
    place: str
    difference: float | None
    low: float | None
    high: float | None
    q_value: float | None
    exposed: int

    @property
    def per_user(self) -> float:
        """Errors a user who met it."""
        return self.errors / self.users

    @property
    def costs(self) -> bool:
        """Whether sessions with it convert less, for certain."""
        return self.high is not None and self.high < 0 and self.q_value is not None and self.q_value <= MAX_Q

    @property
    def lost_conversions(self) -> float | None:
        """How many conversions it took; None where no loss is certain."""
        return -self.difference * self.exposed if self.costs and self.difference is not None else None


def classify(facts: Facts) -> tuple[ErrorClass, str]:
    """Say what a pattern is, and why.

    A user's mistake is met by everybody alike, in proportion to traffic, and about once: whoever is told mends it. What
    keeps to one browser, region or release is not the users' doing, whatever it is called.
    """
    if facts.place:
        return "bug", f"keeps to {facts.place}"
    return _of_form(facts) if facts.kind == VALIDATION else _of_code(facts)


def _of_form(facts: Facts) -> tuple[ErrorClass, str]:
    if facts.is_rare:
        return "unclear", f"{facts.sessions:,} sessions: too few to say whether it keeps to a browser or a release"
    once = f"{facts.per_user:.1f} errors a user"
    if facts.per_user <= ONCE_PER_USER:
        return "user mistake", f"form validation, {once}, in proportion to traffic over browsers and regions"
    return "unclear", f"form validation, but {once}: the same people are refused again and again"


def _of_code(facts: Facts) -> tuple[ErrorClass, str]:
    spread = "too few sessions to say whom it hits" if facts.is_rare else "in proportion to traffic"
    if facts.kind == EXCEPTION and (facts.frame or facts.error_type):
        return "bug", f"{f'thrown in {facts.frame}' if facts.frame else f'an uncaught {facts.error_type}'}; {spread}"
    if _SERVER_ERROR.fullmatch(facts.error_type):
        return "bug", f"the server answered {facts.error_type}; {spread}"
    once = f"{facts.per_user:.1f} errors a user"
    says_nothing = not (facts.kind or facts.frame or facts.error_type)
    if says_nothing and not facts.is_rare and facts.per_user <= ONCE_PER_USER:
        return "user mistake", f"no exception, {once}, {spread}: met like a form's refusal; its source does not say"
    return "unclear", f"{_SOURCES.get(facts.kind, 'of unknown source')}; {spread}, {once}"


_SOURCES: Final = {"network": "a request that failed", "console": "a line on the console"}


def prioritise(kind: ErrorClass, facts: Facts) -> tuple[Priority, str]:
    """Say how soon a pattern should be looked at, and why."""
    cost = _cost(facts)
    if facts.costs and kind != "user mistake" and not facts.is_rare:
        return "high", cost
    if facts.is_rare:
        return "low", f"rare: {facts.sessions:,} sessions; {cost}"
    if kind == "bug" and facts.session_share_low >= MANY_SHARE:
        return "high", f"met by more than {100 * MANY_SHARE:.0f} % of the sessions on its page; {cost}"
    if facts.costs:
        return "medium", f"not a defect, but {cost}: the form may ask for something people do not have"
    if kind == "bug":
        return "medium", f"a defect; {cost}"
    return "low", cost


def _cost(facts: Facts) -> str:
    if facts.difference is None or facts.low is None or facts.high is None or math.isnan(facts.difference):
        return "its effect on conversion cannot be compared"
    interval = f"95 % CI {100 * facts.low:+.1f} to {100 * facts.high:+.1f}"
    points = f"conversion of matched sessions {100 * facts.difference:+.1f} points ({interval})"
    if not facts.costs:
        return f"{points}: no loss shown"
    lost = f", about {facts.lost_conversions:,.0f} conversions" if facts.lost_conversions else ""
    return points + lost
