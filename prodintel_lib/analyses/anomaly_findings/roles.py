"""What a group of episodes is: its main series, its type, the service where it began, and what it is called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from prodintel_lib.analyses.signals import kind_of_signal
from prodintel_lib.markup import four_digits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.anomaly_findings.episodes import Episode
    from prodintel_lib.analyses.anomaly_findings.figures import Figures
    from prodintel_lib.analyses.anomaly_findings.linking import Topology
    from prodintel_lib.analyses.anomaly_findings.model import FindingType
    from prodintel_lib.analyses.production import SignalSet

ROUTE_SHARE: Final = 0.6
"""A route stands for its service where it holds so much of what is too much."""
SLOW_PER_FAILED: Final = 5.0
"""So many slow requests weigh as much as a failed one."""
_FELT: Final = ("error_ratio", "latency", "frontend_errors", "conversion", "throughput")
_INNER: Final = ("error_ratio", "latency", "throughput", "saturation", "log_errors", "journey_mix")
_GRAINS: Final = ("service", "journey", "metric", "route", "release", "region")
_SATURATING: Final = ("saturation", "cpu", "memory", "queue")
_SAID: Final = {
    "error_ratio": "requests to {name} failed",
    "conversion": "sessions of {name} converted",
    "journey_mix": "sessions took {name}",
    "frontend_errors": "page views of {name} had an error",
}
_TYPES: Final[dict[str, FindingType]] = {
    "error_ratio": "ERROR_RATE_SPIKE",
    "latency": "LATENCY_DEGRADATION",
    "conversion": "CONVERSION_DROP",
    "journey_mix": "USER_BEHAVIOR_ANOMALY",
    "frontend_errors": "FRONTEND_ERROR_SPIKE",
    "log_errors": "LOG_ERROR_SPIKE",
}


def choose_main(members: Sequence[Episode], signals: Mapping[str, SignalSet], topology: Topology) -> Episode:
    """Choose the series that stands for an event: what users feel first, and there the narrowest that holds most of it.

    Failed requests come before slow ones, unless five times as many are slow; then come errors in pages, conversion and
    traffic, and after what users feel the same within the system, gauges, logs and the mix of journeys. Within the
    chosen signal the service as a whole stands for the event, or the route that holds most of what is too much.

    Parameters
    ----------
    members : sequence of Episode
        At least one.
    signals : mapping of str to SignalSet
        By signal.
    topology : Topology
    """
    best = min(members, key=lambda one: (_tier(one, topology), -count_excess(one, signals)))
    of_tier = [one for one in members if _tier(one, topology) == _tier(best, topology)]
    main = _narrowest(of_tier, signals)
    if main.signal != "error_ratio":
        return main
    slow = [one for one in members if one.signal == "latency" and topology.is_entry(one) == topology.is_entry(main)]
    if not slow:
        return main
    slowest = _narrowest(slow, signals)
    return slowest if count_excess(slowest, signals) > SLOW_PER_FAILED * count_excess(main, signals) else main


def is_felt(episode: Episode, topology: Topology) -> bool:
    """Say whether users feel what a series measures."""
    if episode.signal in {"conversion", "frontend_errors"}:
        return True
    return episode.signal in {"error_ratio", "latency", "throughput"} and topology.is_entry(episode)


def _tier(episode: Episode, topology: Topology) -> int:
    if is_felt(episode, topology):
        return _FELT.index(episode.signal)
    return len(_FELT) + (_INNER.index(episode.signal) if episode.signal in _INNER else len(_INNER))


def _narrowest(episodes: Sequence[Episode], signals: Mapping[str, SignalSet]) -> Episode:
    """Return the widest series, or the route in it that holds most of the excess."""
    by_excess = sorted(
        episodes,
        key=lambda one: (_GRAINS.index(one.about["grain"]), -count_excess(one, signals), one.start_us, one.key),
    )
    widest = by_excess[0]
    if widest.about["grain"] != "service":
        return (
            max(by_excess, key=lambda one: (count_excess(one, signals), -one.start_us))
            if len(by_excess) > 1
            else widest
        )
    routes = [one for one in by_excess if one.about["grain"] == "route" and one.service == widest.service]
    whole = count_excess(widest, signals)
    return next((one for one in routes if count_excess(one, signals) >= ROUTE_SHARE * whole), widest)


def count_excess(episode: Episode, signals: Mapping[str, SignalSet]) -> float:
    """Return how many events there were too many, or too few; of what is not counted, the score."""
    matrix = signals[episode.signal].matrix
    if matrix.kind == "level" or math.isnan(episode.expected):
        return episode.score
    inside = (matrix.time_us >= episode.start_us) & (matrix.time_us <= episode.last_us)
    events = matrix.values[episode.row, inside]
    trials = np.ones(len(events)) if matrix.exposure is None else matrix.exposure[episode.row, inside]
    return abs(float(np.nansum(events - episode.expected * trials)))


def type_of(main: Episode) -> FindingType:
    """Name the kind of event its main series shows."""
    if main.signal == "throughput":
        return "THROUGHPUT_DROP" if main.change < 0 else "THROUGHPUT_SURGE"
    if main.signal == "saturation":
        named = kind_of_signal(str(main.about["metric_name"]) or str(main.about["key"]))
        return "SATURATION" if named in _SATURATING and main.change > 0 else "METRIC_ANOMALY"
    return _TYPES[main.signal]


def find_origin(members: Sequence[Episode], main: Episode, topology: Topology) -> str:
    """Return the service at the far end of the calls among those whose requests went bad; "" where none did.

    Those that went bad as the main series did count, or all where it is no request's. Of several ends the one that
    began first, then the one with the higher score.
    """
    bad = [one for one in members if one.signal in {"error_ratio", "latency"} and one.service and one.is_worse]
    alike = [one for one in bad if one.signal == main.signal] or bad
    names = {one.service for one in alike}
    ends = [one for one in alike if not (topology.reached.get(one.service, frozenset()) - {one.service}) & names]
    first = min(ends, key=lambda one: (one.hot_us[0], -one.score, one.service), default=None)
    return "" if first is None else first.service


def name_of(about: Mapping[str, Any]) -> str:
    """Say what a series is of, as people would.

    Parameters
    ----------
    about : mapping
        Its row of ABOUT_SCHEMA or of MEMBERS_SCHEMA.
    """
    grain = about["grain"]
    if grain == "region":
        return f"requests from {about['region']}"
    if grain == "metric":
        return " ".join(part for part in (about["service_name"], about["metric_name"], about.get("series")) if part)
    if grain == "journey":
        return f"journey {about['route'] or about['key']}"
    return " ".join(part for part in (about["route"] or about["service_name"], about["release"]) if part)


def title_of(main: Episode, figures: Figures) -> str:
    """Write the finding's line: what, how much, how much before, and of how many."""
    now, usual = say_figure(figures.current, figures), say_figure(figures.baseline, figures)
    before = "nothing recorded before" if math.isnan(figures.baseline) else f"{usual} before"
    name = name_of(main.about)
    known = f"({before}, n {figures.n:,})"
    if main.signal == "error_ratio" and main.about["grain"] == "region":
        return f"{now} of {name} failed {known}"
    if main.signal in _SAID:
        return f"{now} of {_SAID[main.signal].format(name=name)} {known}"
    if figures.unit == "per_s":
        return f"{name}: {now.removesuffix(' a second')} {figures.measure} {known}"
    return f"{name}: {figures.measure} {now} {known}"


def say_figure(value: float, figures: Figures) -> str:
    """Write one of the two figures in its unit."""
    if math.isnan(value):
        return "unknown"
    if figures.unit == "share":
        return f"{100 * value:.1f} %"
    return {"ms": f"{four_digits(value)} ms", "per_s": f"{four_digits(value)} a second"}.get(
        figures.unit, four_digits(value)
    )


def choose_core(members: Sequence[Episode], main: Episode, topology: Topology) -> list[Episode]:
    """Return the series whose time is the event's: those of the main one's signal that users feel as they feel it.

    A gauge that moved a little earlier, or traffic that swung, is part of the story and not the moment it began.
    """
    felt = is_felt(main, topology)
    return [one for one in members if one.signal == main.signal and is_felt(one, topology) == felt]
