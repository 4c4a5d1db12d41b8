"""Which variant of each experiment a visitor was shown first: one row a visitor and experiment."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
import polars as pl

SHOWN_KEYS: Final = ("feature_flag_key", "visitor_id")
SHOWN_SCHEMA: Final[dict[str, pl.DataType]] = {
    "feature_flag_key": pl.String(),
    "visitor_id": pl.String(),
    "variant": pl.String(),
    "other_variant": pl.String(),
    "first_us": pl.Int64(),
}


def build_shown_variants(exposures: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """List the visitors that were shown something of an experiment.

    Parameters
    ----------
    exposures : narwhals.LazyFrame
        The canonical table ``exposures``. A visitor is what the source calls one, else the session, else the user, as
        for the events of browsers; rows with none of these, or without a variant, are left out.

    Returns
    -------
    narwhals.LazyFrame
        Columns of SHOWN_SCHEMA, unordered, one row for each of SHOWN_KEYS:

        - ``variant, other_variant``: the same but where a visitor was shown several: then the first and the last of
          them by the alphabet
        - ``first_us``: when something was first shown
    """
    visitor = nw.coalesce(nw.col("visitor_id"), nw.col("session_id"), nw.col("user_id"))
    variant = nw.col("feature_flag_result_variant")
    known = exposures.with_columns(visitor.alias("visitor_id")).filter(
        ~nw.col("visitor_id").is_null(), ~variant.is_null()
    )
    return known.group_by(*SHOWN_KEYS).agg(
        variant.min().alias("variant"),
        variant.max().alias("other_variant"),
        nw.col("time_us").min().alias("first_us"),
    )
