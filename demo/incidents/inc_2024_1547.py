"""INC-2024-1547: the card processor is down, and nothing that anybody here changed."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Phases, Release, Toxic, Traffic
from demo.shop.policies import BreakerPolicy, PaymentPolicy

_AS_EVER: Final = Release("payment", "2.5.2", PaymentPolicy(processor_timeout_s=2.0), "Time out after two seconds")

INCIDENT: Final = Incident(
    incident_id="INC-2024-1547",
    title="Checkouts fail while the card processor is down",
    summary=(
        "The card processor answers 503 to nine calls in ten. Payment 2.5.2 has run for weeks and passes the failure "
        "on. A catalogue went out a minute and a half before, and has nothing to do with it."
    ),
    previous=_AS_EVER,
    faulty=_AS_EVER,
    fixed=Release(
        "payment",
        "2.5.3",
        PaymentPolicy(processor_timeout_s=1.0, when_unreachable="settle_later", breaker=BreakerPolicy()),
        "Keep the order and settle it when the card processor is back",
    ),
    condition=(Toxic("card-processor", "http_status", {"status": 503, "rate": 0.9, "seed": 1547}),),
    change=None,
    days_earlier=30,
    decoys=(
        Decoy("deployment", "catalogue", "4.7.2", "Another order of categories", 20),
        Decoy("flag", "orders", "r7", "Ask for the newsletter after the checkout", 95),
    ),
    traffic=Traffic(sessions_per_s=0.9, kinds={"quick_buyer": 5.0, "regular": 1.0, "browser": 1.0, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=110, baseline_s=0, condition_s=70, recovery_s=45),
    alert=Alert(
        title="Checkouts fail",
        urgency="high",
        priority="P1",
        acknowledged_note="Looking. The card processor answers 503; their status page is red.",
        resolved_note="The card processor is back.",
        rule=AlertRule(route="POST /api/orders", min_answers=8, good_for_s=30),
    ),
)
