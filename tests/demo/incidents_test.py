from itertools import pairwise

import pytest

from demo.incidents import BANK, find_incident
from demo.topology import NODES
from demo.traffic.plans import SESSION_KINDS
from prodintel_lib.errors import ParameterError


def test_find_incident_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"did you mean `INC-2024-1234`\?"):
        find_incident("INC-2O24-1234")


@pytest.mark.parametrize("incident", BANK.values(), ids=lambda incident: incident.incident_id)
def test_bank_holds_incidents_that_can_run(incident) -> None:
    services = {node.service for node in NODES}

    assert BANK[incident.incident_id] is incident
    assert {incident.previous.service, incident.faulty.service, incident.fixed.service} <= services
    assert {toxic.proxy for toxic in incident.condition} <= services
    assert set(incident.traffic.kinds) <= set(SESSION_KINDS)
    assert incident.condition or incident.trigger
    # What customers or operators do ends only with the release that cannot bear it, with the operation, or with them.
    assert incident.condition or incident.operation or incident.rolled_back or incident.surge
    assert set(incident.surge.kinds if incident.surge else ()) <= set(SESSION_KINDS)
    assert (incident.change == "flag") == (incident.switch is not None) == (incident.switch_back is not None)


@pytest.mark.parametrize("incident", BANK.values(), ids=lambda incident: incident.incident_id)
def test_bank_keeps_decoys_away_from_the_service_at_fault(incident) -> None:
    own_releases = {incident.previous.version, incident.faulty.version, incident.fixed.version}

    assert all(decoy.service in {node.service for node in NODES} for decoy in incident.decoys)
    assert all(decoy.service != incident.faulty.service for decoy in incident.decoys)
    assert all(decoy.name not in own_releases for decoy in incident.decoys)
    assert all(decoy.after_s < incident.phases.before_s for decoy in incident.decoys)


def test_bank_has_decoys_in_at_least_three_incidents() -> None:
    assert sum(bool(incident.decoys) for incident in BANK.values()) >= 3


def test_bank_keeps_incidents_a_day_apart() -> None:
    days = sorted(incident.days_earlier for incident in BANK.values())

    assert all(later - earlier >= 2 for earlier, later in pairwise(days))


def test_with_latency_scales_only_the_delay() -> None:
    (toxic,) = find_incident("INC-2024-1234").condition

    assert dict(toxic.with_latency(6_000).attributes) == {"latency_ms": 6_000, "rate": 0.45, "seed": 1234}
    assert toxic.with_latency(None) is toxic
