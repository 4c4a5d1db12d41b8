"""Measure how well causes and places of failure are found: `python -m benchmarks.causes ../shared/data`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

from benchmarks.causes import demo_bank, petshop, root_cause_bench, trainticket
from prodintel_lib.analyses.causes import weighing
from prodintel_lib.analyses.statistics import Proportion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.causes.outcomes import Outcome

BINS: Final = (0.0, 0.6, 0.9, 1.01)
FAMILIES: Final = ("_time", "_soon_after", "_reach", "_behaviour", "_fit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds rootcausebench, petshop and trainticket")
    parser.add_argument("--ranking", type=Path, help="write the ranking of nodes for petshop_eval.py here")
    parser.add_argument("--outcomes", type=Path, help="write every case as JSON lines here")
    parser.add_argument("--ablate", action="store_true", help="leave out one family of claims after the other")
    options = parser.parse_args(arguments)
    if options.ablate:
        _say(_ablation(options.data / "rootcausebench"))
        return 0
    bench = list(root_cause_bench.run(options.data / "rootcausebench"))
    demo = Path(__file__).parents[2] / "demo"
    bank = list(demo_bank.run(demo / "workspace", demo / "incidents" / "truth.yaml"))
    nodes = list(petshop.run(options.data / "petshop"))
    services = list(trainticket.run(options.data / "trainticket"))
    if options.ranking:
        options.ranking.write_text(json.dumps({outcome.case: names for outcome, names in nodes}), encoding="utf-8")
    every = [*bench, *bank, *(outcome for outcome, _ in nodes), *services]
    if options.outcomes:
        lines = "".join(json.dumps(asdict(outcome)) + "\n" for outcome in every)
        options.outcomes.write_text(lines, encoding="utf-8")
    _say(_causes("rootcausebench", bench))
    _say(_causes("the demo's bank", bank))
    _say(_places("petshop", [outcome for outcome, _ in nodes]))
    found, stretches = petshop.count_false_findings(options.data / "petshop")
    _say([f"petshop without issue: {Proportion.of(int(found), stretches)} stretches with a finding"])
    _say(_places("trainticket", services))
    _say(_reliability([*bench, *bank]))
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _causes(name: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    right = sum(outcome.is_right for outcome in outcomes)
    decoys = sum(bool(outcome.decoy_hit) for outcome in outcomes)
    abstained = sum(outcome.abstained for outcome in outcomes)
    first = sum(bool(outcome.first_failing_right) for outcome in outcomes)
    yield f"{name}: cause {Proportion.of(right, len(outcomes))}; abstained {abstained}; decoys hit {decoys}"
    yield f"  first failing service {first} of {len(outcomes)}"
    blasts = [outcome.blast_f1 for outcome in outcomes if outcome.blast_f1 is not None]
    if blasts:
        yield f"  blast radius F1 {sum(blasts) / len(blasts):.2f} (mean of {len(blasts)})"
    for outcome in outcomes:
        mark = "right" if outcome.is_right else "abstained" if outcome.abstained else "wrong"
        yield f"  {mark:9} {outcome.score:.2f} {outcome.case}: {outcome.answer[:40]}"


def _places(name: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    top = {k: sum(outcome.rank is not None and outcome.rank <= k for outcome in outcomes) for k in (1, 3)}
    shares = ", ".join(f"top {k}: {Proportion.of(hits, len(outcomes))}" for k, hits in top.items())
    yield f"{name}: {shares}"
    for outcome in outcomes:
        if not outcome.is_right:
            yield f"  rank {outcome.rank} {outcome.case}, first was {outcome.answer}"


def _reliability(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield f"reliability over {len(outcomes)} cases (score of the first answer, abstentions left out):"
    given = [outcome for outcome in outcomes if not outcome.abstained]
    for low, high in pairwise(BINS):
        inside = [outcome for outcome in given if low <= outcome.score < high]
        if inside:
            mean = sum(outcome.score for outcome in inside) / len(inside)
            right = Proportion.of(sum(outcome.is_right for outcome in inside), len(inside))
            yield f"  score {low:.1f}-{min(high, 1.0):.1f}: mean {mean:.2f}, right {right}"
    brier = sum((outcome.score - outcome.is_right) ** 2 for outcome in given) / max(len(given), 1)
    yield f"  Brier score {brier:.3f}"


def _ablation(folder: Path) -> Iterator[str]:
    for family in ("", *FAMILIES):
        with _without(family):
            outcomes = list(root_cause_bench.run(folder))
        lost = [outcome.case for outcome in outcomes if not outcome.is_right]
        decoys = sum(bool(outcome.decoy_hit) for outcome in outcomes)
        yield f"without {family or 'nothing':12} {len(outcomes) - len(lost)} right, {decoys} decoys; lost: {lost}"


@contextmanager
def _without(family: str) -> Iterator[None]:
    if not family:
        yield
        return
    with mock.patch.object(weighing, family, return_value=()):
        yield


if __name__ == "__main__":
    raise SystemExit(main())
