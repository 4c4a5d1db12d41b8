"""The closed loop: a recording is modelled, the load test of it is run, and what it sent is scored by the recording.

    python -m benchmarks.load.closed_loop simulate     # what the load test plans, over twenty seeds, nothing sent
    python -m benchmarks.load.closed_loop run          # Locust against the running demo, which takes minutes

Production is `demo/healthy`, three recordings of five minutes on three days: the curve is the busiest one's, or that of
`--day`; behaviour is all three's, or with `--held-out` that of the two others. `--scale 3 --compress 3` sends all of
the curve's sessions in a third of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from demo.estate import Estate
from prodintel_lib.analyses.behaviour import find_behaviour
from prodintel_lib.analyses.load import gather_steps
from prodintel_lib.analyses.load_fidelity import DISTANCES
from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, MAX_RATIO
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.load_patterns import LoadWish, explore_load
from prodintel_lib.load_patterns.rehearsal import draw_plan
from prodintel_lib.load_patterns.runs import LoadRun, RunSettings, read_recording, read_run, score_run
from prodintel_lib.renderers.load_tests import render_load_test, render_model
from prodintel_lib.renderers.templates.load_plan import Setting
from prodintel_lib.scenarios.load_model import build_load_model, gather_exchanges
from prodintel_lib.scenarios.recorded import Authorization

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.load_fidelity import LoadFidelity
    from prodintel_lib.load_patterns import LoadReport
    from prodintel_lib.scenarios.load_model import LoadModel

REPOSITORY = Path(__file__).parents[2]
RUN_WITHIN_S = 240
CARD = {"SECRET_CARD_TOKEN": "tok_visa"}
"""What production paid with is masked; the demo's card processor takes any token."""


@dataclass(frozen=True)
class Production:
    """A recording, and the load model made of it."""

    workspace: Path
    model: LoadModel
    recording: pl.DataFrame


def model_healthy(folder: Path, *, day: str = "busiest", held_out: bool = False) -> Production:
    """Model a copy of `demo/healthy`: the curve of one day, the behaviour of all days or of the others."""
    target = folder / "healthy"
    shutil.copytree(REPOSITORY / "demo" / "healthy", target, ignore=shutil.ignore_patterns("lake"))
    report = explore_load(target, LoadWish(window="7d", day=day))
    assert report.model is not None
    model = _learned_elsewhere(report, report.model) if held_out else report.model
    return Production(target, model, read_recording(target, window=settings_of(model).curve, source="spans"))


def _learned_elsewhere(report: LoadReport, model: LoadModel) -> LoadModel:
    view, window = open_view(report.workspace), report.learned_from
    steps = gather_steps(view, window=window, source="spans")
    of_curve = pl.col("time_us").is_between(model.curve.start_us, model.curve.end_us)
    return build_load_model(
        curve=model.curve,
        behaviour=find_behaviour(steps.filter(~of_curve)),
        exchanges=gather_exchanges(view, window=window, source="spans"),
        authorization=Authorization.of(report.workspace),
        digest=report.digest,
    )


def settings_of(model: LoadModel, **changes: float) -> RunSettings:
    """Return the settings of a run, as its record would hold them."""
    curve, plain = model.curve, model.defaults.model_dump()
    return RunSettings.model_validate(
        {
            "schema": "prodintel/load-run/1",
            "generator": "plan",
            "curve_start_us": curve.start_us,
            "curve_end_us": curve.end_us,
            "source": curve.source,
        }
        | plain
        | changes
    )


def plan_run(model: LoadModel, *, seed: int, scale: float, compress: float) -> LoadRun:
    """Return what a run plans to send, as if every answer came at once and gave every value."""
    settings = settings_of(model, scale=scale, compress=compress)
    setting = Setting(scale, compress, settings.multiplier, settings.start_s, settings.length_s, seed)
    log = draw_plan(json.loads(render_model(model)), setting)
    return LoadRun(log, log.group_by("session").agg(pl.col("t").min()), None, settings)


def simulate(production: Production, *, seeds: int, scale: float, compress: float) -> list[LoadFidelity]:
    """Score what the load test plans, a seed after another."""
    return [
        score_run(plan_run(production.model, seed=seed, scale=scale, compress=compress), production.recording)
        for seed in range(seeds)
    ]


@contextmanager
def running_shop(folder: Path) -> Iterator[Estate]:
    """Run the demo shop as it was when `demo/healthy` was recorded."""
    folder.mkdir(parents=True)
    with Estate(folder) as estate:
        yield estate


def run_locust(
    production: Production, folder: Path, *, base_url: str, options: Sequence[str] = ()
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Write the load test into a folder, run it against a shop, and return how it ended and its record's folder."""
    folder.mkdir(parents=True)
    for file in render_load_test(production.model):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    record = folder / "load_run"
    command = [
        *(sys.executable, "-m", "locust", "-f", "locustfile.py", "--headless", "--host", base_url),
        *("--out", str(record), *options),
    ]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | CARD,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_S,
        check=False,
    )
    return ended, record


def tell(scores: Sequence[LoadFidelity]) -> None:
    """Write how often each distance was as small as production's own, and the medians."""
    first = scores[0]
    print(f"{first.original_sessions} sessions of production, {first.generated_sessions} of the load at first; "
          f"parts of {first.part_sessions}; buckets of {first.bucket_s:g} s; {len(scores)} seeds")  # fmt: skip
    print(f"  {'':<10}{'load':>8}{'prod.':>8}{'<= 1.5x':>9}{'close':>7}")
    for name in DISTANCES:
        rows = [score.scores.row(by_predicate=pl.col("distance") == name, named=True) for score in scores]
        value, median = (float(np.median([row[key] for row in rows])) for key in ("value", "halves_median"))
        held = sum(row["value"] <= MAX_RATIO * row["halves_median"] for row in rows)
        close = sum(row["verdict"] == AS_CLOSE for row in rows)
        print(f"  {name:<10}{value:8.3f}{median:8.3f}{held:9}{close:7}")
    print(f"  all within 1.5 times: {sum(not score.beyond_median for score in scores)}; "
          f"all close: {sum(score.is_faithful for score in scores)} of {len(scores)}", flush=True)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simulate", "run"])
    parser.add_argument("--day", default="busiest", help="2026-11-17, -18 or -19")
    parser.add_argument("--held-out", action="store_true", help="learn behaviour from the other days alone")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--scale", type=float, default=3.0)
    parser.add_argument("--compress", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prodintel-") as name:
        folder = Path(name)
        production = model_healthy(folder, day=options.day, held_out=options.held_out)
        if options.what == "simulate":
            tell(simulate(production, seeds=options.seeds, scale=options.scale, compress=options.compress))
            return 0
        with running_shop(folder / "shop") as shop:
            asked = ["--scale", str(options.scale), "--compress", str(options.compress)]
            ended, record = run_locust(production, folder / "test", base_url=shop.base_url, options=asked)
        print(ended.stdout[-4000:], ended.stderr[-4000:], f"exit code {ended.returncode}", sep="\n")
        about = json.loads((record / "run.json").read_text(encoding="utf-8"))
        print({key: about[key] for key in ("planned_sessions", "begun_sessions", "late_sessions", "cut_short", "why")})
        score = score_run(read_run(record), production.recording)
        tell([score])
        print(*score.sentences(), sep="\n")
        return 0 if score.is_faithful else 1


if __name__ == "__main__":
    raise SystemExit(main())
