"""PostHog, its batch export or its API's answer as JSON lines: an event with its properties a line.

Properties are those of https://posthog.com/docs/data/events; in an export they may be an object or JSON in a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.sources.model import Json, ReadResult, read_time
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, Told, page_of, read_event_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

SOURCE: Final = "posthog"
NOT_AN_EVENT: Final = "not a PostHog event"
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "session_id": ("$session_id",),
    "view_id": ("$pageview_id",),
    "page_title": ("title", "$title"),
    "referrer": ("$referrer",),
    "user_agent_original": ("$raw_user_agent", "$user_agent"),
    "browser_name": ("$browser",),
    "browser_version": ("$browser_version",),
    "os_name": ("$os",),
    "viewport_width_px": ("$viewport_width",),
    "viewport_height_px": ("$viewport_height",),
    "browser_language": ("$browser_language",),
    "timezone_name": ("$timezone",),
    "geo_country_iso_code": ("$geoip_country_code",),
    "client_address": ("$ip",),
    "network_type": ("$network_connection_type",),
}
_VITALS: Final[Mapping[str, str]] = {
    "lcp_ms": "$web_vitals_LCP_value",
    "inp_ms": "$web_vitals_INP_value",
    "cls_score": "$web_vitals_CLS_value",
    "fcp_ms": "$web_vitals_FCP_value",
    "ttfb_ms": "$web_vitals_TTFB_value",
    "fid_ms": "$web_vitals_FID_value",
}
_SYSTEMS: Final[Mapping[str, str]] = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
_BROWSERS: Final[Mapping[str, str]] = {
    "Mobile Safari": "Safari", "Chrome iOS": "Chrome", "Firefox iOS": "Firefox", "Microsoft Edge": "Edge",
    "Android Mobile": "Android Browser",
}  # fmt: skip
_DEVICES: Final[Mapping[str, str]] = {"Desktop": "desktop", "Mobile": "mobile", "Tablet": "tablet", "Console": "other"}
_FLAGS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "$feature_flag_called": (("$feature_flag",), ("$feature_flag_response", "$feature_flag_variant")),
    "$experiment_started": (
        ("$experiment_id", "experiment_name", "Experiment name"), ("$experiment_variant", "variant", "Variant name"),
    ),
}  # fmt: skip
_ACTIONS: Final[Mapping[str, str]] = {"$rageclick": "click", "$dead_click": "click", "$copy_autocapture": "copy"}
# The innermost element of a chain: its tag and classes, then its attributes.
_CHAIN_TAG: Final = re.compile(r"^([a-z][a-z0-9-]*)")
_CHAIN_PAIR: Final = re.compile(r'([A-Za-z_$-]+)="((?:[^"\\]|\\.)*)"')
_ROLES: Final[Mapping[str, str]] = {
    "a": "link", "button": "button", "select": "combobox", "textarea": "textbox", "form": "form",
}  # fmt: skip


def read_posthog_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Tables ``rum_events`` and ``exposures`` (``$feature_flag_called``, ``$experiment_started``).

    Notes
    -----
    A visitor is the device where one is named, else the ``distinct_id``, which is the user once that is known. What was
    acted on is the innermost element of ``elements_chain``, or the first of ``$elements``.
    """
    return read_event_parts(stream, _read_document, malformed=NOT_AN_EVENT, part_rows=part_rows)


def _read_document(rows: RumRows, line: int, document: Json) -> None:
    if isinstance(document.get("results"), list):
        for event in document["results"]:
            _read_event(rows, line, event)
    else:
        _read_event(rows, line, document)


def _read_event(rows: RumRows, line: int, event: Mapping[str, Json]) -> None:
    properties = event.get("properties") or {}
    if isinstance(properties, str):
        properties = orjson.loads(properties)
    about = {key: value for key, value in event.items() if key != "properties"}
    elements = properties.pop("$elements", None) or about.get("elements")
    told = Told(properties)
    name, distinct = about.pop("event"), about.pop("distinct_id")
    visitor, user = _who(told, distinct)
    row = {column: told.take(*names) for column, names in _COLUMNS.items()}
    row |= {
        "time_us": read_time(str(about.pop("timestamp")).replace(" ", "T", 1)),
        "visitor_id": visitor,
        "user_id": user,
    }
    if name in _FLAGS:
        keys, variants = _FLAGS[name]
        kept = {column: row[column] for column in ("time_us", "visitor_id", "session_id", "user_id")}
        kept |= {
            "source": SOURCE,
            "feature_flag_key": told.take(*keys),
            "feature_flag_result_variant": told.take(*variants),
        }
        rows.exposure(line, kept, told.rest() | about)
        return
    path, query = page_of(told.take("$current_url"))
    row |= {
        "event_name": name,
        "url_path": told.take("$pathname") or path,
        "url_query": query,
        "browser_name": _BROWSERS.get(row["browser_name"], row["browser_name"]),
        "os_name": _SYSTEMS.get(row["os_name"], row["os_name"]),
        "device_type": _DEVICES.get(told.take("$device_type")),
        "geo_region_iso_code": _region(row["geo_country_iso_code"], told),
        "referrer": None if row["referrer"] == "$direct" else row["referrer"],
    }
    row |= _of_kind(name, told, elements, about)
    rows.event(line, row, told.rest() | {key: value for key, value in about.items() if value not in (None, "", [])})


def _who(told: Told, distinct: Json) -> tuple[Json, Json]:
    """Return visitor and user: an identified person's ``distinct_id`` is the user."""
    device = told.take("$device_id")
    user = told.take("$user_id")
    if user is None and (told.peek("$is_identified") is True or (device is not None and device != distinct)):
        user = distinct
    return device or distinct, user


def _region(country: Json, told: Told) -> Json:
    """Return ISO 3166-2 where both parts are known: ``US`` and ``CA`` are ``US-CA``."""
    part = told.take("$geoip_subdivision_1_code")
    return f"{country}-{part}" if country and part else told.take("$geoip_subdivision_1_name") or part


def _of_kind(name: str, told: Told, elements: Json, about: dict[str, Json]) -> dict[str, Json]:
    if name in {"$pageview", "$screen"}:
        return {"event_kind": "view"} | ({"url_path": told.take("$screen_name")} if name == "$screen" else {})
    if name == "$web_vitals":
        return {"event_kind": "vital"} | {column: told.take(source) for column, source in _VITALS.items()}
    if name == "$exception":
        return _exception(told)
    if name == "$autocapture" or name in _ACTIONS:
        kind = told.take("$event_type") if name == "$autocapture" else _ACTIONS[name]
        return {"event_kind": "action", "action_type": kind} | _target(
            told, elements, about.pop("elements_chain", None)
        )
    return {"event_kind": "custom"}


def _exception(told: Told) -> dict[str, Json]:
    listed = told.peek("$exception_list")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    trace = first.get("stacktrace")
    frames = trace.get("frames") if isinstance(trace, dict) else None
    return {
        "event_kind": "error",
        "error_source": "exception",
        "error_type": told.take("$exception_type") or first.get("type"),
        "exception_message": told.take("$exception_message") or first.get("value"),
        "exception_stacktrace": told.take("$exception_stack_trace_raw") or _stacktrace(frames),
    }


def _stacktrace(frames: Json) -> str | None:
    """Return frames as browsers write a stack trace; PostHog lists the innermost call last."""
    lines = [
        f"    at {frame.get('function') or '<anonymous>'} "
        f"({frame.get('filename')}:{frame.get('lineno')}:{frame.get('colno')})"
        for frame in reversed(frames or ())
        if isinstance(frame, dict)
    ]
    return "\n".join(lines) or None


def _target(told: Told, elements: Json, chain: Json) -> dict[str, Json]:
    """Return what was acted on, from whichever of the three ways PostHog writes it."""
    if isinstance(elements, list) and elements and isinstance(elements[0], dict):
        said = {str(key): value for key, value in elements[0].items()}
        tag = said.get("tag_name")
    elif isinstance(chain, str) and chain:
        innermost = chain.split(";", 1)[0]
        found = _CHAIN_TAG.match(innermost)
        tag = found[1] if found else None
        said = dict(_CHAIN_PAIR.findall(innermost))
    else:
        said, tag = {}, None
    element_id = said.get("attr__id") or said.get("attr_id")
    return {
        "target_role": said.get("attr__role") or _ROLES.get(str(tag)),
        "target_name": said.get("attr__aria-label")
        or told.take("$el_text")
        or said.get("$el_text")
        or said.get("text"),
        "target_test_id": said.get("attr__data-testid") or said.get("attr__data-test-id"),
        "target_selector": f"#{element_id}" if element_id else tag,
    }
