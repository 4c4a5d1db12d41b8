"""Healthy answers: what sessions of healthy time sent and got, people replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import orjson
import polars as pl

from prodintel_lib.analyses.evidence import name_sessions
from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.scenarios.guards.exchanges import evenly
from prodintel_lib.scenarios.monitors.answer_schema import places
from prodintel_lib.scenarios.monitors.rules import Case
from prodintel_lib.scenarios.recorded import read_recorded
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.monitors.healthy_time import HealthyTime
    from prodintel_lib.scenarios.recorded import RecordedRequest

MAX_REQUESTS: Final = 300_000
"""Entry requests looked at one by one: the last ones of healthy time."""

SESSIONS: Final = 400

_LIGHT: Final = (
    "time_us", "duration_ms", "trace_id", "span_id", "session_id", "http_response_status_code", "route", "failed",
)  # fmt: skip
_READ: Final = (
    "time_us", "duration_ms", "session_id", "trace_id", "span_id", "http_request_method", "http_route", "url_path",
    "url_query", "http_response_status_code", "attributes", "http_request_body", "http_response_body", "route",
    "failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Requests of sampled sessions.

    Attributes
    ----------
    light : polars.DataFrame
        Every entry request that was looked at, without bodies, in the order of time.
    recorded : polars.DataFrame
        Those of the sampled sessions, with bodies, as recorded.read_recorded needs them; people replaced.
    sessions : mapping of str to tuple of RecordedRequest
    replaced : mapping of str to frozenset
        Route to the places of its answers that hold stand-ins.
    """

    light: pl.DataFrame
    recorded: pl.DataFrame
    sessions: Mapping[str, tuple[RecordedRequest, ...]]
    replaced: Mapping[str, frozenset[str]]

    def cases(self, route: str) -> list[Case]:
        """Return a healthy request of each session for a route, in the order of time.

        Which one of a session it is goes round: the first of each would have seen no second item in a cart.
        """
        wanted = self.recorded.filter((pl.col("route") == route) & ~pl.col("failed"))
        keys = set(zip(wanted["trace_id"], wanted["time_us"], strict=True))
        found: list[Case] = []
        for requests in self.sessions.values():
            own = [place for place, each in enumerate(requests) if (each.trace_id, each.time_us) in keys]
            if own:
                place = own[len(found) % len(own)]
                found.append(Case(requests[place], requests[:place]))
        return sorted(found, key=lambda case: (case.request.time_us, case.request.trace_id))


def look_at_requests(view: LakeView, healthy: HealthyTime) -> pl.DataFrame:
    """List the last entry requests of healthy time, without bodies, in the order of time; sessions as recorded."""
    window = _last_part(healthy)
    entries = build_requests(view.scan("spans", window), window=window)
    light = collect(
        entries.select(*_LIGHT), schema={name: REQUESTS_SCHEMA[name] for name in _LIGHT}, sort_by=REQUESTS_KEYS
    )
    return name_sessions(light).filter(healthy.contains(light["time_us"]))


def read_answers(view: LakeView, light: pl.DataFrame, routes: Iterable[str]) -> Answers:
    """Read how healthy sessions asked for some routes, and what they were answered.

    Parameters
    ----------
    view : LakeView
    light : polars.DataFrame
        From look_at_requests.
    routes : iterable of str
        Of each, SESSIONS sessions without a failure there are read.
    """
    chosen: set[str] = set()
    for route in routes:
        healthy = light.filter((pl.col("route") == route) & ~pl.col("failed"))["session_id"]
        chosen |= set(evenly(healthy.unique(maintain_order=True).to_list(), SESSIONS))
    mine = light.filter(pl.col("session_id").is_in(sorted(chosen)))
    if mine.is_empty():
        return Answers(light, mine, {}, {})
    window = Window(int(str(mine["time_us"].min())), int(str(mine["time_us"].max())) + 1)
    traces = mine["trace_id"].unique().sort().to_list()
    entries = build_requests(view.scan("spans", window), window=window)
    raw = collect(
        entries.filter(nw.col("trace_id").is_in(traces)).select(*_READ),
        schema={name: REQUESTS_SCHEMA[name] for name in _READ},
        sort_by=REQUESTS_KEYS,
    )
    private = name_sessions(view.private.frame(raw)).with_columns(pl.col("failed").alias("bad"))
    return Answers(light, private, read_recorded(private), _replaced(raw, private))


def _last_part(healthy: HealthyTime) -> Window:
    counts = healthy.requests.group_by("bucket_us").agg(pl.col("requests").sum()).sort("bucket_us", descending=True)
    kept = counts.filter(pl.col("requests").cum_sum() <= max(MAX_REQUESTS, int(counts["requests"][0])))
    return Window(int(kept["bucket_us"][-1]), int(kept["bucket_us"][0]) + healthy.bucket_us)


def _replaced(raw: pl.DataFrame, private: pl.DataFrame) -> dict[str, frozenset[str]]:
    """Find the places of answers at which anything was replaced: what lies there is not production's own."""
    found: dict[str, set[str]] = {}
    changed = raw["http_response_body"].ne_missing(private["http_response_body"])
    pairs = zip(
        private["route"].filter(changed),
        raw["http_response_body"].filter(changed),
        private["http_response_body"].filter(changed),
        strict=True,
    )
    for route, before, after in pairs:
        try:
            were, are = list(places(orjson.loads(before))), list(places(orjson.loads(after)))
        except orjson.JSONDecodeError:
            continue
        # Where more than values differ nothing tells what became of which.
        alike = [place for place, _ in were] == [place for place, _ in are]
        differing = (old[0] for old, new in zip(were, are, strict=False) if old != new)
        found.setdefault(route, set()).update(differing if alike else (place for place, _ in (*were, *are)))
    return {route: frozenset(known) for route, known in found.items()}
