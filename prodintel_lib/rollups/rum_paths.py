"""The paths of pages and how often each was shown: all that is needed to learn their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.rum_expressions import is_view

if TYPE_CHECKING:
    from collections.abc import Mapping

PATHS_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "url_path": pl.String(),
    "views": pl.Int64(),
    "bad": pl.Int64(),
}
_BAD_STATUS: Final = 400


def build_paths(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count the page views of each path that the source gives no template for; machines are left out.

    Parameters
    ----------
    events : narwhals.LazyFrame
        The canonical table ``rum_events``.

    Returns
    -------
    narwhals.LazyFrame
        ``url_path, views, bad`` (views that were answered 400 or more), unordered, a row a path.
    """
    seen = events.filter(
        is_view(),
        nw.col("http_route").is_null(),
        ~nw.col("url_path").is_null(),
        nw.col("user_agent_synthetic_type").is_null(),
    )
    bad = (nw.col("http_response_status_code") >= _BAD_STATUS).fill_null(value=False).cast(nw.Int64)
    return (
        seen.with_columns(bad.alias("bad"))
        .group_by("url_path")
        .agg(nw.len().alias("views"), nw.col("bad").sum())
    )  # fmt: skip
