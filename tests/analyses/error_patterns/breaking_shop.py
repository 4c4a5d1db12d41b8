"""A made-up shop of two services with browsers in front: an hour before, and an hour in which a release breaks paying."""

import polars as pl

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Lake, Manifest, SourceEntry
from prodintel_lib.tables import LOGS, RUM_EVENTS, SPANS, conform
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

MINUTE_US = 60_000_000
START_US = 1_700_000_000_000_000 // MINUTE_US * MINUTE_US
BASELINE = Window(START_US - 60 * MINUTE_US, START_US)
WINDOW = Window(START_US, START_US + 60 * MINUTE_US)
PAID, REFUSED, BROKEN = range(3)
STACK = (
    'Traceback (most recent call last):\n  File "/srv/pay/app.py", line {line}, in charge\n    card = cards[key]\n'
    "KeyError: '{key}'\n"
)


def paying(number, time_us, outcome, version):
    """Return spans and logs of one request to pay; every session pays once, and again where it was refused."""
    trace = f"{number:024x}{(number * 2654435761) % 2**32:08x}"
    status = {PAID: 200, REFUSED: 402, BROKEN: 502}[outcome]
    inner = {PAID: 200, REFUSED: 402, BROKEN: 500}[outcome]
    shared = {"trace_id": trace, "http_request_method": "POST", "duration_ms": 5.0}
    failed = {"status_code": "error", "error_type": str(status)} if outcome == BROKEN else {}
    spans = [
        {
            **shared, **failed, "span_id": "1", "time_us": time_us, "span_kind": "server", "service_name": "shop",
            "http_route": "/pay", "http_response_status_code": status, "session_id": f"s{number // 2}",
            "user_agent_original": "Mozilla/5.0 Firefox/140.0", "service_version": "1",
        },
        {
            **shared, "span_id": "2", "parent_span_id": "1", "time_us": time_us + 1, "span_kind": "client",
            "service_name": "shop", "http_response_status_code": inner, "peer_service": "pay", "duration_ms": 4.0,
        },
        {
            **shared, "span_id": "3", "parent_span_id": "2", "time_us": time_us + 2, "span_kind": "server",
            "service_name": "pay", "http_route": "/charges", "http_response_status_code": inner, "duration_ms": 3.0,
            "service_version": version,
        },
    ]  # fmt: skip
    if outcome != BROKEN:
        return spans, []
    key = f"card-{number}"
    thrown = {
        "time_us": time_us + 2500, "service_name": "pay", "service_version": version, "trace_id": trace, "span_id": "3",
        "severity_text": "ERROR", "body": "charge failed", "error_type": "KeyError", "exception_message": f"'{key}'",
        "exception_stacktrace": STACK.format(line=40 if version == "2" else 38, key=key),
    }  # fmt: skip
    passed_on = {
        "time_us": time_us + 4500, "service_name": "shop", "trace_id": trace, "span_id": "1", "severity_text": "ERROR",
        "body": f"pay answered 500 to order {number}",
    }  # fmt: skip
    return spans, [thrown, passed_on]


def all_tables():
    """Return spans, logs and events of browsers: in the window every fourth payment of release 2 breaks."""
    spans, logs, rum = [], [], []
    for number in range(1200):
        time_us = BASELINE.start_us + number * 6_000_000
        is_new = number >= 600
        version = "2" if is_new and number % 2 else "1"
        broken = version == "2" and number % 4 == 3
        outcome = BROKEN if broken else REFUSED if number % 40 == 0 else PAID
        some_spans, some_logs = paying(number, time_us, outcome, version)
        spans += some_spans
        logs += some_logs
        rum.append({"event_kind": "view", "time_us": time_us, "session_id": f"s{number // 2}", "url_path": "/pay"})
        if number % 60 == 30:
            form = {
                "error_source": "validation",
                "error_type": "ValidationError",
                "exception_message": "Check the date.",
            }
            rum.append(
                {"event_kind": "error", "time_us": time_us, "session_id": f"s{number // 2}", "url_path": "/pay", **form}
            )
    logs += [
        {
            "time_us": BASELINE.start_us + minute * MINUTE_US,
            "severity_text": "INFO",
            "service_name": "cron",
            "body": "ran",
        }
        for minute in range(120)
    ]
    for number, row in enumerate(rum):
        row |= {"user_bucket": 0, "visitor_id": f"v{number}", "service_name": "web", "user_id": None}
    return [
        conform(pl.DataFrame(rows, infer_schema_length=None), table)
        for rows, table in ((spans, SPANS), (logs, LOGS), (rum, RUM_EVENTS))
    ]


def make_view(folder, tables=None, engine="polars"):
    """Write the tables into a lake, and open it."""
    (folder / "prodintel.yaml").write_text("name: shop\n")
    lake = Lake(folder / "lake")
    files = []
    for table, frame in zip((SPANS, LOGS, RUM_EVENTS), tables or all_tables(), strict=True):
        files += lake.write(table, frame)
    lake.publish(Manifest(1, {"made": SourceEntry(0, 0, "0" * 64, "otlp", 0, {}, {}, 0, tuple(files))}))
    return open_view(open_workspace(folder), engine=engine)
