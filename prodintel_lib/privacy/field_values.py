"""Named values in free text: `password=...`, `"phone": "..."`, headers, form bodies, and the columns of an INSERT."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.privacy.fields import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A possessive repeat: a long word without a sign after it is given up at once.
_KEY: Final = re.compile(
    r"(?:(?<![A-Za-z0-9_.\-])|(?<=%[0-9A-Fa-f]{2}))(?P<key>[A-Za-z_][A-Za-z0-9_.\-]{0,127}+)"
    r"\]?(?:\\*[\"'`]|%22|%5D)?\]?\s{0,2}(?P<sign>=>|==?|:(?!//|:)|%3[ADad]|(?i:\s(?:i?like|<>|!=)\s))\s{0,2}"
)
_OPENING: Final = re.compile(r"(?:u|b|N|E)?(\\*[\"']|%22)")
_CLOSING: Final = {
    '"': re.compile(r'((?:[^"\\]|\\.)*)(?="|\Z)', re.DOTALL),
    "'": re.compile(r"((?:[^'\\]|''|\\.)*)(?='|\Z)", re.DOTALL),
}
_UNQUOTED: Final = {
    Kind.AUTHORIZATION: r"(?:[A-Za-z][A-Za-z0-9-]{2,31}(?:\s|%20|\+))?[^\s,\"';&\\]+",
    Kind.COOKIE: r"[^\r\n\"'\\]+",
    Kind.PHONE: r"[+%(0-9][0-9 ().+%B-]{4,24}[0-9]",
    Kind.NAME: (
        r"[A-Z\u00c0-\u00de][\w'’.-]*(?:(?: |\+|%20)[A-Z\u00c0-\u00de][\w'’.-]*(?![\w'’.-]|=|: )){0,3}|"
        r"[\w'’%+-]+(?=[&\s,;)}\]]|$)"
    ),
    Kind.ADDRESS: (
        r"(?!0x)(?=[^,;|&\n]{0,80}[0-9])(?=[^,;|&\n]{0,80}(?:[A-Za-z]{2,}))(?=[^,;|&\n]{0,80}(?: |\+|%20))"
        r"[^,;|&{}()<>\[\]\"'\n=:]{5,80}(?![\w:=])"
    ),
    Kind.POSTCODE: r"(?=[A-Za-z -]{0,4}[0-9])[A-Za-z0-9-]{3,10}(?:(?: |\+|%20)[0-9][A-Z]{2}\b)?",
    Kind.LATITUDE: r"[-+]?[0-9]{1,2}\.[0-9]{3,}(?![0-9A-Za-z.])",
    Kind.LONGITUDE: r"[-+]?[0-9]{1,3}\.[0-9]{3,}(?![0-9A-Za-z.])",
    Kind.IP: r"[0-9A-Fa-f][0-9A-Fa-f:.]{2,}(?:, ?[0-9A-Fa-f][0-9A-Fa-f:.]{2,})*",
    Kind.PIN: r"[0-9]{3,8}(?![0-9A-Za-z])",
    Kind.CARD: r"[0-9](?:[ -]?[0-9]){11,18}(?![0-9A-Za-z])",
    Kind.IBAN: r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8}\b",
    Kind.NATIONAL_ID: r"(?=[A-Z -]{0,12}[0-9])[0-9A-Z+-]+(?: [0-9]{2,4}\b| [A-D]\b){0,6}",
    Kind.BIRTH_DATE: r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    Kind.EMAIL: r"[^\s&;,\"'<>(){}\[\]|\\]+@[^\s&;,\"'<>(){}\[\]|\\:]+",
}
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}|\w\+\w")
_ENCODED_END: Final = re.compile(r"%22|%26|%2[Cc]|%7[Dd]")
_PLAIN: Final = re.compile(r"[^\s&;,\"'<>(){}\[\]|\\]+")
_UNQUOTED_OF: Final = {kind: re.compile(pattern) for kind, pattern in _UNQUOTED.items()}
# "Unexpected token: FOO" is a parser's complaint.
_COMPLAINT: Final = re.compile(r"(?i:unexpected|expected|unknown|illegal|invalid|next|bad|parse)[ _]$")
_INSERT: Final = re.compile(
    r"\binsert\s+(?:or\s+\w+\s+|ignore\s+)?into\s+[^\s()]{1,200}\s*\((?P<columns>[^()]{1,2000})\)\s*values\s*",
    re.IGNORECASE,
)
_LITERAL: Final = re.compile(r"\s*+(?:[NE]?'(?P<text>(?:[^'\\]|''|\\.)*)'|(?P<bare>[^,()']++))\s*+(?P<end>[,)])")


def find_field_values(text: str, kind_of: Callable[[str], Kind | None]) -> Iterator[tuple[str, int, int]]:
    """Yield the name and the place of every value whose name says that it is sensitive.

    Parameters
    ----------
    text : str
    kind_of : callable
        What a field's name says of its value.
    """
    position = 0
    while (found := _KEY.search(text, position)) is not None:
        position = found.end()
        kind = kind_of(found["key"])
        if kind is None or kind in {Kind.KEEP, Kind.TEXT, Kind.VERSION}:
            continue
        if _COMPLAINT.search(text[max(0, found.start() - 12) : found.start()]):
            continue
        place = _quoted(text, position) or _bare(text, position, kind, nested="%" in found["sign"])
        if place is not None and place[0] < place[1]:
            yield found["key"], *place
            position = place[1]


def _quoted(text: str, position: int) -> tuple[int, int] | None:
    opening = _OPENING.match(text, position)
    if opening is None:
        return None
    quote, start = opening.group(1), opening.end()
    if len(quote) == 1:
        closing = _CLOSING[quote].match(text, start)
        return closing.span(1) if closing else (start, len(text))
    end = text.find(quote, start)
    return start, end if end >= 0 else len(text)


def _bare(text: str, position: int, kind: Kind, *, nested: bool) -> tuple[int, int] | None:
    plain = _PLAIN.match(text, position)
    encoded = plain is not None and _ENCODED.search(plain.group()) is not None
    if kind is Kind.COOKIE and plain is not None and "=" in plain.group():
        encoded = False
    found = plain if encoded else _UNQUOTED_OF.get(kind, _PLAIN).match(text, position)
    # `Token{9f4 ...}` and `token(...)` print an object.
    if found is None or text[found.end() : found.end() + 2].lstrip()[:1] in {"{", "("}:
        return None
    # In a text that is encoded as a whole, %22, %26 and %2C end a value as their signs do in a plain one.
    value = _ENCODED_END.split(found.group(), maxsplit=1)[0] if nested else found.group()
    return position, position + len(value.rstrip(".: "))


def find_inserted_values(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield column name and place of every literal of an INSERT that names its columns."""
    for statement in _INSERT.finditer(text):
        columns = [name.strip(" \t\r\n`\"'[]") for name in statement["columns"].split(",")]
        position = statement.end()
        while position < len(text) and text[position] == "(":
            position, number = position + 1, 0
            while (literal := _LITERAL.match(text, position)) is not None:
                name = "text" if literal["text"] is not None else "bare"
                if number < len(columns) and (name == "text" or literal["bare"].strip().isdigit()):
                    yield columns[number], *literal.span(name)
                position, number = literal.end(), number + 1
                if literal["end"] == ")":
                    break
            following = re.compile(r"\s*,\s*(?=\()").match(text, position)
            if following is None:
                break
            position = following.end()
