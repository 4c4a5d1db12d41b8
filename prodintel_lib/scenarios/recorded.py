"""Recorded requests: what a session sent and got, and which of the values may not be sent again as they are.

A value that belongs to one session alone is volatile. If an earlier answer to the same session held it, it is
extracted from that answer; if not, and it looks made up by a machine, the client made it up and a fresh one is made.
A value that several sessions sent (a product's id, a payment method) is the system's own and stays.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

from prodintel_lib.scenarios.model import Extract, Extracted, Fresh, Masked, Place, Replacement, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    from pydantic import JsonValue

    from prodintel_lib.workspace import Workspace

MASK: Final = re.compile(
    r"\[(masked|redacted|filtered|hidden)\]|\*{3,}|<(masked|redacted|filtered)>|x{6,}", re.IGNORECASE
)
MIN_TRACEABLE_LENGTH: Final = 4
MIN_MACHINE_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request of a session as it was recorded.

    ``body`` and ``answer`` are the parsed JSON bodies, None where none was captured; ``headers`` are those that the
    instrumentation was told to capture, less what a client or a fixture provides itself.
    """

    time_us: int
    session_id: str
    trace_id: str
    method: str
    route: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int | None
    duration_ms: float
    bad: bool
    body: JsonValue
    answer: JsonValue
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """Method and route, as people name it."""
        return f"{self.method} {self.route}"

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with a 2xx status."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def writes(self) -> bool:
        """Whether it may have changed the system."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}


def read_recorded(frame: pl.DataFrame) -> dict[str, tuple[RecordedRequest, ...]]:
    """Group entry spans by session, in the order of time.

    Parameters
    ----------
    frame : polars.DataFrame
        Entry spans: ``time_us, duration_ms, session_id, trace_id, http_request_method, http_route, url_path, url_query,
        http_response_status_code, http_request_body, http_response_body, bad``; ``attributes`` where headers were
        captured.
    """
    sessions: dict[str, list[RecordedRequest]] = defaultdict(list)
    for row in (
        frame.drop_nulls(["session_id", "http_request_method", "url_path"]).sort("time_us").iter_rows(named=True)
    ):
        sessions[row["session_id"]].append(read_request(row))
    return {session: tuple(requests) for session, requests in sessions.items()}


def read_request(row: Mapping[str, Any]) -> RecordedRequest:
    """Read one row of what `read_recorded` takes; session, method and path are there."""
    return RecordedRequest(
        time_us=row["time_us"],
        session_id=row["session_id"],
        trace_id=row["trace_id"],
        method=row["http_request_method"],
        route=row["http_route"] or row["url_path"],
        path=row["url_path"],
        query=tuple(parse_qsl((row["url_query"] or "").removeprefix("?"), keep_blank_values=True)),
        status=row["http_response_status_code"],
        duration_ms=row["duration_ms"],
        bad=row["bad"],
        body=parse_json(row["http_request_body"]),
        answer=parse_json(row["http_response_body"]),
        headers=_captured_headers(row.get("attributes")),
    )


HEADER_PREFIX: Final = "http.request.header."
"""OpenTelemetry's prefix of captured request headers (semantic conventions for HTTP spans)."""

NOT_OURS: Final = frozenset(
    {
        "accept-encoding", "authorization", "baggage", "connection", "content-length", "content-type", "cookie", "host",
        "proxy-authorization", "traceparent", "tracestate", "transfer-encoding", "user-agent", "x-forwarded-for",
    }
)  # fmt: skip
"""Headers that a client, a fixture or what stands between them provides."""


def _captured_headers(attributes: str | None) -> tuple[tuple[str, str], ...]:
    known = parse_json(attributes)
    if not isinstance(known, dict):
        return ()
    found = []
    for key, value in known.items():
        name = key.removeprefix(HEADER_PREFIX).lower().replace("_", "-")
        first = value[0] if isinstance(value, list) and value else value
        is_own = key.startswith(HEADER_PREFIX) and name not in NOT_OURS
        if is_own and isinstance(first, str) and not MASK.fullmatch(first):
            found.append((name, first))
    return tuple(sorted(found))


def parse_json(text: str | None) -> JsonValue:
    """Read a body; None where there is none, or it is no JSON."""
    if not text:
        return None
    try:
        parsed: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return parsed


def leaves(value: JsonValue, pointer: str = "") -> Iterable[tuple[str, JsonValue]]:
    """Yield every scalar of a JSON value with its pointer (RFC 6901)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{pointer}/{index}")
    else:
        yield pointer, value


def slug(text: str, *, fallback: str = "value") -> str:
    """Make a name that is safe as an identifier, a file name and a tag out of any text.

    Examples
    --------
    >>> slug("POST /api/orders/{order_id}")
    'post_api_orders_order_id'
    """
    words = re.sub(r"[^a-z0-9]+", "_", text.lower().encode("ascii", "ignore").decode()).strip("_")[:80].strip("_")
    return words if words and words[0].isalpha() else f"{fallback}_{words}".strip("_")


class ValueIndex:
    """Which sessions sent which values, to tell a session's own from the system's.

    Parameters
    ----------
    sessions : mapping of session id to requests
    """

    def __init__(self, sessions: Mapping[str, Sequence[RecordedRequest]]) -> None:
        self._sessions_of: dict[str, set[str]] = defaultdict(set)
        for session, requests in sessions.items():
            for request in requests:
                for value in sent_values(request):
                    self._sessions_of[value].add(session)

    def belongs_to_one_session(self, value: str) -> bool:
        """Say whether at most one session sent it."""
        return len(self._sessions_of[value]) <= 1


def sent_values(request: RecordedRequest) -> Iterable[str]:
    """Yield everything the client put into the request: path segments, query values, scalars of the body."""
    yield from _segments(request.path)
    yield from (value for _, value in (*request.query, *request.headers))
    yield from (str(value) for _, value in leaves(request.body) if isinstance(value, str | int | float))


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


class Placed(NamedTuple):
    """A value a client put into a request: `into` and `at` as `Replacement` has them, `key` what it is called there."""

    into: Place
    at: str
    key: str
    value: str | float


def places_of(request: RecordedRequest) -> Iterable[Placed]:
    """Yield every value that may differ between requests of the route: its template's own words are none."""
    template = _segments(request.route)
    for number, segment in enumerate(_segments(request.path)):
        if number >= len(template) or template[number] != segment:
            yield Placed("path", str(number), segment, segment)
    yield from (Placed("query", name, name, value) for name, value in request.query)
    yield from (Placed("header", name, name, value) for name, value in request.headers)
    for pointer, leaf in leaves(request.body):
        if isinstance(leaf, str | int | float) and not isinstance(leaf, bool):
            yield Placed("body", pointer, pointer.rsplit("/", 1)[-1], leaf)


@dataclass(frozen=True, slots=True)
class Authorization:
    """How a session is authorised, from prodintel.yaml: headers are not recorded, so this can't be learned."""

    header: str
    prefix: str
    route: str
    pointer: str

    @classmethod
    def of(cls, workspace: Workspace) -> Authorization | None:
        """Return how a session of the workspace is authorised, None where prodintel.yaml does not say."""
        auth = workspace.config.auth
        return cls(auth.header, auth.prefix, auth.route, auth.pointer) if auth else None


def build_requests(
    subject: RecordedRequest,
    before: Sequence[RecordedRequest],
    index: ValueIndex,
    *,
    authorization: Authorization | None = None,
) -> tuple[tuple[Request, ...], Request]:
    """Turn a recorded request and what its session did before into requests that can be sent again.

    Kept of what went before: successful writes, since they made the state, and every answer that a later request takes
    a value from.

    Parameters
    ----------
    subject : RecordedRequest
        The request of interest.
    before : sequence of RecordedRequest
        The session's requests before it, oldest first.
    index : ValueIndex
    authorization : Authorization, optional

    Returns
    -------
    tuple of Request, Request
        The set-up in order, and the request of interest.
    """
    usable = [request for request in before if request.succeeded and request.label != subject.label]
    kept = [request for request in usable if request.writes]
    extracts: dict[int, list[Extract]] = defaultdict(list)
    replaced: dict[int, tuple[Replacement, ...]] = {}
    pending = [subject, *kept]
    while pending:
        request = pending.pop(0)
        earlier = [other for other in usable if other.time_us < request.time_us]
        replaced[id(request)] = _replacements(request, earlier, index, extracts)
        for source in usable:
            if extracts[id(source)] and source not in kept:
                kept.append(source)
                pending.append(source)
    kept.sort(key=lambda request: request.time_us)
    steps = [*kept, subject]
    _authorize(steps, replaced, extracts, authorization)
    names = _step_ids(steps)
    built = [
        _request(step, name, replaced[id(step)], extracts[id(step)]) for step, name in zip(steps, names, strict=True)
    ]
    return tuple(built[:-1]), built[-1]


def _replacements(
    request: RecordedRequest,
    earlier: Sequence[RecordedRequest],
    index: ValueIndex,
    extracts: dict[int, list[Extract]],
) -> tuple[Replacement, ...]:
    found: list[Replacement] = []
    for place in places_of(request):
        found += _replacement(place, earlier, index, extracts)
    return tuple(found)


def _replacement(
    place: Placed,
    earlier: Sequence[RecordedRequest],
    index: ValueIndex,
    extracts: dict[int, list[Extract]],
) -> list[Replacement]:
    into, at, key, value = place
    text = str(value)
    if isinstance(value, str) and MASK.fullmatch(text):
        return [Replacement(into=into, at=at, value=Masked(name=slug(key)))]
    if not index.belongs_to_one_session(text):
        return []
    source = _find_source(text, earlier)
    if source:
        request, pointer = source
        name = _extract_name(extracts[id(request)], request, pointer)
        return [Replacement(into=into, at=at, value=Extracted(name=name))]
    fresh = machine_made(text) if isinstance(value, str) else None
    return [Replacement(into=into, at=at, value=fresh)] if fresh else []


def _find_source(value: str, earlier: Sequence[RecordedRequest]) -> tuple[RecordedRequest, str] | None:
    if len(value) < MIN_TRACEABLE_LENGTH:
        return None
    for request in reversed(earlier):
        for pointer, leaf in leaves(request.answer):
            if isinstance(leaf, str | int) and not isinstance(leaf, bool) and str(leaf) == value:
                return request, pointer
    return None


def _extract_name(extracts: list[Extract], request: RecordedRequest, pointer: str) -> str:
    for known in extracts:
        if known.pointer == pointer:
            return known.name
    name = slug(pointer.rsplit("/", 1)[-1])
    if any(known.name == name for known in extracts):
        name = slug(f"{request.label} {pointer}")
    extracts.append(Extract(name=name, pointer=pointer))
    return name


def machine_made(value: str) -> Fresh | None:
    """Say how to make a value of the same form, or None where it does not look made up by a machine.

    Examples
    --------
    >>> machine_made("0b9f7a52-6c3e-4f0e-9a57-1d2f3c4b5a69").format
    'uuid'
    >>> machine_made("express") is None
    True
    """
    if re.fullmatch(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", value):
        return Fresh(format="uuid", length=36)
    if len(value) < MIN_MACHINE_LENGTH:
        return None
    if value.isdigit() and value.isascii():
        return Fresh(format="digits", length=len(value))
    if re.fullmatch(r"[0-9a-f]+", value) and any(letter.isdigit() for letter in value):
        return Fresh(format="hex", length=len(value))
    if re.fullmatch(r"[A-Za-z0-9_-]+", value) and sum(letter.isdigit() for letter in value) >= 3:
        return Fresh(format="text", length=len(value))
    return None


def _authorize(
    steps: Sequence[RecordedRequest],
    replaced: dict[int, tuple[Replacement, ...]],
    extracts: dict[int, list[Extract]],
    authorization: Authorization | None,
) -> None:
    """Send the token of the first answer that gives one with every request after it."""
    if authorization is None:
        return
    giver = next((number for number, step in enumerate(steps) if step.label == authorization.route), None)
    if giver is None:
        return
    name = _extract_name(extracts[id(steps[giver])], steps[giver], authorization.pointer)
    header = Replacement(
        into="header", at=authorization.header, value=Extracted(name=name, prefix=authorization.prefix)
    )
    for step in steps[giver + 1 :]:
        replaced[id(step)] = (*replaced[id(step)], header)


def _step_ids(steps: Sequence[RecordedRequest]) -> list[str]:
    counts: Counter[str] = Counter()
    names = []
    for step in steps:
        name = slug(step.label, fallback="request")
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return names


def _request(
    step: RecordedRequest, name: str, replacements: tuple[Replacement, ...], extracts: Sequence[Extract]
) -> Request:
    return Request(
        id=name,
        method=step.method,
        route=step.route,
        path=step.path,
        query=step.query,
        headers=step.headers,
        body=step.body,
        replacements=replacements,
        extracts=tuple(extracts),
    )
