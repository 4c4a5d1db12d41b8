"""Events of browsers among OTLP's log records, into the table `rum_events`; evaluated flags into `exposures`.

An event is a log record with an ``eventName`` (``event.name`` before). Read are the names of OpenTelemetry's semantic
conventions for browser events (https://opentelemetry.io/docs/specs/semconv/browser/browser-events/, in development:
``browser.web_vital`` with its fields in the body or as attributes), those of its browser instrumentations
(``browser.navigation``, ``browser.navigation_timing``, ``browser.resource_timing``, ``browser.user_action.click``,
``browser.console``), and ``browser.page_view``, ``browser.user_action``, ``browser.request``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.otlp_values import any_value, hex_id, plain_attributes
from prodintel_lib.sources.rum_rows import VITALS, RumRows, Told, page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prodintel_lib.sources.model import Json, ReadResult
    from prodintel_lib.sources.otlp_values import Origin

_BROWSER: Final = "browser."
_FLAG_EVENT: Final = "feature_flag.evaluation"
# Events of services, which may carry the session of the user they work for.
_OF_SERVICES: Final = ("gen_ai.", "rpc.", "http.", "db.", "messaging.", "feature_flag.", "azure.", "aws.", "k8s.")
_VISITORS: Final = ("visitor.id", "user.pseudo.id", "enduser.pseudo.id", "app.installation.id", "device.id")
# Column: the attributes it is read from, the first that has a value.
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "session_id": ("session.id",),
    "visitor_id": _VISITORS,
    "user_id": ("user.id", "enduser.id"),
    "view_id": ("browser.view.id", "browser.page.instance_id"),
    "http_route": ("http.route",),
    "page_title": ("page.title", "browser.page.title"),
    "referrer": ("http.request.header.referer", "browser.document.referrer"),
    "user_agent_original": ("user_agent.original", "browser.user_agent", "http.user_agent"),
    "user_agent_synthetic_type": ("user_agent.synthetic.type",),
    "browser_name": ("user_agent.name", "browser.name"),
    "browser_version": ("user_agent.version", "browser.version"),
    "os_name": ("user_agent.os.name", "os.name"),
    "device_type": ("device.type",),
    "viewport_width_px": ("browser.viewport.width", "browser.window.width"),
    "viewport_height_px": ("browser.viewport.height", "browser.window.height"),
    "browser_language": ("browser.language",),
    "timezone_name": ("browser.timezone",),
    "utc_offset_min": ("browser.utc_offset_min",),
    "geo_country_iso_code": ("geo.country.iso_code",),
    "geo_region_iso_code": ("geo.region.iso_code",),
    "client_address": ("client.address",),
    "network_type": ("network.connection.subtype", "network.connection.effective_type", "network.connection.type"),
    "user_is_new": ("user.is_new", "visitor.is_new"),
}
_REQUEST: Final[Mapping[str, tuple[str, ...]]] = {
    "http_request_method": ("http.request.method", "http.method"),
    "http_response_status_code": ("http.response.status_code", "http.status_code"),
    "duration_ms": ("http.request.duration", "browser.resource_timing.duration", "duration"),
}
_ACTION: Final[Mapping[str, tuple[str, ...]]] = {
    "target_role": ("element.role",),
    "target_name": ("element.name",),
    "target_test_id": ("element.test_id",),
    "target_selector": ("element.selector", "browser.css_selector", "element.xpath"),
    "target_value": ("element.value",),
    "duration_ms": ("browser.user_action.duration",),
}
_EXCEPTION: Final[Mapping[str, tuple[str, ...]]] = {
    "error_type": ("exception.type", "error.type"),
    "exception_message": ("exception.message",),
    "exception_stacktrace": ("exception.stacktrace",),
}


class EventReader:
    """Turns log records that are browsers' events into rows.

    Attributes
    ----------
    rows_read : int
        Records met since the last part, also those that were rejected.
    """

    def __init__(self) -> None:
        self._rows = RumRows()

    @property
    def rows_read(self) -> int:
        """Records met since the last part."""
        return self._rows.rows_read

    def part(self) -> ReadResult:
        """Return what was read since the last part, and forget it."""
        return self._rows.part()

    def add(self, origin: Origin, records: list[Json], line: int) -> None:
        """Read the records of one resource and scope, which begin on a line."""
        about = {**origin.attributes, **({"scope": origin.scope_name} if origin.scope_name else {})}
        shared = _taken(Told(origin.attributes.get("resource") or {}), _SHARED)
        of_resource = {column: value for column, value in shared.items() if value is not None}
        for record in records:
            try:
                self._read(record, origin, of_resource, about, line)
            except MALFORMED:
                self._rows.reject("malformed log record", line, record)

    def _read(
        self,
        record: Mapping[str, Json],
        origin: Origin,
        of_resource: Mapping[str, Json],
        about: dict[str, Json],
        line: int,
    ) -> None:
        told = Told(_fields(record))
        name = event_name(record) or ""
        told.take("event.name")
        row = _taken(told, _SHARED)
        row |= {column: of_resource[column] for column in of_resource if row[column] is None}
        row |= origin.columns
        time_ns = int(record.get("timeUnixNano") or 0) or int(record.get("observedTimeUnixNano") or 0)
        row["time_us"] = time_ns // 1000
        rest = {"severity_text": record["severityText"]} if record.get("severityText") else {}
        if name == _FLAG_EVENT:
            self._rows.exposure(line, *_exposure(row, told, rest | about))
            return
        row["event_name"] = name
        row["trace_id"] = _trace_id(record, told, rest)
        row |= {column: value for column, value in _KINDS.get(name, _custom)(told).items() if value is not None}
        if name.startswith(f"{_BROWSER}user_action"):
            row |= _action(told, name)
        if "url_path" not in row and row["event_kind"] != "request":
            row |= _page(told)
        row["referrer"] = _single(row.get("referrer"))
        self._rows.event(line, row, told.rest() | rest | about)


def event_name(record: Mapping[str, Json]) -> str | None:
    """Return the name of the event a log record is; None where it is no event."""
    name = record.get("eventName")
    if not name:
        pairs = record.get("attributes") or ()
        name = next((any_value(pair.get("value") or {}) for pair in pairs if pair.get("key") == "event.name"), None)
    return name if isinstance(name, str) and name else None


def is_browser_event(record: Json, origin: Origin) -> bool:
    """Say whether a log record is a browser's event.

    It is where its name begins with ``browser.``, where anything else about it does, and where a session is named,
    unless the event is of a kind that services write. An exception needs more than a session, since services record
    theirs in the same way. An evaluated flag belongs to whom it was evaluated for.
    """
    try:
        name = event_name(record)
        if name is None:
            return False
        keys = {pair["key"] for pair in record.get("attributes") or ()}
    except MALFORMED:
        return False
    resource = origin.attributes.get("resource") or {}
    keys |= resource.keys()
    if name == _FLAG_EVENT:
        return "feature_flag.key" in keys and not keys.isdisjoint({"session.id", "user.id", *_VISITORS})
    if name.startswith(_BROWSER) or any(key.startswith(_BROWSER) for key in keys):
        return True
    if resource.get("telemetry.sdk.language") == "webjs":
        return True
    return "session.id" in keys and name != "exception" and not name.startswith(_OF_SERVICES)


def _fields(record: Mapping[str, Json]) -> dict[str, Json]:
    """Return the attributes and, where the body is a map as events had it at first, its fields."""
    body = any_value(record.get("body") or {})
    fields = plain_attributes(record.get("attributes"))
    if isinstance(body, dict):
        return body | fields
    return fields if body is None else {"body": body} | fields


def _taken(told: Told, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Json]:
    return {column: told.take(*names) for column, names in columns.items()}


def _single(value: Json) -> Json:
    """Return a header's value: the conventions write headers as lists."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _trace_id(record: Mapping[str, Json], told: Told, rest: dict[str, Json]) -> str | None:
    given = record.get("traceId") or told.take("trace.id", "trace_id")
    try:
        return hex_id(given, hex_chars=32)
    except (ValueError, TypeError):
        rest["trace_id"] = given
        return None


def _page(told: Told) -> dict[str, Json]:
    path, query = page_of(told.peek("url.full") or told.peek("browser.page.url"))
    return {"url_path": told.take("url.path") or path, "url_query": told.take("url.query") or query}


def _exposure(row: dict[str, Json], told: Told, about: dict[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    kept = {column: row[column] for column in ("time_us", "visitor_id", "session_id", "user_id")}
    kept |= {
        "source": told.take("feature_flag.provider.name") or "opentelemetry",
        "feature_flag_key": told.take("feature_flag.key"),
        "feature_flag_result_variant": told.take(
            "feature_flag.result.variant", "feature_flag.variant", "feature_flag.result.value"
        ),
    }
    return kept, told.rest() | about


def _view(told: Told) -> dict[str, Json]:
    """Read a page view; the event's first form had its fields in the body: url, title, referrer."""
    path, query = page_of(told.take("url"))
    return {
        "event_kind": "view",
        "page_title": told.take("title"),
        "referrer": told.take("referrer"),
        "url_path": told.take("url.path") or path,
        "url_query": told.take("url.query") or query,
        "duration_ms": told.take("browser.load.duration", "browser.page.load.duration"),
        "http_response_status_code": told.take("http.response.status_code"),
    }


def _vital(told: Told) -> dict[str, Json]:
    name = str(told.take("browser.web_vital.name", "web_vital.name", "name")).lower()
    value = told.take("browser.web_vital.value", "web_vital.value", "value")
    # A vital nobody knows a column for is an event of the page's own.
    if name not in VITALS:
        return {"event_kind": "custom", "target_name": name, "target_value": value}
    return {"event_kind": "vital", VITALS[name]: value}


def _timing(told: Told) -> dict[str, Json]:
    return {
        "event_kind": "vital",
        "duration_ms": told.take("browser.navigation_timing.load_event_end", "browser.resource_timing.duration"),
        "ttfb_ms": told.take("browser.resource_timing.response_start"),
    }


def _action(told: Told, name: str) -> dict[str, Json]:
    """Read an action; what was done may be the end of the event's name: ``browser.user_action.click``."""
    kind = told.take("browser.user_action.type", "type") or name.removeprefix(f"{_BROWSER}user_action").lstrip(".")
    return {"event_kind": "action", "action_type": kind or None} | _taken(told, _ACTION)


def _exception(told: Told) -> dict[str, Json]:
    source = told.take("error.source") or "exception"
    return {"event_kind": "error", "error_source": source} | _taken(told, _EXCEPTION) | _taken(told, _ACTION)


def _console(told: Told) -> dict[str, Json]:
    method = told.take("browser.console.method")
    if method not in {"error", "assert"}:
        return {"event_kind": "custom", "action_type": method}
    return {"event_kind": "error", "error_source": "console", "exception_message": told.take("body")}


def _request(told: Told) -> dict[str, Json]:
    given = told.take("http.request.path")
    path, _ = page_of(given or told.peek("url.full"))
    page, query = told.take("url.path"), told.take("url.query")
    return {"event_kind": "request", "request_path": path, "url_path": page, "url_query": query} | _taken(
        told, _REQUEST
    )


def _custom(_told: Told) -> dict[str, Json]:
    return {"event_kind": "custom"}


_KINDS: Final[Mapping[str, Callable[[Told], dict[str, Json]]]] = {
    "browser.page_view": _view,
    "browser.navigation": _view,
    "browser.web_vital": _vital,
    "browser.navigation_timing": _timing,
    "browser.resource_timing": _request,
    "browser.request": _request,
    "browser.console": _console,
    "browser.exception": _exception,
    "exception": _exception,
}
