"""Sessions written by hand: rows of RUM_EVENTS as a front end records them."""

import polars as pl

from prodintel_lib.tables import RUM_EVENTS, conform

START_US = 1_731_000_000_000_000
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.6 Mobile/15E148 Safari/604.1"
)
CLIENT = {
    "user_agent_original": SAFARI,
    "viewport_width_px": 390,
    "viewport_height_px": 844,
    "device_type": "mobile",
    "browser_language": "en-GB",
    "timezone_name": "Europe/London",
}
TARGET = {
    "role": "target_role",
    "name": "target_name",
    "test_id": "target_test_id",
    "selector": "target_selector",
    "value": "target_value",
}


def at(seconds: float) -> int:
    return START_US + round(seconds * 1e6)


def view(seconds: float, path: str, *, route: str | None = None, load_ms: float = 400.0, query: str = "") -> dict:
    row = {"event_kind": "view", "event_name": "browser.page_view", "duration_ms": load_ms}
    return row | {"time_us": at(seconds), "url_path": path, "http_route": route, "url_query": query}


def act(seconds: float, path: str, action: str, *, input_type: str = "", **target: str | None) -> dict:
    row = {"event_kind": "action", "event_name": "browser.user_action", "action_type": action, "url_path": path}
    row |= {TARGET[name]: value for name, value in target.items()}
    if input_type:
        row["attributes"] = f'{{"element.input_type": "{input_type}"}}'
    return row | {"time_us": at(seconds)}


def error(seconds: float, path: str, message: str, *, source: str = "exception", kind: str = "TypeError") -> dict:
    row = {"event_kind": "error", "event_name": "exception", "error_source": source, "error_type": kind}
    return row | {"time_us": at(seconds), "url_path": path, "exception_message": message}


def custom(seconds: float, path: str, name: str) -> dict:
    return {"event_kind": "custom", "event_name": name, "time_us": at(seconds), "url_path": path}


def request(seconds: float, path: str, status: int | None) -> dict:
    row = {"event_kind": "request", "http_response_status_code": status, "request_path": "/api"}
    return row | {"time_us": at(seconds), "url_path": path}


def session(*rows: dict, routes: dict[str, str] | None = None, **client: object) -> pl.DataFrame:
    """Return a session's events; `routes` says which routes its paths have."""
    told = [
        {"user_bucket": 3, "visitor_id": "v1", "session_id": "s1", **CLIENT, **client, **row}
        | {"http_route": row.get("http_route") or (routes or {}).get(row["url_path"])}
        for row in rows
    ]
    return conform(pl.DataFrame(told, infer_schema_length=None), RUM_EVENTS)
