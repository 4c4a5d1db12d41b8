"""Sessions of two kinds at random: some go round quickly, others look here and there and take their time."""

import numpy as np
import polars as pl

from prodintel_lib.rollups.load_steps import LOAD_STEPS_SCHEMA

S = 1_000_000
NAMES = ("GET /a", "GET /b", "POST /c", "GET /d/{id}")


def random_sessions(count, *, seed, start_us=0, every_s=5.0):
    """Return load steps of `count` sessions."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        quick = rng.random() < 0.5
        time_s, place = start_us / S + number * every_s, 0
        for step in range(1, 2 + rng.poisson(4 if quick else 2)):
            gap_s = 0.0 if step == 1 else float(rng.lognormal(0.5 if quick else 3.0, 0.6))
            place = (place + 1) % 4 if quick else int(rng.integers(4))
            time_s += gap_s
            rows.append((f"s{number:05d}|1", step, round(time_s * S), NAMES[place], gap_s if step > 1 else None, 10.0))
    return pl.DataFrame(rows, schema=LOAD_STEPS_SCHEMA, orient="row")
