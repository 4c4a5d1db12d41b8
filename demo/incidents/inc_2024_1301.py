"""INC-2024-1301: coupons with a letter beyond ASCII are refused with a 500 since redemptions have a key."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import OrdersPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1301",
    title="Some coupons end in an error",
    summary=(
        "Orders 3.10.0 counts each redemption once, by a key that it makes of the session and the code. It encodes the "
        "text as ASCII, so codes such as ÉTÉ2024 raise: customers of a few countries cannot redeem their coupon."
    ),
    previous=Release("orders", "3.9.2", OrdersPolicy(coupons="counted_by_id"), "Coupons in the cart"),
    faulty=Release(
        "orders",
        "3.10.0",
        OrdersPolicy(coupons="keyed_ascii"),
        "Count each redemption of a coupon once, by a key",
    ),
    fixed=Release(
        "orders",
        "3.10.1",
        OrdersPolicy(coupons="keyed_utf8"),
        "Make the key of a redemption from UTF-8",
    ),
    condition=(),
    trigger="customers redeem coupons whose code has a letter beyond ASCII",
    rolled_back=True,
    days_earlier=10,
    traffic=Traffic(
        sessions_per_s=0.9,
        kinds={"coupon_buyer": 5.0, "quick_buyer": 1.5, "browser": 1.5, "bouncer": 1.0},
    ),
    phases=Phases(warm_up_s=20, before_s=140, baseline_s=0, condition_s=110, recovery_s=60),
    alert=Alert(
        title="Coupons fail at the cart",
        urgency="low",
        priority="P3",
        acknowledged_note="Looking. Only some coupons fail; orders 3.10.0 went out just before.",
        resolved_note="Rolled orders back to 3.9.2; coupons work again.",
        rule=AlertRule(route="POST /api/cart/coupon", min_answers=8),
    ),
)
