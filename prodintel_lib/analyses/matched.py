"""What sets two groups apart once they are compared like with like: differences of shares over matched strata."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.statistics import Z95

if TYPE_CHECKING:
    from collections.abc import Sequence

STRATUM_COLUMNS: Final = ("exposed", "exposed_hits", "unexposed", "unexposed_hits")


def compare_matched(strata: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """Compare the share of hits of exposed and unexposed trials, stratum by stratum, and sum up.

    Parameters
    ----------
    strata : polars.DataFrame
        The columns `by` and STRATUM_COLUMNS, counts; a row a stratum. Trials of one stratum are alike but for what
        they were exposed to.
    by : sequence of str
        What tells one comparison from another.

    Returns
    -------
    polars.DataFrame
        The columns `by`, sorted, and

        - ``matched_exposed``, ``matched_unexposed``: trials in strata that hold both kinds
        - ``unmatched_exposed``: exposed trials that nobody could be compared with
        - ``exposed_share``, ``unexposed_share``: of hits, over the matched strata, both with the weights of the
          difference
        - ``difference``: exposed less unexposed; ``low``, ``high``: its 95 % interval

        All of the last five are null where no stratum holds both kinds.

    Notes
    -----
    The Mantel-Haenszel risk difference with the variance of Sato (1989, Biometrics 45:1323), which holds for few large
    strata and for many small ones; see Klingenberg (2014), doi:10.1002/sim.6122, eq. 3. Where no trial or every trial
    hits, that variance is 0: the interval then takes the half widths of Wilson's intervals of both shares, added in
    squares (Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10).
    """
    exposed, hits, unexposed, unexposed_hits = (pl.col(name).cast(pl.Float64) for name in STRATUM_COLUMNS)
    n = exposed + unexposed
    matched = (exposed > 0) & (unexposed > 0)
    terms = {
        "weight": exposed * unexposed / n,
        "exposed_sum": hits * unexposed / n,
        "unexposed_sum": unexposed_hits * exposed / n,
        "p": (exposed**2 * unexposed_hits - unexposed**2 * hits + exposed * unexposed * (unexposed - exposed) / 2)
        / n**2,
        "q": (hits * (unexposed - unexposed_hits) + unexposed_hits * (exposed - hits)) / (2 * n),
    }
    counts = [
        pl.col("exposed").filter(matched).sum().alias("matched_exposed"),
        pl.col("unexposed").filter(matched).sum().alias("matched_unexposed"),
        pl.col("exposed").filter(~matched).sum().alias("unmatched_exposed"),
    ]
    # Sums of floats depend on their order.
    ordered = strata.sort(*by, *STRATUM_COLUMNS)
    sums = ordered.group_by(*by, maintain_order=True).agg(
        *counts, *(term.filter(matched).sum().alias(f"_{name}") for name, term in terms.items())
    )
    weight = pl.when(pl.col("_weight") > 0).then(pl.col("_weight"))
    shares = sums.with_columns(
        (pl.col("_exposed_sum") / weight).alias("exposed_share"),
        (pl.col("_unexposed_sum") / weight).alias("unexposed_share"),
    ).with_columns((pl.col("exposed_share") - pl.col("unexposed_share")).alias("difference"))
    variance = ((pl.col("difference") * pl.col("_p") + pl.col("_q")) / weight**2).clip(lower_bound=0.0)
    half = Z95 * variance.sqrt()
    is_flat = variance <= 0
    low = pl.when(is_flat).then(_newcombe("exposed", "unexposed")).otherwise(half)
    high = pl.when(is_flat).then(_newcombe("unexposed", "exposed")).otherwise(half)
    return (
        shares.with_columns(
            (pl.col("difference") - low).clip(-1.0, 1.0).alias("low"),
            (pl.col("difference") + high).clip(-1.0, 1.0).alias("high"),
        )
        .select(
            *by, "matched_exposed", "matched_unexposed", "unmatched_exposed", "exposed_share", "unexposed_share",
            "difference", "low", "high",
        )
        .sort(*by)
    )  # fmt: skip


def two_sided_p(difference: float | None, low: float | None, high: float | None) -> float | None:
    """Return the p value of no difference that a 95 % interval tells; None where nothing was compared.

    Notes
    -----
    Of the normal distribution, with the standard error that the interval has on the side of no difference.

    Examples
    --------
    >>> round(two_sided_p(-0.1, -0.18, -0.02), 4)
    0.0143
    """
    if difference is None or low is None or high is None:
        return None
    reach = difference - low if difference > 0 else high - difference
    return math.erfc(abs(difference) * Z95 / reach / math.sqrt(2)) if reach else float(difference == 0)


def _newcombe(falls: str, rises: str) -> pl.Expr:
    """Return how far a difference may be off if one share is lower and the other higher than what was seen."""
    below = pl.col(f"{falls}_share") - _wilson(falls, -1.0)
    above = _wilson(rises, 1.0) - pl.col(f"{rises}_share")
    return (below**2 + above**2).sqrt()


def _wilson(group: str, side: float) -> pl.Expr:
    """Return an end of Wilson's score interval; see statistics.Proportion."""
    share, n, z2 = pl.col(f"{group}_share"), pl.col(f"matched_{group}"), Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    return centre + side * Z95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)).sqrt()
