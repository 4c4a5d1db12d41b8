"""Incidents whose telemetry is sparse, healthy or absent, and whose own times are wrong: a report all the same."""

import csv
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main
from prodintel_lib.errors import NoDataError
from prodintel_lib.incident_replay import describe_result, replay_incident, write_outputs, write_summary
from prodintel_lib.windows import US_PER_S, format_time, parse_time

ALERT = "2026-03-02T10:40:00Z"
START_US = parse_time("2026-03-02T10:00:00Z")
MINUTE_US = 60 * US_PER_S
MAPPINGS = {
    "metrics": {"time_us": "iso(time)", "metric_name": "name", "value": "value", "service_name": "service"},
    "logs": {
        "time_us": "iso(time)",
        "severity_text": "level",
        "body": "message",
        "service_name": "service",
        "trace_id": "trace",
    },
    "spans": {
        "time_us": "iso(time)",
        "duration_ms": "ms(took)",
        "trace_id": "trace",
        "span_id": "span",
        "span_name": "name",
        "span_kind": "'server'",
        "service_name": "service",
        "http_request_method": "optional(method)",
        "http_route": "optional(path)",
        "url_path": "optional(path)",
        "http_response_status_code": "optional(status)",
        "http_response_body": "optional(body)",
    },
}


def iso(time_us):
    return format_time(time_us, precision="ms").removesuffix(" UTC").replace(" ", "T") + "Z"


def metrics(broken=True, until_min=60):
    """A minute apart: the duration of checkout rises from about 100 to about 900 ms in the 35th minute."""
    return [
        {
            "time": iso(START_US + minute * MINUTE_US),
            "name": "http_server_duration_p99_ms",
            "service": service,
            "value": (900 if broken and service == "checkout" and minute >= 35 else 100) + (7 * minute) % 5,
        }
        for minute in range(until_min)
        for service in ("checkout", "search")
    ]


def logs(failing=()):
    """An ordinary line a minute, and an error in each trace that is named."""
    rows = [
        {"time": iso(START_US + minute * MINUTE_US), "level": "INFO", "message": "handled", "service": "checkout"}
        for minute in range(60)
    ]
    rows += [
        {
            "time": time,
            "level": "ERROR",
            "message": f"10:36:00.5 ERROR trace_id={trace} java.lang.IllegalStateException: order {7000 + number} lost",
            "service": "orders",
            "trace": trace,
        }
        for number, (time, trace) in enumerate(failing)
    ]
    return rows


def names_only():
    """Spans that know nothing but a name and a duration, four a minute."""
    return [
        {
            "time": iso(START_US + number * MINUTE_US // 4),
            "took": 40 + number % 3,
            "trace": f"{number:032x}",
            "span": f"{number:016x}",
            "name": "placeOrder",
            "service": "shop",
        }
        for number in range(240)
    ]


def without_sessions():
    """Requests that say how they ended, without a session; one in two fails from the 35th to the 45th minute."""
    return [
        {
            **row,
            "name": "GET /api/basket",
            "method": "GET",
            "path": "/api/basket",
            "status": 500 if 140 <= number < 180 and number % 2 else 200,
            "body": "" if 140 <= number < 180 and number % 2 else json.dumps({"items": []}),
        }
        for number, row in enumerate(names_only())
    ]


@pytest.fixture
def workspace(tmp_path):
    """Return a function that writes a workspace with the tables it is given, and an incident that is still open."""

    def write(*, start=ALERT, end=None, service="checkout", **tables):
        sources = [{"path": "incidents.yaml"}]
        for table, rows in tables.items():
            names = dict.fromkeys(name for row in rows for name in row) | ({"trace": None} if table == "logs" else {})
            with (tmp_path / f"{table}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, names, restval="")
                writer.writeheader()
                writer.writerows(rows)
            sources.append({"path": f"{table}.csv", "table": table, "columns": MAPPINGS[table]})
        incident = {"id": "INC-1", "title": "Checkout is slow", "started": start, "service": service}
        ended = {"resolved": end, "status": "resolved"} if end else {}
        (tmp_path / "incidents.yaml").write_bytes(orjson.dumps([incident | ended]))
        (tmp_path / "prodintel.yaml").write_bytes(orjson.dumps({"name": "sparse", "sources": sources}))
        return tmp_path

    return write


def command(folder, *, incident="INC-1"):
    """Replay on the command line, and check that whatever comes, it is no traceback."""
    done = CliRunner().invoke(
        main, ["replay", incident, "--workspace", str(folder), "--reports", str(folder / "reports")]
    )
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def result_of(folder):
    return json.loads((folder / "reports" / "incident_replay" / "INC-1" / "result.json").read_bytes())


def test_replay_without_traces_finds_the_onset_in_metrics_and_logs(workspace):
    folder = workspace(metrics=metrics(), logs=logs())
    done = command(folder)
    assert done.exit_code == 0, done.output
    found = result_of(folder)
    assert (found["window"]["basis"], found["window"]["how"]) == ("signals", "observed")
    assert found["window"]["start_us"] == START_US + 35 * MINUTE_US
    assert found["headline"]["title"] == "checkout: http_server_duration_p99_ms rose from 102 to 902"
    assert "No request of that time was recorded" in found["headline"]["sentence"]
    assert found["verification"].startswith("none were made: None of 0 requests")
    report = (folder / "reports" / "incident_replay" / "INC-1" / "report.html").read_text()
    assert "No entry request was recorded, so there is no share of bad ones to follow" in report
    assert "No request was recorded in the window, so nobody can be counted." in report
    assert "No call of one service by another was recorded in the window." in report


def test_replay_of_an_incident_without_an_end_looks_on_for_two_hours(workspace):
    folder = workspace(metrics=metrics(until_min=130))
    found = describe_result(replay_incident(folder, "INC-1"))
    assert found["window"]["end_us"] == START_US + 129 * MINUTE_US + 1


def test_replay_of_an_incident_that_ends_before_it_starts_says_so(workspace):
    folder = workspace(metrics=metrics(), end="2026-03-02T09:00:00Z")
    done = command(folder)
    assert done.exit_code == 0, done.output
    said = "It is resolved, but no end after its start is known: how long it lasted was read from the data."
    assert said in result_of(folder)["rests_on"]
    assert said in (folder / "reports" / "incident_replay" / "INC-1" / "report.html").read_text()


def test_replay_of_an_incident_just_after_the_last_telemetry_says_that_nothing_was_recorded(workspace):
    folder = workspace(metrics=metrics(broken=False), start="2026-03-02T11:30:00Z", end="2026-03-02T11:40:00Z")
    done = command(folder)
    assert done.exit_code == 0, done.output
    assert (
        "Nothing was recorded from 2026-03-02 11:30:00-11:40:00 UTC, the time that was reported: the last telemetry "
        "around it is of 2026-03-02 10:59:00 UTC." in result_of(folder)["headline"]["sentence"]
    )


@pytest.mark.parametrize("start", ["2036-01-01T00:00:00Z", "2026-03-01T00:00:00Z"])
def test_replay_of_an_incident_far_from_all_telemetry_is_the_users_mistake(workspace, start):
    done = command(workspace(metrics=metrics(), logs=logs(), start=start))
    assert done.exit_code == 2
    assert "No spans, logs or metrics were recorded in" in done.output
    assert (
        "The workspace holds logs from 2026-03-02 10:00:00 UTC to 2026-03-02 10:59:00 UTC (60); metrics" in done.output
    )
    assert "Hint: check the incident's own times, and the time zones of the sources" in done.output


def test_replay_without_any_telemetry_says_what_to_add(workspace):
    folder = workspace()
    assert command(folder).exit_code == 2
    with pytest.raises(NoDataError, match="The workspace holds no telemetry at all") as told:
        replay_incident(folder, "INC-1")
    assert told.value.hint == "add the traces, logs or metrics of that time to `sources` in prodintel.yaml."


def test_replay_of_healthy_telemetry_says_that_it_is_healthy(workspace):
    healthy = [row | {"status": 200} for row in without_sessions()]
    folder = workspace(metrics=metrics(broken=False), logs=logs(), spans=healthy)
    done = command(folder)
    assert done.exit_code == 0, done.output
    found = result_of(folder)
    assert found["window"]["basis"] == "reported"
    assert found["headline"]["title"] == "The telemetry shows no failure that users met (Checkout is slow)"
    assert "Only healthy telemetry: nothing bad among 4 requests" in found["headline"]["sentence"]
    assert "got worse" in found["headline"]["sentence"]
    assert found["causes"][0]["kind"] == "cannot_tell"


def test_replay_counts_requests_that_failed_by_their_logs_and_says_so(workspace):
    spans = names_only()
    failing = [(row["time"], row["trace"]) for row in spans[140:180:2]]
    folder = workspace(spans=spans, logs=logs(failing), service="orders")
    replay = replay_incident(folder, "INC-1")
    findings = replay.findings
    assert findings.onset.basis == "requests"
    assert findings.onset.window.start_us == START_US + 35 * MINUTE_US
    assert (findings.blast.requests.hits, findings.blast.users.n, findings.blast.sessions.n) == (20, 0, 0)
    assert findings.evidence.failed_by_logs == 20
    group = findings.signatures.groups.row(0, named=True)
    assert (group["route"], group["outcome"], group["origin_service"]) == ("placeOrder", "error in its logs", "orders")
    assert (group["error_type"], group["message"]) == ("java.lang.IllegalStateException", "order <n> lost")
    assert findings.signatures.logged.row(0, named=True)["rows"] == 20
    assert replay.scenarios.suite is None
    assert "Its spans hold no `http.request.method` and no `url.path`" in replay.scenarios.reason
    assert "20 of 240 requests count as failed by their logs" in write_summary(replay)


def test_replay_believes_an_answer_more_than_the_logs_behind_it(workspace):
    spans = [row | {"status": 200} for row in without_sessions()]
    failing = [(row["time"], row["trace"]) for row in spans[140:180:2]]
    findings = replay_incident(workspace(spans=spans, logs=logs(failing)), "INC-1").findings
    assert (findings.evidence.failed_by_logs, findings.blast.requests.hits) == (0, 0)


@pytest.fixture
def shop():
    """Return a function that starts a shop whose baskets are answered with a status, and gives its address."""
    servers = []

    def start(status):
        class Shop(BaseHTTPRequestHandler):
            def do_GET(self):
                body = b'{"items": []}'
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (500, 1)])
def test_replay_without_sessions_makes_scenarios_of_one_request(workspace, tmp_path, shop, status, exit_code):
    replay = replay_incident(workspace(spans=without_sessions()), "INC-1")
    findings = replay.findings
    assert (findings.blast.requests.hits, findings.blast.requests.n, findings.blast.users.n) == (20, 39, 0)
    assert "No request names a session: each trace stands for one" in " ".join(findings.evidence.sentences)
    assert {scenario.symptom.route for scenario in replay.scenarios.suite.scenarios} == {"GET /api/basket"}
    write_outputs(replay, tmp_path / "out")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "out" / "tests",
         "--base-url", shop(status)],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == exit_code, ran.stdout
    assert " error" not in ran.stdout.splitlines()[-1]


def test_replay_is_the_same_on_duckdb_where_requests_are_few(workspace):
    folder = workspace(metrics=metrics(), logs=logs(), spans=names_only()[:20])
    one, other = (
        orjson.dumps(describe_result(replay_incident(folder, "INC-1", engine=engine)))
        for engine in ("polars", "duckdb")
    )
    assert one == other
