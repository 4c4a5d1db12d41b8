"""Are the causes that were planted found, and nothing else? `python -m benchmarks.journeys_truth`; see README.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.journeys_truth.findings import report_causes
from benchmarks.journeys_truth.lake import write_lake
from benchmarks.journeys_truth.truth import judge, read_truth
from demo.rum.causes import CAUSES
from demo.rum.plan import US_PER_DAY, Plan, choose_causes
from demo.rum.workspace import generate
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.journeys_truth.truth import Outcome

SEEDS: Final = 20
SESSIONS: Final = 60_000
DAYS: Final = 7
FIRST_SEED: Final = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds and write what came of them; 0 if all was found and nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many workspaces, each with its own causes")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--none", action="store_true", help="plant nothing: all that is reported is false")
    parser.add_argument("--all", action="store_true", help="plant every cause in each")
    parser.add_argument("--outcomes", type=Path, help="write every seed as JSON lines here")
    options = parser.parse_args(arguments)
    outcomes = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        causes = tuple(CAUSES) if options.all else () if options.none else choose_causes(seed)
        outcome = try_plan(Plan(options.sessions, DAYS, seed, causes=causes))
        outcomes.append(outcome)
        _say(_one(outcome))
    if options.outcomes:
        lines = "".join(json.dumps(asdict(outcome), default=dict) + "\n" for outcome in outcomes)
        options.outcomes.write_text(lines, encoding="utf-8")
    _say(_total(outcomes))
    return 0 if not any(outcome.missed or outcome.false for outcome in outcomes) else 1


def try_plan(plan: Plan) -> Outcome:
    """Generate a workspace, let the analyses look at it, and compare what they report with the truth."""
    with tempfile.TemporaryDirectory(prefix="prodintel-truth-") as folder:
        root = Path(folder, "shop")
        generate(plan, root)
        # The last sessions of the last day end on the next.
        window = Window(plan.start_us, plan.start_us + (plan.days + 1) * US_PER_DAY)
        return judge(plan.seed, report_causes(write_lake(root), window), read_truth(root / "truth.yaml"))


def _one(outcome: Outcome) -> Iterator[str]:
    yield (f"seed {outcome.seed}: {len(outcome.found)} found, {len(outcome.missed)} missed, {len(outcome.false)} false")
    for kind, cause in outcome.missed:
        yield f"  missed {kind}: {cause}"
    for report in outcome.false:
        yield f"  false  {report}"


def _total(outcomes: Sequence[Outcome]) -> Iterator[str]:
    found = Counter(kind for outcome in outcomes for kind, _ in outcome.found)
    missed = Counter(kind for outcome in outcomes for kind, _ in outcome.missed)
    false = Counter(report.kind for outcome in outcomes for report in outcome.false)
    yield ""
    for kind in sorted({*found, *missed, *false}):
        wanted = found[kind] + missed[kind]
        recall = str(Proportion.of(found[kind], wanted)) if wanted else "nothing planted"
        yield f"{kind:9} recall {recall}; false {false[kind]}"
    hurt = sum(bool(outcome.false) for outcome in outcomes)
    wanted = found.total() + missed.total()
    yield f"all       found {found.total()} of {wanted}; false {false.total()} in {hurt} of {len(outcomes)} workspaces"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
