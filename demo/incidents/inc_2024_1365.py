"""INC-2024-1365: the cache of searches is flushed, and every miss runs the same slow search."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Incident, Operation, Phases, Release, Traffic
from demo.shop.policies import CataloguePolicy

INCIDENT: Final = Incident(
    incident_id="INC-2024-1365",
    title="Searches fail after the cache was flushed",
    summary=(
        "Catalogue 4.8.0 searches on a replica: a second a search, two connections, and a cache before it. While an "
        "import of prices flushes the cache after each batch, all who search run the same searches side by side, wait "
        "for a connection and fail."
    ),
    previous=Release("catalogue", "4.7.1", CataloguePolicy(), "Tidy the shelves"),
    faulty=Release(
        "catalogue",
        "4.8.0",
        CataloguePolicy(search="replica", search_latency_ms=1_000.0),
        "Rank searches by relevance, on a replica of their own",
    ),
    fixed=Release(
        "catalogue",
        "4.8.1",
        CataloguePolicy(search="replica_coalesced", search_latency_ms=1_000.0),
        "Run a search once for all who wait for it; show the last result meanwhile",
    ),
    condition=(),
    trigger="the cache of searches is empty: an import of prices flushes it every 2.5 s",
    operation=Operation("catalogue", "DELETE", "/internal/cache", every_s=2.5),
    days_earlier=4,
    traffic=Traffic(
        sessions_per_s=1.3,
        kinds={"comparer": 5.0, "searcher": 2.0, "quick_buyer": 1.5, "browser": 1.0},
    ),
    phases=Phases(warm_up_s=20, before_s=40, baseline_s=110, condition_s=110, recovery_s=60),
    alert=Alert(
        title="Searches are failing",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. Catalogue waits for connections of its search replica; the price import runs.",
        resolved_note="The price import is done; searches are fine.",
        rule=AlertRule(route="GET /api/search", min_answers=10),
    ),
)
