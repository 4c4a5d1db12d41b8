"""Where HTTP messages start and end in a stream of bytes, without changing a byte.

``h11`` does the parsing; what is forwarded are the bytes as they came. What cannot be parsed is passed on raw: the
proxy must never be stricter than the server behind it.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import NamedTuple

import h11

LARGEST_HEAD_BYTES = 256 * 1024

_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT")
_REQUEST_LINE = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/1\.[01]\r?\n")
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Head(NamedTuple):
    """A request's head: its bytes, what it says, and whether it is the whole request."""

    data: bytes
    method: str
    path: str
    keeps_alive: bool
    expects_continue: bool
    ends: bool


class Piece(NamedTuple):
    """Bytes after a head, and whether the request ends with them."""

    data: bytes
    ends: bool


def speaks_http(start: bytes) -> bool | None:
    """Say whether a client's first bytes are an HTTP/1 request line; None while it can still be one.

    Redis also says ``GET key``: the version at the end of the line decides.
    """
    word, space, _ = start.partition(b" ")
    if not space:
        return None if any(method.startswith(start) for method in _METHODS) else False
    if word not in _METHODS:
        return False
    if b"\n" not in start:
        return None if len(start) < LARGEST_HEAD_BYTES else False
    return _REQUEST_LINE.match(start) is not None


class RequestFramer:
    """Cuts a client's bytes into heads and pieces of bodies.

    Attributes
    ----------
    raw : bool
        Whether the bytes are no HTTP (any more); pieces then have no end.
    """

    def __init__(self) -> None:
        self.raw = False
        self._pending = b""
        self._parser: h11.Connection | None = None
        self._parsed_bytes = 0
        self._is_first = True

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        self._pending = self._pending + data if self._pending else data

    @property
    def has_bytes(self) -> bool:
        """Whether there are bytes not given out yet."""
        return bool(self._pending)

    @property
    def is_between_requests(self) -> bool:
        """Whether the next byte belongs to a new request."""
        return self._parser is None

    def take_all(self) -> bytes:
        """Give out everything as it is."""
        data, self._pending, self._parsed_bytes = self._pending, b"", 0
        return data

    def next_segment(self) -> Head | Piece | None:
        """Return the next head or piece; None when more bytes are needed."""
        if self.raw:
            return Piece(self.take_all(), ends=False) if self._pending else None
        if self._parser is None:
            return self._next_head()
        return self._next_piece(self._parser)

    def _next_head(self) -> Head | Piece | None:
        if self._is_first:
            verdict = speaks_http(self._pending)
            if verdict is not True:
                return None if verdict is None else self._give_up()
        if _BLANK_LINE.search(self._pending) is None:
            return None if len(self._pending) < LARGEST_HEAD_BYTES else self._give_up()
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        try:
            parser.receive_data(self._pending)
            request = parser.next_event()
            if not isinstance(request, h11.Request):
                return self._give_up()
            body, _ = parser.trailing_data
            ends = isinstance(parser.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError:
            return self._give_up()
        self._is_first = False
        head, self._pending = self._pending[: len(self._pending) - len(body)], body
        self._parsed_bytes = 0 if ends else len(body)
        self._parser = None if ends else parser
        return _described(request, head, ends=ends)

    def _next_piece(self, parser: h11.Connection) -> Piece | None:
        if not self._pending:
            return None
        try:
            if self._parsed_bytes < len(self._pending):  # to h11, no bytes mean the end of the stream
                parser.receive_data(self._pending[self._parsed_bytes :])
            while (event := parser.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                    break
        except h11.RemoteProtocolError:
            return self._give_up()
        if event is h11.NEED_DATA:
            return Piece(self.take_all(), ends=False)
        rest, _ = parser.trailing_data
        piece, self._pending = self._pending[: len(self._pending) - len(rest)], rest
        self._parser, self._parsed_bytes = None, 0
        return Piece(piece, ends=True)

    def _give_up(self) -> Piece:
        self.raw = True
        return Piece(self.take_all(), ends=False)


def _described(request: h11.Request, data: bytes, *, ends: bool) -> Head:
    connection = b",".join(value.lower() for name, value in request.headers if name == b"connection")
    names = {name for name, _ in request.headers}
    target = request.target.decode("ascii")
    if not target.startswith("/"):  # the absolute form that clients send to a proxy
        target = "/" + target.partition("://")[2].partition("/")[2]
    return Head(
        data=data,
        method=request.method.decode("ascii"),
        path=target,
        keeps_alive=request.http_version == b"1.1" and b"close" not in connection,
        expects_continue=b"expect" in names,
        ends=ends,
    )


class Progress(enum.Enum):
    """How far an answer has come."""

    PARTIAL = enum.auto()
    COMPLETE = enum.auto()
    NOT_HTTP = enum.auto()
    """The connection was upgraded, or the answer cannot be read."""


class ResponseObserver:
    """Finds the end of the answer to one request.

    Parameters
    ----------
    head : Head
        The request: an answer to HEAD has no body, and one to CONNECT may end HTTP.
    """

    def __init__(self, head: Head) -> None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        self._parser.send(_pretended_request(head.method))
        self._parser.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> Progress:
        """Look at the next bytes of the answer."""
        try:
            self._parser.receive_data(data)
            while True:
                event = self._parser.next_event()
                if event is h11.NEED_DATA:
                    return Progress.PARTIAL
                if isinstance(event, h11.EndOfMessage):
                    return Progress.COMPLETE
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return Progress.NOT_HTTP
        except h11.RemoteProtocolError:
            return Progress.NOT_HTTP


@functools.lru_cache(maxsize=64)
def _pretended_request(method: str) -> h11.Request:
    # No upgrade is ever asked for: h11 then calls a 101 an error, and both mean that HTTP ends here.
    return h11.Request(method=method, target="/", headers=[("host", "x")])
