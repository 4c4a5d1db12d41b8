"""What tells the modes of a duration apart: the route, the region, the release, the cache, or the time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.cells import LOG_WIDTH
from prodintel_lib.analyses.localisation import localise
from prodintel_lib.analyses.statistics import find_abnormal_interval
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.localisation import Localisation

DIMENSIONS: Final = {"cache": "cache", "path": "route", "release": "release", "region": "region"}
"""Columns of the requests and what they are called, in the order in which one is preferred to one that says as much."""

TIME: Final = "time"
MIN_EXPLAINED: Final = 0.25
ONLY_BELOW: Final = 0.05
AS_GOOD: Final = 0.9
MAX_VALUES: Final = 8
MAX_STEPS: Final = 240
TINY: Final = 1e-300
VALUES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "dimension": pl.String(),
    "value": pl.String(),
    "n": pl.Int64(),
    "slow_n": pl.Int64(),
    "slow_share": pl.Float64(),
    "slow_share_elsewhere": pl.Float64(),
    "explains": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Split:
    """What tells the slowest mode from the others.

    Attributes
    ----------
    values : polars.DataFrame
        ``dimension, value, n, slow_n, slow_share, slow_share_elsewhere, explains``, the best dimension first.
    says : str
        In words.
    place : Localisation or None
        The attribute combination; None where no attribute has two values.
    is_of_time : bool
        Whether requests were slow at another time than the others: that is a change, and no two kinds of requests.
    """

    values: pl.DataFrame
    says: str
    place: Localisation | None
    is_of_time: bool = False


def find_split(requests: pl.DataFrame, *, boundary: float, bucket_us: int, dispersion: float) -> Split:
    """Find what tells requests of the slowest mode from the others.

    Parameters
    ----------
    requests : polars.DataFrame
        ``bucket_us, path, release, region, cache, bin, requests`` of one subject; columns of attributes may be missing.
    boundary : float
        Natural logarithm of the milliseconds at which the slowest mode begins.
    bucket_us : int
    dispersion : float
        See localisation.localise.

    Notes
    -----
    ``explains`` is the uncertainty coefficient (Theil 1970, doi:10.1086/224909): the part of the entropy of "slow or
    not" that a dimension takes away, without what chance makes of its number of values (Miller and Madow's
    correction). Time is looked through for the stretch in which slow requests are most unlike the rest.
    """
    is_slow = (pl.col("bin") + 0.5) * LOG_WIDTH >= boundary
    marked = requests.with_columns(pl.when(is_slow).then(pl.col("requests")).otherwise(0).alias("slow_n"))
    dimensions = [name for name in DIMENSIONS if name in marked.columns and marked[name].n_unique() > 1]
    parts = [_by_value(marked, pl.col(name), DIMENSIONS[name]) for name in dimensions]
    parts += _by_time(marked, bucket_us)
    values = pl.concat([part.head(MAX_VALUES) for part in parts]) if parts else pl.DataFrame(schema=VALUES_SCHEMA)
    named = {name: DIMENSIONS[name] for name in dimensions}
    place = None
    if named:
        counts = marked.rename(named).group_by(list(named.values())).agg(pl.col("slow_n", "requests").sum())
        known = counts.with_columns(pl.col(list(named.values())).replace("", None))
        place = localise(known, dimensions=list(named.values()), bad="slow_n", total="requests", dispersion=dispersion)
    ordered = values.sort("explains", descending=True, maintain_order=True)
    best = _best(values)
    return Split(ordered, _in_words(best), place, is_of_time=best is not None and best["dimension"] == TIME)


def _by_value(marked: pl.DataFrame, value: pl.Expr, dimension: str) -> pl.DataFrame:
    counts = marked.group_by(value.alias("value")).agg(pl.col("requests").sum().alias("n"), pl.col("slow_n").sum())
    n, slow = int(counts["n"].sum()), int(counts["slow_n"].sum())
    elsewhere = pl.when(pl.col("n") < n).then((slow - pl.col("slow_n")) / (n - pl.col("n")))
    told = counts.with_columns(
        pl.lit(dimension).alias("dimension"),
        pl.col("value").replace("", "not said"),
        (pl.col("slow_n") / pl.col("n")).alias("slow_share"),
        elsewhere.alias("slow_share_elsewhere"),
        pl.lit(_explained(counts), dtype=pl.Float64).alias("explains"),
    )
    excess = pl.col("slow_n") - pl.col("n") * (slow / n)
    ordered = told.sort(excess, "value", descending=[True, False])
    return ordered.select(pl.col(name).cast(dtype) for name, dtype in VALUES_SCHEMA.items())


def _by_time(marked: pl.DataFrame, bucket_us: int) -> list[pl.DataFrame]:
    """Split time into the stretch in which slow requests are most, or least, frequent and the rest."""
    times = marked["bucket_us"].to_numpy()
    span = int(times.max() - times.min()) + bucket_us
    step = bucket_us * max(1, math.ceil(span / bucket_us / MAX_STEPS))
    course = (
        marked.group_by((pl.col("bucket_us") // step * step).alias("at"))
        .agg(pl.col("requests", "slow_n").sum()).sort("at")
    )  # fmt: skip
    n, slow = course["requests"].to_numpy(), course["slow_n"].to_numpy()
    best = None
    for hits in (slow, n - slow):
        found = find_abnormal_interval(hits.astype(np.int64), n.astype(np.int64))
        if found and (best is None or found.log_likelihood_ratio > best.log_likelihood_ratio):
            best = found
    if best is None:
        return []
    at = course["at"].to_numpy()
    stretch = Window(int(at[best.first]), int(at[best.last]) + step)
    inside = pl.col("bucket_us").is_between(stretch.start_us, stretch.end_us, closed="left")
    label = pl.when(inside).then(pl.lit(stretch.label())).otherwise(pl.lit("the rest of the window"))
    return [_by_value(marked, label, TIME)]


def _explained(counts: pl.DataFrame) -> float:
    n, slow = counts["n"].to_numpy().astype(np.float64), counts["slow_n"].to_numpy().astype(np.float64)
    whole = _entropy(np.array([slow.sum() / n.sum()]))[0]
    if not whole:
        return 0.0
    within = float((n * _entropy(slow / n)).sum()) / float(n.sum()) + (len(n) - 1) / (2 * float(n.sum()))
    return max(0.0, 1.0 - within / float(whole))


def _entropy(share: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(np.clip(share, TINY, 1.0)), np.log(np.clip(1 - share, TINY, 1.0))
    return np.asarray(-(share * logs[0] + (1 - share) * logs[1]), dtype=np.float64)


def _best(values: pl.DataFrame) -> dict[str, Any] | None:
    """Return the slowest value of the dimension that says most, or of the first of those that say nearly as much."""
    most = values["explains"].max() if values.height else None
    if not isinstance(most, float) or most < MIN_EXPLAINED:
        return None
    return values.filter(pl.col("explains") >= AS_GOOD * most).row(0, named=True)


def _in_words(best: dict[str, Any] | None) -> str:
    if best is None:
        return "nothing that was recorded tells them apart"
    elsewhere = best["slow_share_elsewhere"]
    rest = f", {100 * elsewhere:.0f} % elsewhere" if elsewhere is not None else ""
    shares = f"{100 * best['slow_share']:.0f} % of {best['n']:,}"
    if best["dimension"] != TIME:
        return f"{best['dimension']}: {shares} with {best['value']} are slow{rest}"
    how = "during" if elsewhere is None or elsewhere > ONLY_BELOW else "only during"
    return f"{how} {best['value']}: {shares} are slow{rest}"
