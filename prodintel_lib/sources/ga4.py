"""Google Analytics 4, its export to BigQuery saved as JSON lines (a row of ``events_YYYYMMDD`` a line).

The schema is https://support.google.com/analytics/answer/7029846. BigQuery writes integers as text in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.countries import country_code
from prodintel_lib.sources.otlp_values import int64
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import VITALS, RumRows, Told, page_of, read_event_parts, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

SOURCE: Final = "ga4"
NOT_AN_EVENT: Final = "not an event of GA4's export"
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")
_VIEWS: Final = frozenset({"page_view", "screen_view"})
_ACTIONS: Final[Mapping[str, str]] = {
    "click": "click",
    "select_item": "click",
    "select_content": "click",
    "file_download": "click",
    "scroll": "scroll",
    "form_start": "input",
    "form_submit": "submit",
}
_SYSTEMS: Final[Mapping[str, str]] = {"Macintosh": "macOS", "Mac OS": "macOS", "Chrome OS": "ChromeOS"}
_DEVICES: Final[Mapping[str, str]] = {
    "desktop": "desktop", "mobile": "mobile", "tablet": "tablet", "smart tv": "tv", "tv": "tv",
}  # fmt: skip
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "visitor_id": ("user_pseudo_id",),
    "user_id": ("user_id",),
    "browser_name": ("device.web_info.browser", "device.browser"),
    "browser_version": ("device.web_info.browser_version", "device.browser_version"),
    "browser_language": ("device.language",),
    "geo_region_iso_code": ("geo.region",),
    "page_title": ("param.page_title",),
    "referrer": ("param.page_referrer",),
    "service_name": ("stream_id",),
}


def read_ga4_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Tables ``rum_events`` and ``exposures`` (``experience_impression``, whose ``exp_variant_string`` is tool,
        experiment and variant, joined by ``-``).

    Notes
    -----
    ``ga_session_id`` counts within a visitor, so a session is both together. Web vitals are events named ``LCP``,
    ``CLS``, ... with a ``metric_value``, as the web-vitals library's guide for GA4 sends them; their ``value``
    is what was added since the last one, and only taken where there is no other. A country's name becomes its
    two letters; a region stays a name.
    """
    return read_event_parts(stream, _read_event, malformed=NOT_AN_EVENT, part_rows=part_rows)


def _read_event(rows: RumRows, line: int, event: Json) -> None:
    told = _told(event)
    name = told.take("event_name")
    if not isinstance(name, str):
        raise ValueError(name)  # noqa: TRY004 - the same mistake to whoever reads the file
    row = {column: told.take(*names) for column, names in _COLUMNS.items()}
    session = told.take("param.ga_session_id")
    row |= {
        "time_us": int64(told.take("event_timestamp")),
        "session_id": f"{row['visitor_id']}.{session}" if session is not None else None,
        "user_is_new": _is_new(told.peek("param.ga_session_number")),
    }
    if name == "experience_impression" and told.peek("param.exp_variant_string"):
        rows.exposure(line, *_exposure(row, told))
        return
    path, query = page_of(told.take("param.page_location"))
    system = told.take("device.operating_system", "device.web_info.operating_system")
    row |= {
        "event_name": name,
        "url_path": path or told.take("param.page_path", "param.firebase_screen"),
        "url_query": query,
        "os_name": _SYSTEMS.get(system, system),
        "device_type": _DEVICES.get(str(told.take("device.category")).lower()),
        "utc_offset_min": _offset_min(told.take("device.time_zone_offset_seconds")),
        "geo_country_iso_code": country_code(told.peek("geo.country")),
    }
    rows.event(line, row | _of_kind(name, told), told.rest())


def _told(event: Mapping[str, Json]) -> Told:
    """Return an event whose parameters are fields: ``param.page_location``."""
    rest = {key: value for key, value in event.items() if key not in {"event_params", "user_properties"}}
    return Told(
        rest | {"param": _parameters(event.get("event_params")), "user": _parameters(event.get("user_properties"))}
    )


def _parameters(listed: Json) -> dict[str, Json]:
    return {
        item["key"]: next((item["value"][kind] for kind in _VALUES if item["value"].get(kind) is not None), None)
        for item in listed or ()
    }


def _is_new(number: Json) -> bool | None:
    count = int64(number)
    return None if count is None else count == 1


def _offset_min(seconds: Json) -> int | None:
    made = scaled(seconds, by=60)
    return None if made is None else round(made)


def _exposure(row: dict[str, Json], told: Told) -> tuple[dict[str, Json], dict[str, Json]]:
    key, _, variant = str(told.take("param.exp_variant_string")).rpartition("-")
    kept = {column: row[column] for column in ("time_us", "visitor_id", "session_id", "user_id")}
    return kept | {
        "source": SOURCE,
        "feature_flag_key": key or variant,
        "feature_flag_result_variant": variant if key else None,
    }, told.rest()


def _of_kind(name: str, told: Told) -> dict[str, Json]:
    if name in _VIEWS:
        return {"event_kind": "view"}
    if name.lower() in VITALS and name.isupper():
        value = told.take("param.metric_value", "param.value")
        return {"event_kind": "vital", VITALS[name.lower()]: value}
    if name == "exception":
        message = told.take("param.description")
        return {"event_kind": "error", "error_source": "exception", "exception_message": message}
    if name in _ACTIONS:
        return {
            "event_kind": "action",
            "action_type": _ACTIONS[name],
            "target_name": told.take("param.link_text", "param.form_submit_text", "param.form_name"),
            "target_selector": _by_id(told.take("param.link_id", "param.form_id")),
        }
    return {"event_kind": "custom"}


def _by_id(element: Json) -> str | None:
    return f"#{element}" if element else None
