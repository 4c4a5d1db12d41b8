"""From counts by time to cells with a baseline: which buckets before were quiet, and which direction is worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.localisation.scoring import evidence_of
from prodintel_lib.errors import MissingColumnsError, NoDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.localisation.cells import Worse

MAX_DEVIATIONS: Final = 3.0
MAD_SCALE: Final = 1.4826
MIN_TRAFFIC: Final = 0.2
"""A bucket with less than this share of the median traffic is cut short: its rate says little."""
MIN_EXPECTED: Final = 5.0
MIN_BUCKETS: Final = 4
MEDIAN_OF_CHI_SQUARE: Final = 0.4549364


@dataclass(frozen=True, slots=True)
class History:
    """A bucket of time against the quiet ones before it.

    Attributes
    ----------
    cells : polars.DataFrame
        The dimensions, ``bad, total, baseline_bad, baseline_total``.
    worse : {"higher", "lower"}
        The direction in which the rate of the whole moved.
    quiet : tuple of int
        The buckets that make the baseline, in order.
    left_out : tuple of int
        Buckets before that had moved the same way already, or were cut short.
    dispersion : float
        Variance of the quiet buckets' counts by attribute value over that of independent events; 1 or more.
    """

    cells: pl.DataFrame
    worse: Worse
    quiet: tuple[int, ...]
    left_out: tuple[int, ...]
    dispersion: float


def fold_history(
    rows: pl.DataFrame, *, dimensions: Sequence[str], time: str, at: int, bad: str = "bad", total: str = "total"
) -> History:
    """Set the bucket `at` against the buckets before it; those after it are not looked at.

    Parameters
    ----------
    rows : polars.DataFrame
        `time` (an integer bucket), the dimensions, `bad` and `total`.
    dimensions : sequence of str
    time : str
        The column of the buckets.
    at : int
        The bucket to explain.
    bad, total : str

    Raises
    ------
    MissingColumnsError
    NoDataError
        If the bucket, or everything before it, holds no events.

    Notes
    -----
    A fault seldom begins on the minute: buckets before that had moved the same way by more than three robust deviations
    from the calmer half's median are left out of the baseline.
    """
    missing = {*dimensions, time, bad, total} - set(rows.columns)
    if missing:
        raise MissingColumnsError.in_table("cells", missing=missing, available=rows.columns)
    buckets = (
        rows.filter(pl.col(time) <= at)
        .group_by(time)
        .agg(pl.col(bad, total).sum())
        .filter(pl.col(total) > 0)
        .sort(time)
    )
    past, now = buckets.filter(pl.col(time) < at), buckets.filter(pl.col(time) == at)
    if now.is_empty() or past.is_empty():
        where = f"in bucket {at}" if now.is_empty() else f"before bucket {at}"
        raise NoDataError(f"No event was counted {where}.", hint="choose a bucket with traffic in it and before it.")
    worse = _find_direction(
        rows.filter(pl.col(time) < at),
        rows.filter(pl.col(time) == at),
        dimensions=dimensions,
        time=time,
        bad=bad,
        total=total,
    )
    quiet = _choose_quiet(past, sign=_SIGNS[worse], time=time, bad=bad, total=total)
    is_quiet = pl.col(time).is_in(quiet)
    cells = (
        rows.filter((pl.col(time) == at) | is_quiet)
        .group_by(dimensions)
        .agg(
            pl.col(bad).filter(pl.col(time) == at).sum().alias("bad"),
            pl.col(total).filter(pl.col(time) == at).sum().alias("total"),
            pl.col(bad).filter(is_quiet).sum().alias("baseline_bad"),
            pl.col(total).filter(is_quiet).sum().alias("baseline_total"),
        )
        .sort(dimensions)
    )
    left_out = tuple(bucket for bucket in past[time].to_list() if bucket not in set(quiet))
    dispersion = _measure_dispersion(rows.filter(is_quiet), dimensions=dimensions, time=time, bad=bad, total=total)
    return History(cells, worse, tuple(quiet), left_out, dispersion)


def _find_direction(
    past: pl.DataFrame, now: pl.DataFrame, *, dimensions: Sequence[str], time: str, bad: str, total: str
) -> Worse:
    """Return the direction of the clearest change of any attribute value: the whole may hide a small cause's."""
    clearest: dict[Worse, float] = {"higher": 0.0, "lower": 0.0}
    for name in dimensions:
        usual = (
            past.group_by(time, name)
            .agg(pl.col(bad, total).sum())
            .filter(pl.col(total) > 0)
            .group_by(name)
            .agg((pl.col(bad) / pl.col(total)).median().alias("rate"), pl.col(total).sum().alias("reference"))
        )
        both = now.group_by(name).agg(pl.col(bad, total).sum()).join(usual, on=name, nulls_equal=True)
        counts = [both[column].to_numpy().astype(np.float64) for column in (bad, total, "rate", "reference")]
        for worse, sign in _SIGNS.items():
            evidence = evidence_of(counts[0], counts[1], counts[1] * counts[2], counts[3], sign)
            clearest[worse] = max(clearest[worse], float(evidence.max(initial=0.0)))
    return "higher" if clearest["higher"] >= clearest["lower"] else "lower"


_SIGNS: Final[dict[Worse, int]] = {"higher": 1, "lower": -1}


def _choose_quiet(past: pl.DataFrame, *, sign: int, time: str, bad: str, total: str) -> list[int]:
    """Return the calmer half of the buckets and those that lie within what chance and the calm ones' spread explain."""
    whole = past.filter(pl.col(total) >= MIN_TRAFFIC * pl.col(total).median())
    totals = whole[total].to_numpy().astype(np.float64)
    moved = sign * whole[bad].to_numpy() / totals
    calm = np.sort(moved)[: len(moved) // 2 + 1]
    middle = float(np.median(calm))
    chance = np.sqrt(np.abs(middle) * (1 - np.abs(middle)) / totals)
    spread = np.maximum(MAD_SCALE * float(np.median(np.abs(calm - middle))), chance)
    quiet = moved - middle <= MAX_DEVIATIONS * spread
    return [int(bucket) for bucket in whole[time].to_numpy()[quiet]]


def _measure_dispersion(rows: pl.DataFrame, *, dimensions: Sequence[str], time: str, bad: str, total: str) -> float:
    """Return the median of Pearson's residuals squared over that of chi-square with one degree of freedom, at least 1.

    Over quiet buckets and attribute values; the median, because a few of them may hold a fault already.
    """
    squares = []
    for name in dimensions:
        counts = rows.group_by(time, name).agg(pl.col(bad, total).sum()).filter(pl.col(total) > 0)
        rate = (pl.col(bad) / pl.col(total)).median().over(name)
        expected = rate * pl.col(total)
        squares.append(
            counts.filter(pl.len().over(name) >= MIN_BUCKETS, expected >= MIN_EXPECTED, rate < 1).select(
                ((pl.col(bad) - expected) ** 2 / (expected * (1 - rate))).alias("square")
            )
        )
    middle = pl.concat(squares)["square"].median()
    return 1.0 if middle is None else max(1.0, float(str(middle)) / MEDIAN_OF_CHI_SQUARE)
