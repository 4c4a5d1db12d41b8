"""Small load models, and a shop on loopback that takes what they send, for the tests of what is rendered from them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prodintel_lib.scenarios.load_model.model import (
    GAP_LEVELS,
    GapLaw,
    LoadArc,
    LoadClass,
    LoadCurve,
    LoadDefaults,
    LoadEndpoint,
    LoadGuard,
    LoadModel,
    LoadState,
    Login,
    Threshold,
    Variant,
)
from prodintel_lib.scenarios.model import Extract, Extracted, Fresh, Masked, Replacement

BEARER = Replacement(into="header", at="Authorization", value=Extracted(name="token", prefix="Bearer "))
SIGN_IN = LoadEndpoint(
    label="POST /api/sessions",
    method="POST",
    route="/api/sessions",
    variants=(Variant(path="/api/sessions", body={"locale": "de-AT"}, n=4),),
    extracts=(Extract(name="token", pointer="/token"),),
    statuses=(200, 201),
    patience_ms=2_000,
    requests=400,
)
SEARCH = LoadEndpoint(
    label="GET /api/search/{shelf}",
    method="GET",
    route="/api/search/{shelf}",
    variants=(
        Variant(path="/api/search/grün & blau", query=(("q", "été 'a' (b)*"),), headers=(("X-Note", "ü"),), n=3),
        Variant(path="/api/search/rot", query=(("q", "lamp"),), n=1),
    ),
    statuses=(200,),
    patience_ms=2_000,
    requests=900,
)
CART = LoadEndpoint(
    label="POST /api/cart",
    method="POST",
    route="/api/cart",
    variants=(Variant(path="/api/cart", body={"item": None, "n": 1}, replacements=(BEARER,), n=2),),
    extracts=(Extract(name="cart", pointer="/cart"),),
    statuses=(201,),
    patience_ms=2_000,
    requests=300,
)
ORDER = LoadEndpoint(
    label="POST /api/carts/{cart}/orders",
    method="POST",
    route="/api/carts/{cart}/orders",
    variants=(
        Variant(
            path="/api/carts/7f9c/orders",
            body={"key": "7f9c24e5-2c1d-4d5e-9f00-0123456789ab", "card": "[masked]", "note": "ü\u2028"},
            replacements=(
                BEARER,
                Replacement(into="path", at="2", value=Extracted(name="cart")),
                Replacement(into="body", at="/key", value=Fresh()),
                Replacement(into="body", at="/card", value=Masked(name="card")),
            ),
            n=1,
        ),
    ),
    statuses=(201,),
    patience_ms=2_000,
    requests=100,
)
ENDPOINTS = (SIGN_IN, SEARCH, CART, ORDER)
QUICK = GapLaw(family="quantiles", seconds=tuple(0.02 + 0.04 * level for level in GAP_LEVELS), n=500)
LONG = GapLaw(family="quantiles", seconds=tuple(0.05 + 0.2 * level**2 for level in GAP_LEVELS), n=500)
NEVER = -12.0

# Buyers search, fill a cart and order; they never sign in by themselves, so the login goes first.
BUYERS = LoadClass(
    id="buyers",
    name="buyers",
    weight=0.4,
    sessions=40,
    session_correlation=0.3,
    step_bounds=(1, 3),
    end_shift=(0.0, 0.2, 0.5),
    states=(
        LoadState(after=("<start>",), visits=40, end_logit=NEVER, arcs=(LoadArc(endpoint=1, weight=1, state=1),)),
        LoadState(
            after=("GET /api/search/{shelf}",),
            visits=90,
            end_logit=-2.0,
            arcs=(
                LoadArc(endpoint=1, weight=2, state=1, gap=1),
                LoadArc(endpoint=2, weight=3, state=2, gap=0),
                LoadArc(endpoint=3, weight=2, state=2, gap=0),
            ),
        ),
        LoadState(
            after=("POST /api/cart",),
            visits=60,
            end_logit=-0.5,
            arcs=(LoadArc(endpoint=3, weight=2, state=2, gap=0), LoadArc(endpoint=1, weight=1, state=1, gap=1)),
        ),
    ),
)
BROWSERS = LoadClass(
    id="browsers",
    name="browsers",
    weight=0.6,
    sessions=60,
    session_correlation=0.0,
    step_bounds=(),
    end_shift=(0.0,),
    states=(
        LoadState(after=("<start>",), visits=60, end_logit=NEVER, arcs=(LoadArc(endpoint=1, weight=1, state=1),)),
        LoadState(
            after=("GET /api/search/{shelf}",),
            visits=120,
            end_logit=0.0,
            arcs=(LoadArc(endpoint=1, weight=1, state=1, gap=0),),
        ),
    ),
)


def make_model(**changed):
    """Return a load model of a shop: 40 sessions in two seconds, the first of which is three times as busy."""
    model = LoadModel(
        generator="prodintel 0.0.0",
        input_digest="0123456789abcdef",
        curve=LoadCurve(
            start_us=1_700_000_000_000_000,
            end_us=1_700_000_002_000_000,
            time_zone="Europe/Vienna",
            local_start_s=28_800,
            bucket_s=0.5,
            sessions=(20.0, 10.0, 6.0, 4.0),
            source="spans",
        ),
        endpoints=ENDPOINTS,
        gaps=(QUICK, LONG),
        classes=(BUYERS, BROWSERS),
        guards=(LoadGuard(endpoint=3, needs=2, used_by=3, sessions=40),),
        longest=12,
        login=Login(endpoint=0, value="token"),
        thresholds=(
            Threshold(endpoint=1, kind="latency", percentile=95, limit=1_500, origin="production", seen=900, n=900),
            Threshold(endpoint=1, kind="failures", limit=0.05, origin="slo", seen=0.01, n=900),
        ),
        defaults=LoadDefaults(length_s=2.0, seed=7),
        sessions=100,
        requests=1_700,
    )
    return LoadModel.model_validate(model.model_copy(update=changed).model_dump(by_alias=True))


class LoadShop:
    """A shop that answers in one of these ways: healthy, error (every search is a 500), slow, garbage."""

    def __init__(self, way="healthy", *, slow_s=0.3):
        self.way, self.slow_s = way, slow_s
        self.seen = []
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method, path, headers, body):
        """Return the status and what is said, as bytes."""
        signed = headers.get("Authorization", "").startswith("Bearer tok_")
        with self._lock:
            self.seen.append((method, path, body, headers.get("Authorization"), headers.get("Cookie")))
            number = len(self.seen)
        if path.startswith("/api/search"):
            if self.way == "slow":
                self.closed.wait(self.slow_s)
            return (500, b"{}") if self.way == "error" else (200, b"[" * 20_000 if self.way == "garbage" else b"[]")
        if path == "/api/sessions":
            said = {"token": f"tok_{number}"}
            return 201, b"\xff\x00{" if self.way == "garbage" else json.dumps(said).encode()
        if not signed:
            return 401, b"{}"
        return 201, json.dumps({"cart": f"cart_{number}"}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Say nothing of clients that did not wait."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop: LoadShop

    def _handle(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, said = self.shop.answer(self.command, self.path, self.headers, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Set-Cookie", "basket=b1; Path=/")
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = _handle  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass
