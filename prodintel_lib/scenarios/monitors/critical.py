"""Which endpoints are critical: promised, converting, on the way to a conversion, or most of the traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.scenarios.monitors.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.workspace import RouteSlo

TRAFFIC_SHARE: Final = 0.8
ON_THE_WAY: Final = 0.8
MIN_REQUESTS: Final = 50
MAX_ENDPOINTS: Final = 20

CRITERION: Final = (
    f"Critical is what prodintel.yaml promises something for, the request that converts, what at least "
    f"{100 * ON_THE_WAY:.0f} % of the sessions that convert ask for before it, and the fewest endpoints that make "
    f"{100 * TRAFFIC_SHARE:.0f} % of the traffic; and what leads to one of these."
)


def choose_critical(
    requests: pl.DataFrame,
    *,
    slos: Sequence[RouteSlo],
    converting: str,
    ways: Mapping[str, float],
) -> tuple[dict[str, tuple[str, ...]], tuple[LeftOut, ...]]:
    """Choose the endpoints to monitor.

    Parameters
    ----------
    requests : polars.DataFrame
        ``route`` and ``requests`` of entry requests in healthy time.
    slos : sequence of RouteSlo
        What is promised.
    converting : str
        The route that converts; empty where it is not known.
    ways : mapping of str to float
        Route to the share of converting sessions that asked for it before they converted.

    Returns
    -------
    (dict, tuple of LeftOut)
        Route to why it is critical, the most critical first; and the others with why not.
    """
    counts: dict[str, int] = {
        route: n
        for route, n in requests.group_by("route")
        .agg(pl.col("requests").sum())
        .sort(["requests", "route"], descending=[True, False])
        .iter_rows()
        if route
    }
    total = sum(counts.values())
    busiest = _busiest(counts, total)
    promised = {slo.route for slo in slos}
    found: dict[str, tuple[str, ...]] = {}
    left_out = [LeftOut(what=route, why="nothing was asked for there.") for route in sorted(promised - set(counts))]
    for route, n in counts.items():
        share = f"{100 * n / total:.1f} % of the traffic"
        reasons = [
            *(["promised in prodintel.yaml"] if route in promised else []),
            *(["it converts"] if route == converting else []),
            *([f"{100 * ways[route]:.0f} % of converting sessions ask for it"] if _leads(ways, route) else []),
            *([share] if route in busiest else []),
        ]
        if reasons:
            found[route] = tuple(reasons)
        else:
            left_out.append(LeftOut(what=route, why=f"not critical: {share}, no promise, on no way to a conversion."))
    ranked = sorted(found, key=lambda route: (route not in promised, route != converting, -counts[route], route))
    left_out += [
        LeftOut(what=route, why=f"the {MAX_ENDPOINTS} most critical come first.") for route in ranked[MAX_ENDPOINTS:]
    ]
    return {route: found[route] for route in ranked[:MAX_ENDPOINTS]}, tuple(left_out)


def measure_ways(sent: pl.DataFrame, converting: str) -> dict[str, float]:
    """Count which routes the sessions that convert ask for before they do.

    Parameters
    ----------
    sent : polars.DataFrame
        ``session_id, time_us, route``: requests of whole sessions.
    converting : str

    Returns
    -------
    dict
        Route to the share of converting sessions.
    """
    first = sent.filter(pl.col("route") == converting).group_by("session_id").agg(pl.col("time_us").min().alias("at"))
    if first.is_empty():
        return {}
    before = sent.join(first, on="session_id").filter(
        (pl.col("time_us") < pl.col("at")) & (pl.col("route") != converting)
    )
    shares = before.group_by("route").agg((pl.col("session_id").n_unique() / first.height).alias("share"))
    return {route: float(share) for route, share in shares.sort("route").iter_rows() if route}


def _busiest(counts: Mapping[str, int], total: int) -> set[str]:
    reached, chosen = 0, set()
    for route, n in counts.items():
        if reached >= TRAFFIC_SHARE * total:
            break
        chosen.add(route)
        reached += n
    return chosen


def _leads(ways: Mapping[str, float], route: str) -> bool:
    return ways.get(route, 0.0) >= ON_THE_WAY
