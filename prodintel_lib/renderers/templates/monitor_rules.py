"""Business rules over an answer, the request it is the answer to, and earlier answers of the same customer."""

from __future__ import annotations

from typing import Any

from prodintel_lib.renderers.templates.replay_requests import MISSING, at_pointer

Json = Any
Data = dict[str, Any]


def holds(rule: Data, facts: Data) -> bool | None:
    """Say whether a rule holds; None where a value that it speaks of is not there.

    `facts` has ``answer``, ``path`` (segments), ``query``, ``body``, and ``earlier`` (step to its latest answer).
    """
    left, right = values_of(rule["left"], facts), values_of(rule["right"], facts)
    if not left or len(right) != 1:
        return None
    if rule["relation"] == "among":
        return right[0] in left
    return all(value == right[0] for value in left)


def values_of(term: Data, facts: Data) -> list[str]:
    """Return the values a term stands for, as they are compared; none where one is not there."""
    at, fold = term["at"], term.get("fold", "one")
    if term["of"] == "path":
        number = int(at)
        found: list[Json] = [facts["path"][number]] if number < len(facts["path"]) else []
    elif term["of"] == "query":
        found = [facts["query"][at]] if at in facts["query"] else []
    else:
        whole = facts["earlier"].get(term["step"], MISSING) if term["of"] == "earlier" else facts[term["of"]]
        found = spread(whole, at) if fold != "sum" else [total(whole, at, term.get("times", ""))]
    if fold == "count":
        return [str(len(found))]
    compared = [written(value) for value in found]
    return [] if None in compared else [text for text in compared if text is not None]


def spread(document: Json, pointer: str) -> list[Json]:
    """Return the values at a JSON pointer in which ``*`` stands for every place of a list."""
    head, star, rest = pointer.partition("/*")
    if not star or (rest and not rest.startswith("/")):
        value = at_pointer(document, pointer)
        return [] if value is MISSING else [value]
    items = at_pointer(document, head)
    return [value for item in items for value in spread(item, rest)] if isinstance(items, list) else []


def total(document: Json, pointer: str, times: str) -> Json:
    """Return the sum of the values at a pointer, each times another one of its item; MISSING where one is no number."""
    head, _, field = pointer.partition("/*")
    items, added = at_pointer(document, head), 0
    if not isinstance(items, list):
        return MISSING
    for item in items:
        factors = [at_pointer(item, field), *([at_pointer(item, times)] if times else [])]
        if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in factors):
            return MISSING
        added += factors[0] * factors[1] if times else factors[0]
    return added


def written(value: Json) -> str | None:
    """Return how a value is compared, so that 3, 3.0 and "3" are the same; None where it is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0")
    return str(value) or None
