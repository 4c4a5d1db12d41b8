"""INC-2024-1433: the carrier of express orders has a new name in the configuration, and in nothing else."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1433",
    title="Express orders fail",
    summary=(
        "The carrier of express orders is configured, and the configuration was changed to the name in the new "
        "contract, which is not the code that orders knows. No release went out: orders 3.13.2 started anew with the "
        "new value, and every express order is a KeyError."
    ),
    previous=Release(
        "orders", "3.13.2", OrdersPolicy(delivery="by_carrier"), "Carrier of express orders: swift-express", "rev-118"
    ),
    faulty=Release(
        "orders",
        "3.13.2",
        OrdersPolicy(delivery="by_carrier", express_carrier="SWIFT EXPRESS LTD"),
        "Carrier of express orders: SWIFT EXPRESS LTD, as in the new contract",
        "rev-119",
    ),
    fixed=Release(
        "orders", "3.13.2", OrdersPolicy(delivery="by_carrier"), "Carrier of express orders: swift-express", "rev-120"
    ),
    condition=(),
    trigger="customers want their order by express",
    change="config",
    rolled_back=True,
    days_earlier=16,
    decoys=(
        Decoy("deployment", "auth", "3.3.2", "Shorter messages when a password is wrong", 40),
        Decoy("flag", "gateway", "r88", "Larger pictures for one visitor in ten", 80),
    ),
    traffic=Traffic(
        sessions_per_s=0.8, kinds={"express_buyer": 3.0, "quick_buyer": 3.5, "browser": 0.7, "bouncer": 0.5}
    ),
    phases=Phases(warm_up_s=15, before_s=100, baseline_s=0, condition_s=80, recovery_s=45),
    alert=Alert(
        title="Checkouts fail",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. Only some checkouts; nothing was deployed to orders.",
        resolved_note="Put revision 118 of the configuration back; express orders work.",
        rule=AlertRule(route="POST /api/orders", min_answers=8, good_for_s=30),
    ),
)
