"""Bytes of a file, decompressed where they are gzip or zstd, in UTF-8 where they were UTF-16, with bounded memory.

The kind is told by the first bytes, never by the name. Data that is cut short or damaged gives what could be read and
then says so: evidence of an incident is often the log of a machine that died while writing it.
"""

from __future__ import annotations

import codecs
import itertools
import zlib
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
BLOCK_BYTES: Final = 1 << 20
# Telemetry packs 10 to 100 times; a gzip of nothing but zeros a thousand times.
MAX_RATIO: Final = 400
BOMB: Final = f"expands more than {MAX_RATIO} times: given up as a decompression bomb"
_BOMB_BYTES: Final = 64 << 20
_UTF16_MARKS: Final = frozenset({codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE})
_UTF32_MARK: Final = codecs.BOM_UTF32_LE
# zstd turns 4 bytes into at most 128 KiB, and decompressobj has no output limit: small bites keep a bomb small.
_ZSTD_BITE_BYTES: Final = 512


class ByteStream:
    """The decompressed blocks of a file.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    damage : str
        Why the data ended early; empty while all is well. Final once the blocks have been read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks, about a mebibyte each.

        What expands more than MAX_RATIO times is given up as a bomb once it is large; UTF-16 is told by its byte order
        mark and comes as UTF-8.
        """
        self.damage = ""
        blocks = self._bounded(self._raw_blocks())
        first = next(blocks, b"")
        if first[:2] in _UTF16_MARKS and first[:4] != _UTF32_MARK:
            yield from self._from_utf16(first, blocks)
        elif first:
            yield first
            yield from blocks

    def _bounded(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        allowed = max(MAX_RATIO * self.path.stat().st_size, _BOMB_BYTES)
        size = 0
        for block in blocks:
            size += len(block)
            if size > allowed:
                self.damage = BOMB
                return
            yield block

    def _from_utf16(self, first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-16")()
        try:
            for block in itertools.chain([first], blocks):
                yield decoder.decode(block).encode()
            decoder.decode(b"", final=True)
        except UnicodeError:
            self.damage = self.damage or "corrupt UTF-16"

    def _raw_blocks(self) -> Iterator[bytes]:
        with self.path.open("rb") as handle:
            magic = handle.read(4)
            handle.seek(0)
            if magic.startswith(GZIP_MAGIC):
                yield from self._gunzip(handle)
            elif magic == ZSTD_MAGIC:
                yield from self._unzstd(handle)
            else:
                while block := handle.read(BLOCK_BYTES):
                    yield block

    def _gunzip(self, handle: BinaryIO) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        data = b""
        while data or (data := handle.read(BLOCK_BYTES)):
            if member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    continue
                member = zlib.decompressobj(wbits=31)
            try:
                block = member.decompress(data, BLOCK_BYTES)
            except zlib.error:
                self.damage = "corrupt gzip data"
                return
            data = member.unused_data if member.eof else member.unconsumed_tail
            if block:
                yield block
        if not member.eof:
            yield from _rest(member)
            self.damage = "truncated gzip data"

    def _unzstd(self, handle: BinaryIO) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor()
        frame = decompressor.decompressobj()
        data, pending, size = b"", [], 0
        while data or (data := handle.read(_ZSTD_BITE_BYTES)):
            if frame.eof:
                frame = decompressor.decompressobj()
            try:
                block = frame.decompress(data)
            except zstandard.ZstdError:
                self.damage = "corrupt zstd data"
                break
            data = frame.unused_data if frame.eof else b""
            pending.append(block)
            size += len(block)
            if size >= BLOCK_BYTES:
                yield b"".join(pending)
                pending, size = [], 0
        if size:
            yield b"".join(pending)
        if not self.damage and not frame.eof:
            self.damage = "truncated zstd data"


def _rest(member: zlib._Decompress) -> Iterator[bytes]:
    if block := member.flush():
        yield block


def read_head(path: Path, *, size_bytes: int) -> bytes:
    """Return the first bytes of the decompressed content."""
    parts, size = [], 0
    for block in ByteStream(path).blocks():
        parts.append(block)
        size += len(block)
        if size >= size_bytes:
            break
    return b"".join(parts)[:size_bytes]
