"""A workspace whose sessions are known: lookers and buyers of a small shop, over two days."""

import csv
import json
import random
from pathlib import Path

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00Z
S = 1_000_000
CONFIG = """\
name: small shop
business: {time_zone: Europe/Berlin, events: ["2026-01-02/2026-01-03 sale"]}
slos:
  - {route: POST /orders, latency_ms: 700, percentile: 95, availability: 0.9}
sources:
  - path: requests.csv
    table: spans
    columns: {time_us: t, duration_ms: ms, trace_id: trace, span_id: span, service_name: service, span_kind: kind,
              span_name: name, http_request_method: method, http_route: route, url_path: path, session_id: session,
              http_response_status_code: status, http_request_body: asked, http_response_body: answered}
"""
COLUMNS = (
    "t", "ms", "trace", "span", "service", "kind", "name", "method", "route", "path", "session", "status", "asked",
    "answered",
)  # fmt: skip


def write_shop_log(folder: Path, *, sessions: int = 400, seed: int = 1, extra: str = "") -> Path:
    """Write a workspace: a third of the sessions buy, the others look about; most come around noon."""
    dice = random.Random(seed)
    folder.mkdir(parents=True)
    (folder / "prodintel.yaml").write_text(CONFIG + extra, encoding="utf-8")
    with (folder / "requests.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for number in range(sessions):
            day = number % 2 * 86_400
            time_us = START_US + int((day + dice.triangular(6, 22, 12) * 3600) * S)
            for method, route, path, asked, answered in _session(dice, number):
                ids = f"{dice.getrandbits(128):032x}", f"{dice.getrandbits(64):016x}"
                ms = round(dice.lognormvariate(3.0, 0.5), 3)
                out.writerow([time_us, ms, *ids, "shop", "server", f"{method} {route}", method, route, path,
                              f"visit-{number:06d}", 201 if asked else 200, asked, answered])  # fmt: skip
                time_us += int((0.5 + dice.expovariate(0.2)) * S)
    return folder


def _session(dice, number):
    item = dice.randrange(8)
    look = ("GET", "/items/{item}", f"/items/{item}", "", json.dumps({"item": item, "price": 3 + item}))
    if number % 3:
        yield ("GET", "/items", "/items", "", "[]")
        for _ in range(1 + dice.randrange(4)):
            yield look
        return
    yield look
    order = f"ord-{number:06d}-{dice.getrandbits(32):08x}"
    yield ("POST", "/cart", "/cart", json.dumps({"item": item}), json.dumps({"items": 1}))
    yield ("POST", "/orders", "/orders", json.dumps({"key": f"{dice.getrandbits(128):032x}"}),
           json.dumps({"order": order}))  # fmt: skip
    yield ("GET", "/orders/{order}", f"/orders/{order}", "", json.dumps({"order": order, "paid": True}))
