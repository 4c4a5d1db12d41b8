import http.client
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from prodintel_lib.certify.alterations import Target
from prodintel_lib.certify.altering_proxy import AlteringProxy

ORDERS = Target("POST", ("api", "orders"), ("/number",)).as_json()
READ_BACK = Target("GET", ("api", "orders", None)).as_json()


class Upstream:
    """A server that notes what it got, and answers with a document and a header."""

    def __init__(self):
        self.got = []
        self.left = threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                upstream.got.append((self.command, self.path, dict(self.headers), body))
                if self.path.endswith("/hang"):
                    self.connection.recv(1)
                    upstream.left.set()
                    return
                content = b'{"number": "A1", "amount": 5}'
                self.send_response(204 if self.path.endswith("/nothing") else 201)
                self.send_header("X-Kept", "yes")
                if not self.path.endswith("/nothing"):
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD" and not self.path.endswith("/nothing"):
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the names are http.server's

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def proxy(upstream):
    with AlteringProxy(upstream.url + "/shop") as proxy:
        yield proxy


def ask(proxy, method, path, body=None):
    client = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
    client.request(method, path, body, {"X-Mine": "1", "Accept-Encoding": "gzip"})
    answer = client.getresponse()
    content = answer.read()
    client.close()
    return answer.status, json.loads(content) if content else None, answer.headers


def test_altering_proxy_passes_on_what_it_is_not_told_to_alter(proxy, upstream):
    status, document, headers = ask(proxy, "POST", "/api/orders?a=1", b'{"n": 1}')
    assert (status, document, headers["X-Kept"]) == (201, {"number": "A1", "amount": 5}, "yes")
    method, path, sent, body = upstream.got[0]
    assert (method, path, body) == ("POST", "/shop/api/orders?a=1", b'{"n": 1}')
    assert {name.lower(): value for name, value in sent.items()}["x-mine"] == "1"
    assert {name.lower(): value for name, value in sent.items()}["accept-encoding"] == "identity"
    assert proxy.altered == 0


def test_altering_proxy_alters_only_the_targets_and_counts_them(proxy):
    proxy.alter("server_error", [ORDERS])
    assert ask(proxy, "POST", "/api/orders")[0] == 500
    assert ask(proxy, "GET", "/api/orders")[0] == 201
    assert ask(proxy, "POST", "/api/carts")[0] == 201
    assert proxy.altered == 1
    proxy.alter("unaltered", [ORDERS])
    assert ask(proxy, "POST", "/api/orders")[0] == 201
    assert proxy.altered == 0


def test_altering_proxy_alters_compared_answers_differently(proxy):
    proxy.alter("other_values", [ORDERS, READ_BACK])
    assert ask(proxy, "POST", "/api/orders")[1] == {"number": "A1", "amount": 6}
    assert ask(proxy, "GET", "/api/orders/7")[1] == {"number": "C3", "amount": 7}
    proxy.alter("other_id", [ORDERS])
    assert ask(proxy, "POST", "/api/orders")[1] == {"number": "B2", "amount": 5}


def test_altering_proxy_lets_the_preparation_pass(proxy):
    proxy.alter("no_body", [{**ORDERS, "skip": 2}])
    came = [ask(proxy, "POST", "/api/orders")[1] for _ in range(3)]
    assert came == [{"number": "A1", "amount": 5}, {"number": "A1", "amount": 5}, {}]
    assert proxy.altered == 1


def test_altering_proxy_keeps_answers_without_a_body_valid(proxy):
    assert ask(proxy, "HEAD", "/api/orders")[:2] == (201, None)
    assert ask(proxy, "GET", "/nothing")[:2] == (204, None)
    proxy.alter("other_success", [Target("GET", ("nothing",)).as_json()])
    assert ask(proxy, "GET", "/nothing")[:2] == (200, None)


def test_altering_proxy_leaves_with_its_client(proxy, upstream):
    client = socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port))
    client.sendall(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n")
    while not upstream.got:
        pass
    client.close()
    assert upstream.left.wait(10)


def test_altering_proxy_answers_nothing_where_nobody_is():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with (
            AlteringProxy(f"http://127.0.0.1:{closed.getsockname()[1]}") as proxy,
            pytest.raises(http.client.RemoteDisconnected, match="without response"),
        ):
            ask(proxy, "GET", "/")


def test_altering_proxy_ends_while_requests_hang(upstream):
    with AlteringProxy(upstream.url) as proxy:
        client = socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port))
        client.sendall(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n")
        while not upstream.got:
            pass
    with client:
        assert client.recv(10) == b""
    assert upstream.left.wait(10)
