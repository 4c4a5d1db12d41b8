"""Opsgenie, Datadog, PagerDuty's webhooks, GitHub's pushes and releases, and lists kept by hand."""

import orjson
import pytest
import yaml

from prodintel_lib.sources.datadog import read_datadog
from prodintel_lib.sources.detect import recognise
from prodintel_lib.sources.github import read_github
from prodintel_lib.sources.ingest import read_source
from prodintel_lib.sources.opsgenie import read_opsgenie
from prodintel_lib.sources.pagerduty import read_pagerduty
from prodintel_lib.sources.plain import is_plain, plain_columns, read_plain
from prodintel_lib.workspace import SourceFile

START_US = 1_759_155_600_000_000
START = "2025-09-29T14:20:00Z"


def rows(result, table, *columns):
    return result.frames[table].select(columns).rows()


def reasons(result):
    return [(item.reason, item.line) for item in result.quarantined]


ALERT = {"id": "u-1", "tinyId": "7", "message": "down", "createdAt": START, "status": "closed", "entity": "shop",
         "report": {"ackTime": 15000, "closeTime": 60000}}  # fmt: skip
INCIDENT = ("incident_id", "time_us", "acknowledged_time_us", "end_time_us", "status", "service_name")


def test_read_opsgenie_reads_alerts_of_the_api(stream):
    still_open = {"id": "u-2", "message": "x", "createdAt": START, "status": "open", "acknowledged": True}
    result = read_opsgenie(stream({"data": ALERT}, {"data": [still_open, {"id": "u-3"}]}))
    assert rows(result, "incidents", *INCIDENT) == [
        ("7", START_US, START_US + 15_000_000, START_US + 60_000_000, "resolved", "shop"),
        ("u-2", START_US, None, None, "acknowledged", None),
    ]
    assert reasons(result) == [("alert without id or time", 2)]


def test_read_opsgenie_reads_webhooks(stream):
    alert = {"alertId": "u-1", "tinyId": "7", "message": "down", "createdAt": 1_759_155_600_000, "username": "ada"}
    later = alert | {"updatedAt": 1_759_155_660_000_000_000}
    result = read_opsgenie(stream({"action": "Create", "alert": alert}, {"action": "Close", "alert": later}))
    assert rows(result, "alerts", "time_us", "incident_id", "event", "actor") == [
        (START_US, "7", "triggered", "ada"),
        (START_US + 60_000_000, "7", "resolved", "ada"),
    ]


def test_read_opsgenie_reads_lists_of_incidents_as_documented(stream):
    told = {
        "id": "b15c", "tinyId": "7", "message": "down", "status": "resolved", "tags": [], "priority": "P3",
        "createdAt": "2025-09-29T14:20:00.000Z", "updatedAt": "2025-09-29T15:00:00.12Z",
        "impactStartDate": "2025-09-29T14:19:00Z", "impactEndDate": "2025-09-29T14:30:00Z", "impactedServices": ["s-1"],
        "ownerTeam": "", "responders": [{"type": "team", "id": "t"}], "extraProperties": {}, "actions": [],
        "links": {"web": "https://acme.app.opsgenie.com/incident/detail/b15c", "api": "https://api/v1/incidents/b15c"},
    }  # fmt: skip
    document = {"data": [told, told | {"tinyId": "8", "status": "open"}], "took": 0.1, "requestId": "r"}
    assert recognise(orjson.dumps(document)) == "opsgenie"
    result = read_opsgenie(stream(document, {"data": ALERT}))
    assert rows(result, "incidents", "source", "incident_id", "status", "end_time_us", "severity") == [
        ("opsgenie incidents", "7", "resolved", START_US + 600_000_000, "P3"),
        ("opsgenie incidents", "8", "triggered", None, "P3"),
        ("opsgenie", "7", "resolved", START_US + 60_000_000, None),
    ]
    assert rows(result, "incidents", "url")[0] == ("https://acme.app.opsgenie.com/incident/detail/b15c",)


def test_read_opsgenie_tells_an_alert_from_its_webhooks(stream):
    alert = {
        "alertId": "u-1", "tinyId": "7", "message": "down", "createdAt": 1_759_155_600_000, "priority": "P1", "tags": [],
        "updatedAt": 1_759_155_660_000_000_000, "username": "ada", "userId": "u", "entity": "shop", "details": {},
    }  # fmt: skip
    source = {"name": "web", "type": "API"}
    actions = ("Create", "Acknowledge", "AddNote", "Close")
    result = read_opsgenie(
        stream(*({"source": source, "alert": alert, "action": action, "integrationId": "i"} for action in actions))
    )
    changed_us = START_US + 60_000_000
    assert rows(result, "incidents", *INCIDENT) == [
        ("7", START_US, None, None, "triggered", "shop"),
        ("7", START_US, changed_us, None, "acknowledged", "shop"),
        ("7", START_US, None, changed_us, "resolved", "shop"),
    ]
    assert (result.rows_read, len(result.frames["alerts"])) == (7, 4)


def test_read_opsgenie_reads_the_real_alert_and_no_other_answer(shared_data):
    found = {}
    for path in (shared_data / "formats" / "opsgenie").glob("*.resp"):
        name, result = read_source(SourceFile(path.name, path, None))
        found[path.name.split("__")[2]] = (name, result.kept)
    assert found.pop("get_alert.json.resp") == ("opsgenie", {"incidents": 1})
    assert {name for name, _ in found.values()} == {""}


def datadog(kind, **attributes):
    return {"id": "x", "type": kind, "attributes": attributes}


def test_read_datadog_reads_incidents_spans_and_logs(stream):
    incident = datadog(
        "incidents", public_id=9, title="down", detected=START, resolved="2025-09-29T14:30:00Z", state="active",
        fields={"slug": {"value": "IR-9"}, "services": {"value": ["shop", "db"]}},
    )  # fmt: skip
    span = datadog(
        "spans", start_timestamp=START, end_timestamp=START, trace_id="255", span_id="16", parent_id="0",
        resource_name="GET /x", service="shop", env="prod",
        custom={"duration": 2_500_000, "span": {"kind": "server"}, "http": {"status_code": "500"}, "error": {"message": "no"}},
    )  # fmt: skip
    log = datadog(
        "log", timestamp=START, message="hello", status="ok", service="shop", attributes={"dd": {"trace_id": "255"}}
    )
    found = {"data": {"attributes": {"incidents": [{"data": incident}]}, "type": "incidents_search_results"}}
    result = read_datadog(stream({"data": [incident, span, log]}, found, {"data": [{"type": "users"}]}))
    trace = f"{255:032x}"
    assert (
        rows(result, "incidents", *INCIDENT)
        == [("IR-9", START_US, None, START_US + 600_000_000, "triggered", "shop")] * 2
    )
    names = ("trace_id", "span_id", "parent_span_id", "duration_ms", "span_kind", "status_code")
    assert rows(result, "spans", *names) == [(trace, f"{16:016x}", None, 2.5, "server", "error")]
    assert rows(result, "spans", "span_name", "service_name", "http_response_status_code", "exception_message") == [
        ("GET /x", "shop", 500, "no")
    ]
    assert rows(result, "logs", "time_us", "body", "severity_text", "trace_id") == [(START_US, "hello", "INFO", trace)]
    assert reasons(result) == [("not a Datadog incident, span, log or RUM event", 3)]


def test_read_datadog_reads_every_real_answer(shared_data, tmp_path):
    kept = {"incidents": 0, "spans": 0, "logs": 0}
    folder = shared_data / "formats" / "datadog" / "api_recordings"
    cassettes = [path for kind in ("spans", "_logs_", "incidents") for path in folder.glob(f"*{kind}*.yaml")]
    for path in sorted(set(cassettes)):
        for call in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["interactions"]:
            body = call["response"]["body"]
            answer = tmp_path / "answer.json"
            answer.write_text(body["string"] if isinstance(body, dict) else body, encoding="utf-8")
            name, result = read_source(SourceFile("answer", answer, None))
            if name:
                assert (name, result.quarantined) == ("datadog", ())
            for table, count in result.kept.items():
                kept[table] += count
    assert kept == {"incidents": 20, "spans": 13, "logs": 6}


def webhook(kind, *, at=START, **data):
    told = {"id": "Q1", "type": "incident", "number": 14, "title": "down", "created_at": START, "status": "triggered"}
    return {"event": {"id": f"E-{kind}", "event_type": kind, "occurred_at": at, "data": told | data}}


def test_read_pagerduty_reads_webhooks_of_version_3(stream):
    documents = (
        webhook("incident.triggered"),
        webhook("incident.acknowledged", at="2025-09-29T14:21:00Z", status="acknowledged"),
        webhook("incident.resolved", at="2025-09-29T14:30:00Z", status="resolved"),
        {"event": {"id": "E9", "event_type": "incident.annotated", "occurred_at": START,
                   "data": {"type": "incident_note", "content": "looking", "incident": {"id": "Q1"}}}},
        {"event": {"id": "E0", "event_type": "service.created", "data": {}}},
    )  # fmt: skip
    assert recognise(orjson.dumps(documents[0])) == "pagerduty"
    result = read_pagerduty(stream(*documents))
    assert rows(result, "alerts", "event", "incident_id", "summary") == [
        ("triggered", "14", "down"),
        ("acknowledged", "14", "down"),
        ("resolved", "14", "down"),
        ("note", "14", "looking"),
    ]
    taken_us, end_us = START_US + 60_000_000, START_US + 600_000_000
    assert rows(result, "incidents", "status", "acknowledged_time_us", "end_time_us") == [
        ("triggered", taken_us, None),
        ("acknowledged", taken_us, None),
        ("resolved", taken_us, end_us),
    ]
    assert reasons(result) == [("not a PagerDuty document", 5)]


def test_read_github_reads_commits_with_their_files(stream):
    commit = {
        "id": "a" * 40,
        "timestamp": START,
        "message": "mend",
        "author": {"username": "ada"},
        "modified": ["x.py"],
    }
    push = {"ref": "refs/heads/main", "before": "0", "after": "1", "repository": {"name": "shop"}}
    result = read_github(stream(push | {"commits": [commit, {"id": "b"}]}, push | {"commits": []}))
    assert rows(result, "changes", "change_kind", "change_id", "service_name", "actor", "status") == [
        ("commit", "a" * 40, "shop", "ada", "pushed")
    ]
    assert '"modified":["x.py"]' in result.frames["changes"]["attributes"][0]
    assert (reasons(result), sum(result.dropped.values())) == ([("commit without id or time", 1)], 1)


def test_read_github_reads_releases(stream):
    release = {
        "id": 5,
        "tag_name": "v1.2",
        "published_at": START,
        "target_commitish": "main",
        "author": {"login": "ada"},
    }
    published = {"action": "published", "release": release, "repository": {"name": "shop"}}
    result = read_github(stream(published, published | {"action": "deleted"}))
    assert rows(result, "changes", "time_us", "change_kind", "service_version", "status", "commit_id") == [
        (START_US, "release", "v1.2", "published", None)
    ]
    assert result.dropped == {"release deleted": 1}


def test_read_github_reads_every_real_push_and_release(shared_data):
    kept = {"commit": 0, "release": 0}
    for path in sorted((shared_data / "formats" / "github").glob("*.json")):
        if path.name.startswith(("push", "release")):
            name, result = read_source(SourceFile(path.name, path, None))
            assert (name, result.quarantined) == ("github", ())
            for (kind,) in rows(result, "changes", "change_kind") if result.frames else []:
                kept[kind] += 1
    assert kept == {"commit": 2, "release": 8}


YAML = b"""\
# what we had
incidents:
  - id: INC-1
    title: Checkouts fail
    started: 2025-09-29 16:20:00+02:00
    resolved: 2025-09-29T14:10:00Z
  - {id: 2, title: later, started: 1759155600, team: pay}
  - {id: 3, title: never}
  - just a note
changes:
  - {service: shop, version: 1.2, deployed_at: "2025-09-29T14:20:00Z"}
"""


def test_read_plain_reads_yaml(stream):
    assert is_plain(YAML)
    result = read_plain(stream(YAML))
    assert rows(result, "incidents", "incident_id", "time_us", "end_time_us", "source", "attributes") == [
        ("INC-1", START_US, None, "file", '{"resolved":"2025-09-29T14:10:00+00:00"}'),
        ("2", START_US, None, "file", '{"team":"pay"}'),
    ]
    assert rows(result, "changes", "change_id", "change_kind", "service_version") == [
        ("shop@2025-09-29T14:20:00Z", "deployment", "1.2")
    ]
    assert reasons(result) == [
        ("neither an incident nor a change: needs id, title, start", 8),
        ("neither an incident nor a change: not an object", 9),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"Id;Title;Started At;Notes\nINC-1;down;2025-09-29T14:20:00Z;x\n",
        b'[{"id": "INC-1", "title": "down", "started_at": "2025-09-29T14:20:00Z"}]\n',
        b"- id: INC-1\n  title: down\n  opened_at: 2025-09-29 14:20:00\n",
    ],
)
def test_read_plain_reads_any_writing_of_a_list(stream, content):
    assert is_plain(content)
    assert rows(read_plain(stream(content)), "incidents", "incident_id", "title", "time_us") == [
        ("INC-1", "down", START_US)
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- &a [1]\n- *a\n", "YAML with aliases"),
        (b"- id: [\n", "not valid YAML"),
        (b"- " * 100_000, "YAML nested too deep"),
        (b"- id: 1\n  title: \xff\n", "not valid YAML"),
    ],
)
def test_read_plain_quarantines_yaml_that_cannot_be_read(stream, content, reason):
    result = read_plain(stream(b"- id: 0\n" + content))
    assert [item.reason for item in result.quarantined] == [reason]


def test_plain_columns_tells_changes_from_incidents():
    assert plain_columns(["service", "version", "timestamp", "title", "id"])[0] == "changes"
    assert plain_columns(["timestamp", "service", "metric", "value"]) is None
    assert not is_plain(b"time,service,message\n")
    assert not is_plain(b"notes: none\n")


def test_read_pagerduty_reads_every_documented_event_of_version_3(stream):
    incident = {
        "id": "PGR0VU2", "type": "incident", "self": "https://api.pagerduty.com/incidents/PGR0VU2", "number": 2,
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2", "status": "triggered", "created_at": START,
        "incident_key": "d3640fbd41094207a1c11e58e46b1662", "title": "A little bump in the road", "urgency": "high",
        "service": {"id": "PF9KMXH", "summary": "API Service", "type": "service_reference"}, "assignees": [], "teams": [],
        "priority": {"id": "PSO75BM", "summary": "P1", "type": "priority_reference"}, "resolve_reason": None,
        "conference_bridge": {"conference_number": "+1 1234123412,,987654321#", "conference_url": "https://example.com"},
    }  # fmt: skip
    reference = {"id": "PGR0VU2", "summary": "A little bump in the road", "type": "incident_reference"}
    note = {"incident": reference, "id": "P2LA89X", "content": "glad", "trimmed": False, "type": "incident_note"}
    update = {"incident": reference, "id": "P2LA89Y", "message": "a fix is coming", "type": "incident_status_update"}
    responder = {"incident": reference, "user": {"id": "PV", "summary": "Maeve"}, "message": "help", "state": "pending",
                 "type": "incident_responder"}  # fmt: skip
    service = {"id": "PF9KMXH", "summary": "API", "alert_creation": "create_alerts_and_incidents", "type": "service"}
    told = (
        ("incident.triggered", incident),
        ("incident.priority_updated", incident),
        ("incident.annotated", note),
        ("incident.status_update_published", update),
        ("incident.responder.added", responder),
        ("service.updated", service),
        ("pagey.ping", {"message": "Hello from your friend Pagey!", "type": "ping"}),
    )
    result = read_pagerduty(
        stream(
            *(
                {"event": {"id": f"E{n}", "event_type": kind, "resource_type": kind.split(".")[0], "occurred_at": START,
                           "agent": None, "client": None, "data": data}}
                for n, (kind, data) in enumerate(told)
            )
        )
    )  # fmt: skip
    assert rows(result, "alerts", "event", "incident_id", "summary") == [
        ("triggered", "2", "A little bump in the road"),
        ("priority", "2", "A little bump in the road"),
        ("note", "2", "glad"),
        ("note", "2", "a fix is coming"),
        ("responder.added", "2", "help"),
    ]
    assert rows(result, "incidents", "incident_id", "severity", "service_name") == [("2", "P1", "API Service")] * 2
    assert (reasons(result), result.dropped) == ([], {"webhook about no incident": 2})


@pytest.mark.parametrize(
    ("summary", "expected"),
    [("[#1234] The server is on fire.", "1234"), ("INC-7: down", "INC-7"), ("[#1234] INC-7: down", "INC-7"),
     ("down", "Q1"), (None, "Q1")],
)  # fmt: skip
def test_read_pagerduty_names_an_incident_that_is_in_another_file(stream, summary, expected):
    entry = {"id": "R1", "type": "notify_log_entry", "created_at": START, "incident": {"id": "Q1", "summary": summary}}
    assert rows(read_pagerduty(stream({"log_entries": [entry]})), "alerts", "incident_id") == [(expected,)]
