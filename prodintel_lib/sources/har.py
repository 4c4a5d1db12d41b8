"""HAR 1.2, what browsers' developer tools and proxies save: pages and their requests.

See http://www.softwareishard.com/blog/har-12-spec/. Headers, cookies and bodies are not taken over.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.access_logs import is_page
from prodintel_lib.sources.model import Json, ReadResult, read_time
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, page_of, read_event_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

NOT_A_HAR: Final = "not a HAR document"
NOT_A_PAGE: Final = "malformed page"
NOT_AN_ENTRY: Final = "malformed entry"
# What passes before the first byte of the answer.
_BEFORE_FIRST_BYTE: Final = ("blocked", "dns", "connect", "send", "wait")


def read_har_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read pages as views and entries as requests.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``rum_events``.

    Notes
    -----
    A file is one session, named after when and where it began. A page's path is that of its first entry, its
    ``duration_ms`` is ``onLoad``. A proxy's file has no pages: there an answer of HTML to a GET is a view. An entry's
    page is the one it refers to, else its referrer.
    """
    return read_event_parts(stream, _read_document, malformed=NOT_A_HAR, part_rows=part_rows)


def _read_document(rows: RumRows, line: int, document: Json) -> None:
    log = document["log"]
    pages, entries = list(log.get("pages") or ()), list(log["entries"])
    shared = {"session_id": _session(pages, entries), **_client(entries)}
    first: dict[Json, Json] = {}
    for entry in entries:
        if isinstance(entry, dict):
            first.setdefault(entry.get("pageref"), entry)
    paths: dict[Json, str | None] = {}
    for page in pages:
        try:
            row, rest = _view(page, first.get(page["id"]))
        except MALFORMED:
            rows.reject(NOT_A_PAGE, line, page)
            continue
        paths[page["id"]] = row["url_path"]
        rows.event(line, shared | row, rest)
    for entry in entries:
        try:
            row, rest = _entry(entry, paths, has_pages=bool(pages))
        except MALFORMED:
            rows.reject(NOT_AN_ENTRY, line, entry)
            continue
        rows.event(line, shared | row, rest)


def _session(pages: list[Json], entries: list[Json]) -> str:
    """Return an id that is the same for the same recording wherever its file lies."""
    for item in (*pages, *entries):
        if isinstance(item, dict) and item.get("startedDateTime"):
            request = item.get("request")
            where = request.get("url") if isinstance(request, dict) else item.get("title")
            began = f"{item['startedDateTime']} {where}"
            # As a digest: addresses carry tokens.
            return f"har-{hashlib.sha256(began.encode()).hexdigest()[:16]}"
    return "har"


def _client(entries: list[Json]) -> dict[str, Json]:
    for entry in entries:
        try:
            headers = _headers(entry["request"])
        except MALFORMED:
            continue
        if agent := headers.get("user-agent"):
            language = headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
            return {"user_agent_original": agent, "browser_language": language or None}
    return {}


def _headers(request: Mapping[str, Json]) -> dict[str, str]:
    return {str(header["name"]).lower(): str(header["value"]) for header in request.get("headers") or ()}


def _view(page: Mapping[str, Json], document: Mapping[str, Json] | None) -> tuple[dict[str, Json], dict[str, Json]]:
    timings = page.get("pageTimings") or {}
    title = page.get("title")
    request = document["request"] if document else {}
    path, query = page_of(request.get("url") or title)
    row = {
        "time_us": read_time(page["startedDateTime"]),
        "event_kind": "view",
        "event_name": "page",
        "view_id": page["id"],
        "duration_ms": timings.get("onLoad"),
        "ttfb_ms": _first_byte_ms(document) if document else None,
        "url_path": path,
        "url_query": query,
        "page_title": title,
        "referrer": _headers(request).get("referer"),
        "http_response_status_code": document["response"].get("status") or None if document else None,
    }
    return row, {"onContentLoad": timings["onContentLoad"]} if timings.get("onContentLoad") is not None else {}


def _first_byte_ms(entry: Mapping[str, Json]) -> float | None:
    """Return the time to the first byte; phases that did not happen are -1 or missing."""
    timings = entry.get("timings") or {}
    known = [timings[name] for name in _BEFORE_FIRST_BYTE if isinstance(timings.get(name), int | float)]
    return float(sum(part for part in known if part > 0)) if "wait" in timings else None


def _entry(
    entry: Mapping[str, Json], paths: Mapping[Json, str | None], *, has_pages: bool
) -> tuple[dict[str, Json], dict[str, Json]]:
    request, response = entry["request"], entry["response"]
    path, query = page_of(request["url"])
    status = response.get("status") or None
    content = response.get("content") or {}
    referrer = _headers(request).get("referer")
    row = {
        "time_us": read_time(entry["startedDateTime"]),
        "view_id": entry.get("pageref"),
        "http_request_method": request.get("method"),
        "http_response_status_code": status,
        "referrer": referrer,
    }
    rest = {
        "resource_type": entry.get("_resourceType"),
        "mime_type": content.get("mimeType"),
        "size_bytes": content.get("size"),
        "server_address": entry.get("serverIPAddress"),
        "error": response.get("_error") or entry.get("_error"),
    }
    mime = str(content.get("mimeType") or "")
    if not has_pages and mime.startswith("text/html") and is_page(request.get("method"), status, path or "/"):
        row |= {"event_kind": "view", "event_name": "document", "url_path": path, "url_query": query}
        row["ttfb_ms"] = _first_byte_ms(entry)
    else:
        page = paths.get(entry.get("pageref")) or page_of(referrer)[0]
        row |= {"event_kind": "request", "event_name": "request", "url_path": page, "request_path": path}
        row["duration_ms"] = entry.get("time")
        rest["request_query"] = query
    return row, {name: value for name, value in rest.items() if value is not None}
