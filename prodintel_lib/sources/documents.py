"""JSON documents of a stream of bytes: one a line, one a file, one after the other, or the elements of an array.

Collectors write a document a line, people save pretty-printed ones, and some exports are an array over many lines. A
line that is a whole document is the common case and costs one call; only a line that is not starts a search for where
its document ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.sources.model import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prodintel_lib.sources.decompress import ByteStream

MAX_LINE_BYTES: Final = 64 << 20
MAX_DOCUMENT_BYTES: Final = 64 << 20
# What the JSON parser itself reads.
MAX_DEPTH: Final = 1024
NOT_JSON: Final = "not valid JSON"
_BOM: Final = b"\xef\xbb\xbf"
_KEPT_OF_LONG_LINE: Final = 1024
# Strings are skipped whole, so that a brace in one does not count. Possessive: a long string costs no backtracking.
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|([{\[])|([}\]])', re.DOTALL)
_BARE_OPENER: Final = re.compile(rb"[\s\[{]*")
# An array of a document a line: `[{...},`.
_OPEN_LIST: Final = re.compile(rb"\s*\[.*,\s*", re.DOTALL)


def read_documents(stream: ByteStream) -> Iterator[tuple[int, object | Rejected]]:
    """Yield every document with the line it begins on; what is none comes as Rejected.

    The elements of an array come as documents of their own. If the stream ends in damage, the piece that was cut is
    rejected with that reason.

    Parameters
    ----------
    stream : ByteStream
    """
    open_lines = _OpenDocument()
    number = 0
    for number, line in split_lines(stream.blocks()):
        if len(line) > MAX_LINE_BYTES:
            yield from open_lines.give_up(NOT_JSON)
            yield number, Rejected.of("line too long", number, line[:_KEPT_OF_LONG_LINE])
            continue
        if open_lines.is_bare:
            yield from open_lines.add(number, line)
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            if line.strip():
                yield from open_lines.add(number, line)
            continue
        yield from open_lines.give_up(NOT_JSON)
        yield from _elements(number, document)
    if open_lines.is_open:
        yield from open_lines.give_up(stream.damage or NOT_JSON)
    elif stream.damage:
        yield number + 1, Rejected.of(stream.damage, number + 1, "")


def split_lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield lines without their ends, numbered from 1.

    A line longer than MAX_LINE_BYTES is given short of its rest, but longer than the limit, and its rest is skipped.
    """
    number, tail, tail_bytes = 1, [], 0
    for block in blocks:
        first, *others = block.split(b"\n")
        if tail_bytes <= MAX_LINE_BYTES:
            tail.append(first)
            tail_bytes += len(first)
        if not others:
            continue
        line = b"".join(tail)
        yield number, line.removeprefix(_BOM) if number == 1 else line
        for line in others[:-1]:
            number += 1
            yield number, line
        number += 1
        tail, tail_bytes = [others[-1]], len(others[-1])
    if tail_bytes:
        line = b"".join(tail)
        yield number, line.removeprefix(_BOM) if number == 1 else line


class _OpenDocument:
    """Lines that may be the beginning of a document, until their brackets close."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, bytes]] = []
        self._depth = 0
        self._bytes = 0
        # A document that begins with brackets alone is pretty-printed: its inner lines may look like documents.
        self.is_bare = False

    @property
    def is_open(self) -> bool:
        return bool(self._lines)

    def add(self, number: int, line: bytes) -> Iterator[tuple[int, object | Rejected]]:
        if not self._lines:
            self.is_bare = _BARE_OPENER.fullmatch(line) is not None
        first = not self._lines
        self._lines.append((number, line))
        self._bytes += len(line)
        for found in _STRUCTURE.finditer(line):
            if found.lastindex == 1:
                self._depth += 1
                if self._depth > MAX_DEPTH:
                    yield from self.give_up("nested too deep")
                    return
            elif found.lastindex:
                self._depth -= 1
        if first and self._depth == 1 and _OPEN_LIST.fullmatch(line):
            self.is_bare = True
        if self._depth <= 0 or self._bytes > MAX_DOCUMENT_BYTES:
            yield from self._close()

    def _close(self) -> Iterator[tuple[int, object | Rejected]]:
        try:
            document = orjson.loads(b"\n".join(line for _, line in self._lines))
        except orjson.JSONDecodeError:
            yield from self.give_up(NOT_JSON)
            return
        number = self._lines[0][0]
        self._reset()
        yield from _elements(number, document)

    def give_up(self, reason: str) -> Iterator[tuple[int, Rejected]]:
        """Reject what is open: a pretty-printed document as one, other lines each on its own."""
        lines = self._lines[:1] if self.is_bare else self._lines
        if self.is_bare:
            lines = [(lines[0][0], b"\n".join(line for _, line in self._lines[:20]))]
        self._reset()
        for number, line in lines:
            yield number, Rejected.of(reason, number, line)

    def _reset(self) -> None:
        self._lines, self._depth, self._bytes, self.is_bare = [], 0, 0, False


def _elements(number: int, document: object) -> Iterator[tuple[int, object]]:
    if isinstance(document, list):
        for element in document:
            yield number, element
    else:
        yield number, document
