"""One finding from the episodes that are one event."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.anomalies.alarms import DEFAULT_THRESHOLD
from prodintel_lib.analyses.anomalies.calibration import confidence_of
from prodintel_lib.analyses.anomalies.tails import MAX_SCORE
from prodintel_lib.analyses.anomaly_findings.episodes import chance_of
from prodintel_lib.analyses.anomaly_findings.figures import count_affected, measure_figures
from prodintel_lib.analyses.anomaly_findings.members import members_frame
from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding
from prodintel_lib.analyses.anomaly_findings.nearby import find_nearby_changes, recommend
from prodintel_lib.analyses.anomaly_findings.roles import (
    choose_core,
    choose_main,
    count_excess,
    find_origin,
    is_felt,
    name_of,
    title_of,
    type_of,
)
from prodintel_lib.analyses.anomaly_findings.severity import Circumstances, grade
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.anomalies import Detector, Part
    from prodintel_lib.analyses.anomalies.model import Unit
    from prodintel_lib.analyses.anomaly_findings.episodes import Episode
    from prodintel_lib.analyses.anomaly_findings.linking import Topology
    from prodintel_lib.analyses.anomaly_findings.model import FindingType
    from prodintel_lib.analyses.production import Production, SignalSet

TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Setting:
    """What every finding of one search is built with."""

    production: Production
    signals: Mapping[str, SignalSet]
    topology: Topology
    detector: Detector


def build_finding(group: Sequence[Episode], setting: Setting) -> AnomalyFinding:
    """Describe a group of episodes.

    Parameters
    ----------
    group : sequence of Episode
        At least one.
    setting : Setting
    """
    production, topology = setting.production, setting.topology
    main = choose_main(group, setting.signals, topology)
    core = choose_core(group, main, topology)
    span = Window(min(one.start_us for one in core), max(one.end_us for one in core))
    case = _circumstances(main, group, span, setting)
    figures = case.figures
    severity, severity_reason = grade(case)
    confidence, confidence_reason = _confidence(main, group, setting.detector.unit)
    origin = find_origin(group, main, topology)
    services = {one.service for one in group if one.service}
    changes = find_nearby_changes(
        production, services=services, origin=origin, start_us=span.start_us, topology=topology
    )
    others = sorted((one for one in group if one is not main), key=lambda one: (-one.score, one.start_us, one.key))
    return AnomalyFinding(
        id=id_of(case.type, main, span.start_us),
        type=case.type,
        title=title_of(main, figures),
        start_us=span.start_us,
        end_us=span.end_us,
        recurrences=(),
        ongoing=case.is_ongoing,
        detected_us=min(one.detected_us for one in core),
        service_name=main.service,
        route=main.route,
        origin_service=origin,
        signal=main.signal,
        grain=str(main.about["grain"]),
        key=main.key[1],
        current=figures.current,
        baseline=figures.baseline,
        low=figures.low,
        high=figures.high,
        n=figures.n,
        baseline_n=figures.baseline_n,
        unit=figures.unit,
        measure=figures.measure,
        magnitude=figures.magnitude,
        score=max(one.score for one in group),
        confidence=confidence,
        confidence_reason=confidence_reason,
        severity=severity,
        severity_reason=severity_reason,
        series=members_frame([main, *others]),
        affected_users=None,
        affected_sessions=None,
        affected_requests=case.affected,
        affected_routes=_routes_of(group, topology),
        places=None,
        nearby_changes=changes,
        recommendation=recommend(
            case.type,
            name=name_of(main.about),
            service=main.service,
            origin=origin,
            changes=changes,
            places=None,
            is_for_the_worse=case.is_for_the_worse,
        ),
        explained=_explain(main, setting),
    )


def _circumstances(main: Episode, group: Sequence[Episode], span: Window, setting: Setting) -> Circumstances:
    kind = type_of(main)
    return Circumstances(
        type=kind,
        figures=measure_figures(setting.production, setting.signals[main.signal], main),
        is_felt=is_felt(main, setting.topology),
        affected=count_affected(setting.production, group, setting.signals, setting.topology, span),
        events=_events_of(main, group, setting),
        duration_s=span.duration_s,
        is_ongoing=is_last(setting.production, span.end_us),
        is_for_the_worse=not main.is_neutral,
    )


def id_of(kind: FindingType, main: Episode, start_us: int) -> str:
    """Return the id that the same event has on every machine."""
    content = "\n".join((kind, *main.key, str(start_us)))
    return f"AN-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def is_last(production: Production, end_us: int) -> bool:
    """Say whether nothing was recorded after a time but for the rest of its bucket, and the window ends with it."""
    recorded = production.recorded(production.window)
    return not len(recorded) or end_us > int(recorded[-1])


def _events_of(main: Episode, group: Sequence[Episode], setting: Setting) -> float:
    """Return how many events it rests on; of a gauge the points of all its series."""
    if setting.signals[main.signal].matrix.kind == "level":
        return math.inf if len(main.hot_us) > 1 else float(sum(len(one.hot_us) for one in group))
    same = [one for one in group if one.signal == main.signal]
    return max(count_excess(one, setting.signals) for one in same)


def _routes_of(group: Sequence[Episode], topology: Topology) -> tuple[str, ...]:
    entered = {one.route for one in group if one.route and topology.is_entry(one) and one.is_worse is not False}
    return tuple(sorted(entered))


def _explain(main: Episode, setting: Setting) -> tuple[Part, ...]:
    """Let the detector say what made the main series' highest score."""
    matrix = setting.signals[main.signal].matrix
    column = int(matrix.time_us.searchsorted(main.peak_us))
    return setting.detector.explain(matrix, row=main.row, column=column)


def _confidence(main: Episode, group: Sequence[Episode], unit: Unit) -> tuple[float, str]:
    best = max(group, key=lambda one: one.score)
    agreeing = len({one.key for one in group}) - 1
    points = max(len(one.hot_us) for one in group)
    effect = effect_of(main)
    others = f"{agreeing} other series" if agreeing else "no other series"
    why = (
        f"highest score {best.score:.1f} ({unit}); {points} {'bucket' if points == 1 else 'buckets'} at the threshold; "
        f"{others} with it"
    )
    times = f"; {2**effect:,.1f} times {'more' if main.change > 0 else 'less'} than expected" if effect else ""
    return confidence_of(_rarity(best.score, unit), points, agreeing, effect), why + times


def _rarity(score: float, unit: Unit) -> float:
    """Return the score as -log10 of a chance; of a limit that somebody set, the default threshold: it says no more."""
    chance = chance_of(score, unit)
    return DEFAULT_THRESHOLD if math.isnan(chance) else min(MAX_SCORE, -math.log10(max(chance, 10.0**-MAX_SCORE)))


def effect_of(main: Episode) -> float:
    """Return how far value and expectation are apart at the peak, in doublings; 0 where nothing was expected of it.

    Half an event is added to both sides of what is counted, a two-hundredth of the expectation to a level.
    """
    if math.isnan(main.value) or math.isnan(main.expected):
        return 0.0
    value, expected = abs(main.value), abs(main.expected)
    more = max(0.005 * expected, TINY) if math.isnan(main.exposure) else 0.5 / max(main.exposure, 1.0)
    return abs(math.log2((value + more) / (expected + more)))
