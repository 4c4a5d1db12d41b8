import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodintel_lib.faults.http_framing import (
    Head,
    Piece,
    Progress,
    RequestFramer,
    ResponseObserver,
    speaks_http,
)

PIPELINE = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /b HTTP/1.1\r\nhost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /c HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: t\r\n\r\n",
    b"DELETE /d HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n",
)


def segments_of(framer, chunks):
    for chunk in chunks:
        framer.feed(chunk)
        while (segment := framer.next_segment()) is not None:
            yield segment


def head_of(data):
    framer = RequestFramer()
    framer.feed(data)
    head = framer.next_segment()
    assert isinstance(head, Head)
    return head


@settings(deadline=None)
@given(st.lists(st.integers(0, len(b"".join(PIPELINE))), max_size=12))
def test_request_framer_cuts_the_same_wherever_the_bytes_are_split(cuts):
    data = b"".join(PIPELINE)
    edges = sorted({0, *cuts, len(data)})
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]

    requests, current, paths = [], b"", []
    for segment in segments_of(RequestFramer(), chunks):
        current += segment.data
        if isinstance(segment, Head):
            paths.append((segment.method, segment.path))
        if segment.ends:
            requests.append(current)
            current = b""

    assert requests == list(PIPELINE)
    assert paths == [("GET", "/a?b=c"), ("POST", "/b"), ("POST", "/c"), ("DELETE", "/d")]


def test_request_framer_passes_what_is_no_http_as_it_is():
    framer = RequestFramer()

    assert list(segments_of(framer, [b"EHLO x\r\n", b"QUIT\r\n"])) == [
        Piece(b"EHLO x\r\n", ends=False),
        Piece(b"QUIT\r\n", ends=False),
    ]
    assert framer.raw


def test_request_framer_gives_up_on_a_broken_body_without_losing_bytes():
    framer = RequestFramer()
    head = b"POST /c HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert [segment.data for segment in segments_of(framer, [head, b"zz\r\n", b"more"])] == [head, b"zz\r\n", b"more"]
    assert framer.raw


def test_request_framer_gives_up_on_a_head_without_end():
    framer = RequestFramer()
    start = b"GET / HTTP/1.1\r\n"
    line = b"x: " + b"y" * 65533 + b"\r\n"

    segments = list(segments_of(framer, [start, line, line, line, line]))

    assert segments == [Piece(start + line * 4, ends=False)]


def test_request_framer_holds_a_head_until_it_is_complete():
    framer = RequestFramer()
    framer.feed(b"GET / HTTP/1.1\r\nhost: x\r\n")

    assert framer.next_segment() is None
    assert framer.take_all() == b"GET / HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    ("start", "verdict"),
    [
        (b"G", None),
        (b"GET", None),
        (b"GET /", None),
        (b"GET / HTTP/1.1\r\n", True),
        (b"DELETE /a HTTP/1.0\n", True),
        (b"GET key\r\n", False),
        (b"GET / HTTP/2.0\r\n", False),
        (b"PRI * HTTP/2.0\r\n", False),
        (b"GEX", False),
        (b"get / HTTP/1.1\r\n", False),
        (b"\x16\x03\x01", False),
    ],
)
def test_speaks_http_decides_as_soon_as_it_can(start, verdict):
    assert speaks_http(start) is verdict


def test_head_says_what_matters_for_the_connection():
    plain = head_of(b"GET http://x/abs?q HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (plain.path, plain.keeps_alive, plain.expects_continue) == ("/abs?q", True, False)

    closing = head_of(b"GET / HTTP/1.1\r\nhost: x\r\nConnection: Upgrade, Close\r\nUpgrade: h2c\r\n\r\n")
    assert not closing.keeps_alive

    old = head_of(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\ncontent-length: 1\r\n\r\nx")
    assert (old.keeps_alive, old.expects_continue, old.ends) == (False, True, False)


GET = head_of(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
HEAD = head_of(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
UPGRADE = head_of(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
CONNECT = head_of(b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n")


@pytest.mark.parametrize(
    ("request_head", "answer", "progress"),
    [
        (GET, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Progress.COMPLETE),
        (GET, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", Progress.PARTIAL),
        (GET, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Progress.COMPLETE),
        (GET, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", Progress.PARTIAL),
        (GET, b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Progress.PARTIAL),
        (GET, b"HTTP/1.1 204 No Content\r\n\r\n", Progress.COMPLETE),
        (GET, b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", Progress.COMPLETE),
        (GET, b"HTTP/1.1 100 Continue\r\n\r\n", Progress.PARTIAL),
        (GET, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", Progress.COMPLETE),
        (GET, b"SMTP ready\r\n\r\n", Progress.NOT_HTTP),
        (HEAD, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", Progress.COMPLETE),
        (UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n\x81\x05", Progress.NOT_HTTP),
        (UPGRADE, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Progress.COMPLETE),
        (CONNECT, b"HTTP/1.1 200 OK\r\n\r\n", Progress.NOT_HTTP),
    ],
)
def test_response_observer_finds_the_end(request_head, answer, progress):
    assert ResponseObserver(request_head).feed(answer) is progress


def test_response_observer_finds_the_end_byte_by_byte():
    observer = ResponseObserver(GET)
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"

    steps = [observer.feed(answer[at : at + 1]) for at in range(len(answer))]

    assert steps == [Progress.PARTIAL] * (len(answer) - 1) + [Progress.COMPLETE]
