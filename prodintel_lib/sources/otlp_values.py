"""Values of OTLP/JSON: AnyValue, times, ids, key spellings, and which attribute goes into which column.

The format is https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Writers differ: 64-bit integers come as
strings or numbers, enums as numbers or names, ids as hex (the rule) or base64 (plain protobuf JSON), keys in camelCase
or snake_case. All are read.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.sources.model import INT64_LIMIT, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Old and new names of the semantic conventions (HTTP became stable in 1.23, database in 1.30).
TEXT_ALIASES: Final[Mapping[str, str]] = {
    "http.request.method": "http_request_method",
    "http.method": "http_request_method",
    "http.route": "http_route",
    "url.path": "url_path",
    "url.query": "url_query",
    "http.request.body.content": "http_request_body",
    "http.request.body": "http_request_body",
    "http.response.body.content": "http_response_body",
    "http.response.body": "http_response_body",
    "error.type": "error_type",
    "exception.type": "error_type",
    "exception.message": "exception_message",
    "exception.stacktrace": "exception_stacktrace",
    "session.id": "session_id",
    "user.id": "user_id",
    "enduser.id": "user_id",
    "user_agent.original": "user_agent_original",
    "http.user_agent": "user_agent_original",
    "server.address": "server_address",
    "service.peer.name": "peer_service",
    "peer.service": "peer_service",
    "db.system.name": "db_system_name",
    "db.system": "db_system_name",
    "db.query.text": "db_query_text",
    "db.statement": "db_query_text",
}
INT_ALIASES: Final[Mapping[str, str]] = {
    "http.response.status_code": "http_response_status_code",
    "http.status_code": "http_response_status_code",
    "server.port": "server_port",
}
RESOURCE_ALIASES: Final[Mapping[str, str]] = {
    "service.name": "service_name",
    "service.version": "service_version",
    "service.instance.id": "service_instance_id",
    "deployment.environment.name": "deployment_environment_name",
    "deployment.environment": "deployment_environment_name",
}
# What the readers themselves put beside the attributes; an attribute of that name gets an underscore after it.
RESERVED: Final = frozenset(
    {"resource", "scope", "scope_version", "scope_attributes", "events", "links", "trace_state", "flags"}
)


def any_value(value: Mapping[str, Json]) -> Json:
    """Return an AnyValue as plain JSON; an empty one is None.

    Not-a-number and the infinities, which JSON cannot write, stay text, as do integers of more than 64 bits.
    """
    for kind, content in value.items():
        convert = _CONVERTERS.get(kind)
        # stringValue and boolValue are JSON already; bytesValue stays base64.
        return content if convert is None else convert(content)
    return None


def plain_attributes(pairs: Json) -> dict[str, Json]:
    """Return a list of key-value pairs as a dict; the last of equal keys stays."""
    return {pair["key"]: any_value(pair.get("value") or {}) for pair in pairs or ()}


def _double(content: Json) -> float | str:
    number = float(content)
    return number if math.isfinite(number) else str(content)


def _array(content: Json) -> list[Json]:
    return [any_value(item) for item in content.get("values") or ()]


def _map(content: Json) -> dict[str, Json]:
    return plain_attributes(content.get("values"))


def int_or_text(content: Json) -> int | str:
    """Return an integer, or its text where 64 bits do not hold it."""
    number = int(content)
    return number if -INT64_LIMIT <= number < INT64_LIMIT else str(content)


def int64(content: Json) -> int | None:
    """Return a 64-bit integer from a number or a text; None where it is neither."""
    try:
        number = int(content)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if -INT64_LIMIT <= number < INT64_LIMIT else None


def finite(content: Json) -> float | None:
    """Return a number; None where it is absent, not a number or not finite."""
    if content is None:
        return None
    number = float(content)
    return number if math.isfinite(number) else None


def as_text(value: object) -> str:
    """Return a value for a text column: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def hex_id(value: Json, *, hex_chars: int) -> str | None:
    """Return a trace or span id as lower-case hex; empty and all-zero ones are None.

    Parameters
    ----------
    value : str
        Hex of `hex_chars` digits, or the base64 of half as many bytes.
    hex_chars : int
        32 for traces, 16 for spans.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not value:
        return None
    if len(value) == hex_chars:
        text: str = bytes.fromhex(value).hex()
        if len(text) != hex_chars:
            raise ValueError(value)
    else:
        try:
            raw = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except binascii.Error as error:
            raise ValueError(value) from error
        if len(raw) * 2 != hex_chars:
            raise ValueError(value)
        text = raw.hex()
    return text if text.strip("0") else None


def camelised(value: Json) -> Json:
    """Return an OTLP document with its keys in camelCase.

    Attributes are lists of pairs in OTLP, so that no key of a document is the user's own.
    """
    if isinstance(value, dict):
        return {_camel(key): camelised(item) for key, item in value.items()}
    if isinstance(value, list):
        return [camelised(item) for item in value]
    return value


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


_CONVERTERS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "intValue": int_or_text,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _map,
}


class Origin:
    """What all records of one resource and one scope share.

    Attributes
    ----------
    columns : dict
        Column name to value, of the resource.
    scope_name : str or None
    attributes : dict
        ``resource`` (attributes that have no column) and ``scope``, ``scope_version``, ``scope_attributes``.
    tail : bytes
        `attributes` as the inside of a JSON object, to be appended to a record's own.
    """

    __slots__ = ("attributes", "columns", "scope_name", "tail")

    def __init__(
        self, resource: Mapping[str, Json], scope: Mapping[str, Json], *, scope_is_column: bool = False
    ) -> None:
        self.columns: dict[str, str] = {}
        rest: dict[str, Json] = {}
        for key, value in plain_attributes(resource.get("attributes")).items():
            column = RESOURCE_ALIASES.get(key)
            if column is None or value is None or self.columns.setdefault(column, as_text(value)) != as_text(value):
                rest[key] = value
        self.scope_name = as_text(scope["name"]) if scope.get("name") else None
        self.attributes: dict[str, Json] = {"resource": rest} if rest else {}
        if self.scope_name and not scope_is_column:
            self.attributes["scope"] = self.scope_name
        if scope.get("version"):
            self.attributes["scope_version"] = scope["version"]
        if scope.get("attributes"):
            self.attributes["scope_attributes"] = plain_attributes(scope["attributes"])
        self.tail = orjson.dumps(self.attributes)[1:-1]

    def joined(self, own: dict[str, Json], about: dict[str, Json] | None = None) -> str | None:
        """Return a record's own attributes and the shared ones as one JSON object; None where there are none.

        Parameters
        ----------
        own : dict
        about : dict, optional
            What else is said of the record. Where it is given, `own` comes first and sorted by name.
        """
        if about is None:
            parts = [orjson.dumps(own)[1:-1], self.tail]
        else:
            parts = [orjson.dumps(own, option=orjson.OPT_SORT_KEYS)[1:-1], orjson.dumps(about)[1:-1], self.tail]
        inside = b",".join(part for part in parts if part)
        return f"{{{inside.decode()}}}" if inside else None


def origins(
    entries: Json,
    *,
    groups: tuple[str, ...],
    records: str,
    scope_is_column: bool = False,
) -> Iterator[tuple[Origin, list[Json]]]:
    """Yield the records of a document with what they share.

    Parameters
    ----------
    entries : list
        ``resourceSpans`` and the like.
    groups : tuple of str
        Keys under which scopes come: today's, and that of before OTLP 0.15.
    records : str
        ``spans``, ``logRecords``, ``metrics``.
    """
    for entry in entries:
        for group in groups:
            for scoped in entry.get(group) or ():
                scope = scoped.get("scope") or scoped.get("instrumentationLibrary") or {}
                origin = Origin(entry.get("resource") or {}, scope, scope_is_column=scope_is_column)
                yield origin, scoped.get(records) or []
