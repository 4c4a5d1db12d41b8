"""Who visits, when it is said to have happened, and what is kept of it; no browser is needed for that."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
import zstandard

from demo import storefront
from demo.errors import ShopError
from demo.storefront.visits.clock import Pause, SessionClock
from demo.storefront.visits.files import Session, write_sessions
from demo.storefront.visits.plans import FIRST_DAY, QUIET_HOURS_UTC, REPAIRED_AT, plan_people
from demo.storefront.visits.shopper import Story
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.otlp import read_otlp

TRUTH = Path(storefront.__file__).parent / "truth.yaml"
WORKSPACE = TRUTH.parents[1] / "workspace"
SESSIONS = WORKSPACE / "rum" / "sessions.jsonl.zst"
LARGEST_BYTES = 600_000
AROUND_INCIDENTS = timedelta(minutes=60)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (1_000, 50_000),
        (1_100, 50_100),
        (1_150, 50_600),
        (1_200, 51_100),
        (1_260, 51_160),
        (1_300, 51_180),
        (1_400, 51_280),
    ],
)
def test_clock_moves_a_session_and_stretches_its_pauses_only(at: int, said: int) -> None:
    longer, shorter = Pause(1_100, 1_200, 1_000), Pause(1_260, 1_300, 20)

    assert SessionClock(1_000, 50_000, [longer, shorter]).said(at) == said


def test_clock_stands_a_pause_without_length() -> None:
    clock = SessionClock(0, 0, [Pause(10, 10, 500)])

    assert [clock.said(time) for time in (9, 10, 11, 12)] == [9, 10, 510, 511]


def test_plan_people_depends_on_the_seed_only() -> None:
    assert plan_people(40, seed=7) == plan_people(40, seed=7)
    assert plan_people(40, seed=7) != plan_people(40, seed=8)


def test_plan_people_makes_so_many_visits_and_keeps_out_of_the_quiet_hours() -> None:
    people = plan_people(400, seed=7)
    visits = [visit for person in people for visit in person.visits]

    assert len(visits) == 400
    assert {visit.start.hour for visit in visits} & set(QUIET_HOURS_UTC) == set()
    assert min(visit.start for visit in visits) >= FIRST_DAY - timedelta(days=1)
    assert max(visit.start for visit in visits) < FIRST_DAY + timedelta(days=5, hours=12)
    assert {person.device.name for person in people} == {
        "windows-chrome",
        "windows-edge",
        "windows-firefox",
        "mac-safari",
        "android-chrome",
        "android-firefox",
        "iphone-safari",
    }


def test_plan_people_gives_each_person_one_build_and_returners_a_visit_before() -> None:
    for person in plan_people(400, seed=7):
        builds = {"faulty" if visit.start < REPAIRED_AT else "fixed" for visit in person.visits}
        personas = [visit.persona for visit in person.visits]
        starts = [visit.start for visit in person.visits]

        assert builds == {person.build}
        assert [persona == "returner" for persona in personas] == [False, True][: len(personas)]
        assert starts == sorted(starts)


def test_plan_people_lets_the_slow_bounce_more_often() -> None:
    people = plan_people(3_000, seed=7)

    def bouncing(*, slow: bool) -> float:
        first = [person.visits[0].persona for person in people if person.is_slow == slow]
        return first.count("bouncer") / len(first)

    assert all(person.device.is_phone for person in people if person.is_slow)
    # Planned: 0.14 of all, and 4 × 0.14 of 1.42 among the slow; ± 3 standard errors of 250 people.
    assert bouncing(slow=False) == pytest.approx(0.14, abs=0.03)
    assert bouncing(slow=True) == pytest.approx(0.394, abs=0.1)


def session_of(session_id: str, *, views: int, started_ns: int, said: datetime) -> Session:
    person = plan_people(1, seed=7)[0]
    clock = SessionClock(started_ns, int(said.timestamp()) * 1_000_000_000)
    return Session(session_id, person, replace(person.visits[0], start=said), clock, Story(views=views), "")


def beacon(session_id: str, *records: tuple[int, str]) -> dict[str, Any]:
    def record(time_ns: int, name: str) -> dict[str, Any]:
        told = {"session.id": session_id, "http.request.header.referer": "http://127.0.0.1:4711/cart"}
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
        return {"timeUnixNano": str(time_ns), "eventName": name, "attributes": attributes}

    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record(*given) for given in records]}]}]}


def written(tmp_path: Path, sessions: list[Session], beacons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = tmp_path / "told.jsonl"
    told.write_bytes(b"".join(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE) for found in beacons))
    target = write_sessions(
        sessions,
        told=[told],
        origins=["http://127.0.0.1:4711"],
        workspace=tmp_path,
        truth=tmp_path / "truth.yaml",
        about={"command": "by hand"},
    )
    return [json.loads(line) for line in zstandard.decompress(target.read_bytes()).splitlines()]


def test_write_sessions_moves_each_session_and_hides_the_address(tmp_path: Path) -> None:
    late = session_of("late", views=1, started_ns=1_000, said=datetime(2026, 11, 18, tzinfo=UTC))
    early = session_of("early", views=1, started_ns=9_000, said=datetime(2026, 11, 17, tzinfo=UTC))
    view = "browser.page_view"

    lines = written(
        tmp_path, [late, early], [beacon("late", (1_500, view)), beacon("early", (9_000, view), (9_001, "x"))]
    )

    records = [line["resourceLogs"][0]["scopeLogs"][0]["logRecords"] for line in lines]
    assert [[record["timeUnixNano"] for record in found] for found in records] == [
        ["1794873600000000000", "1794873600000000001"],
        ["1794960000000000500"],
    ]
    values = {pair["value"]["stringValue"] for found in records for record in found for pair in record["attributes"]}
    assert values == {"late", "early", "https://shop.example/cart"}
    truth = yaml.safe_load((tmp_path / "truth.yaml").read_text())
    assert truth["made_by"]["command"] == "by hand"
    assert [(told["id"], told["views"], told["end"]) for told in truth["sessions"]] == [
        ("early", 1, "left"),
        ("late", 1, "left"),
    ]


def test_write_sessions_refuses_a_session_whose_pages_were_not_told_of(tmp_path: Path) -> None:
    session = session_of("s", views=2, started_ns=0, said=datetime(2026, 11, 18, tzinfo=UTC))

    with pytest.raises(ShopError, match="1 of 1 sessions saw pages that no beacon tells of; nothing was written"):
        written(tmp_path, [session], [beacon("s", (1, "browser.page_view"))])
    assert not (tmp_path / "rum").exists()


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return yaml.safe_load(TRUTH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows() -> Any:
    read = read_otlp(ByteStream(SESSIONS))
    assert read.quarantined == ()
    assert set(read.frames) == {"rum_events"}
    return read.frames["rum_events"]


def test_recording_is_small_and_keeps_its_distance_from_the_incidents(rows) -> None:
    assert SESSIONS.stat().st_size < LARGEST_BYTES
    times = [datetime.fromtimestamp(time_us / 1e6, UTC) for time_us in rows["time_us"]]
    for about in (WORKSPACE / "recordings").glob("*.json"):
        phases = json.loads(about.read_text())["phases"]
        start, end = (datetime.fromisoformat(phases[at][key]) for at, key in ((0, "start"), (-1, "end")))
        near = [time for time in times if start - AROUND_INCIDENTS < time < end + AROUND_INCIDENTS]
        assert near == [], about.name


def test_recording_holds_the_sessions_that_the_truth_tells_of(rows, truth) -> None:
    views = Counter(rows.filter(rows["event_kind"] == "view")["session_id"])
    bought = set(rows.filter(rows["event_name"] == "purchase")["session_id"])

    assert {told["id"]: told["views"] for told in truth["sessions"]} == dict(views)
    assert {told["id"] for told in truth["sessions"] if told["end"] == "purchase"} == bought
    assert truth["counts"]["sessions"] == len(truth["sessions"])
    assert truth["counts"]["purchases"] == len(bought)


def test_truth_tells_of_the_people_who_were_planned(truth) -> None:
    words = truth["made_by"]["command"].split()
    count, seed = (int(words[words.index(option) + 1]) for option in ("--count", "--seed"))
    planned = {
        (person.number, visit.persona, person.device.name, person.country.code, person.is_slow, person.build)
        for person in plan_people(count, seed=seed)
        for visit in person.visits
    }

    keys = ("visitor", "persona", "device", "country", "slow", "build")
    assert {tuple({"slow": False, **told}[key] for key in keys) for told in truth["sessions"]} == planned


def test_truth_lets_only_those_meet_a_fault_whom_it_can_meet(rows, truth) -> None:
    dead, refused = (
        [told for told in truth["sessions"] if what in told["met"]] for what in ("dead_button", "refused_postcode")
    )

    # Also a slow network keeps the price from coming in time.
    on_safari = [told for told in dead if not told.get("slow")]
    assert {(told["device"].partition("-")[2], told["build"]) for told in on_safari} == {("safari", "faulty")}
    assert {(told["country"], told["build"]) for told in refused} == {("GB", "faulty"), ("NL", "faulty")}
    errors = rows.filter(rows["event_kind"] == "error")
    thrown = set(errors.filter(errors["error_source"] == "exception")["session_id"])
    complained = set(errors.filter(errors["exception_message"] == "Enter a valid postcode.")["session_id"])
    assert {told["id"] for told in on_safari} <= thrown
    assert len(thrown) == truth["causes"]["dead_button"]["sessions_with_the_error"]
    assert {told["id"] for told in refused} == complained
    assert {name for name in errors["target_name"] if name} == {"Postcode", "Card number", "Coupon code"}


def test_recording_holds_no_personal_value() -> None:
    text = zstandard.decompress(SESSIONS.read_bytes()).decode()

    for personal in (
        "visitor1@",
        "@shop.example",
        "Visitor 1",
        "4242 4242",
        "SW1A",
        "1012 AB",
        "High Street",
        "127.0.0.1",
    ):
        assert personal not in text
