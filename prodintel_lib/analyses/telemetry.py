"""The heavy passes of an incident: read the lake around it, and keep frames of the size of its requests and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.incident import (
    IncidentRecord,
    IncidentTelemetry,
    choose_span,
    digest_of,
    parse_context,
    require_requests,
)
from prodintel_lib.engines import collect
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser, open_pseudonymiser
from prodintel_lib.rollups.calls import CALLS_SCHEMA, build_calls
from prodintel_lib.rollups.concurrency import CONCURRENCY_SCHEMA, build_concurrency
from prodintel_lib.rollups.expressions import is_failed
from prodintel_lib.rollups.metric_points import POINTS_KEYS, POINTS_SCHEMA, build_metric_points
from prodintel_lib.rollups.red import RED_KEYS, RED_SCHEMA, build_red
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.tables import ALERTS, CHANGES, SPANS, Table
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.workspace import Workspace

CHANGES_BACK_S: Final = 24 * 3600
RED_BUCKET_S: Final = 10
_BODIES: Final = ("http_request_body", "http_response_body")
_LIGHT_SCHEMA: Final = {name: dtype for name, dtype in REQUESTS_SCHEMA.items() if name not in _BODIES}
_ERROR_SCHEMA: Final = {
    name: SPANS.schema[name]
    for name in (
        "time_us",
        "trace_id",
        "span_id",
        "parent_span_id",
        "service_name",
        "error_type",
        "exception_message",
        "status_message",
    )
}
_RECORDED_SCHEMA: Final = {
    name: REQUESTS_SCHEMA[name]
    for name in (
        "time_us",
        "duration_ms",
        "session_id",
        "trace_id",
        "span_id",
        "http_request_method",
        "http_route",
        "url_path",
        "url_query",
        "http_response_status_code",
        "attributes",
        *_BODIES,
    )
}


def gather_telemetry(workspace: Workspace, record: IncidentRecord, *, engine: str = "polars") -> IncidentTelemetry:
    """Read what production left behind around an incident.

    Parameters
    ----------
    workspace : Workspace
    record : IncidentRecord
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    NoDataError
        If no request was recorded around it.
    """
    asked = choose_span(record)
    private = open_privacy(workspace)
    spans = workspace.scan("spans", window=asked, engine=engine)
    entries = collect(build_requests(spans).select(*_LIGHT_SCHEMA), schema=_LIGHT_SCHEMA, sort_by=REQUESTS_KEYS)
    require_requests(entries, asked)
    requests = private.frame(entries)
    span = _span_of(requests, asked)
    in_flight = build_concurrency(nw.from_native(requests.lazy()))
    metrics = workspace.scan("metrics", window=asked, engine=engine)
    return IncidentTelemetry(
        record=record,
        span=span,
        requests=parse_context(requests),
        calls=private.frame(
            collect(build_calls(spans), schema=CALLS_SCHEMA, sort_by=("time_us", "trace_id", "span_id"))
        ),
        points=private.frame(collect(build_metric_points(metrics), schema=POINTS_SCHEMA, sort_by=POINTS_KEYS)),
        red=private.frame(collect(build_red(spans, bucket_s=RED_BUCKET_S), schema=RED_SCHEMA, sort_by=RED_KEYS)),
        error_spans=private.frame(
            collect(
                spans.filter(is_failed()).select(*_ERROR_SCHEMA), schema=_ERROR_SCHEMA, sort_by=("trace_id", "span_id")
            )
        ),
        in_flight=collect(in_flight, schema=CONCURRENCY_SCHEMA, sort_by=("time_us",)),
        changes=private.frame(
            _read(workspace, CHANGES, Window(span.start_us - CHANGES_BACK_S * US_PER_S, asked.end_us))
        ),
        alerts=private.frame(_alerts_of(workspace, record, asked)),
        digest=digest_of(record.incident_id, _content_of(entries)),
    )


def _content_of(requests: pl.DataFrame) -> str:
    """Write down what was looked at, so that the same evidence has the same digest on every machine.

    Other incidents of the workspace do not count: a test must not change because its neighbour came.
    """
    return requests.select("time_us", "trace_id", "span_id", "http_response_status_code").write_csv()


def open_privacy(workspace: Workspace) -> Pseudonymiser:
    """Return what replaces personal data and secrets: from here on, nothing else is seen of them."""
    return open_pseudonymiser(workspace.root, workspace.config.privacy)


def read_traces(
    workspace: Workspace, trace_ids: Sequence[str], *, span: Window, engine: str = "polars"
) -> pl.DataFrame:
    """Read all spans of a few traces, with whom each call went to.

    Returns
    -------
    polars.DataFrame
        The columns of spans, ``failed``, and ``dependency`` for calls.
    """
    spans = workspace.scan("spans", window=span.widened(before_s=60, after_s=60), engine=engine)
    chosen = spans.filter(nw.col("trace_id").is_in(list(trace_ids)))
    schema = {**SPANS.schema, "failed": pl.Boolean()}
    rows = collect(chosen.with_columns(is_failed().alias("failed")), schema=schema, sort_by=("trace_id", "span_id"))
    calls = collect(build_calls(chosen), schema=CALLS_SCHEMA, sort_by=("trace_id", "span_id"))
    named = calls.select("trace_id", "span_id", "dependency")
    return open_privacy(workspace).frame(rows.join(named, on=["trace_id", "span_id"], how="left"))


def read_recorded_spans(
    workspace: Workspace, findings: IncidentFindings, *, sessions: Sequence[str], engine: str = "polars"
) -> pl.DataFrame:
    """Read the requests of a few sessions with their bodies.

    Returns
    -------
    polars.DataFrame
        As recorded.read_recorded needs it, ``bad`` included.
    """
    spans = workspace.scan("spans", window=findings.span, engine=engine)
    # Findings hold pseudonyms: the sessions are named by the spans they began with.
    known = findings.requests.filter(pl.col("session_id").is_in(list(sessions)))
    entries = build_requests(spans).filter(nw.col("trace_id").is_in(known["trace_id"].to_list()))
    rows = collect(entries.select(*_RECORDED_SCHEMA), schema=_RECORDED_SCHEMA, sort_by=REQUESTS_KEYS)
    judged = known.select("trace_id", "span_id", "bad")
    whole = rows.join(judged, on=["trace_id", "span_id"], how="inner", maintain_order="left")
    return open_privacy(workspace).frame(whole)


def _span_of(requests: pl.DataFrame, asked: Window) -> Window:
    """Return the time that holds data: the asked one, cut to the first and last request."""
    first, last = requests["time_us"].min(), requests["time_us"].max()
    return Window(max(asked.start_us, int(str(first))), min(asked.end_us, int(str(last)) + 1))


def _read(workspace: Workspace, table: Table, window: Window) -> pl.DataFrame:
    lazy: nw.LazyFrame[Any] = workspace.scan(table.name, window=window)
    return collect(lazy, schema=table.schema, sort_by=("time_us", *table.identity))


def _alerts_of(workspace: Workspace, record: IncidentRecord, asked: Window) -> pl.DataFrame:
    alerts = within(_read(workspace, ALERTS, asked), asked)
    own = alerts.filter(pl.col("incident_id").is_null() | (pl.col("incident_id") == record.incident_id))
    return without_names(own, services={record.service_name})


def without_names(alerts: pl.DataFrame, *, services: set[str]) -> pl.DataFrame:
    """Leave out who it was: an actor that is no service is a person, and is named again in the summary."""
    people = sorted(
        {name for name in alerts["actor"].drop_nulls() if name and name not in services}, key=len, reverse=True
    )
    nobody = [SOMEBODY] * len(people)
    return alerts.with_columns(
        pl.col("actor").replace(people, nobody),
        pl.col("summary").str.replace_many(people, nobody) if people else pl.col("summary"),
        pl.lit(None, dtype=pl.String).alias("attributes"),
    )


SOMEBODY: Final = "somebody on call"
