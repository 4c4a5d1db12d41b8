"""What a score is worth: `python -m benchmarks.anomalies.calibration ../shared/data`.

Fits the probability that an alarm is real on alarms whose truth is known, and shows what it is worth on groups of
alarms that it was not fitted on. The constants go into `prodintel_lib.analyses.anomalies.calibration`.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from benchmarks.anomalies import nab, production
from benchmarks.anomalies.planted_series import MEMBERS, plant
from prodintel_lib.analyses.anomalies import Combined, Kind, SeriesMatrix, confidence_of, find_alarms
from prodintel_lib.analyses.anomalies.calibration import MOST_DOUBLINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Scores

THRESHOLDS: Final = (3.0, 4.0)
NAMES: Final = ("score", "points", "agreeing", "effect")
BINS: Final = (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)
NEAR_POINTS: Final = 5
SEEDS: Final = (1, 2, 3)
HELD_BACK_SEED: Final = 11
GROUPS: Final = 100


@dataclass(frozen=True, slots=True)
class Known:
    """One alarm whose truth is known: what it looked like, whether it was real, and what it must be left out with."""

    group: str
    score: float
    points: int
    agreeing: int
    effect: float
    is_real: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, show the reliability, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds nab, ms-cloud-monitoring and petshop")
    for line in run(parser.parse_args(arguments).data):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def run(data: Path) -> Iterator[str]:
    """Fit on all groups, predict each group by a fit on the others, and alarms of seeds that no fit has seen."""
    alarms = [*_of_nab(data), *_of_services(data), *_of_quiet(data)]
    for kind in get_args(Kind):
        alarms += [alarm for seed in SEEDS for alarm in _of_planted(kind, seed)]
    for group in sorted({alarm.group for alarm in alarms}):
        own = [alarm for alarm in alarms if alarm.group == group]
        yield f"calibration, {group}: {len(own)} alarms, {sum(alarm.is_real for alarm in own)} real"
    intercept, weights = _fit(alarms)
    found = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(NAMES, weights, strict=True))
    yield f"calibration, fitted on all: intercept {intercept:.3f}, {found}"
    yield from _tell("each group by a fit on the others", alarms, _left_out(alarms))
    in_use = [confidence_of(one.score, one.points, one.agreeing, one.effect) for one in alarms]
    yield from _tell("the constants in use, on what they were fitted on", alarms, np.array(in_use))
    new = [alarm for kind in get_args(Kind) for alarm in _of_planted(kind, HELD_BACK_SEED)]
    in_use = [confidence_of(one.score, one.points, one.agreeing, one.effect) for one in new]
    yield from _tell("the constants in use, on planted series of another seed", new, np.array(in_use))


def _tell(what: str, alarms: list[Known], predicted: NDArray[np.float64]) -> Iterator[str]:
    real, weight = np.array([alarm.is_real for alarm in alarms]), _weights(alarms)
    brier = float(np.average((predicted - real) ** 2, weights=weight))
    base = float(np.average(real, weights=weight))
    yield f"calibration, {what}: Brier {brier:.3f} (the share of real ones alone: {base * (1 - base):.3f})"
    for low, high in pairwise(BINS):
        inside = (predicted >= low) & ((predicted < high) | (high == 1.0))
        if inside.any():
            yield (
                f"  said {low:.2f}-{high:.2f}: {inside.sum()} alarms, {real[inside].mean():.2f} of them real "
                f"(said {predicted[inside].mean():.2f}); groups alike: "
                f"{np.average(real[inside], weights=weight[inside]):.2f} "
                f"(said {np.average(predicted[inside], weights=weight[inside]):.2f})"
            )


def _left_out(alarms: list[Known]) -> NDArray[np.float64]:
    predicted = np.empty(len(alarms))
    groups = np.array([alarm.group for alarm in alarms])
    for group in sorted(set(groups.tolist())):
        intercept, weights = _fit([alarm for alarm in alarms if alarm.group != group])
        own = _features(alarm for alarm in alarms if alarm.group == group)
        predicted[groups == group] = 1.0 / (1.0 + np.exp(-(intercept + own @ weights)))
    return predicted


def _fit(alarms: list[Known]) -> tuple[float, NDArray[np.float64]]:
    """Fit a logistic regression whose weights are not below 0: more evidence never makes an alarm less real."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - costs seconds to import

    features, real = _features(alarms), np.array([alarm.is_real for alarm in alarms])
    used = np.ones(features.shape[1], dtype=np.bool_)
    while True:
        model = LogisticRegression(C=10.0).fit(features[:, used], real, sample_weight=_weights(alarms))
        if not used.any() or (model.coef_[0] >= 0).all():
            weights = np.zeros(features.shape[1])
            weights[used] = model.coef_[0]
            return float(model.intercept_[0]), weights
        used[np.flatnonzero(used)[np.argmin(model.coef_[0])]] = False


def _weights(alarms: list[Known]) -> NDArray[np.float64]:
    """Weigh groups alike, whatever the number of their alarms, up to a point: few alarms say little."""
    sizes = {group: sum(alarm.group == group for alarm in alarms) for group in {alarm.group for alarm in alarms}}
    weights = np.array([1.0 / max(sizes[alarm.group], 20) for alarm in alarms])
    return np.asarray(weights * len(alarms) / weights.sum(), dtype=np.float64)


def _features(alarms: Iterable[Known]) -> NDArray[np.float64]:
    return np.array(
        [
            (
                math.log2(alarm.score),
                math.log2(alarm.points),
                math.log2(1 + alarm.agreeing),
                min(alarm.effect, MOST_DOUBLINGS),
            )
            for alarm in alarms
        ]
    )


def _of_nab(data: Path) -> Iterator[Known]:
    folder = data / "nab"
    scorer: Any = nab._load_scorer(data.parent / "scorers" / "nab_score.py")  # noqa: SLF001 - one benchmark
    for name, windows in sorted(nab._labels(folder).items()):  # noqa: SLF001 - one benchmark
        file = nab._read(folder, name, windows, scorer)  # noqa: SLF001 - one benchmark
        labels = (file.window >= 0)[None, :]
        yield from _known(f"nab, {name.split('/')[0]}", file.series, labels, first=file.probation)


def _of_services(data: Path) -> Iterator[Known]:
    for path in sorted((data / "ms-cloud-monitoring").glob("*/*.csv")):
        series, labels = production._read_labelled(path)  # noqa: SLF001 - one benchmark
        late = np.zeros(len(labels), dtype=np.bool_)
        for after in range(1, production.SLACK_POINTS + 1):
            late[after:] |= labels[:-after]
        first = int(production.PROBATION * len(labels))
        yield from _known(f"ms, {path.parent.name}", series, (labels | late)[None, :], first=first)


def _of_quiet(data: Path) -> Iterator[Known]:
    series = production._read_petshop(data / "petshop" / "low_traffic" / "noissue" / "metrics.csv")  # noqa: SLF001
    neighbours = [key.split(" ")[0] for key in series.keys]
    first = int(production.PROBATION * len(series.time_us))
    labels = np.zeros(series.values.shape, dtype=np.bool_)
    yield from _known("petshop without issues", series, labels, first=first, neighbours=neighbours)


def _of_planted(kind: Kind, seed: int) -> Iterator[Known]:
    planted = plant(kind, groups=GROUPS, seed=seed)
    neighbours = [str(row // MEMBERS) for row in range(len(planted.series.keys))]
    yield from _known(f"planted, {kind}", planted.series, planted.is_planted, neighbours=neighbours)


def _known(
    group: str,
    series: SeriesMatrix,
    labels: NDArray[np.bool_],
    *,
    first: int = 0,
    neighbours: Sequence[str] | None = None,
) -> Iterator[Known]:
    scores = Combined().score(series)
    rows = {key: row for row, key in enumerate(series.keys)}
    for threshold in THRESHOLDS:
        alarms = [
            (rows[alarm.key], int(np.searchsorted(series.time_us, alarm.start_us)), alarm)
            for alarm in find_alarms(series, scores, threshold=threshold)
        ]
        alarms = [one for one in alarms if one[1] >= first]
        for row, start, alarm in alarms:
            last = int(np.searchsorted(series.time_us, alarm.last_us))
            near = {
                other
                for other, at, _ in alarms
                if neighbours and neighbours[other] == neighbours[row] and abs(at - start) <= NEAR_POINTS
            }
            yield Known(
                group,
                alarm.score,
                _count_high(scores, row, start, last, threshold),
                len(near - {row}),
                _effect(series, row, int(np.searchsorted(series.time_us, alarm.peak_us)), alarm.value, alarm.expected),
                bool(labels[row, start : last + 1].any()),
            )


def _count_high(scores: Scores, row: int, start: int, last: int, threshold: float) -> int:
    return int((scores.score[row, start : last + 1] >= threshold).sum())


def _effect(series: SeriesMatrix, row: int, column: int, value: float, expected: float) -> float:
    """Return doublings between value and expectation, as findings count them."""
    if math.isnan(value) or math.isnan(expected):
        return 0.0
    exposure = 1.0 if series.exposure is None else float(series.exposure[row, column])
    more = max(0.005 * abs(expected), 1e-9) if series.kind == "level" else 0.5 / max(exposure, 1.0)
    return abs(math.log2((abs(value) + more) / (abs(expected) + more)))


if __name__ == "__main__":
    raise SystemExit(main())
