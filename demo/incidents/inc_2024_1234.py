"""INC-2024-1234: the card processor hangs, payment waits for ever with a database connection in its hand."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, Incident, Phases, Release, Toxic, Traffic
from demo.shop.policies import BreakerPolicy, PaymentPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1234",
    title="Checkouts fail while the card processor hangs",
    summary=(
        "The card processor hangs for 30 s on 45 % of its calls. Payment 2.4.2 has no timeout and holds a database "
        "connection during the call, so its pool of ten runs dry: checkouts fail, and product pages follow, since "
        "their instalment offers come from payment."
    ),
    previous=Release(
        "payment", "2.4.1", PaymentPolicy(processor_timeout_s=2.0), "Round instalment offers to whole cents"
    ),
    faulty=Release(
        "payment",
        "2.4.2",
        PaymentPolicy(processor_timeout_s=None, connection_during_charge="held"),
        "Charge and write in one transaction; new client for the card processor",
    ),
    fixed=Release(
        "payment",
        "2.4.3",
        PaymentPolicy(processor_timeout_s=1.0, when_unreachable="settle_later", breaker=BreakerPolicy()),
        "Time out, break the circuit, keep the order and settle it later",
    ),
    condition=(Toxic("card-processor", "http_latency", {"latency_ms": 30_000, "rate": 0.45, "seed": 1234}),),
    traffic=Traffic(
        sessions_per_s=1.2,
        kinds={"quick_buyer": 5.5, "regular": 2.5, "browser": 1.5, "searcher": 1.0, "bouncer": 0.8},
    ),
    phases=Phases(warm_up_s=40, before_s=90, baseline_s=210, condition_s=170, recovery_s=100),
    alert=Alert(
        title="Checkout and product pages are failing",
        urgency="high",
        priority="P1",
        acknowledged_note="Looking. Gateway answers 504 on checkout, 502 on product pages.",
        resolved_note="The card processor has recovered by itself; error rate is back to normal.",
    ),
)
