"""The truth file is held to the incidents, and to what was recorded of them."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import yaml
import zstandard

from demo import incidents
from demo.incidents import BANK
from demo.topology import NODES

TRUTH: Final[dict[str, dict[str, Any]]] = yaml.safe_load(
    (Path(incidents.__file__).parent / "truth.yaml").read_text(encoding="utf-8")
)
WORKSPACE: Final = Path(incidents.__file__).parents[1] / "workspace"
SERVER: Final = 2
# Nothing fails there: it is slow.
ONLY_SLOW: Final = {"INC-2024-1342"}


def test_truth_speaks_of_every_incident() -> None:
    assert list(TRUTH) == list(BANK)
    assert {frozenset(told) for told in TRUTH.values()} == {
        frozenset(
            (
                "cause",
                "culprit_change",
                "dependency",
                "service_at_fault",
                "first_failing_service",
                "blast_radius",
                "decoys",
            )
        )
    }


@pytest.mark.parametrize("incident", BANK.values(), ids=lambda incident: incident.incident_id)
def test_truth_agrees_with_the_incident(incident) -> None:
    told = TRUTH[incident.incident_id]

    assert told["service_at_fault"] == incident.faulty.service
    assert (told["culprit_change"] is None) == (incident.change is None)
    if incident.condition:
        assert (told["cause"], told["dependency"]) == ("dependency", incident.condition[0].proxy)
    else:
        assert (told["cause"], told["dependency"]) == (incident.change or "traffic", None)
    assert len(told["decoys"]) == len(incident.decoys)
    assert told["first_failing_service"] in told["blast_radius"]
    assert set(told["blast_radius"]) <= {node.service for node in NODES if node.http_names != "none"}


@pytest.mark.parametrize("incident_id", TRUTH)
def test_truth_names_changes_that_were_recorded(incident_id) -> None:
    incident, told = BANK[incident_id], TRUTH[incident_id]
    recorded = recorded_changes(WORKSPACE / incident_id)

    assert set(told["decoys"]) <= recorded.keys()
    assert {recorded[decoy] for decoy in told["decoys"]} == {(decoy.service, decoy.name) for decoy in incident.decoys}
    if told["culprit_change"]:
        named = incident.faulty.version if incident.change == "deployment" else incident.faulty.revision
        assert recorded[told["culprit_change"]] == (incident.faulty.service, named)


@pytest.mark.parametrize("incident_id", TRUTH)
def test_truth_names_the_services_that_failed_and_the_first(incident_id) -> None:
    failures, first = recorded_failures(WORKSPACE / incident_id)

    if incident_id in ONLY_SLOW:
        assert failures == {}
        return
    # One failure in minutes is life, and no part of the incident.
    assert sorted(service for service, n in failures.items() if n > 1) == TRUTH[incident_id]["blast_radius"]
    assert first.most_common(1)[0][0] == TRUTH[incident_id]["first_failing_service"]


def recorded_changes(folder: Path) -> dict[str, tuple[str, str]]:
    """Return service and version or revision by change id, as prodintel's tables name it."""
    found: dict[str, tuple[str, str]] = {}
    deployments, changes = folder / "deployments.json", folder / "changes.yaml"
    for event in json.loads(deployments.read_text()) if deployments.exists() else []:
        payload = event["deployment"]["payload"]
        found[str(event["deployment"]["id"])] = (payload["service"], payload["version"])
    for row in yaml.safe_load(changes.read_text())["changes"] if changes.exists() else []:
        found[row["id"]] = (row["service"], row["revision"])
    return found


def recorded_failures(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Count answers of 500 and more by service, and by the service where a trace's failing answers begin."""
    failures: Counter[str] = Counter()
    by_trace: dict[str, list[tuple[int, str]]] = defaultdict(list)
    with (folder / "traces.jsonl.zst").open("rb") as packed:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed)):
            for resource in orjson.loads(line)["resourceSpans"]:
                service = attributes_of(resource["resource"])["service.name"]
                for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                    if span["kind"] == SERVER and status_of(span) >= 500:
                        failures[service] += 1
                        by_trace[span["traceId"]].append((int(span["endTimeUnixNano"]), service))
    return failures, Counter(min(failed)[1] for failed in by_trace.values())


def status_of(span: dict[str, Any]) -> int:
    """Return the status under its new name or the one before."""
    attributes = attributes_of(span)
    return int(attributes.get("http.response.status_code") or attributes.get("http.status_code") or 0)


def attributes_of(item: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in item.get("attributes", [])}
