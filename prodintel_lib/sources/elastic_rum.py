"""Elastic RUM intake, version 2 and version 3 (the same with short names): what the browser agent sends.

A file is one or more batches: a line of metadata, then transactions, spans and errors, a line each. See
https://github.com/elastic/apm-server/tree/main/docs/spec for both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prodintel_lib.sources.model import Json, ReadResult, is_storable_time
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.otlp_values import int64
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, Told, page_of, read_event_parts, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

    Names: TypeAlias = Mapping[str, tuple[str, "Names"]]

NOT_AN_EVENT: Final = "not an event of Elastic's RUM intake"
NO_REQUEST: Final = "span that is no request"
METRICS: Final = "set of metrics"
_RUM_AGENT: Final = re.compile(rb'"agent"\s*:\s*{[^{}]*"name"\s*:\s*"(?:rum-js|js-base)"')
_US_PER_MS: Final = 1000

# Version 3's short names: the long name, and those inside.
_HTTP: Final[Names] = {"mt": ("method", {}), "sc": ("status_code", {})}
_CONTEXT: Final[Names] = {
    "p": ("page", {"rf": ("referer", {})}),
    "u": ("user", {"em": ("email", {}), "un": ("username", {})}),
    "r": ("response", {"sc": ("status_code", {})}),
    "q": ("request", {"mt": ("method", {}), "he": ("headers", {})}),
    "h": ("http", _HTTP),
    "cu": ("custom", {}),
    "g": ("tags", {}),
}
_AGENT_MARKS: Final[Names] = {
    "fb": ("timeToFirstByte", {}),
    "fp": ("firstContentfulPaint", {}),
    "lp": ("largestContentfulPaint", {}),
    "di": ("domInteractive", {}),
    "dc": ("domComplete", {}),
}
_SPAN: Final[Names] = {
    "n": ("name", {}), "t": ("type", {}), "su": ("subtype", {}), "ac": ("action", {}), "s": ("start", {}),
    "d": ("duration", {}), "c": ("context", _CONTEXT), "o": ("outcome", {}), "st": ("stacktrace", {}),
}  # fmt: skip
_EXCEPTION: Final[Names] = {"mg": ("message", {}), "t": ("type", {}), "st": ("stacktrace", {}), "hd": ("handled", {})}
_SHORT: Final[Names] = {
    "m": ("metadata", {
        "se": ("service", {"n": ("name", {}), "ve": ("version", {}), "en": ("environment", {}), "a": ("agent", {})}),
        "u": ("user", {"em": ("email", {}), "un": ("username", {})}),
        "l": ("labels", {}),
        "n": ("network", {"c": ("connection", {"t": ("type", {})})}),
    }),
    "x": ("transaction", {
        "tid": ("trace_id", {}), "pid": ("parent_id", {}), "n": ("name", {}), "t": ("type", {}), "d": ("duration", {}),
        "rt": ("result", {}), "o": ("outcome", {}), "ses": ("session", {"seq": ("sequence", {})}),
        "c": ("context", _CONTEXT),
        "k": ("marks", {"a": ("agent", _AGENT_MARKS), "nt": ("navigationTiming", {})}),
        "exp": ("experience", {}), "y": ("spans", _SPAN), "me": ("metricsets", {}),
    }),
    "e": ("error", {
        "cl": ("culprit", {}), "tid": ("trace_id", {}), "pid": ("parent_id", {}), "xid": ("transaction_id", {}),
        "ex": ("exception", _EXCEPTION), "log": ("log", {"mg": ("message", {}), "st": ("stacktrace", {})}),
        "c": ("context", _CONTEXT),
    }),
    "me": ("metricset", {}),
}  # fmt: skip
_TYPES: Final[Mapping[str, str]] = {"p-load": "page-load", "r-change": "route-change"}
_PAGES: Final = frozenset({"page-load", "route-change"})
_FRAME_FIELDS: Final = (("fn", "function"), ("ap", "abs_path"), ("f", "filename"), ("li", "lineno"), ("co", "colno"))
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "session_id": ("session.id",),
    "user_id": ("context.user.id",),
    "page_title": ("context.page.title",),
    "referrer": ("context.page.referer",),
    "user_agent_original": ("context.environment.userAgent", "context.request.headers.User-Agent"),
    "browser_language": ("context.environment.language",),
    "viewport_width_px": ("context.environment.browserWidth",),
    "viewport_height_px": ("context.environment.browserHeight",),
}
_VITALS: Final[Mapping[str, tuple[str, ...]]] = {
    "lcp_ms": ("marks.agent.largestContentfulPaint",),
    "fcp_ms": ("marks.agent.firstContentfulPaint",),
    "ttfb_ms": ("marks.agent.timeToFirstByte",),
    "cls_score": ("experience.cls",),
    "fid_ms": ("experience.fid",),
    "inp_ms": ("experience.inp",),
}


def is_rum_batch(head: bytes) -> bool:
    """Say whether a batch of version 2, which services' agents send too, is a browser's."""
    return _RUM_AGENT.search(head[:65536]) is not None


def read_elastic_rum_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read batches, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``rum_events``: page loads and route changes as views with their marks and vitals, errors, spans that are
        HTTP requests. Other spans and sets of metrics are dropped and counted; other transactions are custom events.

    Notes
    -----
    The agent leaves the time to the server that receives a batch. An event without one has the time the file was
    written, as ``attributes`` says (``time_is``); a span begins its ``start`` after that, as the server reckons it.
    Where neither session nor user is known, each trace stands for a visitor of its own.
    """
    batch = _Batch(stream.path.stat().st_mtime_ns // 1000)
    return read_event_parts(stream, batch.read, malformed=NOT_AN_EVENT, part_rows=part_rows)


class _Batch:
    """What the events of one batch share."""

    def __init__(self, received_us: int) -> None:
        self._received_us = received_us
        self._shared: dict[str, Json] = {}
        self._labels: dict[str, Json] = {}

    def read(self, rows: RumRows, line: int, document: Json) -> None:
        [(kind, content)] = _lengthened(document, _SHORT).items()
        if kind == "metadata":
            self._begin(content)
        elif kind == "transaction":
            self._transaction(rows, line, content)
        elif kind == "span":
            self._span(rows, line, content, {})
        elif kind == "error":
            self._error(rows, line, content)
        elif kind == "metricset":
            rows.drop(METRICS)
        else:
            raise ValueError(kind)

    def _begin(self, metadata: Json) -> None:
        told = Told(metadata)
        self._shared = {
            "service_name": told.take("service.name"),
            "service_version": told.take("service.version"),
            "deployment_environment_name": told.take("service.environment"),
            "user_id": told.take("user.id"),
            "network_type": told.take("network.connection.type"),
        }
        self._labels = {f"metadata.{name}": value for name, value in told.rest().items() if value != {}}

    def _transaction(self, rows: RumRows, line: int, content: Json) -> None:
        spans = content.pop("spans", None) or []
        content.pop("metricsets", None)
        told = Told(content)
        row = self._row(told, own_id=content.get("id"))
        kind = _TYPES.get(told.peek("type"), told.peek("type"))
        row["event_name"] = kind
        row["view_id"] = told.take("id")
        if kind in _PAGES:
            row |= _view(told)
        else:
            row |= {"event_kind": "custom", "event_name": told.take("name") or kind}
            row["duration_ms"] = told.take("duration")
        rows.event(line, row, self._rest(told))
        for span in spans:
            try:
                self._span(rows, line, span, row)
            except MALFORMED:
                rows.reject(NOT_AN_EVENT, line, span)

    def _span(self, rows: RumRows, line: int, content: Json, of: Mapping[str, Json]) -> None:
        told = Told(content)
        url = told.peek("context.http.url")
        if url is None:
            rows.drop(NO_REQUEST)
            return
        start_ms = scaled(told.take("start")) or 0.0
        row = self._row(told, own_id=content.get("id"), offset_us=round(start_ms * _US_PER_MS), of=of)
        method = told.take("context.http.method")
        row |= {
            "event_kind": "request",
            "event_name": told.take("type"),
            "view_id": told.take("transaction_id") or of.get("view_id"),
            "http_request_method": method,
            "request_path": page_of(url)[0],
            "http_response_status_code": told.take("context.http.status_code"),
            "duration_ms": told.take("duration"),
        }
        rows.event(line, row, self._rest(told))

    def _error(self, rows: RumRows, line: int, content: Json) -> None:
        exception = content.get("exception") or {}
        log = content.get("log") or {}
        frames = exception.pop("stacktrace", None) or log.pop("stacktrace", None)
        told = Told(content)
        row = self._row(told, own_id=content.get("id"))
        row |= {
            "event_kind": "error",
            "event_name": "error",
            "view_id": told.take("transaction_id"),
            "error_source": "exception" if exception else "console",
            "error_type": told.take("exception.type"),
            "exception_message": told.take("exception.message", "log.message"),
            "exception_stacktrace": _stacktrace(frames),
        }
        rows.event(line, row, self._rest(told))

    def _row(
        self, told: Told, *, own_id: Json, offset_us: int = 0, of: Mapping[str, Json] | None = None
    ) -> dict[str, Json]:
        """Return what every event has; a span has its transaction's where it says nothing itself."""
        row: dict[str, Any] = dict(self._shared)
        row |= {name: value for name, value in (of or {}).items() if name in _INHERITED}
        given = {column: told.take(*names) for column, names in _SHARED.items()}
        row |= {column: value for column, value in given.items() if value is not None}
        path, query = page_of(told.take("context.page.url"))
        if path is not None:
            row |= {"url_path": path, "url_query": query}
        row["trace_id"] = told.take("trace_id") or row.get("trace_id")
        if row.get("session_id") is None and row.get("user_id") is None:
            row["visitor_id"] = row["trace_id"] or own_id
        time_us = int64(told.take("timestamp"))
        row["time_us"] = time_us if time_us and is_storable_time(time_us) else self._received_us + offset_us
        self._is_received = row["time_us"] != time_us
        return row

    def _rest(self, told: Told) -> dict[str, Json]:
        about = {"time_is": "when the file was written"} if self._is_received else {}
        return told.rest() | self._labels | about


_INHERITED: Final = frozenset({"session_id", "visitor_id", "user_id", "trace_id", "url_path", "url_query", *_SHARED})


def _view(told: Told) -> dict[str, Json]:
    name = told.peek("name")
    row = {"event_kind": "view", "duration_ms": told.take("duration")}
    row |= {column: told.take(*names) for column, names in _VITALS.items()}
    row["http_response_status_code"] = told.take("context.response.status_code")
    # Agents name a page by its path with what varies put out; other names are not templates.
    if isinstance(name, str) and name.startswith("/"):
        row["http_route"] = told.take("name")
    return row


def _lengthened(value: Json, names: Names) -> dict[str, Json]:
    """Return an object with the long names of version 2; what has none keeps its own."""
    made: dict[str, Json] = {}
    for key, content in value.items():
        long, inside = names.get(key, (key, {}))
        if inside and isinstance(content, dict):
            made[long] = _lengthened(content, inside)
        elif inside and isinstance(content, list):
            made[long] = [_lengthened(item, inside) for item in content]
        else:
            made[long] = content
    return made


def _stacktrace(frames: Json) -> str | None:
    """Return frames as browsers write a stack trace, the innermost call first."""
    lines = []
    for frame in frames or ():
        said = {long: frame.get(long, frame.get(short)) for short, long in _FRAME_FIELDS}
        place = ":".join(str(part) for part in (said["abs_path"] or said["filename"], said["lineno"], said["colno"]))
        lines.append(f"    at {said['function'] or '<anonymous>'} ({place})")
    return "\n".join(lines) or None
