"""A small made-up site with errors whose causes are known."""

import random

import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_sessions import SESSIONS_SCHEMA, build_session_events, build_sessions
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import RUM_EVENTS, conform

HOUR_US = 3_600_000_000
START_US = 20_000 * 24 * HOUR_US
CONVERSIONS = ("purchase",)
PRICE = {
    "error_source": "exception",
    "error_type": "TypeError",
    "exception_message": "undefined is not an object (evaluating 'p.price')",
    "exception_stacktrace": "renderPrice@https://shop.example/cart.js:1:2",
}
TIMEOUT = {"error_source": "network", "error_type": "timeout", "exception_message": "GET /api/cart/55 failed"}
CHUNK = {"error_source": "console", "exception_message": "chunk 7 gone"}
EMAIL = {"error_source": "validation", "exception_message": "Not an e-mail address", "target_test_id": "email"}


def site_events(sessions: int, *, seed: int) -> pl.DataFrame:
    """Make events in which

    - Safari's users meet PRICE in the cart four times out of ten, twice each, and then seldom buy
    - the French meet TIMEOUT in the cart from 19 to 22 h local time, half of them
    - one visit in fifty meets CHUNK on the first page, whoever it is
    - one form in seven says EMAIL, once
    """
    chance, rows = random.Random(seed), []
    for number in range(sessions):
        rows += _session(chance, number)
    absent = dict.fromkeys(("user_id", "client_address", "user_agent_original"))
    frame = pl.DataFrame([{**absent, **row} for row in rows], infer_schema_length=None)
    return conform(with_visitors(frame), RUM_EVENTS)


def _session(chance, number):
    browser = chance.choice(["Chrome"] * 6 + ["Safari"] * 3 + ["Firefox"])
    country, offset_min = chance.choice([("DE", 60), ("DE", 60), ("FR", 60), ("US", -300)])
    hour = chance.choice([8, 10, 12, 14, 16, 18, 19, 20, 21, 22])
    client = {
        "visitor_id": f"v{number}",
        "session_id": f"s{number}",
        "browser_name": browser,
        "browser_version": f"{chance.choice([17, 18])}.1.2",
        "device_type": chance.choice(["mobile", "desktop"]),
        "geo_country_iso_code": country,
        "service_version": chance.choice(["1.0", "1.1"]),
        "utc_offset_min": offset_min,
    }
    at = START_US + hour * HOUR_US - offset_min * HOUR_US // 60 + chance.randrange(HOUR_US // 2)
    events = [{"event_kind": "view", "url_path": "/", "lcp_ms": chance.lognormvariate(7, 0.5)}]
    if chance.random() < 0.02:
        events.append({"event_kind": "error", "url_path": "/", **CHUNK})
    if chance.random() < 0.7:
        events += _cart(chance, browser, french_evening=country == "FR" and 19 <= hour < 22)
    return [{"time_us": at + 1_000_000 * place, **client, **event} for place, event in enumerate(events)]


def _cart(chance, browser, *, french_evening):
    events, buys = [{"event_kind": "view", "url_path": "/cart"}], 0.6
    if browser == "Safari" and chance.random() < 0.4:
        buys = 0.1
        events += [{"event_kind": "error", "url_path": "/cart", **PRICE}] * 2
    if french_evening and chance.random() < 0.5:
        events.append({"event_kind": "error", "url_path": "/cart", **TIMEOUT})
    events.append({"event_kind": "action", "url_path": "/cart", "action_type": "submit", "target_name": "Pay 12"})
    if chance.random() < 0.15:
        events.append({"event_kind": "error", "url_path": "/cart", **EMAIL})
    if chance.random() < buys:
        events.append({"event_kind": "custom", "event_name": "purchase", "url_path": "/cart"})
    return events


def sessionise(events: pl.DataFrame, *, conversions=CONVERSIONS):
    """Return the events with their sessions, lazily, and the sessions."""
    lazy = build_session_events(nw.from_native(events.lazy()), gap_min=30)
    return lazy, collect(build_sessions(lazy, conversions=conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"])
