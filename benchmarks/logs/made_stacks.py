"""Stack traces as six languages print them, made from planted bugs with a seed: the truth is the bug."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from benchmarks.logs.printed_stacks import PRINTERS, Call, Thrown

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

LANGUAGES: Final = tuple(PRINTERS)
SCENARIOS: Final = (
    "releases", "twins", "shared", "recursion", "truncated", "wrapped", "frameworks", "generated", "logged",
    "shared, truncated",
)  # fmt: skip
RELEASES: Final = 4
COPIES: Final = 12
_WORDS: Final = re.findall(
    r"\w+",
    "order cart tax price stock invoice refund ticket address coupon parcel rate quote basket charge ledger voucher "
    "customer session catalogue shelf offer label route depot carrier",
)
_VERBS: Final = re.findall(
    r"\w+", "load find price check apply merge build parse encode charge ship store count reserve lookup render"
)
_CLASSES: Final = {
    "python": ("KeyError", "ValueError", "shop.errors.Declined", "AttributeError", "sqlalchemy.exc.TimeoutError"),
    "java": ("java.lang.NullPointerException", "java.lang.IllegalStateException", "com.acme.StockException",
             "java.util.concurrent.TimeoutException", "java.lang.IndexOutOfBoundsException"),
    "javascript": ("TypeError", "RangeError", "Error", "StockError", "SyntaxError"),
    "go": ("runtime error: index out of range [5] with length 3", "runtime error: integer divide by zero",
           "runtime error: invalid memory address or nil pointer dereference", "no rate",
           "assignment to entry in nil map"),
    "dotnet": ("System.NullReferenceException", "System.InvalidOperationException", "Acme.StockException",
               "System.TimeoutException", "System.ArgumentOutOfRangeException"),
    "php": ("TypeError", "RuntimeException", "App\\StockException", "InvalidArgumentException", "DivisionByZeroError"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """A trace and the bug it is of."""

    bug: str
    language: str
    scenario: str
    text: str
    error_type: str


def make_traces(language: str, scenario: str, chance: random.Random, *, bugs: int = 12) -> Iterator[Made]:
    """Yield traces of so many bugs in a scenario, each COPIES times over RELEASES releases."""
    for number, base in enumerate(_make_bugs(language, scenario, chance, bugs)):
        for copy in range(COPIES):
            thrown = _vary(base, scenario, copy, chance)
            text = PRINTERS[language](thrown, chance)
            if "truncated" in scenario and copy % 2:
                text = _cut(text, language, thrown, chance)
            if scenario == "logged":
                text = _log(text, language, copy, chance)
            recorded = thrown.error_type if language != "go" else ""
            yield Made(f"{language}-{scenario}-{number}", language, scenario, text, recorded)


def _make_bugs(language: str, scenario: str, chance: random.Random, count: int) -> Iterator[Thrown]:
    used: set[tuple[str, str]] = set()
    error_types = _CLASSES[language]
    while count > 0:
        calls = []
        for _ in range(chance.randint(3, 6)):
            name = (chance.choice(_VERBS), chance.choice(_WORDS))
            while name in used:
                name = (chance.choice(_VERBS), chance.choice(_WORDS))
            used.add(name)
            calls.append(Call(*name, module=chance.choice(_WORDS), line=chance.randint(10, 400)))
        thrown = Thrown(chance.choice(error_types), f"{chance.choice(_WORDS)} {chance.randint(1, 9999)}", tuple(calls))
        yield thrown
        count -= 1
        if scenario == "twins" and count:
            # The same class through the same callers, thrown in another function beside the first.
            other = replace(calls[0], verb=chance.choice(_VERBS), word=chance.choice(_WORDS) + "s")
            yield replace(thrown, calls=(other, *calls[1:]))
            count -= 1
        if "shared" in scenario and count:
            # The same class out of the same function, which others call as well.
            other = replace(calls[1], verb=chance.choice(_VERBS), word=chance.choice(_WORDS) + "s")
            yield replace(thrown, calls=(calls[0], other, *calls[2:]))
            count -= 1


def _vary(base: Thrown, scenario: str, copy: int, chance: random.Random) -> Thrown:
    release = copy % RELEASES
    moved = tuple(replace(call, line=call.line + 7 * release * (at + 1)) for at, call in enumerate(base.calls))
    thrown = replace(base, calls=moved, release=release, message=f"{base.message.split()[0]} {chance.randint(1, 9999)}")
    if scenario == "recursion":
        depth = chance.choice((1, 2, 3, 7, 20))
        # Two functions that call each other, thrown from the same one.
        pair = moved[:2] * depth
        thrown = replace(thrown, calls=(*pair, *moved[2:]))
    if scenario == "wrapped":
        thrown = replace(thrown, wrapper=(None, "first", "second")[copy % 3])
    if scenario == "generated":
        thrown = replace(thrown, has_closure=True)
    if scenario == "frameworks":
        thrown = replace(thrown, framework=copy % 3)
    return thrown


def _cut(text: str, language: str, thrown: Thrown, chance: random.Random) -> str:
    """Cut a trace as a log's limit does: at a character, so that one own frame at least is left whole."""
    if language == "python":
        # The callers are printed first: what a limit leaves of the end begins somewhere among them.
        last = text.rfind("\n  File", 0, text.rindex(thrown.calls[0].function("python")))
        return text[chance.randint(1, max(1, last)) :]
    first = text.find("\n", text.find(thrown.calls[0].function(language)))
    if language == "go":
        first = text.find("\n", first + 1)
    return text[: chance.randint(first, max(first, len(text) - 5))]


def _log(text: str, language: str, copy: int, chance: random.Random) -> str:
    """Write a trace as logs hold it."""
    order = chance.randint(1, 9999)
    lines = text.split("\n")
    if copy % 6 == 5 and language in {"java", "javascript", "dotnet"}:
        return "\n".join([lines[0], f"  Detail: Key (id)=({order}) is there.", "  Hint: none", *lines[1:]])
    if copy % 6 == 5 and language == "python":
        return f"{text.strip()}\nDetail: Key (id)=({order}) is there.\nHint: none"
    return (
        text,
        f"2025-09-29 14:20:11,{order % 1000:03} ERROR [worker-{order % 9}] c.a.Api - request {order} failed\n{text}",
        json.dumps({"level": "error", "message": f"request {order} failed", "stack_trace": text}),
        text.replace("\t", "\\t").replace("\n", "\\n"),
        text.replace("\n", "\r\n"),
        f"request {order} failed: {text}",
    )[copy % 6]
