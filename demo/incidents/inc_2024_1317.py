"""INC-2024-1317: two changes of one cart at the same moment, and one is lost."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1317",
    title="Carts lose items and cannot be paid",
    summary=(
        "Orders 3.11.0 writes a cart's document without looking whether somebody else wrote since it was read. After a "
        "double click, or in two tabs, one change forgets the other, while the total counts both: the cart shows "
        "too little, and its checkout fails since total and lines disagree."
    ),
    previous=Release("orders", "3.10.2", OrdersPolicy(cart="versioned_document"), "Keep a cart in one document"),
    faulty=Release(
        "orders",
        "3.11.0",
        OrdersPolicy(cart="document"),
        "Write carts without the version check: a session has one customer",
    ),
    fixed=Release(
        "orders",
        "3.11.1",
        OrdersPolicy(cart="versioned_document"),
        "Check the version of a cart again, and repeat a change that came too late",
    ),
    condition=(),
    trigger="customers change one cart twice at the same moment: a double click, two tabs",
    rolled_back=True,
    days_earlier=8,
    traffic=Traffic(
        sessions_per_s=0.9,
        kinds={"double_clicker": 3.0, "quick_buyer": 3.0, "regular": 1.0, "browser": 1.0, "bouncer": 0.5},
    ),
    phases=Phases(warm_up_s=20, before_s=140, baseline_s=0, condition_s=110, recovery_s=60),
    alert=Alert(
        title="Checkouts fail for some carts",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. Orders refuses carts whose total and lines disagree.",
        resolved_note="Rolled orders back to 3.10.2; checkouts are fine.",
        rule=AlertRule(route="POST /api/orders", min_answers=8),
    ),
)
