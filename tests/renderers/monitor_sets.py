"""A small suite of monitors, and a shop on loopback whose answers can be altered, for the tests of the renderer."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prodintel_lib.scenarios.guards.model import Exchange
from prodintel_lib.scenarios.model import Extract, Extracted, Replacement, Request
from prodintel_lib.scenarios.monitors import Check, EndpointMonitors, Monitor, MonitorSuite
from prodintel_lib.scenarios.monitors.answer_schema import infer_schema
from prodintel_lib.scenarios.monitors.left_out import LeftOut
from prodintel_lib.scenarios.monitors.rules import Rule, Term

BEARER = Replacement(into="header", at="Authorization", value=Extracted(name="token", prefix="Bearer "))
REQUESTS = {
    "sign_in": Request(
        id="sign_in",
        method="POST",
        route="/api/sessions",
        path="/api/sessions",
        body={"locale": "de-AT"},
        extracts=(Extract(name="token", pointer="/token"),),
    ),
    "order": Request(
        id="order",
        method="POST",
        route="/api/orders",
        path="/api/orders",
        body={"product": "p1", "n": 2},
        replacements=(BEARER,),
        extracts=(Extract(name="id", pointer="/id"),),
    ),
    "page": Request(
        id="page",
        method="GET",
        route="/api/orders/{id}",
        path="/api/orders/o0",
        replacements=(Replacement(into="path", at="2", value=Extracted(name="id")), BEARER),
    ),
    "shelf": Request(id="shelf", method="GET", route="/api/shelf", path="/api/shelf", query=(("kind", "été 'a'"),)),
}
SHELF = {"kind": "été 'a'", "items": [{"id": "p1", "kind": "été 'a'"}, {"id": "p2", "kind": "été 'a'"}]}


def page(number):
    return {"id": f"o{number}", "total": 18, "items": [{"each": 4, "n": 2}, {"each": 10, "n": 1}], "status": "paid"}


def make_check(check_id="availability", kind="availability", **changed):
    check = Check(
        id=check_id,
        kind=kind,
        says="is answered within 2,000 ms with 200 or another success",
        bad=0,
        n=900,
        bound=0.0033,
        tries=2,
        false_alarm=2.2e-5,
        detects=0.68,
        group_alarms=0,
        groups=450,
    )
    return check.model_copy(update=changed)


def make_rule(relation, left, right, **changed):
    return make_check(
        "rule_1",
        "rule",
        says="it is as it should be",
        rule=Rule(relation=relation, left=left, right=right, n=300, by_chance=1e-30, tried=40),
        **changed,
    )


TOTAL = make_rule(
    "equals",
    Term(of="answer", at="/total"),
    Term(of="answer", at="/items/*/each", fold="sum", times="/n"),
)
KIND = make_rule("every", Term(of="answer", at="/items/*/kind", fold="each"), Term(of="query", at="kind"))
ORDERED = Exchange(prepare=("sign_in", "order"), request="page")
LOOKED = Exchange(prepare=(), request="shelf")


def order_monitor(**changed):
    monitor = Monitor(
        id="get_order",
        endpoint="GET /api/orders/{id}",
        reasons=("promised in prodintel.yaml",),
        every_min=60,
        signs_in=True,
        writes=True,
        statuses=(200,),
        patience_ms=2_000,
        limit_ms=1_500,
        checks=(make_check(), make_check("latency", "latency"), make_check("schema", "schema"), TOTAL),
        schemas={200: infer_schema([page(n) for n in range(200)])},
        exchanges=(ORDERED, ORDERED, ORDERED),
    )
    return monitor.model_copy(update=changed)


def shelf_monitor(**changed):
    told = {
        "id": "get_shelf",
        "endpoint": "GET /api/shelf",
        "every_min": 5,
        "signs_in": False,
        "writes": False,
        "schemas": {200: infer_schema([SHELF] * 60)},
        "checks": (make_check(), make_check("latency", "latency"), make_check("schema", "schema"), KIND),
        "exchanges": (LOOKED, LOOKED),
    }
    return order_monitor(**{**told, **changed})


def make_suite(*monitors, left_out=()):
    named = {name for each in monitors for part in each.exchanges for name in (*part.prepare, part.request)}
    return MonitorSuite(
        generator="prodintel 0.0.0",
        input_digest="0123456789abcdef",
        window="2025-09-01/2025-09-29",
        endpoints=EndpointMonitors(
            requests={name: request for name, request in REQUESTS.items() if name in named},
            monitors=monitors,
            left_out=tuple(LeftOut(what=what, why=why) for what, why in left_out),
            criterion="Critical is what is promised.",
            healthy="Healthy time: all of it.",
        ),
    )


class Shop:
    """A shop that answers as it should, but for what `alter` makes of status and document.

    Parameters
    ----------
    alter : callable, optional
        Of method, path, status, document and the number of the request to that path; returns status and document.
    slow_s : float
        How long the shelf takes.
    """

    def __init__(self, alter=None, *, slow_s=0.0):
        self.alter, self.slow_s, self.seen = alter, slow_s, []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": self}))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
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

    def answer(self, method, path, body):
        with self._lock:
            self.seen.append((method, path, body))
            place = path.split("?")[0].split("/")[2]
            count = sum(
                1 for each, other, _ in self.seen if (each, other.split("?")[0].split("/")[2]) == (method, place)
            )
        status, document = 200, SHELF
        if place == "sessions":
            status, document = 201, {"token": "t"}
        elif place == "orders":
            status, document = (201, {"id": f"o{count}"}) if method == "POST" else (200, page(path.rsplit("o", 1)[1]))
        elif self.slow_s:
            time.sleep(self.slow_s)
        return self.alter(method, path, status, document, count) if self.alter else (status, document)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, document = self.shop.answer(self.command, self.path, body)
        sent = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _handle  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass
