"""From scored series to findings: what began in the window, what belongs together, and what each amounts to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomalies import Combined, default_threshold
from prodintel_lib.analyses.anomalies.alarms import QUIET_HOURS, WORSE_BY
from prodintel_lib.analyses.anomaly_findings.building import Setting, build_finding
from prodintel_lib.analyses.anomaly_findings.episodes import (
    calm_us,
    chance_of,
    find_episodes,
    keep_shown,
    score_signals,
)
from prodintel_lib.analyses.anomaly_findings.linking import Topology, link_episodes
from prodintel_lib.analyses.anomaly_findings.members import members_frame
from prodintel_lib.analyses.anomaly_findings.model import AnomalyFindings
from prodintel_lib.analyses.anomaly_findings.severity import LEVELS
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Detector
    from prodintel_lib.analyses.anomalies.model import Unit
    from prodintel_lib.analyses.anomaly_findings.episodes import Episode
    from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding, ScoredSignals
    from prodintel_lib.analyses.production import Production, SignalSet

FALSE_DISCOVERY_RATE: Final = 0.1
NEUTRAL_WEIGHT: Final = 10.0
"""What need not be for the worse must be so many times rarer."""
NOT_SLOWER: Final = 1.1
"""Percentiles are read from bins of 8 %."""
EDGE_BUCKETS: Final = 3
TRAFFIC: Final = ("throughput", "journey_mix")

BEFORE: Final = "began before the window"
BETTER: Final = "for the better"
EDGE: Final = "the start or end of a recording"
UNSCORED: Final = "series of the least traffic, not scored"
QUICKER: Final = "quicker than just before"
CHANCE: Final = "as likely by chance among so many points"


def find_anomalies(
    production: Production,
    series: Sequence[SignalSet],
    *,
    detector: Detector | None = None,
    threshold: float | None = None,
    quiet_hours: float = QUIET_HOURS,
) -> AnomalyFindings:
    """Find what became abnormal in the window: one finding an event, however many series show it.

    Parameters
    ----------
    production : Production
    series : sequence of SignalSet
        Made from it (production.build_series).
    detector : Detector, optional
        `Combined` where none is given.
    threshold : float, optional
        In the unit of the detector's scores; `default_threshold` of that unit where none is given.
    quiet_hours : float
        What comes again in the same main series within so many hours, and not more strongly, is a recurrence of the
        first and no finding of its own.

    Returns
    -------
    AnomalyFindings

    Raises
    ------
    NoDataError
        Where no series has a point in the window.
    ParameterError
        Where the threshold is not above 0, or a signal comes twice.

    Notes
    -----
    Every point is scored by what came before it. Because thousands of points are looked at, the episodes are held
    against their number as well: an episode whose highest score would be reached by chance so often among all points
    scored that more than one in ten such would be false (Benjamini and Hochberg, 1995,
    doi:10.1111/j.2517-6161.1995.tb02031.x, with every other point as a test that was not passed) makes no finding
    unless it belongs to an event with one that is not. What need not be for the worse (traffic, a gauge of no known
    direction) counts as NEUTRAL_WEIGHT times as likely (weights as in Genovese et al., 2006,
    doi:10.1093/biomet/93.3.509). That holds the expected share of false episodes only as far as
    the scores mean what they say; `confidence` is the calibrated figure.
    """
    detector = Combined() if detector is None else detector
    signals = _by_name(series)
    scored = score_signals(production, series, detector)
    threshold = default_threshold(detector.unit) if threshold is None else threshold
    if not threshold > 0:
        raise ParameterError(
            f"The threshold of findings must be above 0; it is {threshold}.", hint="0 is what an abstention counts as."
        )
    counted = _count_scored(scored, production.window)
    if not scored or not sum(counted):
        raise NoDataError(
            f"Too little was recorded in {production.window.label()} for any series: "
            f"{len(production.recorded(production.window)):,} buckets of {production.bucket_s} s.",
            hint="a series takes 30 requests, sessions or page views, or 3 points of a metric or a log; "
            "ask for a longer window.",
        )
    episodes = [one for part in scored for one in find_episodes(part, threshold=threshold)]
    topology = Topology.of(production)
    sorted_out, kept = _sort_out(episodes, production)
    groups = link_episodes(kept, topology)
    sure, chance = _stand_out(groups, unit=detector.unit, points=counted[2])
    setting = Setting(production, signals, topology, detector)
    built, quicker = _part_quicker([(group, build_finding(group, setting)) for group in sure])
    findings, belongs_to = fold_recurrences(built, quiet_hours=quiet_hours)
    left = [*sorted_out, *((one, CHANCE) for one in chance), *((one, QUICKER) for one in quicker)]
    return AnomalyFindings(
        window=production.window,
        history=production.history,
        bucket_s=production.bucket_s,
        detector=detector.name,
        threshold=threshold,
        score_unit=detector.unit,
        quiet_hours=quiet_hours,
        series_scored=counted[0],
        series_too_short=counted[1],
        points_scored=counted[2],
        chance_alarms=counted[2] * chance_of(threshold, detector.unit),
        findings=findings,
        alarms=_alarms(built, belongs_to, left),
        better=members_frame(one for one, reason in left if reason == BETTER),
        scored=keep_shown(scored, episodes),
        left_out=_count_left_out(left, series),
    )


def _by_name(series: Sequence[SignalSet]) -> dict[str, SignalSet]:
    signals: dict[str, SignalSet] = {}
    for one in series:
        if one.signal in signals:
            raise ParameterError(
                f"Each signal may come once; `{one.signal}` comes twice.", hint="put its series into one matrix."
            )
        signals[one.signal] = one
    return signals


def _count_scored(scored: Iterable[ScoredSignals], window: Window) -> tuple[int, int, int]:
    """Return how many series have a scored point in the window, how many have only others, and how many points."""
    series = short = points = 0
    for one in scored:
        inside = one.scores.time_us >= window.start_us
        has_value = (~np.isnan(_levels_of(one)) & inside).any(axis=1)
        known = (~np.isnan(one.scores.score) & inside).sum(axis=1)
        series += int((known > 0).sum())
        short += int((has_value & (known == 0)).sum())
        points += int(known.sum())
    return series, short, points


def _levels_of(one: ScoredSignals) -> NDArray[np.float64]:
    matrix = one.signals.matrix
    first = int(np.searchsorted(matrix.time_us, one.scores.time_us[0]))
    return matrix.levels[:, first : first + len(one.scores.time_us)]


def _sort_out(episodes: Iterable[Episode], production: Production) -> tuple[list[tuple[Episode, str]], list[Episode]]:
    """Part the episodes that are no findings, with the reason, from those that may be."""
    out, kept = [], []
    edges = _edges_of(production)
    for one in episodes:
        if one.end_us <= production.window.start_us:
            continue
        if one.start_us < production.window.start_us:
            out.append((one, BEFORE))
        elif one.is_worse is False:
            out.append((one, BETTER))
        elif one.signal in TRAFFIC and any(low <= one.start_us < high for low, high in edges):
            out.append((one, EDGE))
        else:
            kept.append(one)
    return out, kept


def _edges_of(production: Production) -> list[tuple[int, int]]:
    """Return the half-open times at which traffic changes only because a recording begins or ends.

    Where the record goes on to the end of the window, its end is now and no edge.
    """
    times, width_us = production.recorded_us, production.bucket_us
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > calm_us(width_us))
    edge_us = EDGE_BUCKETS * width_us
    starts = [int(times[0]), *times[breaks + 1].tolist()]
    ends = [*(times[breaks] + width_us).tolist(), int(times[-1]) + width_us]
    if ends[-1] >= production.window.end_us - width_us:
        ends.pop()
    return [(start, start + edge_us) for start in starts] + [(end - edge_us, end) for end in ends]


def _stand_out(
    groups: Sequence[list[Episode]], *, unit: Unit, points: int
) -> tuple[list[list[Episode]], list[Episode]]:
    """Part the groups of which an episode is too rare for chance among all points, from the episodes of the others."""
    if unit == "beyond":
        return list(groups), []
    flat = [one for group in groups for one in group]
    weights = np.array([NEUTRAL_WEIGHT if one.is_neutral else 1.0 for one in flat])
    chances = weights * np.array([chance_of(one.score, unit) for one in flat])
    order = np.argsort(chances, kind="stable")
    # The points that raised nothing are tests too, and none of their chances is smaller than these.
    scaled = chances[order] * max(points, len(flat)) / np.arange(1, len(flat) + 1)
    passed = np.flatnonzero(scaled <= FALSE_DISCOVERY_RATE)
    sure = {id(flat[place]) for place in order[: int(passed[-1]) + 1 if len(passed) else 0].tolist()}
    return (
        [group for group in groups if any(id(one) in sure for one in group)],
        [one for group in groups if not any(id(other) in sure for other in group) for one in group],
    )


def _part_quicker(
    built: Iterable[tuple[list[Episode], AnomalyFinding]],
) -> tuple[list[AnomalyFinding], list[Episode]]:
    """Part the findings from the episodes of those whose durations, measured, were shorter than before.

    More requests than usual may exceed what was usual long ago, and be quicker than those just before.
    """
    kept, quicker = [], []
    for group, finding in built:
        if finding.type == "LATENCY_DEGRADATION" and finding.magnitude < 1 / NOT_SLOWER:
            quicker += group
        else:
            kept.append(finding)
    return kept, quicker


def fold_recurrences(
    findings: Iterable[AnomalyFinding], *, quiet_hours: float
) -> tuple[tuple[AnomalyFinding, ...], dict[str, str]]:
    """Note what comes again within the quiet hours, and is not stronger, at the first.

    Returns
    -------
    tuple of AnomalyFinding
        The severest first.
    dict of str to str
        For the id of every finding given, that of the one it is part of now.
    """
    firsts: list[AnomalyFinding] = []
    belongs_to = {}
    for one in sorted(findings, key=lambda finding: (finding.start_us, finding.id)):
        at = next((place for place, first in enumerate(firsts) if _comes_again(first, one, quiet_hours)), None)
        if at is None:
            firsts.append(one)
        else:
            first, again = firsts[at], Window(one.start_us, one.end_us)
            firsts[at] = replace(first, recurrences=(*first.recurrences, again), ongoing=first.ongoing or one.ongoing)
        belongs_to[one.id] = one.id if at is None else firsts[at].id
    ordered = sorted(firsts, key=lambda one: (-LEVELS.index(one.severity), -one.confidence, one.start_us, one.id))
    return tuple(ordered), belongs_to


def _comes_again(first: AnomalyFinding, one: AnomalyFinding, quiet_hours: float) -> bool:
    last_us = max([first.end_us, *(window.end_us for window in first.recurrences)])
    is_same = (first.type, first.signal, first.key) == (one.type, one.signal, one.key)
    is_soon = one.start_us <= last_us + quiet_hours * 3600 * US_PER_S
    return is_same and is_soon and one.score <= first.score + WORSE_BY


def _count_left_out(left: Iterable[tuple[Episode, str]], series: Iterable[SignalSet]) -> dict[str, int]:
    counted = Counter(reason for _, reason in left)
    counted[UNSCORED] += sum(one.left_out for one in series)
    return {reason: n for reason, n in sorted(counted.items()) if n}


def _alarms(
    findings: Iterable[AnomalyFinding], belongs_to: dict[str, str], left: Iterable[tuple[Episode, str]]
) -> pl.DataFrame:
    parts = [one.series.with_columns(finding_id=pl.lit(belongs_to[one.id]), reason=pl.lit("")) for one in findings]
    parts += [members_frame([one]).with_columns(finding_id=pl.lit(""), reason=pl.lit(reason)) for one, reason in left]
    empty = members_frame([]).with_columns(finding_id=pl.lit(""), reason=pl.lit(""))
    return pl.concat([empty, *parts]).sort("start_us", "signal", "key")
