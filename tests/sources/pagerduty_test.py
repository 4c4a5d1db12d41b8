import orjson
import pytest

from prodintel_lib.sources.pagerduty import read_pagerduty, said_id
from prodintel_lib.windows import parse_time

INCIDENT = {
    "id": "Q0G4WBB4K4ILLM",
    "incident_number": 14,
    "incident_key": "baf7cf21b1da41b4b0221008339ff361",
    "title": "INC-2024-1234: checkouts fail",
    "status": "resolved",
    "urgency": "high",
    "created_at": "2025-09-29T14:23:47Z",
    "last_status_change_at": "2025-09-29T14:31:00Z",
    "service": {"id": "P1", "summary": "payment-service"},
    "html_url": "https://shop.pagerduty.com/incidents/Q0G4WBB4K4ILLM",
}


def entry(kind, at, **changes):
    made = {"id": f"R-{kind}", "type": f"{kind}_log_entry", "created_at": at, "summary": kind, **changes}
    return {key: value for key, value in made.items() if value is not ...}


ENTRIES = [
    entry("trigger", "2025-09-29T14:23:47Z", agent={"summary": "Prometheus"}),
    entry("acknowledge", "2025-09-29T14:25:00Z", agent={"summary": "Ada"}),
    entry("annotate", "2025-09-29T14:26:00Z"),
    entry("resolve", "2025-09-29T14:29:29Z"),
]


def row(frame):
    return {name: value for name, value in frame.row(0, named=True).items() if value is not None}


@pytest.mark.parametrize(
    "documents",
    [
        [{"incident": {**INCIDENT, "log_entries": ENTRIES}}],
        [{"incidents": [{**INCIDENT, "log_entries": ENTRIES}], "more": False}],
        [{"incident": INCIDENT, "log_entries": ENTRIES}],
        [{"incident": INCIDENT}, {"log_entries": [{**e, "incident": {"id": INCIDENT["id"]}} for e in ENTRIES]}],
        [{"log_entries": [{**e, "incident": {"id": INCIDENT["id"]}} for e in ENTRIES]}, [INCIDENT]],
    ],
    ids=["inside", "list", "beside", "after", "before"],
)
def test_read_pagerduty_joins_an_incident_and_its_log_entries(stream, documents):
    result = read_pagerduty(stream(*documents))
    assert (result.rows_read, result.kept, result.quarantined) == (5, {"incidents": 1, "alerts": 4}, ())
    incident = row(result.frames["incidents"])
    assert orjson.loads(incident.pop("attributes")) == INCIDENT
    assert incident == {
        "time_us": parse_time("2025-09-29T14:23:47Z"),
        "source": "pagerduty",
        "incident_id": "INC-2024-1234",
        "end_time_us": parse_time("2025-09-29T14:29:29Z"),
        "acknowledged_time_us": parse_time("2025-09-29T14:25:00Z"),
        "title": "INC-2024-1234: checkouts fail",
        "severity": "high",
        "status": "resolved",
        "service_name": "payment-service",
        "url": "https://shop.pagerduty.com/incidents/Q0G4WBB4K4ILLM",
    }
    alerts = result.frames["alerts"].sort("time_us")
    assert alerts.select("alert_id", "incident_id", "event", "actor").rows() == [
        ("R-trigger", "INC-2024-1234", "triggered", "Prometheus"),
        ("R-acknowledge", "INC-2024-1234", "acknowledged", "Ada"),
        ("R-annotate", "INC-2024-1234", "note", None),
        ("R-resolve", "INC-2024-1234", "resolved", None),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": "[INC-2024-1234] checkouts"}, "INC-2024-1234"),
        ({"title": "INC-2024-1234"}, "INC-2024-1234"),
        ({"title": "checkouts fail", "incident_key": "OPS-77"}, "OPS-77"),
        ({"title": "checkouts fail since INC-1"}, "14"),
        ({"title": "checkout-service is down"}, "14"),
        ({"title": "x", "incident_key": "baf7cf21-b1da-41b4-b022-1008339ff361"}, "14"),
        ({"title": "x", "incident_key": "web/db-1 cpu"}, "14"),
        ({"title": "x", "incident_number": None}, "Q0G4WBB4K4ILLM"),
        ({"title": None, "incident_key": None}, "14"),
    ],
)
def test_said_id_is_the_id_people_say(changes, expected):
    assert said_id({**INCIDENT, **changes}) == expected


def test_read_pagerduty_takes_times_from_the_incident_where_there_are_no_entries(stream):
    told = {**INCIDENT, "acknowledgements": [{"at": "2025-09-29T14:27:00Z"}, {"at": "2025-09-29T14:24:00Z"}]}
    incident = row(read_pagerduty(stream({"incident": told})).frames["incidents"])
    assert incident["acknowledged_time_us"] == parse_time("2025-09-29T14:24:00Z")
    assert incident["end_time_us"] == parse_time("2025-09-29T14:31:00Z")


def test_read_pagerduty_leaves_an_open_incident_without_an_end(stream):
    incident = row(read_pagerduty(stream({"incident": {**INCIDENT, "status": "acknowledged"}})).frames["incidents"])
    assert "end_time_us" not in incident


def test_read_pagerduty_prefers_priority_and_details(stream):
    told = {**INCIDENT, "priority": {"summary": "P1"}, "body": {"details": "ten connections held"}}
    incident = row(read_pagerduty(stream({"incident": told})).frames["incidents"])
    assert (incident["severity"], incident["description"]) == ("P1", "ten connections held")


def test_read_pagerduty_quarantines_what_has_no_id_or_time(stream):
    documents = [
        {"incidents": [{"id": "Q1"}, "Q2", {**INCIDENT, "created_at": "yesterday"}]},
        {"log_entries": [entry("notify", ...), {"type": "trigger_log_entry", "created_at": "2025-09-29T14:23:47Z"}]},
        {"user": {}},
        {"incidents": {"a": 1}},
    ]
    result = read_pagerduty(stream(*documents))
    assert [(item.reason, item.line) for item in result.quarantined] == [
        ("incident without id or time", 1),
        ("incident without id or time", 1),
        ("incident without id or time", 1),
        ("log entry without id or time", 2),
        ("log entry without id or time", 2),
        ("not a PagerDuty document", 3),
        ("not a PagerDuty document", 4),
    ]
    assert (result.rows_read, result.kept) == (7, {})


def test_read_pagerduty_reads_recorded_answers(shared_data, stream):
    folder = shared_data / "formats" / "pagerduty"
    seen = {}
    for path in sorted(folder.glob("*.resp")):
        result = read_pagerduty(stream(path.read_bytes()))
        for incident in result.frames["incidents"].iter_rows(named=True) if "incidents" in result.frames else ():
            seen[path.name.removeprefix("unit_test__responses__")] = (
                incident["incident_id"],
                incident["status"],
                incident["severity"],
                incident["end_time_us"] is not None,
                incident["acknowledged_time_us"] is not None,
            )
    assert seen == {
        "test_acknowledge_valid.json.resp": ("18", "acknowledged", "high", False, True),
        "test_resolve_valid.json.resp": ("14", "resolved", "P1", True, False),
        "trigger_event_additional_fields_assignments.json.resp": ("22", "triggered", "P1", False, False),
        "trigger_event_additional_fields_escalation.json.resp": ("21", "triggered", "P1", False, False),
        "trigger_event_minimum_fields.json.resp": ("19", "triggered", "high", False, False),
    }
