from itertools import pairwise

import pytest

from demo.incidents import BANK, find_incident
from demo.topology import NODES
from demo.traffic.plans import SESSION_KINDS
from prodintel_lib.errors import ParameterError


def test_find_incident_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"did you mean `INC-2024-1234`\?"):
        find_incident("INC-2024-1243")


@pytest.mark.parametrize("incident", BANK.values(), ids=lambda incident: incident.incident_id)
def test_bank_holds_incidents_that_can_run(incident) -> None:
    services = {node.service for node in NODES}

    assert BANK[incident.incident_id] is incident
    assert {incident.previous.service, incident.faulty.service, incident.fixed.service} <= services
    assert {toxic.proxy for toxic in incident.condition} <= services
    assert set(incident.traffic.kinds) <= set(SESSION_KINDS)
    assert incident.condition or incident.trigger
    # What customers or operators do ends only with the release that cannot bear it, or with the operation.
    assert incident.condition or incident.operation or incident.rolled_back


def test_bank_keeps_incidents_a_day_apart() -> None:
    days = sorted(incident.days_earlier for incident in BANK.values())

    assert all(later - earlier >= 2 for earlier, later in pairwise(days))


def test_with_latency_scales_only_the_delay() -> None:
    (toxic,) = find_incident("INC-2024-1234").condition

    assert dict(toxic.with_latency(6_000).attributes) == {"latency_ms": 6_000, "rate": 0.45, "seed": 1234}
    assert toxic.with_latency(None) is toxic
