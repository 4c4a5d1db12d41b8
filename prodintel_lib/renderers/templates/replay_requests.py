"""Recorded requests, made fit to be sent again."""

from __future__ import annotations

import copy
import secrets
import string
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_SENT = {"host", "content-length", "connection", "transfer-encoding"}
MISSING = object()

Json = Any
Data = dict[str, Any]
Filled = tuple[str, dict[bytes, bytes], Json]


class SetUpError(Exception):
    """The test could not get to the point where it would see anything."""


class UnreachableError(SetUpError):
    """Nobody answers at the target."""


def fill(request: Data, values: Mapping[str, Json], secret_values: Mapping[str, str]) -> Filled:
    """Put fresh, extracted and secret values into a recorded request: path and query, headers, body."""
    segments = [quote(segment, safe="%!$&'()*+,;=:@~") for segment in request["path"][1:].split("/")]
    query = [tuple(pair) for pair in request.get("query", [])]
    headers = {name.lower(): value for name, value in request.get("headers", [])}
    body = copy.deepcopy(request.get("body"))
    if body is not None:
        headers.setdefault("content-type", "application/json")
    for replacement in request.get("replacements", []):
        into, at, value = replacement["into"], replacement["at"], _value(replacement, values, secret_values)
        if into == "path":
            segments[int(at)] = quote(str(value), safe="")
        elif into == "query":
            query = [(name, str(value) if name == at else old) for name, old in query]
        elif into == "header":
            headers[at.lower()] = str(value)
        else:
            body = _put(body, at, value)
    path = f"/{'/'.join(segments)}" + (f"?{urlencode(query)}" if query else "")
    return path, {name.encode(): value.encode() for name, value in headers.items() if name not in NOT_SENT}, body


def pinned(request: Data) -> Data:
    """Choose fresh values of the path and the query once, so that a whole crowd asks for the same thing."""
    query, segments, left = list(request.get("query", [])), request["path"][1:].split("/"), []
    for replacement in request.get("replacements", []):
        if "fresh" in replacement and replacement["into"] == "query":
            value = _value(replacement, {}, {})
            query = [[name, value if name == replacement["at"] else old] for name, old in query]
        elif "fresh" in replacement and replacement["into"] == "path":
            segments[int(replacement["at"])] = str(_value(replacement, {}, {}))
        else:
            left.append(replacement)
    return {**request, "path": "/" + "/".join(segments), "query": query, "replacements": left}


def _value(replacement: Data, values: Mapping[str, Json], secret_values: Mapping[str, str]) -> Json:
    if "extracted" in replacement:
        name, prefix = replacement["extracted"], replacement.get("prefix", "")
        if name not in values:
            raise SetUpError(f"no earlier answer gave a value for {name}.")
        return f"{prefix}{values[name]}" if prefix else values[name]
    if "masked" in replacement:
        return secret_values[replacement["masked"]]
    if replacement["fresh"] == "uuid":
        return str(uuid.uuid4())
    alphabets = {"hex": "0123456789abcdef", "digits": "123456789", "text": string.ascii_lowercase}
    return "".join(secrets.choice(alphabets[replacement["fresh"]]) for _ in range(replacement["length"]))


def at_pointer(document: Json, pointer: str) -> Json:
    """Return the value at a JSON pointer (RFC 6901), or MISSING."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return MISSING
    return document


def _put(document: Json, pointer: str, value: Json) -> Json:
    """Write a value at a JSON pointer; a number stays a number where the new value can be one."""
    head, _, last = pointer.rpartition("/")
    if not pointer:
        return value
    parent, key = at_pointer(document, head), last.replace("~1", "/").replace("~0", "~")
    old = at_pointer(document, pointer)
    if isinstance(old, int) and not isinstance(old, bool) and isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(parent, dict):
        parent[key] = value
    elif old is not MISSING:
        parent[int(key)] = value
    else:
        raise SetUpError(f"the recorded body has no place {plain(pointer)}.")
    return document


def plain(text: str) -> str:
    """Escape what a terminal would obey."""
    return text.encode("unicode_escape").decode("ascii")
