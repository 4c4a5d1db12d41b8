"""Whether something that may be flaky shows a symptom: decided with as few runs as a stated confidence allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from prodintel_lib.errors import ParameterError

OFTEN: Final = 0.9
SELDOM_RATIO: Final = 4 / 9
MOST_RUNS: Final = 20
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Wald's sequential probability ratio test between showing a symptom often and showing it seldom.

    Attributes
    ----------
    often, seldom : float
        The two shares of runs it tells apart.
    confidence : float
        What shows it in at least `often` of its runs is taken for showing it with at least about this probability, and
        what shows it in at most `seldom` is not, likewise. In between either answer may come.

    Notes
    -----
    Wald (1945), "Sequential tests of statistical hypotheses", doi:10.1214/aoms/1177731118, with both errors
    ``1 - confidence`` and his approximate bounds. It is cut short after `MOST_RUNS` runs, and then says no: what cannot
    be told to show it is not built upon. The two shares are set so that a candidate has to show it steadily: what the
    search goes on from has to hold, and what it passes over wrongly only leaves the result larger.

    Examples
    --------
    >>> test = SequentialTest()
    >>> test.decide(3, 3), test.decide(4, 4), test.decide(0, 1), test.decide(0, 2)
    (None, True, None, False)
    """

    often: float = OFTEN
    seldom: float = OFTEN * SELDOM_RATIO
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise ParameterError(
                f"A confidence lies between 0.5 and 1; got {self.confidence:g}.", hint="0.95 is the usual one."
            )

    @classmethod
    def like(cls, share: float, *, confidence: float) -> SequentialTest:
        """Return the test between showing it as often as the original did, at most `OFTEN`, and under half of that."""
        often = min(OFTEN, share)
        return cls(often, SELDOM_RATIO * often, confidence)

    def decide(self, shown: int, runs: int) -> bool | None:
        """Say what `shown` of `runs` come to: it shows it, it does not, or not known yet (None)."""
        ratio = shown * math.log(self.often / self.seldom) + (runs - shown) * math.log(
            (1 - self.often) / (1 - self.seldom)
        )
        bound = math.log(self.confidence / (1 - self.confidence)) - _TOLERANCE
        if ratio >= bound:
            return True
        return False if ratio <= -bound or runs >= MOST_RUNS else None
