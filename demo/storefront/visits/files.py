"""The files of a recording: the beacons with their times moved, and what is true of the sessions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
import yaml
import zstandard

from demo.errors import ShopError
from demo.storefront.builds import BUILDS
from demo.storefront.visits.plans import REPAIRED_AT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from demo.storefront.visits.clock import SessionClock
    from demo.storefront.visits.plans import Person, Visit
    from demo.storefront.visits.shopper import Story

COMPRESSION_LEVEL: Final = 19
SHOWN_ORIGIN: Final = "https://shop.example"
_REAL: Final = (
    "every page, script, beacon and web vital: a browser showed the pages of a server that ran",
    "both faults: scripts of the faulty build threw, and refused, what the fixed build does not",
    "the distances in time between what happened without somebody pausing",
)
_STAGED: Final = (
    "who the visitors are, what they want, and what they do when something goes wrong: drawn from a seed",
    "browsers and devices: one Chromium, which says it is another, in their sizes, languages and time zones",
    "the slow network: the browser's own emulation",
    "pauses: shortened while it was recorded, and stretched to what was planned afterwards",
    "the dates: whole sessions were moved",
    "the origin: shop.example in place of an address of loopback",
)
_HEAD: Final = """\
# What is true of demo/workspace/rum/sessions.jsonl.zst, for measuring what is said of it. Nothing in prodintel_lib
# reads it.
#
# causes    what makes people leave: whom it can meet, how many sessions met it, how many of them ended because of it
# mistakes  what people do wrong themselves, in both builds
# sessions  a line each: who, on what, of which build, what they met, and how it ended (left: for their own reasons)
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was recorded; `because` is what made them leave, empty where nothing did."""

    session_id: str
    person: Person
    visit: Visit
    clock: SessionClock
    story: Story
    because: str

    @property
    def end(self) -> str:
        """How it ended."""
        return "purchase" if self.story.has_bought else self.because or "left"


def write_sessions(
    sessions: Sequence[Session],
    *,
    told: Iterable[Path],
    origins: Sequence[str],
    workspace: Path,
    truth: Path,
    about: Mapping[str, str],
) -> Path:
    """Write the beacons and the truth.

    Parameters
    ----------
    sessions : sequence of Session
    told : iterable of Path
        The files of beacons as they came.
    origins : sequence of str
        The addresses the front ends had; ``https://shop.example`` takes their place.
    workspace, truth : Path
        A folder and a file.
    about : mapping
        How it was made, for the truth.

    Returns
    -------
    Path
        The file of beacons. An earlier one is replaced when the new one is complete.

    Raises
    ------
    ShopError
        If a session saw pages that no beacon tells of.
    """
    by_id = {session.session_id: session for session in sessions}
    beacons = [orjson.loads(line) for path in told for line in path.read_bytes().splitlines()]
    for beacon in beacons:
        _move(beacon, by_id)
    _require_views(beacons, sessions)
    beacons.sort(key=lambda beacon: min(int(record["timeUnixNano"]) for record in _records(beacon)))
    text = b"".join(orjson.dumps(beacon, option=orjson.OPT_APPEND_NEWLINE) for beacon in beacons)
    for origin in origins:
        text = text.replace(origin.encode(), SHOWN_ORIGIN.encode())
    target = workspace / "rum" / "sessions.jsonl.zst"
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compress(text))
    fresh.replace(target)
    truth.write_text(_HEAD + _as_yaml(describe(sessions, about=about)), encoding="utf-8")
    return target


def describe(sessions: Sequence[Session], *, about: Mapping[str, str]) -> dict[str, Any]:
    """Return what is true of the sessions."""

    def met(what: str) -> dict[str, int]:
        concerned = [session for session in sessions if what in session.story.met]
        ended = [session for session in concerned if session.because == what]
        bought = [session for session in concerned if session.story.has_bought]
        return {"sessions": len(concerned), "left_because_of_it": len(ended), "bought": len(bought)}

    return {
        "made_by": {**about, "real": list(_REAL), "staged": list(_STAGED)},
        "conversion": "purchase",
        "releases": {build.version: build.note for build in BUILDS.values()},
        "repaired_at": REPAIRED_AT.isoformat(),
        "counts": {
            "sessions": len(sessions),
            "visitors": len({session.person.number for session in sessions}),
            "views": sum(session.story.views for session in sessions),
            "purchases": sum(session.story.has_bought for session in sessions),
            "personas": dict(Counter(session.visit.persona for session in sessions).most_common()),
        },
        "causes": {
            "dead_button": {
                "where": "/product/{product_id}",
                "browser": "Safari",
                "version": BUILDS["faulty"].version,
                "error": "TypeError: Cannot read properties of undefined (reading 'toFixed')",
                "note": (
                    "only a product's first look in a tab; who does not press the button does not notice. In both "
                    "builds the button does nothing until the price has come, which a slow network delays"
                ),
                "sessions_with_the_error": sum(session.story.exceptions > 0 for session in sessions),
                **met("dead_button"),
            },
            "refused_postcode": {
                "where": "/checkout",
                "countries": ["GB", "NL"],
                "version": BUILDS["faulty"].version,
                "error": "Enter a valid postcode.",
                **met("refused_postcode"),
            },
            "slow_network": {
                "where": "the first page",
                "network": "3g",
                "note": "planned: four times as many bounce",
                "sessions": sum(session.person.is_slow for session in sessions),
            },
        },
        "mistakes": {what: met(what) for what in ("mistyped_card", "unknown_coupon")},
        "sessions": [_line(session) for session in sorted(sessions, key=lambda session: session.visit.start)],
    }


def _line(session: Session) -> dict[str, Any]:
    person = session.person
    return {
        "id": session.session_id,
        "visitor": person.number,
        "persona": session.visit.persona,
        "device": person.device.name,
        "country": person.country.code,
        **({"slow": True} if person.is_slow else {}),
        "build": person.build,
        "views": session.story.views,
        "met": list(dict.fromkeys(session.story.met)),
        "end": session.end,
    }


def _as_yaml(truth: dict[str, Any]) -> str:
    """Write the truth, a line a session."""
    lines = [f"- {json.dumps(line)}" for line in truth.pop("sessions")]
    head = yaml.safe_dump(truth, sort_keys=False, allow_unicode=True, width=120)
    return "\n".join([f"{head}sessions:", *lines, ""])


def _records(beacon: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        record
        for resource in beacon["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def _attribute(record: dict[str, Any], name: str) -> str:
    (content,) = (pair["value"]["stringValue"] for pair in record["attributes"] if pair["key"] == name)
    return str(content)


def _move(beacon: dict[str, Any], by_id: Mapping[str, Session]) -> None:
    for record in _records(beacon):
        clock = by_id[_attribute(record, "session.id")].clock
        record["timeUnixNano"] = str(clock.said(int(record["timeUnixNano"])))


def _require_views(beacons: list[dict[str, Any]], sessions: Sequence[Session]) -> None:
    told = Counter(
        _attribute(record, "session.id")
        for beacon in beacons
        for record in _records(beacon)
        if record["eventName"] == "browser.page_view"
    )
    lacking = [session for session in sessions if told[session.session_id] < session.story.views]
    if lacking:
        raise ShopError(
            f"{len(lacking)} of {len(sessions)} sessions saw pages that no beacon tells of; nothing was written.",
            hint="record on a machine that is not busy.",
        )
