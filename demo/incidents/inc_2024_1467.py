"""INC-2024-1467: an order that cannot be confirmed holds up all that come behind it."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1467",
    title="Orders are not confirmed",
    summary=(
        "Orders 3.14.0 has a worker that confirms orders in turn and encodes what it sends as Latin-1. An order whose "
        "gift note has another character fails, and is tried again for three seconds; all who ordered after it look at "
        "a page that says 504."
    ),
    previous=Release("orders", "3.13.3", OrdersPolicy(confirmation="utf_8"), "Confirm orders by a worker"),
    faulty=Release(
        "orders",
        "3.14.0",
        OrdersPolicy(confirmation="latin_1"),
        "Confirmations through the new mail gateway, in its encoding",
    ),
    fixed=Release("orders", "3.14.1", OrdersPolicy(confirmation="utf_8"), "Confirmations in UTF-8"),
    condition=(),
    trigger="somebody orders with a gift note that has a character beyond Latin-1",
    rolled_back=True,
    days_earlier=20,
    traffic=Traffic(sessions_per_s=1.4, kinds={"gift_buyer": 3.0, "confirmed_buyer": 5.5, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=60, baseline_s=0, condition_s=150, recovery_s=20),
    alert=Alert(
        title="Orders are not confirmed",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. The queue of confirmations stands still now and then.",
        resolved_note="Rolled orders back to 3.13.3; confirmations come at once.",
        rule=AlertRule(route="GET /api/orders/{order_id}/confirmation", min_answers=8, good_for_s=30),
    ),
)
