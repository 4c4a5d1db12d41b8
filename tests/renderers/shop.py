"""A tiny shop on loopback with a fake Toxiproxy in the same server: what generated tests are run against."""

import json
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

GOLDEN = 0.6180339887498949
PROXIES = ("card-processor",)


class Shop:
    """A shop that behaves in one of these ways.

    ``fixed`` accepts an order that cannot be paid yet; ``slow`` waits for the processor, and pages wait behind it;
    ``error`` answers 500; ``lossy`` never settles what it accepted. ``charge`` replaces the pretended processor.
    """

    def __init__(self, way, *, charge=None, http_toxics=("http_latency", "http_status")):
        self.way = way
        self.charge = charge
        self.http_toxics = http_toxics
        self.toxics = {name: {} for name in PROXIES}
        self.log = []
        self.seen = []
        self._orders = {}
        self._charges = 0
        self._waiting = Counter()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stuck(self):
        """Say whether the processor cannot be paid now."""
        toxics = list(self.toxics["card-processor"].values())
        with self._lock:
            self._charges += 1
            draw = self._charges * GOLDEN % 1
        return any(draw < toxic["attributes"].get("rate", 1) for toxic in toxics)

    def wait(self, seconds=20.0):
        self._closed.wait(seconds)

    def answer(self, method, path, headers, body):
        """Return status, headers and document."""
        if path.startswith(("/proxies", "/version")):
            return self._toxiproxy(method, path, body)
        route = path.partition("?")[0].split("/")[1:]
        authorized = headers.get("Authorization", "").startswith("Bearer tok_")
        with self._lock:
            self.seen.append((method, path, body, headers.get("Authorization")))
        if route == ["api", "sessions"]:
            return 201, {}, {"token": f"tok_{uuid.uuid4().hex}"}
        if route[:2] == ["api", "products"]:
            return self._page()
        if not authorized:
            return 401, {}, {}
        if route == ["api", "cart", "items"]:
            return 201, {}, {}
        return self._place(body) if method == "POST" else self._show(route[2])

    def _page(self):
        hit = self.toxics["card-processor"] and self.way in {"slow", "error"}
        if hit and self.way == "error":
            return 500, {}, {}
        if hit and self._waiting["orders"]:
            self.wait()
        return 200, {}, {"name": "lamp"}

    def _place(self, body):
        order = {"order_id": f"ord_{uuid.uuid4().hex[:8]}", "amount": 19.5, "payments": [body["idempotency_key"]]}
        if self.charge is not None:
            status = "paid" if self.charge() else "payment_pending"
        else:
            status = "payment_pending" if self.stuck() else "paid"
        if status != "paid" and self.way == "slow":
            self._waiting["orders"] += 1
            self.wait()
        if status != "paid" and self.way == "error":
            return 500, {}, {}
        self._orders[order["order_id"]] = order
        return (201 if status == "paid" else 202), {}, {**order, "status": status}

    def _show(self, order_id):
        if order_id not in self._orders:
            return 404, {}, {}
        settled = not self.toxics["card-processor"] and self.way != "lossy"
        return 200, {}, {**self._orders[order_id], "status": "paid" if settled else "payment_pending"}

    def _toxiproxy(self, method, path, body):
        self.log.append(f"{method} {path}")
        if path == "/proxies":
            self.seen.append(None)
        if path == "/version":
            return 200, {}, {"version": "2.12.0"} | ({"prodintel": {"http_toxics": list(self.http_toxics)}})
        proxies = {
            name: {"name": name, "enabled": True, "toxics": list(toxics.values())}
            for name, toxics in self.toxics.items()
        }
        parts = path.split("/")[2:]
        if not parts:
            return 200, {}, proxies
        if parts[0] not in proxies:
            return 404, {}, {"error": "proxy not found", "status": 404}
        toxics = self.toxics[parts[0]]
        if method == "POST":
            toxics[body["name"]] = body
            return 200, {}, body
        if method == "DELETE":
            return (204 if toxics.pop(parts[2], None) else 404), {}, None
        return 200, {}, proxies[parts[0]]


class _Handler(BaseHTTPRequestHandler):
    shop: Shop

    def _serve(self):
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        status, headers, document = self.shop.answer(self.command, self.path, self.headers, body)
        content = b"" if document is None else json.dumps(document).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names are http.server's

    def log_message(self, *_):
        """Keep quiet."""


def charge_through(proxy_url, timeout_s):
    """Return a charge that asks the card processor behind a proxy."""

    def charge():
        try:
            with urlopen(proxy_url, timeout=timeout_s) as answer:
                return answer.status == 200
        except OSError:
            return False

    return charge
