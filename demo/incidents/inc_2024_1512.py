"""INC-2024-1512: the card processor says in a 200 that nothing was charged, and nobody reads it."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import PaymentPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1512",
    title="Orders paid by wallet cannot be looked at",
    summary=(
        "When a wallet's issuer is busy the card processor answers 200, with an error in the body that asks to come "
        "again. Payment 2.5.0 takes every 200 for a charge: the order is said to be paid, without a charge, and "
        "payment fails when its payments are asked for."
    ),
    previous=Release("payment", "2.4.5", PaymentPolicy(), "Wallets"),
    faulty=Release("payment", "2.5.0", PaymentPolicy(receipts="status_only"), "A leaner client of the card processor"),
    fixed=Release("payment", "2.5.1", PaymentPolicy(receipts="read"), "Read what the card processor says"),
    condition=(),
    trigger="customers pay by wallet: the card processor answers the first attempt with an error in a 200",
    rolled_back=True,
    days_earlier=26,
    traffic=Traffic(
        sessions_per_s=0.8, kinds={"wallet_buyer": 3.0, "quick_buyer": 3.0, "browser": 0.5, "bouncer": 0.5}
    ),
    phases=Phases(warm_up_s=15, before_s=100, baseline_s=0, condition_s=80, recovery_s=45),
    alert=Alert(
        title="Order pages fail",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. Payment knows of payments without a charge: we may be giving things away.",
        resolved_note="Rolled payment back to 2.4.5; the unpaid orders are with accounting.",
        rule=AlertRule(route="GET /api/orders/{order_id}", min_answers=8, good_for_s=30),
    ),
)
