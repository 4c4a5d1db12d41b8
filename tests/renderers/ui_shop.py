"""A small shop that writes down what its visitors do: the site under the browser tests of the renderers' tests."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# Every deed is told before the next one can happen: the order is the visitor's.
SCRIPT = """
const tell = (text) => { const ask = new XMLHttpRequest(); ask.open("POST", "/log", false); ask.send(text); };
const named = (element) => element.id || element.tagName;
for (const kind of ["click", "change", "submit"]) {
  addEventListener(kind, (event) => {
    const value = kind === "change" ? "=" + event.target.value : "";
    if (event.isTrusted || kind === "change") tell(kind + " " + named(event.target) + value);
  }, true);
}
"""
HOME = """<form id=search role=search aria-label=Search action=/search>
<input id=box role=combobox aria-label="Search products" data-testid=search-box name=q>
<button id=go data-testid=search-button>Search</button></form>"""
SEARCH = """<a id=first href=/product/prd_7>Aurora lamp</a> <a id=basket data-testid=basket-link href=/checkout>Basket</a>
<div hidden><a href=/elsewhere>Aurora lamp</a></div>"""
PRODUCT = """<h1>Aurora lamp</h1><p id=late></p><p>text</p>
<button id=buy data-testid=buy>Add to basket</button><div style="height:60vh;background:#cde">pictures</div>"""
CHECKOUT = """<form id=pay-form method=post action=/pay>
<label>E-mail <input id=email name=email autocomplete=email></label>
<label>Postcode <input id=postcode name=postcode></label>
<label>Country <select id=country data-testid=country name=country><option value=DE>Germany<option value=NL>Netherlands
</select></label>
<label>Security code <input id=code data-testid=code type=password name=code></label>
<button id=pay data-testid=pay>Pay now</button></form>"""
THROWS = """<script>if (!navigator.userAgent.includes("Chrome"))
  setTimeout(() => { const price = {}; document.title = price.amount.toFixed(2); }, 100);</script>"""
# It jumps some time after it was painted, since a browser forgives what follows a change of its window; and the button
# is there once it has jumped, so that nobody can click before.
SHIFTS = """<script>buy.hidden = true; new PerformanceObserver(() => setTimeout(() => {
  late.style.cssText = "height:60vh;background:#ccc"; setTimeout(() => { buy.hidden = false; }, 200); }, 800)
).observe({ type: "paint", buffered: true });</script>"""
ASKS = """<h1>Asks</h1><script>(async () => {
  for (let n = 0; n < 8; n += 1) { try { await fetch("/api/" + n); } catch {} }
  document.body.insertAdjacentHTML("beforeend", '<button id=done>Done</button>');
})();</script>"""


class Shop:
    """What came to it, in order: pages asked for, calls of its API, and what visitors did."""

    def __init__(self, faults: frozenset[str]) -> None:
        self.faults = faults
        self.log: list[str] = []
        self.url = ""

    def page(self, path: str) -> str | None:
        product = PRODUCT + (THROWS if "throws" in self.faults else "") + (SHIFTS if "shifts" in self.faults else "")
        bodies = {"/": HOME, "/search": SEARCH, "/product/prd_7": product, "/checkout": CHECKOUT, "/asks": ASKS}
        body = "<h1>Thank you</h1>" if path.startswith("/order/") else bodies.get(path)
        script = "" if path == "/asks" else f"<script>{SCRIPT}</script>"
        return (
            body
            and f"<!doctype html><html lang=en><meta name=viewport content=width=device-width><title>Shop</title><body>{script}{body}"
        )


@contextmanager
def running_shop(*faults: str):
    shop = Shop(frozenset(faults))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shop))
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = "{}" if parts.path.startswith("/api/") else shop.page(parts.path)
            if parts.path != "/favicon.ico":
                shop.log.append(f"GET {self.path}")
            self._answer(404 if body is None else 200, body or "nothing here")

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["content-length"])).decode()
            if self.path == "/log":
                shop.log.append(said)
                self._answer(200, "")
            else:
                shop.log.append(f"POST {self.path} {sorted((name, *value) for name, value in parse_qs(said).items())}")
                self.send_response(303)
                self.send_header("Location", "/order/ord_2")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _answer(self, status: int, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            # A way back asks for the page again.
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
