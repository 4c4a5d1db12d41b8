"""Burns, budgets and chances in words."""

from __future__ import annotations

import math
from typing import Final

from prodintel_lib.markup import four_digits

_FEW: Final = 0.01


def burn_text(burn: float | None) -> str:
    """Write a burn for people: how many times faster than the budget lasts."""
    if burn is None or math.isnan(burn):
        return "not known"
    return "without limit" if math.isinf(burn) else f"{four_digits(float(f'{burn:.2g}'))}x"


def foreseen_text(probability: float | None) -> str:
    """Write a chance for people: no surer than what it is drawn from."""
    if probability is None:
        return "not known"
    if probability < _FEW:
        return "under 1 %"
    return "certain" if probability == 1.0 else f"{100 * min(probability, 0.99):.0f} %"


def budget_text(left: float | None) -> str:
    """Write what is left of a budget for people."""
    if left is None:
        return "not known"
    if left > 0:
        return f"{100 * left:.0f} %"
    times = "" if math.isinf(left) or left > -0.05 else f" {1 - left:,.1f} times"
    return f"used up{times}"


def horizon_text(horizon: str) -> str:
    """Write a horizon for people."""
    return {"6h": "6 h", "24h": "24 h"}.get(horizon, "a period")


def share_text(share: float) -> str:
    """Write a share near 1 with the digits it takes to be told from all.

    Examples
    --------
    >>> share_text(0.9912), share_text(0.99996), share_text(1.0)
    ('99.12 %', '99.996 %', '100 %')
    """
    if share == 1.0:
        return "100 %"
    digits = next((digits for digits in (2, 3, 4) if round(100 * share, digits) < 100), 4)
    return f"{100 * share:.{digits}f} %"
