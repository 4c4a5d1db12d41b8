"""What a pattern costs: conversion after it was met and where it was not, of sessions alike at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.places import plain_dimension
from prodintel_lib.analyses.frontend_errors.risk_sets import ALIKE, STRATUM
from prodintel_lib.analyses.frontend_errors.tally import ANYWHERE
from prodintel_lib.analyses.matched import compare_matched, two_sided_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.frontend_errors.risk_sets import RiskTally

MIN_MATCHED: Final = 0.5
"""The share of the sessions with an error that must find others to be compared with."""

# Where all of a browser's sessions, or all newcomers, meet an error, none of them is left to compare with.
_LOOSER: Final = ((), ("browser_name",), ("user_is_new",), ("browser_name", "user_is_new"))

_SPOKEN: Final = {"user_is_new": "new or returning"}


def measure_impact(risks: RiskTally, homes: pl.DataFrame) -> pl.DataFrame:
    """Compare conversion after each pattern with that of sessions that had not met it, page by page, view by view.

    Parameters
    ----------
    risks : RiskTally
    homes : polars.DataFrame
        ``pattern_id, home``: what belongs to a page is compared on that page alone.

    Returns
    -------
    polars.DataFrame
        ``pattern_id, exposed``, what matched.compare_matched says, ``p_value`` (two-sided, of no difference) and
        ``matched_on``, in words; patterns that nobody met before a conversion are not in it. The unexposed are views,
        counted so that the views of one session together weigh no more than one session.

    Notes
    -----
    Risk sets as of a proportional hazards model (Prentice and Breslow 1978, doi:10.1093/biomet/65.1.153), here with the
    number of the page view for time, and the Mantel-Haenszel difference of the shares that convert afterwards; Hernán
    et al. (2016), doi:10.1016/j.jclinepi.2016.04.014, on why the comparison has to begin when the exposure does. A
    session is in the risk sets of all its views until it meets the pattern, and its views convert together: by the
    Cauchy-Schwarz inequality the variance of their weighted sum is at most that of independent views times their
    number, so the unexposed of a stratum are divided by the mean number of views of its sessions.
    """
    met = risks.met.join(homes.select("pattern_id", "home"), on="pattern_id").filter(
        (pl.col("home") == ANYWHERE) | (pl.col("home") == pl.col("route"))
    )
    found: list[pl.DataFrame] = []
    rest = met
    for dropped in _LOOSER:
        alike = [name for name in ALIKE if name not in dropped]
        compared = _compare(risks.at_risk, rest, alike)
        is_close = pl.lit(dropped == _LOOSER[-1]) | (pl.col("matched_exposed") >= MIN_MATCHED * pl.col("exposed"))
        found.append(compared.filter(is_close))
        rest = rest.join(found[-1], on="pattern_id", how="anti")
    return pl.concat(found).sort("pattern_id")


def _compare(at_risk: pl.DataFrame, met: pl.DataFrame, alike: Sequence[str]) -> pl.DataFrame:
    keys = [name for name in STRATUM if name not in ALIKE or name in alike]
    there = at_risk.group_by(keys).agg(pl.exclude(STRATUM).sum())
    of_pattern = met.group_by("pattern_id", "home", *keys).agg(
        pl.col("exposed", "exposed_converted", "gone", "gone_converted").sum()
    )
    # Of a pattern that belongs to a page, a session's views of other pages are in no stratum.
    together = pl.when(pl.col("home") == ANYWHERE).then("views_of_sessions").otherwise("views_there")
    a_session = together / pl.col("views")
    strata = of_pattern.filter(pl.col("exposed") > 0).join(there, on=keys).with_columns(
        pl.col("exposed_converted").alias("exposed_hits"),
        ((pl.col("views") - pl.col("gone") - pl.col("exposed")) / a_session).alias("unexposed"),
        ((pl.col("views_converted") - pl.col("gone_converted") - pl.col("exposed_converted")) / a_session)
        .alias("unexposed_hits"),
    )  # fmt: skip
    counted = strata.group_by("pattern_id").agg(pl.col("exposed").sum())
    words = ", ".join(["page", "number of the view", *(_SPOKEN.get(name) or plain_dimension(name) for name in alike)])
    compared = compare_matched(strata, by=["pattern_id"]).join(counted, on="pattern_id")
    p_values = [two_sided_p(*row) for row in compared.select("difference", "low", "high").iter_rows()]
    return compared.with_columns(
        pl.Series("p_value", p_values, dtype=pl.Float64),
        pl.col("matched_unexposed").round().cast(pl.Int64),
        pl.lit(words).alias("matched_on"),
    )
