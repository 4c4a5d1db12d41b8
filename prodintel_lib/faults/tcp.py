"""Byte-level toxics on one direction of one connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from prodintel_lib.faults.active import pause
from prodintel_lib.faults.sequence import spread
from prodintel_lib.faults.toxics import (
    AttributesT,
    Bandwidth,
    Latency,
    LimitData,
    ResetPeer,
    SlowClose,
    Stream,
    Timeout,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from prodintel_lib.faults.active import ActiveToxic, Tally, ToxicSet
    from prodintel_lib.faults.wire import Chunk

_PIECES_PER_S = 10


class Link(Protocol):
    """What a direction needs of its connection."""

    over: asyncio.Future[None]

    def strikes(self, active: ActiveToxic) -> bool:
        """Say whether this connection is within the toxic's share."""

    def close(self) -> None:
        """Close both sides."""

    def reset(self) -> None:
        """Reset both sides."""


class ByteStream:
    """Carries the bytes of one direction through the toxics in force.

    Parameters
    ----------
    link : Link
        The connection.
    toxics : ToxicSet
        The toxics of the proxy; what is added later acts on the next bytes.
    stream : {"upstream", "downstream"}
        The direction.
    deliver : callable
        Takes what comes through.

    Notes
    -----
    Where Toxiproxy chains toxics in the order they were added, the order here is fixed by kind: reset, drop, delay,
    limit, pace. Delays, limits and paces commute, and nothing matters behind a reset or a drop.
    """

    def __init__(
        self, link: Link, toxics: ToxicSet, stream: Stream, deliver: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._link = link
        self._toxics = toxics
        self._stream: Stream = stream
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._passed_bytes: dict[Tally, int] = {}
        self._free_at_s = 0.0

    async def carry(self, chunk: Chunk) -> None:
        """Take one chunk through the toxics, in order and with back-pressure."""
        if not self._toxics.of_bytes(self._stream):
            await self._deliver(chunk.data)
            return
        if await self._is_reset() or self._is_dropped():
            return
        await self._delay(chunk.arrived_s)
        data, is_last = self._within_limit(chunk.data)
        await self._pace(data)
        if is_last:
            self._link.close()

    async def end(self) -> None:
        """Take the end of the stream through the toxics."""
        if await self._is_reset():
            return
        for active, toxic in self._striking(SlowClose):
            await pause(toxic.delay_ms / 1000, active.lifted, self._link.over)

    def _striking(self, kind: type[AttributesT]) -> Iterator[tuple[ActiveToxic, AttributesT]]:
        for active in self._toxics.of_bytes(self._stream):
            attributes = active.toxic.attributes
            if isinstance(attributes, kind) and not active.lifted.done() and self._link.strikes(active):
                yield active, attributes

    async def _is_reset(self) -> bool:
        for active, toxic in self._striking(ResetPeer):
            await pause(toxic.timeout_ms / 1000, active.lifted, self._link.over)
            if not active.lifted.done():
                self._link.reset()
                return True
        return False

    def _is_dropped(self) -> bool:
        return any(True for _ in self._striking(Timeout))

    async def _delay(self, arrived_s: float) -> None:
        due_s = arrived_s
        for active, toxic in self._striking(Latency):
            jitter_ms = toxic.jitter_ms * spread(active.request_offset, active.meet_chunk())
            due_s += max(0.0, toxic.latency_ms + jitter_ms) / 1000
            await pause(due_s - self._loop.time(), active.lifted, self._link.over)

    def _within_limit(self, data: bytes) -> tuple[bytes, bool]:
        is_last = False
        for active, toxic in self._striking(LimitData):
            passed = self._passed_bytes.get(active.tally, 0)
            data = data[: max(0, toxic.limit_bytes - passed)]
            self._passed_bytes[active.tally] = passed + len(data)
            is_last = is_last or passed + len(data) >= toxic.limit_bytes
        return data, is_last

    async def _pace(self, data: bytes) -> None:
        slowest = min(self._striking(Bandwidth), key=lambda pair: pair[1].rate_kb_per_s, default=None)
        if slowest is None:
            await self._deliver(data)
            return
        active, toxic = slowest
        bytes_per_s = toxic.rate_kb_per_s * 1000
        piece_bytes = bytes_per_s // _PIECES_PER_S
        for start in range(0, len(data), piece_bytes):
            piece = data[start : start + piece_bytes]
            self._free_at_s = max(self._free_at_s, self._loop.time()) + len(piece) / bytes_per_s
            await pause(self._free_at_s - self._loop.time(), active.lifted, self._link.over)
            await self._deliver(piece)
