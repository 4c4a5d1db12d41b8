"""One client's connection through a proxy: two wires, two directions, one request gate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prodintel_lib.faults.active import pause
from prodintel_lib.faults.http_toxics import RequestGate
from prodintel_lib.faults.tcp import ByteStream
from prodintel_lib.faults.toxics import Timeout

if TYPE_CHECKING:
    from prodintel_lib.faults.active import ActiveToxic, Tally, ToxicSet
    from prodintel_lib.faults.wire import Wire


class Connection:
    """Carries bytes both ways until both sides have ended, or a toxic ends it.

    Parameters
    ----------
    client, upstream : Wire
        The two sides, connected.
    toxics : ToxicSet
        The toxics of the proxy.

    Attributes
    ----------
    over : asyncio.Future
        Done once nothing more is to be carried.

    Notes
    -----
    The end of one direction is passed on as it is in TCP (the other direction goes on), so a proxy without toxics
    cannot be told from a direct connection. Toxiproxy closes both.
    """

    def __init__(self, client: Wire, upstream: Wire, toxics: ToxicSet) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client = client
        self._upstream = upstream
        self._indexes: dict[Tally, int] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._gate = RequestGate(self, toxics, client=client, upstream=upstream)
        self._up = ByteStream(self, toxics, "upstream", self._gate.feed)
        self._down = ByteStream(self, toxics, "downstream", client.write)
        for active in toxics:
            self.meet(active)

    def meet(self, active: ActiveToxic) -> None:
        """Let a toxic take hold of this connection even while no byte moves."""
        if isinstance(active.toxic.attributes, Timeout) and self.strikes(active):
            watch = asyncio.get_running_loop().create_task(self._cut_off(active, active.toxic.attributes))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)

    def strikes(self, active: ActiveToxic) -> bool:
        """Say whether this connection is within the toxic's share; the draw is made once."""
        if active.toxic.toxicity >= 1:
            return True
        index = self._indexes.get(active.tally)
        if index is None:
            index = self._indexes[active.tally] = active.meet_connection()
        return active.strikes_connection(index)

    async def run(self) -> None:
        """Carry until it is over, and leave both sockets closed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry_up())
                group.create_task(self._carry_down())
        finally:
            self.close()
        await asyncio.gather(self._client.lost, self._upstream.lost)

    def close(self) -> None:
        """Close both sides after what was written has left."""
        self._finish()
        self._client.close()
        self._upstream.close()

    def reset(self) -> None:
        """Reset both sides."""
        self._finish()
        self._client.reset()
        self._upstream.reset()

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    async def _carry_up(self) -> None:
        while (chunk := await self._client.read()) is not None:
            await self._up.carry(chunk)
        if self.over.done():
            return
        if self._client.broken:
            self.reset()
            return
        await self._up.end()
        await self._gate.end()
        self._upstream.write_eof()

    async def _carry_down(self) -> None:
        while (chunk := await self._upstream.read()) is not None:
            self._gate.observe(chunk.data)
            await self._down.carry(chunk)
        self._gate.observe_end()
        if self.over.done():
            return
        if self._upstream.broken:
            self.reset()
            return
        await self._down.end()
        self._client.write_eof()

    async def _cut_off(self, active: ActiveToxic, toxic: Timeout) -> None:
        await pause(toxic.timeout_ms / 1000 if toxic.timeout_ms else None, active.lifted, self.over)
        # Bytes were dropped: the connection is of no more use, even when the toxic is removed early.
        if not active.lifted.done() or active.lifted.result():
            self.close()
