from dataclasses import replace

import yaml

from demo.estate import Rollout
from demo.incidents import find_incident
from demo.recording.alerting import AlertWatch
from demo.recording.changes import ToldChange, told_changes, write_changes
from demo.recording.recorder import Phase, Recording


def recording(incident_id: str) -> Recording:
    incident = replace(find_incident(incident_id), days_earlier=0)
    watch = AlertWatch(acknowledge_after_s=40, rule=incident.alert.rule)
    phases = [Phase("warm_up", 100.0, 115.0), Phase("before", 115.0, 215.0)]
    return Recording(incident, 1, 1.0, watch, phases=phases)


def test_told_changes_holds_the_switch_of_a_flag_and_what_did_nothing() -> None:
    run = recording("INC-2024-1451")
    run.rollouts["4.9.9"] = Rollout(150_000_000, 151_000_000, 152_000_000)
    run.rollouts["change"] = Rollout(216_000_000, 216_000_000, 216_000_000)
    run.rollouts["rollback"] = Rollout(300_000_000, 300_000_000, 300_000_000)

    assert told_changes(run) == [
        ToldChange("config", "payment", "rev-57", "Keep access logs for 20 days instead of 30", 190.0),
        ToldChange("flag", "catalogue", "r12", "taxed-prices: on for GB", 216.0),
        ToldChange("flag", "catalogue", "r13", "taxed-prices: off everywhere", 300.0),
    ]


def test_told_changes_leaves_deployments_to_their_own_file() -> None:
    run = recording("INC-2024-1480")
    run.rollouts["change"] = Rollout(216_000_000, 217_000_000, 218_000_000)

    assert told_changes(run) == []


def test_write_changes_is_a_list_with_an_id_of_each() -> None:
    (row,) = yaml.safe_load(write_changes([ToldChange("flag", "catalogue", "r12", "on: for 'GB'", 216.0)]))["changes"]

    assert row == {
        "id": "flag/catalogue@r12",
        "kind": "flag",
        "time": "1970-01-01T00:03:36Z",
        "service": "catalogue",
        "revision": "r12",
        "environment": "production",
        "actor": "sam.okafor",
        "description": "on: for 'GB'",
    }
