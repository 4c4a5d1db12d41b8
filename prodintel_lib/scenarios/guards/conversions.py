"""Which request makes a visit a conversion: the write that visits which converted sent, and others did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_SCHEMA, build_requests
from prodintel_lib.tables import RUM_EVENTS

if TYPE_CHECKING:
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window

MIN_SHARE: Final = 0.8
MAX_SHARE_OF_OTHERS: Final = 0.2
MIN_CONVERTED: Final = 10
_READS: Final = ("GET", "HEAD", "OPTIONS")
_SENT: Final = ("session_id", "trace_id", "route")


def find_converting_route(view: LakeView, window: Window) -> str:
    """Find the request that converts where visits and traces name the same sessions or traces.

    Parameters
    ----------
    view : LakeView
        `journeys.conversions` of its workspace says what a conversion is.
    window : Window

    Returns
    -------
    str
        Method and template; "" where none is found.
    """
    conversions = list(view.workspace.config.journeys.conversions)
    if not conversions:
        return ""
    events = view.scan("rum_events", window)
    is_conversion = nw.col("event_name").is_in(conversions) | nw.col("http_route").is_in(conversions)
    schema = {name: RUM_EVENTS.schema[name] for name in ("session_id", "trace_id")} | {"converts": pl.Boolean()}
    visits = collect(
        events.select("session_id", "trace_id", is_conversion.fill_null(value=False).alias("converts")).unique(),
        schema=schema,
        sort_by=("session_id", "trace_id", "converts"),
    )
    entries = build_requests(view.scan("spans", window), window=window)
    writes = entries.filter(~nw.col("http_request_method").is_in(list(_READS)))
    sent = collect(
        writes.select(*_SENT).unique(), schema={name: REQUESTS_SCHEMA[name] for name in _SENT}, sort_by=_SENT
    )
    return choose_converting_route(visits, sent)


def choose_converting_route(visits: pl.DataFrame, sent: pl.DataFrame) -> str:
    """Choose the route that tells converted visits from the others best.

    Parameters
    ----------
    visits : polars.DataFrame
        ``session_id, trace_id, converts``: an event a row.
    sent : polars.DataFrame
        ``session_id, trace_id, route``: a write a row.
    """
    known = visits.drop_nulls("session_id")
    by_session = known.group_by("session_id").agg(pl.col("converts").any())
    of_trace = known.drop_nulls("trace_id").select("trace_id", pl.col("session_id").alias("visit")).unique("trace_id")
    linked = sent.join(of_trace, on="trace_id", how="left", maintain_order="left").select(
        pl.coalesce("visit", "session_id").alias("session_id"), "route"
    )
    seen = by_session.join(linked.unique(), on="session_id", how="inner")
    sessions = by_session.join(linked.select("session_id").unique(), on="session_id", how="semi")
    converted = sessions.filter("converts").height
    if converted < MIN_CONVERTED:
        return ""
    others = max(1, sessions.height - converted)
    shares = (
        seen.group_by("route")
        .agg(
            (pl.col("converts").sum() / converted).alias("of_converted"),
            ((~pl.col("converts")).sum() / others).alias("of_others"),
        )
        .filter((pl.col("of_converted") >= MIN_SHARE) & (pl.col("of_others") <= MAX_SHARE_OF_OTHERS))
        .sort([pl.col("of_converted") - pl.col("of_others"), pl.col("route")], descending=[True, False])
    )
    return str(shares["route"][0]) if shares.height else ""
