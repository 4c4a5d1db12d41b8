"""INC-2024-1342: an order's page asks the database twice for each item; large orders take a second."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1342",
    title="Pages of large orders are slow",
    summary=(
        "Orders 3.12.0 shows where each item of an order is, and asks its database for the item and its shipment one "
        "by one. Each statement takes 8 ms on its way: nobody sees it on two items, and sixty take a second."
    ),
    previous=Release("orders", "3.11.2", OrdersPolicy(statement_latency_ms=8.0), "Smaller answers for carts"),
    faulty=Release(
        "orders",
        "3.12.0",
        OrdersPolicy(shipments="per_item", statement_latency_ms=8.0),
        "Show where each item of an order is",
    ),
    fixed=Release(
        "orders",
        "3.12.1",
        OrdersPolicy(shipments="joined", statement_latency_ms=8.0),
        "Read the items of an order and their shipments in one statement",
    ),
    condition=(),
    trigger="customers look at orders of many items",
    rolled_back=True,
    days_earlier=6,
    traffic=Traffic(
        sessions_per_s=0.6,
        kinds={"wholesaler": 2.0, "quick_buyer": 4.0, "browser": 1.0, "bouncer": 0.5},
    ),
    phases=Phases(warm_up_s=20, before_s=140, baseline_s=0, condition_s=110, recovery_s=60),
    alert=Alert(
        title="Order pages are slow",
        urgency="low",
        priority="P3",
        acknowledged_note="Looking. Only large orders; orders 3.12.0 went out just before.",
        resolved_note="Rolled orders back to 3.11.2; order pages are fast again.",
        rule=AlertRule(route="GET /api/orders/{order_id}", slow_s=0.35, min_answers=8),
    ),
)
