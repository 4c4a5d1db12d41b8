"""Which episodes are one event: at the same time, in series that have to do with each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from prodintel_lib.analyses.anomaly_findings.episodes import calm_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prodintel_lib.analyses.anomaly_findings.episodes import Episode
    from prodintel_lib.analyses.production import Production

REQUEST_SIGNALS: Final = ("error_ratio", "latency", "throughput")
VISIT_SIGNALS: Final = ("conversion", "journey_mix", "frontend_errors")
ENTRY_SHARE: Final = 0.5
GAP_BUCKETS: Final = 3
"""What was over for longer when the other began is another event, however near their starts."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Who calls whom, and where requests enter.

    Attributes
    ----------
    callees : dict
        The dependencies of each service, itself not among them.
    reached : dict
        All that a service reaches by calls, directly or not.
    entries : frozenset of (service, route)
        Routes of which most requests come from outside.
    entry_services : frozenset of str
        Services of which most requests do.
    """

    callees: dict[str, frozenset[str]]
    reached: dict[str, frozenset[str]]
    entries: frozenset[tuple[str, str]]
    entry_services: frozenset[str]

    @classmethod
    def of(cls, production: Production) -> Self:
        """Read it from what was recorded."""
        direct: dict[str, set[str]] = defaultdict(set)
        for caller, dependency in production.calls.select("caller", "dependency").iter_rows():
            if caller != dependency:
                direct[str(caller)].add(str(dependency))
        callees = {name: frozenset(names) for name, names in direct.items()}
        reached = {name: _reach(name, callees) for name in callees}
        entries = frozenset((str(service), str(route)) for service, route in _entered(production.requests, "route"))
        return cls(callees, reached, entries, frozenset(str(name) for (name,) in _entered(production.requests)))

    def is_entry(self, episode: Episode) -> bool:
        """Say whether users feel what the series counts: its requests come from outside."""
        return self.is_entered(episode.about)

    def is_entered(self, about: Mapping[str, Any]) -> bool:
        """Say it of a row of ABOUT_SCHEMA or of MEMBERS_SCHEMA."""
        if about["grain"] == "region":
            return True
        if about["route"]:
            return (about["service_name"], about["route"]) in self.entries
        return about["service_name"] in self.entry_services

    def is_call(self, one: str, other: str) -> bool:
        """Say whether one of two services calls the other."""
        return other in self.callees.get(one, frozenset()) or one in self.callees.get(other, frozenset())

    def is_on_one_path(self, one: str, other: str) -> bool:
        """Say whether one of two services is reached from the other."""
        return other in self.reached.get(one, frozenset()) or one in self.reached.get(other, frozenset())


def _reach(start: str, callees: dict[str, frozenset[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in callees.get(waiting.pop(), frozenset()) - seen:
            seen.add(name)
            waiting.append(name)
    return frozenset(seen - {start})


def _entered(requests: pl.DataFrame, *finer: str) -> list[tuple[str, ...]]:
    """Return the services, or their parts, of which most requests come from outside."""
    keys = ["service_name", *finer]
    counted = requests.group_by(keys).agg(
        pl.col("requests").sum().alias("all"), pl.col("requests").filter(pl.col("is_entry")).sum().alias("entered")
    )
    return counted.filter(pl.col("entered") > ENTRY_SHARE * pl.col("all")).select(keys).rows()


def link_episodes(episodes: Sequence[Episode], topology: Topology) -> list[list[Episode]]:
    """Put together the episodes that are one event.

    Parameters
    ----------
    episodes : sequence of Episode
    topology : Topology

    Returns
    -------
    list of lists of Episode
        By start; every episode is in exactly one.

    Notes
    -----
    Requests first: two such series are one event where they begin together and lie on one path of calls, or where one
    begins while the other lasts and they are of one route, or of services that call each other. Then each other series
    (a gauge, a log, a journey) joins the one event it has to do with whose start is nearest: it never makes one of two.
    What joins none is linked among itself.
    """
    asked = [one for one in episodes if one.signal in REQUEST_SIGNALS]
    groups = _united(asked, topology)
    alone = []
    for episode in sorted((one for one in episodes if one.signal not in REQUEST_SIGNALS), key=_order):
        near = [group for group in groups if any(_are_one(episode, one, topology) for one in group)]
        if near:
            min(near, key=lambda group: _distance_us(episode, group)).append(episode)
        else:
            alone.append(episode)
    groups += _united(alone, topology)
    return sorted((sorted(group, key=_order) for group in groups), key=lambda group: _order(group[0]))


def _order(episode: Episode) -> tuple[int, str, str]:
    return episode.start_us, *episode.key


def _distance_us(episode: Episode, group: Iterable[Episode]) -> int:
    return abs(episode.start_us - min(one.start_us for one in group))


def _united(episodes: Sequence[Episode], topology: Topology) -> list[list[Episode]]:
    groups: list[list[Episode]] = []
    for episode in sorted(episodes, key=_order):
        near = [group for group in groups if any(_are_one(episode, one, topology) for one in group)]
        groups = [group for group in groups if not any(group is joined for joined in near)]
        groups.append([one for group in near for one in group] + [episode])
    return groups


def _are_one(one: Episode, other: Episode, topology: Topology) -> bool:
    # A start is known to the width of a bucket: the wider one decides.
    width_us = max(one.width_us, other.width_us)
    is_soon = abs(one.start_us - other.start_us) <= calm_us(width_us)
    if is_soon and one.overlaps(other, slack_us=GAP_BUCKETS * width_us):
        return _have_to_do(one, other, topology)
    return one.overlaps(other, slack_us=0) and _are_close(one, other, topology)


def _have_to_do(one: Episode, other: Episode, topology: Topology) -> bool:
    """Say whether what begins in two series at once may have one cause."""
    if one.signal in VISIT_SIGNALS or other.signal in VISIT_SIGNALS or _is_of_place(one) or _is_of_place(other):
        return _is_outside(one, topology) and _is_outside(other, topology)
    if not one.service or not other.service:
        return bool(one.about["metric_name"]) and one.about["service_instance_id"] == other.about["service_instance_id"]
    return one.service == other.service or topology.is_on_one_path(one.service, other.service)


def _is_of_place(episode: Episode) -> bool:
    return bool(episode.about["grain"] == "region")


def _is_outside(episode: Episode, topology: Topology) -> bool:
    """Say whether a series is of what users ask and see."""
    if episode.signal in VISIT_SIGNALS or _is_of_place(episode):
        return True
    return episode.signal in REQUEST_SIGNALS and topology.is_entry(episode)


def _are_close(one: Episode, other: Episode, topology: Topology) -> bool:
    """Say whether what begins in one series while another is abnormal is likely to be the same."""
    if not _have_to_do(one, other, topology):
        return False
    if one.route and other.route and one.service == other.service:
        return one.route == other.route
    return (
        one.service == other.service
        or not one.service
        or not other.service
        or topology.is_call(one.service, other.service)
    )
