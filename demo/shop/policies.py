"""What may differ between two builds of a service, as values.

A build of the shop is a policy per service. A policy names the strategy and its figures; the service's code holds the
strategies. So that a policy can be read where the fault is, each field says what it changes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from prodintel_lib.errors import ParameterError


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When to stop asking a dependency that keeps failing.

    Attributes
    ----------
    window_calls : int
        How many of the last calls are judged.
    min_calls : int
        How many calls there have to be before they are judged.
    failure_share : float
        The share of failures from which the breaker opens.
    open_s : float
        How long it stays open before one call may probe.
    """

    window_calls: int = 10
    min_calls: int = 4
    failure_share: float = 0.4
    open_s: float = 2.0


@dataclass(frozen=True, slots=True)
class PaymentPolicy:
    """How payment deals with the card processor.

    Attributes
    ----------
    processor_timeout_s : float or None
        How long to wait for the card processor; None waits for ever.
    connection_during_charge : {"held", "released"}
        Whether the database connection is kept while the card processor is asked.
    when_unreachable : {"fail", "settle_later"}
        Whether a charge that got no answer fails, or is kept as pending and settled in the background.
    breaker : BreakerPolicy or None
        Guards the calls to the card processor; None asks it every time.
    """

    processor_timeout_s: float | None = 2.0
    connection_during_charge: Literal["held", "released"] = "released"
    when_unreachable: Literal["fail", "settle_later"] = "fail"
    breaker: BreakerPolicy | None = None


Policy = PaymentPolicy


def write_policy(policy: Policy) -> str:
    """Write a policy as the JSON that a service reads from its environment."""
    return json.dumps(asdict(policy))


def read_payment_policy(written: str) -> PaymentPolicy:
    """Read payment's policy; nothing written means the defaults.

    Raises
    ------
    ParameterError
        If it has a field that payment does not know.
    """
    fields: dict[str, Any] = json.loads(written) if written else {}
    try:
        if fields.get("breaker") is not None:
            fields["breaker"] = BreakerPolicy(**fields["breaker"])
        return PaymentPolicy(**fields)
    except TypeError as error:
        raise ParameterError(
            f"Payment cannot read its policy: {error}.", hint="build it with demo.shop.policies.write_policy."
        ) from error
