"""OpenTelemetry for one service process.

The instrumentation packages do the work; this module only switches them on. Everything that the SDK can read from its
``OTEL_*`` variables (resource, endpoint, intervals, attribute names) is set there by whoever starts the process.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span

_PROCESS_METRICS: Final[dict[str, list[str] | None]] = {
    "process.cpu.utilization": None,
    "process.memory.usage": None,
    "process.thread.count": None,
}

_DROPPED: Final = (
    # The pool is reported under the stable name by demo.shop.database.
    "db.client.connections.usage",
    # A caller's view of each call is in its client spans.
    "http.client.*",
)


def start_telemetry(dependencies: Mapping[str, str]) -> Callable[[], None]:
    """Switch on traces, metrics and logs; return what sends the last of them and stops.

    Call it before Flask and SQLAlchemy are imported elsewhere: the packages replace what those modules hand out.

    Parameters
    ----------
    dependencies : Mapping[str, str]
        Base URL by dependency, so that client spans can name the service they call.
    """
    resource = Resource.create()
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider(
        [PeriodicExportingMetricReader(OTLPMetricExporter())],
        resource=resource,
        views=[View(instrument_name=name, aggregation=DropAggregation()) for name in _DROPPED],
    )
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    set_logger_provider(loggers)

    FlaskInstrumentor().instrument(excluded_urls="healthz,openapi.json", enable_commenter=False)
    HTTPXClientInstrumentor().instrument(request_hook=_name_the_callee(dependencies))
    SQLAlchemyInstrumentor().instrument()
    SystemMetricsInstrumentor(config=_PROCESS_METRICS).instrument()
    LoggingInstrumentor().instrument()
    # The exporters' own requests are no part of the shop.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def stop() -> None:
        tracers.shutdown()
        meters.shutdown()
        loggers.shutdown()

    return stop


def _name_the_callee(dependencies: Mapping[str, str]) -> Callable[[Span, Any], None]:
    names = {urlsplit(url).netloc: name for name, url in dependencies.items()}

    def hook(span: Span, call: Any) -> None:  # noqa: ANN401 - the package's RequestInfo is private to it
        name = names.get(f"{call.url.host}:{call.url.port}")
        if name:
            span.set_attribute("peer.service", name)

    return hook
