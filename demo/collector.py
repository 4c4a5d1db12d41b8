"""A small OpenTelemetry collector: receives OTLP over HTTP, writes what the Collector's file exporter would write.

One JSON line per request received, one file per signal. Of what the Collector's processors do it does three things:
addresses of clients are deleted, the folders in which code and interpreter lie are replaced by the ones a container
would have, and Flask's route templates (``/products/<product_id>``) are written as everybody else writes them
(``/products/{product_id}``). For a recording that is moved in time, every time is moved by the same whole days.
"""

from __future__ import annotations

import base64
import gzip
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

    from google.protobuf.message import Message

SIGNALS: Final[dict[str, tuple[type[Message], type[Message]]]] = {
    "traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
    "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}
_FLASK_PLACEHOLDER: Final = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_ID_KEYS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
# The older names have no attribute for the route in metrics, so the package puts it into the target.
_ROUTE_KEYS: Final = frozenset({"http.route", "http.target"})
DELETED_ATTRIBUTES: Final = frozenset(
    {"client.address", "client.port", "network.peer.address", "network.peer.port", "net.peer.ip", "net.peer.port"}
)
FOLDERS: Final = tuple(
    sorted(
        {
            str(Path(__file__).resolve().parent.parent): "/srv/shop",
            sys.prefix: "/srv/shop/.venv",
            sys.base_prefix: "/usr/local",
        }.items(),
        key=lambda pair: -len(pair[0]),
    )
)


class Collector:
    """Receives telemetry on a free port of loopback and writes it to a folder.

    Use it as a context manager. It receives from the start, and writes once told to.

    Parameters
    ----------
    folder : Path
        Gets ``traces.jsonl``, ``logs.jsonl`` and ``metrics.jsonl``.
    days_earlier : int, optional
        By how many days every time is moved back.
    """

    def __init__(self, folder: Path, *, days_earlier: int = 0) -> None:
        self._earlier_ns = days_earlier * 86_400 * 1_000_000_000
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BinaryIO] = {signal: (folder / f"{signal}.jsonl").open("wb") for signal in SIGNALS}
        self._lock = threading.Lock()
        self._writing = False
        self._server = _Server(("127.0.0.1", 0), self)

    @property
    def url(self) -> str:
        """The OTLP endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="collector", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for file in self._files.values():
                file.close()

    def start_writing(self) -> None:
        """Write what comes from now on."""
        self._writing = True

    def receive(self, signal: str, message: Message) -> None:
        """Write one export request as one line."""
        if not self._writing:
            return
        document = as_file_exporter_writes(message, earlier_ns=self._earlier_ns)
        line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            self._files[signal].write(line)


def as_file_exporter_writes(message: Message, *, earlier_ns: int = 0) -> dict[str, Any]:
    """Return an export request in the OTLP/JSON of the Collector's file exporter, its times moved back.

    Protocol Buffers' own JSON writes ids as base64; OTLP/JSON wants them in hex, and enumerations as numbers.
    """
    document: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    _mend(document, earlier_ns)
    return document


def _mend(document: dict[str, Any], earlier_ns: int) -> None:
    """Mend every object inside `document` in place, without recursion: bodies can be deep."""
    waiting: list[Any] = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
            continue
        if not isinstance(item, dict):
            continue
        _fill_in(item)
        for key, value in item.items():
            if key in _ID_KEYS:
                item[key] = _hex(value)
            elif key == "attributes":
                item[key] = [_with_route(pair) for pair in value if pair["key"] not in DELETED_ATTRIBUTES]
            elif key.endswith("UnixNano") and earlier_ns:
                item[key] = str(int(value) - earlier_ns)
            elif key == "name":
                item[key] = _FLASK_PLACEHOLDER.sub(r"{\1}", value)
            elif key == "stringValue":
                item[key] = _without_folders(value)
        waiting.extend(value for value in item.values() if isinstance(value, dict | list))


def _fill_in(item: dict[str, Any]) -> None:
    """Add what the exporter writes though it is empty: the parent of a root span, the status of a healthy one."""
    if "startTimeUnixNano" in item and "spanId" in item:
        item.setdefault("parentSpanId", "")
        item.setdefault("status", {})
    elif "severityNumber" in item:
        item.setdefault("traceId", "")
        item.setdefault("spanId", "")


def _with_route(pair: dict[str, Any]) -> dict[str, Any]:
    if pair["key"] in _ROUTE_KEYS and "stringValue" in pair["value"]:
        pair["value"]["stringValue"] = _FLASK_PLACEHOLDER.sub(r"{\1}", pair["value"]["stringValue"])
    return pair


def _hex(base64_id: str) -> str:
    return base64.b64decode(base64_id).hex()


def _without_folders(text: str) -> str:
    if "/" in text:
        for folder, shown in FOLDERS:
            text = text.replace(folder, shown)
    return text


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], collector: Collector) -> None:
        super().__init__(address, _Handler)
        self.collector = collector


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        signal = self.path.removeprefix("/v1/")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if signal not in SIGNALS:
            self.send_error(404)
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request_type, response_type = SIGNALS[signal]
        message = request_type()
        message.ParseFromString(body)
        self.server.collector.receive(signal, message)
        answer = response_type().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: a line a request would drown the shop's own output."""
