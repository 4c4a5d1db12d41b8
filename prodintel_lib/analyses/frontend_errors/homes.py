"""The page a pattern belongs to: only who was there could meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.tally import ANYWHERE

if TYPE_CHECKING:
    from prodintel_lib.analyses.frontend_errors.tally import ErrorTally

HOME_SHARE: Final = 2 / 3
"""A page with this share of a pattern's sessions, counted by page, is its own; else it is met all over the site."""


def find_homes(tally: ErrorTally) -> pl.DataFrame:
    """Return the patterns with ``home``, the page they belong to, and ``visits``, the sessions that were there."""
    largest = (
        tally.pages.filter(pl.col("route") != ANYWHERE)
        .with_columns(pl.col("sessions").sum().over("pattern_id").alias("everywhere"))
        .sort("pattern_id", "sessions", "route", descending=[False, True, False])
        .unique("pattern_id", keep="first", maintain_order=True)
        .select("pattern_id", pl.col("route").alias("largest"), pl.col("sessions").alias("there"), "everywhere")
    )
    is_home = pl.col("there") >= HOME_SHARE * pl.col("everywhere")
    visits = tally.visits.group_by(pl.col("route").alias("home")).agg(pl.col("sessions").sum().alias("visits"))
    met = tally.pages.select("pattern_id", pl.col("route").alias("home"), pl.col("sessions").alias("met"))
    return (
        tally.patterns.join(largest, on="pattern_id")
        .with_columns(pl.when(is_home).then(pl.col("largest")).otherwise(pl.lit(ANYWHERE)).alias("home"))
        .join(visits, on="home", how="left")
        .join(met, on=["pattern_id", "home"], how="left")
        .drop("largest", "there", "everywhere")
        .sort("pattern_id")
    )


def at_home(rows: pl.DataFrame, homes: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of each pattern on its page, ``route`` renamed to ``home``."""
    return rows.rename({"route": "home"}).join(homes.select("pattern_id", "home"), on=["pattern_id", "home"])


def visits_of(rows: pl.DataFrame, homes: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of each pattern's page, once for every pattern that belongs to it."""
    return homes.select("pattern_id", "home").join(rows.rename({"route": "home"}), on="home")
