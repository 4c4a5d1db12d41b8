"""INC-2024-1402: each coupon that does not exist costs a connection, until there is none left for anybody."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1402",
    title="Carts hang and fail while refused coupons pile up",
    summary=(
        "Orders 3.13.0 writes down which coupons were refused, and does not give the connection for that back: the "
        "pool closes it after 5 s. Nobody notices until a forum lists coupons that do not exist; with five of them in "
        "as many seconds the pool is empty, and every cart waits 1.5 s for a connection and fails."
    ),
    previous=Release(
        "orders", "3.12.2", OrdersPolicy(refused_coupons="noted", pool_size=5, pool_timeout_s=1.5), "Smaller pool"
    ),
    faulty=Release(
        "orders",
        "3.13.0",
        OrdersPolicy(refused_coupons="noted_leaking", pool_size=5, pool_timeout_s=1.5),
        "Count refused coupons on a connection of their own",
    ),
    fixed=Release(
        "orders",
        "3.13.1",
        OrdersPolicy(refused_coupons="noted", pool_size=5, pool_timeout_s=1.5),
        "Give the connection back when a coupon is refused",
    ),
    condition=(),
    trigger="many customers try coupons that do not exist",
    rolled_back=True,
    days_earlier=12,
    decoys=(Decoy("flag", "catalogue", "r41", "Show the new badge on lamps", 70),),
    traffic=Traffic(sessions_per_s=0.7, kinds={"cart_watcher": 5.0, "browser": 1.5, "bouncer": 0.5}),
    surge=Traffic(sessions_per_s=0.5, kinds={"coupon_hunter": 1.0}),
    phases=Phases(warm_up_s=15, before_s=90, baseline_s=30, condition_s=85, recovery_s=45),
    alert=Alert(
        title="Carts fail",
        urgency="high",
        priority="P1",
        acknowledged_note="Looking. Orders has no free connections, though the database is idle.",
        resolved_note="Rolled orders back to 3.12.2; connections are free again.",
        rule=AlertRule(min_answers=20, good_for_s=30),
    ),
)
