"""What is asked for at different hours and on different days: whether the mix of endpoints changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.local_hours import DAY_HOURS, DAY_US, HOUR_US, QUARTER_S, utc_offsets_us
from prodintel_lib.analyses.load.model import MIX_SCHEMA, SHARES_SCHEMA
from prodintel_lib.analyses.statistics import adjust_for_many
from prodintel_lib.rollups.arrivals import ALL_ENDPOINTS
from prodintel_lib.windows import US_PER_S, to_datetime

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Counts = NDArray[np.int64]

WHOLE: Final = "whole"
HOUR_OF_DAY: Final = "hour of day"
DAY: Final = "day"
WEEK: Final = "week of"
OTHERS: Final = "(others)"
MAX_ENDPOINTS: Final = 20
MAX_DAYS: Final = 62
MIN_HOURS: Final = 72
MIN_UNITS: Final = 2
MIN_UNITS_IN_ALL: Final = 20
"""A part of one stretch, or of a time of few, cannot be told from chance."""

RESAMPLES: Final = 1999
FEW_RESAMPLES: Final = 499
MANY_UNITS: Final = 2500
SURE: Final = 0.05
MATERIAL_BITS: Final = 0.005
"""A divergence of less is shown and not told of: it is as much as a share of a half that becomes 0.54."""

_SEED: Final = 8
_MONDAY_DAYS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Counts by short stretches of time and endpoint, and which parts of the time each stretch belongs to.

    Attributes
    ----------
    counts : array, shape (units, endpoints)
    endpoints : tuple of str
    parts : dict of str to array of str, shape (units,)
        The name of each unit's part, by kind.
    """

    counts: Vector
    endpoints: tuple[str, ...]
    parts: dict[str, NDArray[np.str_]]


def find_mix(arrivals: pl.DataFrame, *, zone: zoneinfo.ZoneInfo) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare the endpoints' shares of each hour of the day, and of each day, with those of all other time.

    Parameters
    ----------
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    zone : ZoneInfo

    Returns
    -------
    mix : polars.DataFrame
        Columns of MIX_SCHEMA; days, or weeks where there are more than MAX_DAYS of them.
    shares : polars.DataFrame
        Columns of SHARES_SCHEMA; endpoints beyond the MAX_ENDPOINTS most asked for are OTHERS.

    Notes
    -----
    The Jensen-Shannon divergence (Lin 1991, doi:10.1109/18.61115), both sides with the same weight, in bits. Chance is
    what as many hours drawn from all of them reach (quarters of an hour where fewer than MIN_HOURS hours hold a
    request): a permutation test whose units are long enough that most of a session lies in one. p values are adjusted
    by statistics.adjust_for_many within a kind.
    """
    single = arrivals.filter(pl.col("endpoint") != ALL_ENDPOINTS)
    if single.is_empty():
        return pl.DataFrame(schema=MIX_SCHEMA), pl.DataFrame(schema=SHARES_SCHEMA)
    units = _units(single, zone)
    rows, shares = [], _share_rows(WHOLE, "", units.counts.sum(axis=0), units.endpoints)
    for kind, names in units.parts.items():
        parts = np.unique(names).tolist()
        for part in parts:
            shares += _share_rows(kind, part, units.counts[names == part].sum(axis=0), units.endpoints)
        if len(parts) > 1:
            rows += _compared(kind, parts, names, units)
    return pl.DataFrame(rows, schema=MIX_SCHEMA, orient="row"), pl.DataFrame(shares, schema=SHARES_SCHEMA, orient="row")


def jensen_shannon(counts: Vector, others: Vector) -> Vector:
    """Return the divergence of the shares of two sets of counts, bits; 0 where they are the same, 1 at most.

    Parameters
    ----------
    counts, others : arrays, shape (..., endpoints)
        None of them all zero.
    """
    mine = counts / counts.sum(axis=-1, keepdims=True)
    theirs = others / others.sum(axis=-1, keepdims=True)
    middle = (mine + theirs) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        each = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum(axis=-1) for side in (mine, theirs)]
    return np.asarray(np.maximum(0.0, (each[0] + each[1]) / 2), dtype=np.float64)


def top_endpoints(arrivals: pl.DataFrame, most: int = MAX_ENDPOINTS) -> list[str]:
    """Return the endpoints most asked for, the first first."""
    counted = arrivals.filter(pl.col("endpoint") != ALL_ENDPOINTS).group_by("endpoint").agg(pl.col("requests").sum())
    return counted.sort(["requests", "endpoint"], descending=[True, False])["endpoint"].head(most).to_list()


def _units(single: pl.DataFrame, zone: zoneinfo.ZoneInfo) -> _Units:
    top = top_endpoints(single)
    starts_us = single["bucket_us"].to_numpy()
    offsets = utc_offsets_us(starts_us, zone)
    local_us = starts_us + offsets
    days = len(np.unique(local_us // DAY_US))
    enough = len(np.unique(starts_us // HOUR_US)) >= MIN_HOURS
    unit_us = HOUR_US if enough else QUARTER_S * US_PER_S
    keys, first, at = np.unique(local_us // unit_us * unit_us - offsets, return_index=True, return_inverse=True)
    place = {endpoint: number for number, endpoint in enumerate(top)}
    columns = np.array([place.get(endpoint, len(top)) for endpoint in single["endpoint"]], dtype=np.int64)
    names = (*top, OTHERS) if (columns == len(top)).any() else tuple(top)
    counts = np.zeros((len(keys), len(names)))
    np.add.at(counts, (at, columns), single["requests"].to_numpy().astype(np.float64))
    unit_local = local_us[first]
    by_day = unit_local // DAY_US
    kind = DAY if days <= MAX_DAYS else WEEK
    since = by_day if kind == DAY else (by_day - _MONDAY_DAYS) // 7 * 7 + _MONDAY_DAYS
    dates = np.array([f"{to_datetime(int(day) * DAY_US):%Y-%m-%d}" for day in since])
    clock = np.array([f"{int(hour):02d}:00" for hour in unit_local // HOUR_US % DAY_HOURS])
    return _Units(counts, names, {HOUR_OF_DAY: clock, kind: dates})


def _compared(kind: str, parts: Sequence[str], names: NDArray[np.str_], units: _Units) -> list[tuple[Any, ...]]:
    whole = units.counts.sum(axis=0)
    found = []
    # What chance reaches depends on how much is drawn, and not on which part it is set against.
    drawn: dict[int, Vector] = {}
    for part in parts:
        mine = units.counts[names == part].sum(axis=0)
        js = float(jensen_shannon(mine, whole - mine))
        size = int((names == part).sum())
        chance, p_value = None, None
        if size >= MIN_UNITS and len(units.counts) >= MIN_UNITS_IN_ALL:
            if size not in drawn:
                drawn[size] = _by_chance(units.counts, size)
            by_chance = drawn[size]
            chance = float(np.quantile(by_chance, 0.95))
            p_value = (1 + int((by_chance >= js).sum())) / (1 + len(by_chance))
        found.append((part, mine, js, chance, p_value))
    adjusted = iter(adjust_for_many([row[-1] for row in found if row[-1] is not None]))
    q_values = [None if row[-1] is None else next(adjusted) for row in found]
    return [
        (kind, part, int(mine.sum()), js, chance, p_value, _differs(js, q_value),
         _most_changed(mine, whole - mine, units.endpoints))
        for (part, mine, js, chance, p_value), q_value in zip(found, q_values, strict=True)
    ]  # fmt: skip


def _differs(js: float, q_value: float | None) -> bool | None:
    return None if q_value is None else q_value <= SURE and js >= MATERIAL_BITS


def _by_chance(counts: Vector, size: int) -> Vector:
    """Return the divergence that as many units reach when they are drawn from all of them."""
    resamples = RESAMPLES if len(counts) <= MANY_UNITS else FEW_RESAMPLES
    rng = np.random.default_rng((_SEED, size))
    drawn = np.zeros((resamples, len(counts)))
    chosen = np.argpartition(rng.random(drawn.shape), size - 1, axis=1)[:, :size]
    np.put_along_axis(drawn, chosen, 1.0, axis=1)
    mine = drawn @ counts
    return jensen_shannon(mine, counts.sum(axis=0) - mine)


def _most_changed(mine: Vector, others: Vector, endpoints: Sequence[str]) -> str:
    here, there = mine / mine.sum(), others / others.sum()
    named = np.array([endpoint != OTHERS for endpoint in endpoints])
    at = int(np.where(named, np.abs(here - there), -1.0).argmax())
    return f"{endpoints[at]}: {100 * here[at]:.1f} %, otherwise {100 * there[at]:.1f} %"


def _share_rows(kind: str, part: str, counts: Vector, endpoints: Sequence[str]) -> list[tuple[Any, ...]]:
    total = float(counts.sum())
    return [
        (kind, part, endpoint, int(count), count / total)
        for endpoint, count in zip(endpoints, counts.tolist(), strict=True)
    ]
