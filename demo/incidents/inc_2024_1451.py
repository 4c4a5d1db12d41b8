"""INC-2024-1451: a flag is switched on for one region, whose tax rate is not in the table."""

from __future__ import annotations

from typing import Final

from demo.incidents.model import Alert, AlertRule, Decoy, Incident, Operation, Phases, Release, Traffic
from demo.shop.policies import CataloguePolicy

_FLAG: Final = "/internal/flags/taxed-prices"

INCIDENT: Final = Incident(
    incident_id="INC-2024-1451",
    title="Product pages fail in Britain",
    summary=(
        "Catalogue 4.9.0 can show the tax in a price, behind a flag. Its table of rates has languages for keys, which "
        "are the regions' letters in most countries. The flag was switched on for GB first, where they are not: every "
        "product page asked for with region=GB is a KeyError."
    ),
    previous=Release(
        "catalogue", "4.9.0", CataloguePolicy(tax_rates="by_language"), "taxed-prices: off everywhere", "r13"
    ),
    faulty=Release(
        "catalogue",
        "4.9.0",
        CataloguePolicy(tax_rates="by_language", taxed_regions="GB"),
        "taxed-prices: on for GB",
        "r12",
    ),
    fixed=Release(
        "catalogue",
        "4.9.1",
        CataloguePolicy(tax_rates="by_region", taxed_regions="GB"),
        "Tax rates by region",
    ),
    condition=(),
    trigger="customers look at products from the region for which the flag is on",
    change="flag",
    switch=Operation("catalogue", "PUT", f"{_FLAG}?regions=GB"),
    switch_back=Operation("catalogue", "PUT", f"{_FLAG}?regions="),
    rolled_back=True,
    days_earlier=18,
    decoys=(
        Decoy("deployment", "orders", "3.9.4", "Fewer columns in a query", 45),
        Decoy("config", "payment", "rev-57", "Keep access logs for 20 days instead of 30", 75),
    ),
    traffic=Traffic(sessions_per_s=0.8, kinds={"local_looker": 4.0, "quick_buyer": 1.0, "bouncer": 0.5}),
    phases=Phases(warm_up_s=15, before_s=100, baseline_s=0, condition_s=80, recovery_s=45),
    alert=Alert(
        title="Product pages fail",
        urgency="high",
        priority="P2",
        acknowledged_note="Looking. All of them from Britain; catalogue was not deployed today.",
        resolved_note="Switched taxed-prices off; product pages are fine.",
        rule=AlertRule(route="GET /api/products/{product_id}", min_answers=8, good_for_s=30),
    ),
)
