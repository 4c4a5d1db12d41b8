"""The canonical tables: what every source is turned into and every analysis reads.

Column names are OpenTelemetry attribute names with ``_`` for ``.``. Times are ``time_us``, microseconds since the
epoch in UTC, as Int64: integer time arithmetic is the only kind that means the same on every engine. Durations are
``duration_ms``. What a vendor has and a table lacks goes into ``attributes``, a JSON object in a string.

============  ==============================================  ======================================
table         one row is                                      identity (a second one is a duplicate)
============  ==============================================  ======================================
spans         one span of a trace                             trace_id, span_id
logs          one log record                                  none
metrics       one data point of one series                    none
incidents     one incident as its tool knows it               source, incident_id
alerts        one entry of an incident's or an alert's log    source, alert_id
changes       one deployment, flag or configuration change    source, change_id
rum_events    one thing that happened in a user's browser     none
exposures     one visitor shown one variant of a flag         none
============  ==============================================  ======================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.errors import MissingColumnsError, ParameterError, SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

INT: Final = pl.Int64()
FLOAT: Final = pl.Float64()
TEXT: Final = pl.String()
FLAG: Final = pl.Boolean()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, meaning (with the unit), and whether a row can do without it."""

    name: str
    dtype: pl.DataType
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A canonical table.

    Attributes
    ----------
    name : str
    columns : tuple of Column
        In their order on disk.
    identity : tuple of str
        The columns that make a row one of a kind; empty where rows have no identity.
    """

    name: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name to Polars type, in the order on disk."""
        return {column.name: column.dtype for column in self.columns}

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that may not be null."""
        return tuple(column.name for column in self.columns if column.required)


_TIME = Column("time_us", INT, "when it began, µs since the epoch, UTC", required=True)
_RESOURCE = (
    Column("service_name", TEXT, "the service that reported it"),
    Column("service_version", TEXT, "its version"),
    Column("service_instance_id", TEXT, "its instance"),
    Column("deployment_environment_name", TEXT, "production, staging, ..."),
)
_ATTRIBUTES = Column("attributes", TEXT, "everything else the source said, a JSON object")
_ACTOR = (
    Column("session_id", TEXT, "the user's session"),
    Column("user_id", TEXT, "the user"),
)
_EXCEPTION = (
    Column("error_type", TEXT, "the class of error: an exception's type, `timeout`, a status code"),
    Column("exception_message", TEXT, "the exception's message"),
    Column("exception_stacktrace", TEXT, "its stack trace"),
)

SPANS: Final = Table(
    "spans",
    (
        _TIME,
        Column("duration_ms", FLOAT, "how long it took, ms", required=True),
        Column("trace_id", TEXT, "32 hex digits", required=True),
        Column("span_id", TEXT, "16 hex digits", required=True),
        Column("parent_span_id", TEXT, "the caller's span; null at the root"),
        Column("span_name", TEXT, "its name"),
        Column("span_kind", TEXT, "server, client, internal, producer, consumer"),
        Column("status_code", TEXT, "ok, error, unset"),
        Column("status_message", TEXT, "what the instrumentation said of the status"),
        *_RESOURCE,
        Column("http_request_method", TEXT, "GET, POST, ..."),
        Column("http_route", TEXT, "the route's template, /api/orders/{id}"),
        Column("url_path", TEXT, "the path as sent"),
        Column("url_query", TEXT, "the query as sent"),
        Column("http_response_status_code", INT, "the status that was answered"),
        Column("http_request_body", TEXT, "the request's body where the source captured it"),
        Column("http_response_body", TEXT, "the answer's body where the source captured it"),
        *_EXCEPTION,
        *_ACTOR,
        Column("user_agent_original", TEXT, "the client's user agent"),
        Column("server_address", TEXT, "whom a client span called: host name or address"),
        Column("server_port", INT, "and the port"),
        Column("peer_service", TEXT, "whom a client span called, by the name its owner gave"),
        Column("db_system_name", TEXT, "postgresql, sqlite, redis, ..."),
        Column("db_query_text", TEXT, "the statement"),
        _ATTRIBUTES,
    ),
    identity=("trace_id", "span_id"),
)

LOGS: Final = Table(
    "logs",
    (
        _TIME,
        Column("severity_text", TEXT, "DEBUG, INFO, WARN, ERROR, FATAL"),
        Column("severity_number", INT, "OpenTelemetry's 1..24"),
        Column("body", TEXT, "the message"),
        *_RESOURCE,
        Column("logger_name", TEXT, "the instrumentation scope"),
        Column("trace_id", TEXT, "the trace it was written in"),
        Column("span_id", TEXT, "the span it was written in"),
        *_EXCEPTION,
        *_ACTOR,
        _ATTRIBUTES,
    ),
)

METRICS: Final = Table(
    "metrics",
    (
        _TIME,
        Column("metric_name", TEXT, "its name", required=True),
        Column("metric_unit", TEXT, "UCUM unit as the source gave it"),
        Column("metric_kind", TEXT, "gauge, sum, histogram, exponential_histogram, summary", required=True),
        Column("is_monotonic", FLAG, "for sums: never falls but at a restart"),
        Column("temporality", TEXT, "delta or cumulative, for sums and histograms"),
        Column("start_time_us", INT, "since when it counts, µs since the epoch"),
        *_RESOURCE,
        Column("value", FLOAT, "for gauges and sums"),
        Column("count", INT, "for histograms and summaries: observations"),
        Column("sum", FLOAT, "for histograms and summaries: their sum"),
        Column("min", FLOAT, "smallest observation where given"),
        Column("max", FLOAT, "largest observation where given"),
        Column("buckets", TEXT, "a JSON object: bounds and counts, scale and offsets, or quantiles"),
        _ATTRIBUTES,
    ),
)

INCIDENTS: Final = Table(
    "incidents",
    (
        _TIME,
        Column("source", TEXT, "the tool: pagerduty, opsgenie, yaml, ...", required=True),
        Column("incident_id", TEXT, "the id people say", required=True),
        Column("end_time_us", INT, "when it was resolved; null while open"),
        Column("acknowledged_time_us", INT, "when somebody took it"),
        Column("title", TEXT, "one line"),
        Column("description", TEXT, "the details as written"),
        Column("severity", TEXT, "as its tool says"),
        Column("status", TEXT, "triggered, acknowledged, resolved"),
        Column("service_name", TEXT, "the service it was raised on"),
        Column("url", TEXT, "where to read it"),
        _ATTRIBUTES,
    ),
    identity=("source", "incident_id"),
)

ALERTS: Final = Table(
    "alerts",
    (
        _TIME,
        Column("source", TEXT, "the tool", required=True),
        Column("alert_id", TEXT, "the entry's id", required=True),
        Column("incident_id", TEXT, "the incident it belongs to"),
        Column("event", TEXT, "triggered, acknowledged, escalated, resolved, note, ...", required=True),
        Column("summary", TEXT, "one line"),
        Column("actor", TEXT, "who or what did it"),
        Column("service_name", TEXT, "the service it is about"),
        _ATTRIBUTES,
    ),
    identity=("source", "alert_id"),
)

CHANGES: Final = Table(
    "changes",
    (
        _TIME,
        Column("source", TEXT, "the tool", required=True),
        Column("change_id", TEXT, "the change's id", required=True),
        Column("change_kind", TEXT, "deployment, flag, config, commit, release", required=True),
        Column("service_name", TEXT, "what was changed"),
        Column("service_version", TEXT, "to which version"),
        Column("deployment_environment_name", TEXT, "where"),
        Column("status", TEXT, "success, failure, in_progress, created, ..."),
        Column("commit_id", TEXT, "the revision"),
        Column("description", TEXT, "as written"),
        Column("actor", TEXT, "who or what did it"),
        Column("url", TEXT, "where to read it"),
        _ATTRIBUTES,
    ),
    identity=("source", "change_id", "status"),
)

RUM_BUCKETS: Final = 16
_VISITOR = (
    Column("visitor_id", TEXT, "the browser or device across sessions; else the session, the user or the address"),
    Column("session_id", TEXT, "the session as the source numbers it; null where it does not"),
    Column("user_id", TEXT, "the user, once known"),
)
_CLIENT = (
    Column("user_agent_original", TEXT, "the client's user agent"),
    Column("user_agent_synthetic_type", TEXT, "bot or test where no person was at it; null for people"),
    Column("browser_name", TEXT, "the family: Chrome, Safari, Firefox, ..."),
    Column("browser_version", TEXT, "its version"),
    Column("os_name", TEXT, "iOS, Android, Windows, ..."),
    Column("device_type", TEXT, "desktop, mobile, tablet, tv or other"),
    Column("viewport_width_px", INT, "width of the page's window, CSS pixels"),
    Column("viewport_height_px", INT, "its height"),
    Column("browser_language", TEXT, "preferred language, BCP 47"),
    Column("timezone_name", TEXT, "IANA name of the client's time zone"),
    Column("utc_offset_min", INT, "the client's clock minus UTC at that moment, minutes"),
    Column("geo_country_iso_code", TEXT, "two letters"),
    Column("geo_region_iso_code", TEXT, "ISO 3166-2, or the region's name where that is all there is"),
    Column("client_address", TEXT, "network address of the client"),
    Column("network_type", TEXT, "4g, 3g, wifi, ... as the browser says"),
    Column("user_is_new", FLAG, "whether this is the visitor's first session"),
)

RUM_EVENTS: Final = Table(
    "rum_events",
    (
        _TIME,
        Column("event_kind", TEXT, "view, action, error, request, vital or custom", required=True),
        Column("user_bucket", INT, "crc32 of the visitor, modulo RUM_BUCKETS: a visitor is in one", required=True),
        *_VISITOR,
        Column("event_name", TEXT, "the source's own name of it: page_view, add_to_cart, $autocapture, ..."),
        Column("view_id", TEXT, "the page view it belongs to"),
        Column("duration_ms", FLOAT, "view: until it was loaded; action, request: until it was done; ms"),
        Column("url_path", TEXT, "the page's path as it was shown"),
        Column("url_query", TEXT, "and its query"),
        Column("http_route", TEXT, "the page's template where the source says it, /product/{id}"),
        Column("page_title", TEXT, "the page's title"),
        Column("referrer", TEXT, "where the visitor came from: a URL or a path"),
        Column("action_type", TEXT, "click, input, change, submit, scroll, back, ..."),
        Column("target_role", TEXT, "the ARIA role of what was acted on: button, link, textbox, ..."),
        Column("target_name", TEXT, "its accessible name"),
        Column("target_test_id", TEXT, "its test id"),
        Column("target_selector", TEXT, "a CSS selector of it"),
        Column("target_value", TEXT, "what was chosen or typed, where the source records that"),
        *_EXCEPTION,
        Column("error_source", TEXT, "exception, console, network or validation (the user's mistake in a form)"),
        Column("http_request_method", TEXT, "request: GET, POST, ..."),
        Column("request_path", TEXT, "request: the path that was asked for"),
        Column("http_response_status_code", INT, "request: the status that was answered; view: the page's own"),
        Column("lcp_ms", FLOAT, "Largest Contentful Paint, ms; on the view or on a vital event of it"),
        Column("inp_ms", FLOAT, "Interaction to Next Paint, ms"),
        Column("cls_score", FLOAT, "Cumulative Layout Shift, no unit"),
        Column("fcp_ms", FLOAT, "First Contentful Paint, ms"),
        Column("ttfb_ms", FLOAT, "Time to First Byte, ms"),
        Column("fid_ms", FLOAT, "First Input Delay, ms; old data"),
        *_CLIENT,
        *_RESOURCE,
        Column("trace_id", TEXT, "the trace of the request it made"),
        _ATTRIBUTES,
    ),
)

EXPOSURES: Final = Table(
    "exposures",
    (
        _TIME,
        Column("source", TEXT, "the tool", required=True),
        Column("feature_flag_key", TEXT, "the flag or the experiment", required=True),
        Column("feature_flag_result_variant", TEXT, "what was shown"),
        *_VISITOR,
        _ATTRIBUTES,
    ),
)

TABLES: Final[Mapping[str, Table]] = {
    table.name: table for table in (SPANS, LOGS, METRICS, INCIDENTS, ALERTS, CHANGES, RUM_EVENTS, EXPOSURES)
}


def table_named(name: str) -> Table:
    """Return the canonical table of that name.

    Raises
    ------
    ParameterError
        If there is none, with the nearest name.
    """
    if name not in TABLES:
        raise ParameterError.unknown("table", name, known=TABLES)
    return TABLES[name]


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Bring a frame to the table's columns, order and types.

    Columns that the frame lacks come in as nulls; unknown ones are an error, since they would be lost silently.

    Parameters
    ----------
    frame : polars.DataFrame
        Any subset of the table's columns that holds the required ones.
    table : Table

    Returns
    -------
    polars.DataFrame
        All columns of the table, in its order.

    Raises
    ------
    MissingColumnsError
        If a required column is not there.
    SourceFormatError
        If there is a column the table does not know, or a type that cannot be cast.
    """
    missing = [name for name in table.required if name not in frame.columns]
    if missing:
        raise MissingColumnsError.in_table(table.name, missing=missing, available=frame.columns)
    unknown = [name for name in frame.columns if name not in table.schema]
    if unknown:
        raise SourceFormatError(
            f"Table `{table.name}` has no column {', '.join(f'`{name}`' for name in sorted(unknown))}.",
            hint="put what the table lacks into `attributes`.",
        )
    columns = [
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in table.schema.items()
    ]
    try:
        return frame.select(columns)
    except pl.exceptions.PolarsError as error:
        raise SourceFormatError(
            f"Table `{table.name}`: a column does not hold its type: {error}",
            hint="cast it in the source that made the frame.",
        ) from error


def validate(frame: pl.DataFrame, table: Table) -> None:
    """Check that a frame is exactly the table: columns, order, types, and no null where none may be.

    Raises
    ------
    MissingColumnsError
        If a column is not there.
    SourceFormatError
        If the order or a type differs, or a required column holds a null; the first such row is named.
    """
    missing = [name for name in table.schema if name not in frame.columns]
    if missing:
        raise MissingColumnsError.in_table(table.name, missing=missing, available=frame.columns)
    if dict(frame.schema) != dict(table.schema) or frame.columns != list(table.schema):
        wrong = [name for name, dtype in frame.schema.items() if table.schema.get(name) != dtype]
        raise SourceFormatError(
            f"Table `{table.name}` has other types or another order than expected: {', '.join(wrong) or 'order'}.",
            hint="pass the frame through tables.conform().",
        )
    for name in table.required:
        nulls = frame[name].is_null()
        if nulls.any():
            raise SourceFormatError(
                f"Table `{table.name}`: `{name}` is null in {nulls.sum()} of {frame.height} rows, "
                f"first in row {nulls.arg_true()[0]}.",
                hint="quarantine such rows in the source.",
            )
