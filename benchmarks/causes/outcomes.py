"""What a case came to, whatever the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: what was answered, how sure, and whether it was right.

    Fields that a data set has no truth for are None.
    """

    benchmark: str
    case: str
    answer: str
    score: float
    is_right: bool
    abstained: bool = False
    decoy_hit: bool | None = None
    first_failing_right: bool | None = None
    blast_f1: float | None = None
    rank: int | None = None


def f1_of(found: Iterable[str], truth: Iterable[str]) -> float:
    """Return the harmonic mean of precision and recall of a set."""
    said, true = set(found), set(truth)
    both = len(said & true)
    return 2 * both / (len(said) + len(true)) if said or true else 1.0
