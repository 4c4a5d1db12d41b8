"""What a pattern costs: conversion with it and without, of sessions that are otherwise alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.homes import at_home
from prodintel_lib.analyses.frontend_errors.places import plain_dimension
from prodintel_lib.analyses.frontend_errors.tally import STRATUM
from prodintel_lib.analyses.matched import compare_matched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.frontend_errors.tally import ErrorTally

_LOOSE_STRATUM: Final = tuple(name for name in STRATUM if name != "browser_name")
MIN_MATCHED: Final = 0.5
"""The share of the sessions with an error that must find others to be compared with."""


def measure_impact(tally: ErrorTally, homes: pl.DataFrame) -> pl.DataFrame:
    """Compare conversion with and without each pattern.

    Where all of a browser's sessions meet a pattern, nobody of that browser is left to compare with: then sessions of
    other browsers must do.
    """
    closely, loosely = (_compare_conversion(tally, homes, stratum) for stratum in (STRATUM, _LOOSE_STRATUM))
    is_close = pl.col("matched_exposed") >= MIN_MATCHED * pl.col("exposed")
    close = closely.filter(is_close)
    rest = loosely.join(close, on="pattern_id", how="anti")
    return pl.concat([close, rest]).sort("pattern_id")


def _compare_conversion(tally: ErrorTally, homes: pl.DataFrame, stratum: Sequence[str]) -> pl.DataFrame:
    keys = ["home", *stratum]
    exposed = at_home(tally.hit_strata, homes).group_by("pattern_id", *keys).agg(
        pl.col("exposed", "exposed_converted").sum()
    )  # fmt: skip
    there = tally.strata.rename({"route": "home"}).group_by(keys).agg(pl.col("sessions", "converted").sum())
    strata = exposed.join(there, on=keys, how="left").with_columns(
        pl.col("exposed_converted").alias("exposed_hits"),
        (pl.col("sessions") - pl.col("exposed")).alias("unexposed"),
        (pl.col("converted") - pl.col("exposed_converted")).alias("unexposed_hits"),
    )
    counted = strata.group_by("pattern_id").agg(pl.col("exposed").sum())
    words = ", ".join(plain_dimension(name) for name in stratum)
    return compare_matched(strata, by=["pattern_id"]).join(counted, on="pattern_id").with_columns(
        pl.lit(words).alias("matched_on")
    )  # fmt: skip
