"""Behaviour found again, loads scored, requests made: `python -m benchmarks.load planted|nasa|speed`.

- `planted`: made sessions of known classes over `--seeds` seeds (planted.py); medians and the worst
- `nasa`: one half of a real log modelled, the other half to be met (nasa.py); medians of `LOADS` loads beside the
  distances of production's own halves
- `speed`: seconds of the processor to model 100,000 requests and to make a million

`--scorer` names a script with a function `fidelity(original, generated, bucket_s)`; its figures are compared with the
library's own.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.load import nasa, planted
from prodintel_lib.analyses.behaviour import ArrivalCurve, find_behaviour, read_sessions, simulate
from prodintel_lib.analyses.load_fidelity import DISTANCES, score_load

BUCKET_S = 300.0
LOADS = 5
SPLITS = 9
LOWER_IS_WORSE = ("rand", "rand_best", "rand_to_best", "rules_found")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["planted", "nasa", "speed"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=4_000)
    parser.add_argument("--shapes", nargs="*", choices=list(planted.CLASSES), default=list(planted.CLASSES))
    parser.add_argument("--scorer", type=Path, help="a script to check the library's distances by")
    options = parser.parse_args()
    if options.what == "planted":
        for shape in options.shapes:
            _tell_planted(shape, sessions=options.sessions, seeds=options.seeds)
    elif options.what == "nasa":
        for by in ("sessions", "time"):
            _tell_nasa(by, options.scorer)
    else:
        _tell_speed()
    return 0


def _tell_planted(shape: str, *, sessions: int, seeds: int) -> None:
    found = [planted.measure(shape, sessions=sessions, seed=seed) for seed in range(seeds)]
    right = sum(one["classes"] == planted.CLASSES[shape] for one in found)
    print(f"{shape}: {right} of {seeds} with {planted.CLASSES[shape]} classes, {sessions:,} sessions each", flush=True)
    for name in found[0] | found[-1]:
        values = [one[name] for one in found if name in one]
        worst = min(values) if name in LOWER_IS_WORSE else max(values)
        print(f"  {name:<18} median {np.median(values):7.4f}  worst {worst:7.4f}  n {len(values)}", flush=True)


def _tell_nasa(by: str, scorer: Path | None) -> None:
    known, asked = nasa.halves(nasa.read_steps(), by=by)
    original = nasa.as_log(asked)
    print(
        f"nasa by {by}: {known['session_key'].n_unique():,} sessions known, {asked['session_key'].n_unique():,} asked"
    )
    columns: dict[str, dict[str, float]] = {}
    for name, made in _loads(known, asked).items():
        results = [score_load(original, load, bucket_s=BUCKET_S, splits=SPLITS) for load in made]
        values = pl.concat([result.scores.select("distance", "value") for result in results])
        columns[name] = dict(values.group_by("distance").agg(pl.col("value").median()).iter_rows())
        if name == "model":
            columns["halves of it"] = dict(results[0].scores.select("distance", "halves_median").iter_rows())
        if scorer is not None:
            for load, result in zip(made, results, strict=True):
                _check(scorer, original, load, dict(result.scores.select("distance", "value").iter_rows()))
    print("  " + " " * 10 + "".join(f"{name:>14}" for name in columns))
    for distance in DISTANCES:
        print(f"  {distance:<10}" + "".join(f"{column[distance]:14.3f}" for column in columns.values()), flush=True)


def _loads(known: pl.DataFrame, asked: pl.DataFrame) -> dict[str, list[pl.DataFrame]]:
    """Return the loads of each way, one for each seed; and the known sessions as they were."""
    by_seed = [nasa.loads(known, asked, seed=seed) for seed in range(1, LOADS + 1)]
    return {name: [made[name] for made in by_seed] for name in by_seed[0]} | {"known half": [nasa.as_log(known)]}


def _check(scorer: Path, original: pl.DataFrame, load: pl.DataFrame, mine: dict[str, float]) -> None:
    spec = importlib.util.spec_from_file_location("scorer", scorer)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    theirs = module.fidelity(original, load, BUCKET_S)
    furthest = max(abs(mine[name] - value) for name, value in theirs.items())
    assert furthest < 1e-9, f"the scorer differs by {furthest}"


def _tell_speed() -> None:
    steps = planted.make("counted", sessions=20_000, seed=1).steps
    log = read_sessions(steps)
    model, spent_s = _timed(lambda: find_behaviour(steps))
    print(f"find_behaviour: {spent_s:.1f} s of the processor for {steps.height:,} requests, {log.size:,} sessions")
    scale = 1_000_000 / steps.height
    made, spent_s = _timed(lambda: simulate(model, ArrivalCurve.of(log, scale=scale), seed=1))
    print(f"simulate: {spent_s:.1f} s of the processor for {made.height:,} requests")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def _timed(work):  # noqa: ANN001, ANN202 - a benchmark
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


if __name__ == "__main__":
    raise SystemExit(main())
