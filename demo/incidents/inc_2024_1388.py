"""INC-2024-1388: whoever is here for the first time has no preferences, and no first page."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Phases, Release, Traffic
from demo.shop.policies import AuthPolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1388",
    title="The first page fails for new customers",
    summary=(
        "Auth 3.4.0 reads the currency and the category from a customer's preferences. Members have chosen theirs, and "
        "so have guests who were asked; whoever is here for the first time has none: the home page answers 502."
    ),
    previous=Release("auth", "3.3.1", AuthPolicy(), "Shorter sign-in"),
    faulty=Release(
        "auth",
        "3.4.0",
        AuthPolicy(preferences="assumed"),
        "Preferences have a row of their own; the defaults moved there",
    ),
    fixed=Release(
        "auth",
        "3.4.1",
        AuthPolicy(preferences="optional"),
        "The usual preferences for whoever has none",
    ),
    condition=(),
    trigger="customers come who never chose their preferences",
    rolled_back=True,
    days_earlier=2,
    traffic=Traffic(
        sessions_per_s=0.9,
        kinds={"newcomer": 3.5, "chooser": 3.0, "quick_buyer": 1.0, "bouncer": 0.5},
    ),
    phases=Phases(warm_up_s=20, before_s=140, baseline_s=0, condition_s=110, recovery_s=60),
    alert=Alert(
        title="The home page fails for many customers",
        urgency="high",
        priority="P1",
        acknowledged_note="Looking. Home answers 502, auth has a TypeError; members are fine.",
        resolved_note="Rolled auth back to 3.3.1; everybody sees the home page.",
        rule=AlertRule(route="GET /api/home", min_answers=8),
    ),
)
