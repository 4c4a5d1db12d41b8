"""What errors are measured against: requests, page views and quiet log records, by service, time and attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import SERVER_KIND, bucket_us, log_level, route_label

REQUESTS: Final = "requests"
VIEWS: Final = "views and requests"
LOG_ROWS: Final = "other log rows"
TRAFFIC_KEYS: Final = ("unit", "service_name", "bucket_us")
TRAFFIC_SCHEMA: Final[dict[str, pl.DataType]] = {
    "unit": pl.String(),
    "service_name": pl.String(),
    "bucket_us": pl.Int64(),
    "rows": pl.Int64(),
    "bot_rows": pl.Int64(),
}
TRAFFIC_PARTS_KEYS: Final = ("unit", "service_name", "attribute", "value")
TRAFFIC_PARTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "unit": pl.String(),
    "service_name": pl.String(),
    "attribute": pl.String(),
    "value": pl.String(),
    "rows": pl.Int64(),
}
if TYPE_CHECKING:
    Frames = tuple[nw.LazyFrame[Any], nw.LazyFrame[Any], nw.LazyFrame[Any]]


def build_traffic(
    spans: nw.LazyFrame[Any], rum_events: nw.LazyFrame[Any], logs: nw.LazyFrame[Any], *, bucket_s: int
) -> nw.LazyFrame[Any]:
    """Count what could have gone wrong, by service and bucket.

    Parameters
    ----------
    spans, rum_events, logs : narwhals.LazyFrame
        The canonical tables.
    bucket_s : int
        Width of a bucket, seconds; buckets begin at multiples of it since the epoch.

    Returns
    -------
    narwhals.LazyFrame
        Columns of TRAFFIC_SCHEMA, unordered, a row for each of TRAFFIC_KEYS that occurred:

        - ``unit``: REQUESTS are server spans; VIEWS page views and requests of `rum_events`; LOG_ROWS the log records
          below a warning, for services of which nothing else is known
        - ``service_name``: empty where the row names none
        - ``bot_rows``: those whose agent says that it is a machine (`rum_events` only)
    """
    parts = [
        part.with_columns(bucket_us(bucket_s).alias("bucket_us"))
        .group_by(*TRAFFIC_KEYS)
        .agg(nw.len().cast(nw.Int64).alias("rows"), nw.col("is_bot").sum().cast(nw.Int64).alias("bot_rows"))
        for part in _prepared(spans, rum_events, logs)
    ]
    return nw.concat(parts, how="vertical").select(*TRAFFIC_SCHEMA)


def build_traffic_parts(spans: nw.LazyFrame[Any], rum_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the traffic of each service by route and release, of browsers also by browser and region.

    Returns
    -------
    narwhals.LazyFrame
        Columns of TRAFFIC_PARTS_SCHEMA, unordered; rows whose attribute is not known are left out.
    """
    requests, views = _requests(spans), _views(rum_events)
    wanted = [
        *((requests, name) for name in ("route", "release")),
        *((views, name) for name in ("route", "release", "browser", "region")),
    ]
    parts = [
        part.filter(~nw.col(name).is_null())
        .with_columns(nw.lit(name).alias("attribute"), nw.col(name).alias("value"))
        .group_by(*TRAFFIC_PARTS_KEYS)
        .agg(nw.len().cast(nw.Int64).alias("rows"))
        for part, name in wanted
    ]
    return nw.concat(parts, how="vertical").select(*TRAFFIC_PARTS_SCHEMA)


def _prepared(spans: nw.LazyFrame[Any], rum_events: nw.LazyFrame[Any], logs: nw.LazyFrame[Any]) -> Frames:
    quiet = logs.filter(~nw.col("time_us").is_null(), log_level() == nw.lit("info")).select(
        nw.lit(LOG_ROWS).alias("unit"),
        nw.col("service_name").fill_null("").alias("service_name"),
        "time_us",
        nw.lit(0).cast(nw.Int64).alias("is_bot"),
    )
    shared = ("unit", "service_name", "time_us", "is_bot")
    return _requests(spans).select(*shared), _views(rum_events).select(*shared), quiet


def _requests(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return spans.filter(nw.col("span_kind") == nw.lit(SERVER_KIND)).select(
        nw.lit(REQUESTS).alias("unit"),
        nw.col("service_name").fill_null("").alias("service_name"),
        "time_us",
        nw.lit(0).cast(nw.Int64).alias("is_bot"),
        nw.when(~nw.col("http_route").is_null()).then(route_label()).alias("route"),
        nw.col("service_version").alias("release"),
    )


def _views(rum_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return rum_events.filter(nw.col("event_kind").is_in(["view", "request"])).select(
        nw.lit(VIEWS).alias("unit"),
        nw.col("service_name").fill_null("").alias("service_name"),
        "time_us",
        (~nw.col("user_agent_synthetic_type").is_null()).cast(nw.Int64).alias("is_bot"),
        nw.coalesce("http_route", "request_path", "url_path").alias("route"),
        nw.col("service_version").alias("release"),
        nw.col("browser_name").alias("browser"),
        nw.col("geo_country_iso_code").alias("region"),
    )
