"""INC-2024-1496: customers are quoted somebody else's cart."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Phases, Release, Traffic
from demo.shop.policies import GatewayPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1496",
    title="Customers see the cart of others, and checkouts fail",
    summary=(
        "Gateway 5.13.0 keeps quotes for four seconds by the country they are for, and a quote holds the cart. Whoever "
        "asks just after somebody else of the same country is shown that customer's cart; orders finds that the quoted "
        "cart is not the session's, and refuses with a 500."
    ),
    previous=Release("gateway", "5.12.1", GatewayPolicy(), "Quotes before the checkout"),
    faulty=Release("gateway", "5.13.0", GatewayPolicy(quotes="kept_by_country"), "Keep quotes for a moment"),
    fixed=Release("gateway", "5.13.1", GatewayPolicy(quotes="kept_by_cart"), "Keep quotes by session and country"),
    condition=(),
    trigger="two customers of one country ask for a quote within four seconds",
    rolled_back=True,
    days_earlier=24,
    decoys=(Decoy("deployment", "payment", "2.4.4", "Log less", 50),),
    traffic=Traffic(sessions_per_s=1.4, kinds={"quoted_buyer": 4.0, "quick_buyer": 2.5, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=80, baseline_s=0, condition_s=65, recovery_s=40),
    alert=Alert(
        title="Checkouts fail",
        urgency="high",
        priority="P1",
        acknowledged_note="Looking. Orders says that quoted carts belong to somebody else. Customers call.",
        resolved_note="Rolled the gateway back to 5.12.1; told the data protection officer.",
        rule=AlertRule(route="POST /api/orders", min_answers=8, good_for_s=30),
    ),
)
