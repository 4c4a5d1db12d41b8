"""Plain methods to compare with, on the same cells: the best single attribute, and Adtributor's two measures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPLAINS: Final = 0.67
EACH: Final = 0.1
MAX_SETS: Final = 1


def best_single_attribute(
    cells: pl.DataFrame, *, dimensions: Sequence[str], has_baseline: bool, sign: int = 1
) -> list[dict[str, str]]:
    """Return the one attribute value whose rate differs the most by a z score, where that exceeds 5."""
    best, found = 5.0, []
    for name in dimensions:
        for value, bad, total, other_bad, other in _pairs(cells, name, has_baseline=has_baseline):
            pooled = (bad + other_bad) / (total + other) if total and other else 0.0
            if 0 < pooled < 1:
                z = (
                    sign
                    * (bad / total - other_bad / other)
                    / math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / other))
                )
                if z > best:
                    best, found = z, [{name: value}]
    return found


def adtributor(
    cells: pl.DataFrame, *, dimensions: Sequence[str], has_baseline: bool, sign: int = 1
) -> list[dict[str, str]]:
    """Explain the change of a ratio by values of one dimension: explanatory power, ranked by surprise.

    Bhagwan et al. (NSDI 2014): values are taken by surprise (Jensen and Shannon's divergence) until they explain 67 %
    of the change, each at least 10 %; the dimension with the greatest surprise is the answer. The ratio is handled by
    the bad events that are beyond the baseline's rate, which is simpler than their derived measures.
    """
    answers = []
    for name in dimensions:
        rows = [
            (value, bad, total * other_bad / other)
            for value, bad, total, other_bad, other in _pairs(cells, name, has_baseline=has_baseline)
            if total and other
        ]
        real, forecast = sum(row[1] for row in rows), sum(row[2] for row in rows)
        change = sign * (real - forecast)
        if change <= 0 or not real or not forecast:
            continue
        scored = []
        for value, bad, expected in rows:
            p, q = expected / forecast, bad / real
            terms = [x * math.log(2 * x / (p + q)) for x in (p, q) if x > 0]
            scored.append((0.5 * sum(terms), sign * (bad - expected) / change, value))
        explained = surprise = 0.0
        chosen = []
        for surprising, power, value in sorted(scored, reverse=True):
            if power >= EACH:
                explained, surprise = explained + power, surprise + surprising
                chosen.append({name: value})
            if explained >= EXPLAINS:
                answers.append((surprise, name, chosen))
                break
    best = sorted(answers, key=lambda answer: (-answer[0], answer[1]))[:MAX_SETS]
    return [cause for _, _, causes in best for cause in causes]


def _pairs(cells: pl.DataFrame, name: str, *, has_baseline: bool) -> list[tuple[str, float, float, float, float]]:
    """Return each value with its bad events and total, and those to compare with: before, or all other values."""
    counts = ["bad", "total", *(["baseline_bad", "baseline_total"] if has_baseline else [])]
    sums = cells.group_by(name).agg(pl.col(counts).sum()).sort(name).cast({name: pl.String})
    if has_baseline:
        return list(sums.select(name, *counts).iter_rows())
    bad, total = np.float64(sums["bad"].sum()), np.float64(sums["total"].sum())
    return [
        (value, b, n, float(bad - b), float(total - n)) for value, b, n in sums.select(name, "bad", "total").iter_rows()
    ]
