"""How wide the steps of a course are: enough of them to see it, few enough to draw it, full enough to measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.golden_signals.schemas import ABOUT
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from prodintel_lib.analyses.production import Production

MAX_STEPS: Final = 300
MIN_STEPS: Final = 12
ENOUGH_IN_STEP: Final = 120
"""So many requests show a p95: a few more than the 100 that are needed."""

MOST_IN_STEP: Final = 0.75
SUBJECTS: Final = 4
_TIMES: Final = (1, 2, 3, 6, 12, 18, 30, 60, 120, 180, 360, 720, 1440)


def choose_step_s(production: Production, counts: pl.DataFrame) -> int:
    """Return the least multiple of the bucket that makes at most MAX_STEPS of the window and fills most of them.

    A step is full with ENOUGH_IN_STEP requests of each of the SUBJECTS with most traffic. The steps stay narrower
    where there would be fewer than MIN_STEPS of them.

    Parameters
    ----------
    production : Production
    counts : polars.DataFrame
        ABOUT, ``bucket_us`` and ``requests`` of the window.
    """
    buckets = len(production.recorded(production.window))
    allowed = [times for times in _TIMES if buckets / times <= MAX_STEPS] or [_TIMES[-1]]
    wide_enough = allowed[0]
    for times in allowed:
        if times > allowed[0] and buckets / times < MIN_STEPS:
            break
        wide_enough = times
        if _are_full(counts, production.bucket_s * times):
            break
    return production.bucket_s * wide_enough


def _are_full(counts: pl.DataFrame, step_s: int) -> bool:
    sums = counts.group_by(*ABOUT, pl.col("bucket_us") // (step_s * US_PER_S)).agg(pl.col("requests").sum())
    by_subject = sums.group_by(list(ABOUT)).agg(
        pl.col("requests").sum().alias("_all"),
        (pl.col("requests") >= ENOUGH_IN_STEP).mean().alias("_full"),
    )
    busiest = by_subject.sort("_all", *ABOUT, descending=[True, *(False for _ in ABOUT)]).head(SUBJECTS)
    return bool((busiest["_full"] >= MOST_IN_STEP).all())
