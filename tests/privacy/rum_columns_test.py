"""What leaves the lake of users' events: nothing that says who they were."""

import polars as pl
import pytest

from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.tables import EXPOSURES, RUM_EVENTS, conform

PSEUDONYMS = Pseudonymiser(b"k" * 32)
ADDRESS = "83.149.9.216"
MAIL = "ann.lee@shop.de"
CARD = "4539 1488 0343 6467"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0NzExIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CANARIES = {
    "visitor_id": (f"{ADDRESS} Mozilla/5.0 (X11)", ADDRESS),
    "session_id": ("sess-4711abc", "4711abc"),
    "user_id": ("ann.lee", "ann.lee"),
    "client_address": (ADDRESS, ADDRESS),
    "url_path": (f"/users/{MAIL}/orders", "ann.lee"),
    "url_query": (f"email=ann.lee%40shop.de&token={TOKEN}&q=tea", "ann.lee"),
    "referrer": (f"https://shop.example/?session_id=4711abc&email={MAIL}", "4711abc"),
    "request_path": (f"/api/users/{MAIL}", "ann.lee"),
    "page_title": (f"Orders of {MAIL}", "ann.lee"),
    "target_name": (f"Signed in as {MAIL}", "ann.lee"),
    "target_value": (CARD, CARD),
    "exception_message": (f"card {CARD} of {MAIL} refused", CARD),
    "exception_stacktrace": (f"at pay (https://shop.example/app.js?token={TOKEN})", TOKEN),
    "attributes": (f'{{"usr.email":"{MAIL}","usr.name":"Ann Lee"}}', "ann.lee"),
}


def events() -> pl.DataFrame:
    row = {"time_us": 1_759_155_600_000_000, "event_kind": "error", "user_bucket": 3} | {
        name: value for name, (value, _) in CANARIES.items()
    }
    return conform(pl.DataFrame([row]), RUM_EVENTS)


@pytest.mark.parametrize("column", CANARIES)
def test_frame_replaces_what_is_personal_in_users_events(column):
    made = PSEUDONYMS.frame(events())[column].item()
    assert CANARIES[column][1] not in made


def test_frame_keeps_what_groups_users_events():
    made = PSEUDONYMS.frame(events())
    assert made.select("time_us", "event_kind", "user_bucket").rows() == [(1_759_155_600_000_000, "error", 3)]
    twice = PSEUDONYMS.frame(pl.concat([events(), events()]))
    assert twice["visitor_id"].n_unique() == 1


def test_frame_gives_a_visitor_of_exposures_the_same_pseudonym():
    row = {"time_us": 1_759_155_600_000_000, "source": "posthog", "feature_flag_key": "new-checkout"}
    exposures = conform(pl.DataFrame([row | {"visitor_id": CANARIES["visitor_id"][0]}]), EXPOSURES)
    made = PSEUDONYMS.frame(exposures)
    assert made["visitor_id"].item() == PSEUDONYMS.frame(events())["visitor_id"].item()
    assert made["feature_flag_key"].item() == "new-checkout"
