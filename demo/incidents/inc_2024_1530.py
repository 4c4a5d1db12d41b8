"""INC-2024-1530: more customers than the warehouse can bear, and nothing that anybody changed."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import CataloguePolicy

_AS_EVER: Final = Release(
    "catalogue",
    "4.10.0",
    CataloguePolicy(warehouse_connections=3, warehouse_latency_ms=400.0),
    "Ask the warehouse what is in stock",
)

INCIDENT: Final = Incident(
    incident_id="INC-2024-1530",
    title="Availability fails during the rush",
    summary=(
        "A price comparison site links to the shop, and several times as many customers as ever ask what is in stock. "
        "The warehouse bears three questions at once, of 0.4 s each. Nothing was changed: catalogue 4.10.0 has run for "
        "weeks, and would fail on any day with as many customers."
    ),
    previous=_AS_EVER,
    faulty=_AS_EVER,
    fixed=Release(
        "catalogue",
        "4.10.1",
        CataloguePolicy(warehouse_connections=48, warehouse_latency_ms=400.0),
        "Replicas of the warehouse for the season",
    ),
    condition=(),
    trigger="several times as many customers as ever ask what is in stock",
    change=None,
    surge=Traffic(sessions_per_s=3.0, kinds={"bargain_hunter": 1.0}),
    days_earlier=28,
    traffic=Traffic(sessions_per_s=0.8, kinds={"stock_checker": 4.0, "quick_buyer": 1.0, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=110, baseline_s=0, condition_s=50, recovery_s=45),
    alert=Alert(
        title="Availability fails",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. The warehouse's connections are all taken; we have never had so many customers.",
        resolved_note="The rush is over.",
        rule=AlertRule(route="GET /api/products/{product_id}/availability", min_answers=10, good_for_s=30),
    ),
)
