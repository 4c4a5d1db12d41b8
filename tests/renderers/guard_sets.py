"""Small sets of guards, and a server on loopback that is healthy or not, for the tests of their renderers."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prodintel_lib.scenarios.guards import Exchange, Guard, GuardSet, GuardSuite, Level, Look, Plan
from prodintel_lib.scenarios.model import Extract, Extracted, Fresh, Masked, Replacement, Request

BEARER = Replacement(into="header", at="Authorization", value=Extracted(name="token", prefix="Bearer "))
SIGN_IN = Request(
    id="sign_in",
    method="POST",
    route="/api/sessions",
    path="/api/sessions",
    body={"locale": "de-AT"},
    extracts=(Extract(name="token", pointer="/token"),),
)
SEARCH = Request(
    id="search",
    method="GET",
    route="/api/search/{shelf}",
    path="/api/search/grün & blau",
    query=(("q", "été 'a' (b)*"), ("page", "1")),
    headers=(("Accept-Language", "de-AT"),),
    replacements=(BEARER,),
)
ORDER = Request(
    id="order",
    method="POST",
    route="/api/orders",
    path="/api/orders",
    body={
        "key": "7f9c24e5-2c1d-4d5e-9f00-0123456789ab",
        "card": "[masked]",
        "items": [{"n": 12345678}],
        "note": "ü\u2028",
    },
    replacements=(
        BEARER,
        Replacement(into="body", at="/key", value=Fresh()),
        Replacement(into="body", at="/card", value=Masked(name="card")),
        Replacement(into="body", at="/items/0/n", value=Fresh(format="digits", length=8)),
    ),
)
PLAN = Plan(
    healthy=0.02,
    bad=0.5,
    looks=(Look(n=4, green_at_most=-1, red_at_least=3), Look(n=8, green_at_most=1, red_at_least=2)),
    fixed_requests=8,
    power=0.95,
    false_alarm=0.005,
    expected_healthy=8.0,
    expected_bad=5.5,
)
SEARCHED = Exchange(prepare=("sign_in",), request="search")
ORDERED = Exchange(prepare=("sign_in", "search"), request="order")


def make_guard(**changed):
    guard = Guard(
        id="get_search_error_ratio",
        finding_id="AN-0123456789",
        kind="error_ratio",
        route="GET /api/search/{shelf}",
        title="GET /api/search/{shelf}: at most 2.0 % fail",
        seen="20 of 40 were bad (50.0 %); before, 1 of 400 (0.2 %)",
        healthy=Level(bad=1, n=400, bound=0.02),
        anomalous=Level(bad=20, n=40, bound=0.36),
        limit_ms=2_000,
        statuses=(200, 201),
        at_once=2,
        rate_per_s=40.0,
        exchanges=(SEARCHED,),
        plan=PLAN,
    )
    return guard.model_copy(update=changed)


def make_guards(*guards):
    known = {request.id: request for request in (SIGN_IN, SEARCH, ORDER)}
    named = dict.fromkeys(
        name for guard in guards for each in guard.exchanges for name in (*each.prepare, each.request)
    )
    return GuardSuite(
        GuardSet(
            generator="prodintel 0.0.0",
            input_digest="0123456789abcdef",
            requests={name: known[name] for name in named},
            guards=guards,
        ),
        (),
    )


class Api:
    """A server that answers in one of these ways: healthy, error, slow, refused (404), mixed (every other a 500)."""

    def __init__(self, way="healthy", *, struck="/api/search", slow_s=0.5):
        self.way, self.struck, self.slow_s = way, struck, slow_s
        self.seen = []
        self._count = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method, path, headers, body):
        """Return status and document."""
        with self._lock:
            self.seen.append((method, path, body, headers.get("Authorization"), headers.get("Accept-Language")))
            self._count += path.startswith(self.struck)
            count = self._count
        if path.startswith(self.struck):
            if self.way == "slow":
                time.sleep(self.slow_s)
            status = {"error": 500, "refused": 404, "mixed": 500 if count % 2 else 200}.get(self.way, 200)
            if status != 200:
                return status, {}
        return 201, {"token": "tok_1"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Say nothing of clients that did not wait."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, document = self.api.answer(self.command, self.path, self.headers, body)
        sent = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _handle  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass
