"""Access logs written as JSON, an object a line: nginx and Apache with a JSON format, Caddy, Traefik.

Who writes such a format chooses the names; known are those of the servers' variables and their usual spellings. What is
a page view is as in access_logs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.access_logs import NOT_A_LINE, is_asset, is_page
from prodintel_lib.sources.model import Json, ReadResult, read_time
from prodintel_lib.sources.otlp_values import int64
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, Told, page_of, read_event_parts, scaled
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

_ADDRESSES: Final = ("remote_addr", "remote_ip", "remoteIP", "client_ip", "clientip", "ClientHost", "remote_host")
_REQUESTS: Final = ("request", "request_uri", "requestURI", "uri", "RequestPath", "path", "url")
_STATUSES: Final = ("status", "status_code", "DownstreamStatus", "response", "response_status")
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "address": (
        "http_x_forwarded_for", "x_forwarded_for", "request.headers.X-Forwarded-For", "request.client_ip", *_ADDRESSES,
        "request.remote_ip", "request.remote_addr",
    ),
    "agent": (
        "http_user_agent", "user_agent", "userAgent", "UserAgent", "agent", "request_User-Agent",
        "request.headers.User-Agent",
    ),
    "referrer": (
        "http_referer", "http_referrer", "referer", "referrer", "request_Referer", "request.headers.Referer",
    ),
    "method": ("request_method", "requestMethod", "method", "verb", "RequestMethod", "request.method"),
    "target": ("request_uri", "requestURI", "uri", "RequestPath", "request.uri", "path", "url"),
    "query": ("query_string", "args", "queryString", "query"),
    "status": _STATUSES,
    "user": ("remote_user", "remoteUser", "ClientUsername", "user_id", "user"),
    "trace": ("trace_id", "otel_trace_id", "traceId"),
    "session": ("session_id", "cookie_session", "sessionId"),
    "time": ("time_iso8601", "timestamp", "@timestamp", "StartUTC", "time_local", "time", "ts", "msec"),
}  # fmt: skip
_LOCAL: Final = "%d/%b/%Y:%H:%M:%S %z"
# Sets of keys any one of which tells an access log; see detect.
JSON_SIGNS: Final = (
    *(frozenset(names) for names in product(_ADDRESSES, _REQUESTS, _STATUSES)),
    frozenset({"request", "status", "request.remote_ip", "request.uri"}),
)


def read_access_json_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read an access log of JSON lines, a part at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``rum_events``. The client's address is the first of ``X-Forwarded-For`` where the server writes it.

    Notes
    -----
    The time a server took is a request's ``duration_ms``. Of a page view, whose duration is until it was loaded, it
    stays in ``attributes``.
    """
    return read_event_parts(stream, _read_line, malformed=NOT_A_LINE, part_rows=part_rows)


def _read_line(rows: RumRows, line: int, document: Json) -> None:
    told = Told(document)
    said = {name: _text(told.take(*names)) for name, names in _COLUMNS.items()}
    has_agent = any(name in document for name in _COLUMNS["agent"])
    target, method = said["target"], said["method"]
    whole = told.peek("request")
    if isinstance(whole, str):
        method, target = _request(whole, method, target)
        told.take("request")
    if target is None:
        raise ValueError(document)
    path, query = page_of(target)
    status = int64(said["status"])
    address = said["address"].split(",")[0].strip() if said["address"] else None
    row: dict[str, Json] = {
        "time_us": _time_us(said["time"]),
        "visitor_id": " ".join(part for part in (address, said["agent"]) if part) or None,
        "session_id": said["session"],
        "user_id": said["user"],
        "referrer": said["referrer"],
        "http_request_method": method,
        "http_response_status_code": status,
        "user_agent_original": said["agent"],
        "user_agent_synthetic_type": "bot" if has_agent and not said["agent"] else None,
        "client_address": address,
        "trace_id": said["trace"],
    }
    path = path or "/"
    if is_page(method, status, path):
        row |= {"event_kind": "view", "url_path": path, "url_query": query or said["query"]}
    else:
        page = None if is_asset(path) else page_of(said["referrer"])[0]
        row |= {"event_kind": "request", "url_path": page, "request_path": path, "duration_ms": _duration_ms(told)}
        if query or said["query"]:
            rows.event(line, row, told.rest() | {"request_query": query or said["query"]})
            return
    rows.event(line, row, told.rest())


def _text(value: Json) -> str | None:
    """Return a field as text; None where the server wrote ``-`` for none. Caddy writes headers as lists."""
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None or value in {"-", ""} else str(value)


def _request(whole: str, method: str | None, target: str | None) -> tuple[str | None, str | None]:
    parts = whole.split(" ")
    if len(parts) >= 2:
        return method or parts[0], target or parts[1]
    return method, target or whole


def _time_us(text: str | None) -> int:
    if text is None:
        raise ValueError(text)
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return round(number * (1000 if number > 1e11 else US_PER_S))
    if "/" in text:
        return round(datetime.strptime(text.strip("[]"), _LOCAL).astimezone(UTC).timestamp()) * US_PER_S
    return read_time(text)


def _duration_ms(told: Told) -> float | None:
    """Return how long the server took: nginx and Caddy say seconds, Traefik nanoseconds, Apache's %D microseconds."""
    for name, times, by in (("request_time", 1e3, 1), ("duration", 1e3, 1), ("Duration", 1, 1e6), ("time_us", 1, 1e3)):
        if (value := scaled(told.peek(name), times=times, by=by)) is not None:
            told.take(name)
            return value
    return None
