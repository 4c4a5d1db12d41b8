"""Datadog RUM events, as the SDKs write them and as its API gives them back.

The format is that of https://github.com/DataDog/rum-events-format. Durations are nanoseconds; ``date`` is milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, Told, page_of, read_event_parts, scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

NOT_AN_EVENT: Final = "not a Datadog RUM event"
SUPERSEDED: Final = "earlier version of a view"
PARTIAL: Final = "partial update of a view"
_NS_PER_MS: Final = 1e6
_SYNTHETIC: Final[Mapping[str, str]] = {"synthetics": "test", "ci_test": "test"}
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "session_id": ("session.id",),
    "visitor_id": ("usr.anonymous_id",),
    "user_id": ("usr.id",),
    "view_id": ("view.id",),
    "page_title": ("view.title",),
    "referrer": ("view.referrer",),
    "user_agent_original": ("session.useragent", "http.useragent"),
    "browser_name": ("browser.name",),
    "browser_version": ("browser.version",),
    "os_name": ("os.name",),
    "device_type": ("device.type",),
    "viewport_width_px": ("display.viewport.width",),
    "viewport_height_px": ("display.viewport.height",),
    "browser_language": ("device.locale",),
    "timezone_name": ("device.time_zone",),
    "geo_country_iso_code": ("geo.country_iso_code",),
    "geo_region_iso_code": ("geo.country_subdivision_iso_code", "geo.country_subdivision"),
    "client_address": ("session.ip", "network.client.ip"),
    "network_type": ("connectivity.effective_type", "connectivity.cellular.technology"),
    "service_name": ("service",),
    "service_version": ("version",),
    "deployment_environment_name": ("env",),
    "http_route": ("view.url_path_group",),
}
_SYSTEMS: Final[Mapping[str, str]] = {"Mac OS X": "macOS", "Mac OS": "macOS", "Chrome OS": "ChromeOS"}
_DEVICES: Final[Mapping[str, str]] = {name: name for name in ("desktop", "mobile", "tablet", "tv")}
# Column, where the value stands (today's place first), and how many of its unit make one of the column's.
_VITALS: Final = (
    ("lcp_ms", ("view.performance.lcp.timestamp", "view.largest_contentful_paint"), _NS_PER_MS),
    ("fcp_ms", ("view.performance.fcp.timestamp", "view.first_contentful_paint"), _NS_PER_MS),
    ("inp_ms", ("view.performance.inp.duration", "view.interaction_to_next_paint"), _NS_PER_MS),
    ("fid_ms", ("view.performance.fid.duration", "view.first_input_delay"), _NS_PER_MS),
    ("cls_score", ("view.performance.cls.score", "view.cumulative_layout_shift"), 1.0),
    ("ttfb_ms", ("view.performance.ttfb.duration", "view.first_byte"), _NS_PER_MS),
)


def read_datadog_rum_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read RUM events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Tables ``rum_events`` and ``exposures`` (the flags of views).

    Notes
    -----
    A view is written anew each time something about it changes; of each the highest ``_dd.document_version`` in the
    file is kept, the others are dropped and counted, as are ``view_update`` events, which hold only what changed. The
    file is read twice for that, so that what is in memory is a number a view.
    """
    latest = _latest_versions(stream)
    return read_event_parts(
        stream, lambda rows, line, event: read_rum_event(rows, line, event, latest), malformed=NOT_AN_EVENT,
        part_rows=part_rows,
    )  # fmt: skip


def read_rum_event(rows: RumRows, line: int, event: Json, latest: dict[str, float] | None = None) -> None:
    """Put one event into the rows.

    Parameters
    ----------
    rows : RumRows
    line : int
    event : dict
    latest : dict of view id to version, optional
        What to keep of views, where they come in versions; it loses a view once it is kept, so that a copy is dropped.
    """
    kind, view_id = event["type"], event["view"]["id"]
    if kind == "view_update":
        rows.drop(PARTIAL)
        return
    if latest is not None and kind == "view" and (version := _version(event)) is not None:
        if latest.get(view_id) != version:
            rows.drop(SUPERSEDED)
            return
        del latest[view_id]
    made = _KINDS.get(kind)
    if made is None:
        raise ValueError(kind)
    told = Told(event)
    told.take("type")
    row = {**_shared(told), "event_name": kind}
    row |= made(told)
    rows.event(line, row, told.rest())
    if kind == "view":
        _expose(rows, line, row, event.get("feature_flags"))


def _shared(told: Told) -> dict[str, Json]:
    """Return what all kinds of events say."""
    tagged = _tags(told.peek("ddtags"))
    row = {column: told.take(*names) for column, names in _SHARED.items()}
    path, query = page_of(told.take("view.url"))
    device = str(row["device_type"]).lower() if row["device_type"] else None
    machine = _SYNTHETIC.get(told.peek("session.type"))
    return row | {
        "time_us": int(told.take("date")) * 1000,
        "url_path": path,
        "url_query": query,
        "os_name": _SYSTEMS.get(row["os_name"], row["os_name"]),
        "device_type": _DEVICES.get(device, "other") if device else None,
        "user_agent_synthetic_type": machine or ("bot" if device == "bot" else None),
        "service_version": row["service_version"] or tagged.get("version"),
        "deployment_environment_name": row["deployment_environment_name"] or tagged.get("env"),
    }


def _expose(rows: RumRows, line: int, row: dict[str, Json], flags: Json) -> None:
    """Keep an exposure for each flag that was evaluated while a view was shown."""
    if not isinstance(flags, dict):
        return
    shared = {column: row[column] for column in ("time_us", "visitor_id", "session_id", "user_id")}
    for key, variant in flags.items():
        shown = {"source": "datadog", "feature_flag_key": key, "feature_flag_result_variant": variant}
        rows.exposure(line, shared | shown, {"view_id": row["view_id"]})


def _tags(text: Json) -> dict[str, str]:
    pairs = text.split(",") if isinstance(text, str) else text if isinstance(text, list) else ()
    return dict(pair.strip().split(":", 1) for pair in pairs if isinstance(pair, str) and ":" in pair)


def _latest_versions(stream: ByteStream) -> dict[str, float]:
    latest: dict[str, float] = {}
    document: Json
    for _, document in read_documents(stream):
        try:
            version = _version(document) if document["type"] == "view" else None
            if version is not None:
                view_id = document["view"]["id"]
                latest[view_id] = max(version, latest.get(view_id, version))
        except MALFORMED:
            # Not a view then; the second reading says what is wrong with it.
            continue
    return latest


def _version(event: Json) -> float | None:
    told = event.get("_dd")
    version = told.get("document_version") if isinstance(told, dict) else None
    return version if isinstance(version, int | float) and isinstance(event["view"]["id"], str) else None


def _view(told: Told) -> dict[str, Json]:
    row: dict[str, Json] = {"event_kind": "view"}
    row["duration_ms"] = scaled(told.take("view.loading_time"), by=_NS_PER_MS)
    row |= {column: scaled(told.take(*places), by=unit) for column, places, unit in _VITALS}
    return row


def _action(told: Told) -> dict[str, Json]:
    """Read an action; one that the site's own code reports is an event of its name."""
    if told.peek("action.type") == "custom":
        return {"event_kind": "custom", "event_name": told.take("action.target.name", "action.name")}
    return {
        "event_kind": "action",
        "action_type": told.take("action.type"),
        "duration_ms": scaled(told.take("action.loading_time"), by=_NS_PER_MS),
        "target_name": told.take("action.target.name", "action.name"),
        "target_role": told.take("action.target.role"),
        "target_selector": told.take("_dd.action.target.selector"),
    }


def _error(told: Told) -> dict[str, Json]:
    source = told.peek("error.source")
    path, _ = page_of(told.peek("error.resource.url"))
    return {
        "event_kind": "error",
        "error_source": source if source in {"console", "network"} else "exception",
        "error_type": told.take("error.type"),
        "exception_message": told.take("error.message"),
        "exception_stacktrace": told.take("error.stack"),
        "http_request_method": told.take("error.resource.method"),
        "http_response_status_code": told.take("error.resource.status_code"),
        "request_path": path,
    }


def _resource(told: Told) -> dict[str, Json]:
    path, _ = page_of(told.peek("resource.url"))
    return {
        "event_kind": "request",
        "http_request_method": told.take("resource.method"),
        "request_path": path,
        "http_response_status_code": told.take("resource.status_code"),
        "duration_ms": scaled(told.take("resource.duration"), by=_NS_PER_MS),
        "trace_id": _trace_id(told.take("_dd.trace_id")),
    }


def _long_task(told: Told) -> dict[str, Json]:
    return {"event_kind": "custom", "duration_ms": scaled(told.take("long_task.duration"), by=_NS_PER_MS)}


def _vital(told: Told) -> dict[str, Json]:
    """Read a vital, which is a measure of the page's own: its web vitals stand on the view."""
    return {
        "event_kind": "custom",
        "event_name": told.take("vital.name") or "vital",
        "duration_ms": scaled(told.take("vital.duration"), by=_NS_PER_MS),
    }


def _other(_told: Told) -> dict[str, Json]:
    return {"event_kind": "custom"}


def _trace_id(value: Json) -> str | None:
    """Return a trace id as hex: 64 bits come as decimal digits, 128 as hex."""
    text = str(value) if value is not None else ""
    if text in {"", "0"}:
        return None
    return (f"{int(text):x}" if text.isdecimal() and len(text) <= 20 else text).rjust(32, "0")


_KINDS: Final[Mapping[str, Callable[[Told], dict[str, Json]]]] = {
    "view": _view,
    "action": _action,
    "error": _error,
    "resource": _resource,
    "long_task": _long_task,
    "vital": _vital,
    "transition": _other,
}
