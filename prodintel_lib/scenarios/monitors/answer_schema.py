"""The schema of an endpoint's answers, inferred from healthy ones: JSON Schema, draft 2020-12.

It says what all answers had in common and no more: types, members that were always there, formats, signs, and the
values of a string where they are few and nothing new came up in half of the answers. Further members are allowed.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.scenarios.recorded import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from pydantic import JsonValue

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MIN_ANSWERS: Final = 50
"""Of fewer answers nothing is said but types: what all of them had may be chance."""

MAX_VALUES: Final = 10
MAX_VALUE_CHARS: Final = 40
MAX_UNSEEN: Final = 0.05
"""A set of values is closed where an answer shows another one with this chance at most, at 95 % confidence."""

MAX_DEPTH: Final = 12
MAX_MEMBERS: Final = 100
"""An object with more different members than these is a dictionary: its keys are data."""

FORMATS: Final[dict[str, str]] = {
    "uuid": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
    "date-time": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "uri": "^[a-z][a-z0-9+.-]*://[!-~]+$",
}
"""Formats and the patterns that check them: a format alone is an annotation that validators may pass over."""

_CONFIDENCE: Final = 0.95
_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")

Schema = dict[str, Any]
Owned = tuple[int, "JsonValue"]
"""A value and the number of the answer that holds it."""


def infer_schema(answers: Sequence[JsonValue], *, replaced: AbstractSet[str] = frozenset()) -> Schema:
    """Infer the schema of some answers.

    Parameters
    ----------
    answers : sequence of JSON value
        Of one endpoint and one status, each of another session, in the order of time.
    replaced : set of str
        Places (JSON pointers with ``*`` for a place in a list) that hold stand-ins: their values are not production's,
        so nothing is said but their type.

    Returns
    -------
    dict
        A schema that all of the answers keep. ``$comment`` of a set of values says what it rests on.

    Notes
    -----
    A set of values is taken for closed where none was seen only once (Good, 1953, doi:10.1093/biomet/40.3-4.237: the
    share of what was seen once estimates the chance of something new) and the second half of the answers showed none
    that the first half lacked; the bound on unseen values is the exact binomial one of that second half.
    """
    return {"$schema": DIALECT, **_infer(list(enumerate(answers)), "", replaced, 0)}


def unseen_bound(n: int) -> float:
    """Return the chance that is exceeded with 5 % at most where none of `n` answers showed anything new."""
    return 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / n) if n else 1.0


def breaks(schema: Schema, value: JsonValue) -> bool:
    """Say whether a value breaks an inferred schema, which uses few of the dialect's words.

    Examples
    --------
    >>> schema = infer_schema([{"n": 1}] * 50)
    >>> breaks(schema, {"n": 2}), breaks(schema, {"n": "2"}), breaks(schema, {})
    (False, True, True)
    """
    allowed = schema.get("type")
    kinds = allowed if isinstance(allowed, list) else [allowed]
    if allowed is not None and not any(_has_type(value, kind) for kind in kinds):
        return True
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        return any(name not in value for name in schema.get("required", ())) or any(
            breaks(known.get(name, other) or {}, inner) for name, inner in value.items()
        )
    if isinstance(value, list):
        return len(value) < schema.get("minItems", 0) or any(breaks(schema.get("items", {}), each) for each in value)
    if isinstance(value, str):
        listed, pattern = schema.get("enum"), schema.get("pattern")
        return (listed is not None and value not in listed) or bool(pattern and not re.search(pattern, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(value < schema.get("minimum", value))
    return False


def _infer(values: Sequence[Owned], place: str, replaced: AbstractSet[str], depth: int) -> Schema:
    types = {_type_of(value) for _, value in values}
    enough = _answers(values) >= MIN_ANSWERS
    if "integer" in types and ("number" in types or not enough):
        types = types - {"integer"} | {"number"}
    if not types or depth > MAX_DEPTH:
        return {}
    ordered = [name for name in _TYPES if name in types]
    schema: Schema = {"type": ordered[0] if len(ordered) == 1 else ordered}
    if "object" in types:
        schema |= _of_objects([each for each in values if isinstance(each[1], dict)], place, replaced, depth)
    if "array" in types:
        schema |= _of_lists([each for each in values if isinstance(each[1], list)], place, replaced, depth)
    if place in replaced or not enough:
        return schema
    if ordered == ["string"]:
        schema |= _of_texts([(owner, value) for owner, value in values if isinstance(value, str)])
    if ordered in (["integer"], ["number"]):
        least = min(value for _, value in values if isinstance(value, int | float))
        # That it was never nought says little: what is counted runs out.
        schema |= {"minimum": 0} if least >= 0 else {}
    return schema


def _answers(values: Sequence[Owned]) -> int:
    """Count the answers that values are of: those of one answer are not independent."""
    return len({owner for owner, _ in values})


def _of_objects(objects: Sequence[Owned], place: str, replaced: AbstractSet[str], depth: int) -> Schema:
    members: dict[str, list[Owned]] = {}
    for owner, each in objects:
        for name, value in each.items() if isinstance(each, dict) else ():
            members.setdefault(name, []).append((owner, value))
    if len(members) > MAX_MEMBERS:
        every = [value for values in members.values() for value in values]
        return {"additionalProperties": _infer(every, f"{place}/*", replaced, depth + 1)}
    known = {name: _infer(members[name], f"{place}/{_escaped(name)}", replaced, depth + 1) for name in sorted(members)}
    enough = _answers(objects) >= MIN_ANSWERS
    always = sorted(name for name, values in members.items() if enough and len(values) == len(objects))
    return {"properties": known} | ({"required": always} if always else {})


def _of_lists(lists: Sequence[Owned], place: str, replaced: AbstractSet[str], depth: int) -> Schema:
    inner = [(owner, item) for owner, each in lists if isinstance(each, list) for item in each]
    items = _infer(inner, f"{place}/*", replaced, depth + 1)
    n = _answers(lists)
    # An empty list where there never was one is what an outage behind an endpoint looks like to its caller.
    filled = n >= MIN_ANSWERS and all(each for _, each in lists) and unseen_bound(n) <= MAX_UNSEEN
    return ({"items": items} if items else {}) | ({"minItems": 1} if filled else {})


def _of_texts(texts: Sequence[tuple[int, str]]) -> Schema:
    if any(MASK.fullmatch(text) for _, text in texts):
        return {}
    closed = _closed_set(texts)
    if closed is not None:
        return closed
    for name, pattern in FORMATS.items():
        if all(re.fullmatch(pattern, text) for _, text in texts):
            return {"format": name, "pattern": pattern}
    return {}


def _closed_set(texts: Sequence[tuple[int, str]]) -> Schema | None:
    owners = sorted({owner for owner, _ in texts})
    counts = Counter(text for _, text in set(texts))
    later = owners[len(owners) // 2 :]
    new = {text for owner, text in texts if owner >= later[0]} - {text for owner, text in texts if owner < later[0]}
    too_many = len(counts) > MAX_VALUES or any(len(text) > MAX_VALUE_CHARS for text in counts)
    bound = unseen_bound(len(later))
    if too_many or new or 1 in counts.values() or bound > MAX_UNSEEN:
        return None
    said = f"seen in {len(owners)} answers; another value comes with a chance of at most {bound:.3f} (95 %)"
    return {"enum": sorted(counts), "$comment": said}


def _type_of(value: JsonValue) -> str:
    return next(name for name in _TYPES if _has_type(value, name))


_CHECKS: Final[dict[str, Callable[[JsonValue], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _has_type(value: JsonValue, name: str | None) -> bool:
    return name is None or _CHECKS[name](value)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def places(value: JsonValue, place: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield every scalar of a JSON value with its place: a JSON pointer with ``*`` for a place in a list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, f"{place}/{_escaped(name)}")
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, f"{place}/*")
    else:
        yield place, value
