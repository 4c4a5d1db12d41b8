"""Entry requests: what users asked of the system, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import is_failed, route_label, with_entry_flag
from prodintel_lib.tables import SPANS

if TYPE_CHECKING:
    from typing import Any

    from prodintel_lib.windows import Window

_FROM_SPANS: Final = (
    "time_us",
    "duration_ms",
    "trace_id",
    "span_id",
    "service_name",
    "service_version",
    "http_request_method",
    "http_route",
    "url_path",
    "url_query",
    "http_response_status_code",
    "http_request_body",
    "http_response_body",
    "status_code",
    "error_type",
    "exception_message",
    "session_id",
    "user_id",
    "user_agent_original",
    "attributes",
)
REQUESTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    **{name: SPANS.schema[name] for name in _FROM_SPANS},
    "route": pl.String(),
    "failed": pl.Boolean(),
}
REQUESTS_KEYS: Final = ("time_us", "trace_id", "span_id")


def build_requests(spans: nw.LazyFrame[Any], *, window: Window | None = None) -> nw.LazyFrame[Any]:
    """List the requests that entered the system.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    window : Window, optional
        Only requests that began in it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of REQUESTS_SCHEMA, unordered, one row a server span that came from outside (see
        expressions.with_entry_flag): the span's own columns (time in µs, duration in ms), and

        - ``route``: method and template, ``POST /api/orders``; without a template the span's name
        - ``failed``: status error, 500 or more, or a class of error
    """
    entries = with_entry_flag(spans).filter(nw.col("is_entry"))
    if window is not None:
        entries = entries.filter(nw.col("time_us") >= window.start_us, nw.col("time_us") < window.end_us)
    return entries.select(*_FROM_SPANS, route_label().alias("route"), is_failed().alias("failed"))
