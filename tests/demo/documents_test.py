from demo.incidents import find_incident
from demo.recording.alerting import AlertEvent
from demo.recording.github import Deployment, write_events
from demo.recording.pagerduty import write_incident

EVENTS = [
    AlertEvent("triggered", 1_700_000_000.7, 12, 80),
    AlertEvent("acknowledged", 1_700_000_045.0, 30, 90),
    AlertEvent("resolved", 1_700_000_300.0, 0, 200),
]


def test_write_incident_tells_the_alert_as_it_was() -> None:
    incident = write_incident(find_incident("INC-2024-1234"), EVENTS)["incident"]

    assert incident["incident_key"] == "INC-2024-1234"
    assert incident["incident_number"] == 1234
    assert incident["status"] == "resolved"
    assert incident["created_at"] == "2023-11-14T22:13:20Z"
    assert incident["resolved_at"] == incident["last_status_change_at"] == "2023-11-14T22:18:20Z"
    assert incident["body"]["details"].startswith("12 of 80 answers of the gateway in the last 30 s failed")
    assert [(entry["type"], entry["created_at"]) for entry in incident["log_entries"]] == [
        ("trigger_log_entry", "2023-11-14T22:13:20Z"),
        ("acknowledge_log_entry", "2023-11-14T22:14:05Z"),
        ("resolve_log_entry", "2023-11-14T22:18:20Z"),
    ]
    assert incident["first_trigger_log_entry"]["id"] == incident["log_entries"][0]["id"]
    assert incident["first_trigger_log_entry"]["type"] == "trigger_log_entry_reference"


def test_write_incident_names_the_route_and_the_limit_of_its_rule() -> None:
    incident = write_incident(find_incident("INC-2024-1342"), EVENTS)["incident"]

    assert incident["body"]["details"] == (
        "12 of 80 answers of the gateway to GET /api/orders/{order_id} in the last 30 s failed or took longer than "
        "0.35 s (threshold 10%)."
    )


def test_write_events_tells_deployments_in_the_order_of_time() -> None:
    payment = Deployment(
        "payment", "2.4.2", "2.4.1", "note", 200.0, (("in_progress", 201.0, "a"), ("success", 205.0, "b"))
    )
    orders = Deployment("orders", "3.9.3", "3.9.2", "note", 100.0, (("failure", 203.0, "c"),))

    events = write_events([payment, orders])

    assert [
        (event["deployment"]["payload"]["service"], event.get("deployment_status", {}).get("state")) for event in events
    ] == [
        ("orders", None),
        ("payment", None),
        ("payment", "in_progress"),
        ("orders", "failure"),
        ("payment", "success"),
    ]
    last = events[-1]
    assert last["deployment"]["payload"] == {
        "service": "payment",
        "version": "2.4.2",
        "previous_version": "2.4.1",
    }
    assert last["deployment"]["ref"] == "v2.4.2"
    assert last["deployment_status"]["deployment_url"] == last["deployment"]["url"]
    assert last["deployment_status"]["created_at"] == "1970-01-01T00:03:25Z"
    assert len({event["deployment"]["id"] for event in events}) == 2
