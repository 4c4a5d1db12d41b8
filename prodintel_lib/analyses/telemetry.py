"""The heavy passes of an incident: read the lake around it, and keep frames of the size of its requests and calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.clocks import find_clock_offsets
from prodintel_lib.analyses.evidence import MIN_REQUESTS, TELEMETRY, Coverage, name_sessions
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.in_flight import count_in_flight
from prodintel_lib.analyses.incident import (
    IncidentRecord,
    IncidentTelemetry,
    choose_span,
    digest_of,
    parse_context,
)
from prodintel_lib.analyses.log_errors import mark_failed_by_logs
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError
from prodintel_lib.privacy.pseudonymiser import open_pseudonymiser
from prodintel_lib.rollups.calls import CALLS_SCHEMA, build_calls
from prodintel_lib.rollups.clocks import correct_clocks
from prodintel_lib.rollups.coverage import COVERAGE_SCHEMA, build_coverage
from prodintel_lib.rollups.expressions import is_failed
from prodintel_lib.rollups.log_events import LOG_EVENTS_KEYS, LOG_EVENTS_SCHEMA, build_log_events
from prodintel_lib.rollups.metric_points import POINTS_KEYS, POINTS_SCHEMA, build_metric_points
from prodintel_lib.rollups.own_time import OWN_TIME_KEYS, OWN_TIME_SCHEMA, build_own_time
from prodintel_lib.rollups.red import RED_KEYS, RED_SCHEMA, build_red
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.rollups.trace_errors import TRACE_ERRORS_KEYS, TRACE_ERRORS_SCHEMA, build_trace_errors
from prodintel_lib.tables import ALERTS, CHANGES, SPANS, Table
from prodintel_lib.windows import US_PER_S, Window, format_time, parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.clocks import ClockOffsets
    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.workspace import Workspace

CHANGES_BACK_S: Final = 24 * 3600
RED_BUCKET_S: Final = 10
LOG_BUCKET_S: Final = 60
DAY_US: Final = 86_400 * US_PER_S
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
        "exception_stacktrace",
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


@dataclass(frozen=True, slots=True)
class LakeView:
    """A workspace's lake as analyses may see it: people replaced, clocks set right.

    Attributes
    ----------
    workspace : Workspace
    private : Pseudonymiser
        What replaces personal data and secrets: beyond it, nothing is seen of them.
    engine : str
        Where the heavy passes run.
    ahead_us : mapping of str to int
        Services whose clocks were found wrong, and by how much.
    """

    workspace: Workspace
    private: Pseudonymiser
    engine: str = "polars"
    ahead_us: Mapping[str, int] = field(default_factory=dict)

    def with_clocks(self, clocks: ClockOffsets) -> LakeView:
        """Return the view with the errors of these clocks taken out."""
        return replace(self, ahead_us=clocks.by_service_us)

    def scan(self, table: str, window: Window | None = None) -> nw.LazyFrame[Any]:
        """Read a canonical table lazily, as it was recorded but for wrong clocks."""
        return correct_clocks(self.workspace.scan(table, window=window, engine=self.engine), self.ahead_us)

    def collect(
        self, lazy: nw.LazyFrame[Any], *, schema: Mapping[str, pl.DataType], sort_by: Sequence[str]
    ) -> pl.DataFrame:
        """Run a heavy pass, and replace what is personal or secret in its result."""
        return self.private.frame(collect(lazy, schema=schema, sort_by=sort_by))


def open_view(workspace: Workspace, *, engine: str = "polars") -> LakeView:
    """Open the lake of a workspace for the analyses.

    Parameters
    ----------
    workspace : Workspace
    engine : {"polars", "duckdb", "spark"}
    """
    return LakeView(workspace, open_pseudonymiser(workspace.root, workspace.config.privacy), engine)


def gather_telemetry(view: LakeView, record: IncidentRecord) -> IncidentTelemetry:
    """Read what production left behind around an incident.

    Parameters
    ----------
    view : LakeView
    record : IncidentRecord

    Raises
    ------
    NoDataError
        If no span, no log row and no metric point was recorded around it.
    """
    asked = choose_span(record)
    coverage = measure_coverage(view, asked)
    require_telemetry(view, coverage, asked)
    clocks = find_clock_offsets(view.scan("spans", asked))
    view = view.with_clocks(clocks)
    spans, logs = view.scan("spans", asked), view.scan("logs", asked)
    entries = collect(build_requests(spans).select(*_LIGHT_SCHEMA), schema=_LIGHT_SCHEMA, sort_by=REQUESTS_KEYS)
    trace_errors = view.collect(build_trace_errors(logs), schema=TRACE_ERRORS_SCHEMA, sort_by=TRACE_ERRORS_KEYS)
    requests = mark_failed_by_logs(view.private.frame(entries), trace_errors)
    span = _span_of(requests, coverage, asked)
    points = view.collect(build_metric_points(view.scan("metrics", asked)), schema=POINTS_SCHEMA, sort_by=POINTS_KEYS)
    log_events = view.collect(
        build_log_events(logs, bucket_s=LOG_BUCKET_S), schema=LOG_EVENTS_SCHEMA, sort_by=LOG_EVENTS_KEYS
    )
    return IncidentTelemetry(
        record=record,
        span=span,
        requests=parse_context(requests),
        calls=view.collect(build_calls(spans), schema=CALLS_SCHEMA, sort_by=("time_us", "trace_id", "span_id")),
        points=points,
        red=view.collect(build_red(spans, bucket_s=RED_BUCKET_S), schema=RED_SCHEMA, sort_by=RED_KEYS),
        error_spans=view.collect(
            spans.filter(is_failed()).select(*_ERROR_SCHEMA), schema=_ERROR_SCHEMA, sort_by=("trace_id", "span_id")
        ),
        log_events=log_events,
        trace_errors=trace_errors,
        in_flight=count_in_flight(requests),
        changes=view.private.frame(
            _read(view.workspace, CHANGES, Window(span.start_us - CHANGES_BACK_S * US_PER_S, asked.end_us))
        ),
        alerts=view.private.frame(_alerts_of(view.workspace, record, asked)),
        coverage=coverage,
        clocks=clocks,
        digest=_digest_of(record, entries, requests, points, log_events),
        own_time=view.collect(
            build_own_time(spans, bucket_s=RED_BUCKET_S), schema=OWN_TIME_SCHEMA, sort_by=OWN_TIME_KEYS
        ),
    )


def _digest_of(
    record: IncidentRecord,
    entries: pl.DataFrame,
    requests: pl.DataFrame,
    points: pl.DataFrame,
    log_events: pl.DataFrame,
) -> str:
    """Write down what was looked at, so that the same evidence has the same digest on every machine.

    Other incidents of the workspace do not count: a test must not change because its neighbour came. Logs and metrics
    count where the requests alone do not say what happened.
    """
    parts = [entries.select("time_us", "trace_id", "span_id", "http_response_status_code").write_csv()]
    if requests["failed_by_logs"].any() or requests.height < MIN_REQUESTS:
        parts += [frame.select(frame.columns[:4]).write_csv() for frame in (log_events, points)]
    return digest_of(record.incident_id, *parts)


def measure_coverage(view: LakeView, window: Window | None) -> dict[str, Coverage]:
    """Count what each table of telemetry holds of a window, or of all time."""
    found = {}
    for table in TELEMETRY:
        frame = collect(build_coverage(view.scan(table, window)), schema=COVERAGE_SCHEMA, sort_by=("rows",))
        found[table] = Coverage(*frame.row(0))
    return found


def choose_window(view: LakeView, asked: str, *, tables: Sequence[str], of: str = "", hint: str = "") -> Window:
    """Return the window that was asked for; a length ends with the last day that has rows.

    Recordings are looked at long after they were made: the last seven days of a clock would hold nothing.

    Parameters
    ----------
    view : LakeView
    asked : str
        ``START/END``, or a length such as ``7d``.
    tables : sequence of str
        Where the last row is looked for.
    of : str
        What the tables hold, in words for the error; their names without it.
    hint : str
        What to do where they hold nothing.

    Raises
    ------
    NoDataError
        If none of the tables has a row.
    ParameterError
        If the text is no window.
    """
    if "/" in asked:
        return Window.parse(asked)
    length_us = parse_duration_s(asked) * US_PER_S
    schema = {"last_us": pl.Int64()}
    last = [
        collect(view.scan(table).select(nw.col("time_us").max().alias("last_us")), schema=schema, sort_by=["last_us"])
        for table in tables
    ]
    last_us = pl.concat(last)["last_us"].max()
    if last_us is None:
        raise NoDataError(
            f"The workspace `{view.workspace.config.name}` has no {of or ' or '.join(tables)}.",
            hint=hint or "add an export to `sources` in prodintel.yaml; docs/sources.md lists the formats.",
        )
    end_us = int(str(last_us)) // DAY_US * DAY_US + DAY_US
    return Window(end_us - length_us, end_us)


def require_telemetry(view: LakeView, coverage: Mapping[str, Coverage], asked: Window) -> None:
    """Check that there is something to look at.

    Raises
    ------
    NoDataError
        If not; it says what time the workspace's telemetry is of.
    """
    if any(part.rows for part in coverage.values()):
        return
    anywhere = {name: part for name, part in measure_coverage(view, None).items() if part.rows}
    known = "; ".join(
        f"{name} from {format_time(part.first_us)} to {format_time(part.last_us)} ({part.rows:,})"
        for name, part in anywhere.items()
        if part.first_us is not None and part.last_us is not None
    )
    raise NoDataError(
        f"No spans, logs or metrics were recorded in {asked.label()}, the time around the incident. "
        f"The workspace holds {known or 'no telemetry at all'}.",
        hint="check the incident's own times, and the time zones of the sources in prodintel.yaml."
        if known
        else "add the traces, logs or metrics of that time to `sources` in prodintel.yaml.",
    )


def read_traces(view: LakeView, trace_ids: Sequence[str], *, span: Window) -> pl.DataFrame:
    """Read all spans of a few traces, with whom each call went to.

    Returns
    -------
    polars.DataFrame
        The columns of spans, ``failed``, and ``dependency`` for calls.
    """
    spans = view.scan("spans", span.widened(before_s=60, after_s=60))
    chosen = spans.filter(nw.col("trace_id").is_in(list(trace_ids)))
    schema = {**SPANS.schema, "failed": pl.Boolean()}
    rows = collect(chosen.with_columns(is_failed().alias("failed")), schema=schema, sort_by=("trace_id", "span_id"))
    calls = collect(build_calls(chosen), schema=CALLS_SCHEMA, sort_by=("trace_id", "span_id"))
    named = calls.select("trace_id", "span_id", "dependency")
    return view.private.frame(rows.join(named, on=["trace_id", "span_id"], how="left"))


def read_recorded_spans(view: LakeView, findings: IncidentFindings, *, sessions: Sequence[str]) -> pl.DataFrame:
    """Read the requests of a few sessions with their bodies.

    Returns
    -------
    polars.DataFrame
        As recorded.read_recorded needs it, ``bad`` included.
    """
    spans = view.scan("spans", findings.span)
    # Findings hold pseudonyms: the sessions are named by the spans they began with.
    known = findings.requests.filter(pl.col("session_id").is_in(list(sessions)))
    entries = build_requests(spans).filter(nw.col("trace_id").is_in(known["trace_id"].to_list()))
    rows = collect(entries.select(*_RECORDED_SCHEMA), schema=_RECORDED_SCHEMA, sort_by=REQUESTS_KEYS)
    judged = known.select("trace_id", "span_id", "bad")
    whole = view.private.frame(rows.join(judged, on=["trace_id", "span_id"], how="inner", maintain_order="left"))
    return name_sessions(whole) if findings.evidence.sessions_are_traces else whole


def _span_of(requests: pl.DataFrame, coverage: Mapping[str, Coverage], asked: Window) -> Window:
    """Return the time that holds data: the asked one, cut to the first and last request.

    Where requests are too few to tell anything, whatever was recorded counts.
    """
    first, last = requests["time_us"].min(), requests["time_us"].max()
    if requests.height < MIN_REQUESTS:
        first = min(part.first_us for part in coverage.values() if part.first_us is not None)
        last = max(part.last_us for part in coverage.values() if part.last_us is not None)
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
