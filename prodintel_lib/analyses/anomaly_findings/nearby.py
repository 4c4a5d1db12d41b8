"""Which changes are near a finding in time and in the system, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.anomaly_findings.model import CHANGES_SCHEMA
from prodintel_lib.analyses.causes.change_views import view_changes
from prodintel_lib.analyses.localisation.requests import ROUTE
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from collections.abc import Collection

    from prodintel_lib.analyses.anomaly_findings.linking import Topology
    from prodintel_lib.analyses.anomaly_findings.model import FindingType
    from prodintel_lib.analyses.causes.change_views import ChangeView
    from prodintel_lib.analyses.localisation import Cause, Localisation
    from prodintel_lib.analyses.production import Production

LOOK_BACK_S: Final = 24 * 3600
SHORTLY_MIN: Final = 60.0
MAX_CHANGES: Final = 10
RELATIONS: Final = ("same service", "called by it", "its caller", "elsewhere")


def find_nearby_changes(
    production: Production, *, services: Collection[str], origin: str, start_us: int, topology: Topology
) -> pl.DataFrame:
    """Find the changes of the day before a finding, the likeliest first.

    Parameters
    ----------
    production : Production
    services : collection of str
        All that have an abnormal series in it.
    origin : str
        The one at the far end of the calls, whose changes come first.
    start_us : int
        Changes up to one bucket after it count: a bucket's start is not the moment.
    topology : Topology

    Returns
    -------
    polars.DataFrame
        Columns of CHANGES_SCHEMA, at most MAX_CHANGES: those of the last hour first, then by how near in the system,
        then by time.
    """
    views = view_changes(
        production.changes,
        from_us=start_us - LOOK_BACK_S * US_PER_S,
        until_us=start_us + production.bucket_us,
        services=set(services),
    )
    rows = [_row(view, set(services), start_us, topology) for view in views]
    rows.sort(
        key=lambda row: (
            row["minutes_before"] > SHORTLY_MIN,
            RELATIONS.index(row["relation"]),
            not origin or origin not in row["service_name"].split(", "),
            row["minutes_before"],
            row["change_id"],
        )
    )
    return pl.DataFrame(rows[:MAX_CHANGES], schema=CHANGES_SCHEMA, orient="row")


def _row(view: ChangeView, services: set[str], start_us: int, topology: Topology) -> dict[str, Any]:
    return {
        "change_id": view.change_id,
        "change_kind": view.kind,
        "label": view.label,
        "service_name": ", ".join(view.services),
        "service_version": view.version,
        "time_us": view.time_us,
        "minutes_before": (start_us - view.time_us) / (60 * US_PER_S),
        "relation": _relation(set(view.services), services, topology),
    }


def _relation(changed: set[str], services: set[str], topology: Topology) -> str:
    if changed & services:
        return RELATIONS[0]
    if any(changed & topology.reached.get(name, frozenset()) for name in services):
        return RELATIONS[1]
    if any(services & topology.reached.get(name, frozenset()) for name in changed):
        return RELATIONS[2]
    return RELATIONS[3]


def recommend(
    kind: FindingType,
    *,
    name: str,
    service: str,
    origin: str,
    changes: pl.DataFrame,
    places: Localisation | None,
    is_for_the_worse: bool = True,
) -> str:
    """Say in one sentence what to look at first, or that nothing stands out.

    A rollback is named as an option where a change of the service where it begins came within the hour before: near in
    time is a reason to look, no proof. Of other changes on the path of calls it is said that they are near.
    """
    causes = () if places is None else places.causes
    where = f" It keeps to {' and '.join(_place(cause) for cause in causes)}." if causes else ""
    near = changes.filter((pl.col("minutes_before") <= SHORTLY_MIN) & (pl.col("relation") != RELATIONS[3]))
    begins = origin or service
    if near.height and is_for_the_worse:
        first, others = near.row(0, named=True), near.height - 1
        also = f"; {others} more {'changes are' if others > 1 else 'change is'} near" if others else ""
        if begins in first["service_name"].split(", "):
            return f"Look at {_said(first)}; it began in {begins}, so undoing it is an option{also}.{where}"
        start = f"Start at {begins}, where it began" if begins else "Look at when it began"
        return f"{start}; near is {_said(first)} ({first['relation']}){also}.{where}"
    if origin and origin != service:
        return f"Start at {origin}: it is the last in the chain of calls whose requests went bad too.{where}"
    if causes:
        return f"Look at what {_place(causes[0])} has of its own: nothing else stands out."
    return _PLAIN[kind].format(name=name)


def _said(change: dict[str, Any]) -> str:
    minutes = change["minutes_before"]
    when = f"{format_duration(60 * minutes)} before it began" if minutes > 0 else "as it began"
    return f"the {change['label']}, {when}"


def _place(cause: Cause) -> str:
    """Name a route as it is, and other values by their attribute."""
    return " and ".join(value if name == ROUTE else f"{name} = {value}" for name, value in cause.attributes.items())


_NOWHERE: Final = "No single place and no change stands out; "
_PLAIN: Final[dict[FindingType, str]] = {
    "ERROR_RATE_SPIKE": _NOWHERE + "look at the failed requests of {name}, and at what they depend on.",
    "LATENCY_DEGRADATION": _NOWHERE + "look at where the slow requests of {name} spend their time.",
    "THROUGHPUT_DROP": _NOWHERE + "look at whether {name} can be reached, and at who used to call it.",
    "THROUGHPUT_SURGE": _NOWHERE + "look at who calls {name} that much, and whether it bears it.",
    "CONVERSION_DROP": _NOWHERE + "look at where sessions of {name} end now.",
    "USER_BEHAVIOR_ANOMALY": _NOWHERE + "look at where visitors come from now, and at {name}.",
    "FRONTEND_ERROR_SPIKE": _NOWHERE + "look at the errors browsers report on {name}.",
    "LOG_ERROR_SPIKE": _NOWHERE + "look at which error {name} logs now and did not before.",
    "SATURATION": _NOWHERE + "look at what holds {name}, and at how long until it is full.",
    "METRIC_ANOMALY": _NOWHERE + "look at {name} beside its service's traffic.",
}
