"""A workspace in which nothing happens: a service that answers, hour after hour, as it always does."""

import csv
import random
from pathlib import Path

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00Z
MINUTE_US = 60_000_000
CONFIG = """\
name: quiet
sources:
  - path: requests.csv
    table: spans
    columns: {time_us: t, duration_ms: ms, trace_id: trace, span_id: span, service_name: service, span_kind: kind,
              span_name: name, http_request_method: method, http_route: route, http_response_status_code: status}
"""


def write_quiet_workspace(folder: Path, *, minutes: int = 24 * 60, per_minute: float = 10.0, seed: int = 1) -> Path:
    """Write a day of requests that nothing is wrong with; now and then one fails, as it always does."""
    dice = random.Random(seed)
    folder.mkdir(parents=True)
    (folder / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
    with (folder / "requests.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["t", "ms", "trace", "span", "service", "kind", "name", "method", "route", "status"])
        time_us, n = float(START_US), 0
        while (time_us := time_us + dice.expovariate(per_minute / MINUTE_US)) < START_US + minutes * MINUTE_US:
            n += 1
            route, status = dice.choice(["/items", "/items/{id}"]), 500 if dice.random() < 0.01 else 200
            duration_ms = round(dice.lognormvariate(3.0, 0.5), 3)
            out.writerow([int(time_us), duration_ms, f"{n:032x}", f"{n:016x}", "api", "server", f"GET {route}", "GET",
                          route, status])  # fmt: skip
    return folder
