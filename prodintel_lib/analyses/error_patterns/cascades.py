"""Which pattern follows from which: the errors that others of the same requests bring about."""

from __future__ import annotations

from typing import Final

import polars as pl

MAJORITY: Final = 0.5


def with_roots(frame: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Name for each pattern the one it follows from.

    A pattern is a root if it is the first failure in at least half of its traces. Any other follows from the root that
    the most of its traces hold, if at least half of them do.

    Parameters
    ----------
    frame : polars.DataFrame
        ``pattern_id, first_share``.
    members : polars.DataFrame
        ``pattern_id, trace_id``: the same traces are kept for all patterns (members.Members).

    Returns
    -------
    polars.DataFrame
        The rows in their order with ``follows`` added: a pattern's id, empty for roots and where none is known.
    """
    later = frame.filter((pl.col("first_share") < MAJORITY).fill_null(value=False)).select("pattern_id")
    traces = members.filter(pl.col("trace_id") != "").select("pattern_id", "trace_id").unique()
    followers = traces.join(later, on="pattern_id", how="semi")
    roots = traces.join(later, on="pattern_id", how="anti").rename({"pattern_id": "follows"})
    sampled = followers.group_by("pattern_id").agg(pl.len().alias("sampled"))
    shared = followers.join(roots, on="trace_id").group_by("pattern_id", "follows").agg(pl.len().alias("shared"))
    named = (
        shared.join(sampled, on="pattern_id")
        .filter(pl.col("shared") >= MAJORITY * pl.col("sampled"))
        .sort("pattern_id", "shared", "follows", descending=[False, True, False])
        .unique("pattern_id", keep="first", maintain_order=True)
    )
    joined = frame.drop("follows", strict=False).join(
        named.select("pattern_id", "follows"), on="pattern_id", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("follows").fill_null(""))
