"""Mixpanel, its raw export: an event with its properties a line.

See https://developer.mixpanel.com/reference/raw-event-export. ``time`` is seconds since the epoch, or milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.countries import country_code
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import RumRows, Told, page_of, read_event_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

SOURCE: Final = "mixpanel"
NOT_AN_EVENT: Final = "not a Mixpanel event"
_VIEWS: Final = frozenset({"$mp_web_page_view", "mp_page_view", "Page View"})
_ACTIONS: Final[Mapping[str, str]] = {
    "$mp_click": "click",
    "$mp_dead_click": "click",
    "$mp_rage_click": "click",
    "$mp_input_change": "change",
    "$mp_scroll": "scroll",
    "$mp_submit": "submit",
}
_ROLES: Final[Mapping[str, str]] = {"a": "link", "button": "button", "select": "combobox", "textarea": "textbox"}
_SYSTEMS: Final[Mapping[str, str]] = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
_BROWSERS: Final[Mapping[str, str]] = {
    "Mobile Safari": "Safari", "Chrome iOS": "Chrome", "Firefox iOS": "Firefox", "Microsoft Edge": "Edge",
    "Android Mobile": "Android Browser",
}  # fmt: skip
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "session_id": ("$session_id", "$mp_replay_id", "session_id"),
    "user_id": ("$user_id",),
    "page_title": ("current_page_title",),
    "referrer": ("$referrer",),
    "browser_name": ("$browser",),
    "browser_version": ("$browser_version",),
    "os_name": ("$os",),
    "browser_language": ("$language",),
    "timezone_name": ("$timezone",),
    "geo_region_iso_code": ("$region",),
    "client_address": ("$ip", "ip"),
    "viewport_width_px": ("$viewportWidth",),
    "viewport_height_px": ("$viewportHeight",),
}
# A larger number counts milliseconds: as seconds it would be past the year 5138.
_SECONDS_LIMIT: Final = 1e11


def read_mixpanel_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Tables ``rum_events`` and ``exposures`` (``$experiment_started``).

    Notes
    -----
    Mixpanel reckons sessions itself and exports none, so events have a session only where one was sent along. A visitor
    is the device where one is named, else ``distinct_id``. Projects made before 2023 may export times of their own time
    zone as if they were UTC; nothing in the file says so.
    """
    return read_event_parts(stream, _read_event, malformed=NOT_AN_EVENT, part_rows=part_rows)


def _read_event(rows: RumRows, line: int, event: Json) -> None:
    name = event["event"]
    told = Told(event["properties"])
    distinct = told.take("distinct_id")
    device = told.take("$device_id")
    row = {column: told.take(*names) for column, names in _COLUMNS.items()}
    row |= {"time_us": _time_us(told.take("time")), "visitor_id": device or distinct}
    if row["user_id"] is None and device is not None and distinct not in {device, f"$device:{device}"}:
        row["user_id"] = distinct
    if name == "$experiment_started":
        kept = {column: row[column] for column in ("time_us", "visitor_id", "session_id", "user_id")}
        kept |= {
            "source": SOURCE,
            "feature_flag_key": told.take("Experiment name", "$experiment_id"),
            "feature_flag_result_variant": told.take("Variant name", "$variant_name"),
        }
        rows.exposure(line, kept, told.rest())
        return
    path, query = page_of(told.take("$current_url", "current_url"))
    given_path, given_query = told.take("current_url_path"), told.take("current_url_search")
    row |= {
        "event_name": name,
        "url_path": given_path or path,
        "url_query": str(given_query).removeprefix("?") if given_query else query,
        "browser_name": _BROWSERS.get(row["browser_name"], row["browser_name"]),
        "os_name": _SYSTEMS.get(row["os_name"], row["os_name"]),
        "geo_country_iso_code": country_code(told.take("mp_country_code")),
        "referrer": None if row["referrer"] == "$direct" else row["referrer"],
    }
    rows.event(line, row | _of_kind(name, told), told.rest())


def _time_us(value: Json) -> int:
    number = float(value)
    return round(number * (1_000_000 if number < _SECONDS_LIMIT else 1000))


def _of_kind(name: str, told: Told) -> dict[str, Json]:
    if name in _VIEWS:
        return {"event_kind": "view"}
    if name not in _ACTIONS:
        return {"event_kind": "custom"}
    tag, element_id = told.take("$el_tag_name", "$target.$tag_name"), told.take("$el_id")
    tag = str(tag).lower() if tag else None
    return {
        "event_kind": "action",
        "action_type": _ACTIONS[name],
        "target_role": told.take("$el_attr__role") or _ROLES.get(str(tag)),
        "target_name": told.take("$el_attr__aria-label", "$el_text"),
        "target_test_id": told.take("$el_attr__data-testid"),
        "target_selector": f"#{element_id}" if element_id else tag,
    }
