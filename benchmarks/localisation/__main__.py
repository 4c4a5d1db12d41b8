"""Measure localisation: `python -m benchmarks.localisation ../shared/data [--seeds 20]`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
import polars as pl

from benchmarks.localisation import peers, planted, robustspot
from prodintel_lib.analyses.localisation import localise, scoring, search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.localisation.robustspot import Incident

    Answer = list[dict[str, str]]

BASELINE: Final = {"baseline_bad": "baseline_bad", "baseline_total": "baseline_total"}
GRID: Final = {"LOG_POWER": (0.4, 0.5, 0.6, 1.0), "PER_CAUSE": (0.9, 0.8, 0.7), "min_coverage": (0.1, 0.2)}
SPLITS: Final = 200
SPEED_CELLS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Score:
    """Combinations that were right, wrong, and to be found."""

    right: int = 0
    wrong: int = 0
    true: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.true + other.true)

    def __str__(self) -> str:
        f1 = 2 * self.right / (self.right + self.wrong + self.true) if self.right + self.wrong + self.true else 1.0
        recall = f"{self.right / self.true:.3f}" if self.true else "-"
        precision = f"{self.right / (self.right + self.wrong):.3f}" if self.right + self.wrong else "-"
        counts = f"{self.right} of {self.true} found, {self.wrong} false"
        return f"F1 {f1:.3f}, {counts} (recall {recall}, precision {precision})"

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(self.right + self.wrong + self.true, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds robustspot")
    parser.add_argument("--seeds", type=int, default=20, help="planted cases: how many seeds")
    parser.add_argument("--only", choices=("robustspot", "planted", "speed"), help="one part alone")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "robustspot": lambda: _robustspot(list(robustspot.read_incidents(options.data / "robustspot"))),
        "planted": lambda: _planted(options.seeds),
        "speed": _speed,
    }
    for name, part in parts.items():
        if options.only in {None, name}:
            _say(part())
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def grade(answer: Answer, truth: Sequence[dict[str, str]]) -> Score:
    """Count an answer: a combination is right when it is exactly a true one."""
    right = sum(cause in answer for cause in truth)
    return Score(right, len(answer) - right, len(truth))


def answer_incident(incident: Incident, **options: float) -> Answer:
    """Localise an incident with the library's configuration, or with `options` in the place of some of it."""
    history = incident.history
    result = localise(
        history.cells, dimensions=incident.dimensions, worse=history.worse, dispersion=history.dispersion, **BASELINE,
        **options,
    )  # fmt: skip
    return [cause.attributes for cause in result.causes]


def _robustspot(incidents: list[Incident]) -> Iterator[str]:
    answers = [answer_incident(incident) for incident in incidents]
    scores = [grade(answer, incident.causes) for answer, incident in zip(answers, incidents, strict=True)]
    yield f"robustspot, {len(incidents)} incidents, as configured: {sum(scores, Score())}"
    for incident, answer, score in zip(incidents, answers, scores, strict=True):
        if score.wrong or score.right < score.true:
            yield f"  {incident.name}: said {answer}, is {list(incident.causes)}"
    for name, method in _PEERS.items():
        found = [
            method(
                incident.history.cells, dimensions=incident.dimensions, has_baseline=True,
                sign=1 if incident.history.worse == "higher" else -1,
            )
            for incident in incidents
        ]  # fmt: skip
        total = sum((grade(one, incident.causes) for one, incident in zip(found, incidents, strict=True)), Score())
        yield f"  {name}: {total}"
    yield from _cross_validate(incidents)


_PEERS: Final[dict[str, Callable[..., Answer]]] = {
    "best single attribute": peers.best_single_attribute,
    "Adtributor, simplified": peers.adtributor,
}


def _cross_validate(incidents: list[Incident]) -> Iterator[str]:
    """Choose on one half what does best there, and score it on the other; both ways, over many splits."""
    table = []
    for log_power, per_cause, min_coverage in product(*GRID.values()):
        with mock.patch.object(scoring, "LOG_POWER", log_power), mock.patch.object(search, "PER_CAUSE", per_cause):
            table.append([grade(answer_incident(one, min_coverage=min_coverage), one.causes) for one in incidents])
        yield f"  {log_power=} {per_cause=} {min_coverage=}: {sum(table[-1], Score())}"
    chance = np.random.default_rng(0)
    figures = []
    for _ in range(SPLITS):
        order = chance.permutation(len(incidents))
        halves = np.array_split(order, 2)
        held = Score()
        for chosen_on, reported_on in (halves, halves[::-1]):
            best = max(table, key=lambda row: sum((row[i] for i in chosen_on), Score()).f1)
            held += sum((best[i] for i in reported_on), Score())
        figures.append(held.f1)
    low, middle, high = np.quantile(figures, [0.05, 0.5, 0.95])
    spread = f"F1 {middle:.3f} ({low:.3f}-{high:.3f}, {SPLITS} splits)"
    yield f"  chosen on one half, reported on the other, both ways: {spread}"


def _planted(seeds: int) -> Iterator[str]:
    scores: dict[str, dict[str, list[Score]]] = {}
    wrongly_silent = 0
    for seed in range(seeds):
        for case in planted.make_cases(seed):
            kind = scores.setdefault(case.name, {name: [] for name in ("prodintel", *_PEERS)})
            result = localise(case.cells, dimensions=planted.DIMENSIONS, **(BASELINE if case.has_baseline else {}))
            kind["prodintel"].append(grade([cause.attributes for cause in result.causes], case.causes))
            wrongly_silent += case.name.endswith("everywhere") and result.verdict != "everywhere"
            for name, method in _PEERS.items():
                answer = method(case.cells, dimensions=planted.DIMENSIONS, has_baseline=case.has_baseline)
                kind[name].append(grade(answer, case.causes))
        yield f"  seed {seed}: {sum((kind['prodintel'][-1] for kind in scores.values()), Score())}"
    for name, kind in scores.items():
        yield f"planted, {name}: " + "; ".join(f"{who} {sum(some, Score())}" for who, some in kind.items())
    for who in ("prodintel", *_PEERS):
        planted_ones = sum((sum(kind[who], Score()) for name, kind in scores.items()), Score())
        nothing = [one for name, kind in scores.items() for one in kind[who] if not one.true]
        yield (
            f"planted, all, {who}: {planted_ones}; "
            f"{sum(one.wrong > 0 for one in nothing)} of {len(nothing)} without a cause with a finding"
        )
    yield f"planted, worse everywhere and not said so: {wrongly_silent} of {seeds}"


def _speed() -> Iterator[str]:
    case = planted.make_case("speed", 0, 2, 2, has_baseline=True, events=150_000)
    cells = pl.concat([case.cells] * 2).head(SPEED_CELLS)
    for name, options in (("with a baseline", BASELINE), ("at one time", {})):
        seconds = []
        for _ in range(5):
            begun = time.process_time()
            localise(cells, dimensions=planted.DIMENSIONS, **options)
            seconds.append(time.process_time() - begun)
        size = f"{cells.height:,} cells × {len(planted.DIMENSIONS)} dimensions"
        yield f"speed, {size}, {name}: {np.median(seconds):.2f} s of the processor"


if __name__ == "__main__":
    raise SystemExit(main())
