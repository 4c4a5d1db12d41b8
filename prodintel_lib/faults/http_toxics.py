"""Request-level toxics: a share of the requests waits, or is answered here.

The gate sits between the byte-level toxics and the upstream. To those a request-level toxic is part of the upstream:
its answers take the same way back, through the same delays.
"""

from __future__ import annotations

import asyncio
import http
from typing import TYPE_CHECKING

from prodintel_lib.faults.active import pause
from prodintel_lib.faults.http_framing import Head, Piece, Progress, RequestFramer, ResponseObserver
from prodintel_lib.faults.sequence import spread
from prodintel_lib.faults.toxics import HttpFault, HttpLatency, HttpStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.faults.active import ActiveToxic, ToxicSet
    from prodintel_lib.faults.tcp import Link
    from prodintel_lib.faults.wire import Wire

_NO_BODY = (204, 304)


class RequestGate:
    """Passes a client's bytes on, one request at a time, and holds the requests that a toxic strikes.

    Parameters
    ----------
    link : Link
        The connection.
    toxics : ToxicSet
        The toxics of the proxy, looked at anew for each request.
    client, upstream : Wire
        The two sides.

    Notes
    -----
    Every connection whose first bytes are an HTTP request line is observed from the start, so that a toxic added
    later strikes the next request of a connection kept alive. A head is passed on when it is complete. The requests
    of a pipelining client go upstream one after the other, each after the answer to the one before it.
    """

    def __init__(self, link: Link, toxics: ToxicSet, *, client: Wire, upstream: Wire) -> None:
        self._link = link
        self._toxics = toxics
        self._client = client
        self._upstream = upstream
        self._framer = RequestFramer()
        self._discarding = False
        self._response: ResponseObserver | None = None
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered.set_result(None)

    async def feed(self, data: bytes) -> None:
        """Take the client's next bytes."""
        framer = self._framer
        framer.feed(data)
        while framer.has_bytes and not self._link.over.done():
            if framer.is_between_requests and not self._answered.done():
                await pause(None, self._answered, self._link.over)
                continue
            segment = framer.next_segment()
            if segment is None:
                return
            if isinstance(segment, Head):
                await self._begin(segment)
            else:
                await self._continue(segment)

    async def end(self) -> None:
        """Pass on what was held when the client's bytes end within a head."""
        await self._upstream.write(self._framer.take_all())

    def observe(self, data: bytes) -> None:
        """Look at bytes of an answer on their way to the client."""
        if self._response is None:
            return
        progress = self._response.feed(data)
        if progress is Progress.PARTIAL:
            return
        if progress is Progress.NOT_HTTP:
            self._framer.raw = True
        self.observe_end()

    def observe_end(self) -> None:
        """Note that the answer is complete, or that none will come."""
        self._response = None
        if not self._answered.done():
            self._answered.set_result(None)

    async def _begin(self, head: Head) -> None:
        for active, index in tuple(self._struck(head)):
            if active.lifted.done():
                continue
            toxic = active.toxic.attributes
            if isinstance(toxic, HttpLatency):
                await self._wait(active, toxic, index)
                if self._client.ended.done():
                    self._link.close()
                    return
            elif isinstance(toxic, HttpStatus):
                self._answer(head, toxic)
                return
        self._expect_answer(head)
        await self._upstream.write(head.data)

    async def _wait(self, active: ActiveToxic, toxic: HttpLatency, index: int) -> None:
        jitter_ms = toxic.jitter_ms * spread(active.request_offset, index)
        delay_s = max(0.0, toxic.latency_ms + jitter_ms) / 1000
        active.tally.waiting += 1
        try:
            await pause(delay_s, active.lifted, self._client.ended, self._link.over)
        finally:
            active.tally.waiting -= 1

    def _struck(self, head: Head) -> Iterator[tuple[ActiveToxic, int]]:
        for active in self._toxics.of_requests:
            toxic = active.toxic.attributes
            if isinstance(toxic, HttpFault) and _matches(toxic, head) and self._link.strikes(active):
                index = active.meet_request(toxic.rate)
                if index is not None:
                    yield active, index

    async def _continue(self, piece: Piece) -> None:
        if not self._discarding:
            await self._upstream.write(piece.data)
        if piece.ends:
            self._discarding = False

    def _answer(self, head: Head, toxic: HttpStatus) -> None:
        # A client that waits for "100 Continue" may or may not send its body after a final answer: only closing
        # tells the next request from that body (RFC 9110, section 10.1.1).
        stays_open = head.keeps_alive and not (head.expects_continue and not head.ends)
        self._discarding = not head.ends
        self._expect_answer(head)
        self._upstream.inject(_rendered(toxic, head.method, stays_open=stays_open), ends=not stays_open)

    def _expect_answer(self, head: Head) -> None:
        self._response = ResponseObserver(head)
        self._answered = asyncio.get_running_loop().create_future()


def _matches(toxic: HttpFault, head: Head) -> bool:
    return toxic.method.upper() in ("", head.method) and head.path.startswith(toxic.path_prefix)


def _rendered(toxic: HttpStatus, method: str, *, stays_open: bool) -> bytes:
    try:
        reason = http.HTTPStatus(toxic.status).phrase
    except ValueError:
        reason = "Unknown"
    body = b"" if toxic.status in _NO_BODY else toxic.body.encode()
    lines = [f"HTTP/1.1 {toxic.status} {reason}"]
    if toxic.status not in _NO_BODY:
        lines += [f"content-type: {toxic.content_type}", f"content-length: {len(body)}"]
    if not stays_open:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (b"" if method == "HEAD" else body)
