"""A small HTTP proxy in a thread of its own: it forwards to one system and alters the answers that a test looks at."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import h11

from prodintel_lib.certify.alterations import UNALTERED, AnswerParts, Target, alter
from prodintel_lib.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

HOST: Final = "127.0.0.1"
LARGEST_BODY_BYTES: Final = 64 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_BACKLOG: Final = 512
_NOT_FORWARDED: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"content-length", b"upgrade", b"te"}
)
_NO_BODY: Final = frozenset({204, 304})


class AlteringProxy:
    """Forwards requests to a system, and alters answers as it was last told to. Use it as a context manager.

    Parameters
    ----------
    upstream : str
        The system's base URL; a path in it goes before every request's.

    Attributes
    ----------
    altered : int
        How many answers differed from the system's since the last `alter`.

    Notes
    -----
    A connection carries one request. Answers are read whole before they are passed on, so their timing shifts by less
    than a millisecond on loopback. A client that goes away ends its request upstream, as without a proxy. What cannot
    be reached is not answered: the client sees a connection that ends.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.encode("ascii")
        self._prefix = parts.path.rstrip("/").encode("ascii")
        self._kind: str = UNALTERED
        self._targets: list[Target] = []
        self._skipped: dict[Target, int] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="altering-proxy", daemon=True)
        self._port_taken = 0
        self.altered = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port_taken}"

    def alter(self, kind: str, targets: Sequence[Mapping[str, Any]]) -> None:
        """From now on alter answers to these requests in this way, and count anew."""
        with self._lock:
            self._kind, self.altered = kind, 0
            self._targets = [Target.from_json(target) for target in targets]
            self._skipped = dict.fromkeys(self._targets, 0)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if not self._port_taken:
            self._thread.join()
            raise ConditionError("The altering proxy cannot listen on loopback.", hint="look for a limit on sockets.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _serve(self) -> None:
        try:
            with contextlib.suppress(OSError):
                self._loop.run_until_complete(self._listen())
        finally:
            self._ready.set()
            self._loop.close()

    async def _listen(self) -> None:
        clients: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                clients.add(task)
                task.add_done_callback(clients.discard)
            with contextlib.suppress(OSError, h11.ProtocolError, asyncio.CancelledError, EOFError):
                await self._forward(reader, writer)
            writer.close()

        server = await asyncio.start_server(accept, HOST, 0, backlog=_BACKLOG)
        self._port_taken = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in tuple(clients):
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = h11.Connection(h11.SERVER)
        request, body = await _read_message(own, reader)
        if not isinstance(request, h11.Request):
            return
        asking = asyncio.ensure_future(self._ask(request, body))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return
            answer = self._changed(request, asking.result())
            writer.write(_rendered(own, request, answer))
            await writer.drain()
        finally:
            for task in (asking, leaving):
                task.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    async def _ask(self, request: h11.Request, body: bytes) -> AnswerParts:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            link = h11.Connection(h11.CLIENT)
            headers = [
                (name, value)
                for name, value in request.headers
                if name not in _NOT_FORWARDED | {b"host", b"accept-encoding", b"expect"}
            ]
            # What is packed could not be altered.
            headers += [(b"host", self._authority), (b"accept-encoding", b"identity"), (b"connection", b"close")]
            if body or request.method in {b"POST", b"PUT", b"PATCH"}:
                headers.append((b"content-length", str(len(body)).encode()))
            sent = h11.Request(method=request.method, target=self._prefix + request.target, headers=headers)
            writer.write(_sent(link, sent, body))
            await writer.drain()
            response, content = await _read_message(link, reader)
            if response is None or isinstance(response, h11.Request):
                raise EOFError
            kept = tuple((name, value) for name, value in response.headers if name not in _NOT_FORWARDED)
            return AnswerParts(response.status_code, content, kept)
        finally:
            writer.close()

    def _changed(self, request: h11.Request, answer: AnswerParts) -> AnswerParts:
        method, path = request.method.decode("ascii"), request.target.decode("ascii")
        with self._lock:
            place = next((n for n, each in enumerate(self._targets) if each.matches(method, path)), None)
            if place is None or self._kind == UNALTERED:
                return answer
            target = self._targets[place]
            if self._skipped[target] < target.skip:
                self._skipped[target] += 1
                return answer
            changed = alter(answer, self._kind, target.pointers, step=place + 1)
            self.altered += (changed.status, changed.body) != (answer.status, answer.body)
            return changed


async def _read_message(
    link: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Request | h11.Response | None, bytes]:
    """Read one message whole; None where the other side ends before its head."""
    head: h11.Request | h11.Response | None = None
    body = bytearray()
    while True:
        event = link.next_event()
        if event is h11.NEED_DATA:
            link.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Request | h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY_BYTES:
                raise EOFError
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or event is h11.PAUSED:
            return head, bytes(body)


def _rendered(link: h11.Connection, request: h11.Request, answer: AnswerParts) -> bytes:
    without_body = answer.status in _NO_BODY or request.method == b"HEAD"
    headers = [*answer.headers, (b"connection", b"close")]
    if not without_body:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    whole = replace(answer, body=b"") if without_body else answer
    return _sent(link, h11.Response(status_code=whole.status, headers=headers), whole.body)


def _sent(link: h11.Connection, head: h11.Request | h11.Response, body: bytes) -> bytes:
    data = link.send(head) or b""
    if body:
        data += link.send(h11.Data(data=body)) or b""
    return data + (link.send(h11.EndOfMessage()) or b"")
