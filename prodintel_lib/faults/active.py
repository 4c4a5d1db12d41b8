"""The toxics at work on one proxy, and what has met them so far."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prodintel_lib.faults.sequence import is_struck, offset_of
from prodintel_lib.faults.toxics import HttpFault, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.faults.toxics import Stream


class Tally:
    """What has met a toxic since it was added. A change of its attributes keeps the tally.

    Attributes
    ----------
    connections, chunks : int
        Connections its toxicity was drawn for, and chunks of bytes it has delayed.
    requests, struck, waiting : int
        Requests that matched its filters, those of them within its rate, and those that wait in it now.
    """

    __slots__ = ("chunks", "connections", "requests", "struck", "waiting")

    def __init__(self) -> None:
        self.connections = 0
        self.chunks = 0
        self.requests = 0
        self.struck = 0
        self.waiting = 0


class ActiveToxic:
    """A toxic in force, until it is removed or changed.

    Parameters
    ----------
    toxic : Toxic
        The fault.
    tally : Tally
        The counts to go on from.

    Attributes
    ----------
    lifted : asyncio.Future
        Done when it is in force no longer: with True when it was removed, False when a changed one took its place.
    """

    def __init__(self, toxic: Toxic, tally: Tally) -> None:
        self.toxic = toxic
        self.tally = tally
        self.lifted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._offset = offset_of(0, toxic.name)
        seed = toxic.attributes.seed if isinstance(toxic.attributes, HttpFault) else 0
        self.request_offset = offset_of(seed, toxic.name)

    def meet_connection(self) -> int:
        """Count one connection and return its index."""
        index = self.tally.connections
        self.tally.connections += 1
        return index

    def strikes_connection(self, index: int) -> bool:
        """Say whether the connection of that index is within the toxicity."""
        return is_struck(self._offset, index, self.toxic.toxicity)

    def meet_request(self, rate: float) -> int | None:
        """Count one request and return its index if it is within `rate`, None otherwise."""
        index = self.tally.requests
        self.tally.requests += 1
        if not is_struck(self.request_offset, index, rate):
            return None
        self.tally.struck += 1
        return index

    def meet_chunk(self) -> int:
        """Count one chunk of bytes and return its index."""
        index = self.tally.chunks
        self.tally.chunks += 1
        return index


class ToxicSet:
    """The toxics of a proxy by name, in the order they were added."""

    def __init__(self) -> None:
        self._active: dict[str, ActiveToxic] = {}
        self._of_bytes: dict[Stream, tuple[ActiveToxic, ...]] = {"upstream": (), "downstream": ()}
        self._of_requests: tuple[ActiveToxic, ...] = ()

    def __iter__(self) -> Iterator[ActiveToxic]:
        return iter(tuple(self._active.values()))

    def of_bytes(self, stream: Stream) -> tuple[ActiveToxic, ...]:
        """Return the byte-level toxics of one direction."""
        return self._of_bytes[stream]

    @property
    def of_requests(self) -> tuple[ActiveToxic, ...]:
        """The request-level toxics."""
        return self._of_requests

    def get(self, name: str) -> ActiveToxic | None:
        """Return the toxic of that name, or None."""
        return self._active.get(name)

    def add(self, toxic: Toxic) -> ActiveToxic:
        """Put a toxic in force."""
        active = self._active[toxic.name] = ActiveToxic(toxic, Tally())
        self._arrange()
        return active

    def revise(self, toxic: Toxic) -> ActiveToxic:
        """Put a changed toxic in the place of the one of its name; whoever waits in the old one goes on."""
        before = self._active[toxic.name]
        active = self._active[toxic.name] = ActiveToxic(toxic, before.tally)
        self._arrange()
        before.lifted.set_result(False)
        return active

    def remove(self, name: str) -> None:
        """Remove a toxic; whoever waits in it goes on."""
        active = self._active.pop(name)
        self._arrange()
        active.lifted.set_result(True)

    def clear(self) -> None:
        """Remove every toxic."""
        for name in tuple(self._active):
            self.remove(name)

    def _arrange(self) -> None:
        everything = tuple(self._active.values())
        self._of_requests = tuple(one for one in everything if isinstance(one.toxic.attributes, HttpFault))
        for stream in self._of_bytes:
            self._of_bytes[stream] = tuple(
                one for one in everything if one.toxic.stream == stream and one not in self._of_requests
            )


async def pause(seconds: float | None, *interrupts: asyncio.Future[bool] | asyncio.Future[None]) -> None:
    """Wait `seconds` (None: for ever), or until one of `interrupts` is done."""
    if seconds is None or seconds > 0:
        await asyncio.wait(interrupts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
