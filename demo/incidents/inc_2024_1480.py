"""INC-2024-1480: of a long list of products only the first page is read."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1480",
    title="Long shopping lists are refused",
    summary=(
        "Orders 3.15.0 reads prices from the catalogue in pages of forty, and never asks for the second page: a list "
        "of more than forty products is a KeyError."
    ),
    previous=Release("orders", "3.14.2", OrdersPolicy(), "Lists of products in one request"),
    faulty=Release("orders", "3.15.0", OrdersPolicy(price_pages="first_page"), "Read prices in pages of forty"),
    fixed=Release("orders", "3.15.1", OrdersPolicy(price_pages="all_pages"), "Read all the pages"),
    condition=(),
    trigger="customers put more than forty products into their cart at once",
    rolled_back=True,
    days_earlier=22,
    traffic=Traffic(sessions_per_s=0.7, kinds={"wholesaler": 4.0, "quick_buyer": 2.0, "browser": 0.7, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=100, baseline_s=0, condition_s=80, recovery_s=45),
    alert=Alert(
        title="Shopping lists fail",
        urgency="low",
        priority="P3",
        acknowledged_note="Looking. Long lists only; orders 3.15.0 went out just before.",
        resolved_note="Rolled orders back to 3.14.2; lists of any length work.",
        rule=AlertRule(route="POST /api/cart/list", min_answers=6, good_for_s=30),
    ),
)
