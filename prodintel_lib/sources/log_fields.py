"""The names under which structured logs say what the table `logs` has columns for.

There is no standard, but the loggers in use have few ways: Elastic Common Schema, Bunyan and pino, zap, logrus,
zerolog, Serilog's compact format, python-json-logger, structlog, Log4j 2 and Logback, Monolog, GELF, Google Cloud's
LogEntry, Datadog's, OpenTelemetry's, and systemd's journal. Nested objects are known by dotted names, however the file
writes them. The first name that has a value fills the column; every other field stays in ``attributes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TIME: Final = "time_us"
LEVEL: Final = "severity_number"
BODY: Final = "body"
STACK: Final = "exception_stacktrace"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    TIME: (
        "@timestamp", "timestamp", "time", "ts", "@t", "Timestamp", "instant", "timeMillis", "datetime", "asctime",
        "eventTime", "event_time", "timestamp_ms", "timestampMs", "written_at", "logged_at", "log_time",
        "__REALTIME_TIMESTAMP", "_time", "created", "date", "t", "receiveTimestamp",
    ),
    LEVEL: (
        "severity_number", "severityNumber", "SeverityNumber", "level_name", "levelname", "log.level", "level",
        "severity", "lvl", "loglevel", "log_level", "logLevel", "@l", "Level", "severity_text", "severityText",
        "SeverityText", "PRIORITY", "log.syslog.severity.name",
    ),
    BODY: (
        "message", "msg", "@m", "@mt", "MESSAGE", "RenderedMessage", "textPayload", "jsonPayload.message", "body",
        "Body", "short_message", "@message", "Message", "MessageTemplate", "event", "text", "log", "_raw",
    ),
    "service_name": (
        "service.name", "service_name", "serviceName", "ServiceName", "service", "dd.service", "serviceContext.service",
        "app", "app_name", "appname", "application", "application_name", "Application", "Properties.Application",
        "kubernetes.container_name", "kubernetes.container.name", "container_name", "SYSLOG_IDENTIFIER",
    ),
    "service_version": (
        "service.version", "service_version", "serviceVersion", "dd.version", "serviceContext.version", "app_version",
        "release",
    ),
    "service_instance_id": (
        "service.instance.id", "service.node.name", "kubernetes.pod_name", "kubernetes.pod.name", "pod_name", "pod",
    ),
    "deployment_environment_name": (
        "deployment.environment.name", "deployment.environment", "service.environment", "environment", "env", "dd.env",
    ),
    "logger_name": (
        "log.logger", "logger", "logger_name", "loggerName", "logger.name", "SourceContext", "Properties.SourceContext",
        "channel", "name",
    ),
    "trace_id": (
        "trace_id", "trace.id", "traceId", "traceID", "TraceId", "otelTraceID", "@tr", "dd.trace_id",
        "logging.googleapis.com/trace", "traceparent", "mdc.traceId", "mdc.trace_id", "contextMap.traceId",
        "contextMap.trace_id", "context.trace_id", "xray_trace_id", "xRayTraceId", "trace",
    ),
    "span_id": (
        "span_id", "span.id", "spanId", "spanID", "SpanId", "otelSpanID", "@sp", "dd.span_id",
        "logging.googleapis.com/spanId", "mdc.spanId", "mdc.span_id", "contextMap.spanId", "contextMap.span_id",
        "context.span_id",
    ),
    "error_type": (
        "error.type", "exception.type", "exception_type", "exc_type", "err.type", "err.name", "error.name",
        "error.kind", "exception.class", "exception.exception_class", "exception_class", "thrown.name",
        "context.exception.class", "ExceptionDetail.Type", "error_type", "errorType",
    ),
    "exception_message": (
        "exception.message", "error.message", "err.message", "exception.exception_message", "exception_message",
        "thrown.message", "context.exception.message", "ExceptionDetail.Message", "errorMessage", "error", "err",
    ),
    STACK: (
        "exception.stacktrace", "exception.stack_trace", "error.stack_trace", "error.stacktrace", "err.stack",
        "error.stack", "stack_trace", "stacktrace", "exc_info", "@x", "traceback", "thrown.extendedStackTrace",
        "context.exception.trace", "errorVerbose", "stackTrace", "stack", "exception", "Exception",
    ),
    "session_id": ("session.id", "session_id", "sessionId"),
    "user_id": ("user.id", "user_id", "userId", "usr.id", "enduser.id"),
}  # fmt: skip
PARENTS: Final = frozenset(name.split(".", 1)[0] for names in FIELDS.values() for name in names if "." in name) - {
    "logging"
}
"""Keys whose objects are flattened."""
# Numbers under these names are OpenTelemetry's, or syslog's; under others they are syslog's where they are below 10.
SCALES: Final[Mapping[str, str]] = {
    "severity_number": "otel", "severityNumber": "otel", "SeverityNumber": "otel", "PRIORITY": "syslog",
}  # fmt: skip
# Bunyan and pino call the service `name`; the Python loggers so call the logger.
BUNYAN_SIGN: Final = frozenset({"name", "hostname", "pid", "level"})
_TIME_SIGNS: Final = frozenset(FIELDS[TIME]) - {"created", "date", "t", "_time", "receiveTimestamp"}
_BODY_SIGNS: Final = frozenset(FIELDS[BODY]) - {"text", "event", "body", "Body", "log", "_raw", "@message"}
_LEVEL_SIGNS: Final = frozenset(FIELDS[LEVEL]) | {
    "logger", "logger_name", "loggerName", "log.logger", "stream", "trace_id", "traceId", "trace.id",
    "@mt", "_HOSTNAME",
}  # fmt: skip


def is_log_record(keys: frozenset[str]) -> bool:
    """Say whether an object with these keys is a log record: it has a time, a message, and a level or the like.

    Examples
    --------
    >>> is_log_record(frozenset({"time", "level", "msg"})), is_log_record(frozenset({"time", "value"}))
    (True, False)
    """
    return (
        not (keys.isdisjoint(_TIME_SIGNS) or keys.isdisjoint(_BODY_SIGNS) or keys.isdisjoint(_LEVEL_SIGNS))
        or {"log", "stream", "time"} <= keys
    )
