"""Names of people that fields have given away, found again in running text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.privacy.fields import words_of
from prodintel_lib.privacy.word_set import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAMES: Final = 50_000
MIN_SINGLE_LETTERS: Final = 4
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAME: Final = re.compile(r"[^\W\d_]{2,32}(?:[ .'’-]{1,2}[^\W\d_]{1,32}){1,4}")
_MAILBOX: Final = re.compile(r"([a-z]{2,24})[._]([a-z]{2,24})(?:[._+][a-z0-9]{1,24})?", re.IGNORECASE)
# A field for one part of a name holds nothing else; `display_name` may be that of a thing.
_PARTS: Final = word_set("first given last family sur surname maiden middle firstname lastname givenname familyname")


class KnownNames:
    """The names met so far.

    Whole names of two words or more count wherever they came from; a single word counts only where a field for first
    or last names held it, from four letters on: `Ann` and `Lee` are parts of too many other words and things.

    Examples
    --------
    >>> known = KnownNames()
    >>> known.add("Jane Doe", field="full_name")
    >>> [text for text in known.find("Called Jane Doe back")]
    [(7, 15)]
    """

    def __init__(self) -> None:
        self._by_word: dict[str, set[str]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._by_word)

    @property
    def words(self) -> list[str]:
        """The words with which names begin: a text without any of them holds no name."""
        return sorted(self._by_word)

    def add(self, name: str, *, field: str = "") -> None:
        """Remember a name that a field held."""
        plain = name.strip()
        single = _WORD.fullmatch(plain) and len(plain) >= MIN_SINGLE_LETTERS and _PARTS & set(words_of(field))
        if _NAME.fullmatch(plain) or (single and plain[0].isupper()):
            self._add(plain)
            self._add(plain.title())

    def add_mailbox(self, local_part: str) -> None:
        """Remember the name in a mailbox such as ``jane.doe``; a single word there may be a role."""
        found = _MAILBOX.fullmatch(local_part)
        if found:
            first, last = (part.title() for part in found.groups())
            self._add(f"{first} {last}")
            self._add(f"{first.lower()}.{last.lower()}")

    def _add(self, name: str) -> None:
        first = _WORD.match(name)
        if first and self._count < MAX_NAMES and name not in self._by_word.setdefault(first.group(), set()):
            self._by_word[first.group()].add(name)
            self._count += 1

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where names stand, the longest where several begin at one place."""
        end = 0
        for word in _WORD.finditer(text):
            if word.start() < end or word.group() not in self._by_word:
                continue
            for name in sorted(self._by_word[word.group()], key=len, reverse=True):
                stop = word.start() + len(name)
                if text.startswith(name, word.start()) and not text[stop : stop + 1].isalnum():
                    yield word.start(), stop
                    end = stop
                    break
