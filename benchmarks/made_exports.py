"""The made shop's spans, and log lines about them, as the exports that tools write."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

DOCUMENT_SPANS: Final = 50
_NAMES: Final = {
    "http_request_method": "http.request.method", "http_route": "http.route", "url_path": "url.path",
    "http_response_status_code": "http.response.status_code", "error_type": "error.type",
    "session_id": "session.id", "user_id": "user.id", "user_agent_original": "user_agent.original",
    "server_address": "server.address", "server_port": "server.port", "peer_service": "peer.service",
    "db_system_name": "db.system.name", "db_query_text": "db.query.text",
    "http_request_body": "http.request.body.content",
}  # fmt: skip
_KINDS: Final = {"server": 2, "client": 3}
# A mapping as prodintel.yaml would have it for `write_parquet`: canonical column to expression.
MAPPING: Final = {
    "time_us": "epoch_ns(started_ns)",
    "duration_ms": "ns_to_ms(elapsed_ns)",
    "trace_id": "trace",
    "span_id": "span",
    "parent_span_id": "parent",
    "span_name": "operation",
    "span_kind": "kind",
    "service_name": "service",
    "http_request_method": "method",
    "http_route": "route",
    "url_path": "path",
    "http_response_status_code": "status",
    "session_id": "session",
}


def write_otlp(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write spans as the collector's file exporter does, fifty of one service a line; return how many."""
    rows = 0
    with path.open("wb") as file:
        for frame in frames:
            rows += frame.height
            for document in _otlp_documents(frame, "resourceSpans", "scopeSpans", "spans", _otlp_span):
                file.write(orjson.dumps(document) + b"\n")
    return rows


def write_otlp_gzip(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write the same, compressed."""
    plain = path.with_suffix(".plain")
    rows = write_otlp(plain, frames)
    path.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=6, mtime=0))
    plain.unlink()
    return rows


def write_logs(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write a log line for each span, fifty of one service a document."""
    rows = 0
    with path.open("wb") as file:
        for frame in frames:
            rows += frame.height
            for document in _otlp_documents(frame, "resourceLogs", "scopeLogs", "logRecords", _otlp_log):
                file.write(orjson.dumps(document) + b"\n")
    return rows


def write_jaeger(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write spans as answers of Jaeger's query API, fifty traces a line; return how many spans."""
    rows = 0
    with path.open("wb") as file:
        for frame in frames:
            rows += frame.height
            traces = [_jaeger_trace(part) for part in frame.partition_by("trace_id", maintain_order=True)]
            for first in range(0, len(traces), DOCUMENT_SPANS):
                file.write(orjson.dumps({"data": traces[first : first + DOCUMENT_SPANS]}) + b"\n")
    return rows


def write_parquet(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write spans as a table of somebody's own; MAPPING says what its columns mean."""
    frame = pl.concat(frames).select(
        (pl.col("time_us") * 1000).alias("started_ns"),
        (pl.col("duration_ms") * 1e6).cast(pl.Int64).alias("elapsed_ns"),
        pl.col("trace_id").alias("trace"),
        pl.col("span_id").alias("span"),
        pl.col("parent_span_id").alias("parent"),
        pl.col("span_name").alias("operation"),
        pl.col("span_kind").alias("kind"),
        pl.col("service_name").alias("service"),
        pl.col("http_request_method").alias("method"),
        pl.col("http_route").alias("route"),
        pl.col("url_path").alias("path"),
        pl.col("http_response_status_code").alias("status"),
        pl.col("session_id").alias("session"),
        pl.col("server_address").alias("peer"),
        pl.col("db_query_text").alias("statement"),
    )
    frame.write_parquet(path)
    return frame.height


def _otlp_documents(
    frame: pl.DataFrame, signal: str, group: str, name: str, make: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for part in frame.partition_by("service_name", "service_instance_id", maintain_order=True):
        first = part.row(0, named=True)
        resource = {
            "service.name": first["service_name"], "service.version": first["service_version"],
            "service.instance.id": first["service_instance_id"], "deployment.environment.name": "production",
            "telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": "1.45.1",
        }  # fmt: skip
        for piece in part.iter_slices(DOCUMENT_SPANS):
            records = [make(row) for row in piece.iter_rows(named=True)]
            scoped = {"scope": {"name": "opentelemetry.instrumentation.httpx", "version": "0.66b1"}, name: records}
            yield {signal: [{"resource": {"attributes": _pairs(resource)}, group: [scoped]}]}


def _otlp_span(row: dict[str, Any]) -> dict[str, Any]:
    start_ns = row["time_us"] * 1000
    span = {
        "traceId": row["trace_id"],
        "spanId": row["span_id"],
        "parentSpanId": row["parent_span_id"] or "",
        "name": row["span_name"],
        "kind": _KINDS[row["span_kind"]],
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + int(row["duration_ms"] * 1e6)),
        "attributes": _pairs(_attributes(row)),
        "status": {"code": 2} if row["status_code"] == "error" else {},
    }
    if row["exception_message"]:
        told = {"exception.type": row["error_type"], "exception.message": row["exception_message"]}
        span["events"] = [{"name": "exception", "timeUnixNano": str(start_ns), "attributes": _pairs(told)}]
    return span


def _attributes(row: dict[str, Any]) -> dict[str, Any]:
    """Return some nine to thirteen attributes, as frameworks write them."""
    return {name: row[column] for column, name in _NAMES.items() if row[column] is not None} | {
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "network.peer.address": "10.42.0.17",
        "thread.id": 139_871_023,
        "shop.region": "DE",
    }


def _otlp_log(row: dict[str, Any]) -> dict[str, Any]:
    failed = row["status_code"] == "error"
    return {
        "timeUnixNano": str(row["time_us"] * 1000),
        "severityNumber": 17 if failed else 9,
        "severityText": "ERROR" if failed else "INFO",
        "body": {"stringValue": f"{row['span_name']} of {row['service_name']} took {row['duration_ms']} ms"},
        "traceId": row["trace_id"],
        "spanId": row["span_id"],
        "attributes": _pairs({"code.function.name": "handle", "code.line.number": 214, "thread.name": "exec-7"}),
    }


def _jaeger_trace(spans: pl.DataFrame) -> dict[str, Any]:
    rows = list(spans.iter_rows(named=True))
    services = sorted({row["service_name"] for row in rows})
    return {
        "traceID": rows[0]["trace_id"],
        "spans": [
            {
                "traceID": row["trace_id"],
                "spanID": row["span_id"],
                "operationName": row["span_name"],
                "references": [{"refType": "CHILD_OF", "traceID": row["trace_id"], "spanID": row["parent_span_id"]}]
                if row["parent_span_id"]
                else [],
                "startTime": row["time_us"],
                "duration": int(row["duration_ms"] * 1000),
                "tags": _tags(_attributes(row) | {"span.kind": row["span_kind"]}),
                "logs": [],
                "processID": f"p{services.index(row['service_name'])}",
            }
            for row in rows
        ],
        "processes": {
            f"p{number}": {"serviceName": name, "tags": _tags({"service.version": "1.0.0", "host.name": "node-3"})}
            for number, name in enumerate(services)
        },
    }


def _tags(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "type": "int64" if isinstance(value, int) else "string", "value": value}
        for key, value in values.items()
    ]


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
