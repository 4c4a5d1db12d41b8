"""Data feeders: what is sent to each endpoint, in production's proportions, without what may not be sent again."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.privacy.fields import Kind, kind_of_field
from prodintel_lib.scenarios.load_model.flows import PlaceKey
from prodintel_lib.scenarios.load_model.limits import measure_endpoints
from prodintel_lib.scenarios.load_model.model import Variant
from prodintel_lib.scenarios.model import Extracted, Fresh, Masked, Replacement
from prodintel_lib.scenarios.recorded import MASK, places_of, slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.load_model.exchanges import Exchange, Exchanges
    from prodintel_lib.scenarios.load_model.flows import Flows
    from prodintel_lib.scenarios.recorded import Placed

MAX_VARIANTS: Final = 200
"""Of an endpoint, the most frequent."""

MAX_FEEDER_BYTES: Final = 300_000
"""Of all variants, as JSON."""

METHOD: Final = re.compile(r"[A-Z]{1,16}")
# RFC 9110, section 5.6.2: a token. What is none cannot be sent, and was not.
_HEADER_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_REFUSED: Final = 400
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
_SECRETS: Final = frozenset({Kind.SECRET, Kind.PIN, Kind.AUTHORIZATION, Kind.COOKIE})


@dataclass(frozen=True, slots=True)
class Feeder:
    """What may be sent to an endpoint.

    Attributes
    ----------
    variants : tuple of Variant
        The most frequent first, those that were refused last.
    seen : int
        Requests in the sample.
    sendable : int
        Those of them that could be sent again: answered as healthy ones are, with all that was sent on record.
    masked : int
        Those of the sendable that are left out because a value in them was masked, and others have none.
    why_none : str
        Why there is none, where there is none.
    """

    variants: tuple[Variant, ...]
    seen: int
    sendable: int
    masked: int
    why_none: str = ""

    @property
    def sent(self) -> int:
        """Requests of the sample that the variants stand for."""
        return sum(variant.n for variant in self.variants)


@dataclass(frozen=True, slots=True)
class _Row:
    """A variant before it is counted."""

    content: bytes
    variant: Variant
    is_refused: bool
    is_masked: bool


def build_feeders(exchanges: Exchanges, statuses: Mapping[str, Sequence[int]]) -> dict[str, Feeder]:
    """Choose what is sent to each endpoint.

    Parameters
    ----------
    exchanges : Exchanges
    statuses : mapping of str to sequence of int
        What healthy answers of each endpoint have: requests with another answer are not sent again.

    Returns
    -------
    dict of str to Feeder
        By endpoint, of all that occur in the sample.

    Notes
    -----
    Requests with a masked value are left out where the endpoint has others: who runs the load test need not provide
    one. What a place of a list of items gets is decided for all items together. The bytes there are go to the endpoints
    in turn, the most frequent variants of each first.
    """
    by_endpoint: dict[str, list[Exchange]] = defaultdict(list)
    for visitor in exchanges.visitors:
        for one in visitor:
            by_endpoint[one.endpoint].append(one)
    bodies = any(one.body_is == "json" for found in by_endpoint.values() for one in found)
    keep = re.compile("|".join(f"(?:{name})" for name in exchanges.kept_fields) or "(?!)", re.IGNORECASE)
    made = {
        endpoint: _feeder(found, exchanges.flows, frozenset(statuses.get(endpoint, ())), keep, bodies=bodies)
        for endpoint, found in sorted(by_endpoint.items())
    }
    return _within_bytes(made)


def find_sendable(exchanges: Exchanges) -> frozenset[str]:
    """Return the endpoints of which something that was recorded can be sent again.

    Parameters
    ----------
    exchanges : Exchanges
    """
    healthy = {label: one.statuses for label, one in measure_endpoints(exchanges.answers).items()}
    return frozenset(label for label, feeder in build_feeders(exchanges, healthy).items() if feeder.variants)


def _feeder(
    found: Sequence[Exchange], flows: Flows, statuses: frozenset[int], keep: re.Pattern[str], *, bodies: bool
) -> Feeder:
    healthy = [one for one in found if _is_healthy(one, statuses)]
    if not healthy:
        return Feeder((), len(found), 0, 0, "none of the recorded requests was answered as healthy ones are")
    # Where answers of the endpoint and bodies of others were captured, it would have been too.
    none_means_none = bodies and any(one.answer_captured for one in found) and not any(
        one.body_is in {"json", "other"} for one in found
    )  # fmt: skip
    whole = [one for one in healthy if _is_whole(one, none_means_none=none_means_none)]
    if not whole:
        return Feeder((), len(found), 0, 0, _why_not(healthy))
    rows = [_row(one, flows, keep) for one in whole]
    unmasked = [row for row in rows if not row.is_masked]
    kept = unmasked or rows
    return Feeder(_count(kept), len(found), len(whole), len(rows) - len(kept))


def _is_healthy(one: Exchange, statuses: frozenset[int]) -> bool:
    return not one.request.bad if one.request.status is None else one.request.status in statuses


def _is_whole(one: Exchange, *, none_means_none: bool) -> bool:
    """Whether all that was sent is on record."""
    request = one.request
    if not METHOD.fullmatch(request.method) or not request.path.startswith("/"):
        return False
    if one.body_is in {"json", "none"}:
        return True
    return one.body_is == "unknown" and (request.method in _WITHOUT_BODY or none_means_none)


def _why_not(healthy: Sequence[Exchange]) -> str:
    if not any(METHOD.fullmatch(one.request.method) for one in healthy):
        return f"`{healthy[0].request.method}` is no method that can be sent"
    if not any(one.request.path.startswith("/") for one in healthy):
        return "no path was recorded"
    if any(one.body_is == "other" for one in healthy):
        return "the bodies that were recorded are no JSON, or were cut"
    return "no body was recorded"


def _row(one: Exchange, flows: Flows, keep: re.Pattern[str]) -> _Row:
    request = one.request
    replaced: dict[tuple[str, str], Replacement] = {}
    for placed in places_of(request):
        if placed.into == "header" and not _HEADER_NAME.fullmatch(placed.at):
            continue
        origin = flows.origins.get(PlaceKey.of(one.endpoint, placed)) or _masked(placed, keep)
        if origin is not None:
            replaced[placed.into, placed.at] = Replacement(into=placed.into, at=placed.at, value=origin)
    blanks = {place: _blank(part.value) for place, part in replaced.items()}
    segments = request.path.removeprefix("/").split("/")
    variant = Variant(
        path="/" + "/".join(blanks.get(("path", str(place)), part) for place, part in enumerate(segments)),
        query=tuple((name, blanks.get(("query", name), value)) for name, value in request.query),
        headers=tuple(
            (name, blanks.get(("header", name), value))
            for name, value in request.headers
            if _HEADER_NAME.fullmatch(name) and value.isprintable()
        ),
        body=_blanked(request.body, "", blanks),
        replacements=tuple(replaced.values()),
        n=1,
    )
    return _Row(
        content=orjson.dumps(variant.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS),
        variant=variant,
        is_refused=request.status is not None and request.status >= _REFUSED,
        is_masked=any(isinstance(part.value, Masked) for part in replaced.values()),
    )


def _masked(placed: Placed, keep: re.Pattern[str]) -> Masked | None:
    """Return what must be provided: a value masked where it was recorded, or a secret, whose stand-in opens nothing."""
    if not isinstance(placed.value, str) or placed.into == "path":
        is_masked = isinstance(placed.value, str) and MASK.fullmatch(placed.value) is not None
        return Masked(name=slug(placed.key)) if is_masked else None
    is_secret = kind_of_field(placed.key) in _SECRETS and not keep.fullmatch(placed.key)
    return Masked(name=slug(placed.key)) if is_secret or MASK.fullmatch(placed.value) else None


def _blank(origin: Extracted | Fresh | Masked) -> str:
    return "{fresh}" if isinstance(origin, Fresh) else f"{{{origin.name}}}"


def _blanked(value: JsonValue, pointer: str, blanks: Mapping[tuple[str, str], str]) -> JsonValue:
    """Return a body without the values that are replaced; a number stays one, so that its replacement will be."""
    if isinstance(value, dict):
        escaped = {name: name.replace("~", "~0").replace("/", "~1") for name in value}
        return {name: _blanked(inner, f"{pointer}/{escaped[name]}", blanks) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blanked(inner, f"{pointer}/{place}", blanks) for place, inner in enumerate(value)]
    blank = blanks.get(("body", pointer))
    if blank is None:
        return value
    return 0 if isinstance(value, int) else blank


def _count(rows: Iterable[_Row]) -> tuple[Variant, ...]:
    """Count those alike; the most frequent first, equally frequent ones in no order that means anything."""
    listed = list(rows)
    counts = Counter(row.content for row in listed)
    first = {row.content: row for row in reversed(listed)}
    ranked = sorted(
        counts, key=lambda content: (first[content].is_refused, -counts[content], hashlib.sha256(content).digest())
    )
    return tuple(first[content].variant.model_copy(update={"n": counts[content]}) for content in ranked)


def _within_bytes(made: Mapping[str, Feeder]) -> dict[str, Feeder]:
    """Keep what fits: a variant of each endpoint, then the next of each, until the bytes are used up."""
    kept: dict[str, list[Variant]] = {endpoint: [] for endpoint in made}
    left = MAX_FEEDER_BYTES
    for place in range(MAX_VARIANTS):
        for endpoint, feeder in made.items():
            if place >= len(feeder.variants):
                continue
            size = len(feeder.variants[place].model_dump_json())
            # Without one variant there is no feeder, however large it is.
            if size <= left or not place:
                kept[endpoint].append(feeder.variants[place])
                left -= size
    return {endpoint: replace(feeder, variants=tuple(kept[endpoint])) for endpoint, feeder in made.items()}
