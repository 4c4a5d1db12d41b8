"""Visits of people by time and page: how many ended, how many had done what the site is for, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import bucket_us
from prodintel_lib.rollups.rum_expressions import is_defect, is_view
from prodintel_lib.rollups.rum_sessions import with_routes
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from typing import Any

RUM_BUCKETS_KEYS: Final = ("bucket_us", "journey")
RUM_BUCKETS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "bucket_us": pl.Int64(),
    "journey": pl.String(),
    "sessions": pl.Int64(),
    "converted": pl.Int64(),
    "views": pl.Int64(),
    "errors": pl.Int64(),
}


def build_visit_buckets(sessions: nw.LazyFrame[Any], *, bucket_s: int) -> nw.LazyFrame[Any]:
    """Count sessions by the bucket of their last event and the page they began on.

    By their end, since only then it is known whether they converted, and since trouble is met at the end of a session
    more often than when it begins.

    Parameters
    ----------
    sessions : narwhals.LazyFrame
        Columns of rum_sessions.SESSIONS_SCHEMA: those that are over.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of RUM_BUCKETS_SCHEMA, unordered: ``journey`` is the entry page's route (empty where no page was seen),
        ``converted`` is 0 where no conversion is named; ``views`` and ``errors`` are 0 (build_page_buckets has them).
    """
    width_us = bucket_s * US_PER_S
    none = nw.lit(0).cast(nw.Int64)
    prepared = sessions.with_columns(
        ((nw.col("end_us") // width_us) * width_us).alias("bucket_us"),
        nw.col("entry_route").fill_null("").alias("journey"),
        nw.col("converted").fill_null(value=False).cast(nw.Int64).alias("converted"),
    )
    counted = prepared.group_by(*RUM_BUCKETS_KEYS).agg(nw.len().alias("sessions"), nw.col("converted").sum())
    return counted.with_columns(none.alias("views"), none.alias("errors")).select(*RUM_BUCKETS_SCHEMA)


def build_page_buckets(
    events: nw.LazyFrame[Any], *, bucket_s: int, routes: nw.LazyFrame[Any] | None = None
) -> nw.LazyFrame[Any]:
    """Count page views and errors of people's browsers by the bucket and the page in which they happened.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``; events of machines that say so are left out.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.
    routes : narwhals.LazyFrame, optional
        ``url_path, route``: templates learned from paths, on the same engine.

    Returns
    -------
    narwhals.LazyFrame
        Columns of RUM_BUCKETS_SCHEMA, unordered: ``journey`` is the page's route; ``errors`` are those of the page, not
        those of a form that did not take what was typed; ``sessions`` and ``converted`` are 0 (build_visit_buckets has
        them).
    """
    none = nw.lit(0).cast(nw.Int64)
    people = with_routes(events.filter(nw.col("user_agent_synthetic_type").is_null()), routes)
    prepared = people.filter(is_view() | is_defect()).with_columns(
        bucket_us(bucket_s).alias("bucket_us"),
        nw.col("route").fill_null("").alias("journey"),
        is_view().cast(nw.Int64).alias("views"),
        is_defect().cast(nw.Int64).alias("errors"),
    )
    counted = prepared.group_by(*RUM_BUCKETS_KEYS).agg(nw.col("views").sum(), nw.col("errors").sum())
    return counted.with_columns(none.alias("sessions"), none.alias("converted")).select(*RUM_BUCKETS_SCHEMA)
