"""One side of a proxied connection: what arrived and when, and writing with back-pressure."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_BYTES = 1 << 20
"""How much may wait here before the sender is held back: what keeps a large body out of memory."""

_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)


class Chunk(NamedTuple):
    """Bytes and the time they arrived (the event loop's clock)."""

    arrived_s: float
    data: bytes


class Wire(asyncio.Protocol):
    """A socket as a queue of timed chunks.

    Parameters
    ----------
    on_connected : callable, optional
        Called with the wire once it is connected; for the accepting side.

    Attributes
    ----------
    ended : asyncio.Future
        Done when the peer has sent its last byte, or is gone.
    lost : asyncio.Future
        Done when the socket is closed.
    broken : bool
        Whether it ended by an error, such as a reset by the peer.

    Notes
    -----
    Streams of the standard library do not say when bytes arrived. A delay must count from then: counted from when
    they are taken, the delays of consecutive chunks would add up.
    """

    def __init__(self, on_connected: Callable[[Wire], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_connected = on_connected
        self._transport: asyncio.Transport | None = None
        self._chunks: collections.deque[Chunk] = collections.deque()
        self._waiting_bytes = 0
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._said_eof = False
        self._gone = False
        self.broken = False
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by the event loop)."""
        self._transport = cast("asyncio.Transport", transport)
        if self._on_connected is not None:
            self._on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Queue what arrived, and hold the sender back when much is waiting (called by the event loop)."""
        if self.ended.done():
            return
        self._chunks.append(Chunk(self._loop.time(), data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes > WINDOW_BYTES and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        """Note the peer's last byte; True keeps our direction open (called by the event loop)."""
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever reads or writes (called by the event loop)."""
        self.broken = self.broken or exc is not None
        self._leave()
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Make the next `write` wait (called by the event loop)."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let a waiting `write` go on (called by the event loop)."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def read(self) -> Chunk | None:
        """Return the next chunk in order of arrival, or None after the last."""
        while not self._chunks:
            if self.ended.done():
                return None
            self._reader = self._loop.create_future()
            await self._reader
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk.data)
        if self._reading_paused and self._waiting_bytes <= WINDOW_BYTES // 2:
            self._reading_paused = False
            if self._transport is not None and not self._gone:
                self._transport.resume_reading()
        return chunk

    async def write(self, data: bytes) -> None:
        """Send `data`, and wait while the peer does not keep up; nothing happens when the peer is gone."""
        if self._gone or self._said_eof or self._transport is None or not data:
            return
        self._transport.write(data)
        if self._writable is not None:
            await self._writable

    def inject(self, data: bytes, *, ends: bool) -> None:
        """Queue `data` as if the peer had sent it, and with `ends` nothing after it."""
        self.data_received(data)
        if ends:
            self._end()

    def write_eof(self) -> None:
        """Say that nothing more will be written; reading goes on."""
        if self._gone or self._said_eof or self._transport is None:
            return
        self._said_eof = True
        with contextlib.suppress(OSError):  # the peer may be gone before the loop has told us
            self._transport.write_eof()

    def close(self) -> None:
        """Close after what was written has left; a reader sees the end at once."""
        if self._transport is not None and not self._gone:
            self._transport.close()
        self._chunks.clear()
        self._leave()

    def reset(self) -> None:
        """Close with a TCP reset; what was not sent yet is lost."""
        if self._transport is not None and not self.lost.done():
            with contextlib.suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE
                )
            self._transport.abort()
        self._chunks.clear()
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        self._end()
        self.resume_writing()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
