"""The kinds of faults and their attributes, as the API takes and shows them.

The first six types are Toxiproxy's and act on bytes; the ``http_`` types are this server's own and act on requests.
Toxiproxy ignores attributes it does not know; here they are errors, because a fault that silently does nothing makes
a test pass for no reason.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Stream = Literal["upstream", "downstream"]

INVALID_STREAM = "stream was invalid, can be either upstream or downstream"
INVALID_TYPE = "invalid toxic type"

_REQUIRED = object()
_LONGEST_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """What an attribute is called in the API, its default, and which values it takes."""

    key: str
    default: object
    expects: str
    accepts: Callable[[Any], bool]


def _whole(key: str, *, low: int = 0, high: int = _LONGEST_MS, default: object = 0) -> Any:  # noqa: ANN401
    def accepts(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return _attribute(Rule(key, default, f"a whole number from {low} to {high}", accepts))


def _share(key: str) -> Any:  # noqa: ANN401
    return _attribute(Rule(key, 1.0, "a number from 0 to 1", _is_share))


def _text(key: str, pattern: str, expects: str, *, default: str = "") -> Any:  # noqa: ANN401
    def accepts(value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None

    return _attribute(Rule(key, default, expects, accepts))


def _attribute(rule: Rule) -> Any:  # noqa: ANN401
    if rule.default is _REQUIRED:
        return dataclasses.field(metadata={"rule": rule})
    return dataclasses.field(default=rule.default, metadata={"rule": rule})


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Bytes arrive `latency_ms` later, give or take `jitter_ms`."""

    latency_ms: int = _whole("latency")
    jitter_ms: int = _whole("jitter")


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """Bytes are dropped; the connection closes after `timeout_ms`, or with 0 when the toxic is removed."""

    timeout_ms: int = _whole("timeout")


@dataclass(frozen=True, kw_only=True)
class ResetPeer:
    """The connection is reset (TCP RST) `timeout_ms` after the first bytes."""

    timeout_ms: int = _whole("timeout")


@dataclass(frozen=True, kw_only=True)
class Bandwidth:
    """Bytes pass at `rate_kb_per_s` thousand a second."""

    rate_kb_per_s: int = _whole("rate", low=1, high=1_000_000_000, default=_REQUIRED)


@dataclass(frozen=True, kw_only=True)
class SlowClose:
    """The end of the stream arrives `delay_ms` late."""

    delay_ms: int = _whole("delay")


@dataclass(frozen=True, kw_only=True)
class LimitData:
    """The connection closes after `limit_bytes` have passed."""

    limit_bytes: int = _whole("bytes", high=1 << 62)


@dataclass(frozen=True, kw_only=True)
class HttpFault:
    """What request-level faults share: the share of requests, its seed, and which requests count.

    `method` and `path_prefix` filter before the share is drawn: a rate of 0.5 is half of the requests that match.
    """

    rate: float = _share("rate")
    seed: int = _whole("seed", high=(1 << 63) - 1)
    method: str = _text("method", r"[A-Za-z]{0,16}", "the name of an HTTP method")
    path_prefix: str = _text("path_prefix", r"(/[!-~]*)?", "a path that starts with a slash, as it is sent")


@dataclass(frozen=True, kw_only=True)
class HttpLatency(HttpFault):
    """A struck request waits `latency_ms`, give or take `jitter_ms`, before it goes upstream."""

    latency_ms: int = _whole("latency_ms", default=_REQUIRED)
    jitter_ms: int = _whole("jitter_ms")


@dataclass(frozen=True, kw_only=True)
class HttpStatus(HttpFault):
    """A struck request is answered with `status` and `body` instead of going upstream."""

    status: int = _whole("status", low=200, high=599, default=_REQUIRED)
    body: str = _text("body", r".*", "a string")
    content_type: str = _text(
        "content_type", r"[ -~]+", "a media type in printable ASCII", default="text/plain; charset=utf-8"
    )


Attributes = Latency | Timeout | ResetPeer | Bandwidth | SlowClose | LimitData | HttpLatency | HttpStatus
AttributesT = TypeVar("AttributesT", bound=Attributes)

TYPES: dict[str, type[Attributes]] = {
    "latency": Latency,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "limit_data": LimitData,
    "http_latency": HttpLatency,
    "http_status": HttpStatus,
}
HTTP_TYPES = tuple(name for name, kind in TYPES.items() if issubclass(kind, HttpFault))
_TOXIC_KEYS = ("name", "type", "stream", "toxicity", "attributes")


@dataclass(frozen=True, slots=True)
class Toxic:
    """A fault on a proxy: its name, type, direction, share of connections, and attributes."""

    name: str
    type: str
    stream: Stream
    toxicity: float
    attributes: Attributes

    def as_json(self) -> dict[str, Any]:
        """Return the toxic as the API shows it."""
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": show_attributes(self.attributes),
        }


def parse_toxic(document: object) -> Toxic:
    """Check a decoded toxic; the stream defaults to downstream, the name to ``<type>_<stream>``.

    Raises
    ------
    ParameterError
        With Toxiproxy's own words (`INVALID_STREAM`, `INVALID_TYPE`) for a wrong stream or type; with the name of
        the attribute and what it takes otherwise.
    """
    fields = _object(document, "a toxic")
    stream = _checked_stream(fields.get("stream") or "downstream")
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ParameterError(INVALID_TYPE)
    name = fields.get("name") or f"{kind}_{stream}"
    if not isinstance(name, str) or "/" in name:
        raise ParameterError(f"`name` is {name!r}; expected a string without a slash.", hint="use a short word.")
    return Toxic(
        name=name,
        type=kind,
        stream=stream,
        toxicity=_checked_toxicity(fields.get("toxicity", 1.0)),
        attributes=_parse_attributes(kind, _object(fields.get("attributes") or {}, "`attributes`", keys=None)),
    )


def revise_toxic(toxic: Toxic, document: object) -> Toxic:
    """Return the toxic with the attributes and the toxicity of `document`; what it leaves out stays as it is."""
    fields = _object(document, "a toxic")
    changed = _object(fields.get("attributes") or {}, "`attributes`", keys=None)
    return dataclasses.replace(
        toxic,
        toxicity=_checked_toxicity(fields.get("toxicity", toxic.toxicity)),
        attributes=_parse_attributes(toxic.type, {**show_attributes(toxic.attributes), **changed}),
    )


def show_attributes(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes under the names the API gives them."""
    return {field.metadata["rule"].key: getattr(attributes, field.name) for field in dataclasses.fields(attributes)}


def _parse_attributes(type_name: str, given: Mapping[str, object]) -> Attributes:
    kind = TYPES[type_name]
    rules: dict[str, Rule] = {field.name: field.metadata["rule"] for field in dataclasses.fields(kind)}
    known = [rule.key for rule in rules.values()]
    for key in given:
        if key not in known:
            raise ParameterError.unknown("attribute", key, known=known, where=f"toxic type `{type_name}`")
    values: dict[str, Any] = {}
    for name, rule in rules.items():
        value = given.get(rule.key, rule.default)
        if value is _REQUIRED or not rule.accepts(value):
            came = "nothing" if value is _REQUIRED else repr(value)
            raise ParameterError(
                f"`{rule.key}` of toxic type `{type_name}` is {rule.expects}; it got {came}.",
                hint=f"set `{rule.key}` in `attributes`.",
            )
        values[name] = value
    return kind(**values)


def _object(document: object, what: str, *, keys: tuple[str, ...] | None = _TOXIC_KEYS) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ParameterError(f"{what} is a JSON object; it got {document!r}.", hint='write {"type": ...}.')
    for key in document:
        if keys is not None and key not in keys:
            raise ParameterError.unknown("field", key, known=keys, where=what)
    return document


def _checked_stream(stream: object) -> Stream:
    if stream == "upstream":
        return "upstream"
    if stream == "downstream":
        return "downstream"
    raise ParameterError(INVALID_STREAM)


def _checked_toxicity(toxicity: object) -> float:
    if isinstance(toxicity, int | float) and _is_share(toxicity):
        return float(toxicity)
    raise ParameterError(
        f"`toxicity` is the share of connections, a number from 0 to 1; it got {toxicity!r}.",
        hint="leave it out for every connection.",
    )
