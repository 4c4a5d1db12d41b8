"""How often a monitor asks again before it raises an alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FALSE_ALARM: Final = 1e-4
"""At most, a check and run: a check that runs every five minutes is run 8,640 times in thirty days."""

POWER: Final = 0.9
MOST_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Odds:
    """What it means that a customer is answered badly so often in a row.

    Attributes
    ----------
    customers : int
        Asking in a run, each with a request of its own.
    tries : int
        So often a customer asks who is answered badly each time.
    false_alarm : float
        The chance of such a customer in a run where each answer is bad with production's own chance, by itself.
    detects : float
        The share of bad answers, whoever asks, from which on there is such a customer with the chance POWER. What
        depends on who asks is seen whenever one of the customers has it.
    """

    customers: int
    tries: int
    false_alarm: float
    detects: float


def find_odds(bound: float, customers: int, *, false_alarm: float = FALSE_ALARM) -> Odds | None:
    """Find the fewest tries with which production's own share of bad answers explains no alarm.

    Parameters
    ----------
    bound : float
        The upper end of the one-sided 95 % interval of production's own share, 0 to 1.
    customers : int
        Asking in a run.
    false_alarm : float
        The chance of an alarm at that share, at most.

    Returns
    -------
    Odds or None
        None where MOST_TRIES are too few.

    Examples
    --------
    >>> odds = find_odds(0.003, 6)
    >>> odds.tries, f"{odds.false_alarm:.1e}", round(odds.detects, 2)
    (2, '5.4e-05', 0.56)
    """
    for tries in range(1, MOST_TRIES + 1):
        always = bound**tries
        chance = -math.expm1(customers * math.log1p(-always)) if always < 1.0 else 1.0
        if chance <= false_alarm:
            detected = (1.0 - (1.0 - POWER) ** (1.0 / customers)) ** (1.0 / tries)
            return Odds(customers, tries, chance, detected)
    return None


def count_alarms(bad: Sequence[bool], customers: int, tries: int) -> tuple[int, int]:
    """Count the groups of neighbouring requests that hold as many bad ones in a row, and all such groups.

    Failures come in bunches, which the chance of single ones does not know of: this is what production itself did.

    Examples
    --------
    >>> count_alarms([False, True, True, False, False, True, False, True, False], 3, 2)
    (1, 3)
    """
    alarms, groups = 0, 0
    for first in range(0, len(bad) - customers + 1, customers):
        longest = run = 0
        for each in bad[first : first + customers]:
            run = run + 1 if each else 0
            longest = max(longest, run)
        alarms, groups = alarms + (longest >= tries), groups + 1
    return alarms, groups
