"""One export of every kind that can be read, with a canary in every field that is no id, time or word of the format."""

import csv
import io
import json

import polars as pl

from tests.privacy.canaries import CANARIES

ANYWHERE = [canary for canary in CANARIES if not canary.needs_field]
PROSE = " | ".join(canary.value for canary in ANYWHERE)
PEOPLE = [{canary.field: canary.value} for canary in CANARIES]
BADGE = "badge QX4711"
"""Found by a rule of prodintel.yaml alone."""
START = "2026-11-11T10:57:50Z"
END = "2026-11-11T10:58:50Z"
START_US = 1_794_394_670_000_000
TEXT = f"trouble: {PROSE}, {BADGE}"
ERROR = {"type": f"Trouble {ANYWHERE[0].value}", "message": TEXT, "stack": f"Error: {TEXT}\n  at pay (shop.js:4:2)"}
QUERY = f"INSERT INTO people (full_name, password) VALUES ('{CANARIES[9].value}', '{CANARIES[39].value}')"


def _by_field():
    """Return the fields of all canaries; where two share a field, the second has a number after it."""
    fields = {}
    for canary in CANARIES:
        name = canary.field if canary.field not in fields else f"{canary.field}_2"
        fields[name] = canary.value
    return fields


FIELDS = _by_field()


def _jaeger_tags(**more):
    told = {
        "span.kind": "server", "http.request.method": "POST", "http.route": "/api/cart/coupon", "error": True,
        "http.response.status_code": 500, "otel.status_description": TEXT, "db.query.text": QUERY,
        "http.request.body.content": json.dumps({"people": PEOPLE}), "url.query": f"email={ANYWHERE[0].value}",
        f"seen.{ANYWHERE[0].value}": "yes", **FIELDS, **more,
    }  # fmt: skip
    kinds = {bool: "bool", int: "int64", str: "string"}
    return [{"key": key, "type": kinds[type(value)], "value": value} for key, value in told.items()]


def _jaeger_span(span_id, **more):
    fields = [{"key": "event", "type": "string", "value": "exception"}]
    fields += [{"key": f"exception.{key}", "type": "string", "value": value} for key, value in ERROR.items()]
    fields += [{"key": "exception.stacktrace", "type": "string", "value": ERROR["stack"]}]
    return {
        "traceID": f"{span_id}abc", "spanID": span_id, "operationName": f"pay for {ANYWHERE[0].value}",
        "startTime": START_US, "duration": 900_000, "tags": _jaeger_tags(), "references": [],
        "logs": [{"timestamp": START_US + 5, "fields": fields + _jaeger_tags()}], "warnings": [TEXT], **more,
    }  # fmt: skip


PROCESS = {"serviceName": "jaeger-shop", "tags": _jaeger_tags()}


def _zipkin():
    tags = {"http.method": "POST", "http.path": f"/users/{FIELDS['user_id']}", "error": TEXT, "http.status_code": "500"}
    tags |= {"sql.query": QUERY, **FIELDS}
    endpoint = {"serviceName": "zipkin-shop", "ipv4": FIELDS["client_ip"], "ipv6": FIELDS["remote_addr"], "port": 80}
    return [
        {"traceId": "feed1", "id": "fe1", "kind": "SERVER", "name": f"pay {ANYWHERE[0].value}", "timestamp": START_US,
         "duration": 900_000, "localEndpoint": endpoint, "remoteEndpoint": endpoint, "tags": tags,
         "annotations": [{"timestamp": START_US + 1, "value": TEXT}]},
    ]  # fmt: skip


def _datadog():
    person = {"data": {"type": "users", "attributes": {"name": FIELDS["full_name"], "email": FIELDS["email"]}}}
    incident = {
        "public_id": 9, "title": TEXT, "detected": START, "resolved": END, "state": "active", "customer_impact_scope": TEXT,
        "fields": {"slug": {"value": "IR-9"}, "summary": {"value": TEXT}}, "commander": person, "people": PEOPLE, **FIELDS,
    }  # fmt: skip
    span = {
        "start_timestamp": START, "end_timestamp": END, "trace_id": "255", "span_id": "16", "parent_id": "0",
        "resource_name": f"GET /x?email={ANYWHERE[0].value}", "service": "datadog-shop", "env": "prod", "tags": [TEXT],
        "custom": {"duration": 2_500_000, "span": {"kind": "server"}, "error": ERROR, "usr": FIELDS, "people": PEOPLE,
                   "http": {"status_code": "500", "url": f"https://shop/x?{ANYWHERE[0].value}"}, "db": {"statement": QUERY}},
    }  # fmt: skip
    log = {
        "timestamp": START, "message": TEXT, "status": "error", "service": "datadog-shop", "tags": [TEXT],
        "attributes": {"error": ERROR, "usr": FIELDS, "people": PEOPLE, "dd": {"trace_id": "255"}},
    }  # fmt: skip
    kinds = {"incidents": incident, "spans": span, "log": log}
    return {"data": [{"id": f"x-{kind}", "type": kind, "attributes": content} for kind, content in kinds.items()]}


def _opsgenie():
    alert = {
        "id": "u-1", "tinyId": "7", "message": TEXT, "description": TEXT, "createdAt": START, "status": "closed",
        "entity": "shop", "owner": FIELDS["email"], "source": ANYWHERE[0].value, "tags": [TEXT], "alias": TEXT,
        "responders": PEOPLE, "details": {"note": TEXT, **FIELDS}, "report": {"closeTime": 60000, "closedBy": FIELDS["email"]},
    }  # fmt: skip
    hook = {
        "alertId": "u-1", "tinyId": "7", "message": TEXT, "note": TEXT, "createdAt": 1_794_394_670_000,
        "username": FIELDS["email"], "userId": FIELDS["user_id"], "details": FIELDS,
    }  # fmt: skip
    return {"data": [alert]}, {"action": "AddNote", "alert": hook}


def _pagerduty():
    person = {"id": "PU1", "type": "user_reference", "summary": FIELDS["full_name"], "email": FIELDS["email"]}
    incident = {
        "id": "QL1", "type": "incident", "incident_number": 77, "title": TEXT, "description": TEXT, "created_at": START,
        "status": "resolved", "resolved_at": END, "service": {"summary": "Shop"}, "assignments": [{"assignee": person}],
        "body": {"type": "incident_body", "details": TEXT}, "people": PEOPLE, "resolve_reason": TEXT, **FIELDS,
        "log_entries": [{"id": "RL1", "type": "annotate_log_entry", "created_at": START, "summary": TEXT, "agent": person,
                         "channel": {"type": "note", "content": TEXT, "people": PEOPLE}}],
    }  # fmt: skip
    data = {"id": "QW1", "type": "incident", "number": 78, "title": TEXT, "created_at": START, "status": "triggered",
            "assignees": [person], "priority": {"summary": "P1"}, "people": PEOPLE, **FIELDS}  # fmt: skip
    note = {"type": "incident_note", "content": TEXT, "incident": {"id": "QW1"}}
    hooks = [
        {"id": f"E{number}", "event_type": kind, "occurred_at": START, "agent": person, "data": content}
        for number, (kind, content) in enumerate((("incident.triggered", data), ("incident.annotated", note)))
    ]
    return {"incidents": [incident]}, *({"event": hook} for hook in hooks)


def _github():
    person = {"name": FIELDS["full_name"], "email": FIELDS["email"], "username": FIELDS["email"]}
    repository = {"name": "shop", "full_name": "acme/shop", "description": TEXT, "owner": person}
    commit = {"id": "a" * 40, "timestamp": START, "message": TEXT, "url": f"https://x/{ANYWHERE[0].value}", "author": person,
              "committer": person, "modified": [f"people/{ANYWHERE[0].value}.py"]}  # fmt: skip
    push = {"ref": "refs/heads/main", "before": "0" * 40, "after": "a" * 40, "repository": repository, "commits": [commit],
            "pusher": person, "head_commit": commit}  # fmt: skip
    release = {"id": 5, "tag_name": "v1.2", "published_at": START, "target_commitish": "main", "name": TEXT, "body": TEXT,
               "author": {"login": FIELDS["email"]}, "html_url": f"https://x/{ANYWHERE[0].value}", **FIELDS}  # fmt: skip
    return push, {"action": "published", "release": release, "repository": repository, "sender": person}


LINE = TEXT.replace("\n", " ")


def _log_lines():
    """Return logs as text: by name, the format and the lines."""
    words = f"ERROR shop: {LINE}"
    return {
        "app.log": ("text_log", [f"2026-11-11 10:57:50,000 {words}"] * 2),
        "syslog": ("syslog", [f'<11>1 {START} web1 shop 7 - [people@1 note="{PROSE[:40]}"] {LINE}'] * 2),
        "compose.log": ("container_log", [f"web-1  | 2026-11-11 10:57:50 {words}"] * 2),
    }


def _watchdog():
    """Return an entry of Drupal's log, whose variables are PHP's."""
    variables = f's:5:"@text";s:{len(TEXT.encode())}:"{TEXT}";'
    return {
        "wid": "1", "uid": FIELDS["user_id"], "type": "php", "message": "failed: @text", "severity": "3",
        "variables": f"a:1:{{{variables}}}", "timestamp": str(START_US // 1_000_000), "hostname": FIELDS["client_ip"],
        "location": f"https://shop/x?email={ANYWHERE[0].value}",
    }  # fmt: skip


def _log_documents():
    """Return logs as JSON: by name, the format and the documents."""
    record = {"@timestamp": START, "level": "error", "message": TEXT, "logger": "shop", "people": PEOPLE, **FIELDS}
    record["error"] = {"type": ERROR["type"], "message": TEXT, "stack_trace": ERROR["stack"]}
    wrapped = {"logGroup": "/aws/lambda/shop", "logStream": "s", "messageType": "DATA_MESSAGE"}
    event = {"id": "1", "timestamp": START_US // 1000, "message": json.dumps(record)}
    return {
        "json_log.ndjson": ("json_log", [record]),
        "hits.json": (
            "elasticsearch",
            [{"took": 1, "hits": {"hits": [{"_index": "x", "_id": "1", "_source": record}]}}],
        ),
        "splunk.json": ("splunk", [{"preview": False, "result": {"_time": START, "_raw": TEXT, **FIELDS}}]),
        "cloudwatch.json": ("cloudwatch", [wrapped | {"logEvents": [event]}]),
        "docker.json": (
            "container_log",
            [{"log": f"ERROR {TEXT}\n", "stream": "stderr", "time": START, "attrs": FIELDS}],
        ),
        "watchdog.json": ("watchdog", [[_watchdog()]]),
    }


def _rows():
    row = {"when": START, "who": "mapped-shop", "text": TEXT, "trace": "ab", "span": "cd", "ms": 12.5, "id": "MAP-1"}
    return [row | FIELDS]


def _csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


LOGS = {"time_us": "any_time(when)", "body": "text", "service_name": "who", "severity_text": "'ERROR'"}
SPANS = {"time_us": "any_time(when)", "duration_ms": "ms", "trace_id": "trace", "span_id": "span", "service_name": "who",
         "span_name": "text", "status_message": "text", "span_kind": "'server'", "status_code": "'error'"}  # fmt: skip
INCIDENTS = {"time_us": "any_time(when)", "incident_id": "id", "title": "text", "description": "text"}
MAPPED = (
    {"path": "mapped.csv", "table": "logs", "columns": LOGS},
    {"path": "mapped.ndjson", "table": "spans", "columns": SPANS},
    {"path": "mapped.parquet", "table": "incidents", "columns": INCIDENTS},
)
"""What prodintel.yaml says of the mapped files."""


def write_every_source(folder) -> dict[str, str]:
    """Write one file of each kind; return the format that each is to be recognised as."""
    documents = {
        "jaeger-ui.json": ("jaeger", [{"data": [{"traceID": "aabc", "spans": [_jaeger_span("a1", processID="p1")],
                                                 "processes": {"p1": PROCESS}}]}]),
        "jaeger-api.json": ("jaeger", [_jaeger_span("b1", process=PROCESS)]),
        "zipkin.json": ("zipkin", [_zipkin()]),
        "datadog.json": ("datadog", [_datadog()]),
        "opsgenie.json": ("opsgenie", _opsgenie()[:1]),
        "opsgenie-webhook.json": ("opsgenie", _opsgenie()[1:]),
        "pagerduty-list.json": ("pagerduty", _pagerduty()[:1]),
        "pagerduty-webhooks.jsonl": ("pagerduty", _pagerduty()[1:]),
        "push.json": ("github", _github()[:1]),
        "release.json": ("github", _github()[1:]),
        **_log_documents(),
    }  # fmt: skip
    for name, (_, told) in documents.items():
        (folder / name).write_text("\n".join(json.dumps(document) for document in told), encoding="utf-8")
    plain = {
        "id": "PLAIN-1",
        "title": TEXT,
        "description": TEXT,
        "started": START,
        "resolved": END,
        "team": TEXT,
    } | FIELDS
    change = {
        "service": "shop",
        "version": "1.9",
        "deployed_at": START,
        "description": TEXT,
        "deployed_by": FIELDS["email"],
    }
    # Every JSON text is YAML too.
    (folder / "plain.yaml").write_text(
        f"incidents:\n  - {json.dumps(plain)}\nchanges:\n  - {json.dumps(change | {'people': PEOPLE})}\n",
        encoding="utf-8",
    )
    (folder / "plain.csv").write_text(_csv([plain | {"id": "PLAIN-2"}]), encoding="utf-8")
    (folder / "watchdog.csv").write_text(_csv([_watchdog() | {"wid": "2"}]), encoding="utf-8")
    for name, (_, lines) in _log_lines().items():
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    (folder / "mapped.csv").write_text(_csv(_rows()), encoding="utf-8")
    (folder / "mapped.ndjson").write_text("\n".join(map(json.dumps, _rows())), encoding="utf-8")
    pl.DataFrame(_rows()).write_parquet(folder / "mapped.parquet")
    (folder / "broken.json").write_text('{"resourceSpans": [{"note": ' + json.dumps(TEXT)[:-3], encoding="utf-8")
    formats = {name: form for name, (form, _) in documents.items()}
    formats |= {name: form for name, (form, _) in _log_lines().items()} | {"watchdog.csv": "watchdog"}
    plain_ones = {"plain.yaml": "plain", "plain.csv": "plain", "broken.json": "otlp"}
    return formats | plain_ones | {"mapped.csv": "csv", "mapped.ndjson": "ndjson", "mapped.parquet": "parquet"}
