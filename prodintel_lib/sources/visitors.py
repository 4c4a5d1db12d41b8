"""Which bucket a visitor is in: sessions then never cross files, and a pass over one bucket has bounded memory."""

from __future__ import annotations

import zlib

import polars as pl

from prodintel_lib.tables import RUM_BUCKETS


def with_visitors(events: pl.DataFrame) -> pl.DataFrame:
    """Fill ``visitor_id`` where it is null, and ``user_bucket``.

    A visitor is, in this order, what the source calls one, the session, the user, the network address with the user
    agent. Rows with none of these are one visitor, ``unknown``.

    Parameters
    ----------
    events : polars.DataFrame
        With ``visitor_id``, ``session_id``, ``user_id``, ``client_address`` and ``user_agent_original``.

    Returns
    -------
    polars.DataFrame
        With ``visitor_id`` never null and ``user_bucket``: crc32 of it, modulo RUM_BUCKETS, the same everywhere.

    Examples
    --------
    >>> row = {"visitor_id": None, "session_id": "s-1", "user_id": None, "client_address": None}
    >>> with_visitors(pl.DataFrame([row | {"user_agent_original": None}])).row(0)
    ('s-1', 's-1', None, None, None, 14)
    """
    address = pl.concat_str("client_address", "user_agent_original", separator=" ", ignore_nulls=True)
    visitor = pl.coalesce(
        "visitor_id",
        "session_id",
        "user_id",
        pl.when(pl.col("client_address").is_not_null()).then(address),
        pl.lit("unknown"),
    ).cast(pl.String)
    named = events.with_columns(visitor.alias("visitor_id"))
    visitors = named["visitor_id"].unique()
    buckets = pl.DataFrame(
        {"visitor_id": visitors, "user_bucket": [zlib.crc32(name.encode()) % RUM_BUCKETS for name in visitors]},
        schema_overrides={"user_bucket": pl.Int64},
    )
    return named.drop("user_bucket", strict=False).join(buckets, on="visitor_id", how="left", maintain_order="left")
