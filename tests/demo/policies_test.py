import pytest

from demo.incidents import BANK
from demo.shop.policies import (
    AuthPolicy,
    BreakerPolicy,
    CataloguePolicy,
    OrdersPolicy,
    PaymentPolicy,
    read_payment_policy,
    read_policy,
    write_policy,
)
from prodintel_lib.errors import ParameterError


def test_read_payment_policy_gives_back_what_was_written() -> None:
    policy = PaymentPolicy(None, "held", "settle_later", BreakerPolicy(open_s=7.5))

    assert read_payment_policy(write_policy(policy)) == policy


def test_read_payment_policy_gives_the_defaults_for_nothing() -> None:
    assert read_payment_policy("") == PaymentPolicy(2.0, "released", "fail", None)


def test_read_payment_policy_refuses_an_unknown_field() -> None:
    with pytest.raises(ParameterError, match=r"unexpected keyword argument 'timeout'"):
        read_payment_policy('{"timeout": 1}')


def test_read_policy_gives_back_what_was_written() -> None:
    policy = OrdersPolicy(coupons="keyed_utf8", cart="document", shipments="joined", statement_latency_ms=8.0)

    assert read_policy(OrdersPolicy, write_policy(policy)) == policy
    assert read_policy(CataloguePolicy, "") == CataloguePolicy("shared", 0.0)


def test_read_policy_refuses_an_unknown_field() -> None:
    with pytest.raises(ParameterError, match=r"AuthPolicy cannot be read: .*unexpected keyword argument 'prefs'"):
        read_policy(AuthPolicy, '{"prefs": 1}')


@pytest.mark.parametrize("incident", BANK.values(), ids=lambda incident: incident.incident_id)
def test_bank_has_one_service_and_three_releases_an_incident(incident) -> None:
    releases = [incident.previous, incident.faulty, incident.fixed]

    assert len({release.service for release in releases}) == 1
    assert incident.faulty.policy != incident.fixed.policy
    if incident.change == "deployment":
        assert len({release.version for release in releases}) == 3
    elif incident.change is None:
        assert incident.previous is incident.faulty
    else:
        assert incident.previous.version == incident.faulty.version
        assert incident.previous.policy != incident.faulty.policy
        assert incident.previous.revision != incident.faulty.revision != ""


def test_inc_2024_1234_differs_between_builds_as_its_story_says() -> None:
    incident = BANK["INC-2024-1234"]

    faulty, fixed = incident.release("faulty"), incident.release("fixed")

    assert (faulty.version, fixed.version) == ("2.4.2", "2.4.3")
    assert faulty.policy == PaymentPolicy(None, "held", "fail", None)
    assert fixed.policy == PaymentPolicy(1.0, "released", "settle_later", BreakerPolicy())
