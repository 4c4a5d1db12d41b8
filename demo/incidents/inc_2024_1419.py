"""INC-2024-1419: whoever stays longer than a few seconds loses the first page."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Phases, Release, Traffic
from demo.shop.policies import AuthPolicy

TICKET_LIFE_S: Final = 6.0

INCIDENT: Final = Incident(
    incident_id="INC-2024-1419",
    title="The home page fails for customers who stay",
    summary=(
        "Auth 3.5.0 reads preferences with a ticket that it gives at sign-in and that lives for six seconds. It never "
        "renews one, so the home page answers 502 to every session that is older. (Real tickets live for an hour; "
        "nobody wants to wait that long here.)"
    ),
    previous=Release("auth", "3.4.2", AuthPolicy(), "Fewer statements at sign-in"),
    faulty=Release(
        "auth",
        "3.5.0",
        AuthPolicy(tickets="never_renewed", ticket_life_s=TICKET_LIFE_S),
        "Read preferences with a short-lived ticket",
    ),
    fixed=Release(
        "auth",
        "3.5.1",
        AuthPolicy(tickets="renewed", ticket_life_s=TICKET_LIFE_S),
        "Renew a ticket that is over while its session is not",
    ),
    condition=(),
    trigger="customers come back to the home page more than six seconds after they signed in",
    rolled_back=True,
    days_earlier=14,
    decoys=(Decoy("deployment", "catalogue", "4.7.1", "Tidy the shelves", 35),),
    traffic=Traffic(sessions_per_s=0.8, kinds={"lingerer": 4.0, "glancer": 2.5, "quick_buyer": 1.0, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=100, baseline_s=0, condition_s=80, recovery_s=45),
    alert=Alert(
        title="The home page fails for some customers",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. Signing in again helps for a moment.",
        resolved_note="Rolled auth back to 3.4.2; the home page is fine.",
        rule=AlertRule(route="GET /api/home", min_answers=8, good_for_s=30),
    ),
)
