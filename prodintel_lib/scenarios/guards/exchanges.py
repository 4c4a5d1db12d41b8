"""What a guard sends: requests of a route as healthy sessions sent them, and the steps that led there.

Whom an anomaly strikes may depend on who asks and for what, so a guard sends the mix of its route, not one exemplar:
sessions are chosen evenly over everything that was sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.evidence import name_sessions
from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA
from prodintel_lib.rollups.requests import build_requests as list_requests
from prodintel_lib.scenarios.guards.model import Exchange
from prodintel_lib.scenarios.model import Masked, Request
from prodintel_lib.scenarios.recorded import ValueIndex, build_requests, leaves, read_recorded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.recorded import Authorization
    from prodintel_lib.windows import Window

SESSIONS_READ: Final = 240
EXCHANGES: Final = 40
MIN_STATUS_SHARE: Final = 0.01
# Neighbours in the order of sending should not be neighbours in content (Weyl's sequence of the golden ratio).
GOLDEN: Final = 0.6180339887498949
_LIGHT: Final = ("time_us", "trace_id", "span_id", "session_id", "route", "failed")
_READ: Final = (
    "time_us", "duration_ms", "session_id", "trace_id", "span_id", "http_request_method", "http_route", "url_path",
    "url_query", "http_response_status_code", "attributes", "http_request_body", "http_response_body", "route",
    "failed",
)  # fmt: skip

Built = tuple[tuple[Request, ...], Request]
T = TypeVar("T")


@dataclass(slots=True)
class RequestNames:
    """Requests under names: the same request under one name, and no name for two."""

    requests: dict[str, Request] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def name(self, request: Request) -> str:
        """Return the name of a request: its own id, numbered where another has it."""
        key = request.model_dump_json()
        if key not in self._names:
            taken = (request.id, *(f"{request.id}_{n}" for n in range(2, len(self.requests) + 3)))
            self._names[key] = next(name for name in taken if name not in self.requests)
            self.requests[self._names[key]] = request
        return self._names[key]

    def exchange(self, built: Built) -> Exchange:
        """Name what one customer does."""
        return Exchange(prepare=tuple(self.name(step) for step in built[0]), request=self.name(built[1]))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests of a route that healthy sessions sent, fit to be sent again.

    Attributes
    ----------
    built : tuple of (steps, request)
        A mix of everything that was sent, in the order to send it.
    statuses : tuple of int
        What they were answered with, below 500.
    why_not : str
        Why there is none; empty otherwise.
    """

    built: tuple[Built, ...] = ()
    statuses: tuple[int, ...] = ()
    why_not: str = ""


def read_exchanges(view: LakeView, route: str, window: Window, *, authorization: Authorization | None) -> Recorded:
    """Read how healthy sessions asked for a route.

    Parameters
    ----------
    view : LakeView
    route : str
        Method and template.
    window : Window
        When it was healthy.
    authorization : Authorization or None
    """
    entries = list_requests(view.scan("spans", window), window=window)
    schema = {name: REQUESTS_SCHEMA[name] for name in _LIGHT}
    light = name_sessions(collect(entries.select(*_LIGHT), schema=schema, sort_by=REQUESTS_KEYS))
    asked = light.filter(pl.col("route") == route)
    healthy = asked.filter(~pl.col("failed"))["session_id"].unique(maintain_order=True)
    if healthy.is_empty():
        return Recorded(why_not=f"no `{route}` of a session without a failure was recorded before it.")
    chosen = set(evenly(healthy.to_list(), SESSIONS_READ))
    traces = light.filter(pl.col("session_id").is_in(list(chosen)))["trace_id"].unique().to_list()
    read = {name: REQUESTS_SCHEMA[name] for name in _READ}
    whole = collect(entries.filter(nw.col("trace_id").is_in(traces)).select(*_READ), schema=read, sort_by=REQUESTS_KEYS)
    whole = name_sessions(view.private.frame(whole)).with_columns(pl.col("failed").alias("bad"))
    return choose_exchanges(whole, route, authorization=authorization)


def choose_exchanges(recorded: pl.DataFrame, route: str, *, authorization: Authorization | None) -> Recorded:
    """Make the requests of a route fit to be sent again, and choose a mix of them.

    Parameters
    ----------
    recorded : polars.DataFrame
        Entry spans as recorded.read_recorded needs them, with ``route`` and ``failed``.
    route : str
    authorization : Authorization or None
    """
    sessions = read_recorded(recorded)
    index = ValueIndex(sessions)
    of_route = recorded.filter((pl.col("route") == route) & ~pl.col("failed"))
    wanted = set(zip(of_route["trace_id"], of_route["time_us"], strict=True))
    first = {
        session: next((n for n, each in enumerate(requests) if (each.trace_id, each.time_us) in wanted), None)
        for session, requests in sessions.items()
    }
    built = [
        build_requests(sessions[session][n], sessions[session][:n], index, authorization=authorization)
        for session, n in first.items()
        if n is not None
    ]
    if not built:
        return Recorded(why_not=f"the spans of `{route}` hold no method and path: nobody knows what to send.")
    usable = _with_fewest_secrets(_authorised(built, authorization))
    mix = evenly(sorted(usable, key=_content), EXCHANGES)
    order = sorted(range(len(mix)), key=lambda place: (place * GOLDEN) % 1)
    counts = of_route["http_response_status_code"].drop_nulls().value_counts()
    statuses = [
        int(status)
        for status, n in counts.iter_rows()
        if 100 <= status < 500 and n >= MIN_STATUS_SHARE * of_route.height
    ]
    return Recorded(tuple(mix[place] for place in order), tuple(sorted(statuses)) or (200,))


def evenly(values: Sequence[T], n: int) -> list[T]:
    """Return at most `n` of some values, at even distances.

    Examples
    --------
    >>> evenly([0, 1, 2, 3, 4, 5, 6, 7], 4)
    [1, 3, 5, 7]
    """
    if len(values) <= n:
        return list(values)
    return [values[int((place + 0.5) * len(values) / n)] for place in range(n)]


def routes_of(built: Sequence[Built]) -> tuple[str, ...]:
    """Return the routes that the steps of most exchanges go through, in order, the judged one last."""
    chains: dict[tuple[str, ...], int] = {}
    for prepare, request in built:
        chain = tuple(dict.fromkeys(f"{step.method} {step.route}" for step in (*prepare, request)))
        chains[chain] = chains.get(chain, 0) + 1
    return max(chains, key=lambda chain: (chains[chain], chain))


def _authorised(built: Sequence[Built], authorization: Authorization | None) -> Sequence[Built]:
    """Leave out those that began before the recording: their token is not known. A route may need none at all."""
    if authorization is None:
        return built
    known = [
        each
        for each in built
        if any(part.into == "header" and part.at == authorization.header for part in each[1].replacements)
    ]
    return known or built


def _with_fewest_secrets(built: Sequence[Built]) -> Sequence[Built]:
    def secrets(each: Built) -> int:
        return sum(isinstance(part.value, Masked) for step in (*each[0], each[1]) for part in step.replacements)

    fewest = min(map(secrets, built))
    return [each for each in built if secrets(each) == fewest]


def _content(built: Built) -> str:
    """Return what was sent without what differs in every session, so that those alike are neighbours."""
    return json.dumps([_without_volatile(step) for step in (built[1], *built[0])], sort_keys=True)


def _without_volatile(step: Request) -> Mapping[str, object]:
    volatile = {(part.into, part.at) for part in step.replacements}
    segments = step.path[1:].split("/")
    return {
        "label": f"{step.method} {step.route}",
        "path": [segment for place, segment in enumerate(segments) if ("path", str(place)) not in volatile],
        "query": [pair for pair in step.query if ("query", pair[0]) not in volatile],
        "body": [[pointer, leaf] for pointer, leaf in leaves(step.body) if ("body", pointer) not in volatile],
    }
