"""Named events as multipliers of a load test."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prodintel_lib.scenarios.load_model.model import EventMultiplier
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from prodintel_lib.analyses.load import LoadProfiles


def build_events(profiles: LoadProfiles | None) -> tuple[EventMultiplier, ...]:
    """Return how many times the expected traffic each event had, of those of which that is known.

    Parameters
    ----------
    profiles : LoadProfiles or None
    """
    if profiles is None:
        return ()
    found: dict[str, EventMultiplier] = {}
    for row in profiles.events.iter_rows(named=True):
        own = slug(row["event"], fallback="event")
        names = (own, *(f"{own[:70].rstrip('_')}_{number}" for number in range(2, profiles.events.height + 2)))
        name = next(one for one in names if one not in found)
        if row["ratio"] is not None and row["ratio"] > 0 and math.isfinite(row["ratio"]):
            found[name] = EventMultiplier(
                name=name,
                title=row["event"],
                ratio=row["ratio"],
                low=_finite(row["ratio_low"]),
                high=_finite(row["ratio_high"]),
                n=row["n"],
            )
    return tuple(found.values())


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
