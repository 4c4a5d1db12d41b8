"""A fault server in a thread, a real HTTP upstream, and a raw TCP upstream that a test scripts itself."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import queue
import socket
import threading
from dataclasses import dataclass, field

import pytest

from prodintel_lib.faults.client import FaultClient
from prodintel_lib.faults.server import serve

PATIENCE_S = 20


class FaultServer:
    def __init__(self) -> None:
        self._urls: queue.Queue[str] = queue.Queue()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.url = self._urls.get(timeout=PATIENCE_S)
        self.client = FaultClient(self.url, timeout_s=PATIENCE_S)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await serve((), "127.0.0.1", 0, self._urls.put, stop=self._stop)

        asyncio.run(main())

    def add_proxy(self, name: str, upstream: tuple[str, int]) -> tuple[str, int]:
        shown = self.client.populate([{"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream[1]}"}])
        host, port = shown[0]["listen"].rsplit(":", 1)
        return host, int(port)

    def ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None):
        """Return status, content and content type of one API request."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.getheader("content-type")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def faults():
    server = FaultServer()
    yield server
    server.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: unbuffered, Nagle's algorithm costs 40 ms an answer

    def _note(self, body: bytes = b"") -> None:
        self.server.seen.put(f"{self.command} {self.path}")
        self.server.bodies.append(body)

    def _reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def do_GET(self) -> None:
        self._note()
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in (b"one ", b"two ", b"three"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path.startswith("/status/"):
            self._reply(b"", int(self.path.rpartition("/")[2]))
        else:
            self._reply(b"answer to " + self.path.encode())

    do_HEAD = do_GET  # noqa: N815 - the name http.server calls

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._note(body)
        self._reply(body)

    def log_message(self, *args) -> None:
        pass


class _HttpUpstream(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.seen: queue.Queue[str] = queue.Queue()
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request, client_address) -> None:
        """Resets are what these tests are about."""

    def next_seen(self) -> str:
        return self.seen.get(timeout=PATIENCE_S)


@pytest.fixture
def upstream():
    server = _HttpUpstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(PATIENCE_S)
    server.server_close()


@pytest.fixture
def shop(faults, upstream):
    """The address of proxy `shop` before the HTTP upstream."""
    return faults.add_proxy("shop", upstream.server_address)


@dataclass
class Sockets:
    """Opens sockets with a generous timeout and closes them in the end."""

    opened: list[socket.socket] = field(default_factory=list)

    def keep(self, one: socket.socket) -> socket.socket:
        one.settimeout(PATIENCE_S)
        self.opened.append(one)
        return one

    def connect(self, address: tuple[str, int]) -> socket.socket:
        return self.keep(socket.create_connection(address))

    def listen(self) -> socket.socket:
        return self.keep(socket.create_server(("127.0.0.1", 0)))

    def accept(self, listener: socket.socket) -> socket.socket:
        return self.keep(listener.accept()[0])


@pytest.fixture
def sockets():
    made = Sockets()
    yield made
    for one in made.opened:
        one.close()


@pytest.fixture
def pair(faults, sockets):
    """A client and an upstream socket with proxy `raw` between them."""
    listener = sockets.listen()
    client = sockets.connect(faults.add_proxy("raw", listener.getsockname()))
    return client, sockets.accept(listener)


@pytest.fixture
def http_client():
    """Makes keep-alive HTTP clients."""
    with contextlib.ExitStack() as stack:

        def connect(address: tuple[str, int]) -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
            connection.connect()
            return stack.enter_context(contextlib.closing(connection))

        yield connect


@pytest.fixture
def read_exactly():
    """Reads a number of bytes from a socket, or to its end."""

    def read(one: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := one.recv(min(65536, count - len(data)))):
            data += more
        return data

    return read
