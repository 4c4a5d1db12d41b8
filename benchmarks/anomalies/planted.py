"""Incidents planted in made-up months, and months without any: recall, precision, delay and type: `--what planted`."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.anomalies.month import make_month
from benchmarks.anomalies.month_incidents import KINDS, SLOTS_HOURS, plant
from benchmarks.anomalies.month_plan import BUCKET_S, START, WINDOW_DAYS, plan_quiet
from benchmarks.anomalies.recorded import describe
from prodintel_lib.analyses.anomaly_findings import find_anomalies
from prodintel_lib.analyses.production import build_series
from prodintel_lib.windows import US_PER_S, to_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.anomalies.month_incidents import Planted
    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings

SEEDS: Final = 20
QUIET_SEEDS: Final = 5
AFTERWARDS_US: Final = 3600 * US_PER_S
"""What begins that soon after an incident's end is its end: traffic that comes back, a release that is rolled back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found of one planted incident, the main finding first."""

    planted: Planted
    found: tuple[AnomalyFinding, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """What was found in a month: of each incident, and of none of them."""

    seed: int
    outcomes: tuple[Outcome, ...]
    false: tuple[AnomalyFinding, ...]
    series: int
    cpu_s: float


def run(seeds: int = SEEDS, quiet_seeds: int = QUIET_SEEDS, *, tells_all: bool = True) -> Iterator[str]:
    """Look at months with four incidents each, and at months with none."""
    months = []
    for seed in range(seeds):
        months.append(look_at_month(seed, kinds_of(seed)))
        yield from tell(months[-1]) if tells_all else ()
    yield from _sum_up(months)
    quiet = []
    for seed in range(1000, 1000 + quiet_seeds):
        quiet.append(look_at_month(seed, ()))
        yield from tell(quiet[-1]) if tells_all else ()
    false = sum(len(month.false) for month in quiet)
    yield (
        f"planted, {quiet_seeds} months without an incident: {false} false alarms in "
        f"{quiet_seeds * WINDOW_DAYS / 7:.0f} weeks of {median(month.series for month in quiet):.0f} series"
    )


def kinds_of(seed: int) -> tuple[str, ...]:
    """Return the kinds of a seed's incidents; over the seeds each comes as often as the others, in changing slots."""
    names, slots = list(KINDS), len(SLOTS_HOURS)
    return tuple(names[(slots * seed + slot) % len(names)] for slot in range(slots))


def look_at_month(seed: int, kinds: Sequence[str]) -> Month:
    """Make a month, find what is abnormal in its last week with the defaults, and hold it to what was planted."""
    chance = np.random.default_rng(seed)
    plan = plan_quiet(chance)
    planted = [plant(plan, kind, chance, slot=slot) for slot, kind in enumerate(kinds)]
    production = make_month(plan, chance)
    begun_s = time.process_time()
    findings = find_anomalies(production, build_series(production))
    cpu_s = time.process_time() - begun_s
    return hold_to(planted, findings, seed=seed, cpu_s=cpu_s)


def hold_to(planted: Sequence[Planted], findings: AnomalyFindings, *, seed: int, cpu_s: float) -> Month:
    """Give each finding to the incident it is of; those of none are false."""
    found: dict[str, list[AnomalyFinding]] = defaultdict(list)
    false = []
    for finding in findings.findings:
        owner = next((one for one in planted if is_of(finding, one)), None)
        if owner is None:
            false.append(finding)
        else:
            found[owner.kind].append(finding)
    outcomes = tuple(Outcome(one, tuple(found[one.kind])) for one in planted)
    return Month(seed, outcomes, tuple(false), findings.series_scored, cpu_s)


def is_of(finding: AnomalyFinding, planted: Planted) -> bool:
    """Say whether a finding began with an incident and is of a service it touched; of no service it may be of any."""
    first_us, end_us = time_us_of(planted.first - 1), time_us_of(planted.end) + AFTERWARDS_US
    return first_us <= finding.start_us < end_us and finding.service_name in {"", *planted.services}


def time_us_of(bucket: int) -> int:
    """Return when a bucket of the month begins."""
    return to_us(START) + bucket * BUCKET_S * US_PER_S


def tell(month: Month) -> Iterator[str]:
    """Say what was found of each incident, and of none."""
    for outcome in month.outcomes:
        onset_us = time_us_of(outcome.planted.first)
        lines = [describe(finding, onset_us=onset_us) for finding in outcome.found] or ["MISSED"]
        yield f"planted, seed {month.seed}, {outcome.planted.kind}: {lines[0]}"
        yield from (f"  besides: {line}" for line in lines[1:])
    yield from (f"  FALSE, seed {month.seed}: {describe(finding)}" for finding in month.false)


def _sum_up(months: Sequence[Month]) -> Iterator[str]:
    outcomes = [outcome for month in months for outcome in month.outcomes]
    for kind in KINDS:
        yield "planted, " + _counted(kind, [outcome for outcome in outcomes if outcome.planted.kind == kind])
    false = [finding for month in months for finding in month.false]
    found = sum(bool(outcome.found) for outcome in outcomes)
    shown = ", ".join(f"{name} {count}" for name, count in Counter(one.type for one in false).most_common())
    yield "planted, " + _counted("all", outcomes)
    yield (
        f"planted, precision {found / max(found + len(false), 1):.2f} ({found} incidents, {len(false)} false alarms: "
        f"{shown or 'none'}), {len(false) / max(len(months), 1):.2f} false alarms a week of "
        f"{median(month.series for month in months):.0f} series; {median(month.cpu_s for month in months):.1f} s of "
        "the processor a month"
    )


def _counted(name: str, outcomes: Sequence[Outcome]) -> str:
    found = [outcome for outcome in outcomes if outcome.found]
    delays_min = [
        (min(one.detected_us for one in outcome.found) - time_us_of(outcome.planted.first)) / 60e6 for outcome in found
    ]
    right = sum(outcome.found[0].type in outcome.planted.types for outcome in found)
    shown = f"{min(delays_min):.0f} / {median(delays_min):.0f} / {max(delays_min):.0f} min" if delays_min else "none"
    return (
        f"{name}: {len(found)} of {len(outcomes)} found; delay least / median / most {shown}; type right {right} of "
        f"{len(found)}; further findings of the same {sum(len(outcome.found) - 1 for outcome in found)}"
    )
