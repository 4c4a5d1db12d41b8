"""Where it failed first, and whom it reached: the blast radius is kept apart from the cause."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.changepoints import usual_deviation
from prodintel_lib.analyses.signals import MATERIAL_CHANGE, OWN_TIME_SIGNAL, worse_direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from prodintel_lib.analyses.causes.errors import ErrorText
    from prodintel_lib.analyses.causes.own_growth import OwnGrowth
    from prodintel_lib.windows import Window

MIN_DEVIATIONS: Final = 3.0
MIN_POOL: Final = 10
LEVEL_FLOOR: Final = 0.02
SHARE_FLOOR: Final = 0.001
FEW_POINTS_FLOOR: Final = 0.15
MAX_RECENT: Final = 10
GAP_INTERVALS: Final = 5.0
MAX_HOPS: Final = 20
UNREACHED: Final = 0.1
QUIET: Final = 0.01
SYMPTOM_ITSELF: Final = 0.3
FEW_MESSAGES: Final = 10
FELT_KINDS: Final = ("latency", "errors", "queue", "log_errors", "log_new")
COUNTED_KINDS: Final = ("log_errors", "log_new")


@dataclass(frozen=True, slots=True)
class Contrast:
    """One series just before the incident against during it.

    Attributes
    ----------
    deviations : float
        How far it moved for the worse, in usual deviations of a point.
    shift : float
        The same in its own unit.
    added : float
        The shift times what it rests on: added seconds, failures.
    usual : float
        The level before times the same: how much there is at any time.
    """

    deviations: float
    shift: float
    added: float
    usual: float


@dataclass(frozen=True, slots=True)
class Location:
    """The services by how likely it began there.

    Attributes
    ----------
    ranked : tuple of tuple
        Service and score, most likely first; scores are for order only.
    blast_radius : tuple of str
        The other services that got worse for those who call them, by name.
    evidence : tuple of str
        What speaks for the first.
    """

    ranked: tuple[tuple[str, float], ...]
    blast_radius: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def first_failing(self) -> str:
        """The most likely service."""
        return self.ranked[0][0]


def contrast_series(
    times_us: NDArray[np.int64],
    values: NDArray[np.float64],
    rests_on: NDArray[np.int64],
    *,
    window: Window,
    direction: int = 1,
    is_count: bool = False,
) -> Contrast | None:
    """Compare the points just before the window with those in it; None where either side is empty.

    The level before is that of the last points (at most ten, none from before a gap in the data): a service may have
    moved for good since the old normal time, which only serves for how much the series usually varies. The level during
    is the mean of the worse half: an incident does not fill its window. What tells of success (availability) is turned
    into what is missing to the whole.
    """  # fmt: skip
    if direction < 0:
        whole = 1.0 if values.max() <= 1 else 100.0
        values = whole - values if values.max() <= whole else -values
    before, during = times_us < window.start_us, (times_us >= window.start_us) & (times_us < window.end_us)
    if not before.any() or not during.any():
        return None
    past, now = values[before], values[during]
    recent = past[_after_gap(times_us[before], window.start_us) :][-MAX_RECENT:]
    level = float(np.median(recent if len(recent) else past))
    floor = SHARE_FLOOR * (100.0 if direction < 0 and values.max() > 1 else 1.0) if direction < 0 else 0.0
    noise = max(usual_deviation(past, is_count=is_count), LEVEL_FLOOR * abs(level), floor)
    if len(past) < MIN_POOL:
        noise = max(noise, FEW_POINTS_FLOOR * abs(level), 5 * floor)
    worst = np.sort(now - level)[::-1][: (len(now) + 1) // 2]
    shift = float(worst.mean())
    weight = float(rests_on[during].mean())
    if weight > 1 and values.min() >= 0 and values.max() <= 1:
        # Of a share of some requests one more that fails is the least that can change, and means nothing.
        noise = max(noise, 1 / weight)
    return Contrast(shift / noise, shift, shift * weight, abs(level) * weight)


def _after_gap(times_us: NDArray[np.int64], until_us: int) -> int:
    steps = np.diff(np.append(times_us, until_us))
    if len(steps) < 2:
        return 0
    gaps = np.flatnonzero(steps[:-1] > GAP_INTERVALS * np.median(steps[:-1]))
    return int(gaps[-1]) + 1 if len(gaps) else 0


def contrast_signals(signals: pl.DataFrame, *, window: Window) -> dict[tuple[str, str, str], Contrast]:
    """Contrast every series whose direction for the worse is known: ``(service, kind, signal)`` to Contrast."""
    found = {}
    for key, frame in signals.group_by("service_name", "kind", "signal", maintain_order=True):
        service, kind, signal = (str(part) for part in key)
        direction = worse_direction(kind, signal)
        if not direction:
            continue
        contrast = contrast_series(
            frame["time_us"].to_numpy(), frame["value"].to_numpy(), frame["n"].to_numpy(), window=window,
            direction=direction, is_count=kind in COUNTED_KINDS,
        )  # fmt: skip
        if contrast is not None:
            found[service, kind, signal] = contrast
    return found


def rank_by_own_growth(
    contrasts: Mapping[str, Contrast], edges: Iterable[tuple[str, str]], *, symptom_service: str = ""
) -> list[tuple[str, float]]:
    """Rank services by what they added themselves: their added time or failures less that of the worst they call.

    Parameters
    ----------
    contrasts : mapping of str to Contrast
        One comparable signal of every service.
    edges : iterable of tuple
        Caller and callee.
    symptom_service : str
        Where it was noticed. What it cannot reach by calls counts for a tenth; itself, being the sum of what lies
        under it, for three tenths. Empty where nobody noticed.

    Returns
    -------
    list of tuple
        Service and score, most likely first. Ties are in order of the deviation.

    Notes
    -----
    The idea is that of own time in a trace (a span less its children), carried over to services of which only averages
    are known: added time is the shift of the average times the requests, so that a rare view of the same fault (a
    retry, a proxy, a client's own measurement) does not outweigh the service itself. Tried on the same data and left:
    robust deviations alone, the same damped by explaining callees, and added time without requests (see
    benchmarks/causes).
    """
    callees: dict[str, set[str]] = defaultdict(set)
    for caller, callee in edges:
        if caller != callee:
            callees[caller].add(callee)
    hot = {name for name, contrast in contrasts.items() if contrast.deviations >= MIN_DEVIATIONS}
    reached = _reach(symptom_service, callees) if symptom_service else set(contrasts)
    scores = {}
    for name, contrast in contrasts.items():
        passed_on = max((contrasts[callee].added for callee in callees[name] & hot), default=0.0)
        own = max(contrast.added - passed_on, 0.0)
        own *= 1.0 if name in hot else QUIET
        own *= 1.0 if name in reached else UNREACHED
        scores[name] = own * (SYMPTOM_ITSELF if name == symptom_service else 1.0)
    return sorted(scores.items(), key=lambda item: (-item[1], -contrasts[item[0]].deviations, item[0]))


def _reach(start: str, callees: Mapping[str, set[str]]) -> set[str]:
    reached, front = {start}, {start}
    for _ in range(MAX_HOPS):
        front = {callee for name in front for callee in callees.get(name, ())} - reached
        reached |= front
    return reached


def locate(
    *,
    contrasts: Mapping[tuple[str, str, str], Contrast],
    onsets: pl.DataFrame,
    errors: Iterable[ErrorText],
    mentions: frozenset[tuple[str, str]],
    edges: frozenset[tuple[str, str]],
    reported_service: str,
    window: Window,
    own_growth: OwnGrowth | None = None,
) -> Location | None:
    """Say where it failed first and whom it reached.

    Each kind of evidence gives a service at most what its constant says: its share of the added time or failures that
    no callee explains (3), being the one that was reported (1.5), its share of the new error messages (1.5), unless
    they blame somebody who fails too (-1.5), beginning with the first (0.5), and answering nobody: hosts and
    neighbours are conditions, not services that fail (-3). Where spans give the own time operation by operation, that
    stands for the series of own time, which moves with the mix of requests too.
    """
    scores: dict[str, float] = defaultdict(float)
    reasons: dict[str, list[str]] = defaultdict(list)
    felt = _felt(onsets, errors, mentions)
    for name, share, said in _own_shares(contrasts, edges, reported_service, own_growth):
        scores[name] += 3.0 * share
        reasons[name].append(said)
    for name, share in _error_shares(errors).items():
        blamed = {other for service, other in mentions if service == name and other in felt}
        scores[name] += -1.5 if blamed else 1.5 * share
        reasons[name].append(
            f"its errors blame {', '.join(sorted(blamed))}" if blamed
            else f"{100 * share:.0f} % of the new errors are its own"
        )  # fmt: skip
    # The series of own time sets in also where only the mix of requests changed.
    timely = onsets.filter(pl.col("signal") != OWN_TIME_SIGNAL) if own_growth else onsets
    first_us = _first_onsets(timely)
    for name, onset_us in first_us.items():
        if onset_us <= min(first_us.values()) + (window.end_us - window.start_us) // 50:
            scores[name] += 0.5
            reasons[name].append("it was among the first to change")
    grown = {name for name, ms in own_growth.added_ms.items() if ms > 0} if own_growth else set()
    for name in {name for name, *_ in contrasts} - felt - grown:
        scores[name] -= 3.0
    if reported_service:
        scores[reported_service] += 1.5
        reasons[reported_service].append("it was reported")
    if not scores:
        return None
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    first = ranked[0][0]
    return Location(tuple(ranked), tuple(sorted(felt - {first})), tuple(reasons[first]))


def _error_shares(errors: Iterable[ErrorText]) -> dict[str, float]:
    rows: dict[str, int] = defaultdict(int)
    for text in errors:
        if text.service and text.level == "error":
            rows[text.service] += text.rows
    # A handful of messages is no evidence: ten more are assumed to come from nobody.
    return {name: count / (sum(rows.values()) + FEW_MESSAGES) for name, count in rows.items()}


def _felt(onsets: pl.DataFrame, errors: Iterable[ErrorText], mentions: frozenset[tuple[str, str]]) -> set[str]:
    """Return the services that others could feel: slower, failing, behind, or complaining of somebody."""
    worse = onsets.filter(pl.col("is_worse").fill_null(value=False) & pl.col("kind").is_in(FELT_KINDS))
    shouted = {text.service for text in errors if text.level == "error" and text.service}
    return set(worse["service_name"]) | shouted | {service for service, _ in mentions if service}


def _first_onsets(onsets: pl.DataFrame) -> dict[str, int]:
    worse = onsets.filter(pl.col("is_worse").fill_null(value=False) & pl.col("kind").is_in(FELT_KINDS))
    return dict(worse.group_by("service_name").agg(pl.col("onset_us").min()).iter_rows())


def _own_shares(
    contrasts: Mapping[tuple[str, str, str], Contrast],
    edges: frozenset[tuple[str, str]],
    reported_service: str,
    own_growth: OwnGrowth | None,
) -> Iterable[tuple[str, float, str]]:
    """Yield, by kind of signal, each service's share of what was added and no callee explains."""
    by_signal: dict[tuple[str, str], dict[str, Contrast]] = defaultdict(dict)
    for (service, kind, signal), contrast in contrasts.items():
        if kind in {"latency", "errors"} and not (own_growth and signal == OWN_TIME_SIGNAL):
            by_signal[kind, signal][service] = contrast
    best: dict[str, tuple[float, str]] = dict(_operation_shares(own_growth, edges)) if own_growth else {}
    for (_, signal), services in by_signal.items():
        if len(services) < 2:
            continue
        ranked = _ranked_own(signal, services, edges, reported_service if reported_service in services else "")
        total = sum(score for _, score in ranked)
        matters = _materiality(services)
        for name, score in ranked:
            is_hot = total > 0 and services[name].deviations >= MIN_DEVIATIONS
            if is_hot and matters * score / total > best.get(name, (0.0, ""))[0]:
                said = f"{100 * score / total:.0f} % of the growth of {signal} is its own"
                best[name] = matters * score / total, said
    for name, (share, said) in best.items():
        yield name, share, said


def _operation_shares(growth: OwnGrowth, edges: frozenset[tuple[str, str]]) -> Iterable[tuple[str, tuple[float, str]]]:
    entries = _entries(edges)
    scores = {name: ms * (SYMPTOM_ITSELF if name in entries else 1.0) for name, ms in growth.added_ms.items()}
    total = sum(scores.values())
    for name, score in scores.items():
        said = f"{100 * score / total:.0f} % of the own time that was added is its own, most in {growth.most[name]}"
        yield name, (growth.materiality * score / total, said)


def _entries(edges: frozenset[tuple[str, str]]) -> set[str]:
    """Return where all requests come in: the own time there also holds whatever left no span."""
    return {caller for caller, _ in edges} - {callee for _, callee in edges}


def _materiality(services: Mapping[str, Contrast]) -> float:
    """Return 1 where what was added is a fifth or more of what there always is, less in proportion below."""
    added = sum(contrast.added for contrast in services.values() if contrast.deviations >= MIN_DEVIATIONS)
    usual = sum(contrast.usual for contrast in services.values())
    return min(1.0, max(added, 0.0) / (MATERIAL_CHANGE * usual)) if usual > 0 else 1.0


def _ranked_own(
    signal: str, services: Mapping[str, Contrast], edges: frozenset[tuple[str, str]], symptom: str
) -> list[tuple[str, float]]:
    if signal != OWN_TIME_SIGNAL:
        return rank_by_own_growth(services, edges, symptom_service=symptom)
    entries = _entries(edges)
    ranked = rank_by_own_growth(services, ())
    return [(name, score * (SYMPTOM_ITSELF if name in entries else 1.0)) for name, score in ranked]
