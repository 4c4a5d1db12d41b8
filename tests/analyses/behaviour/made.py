"""Small sessions for the tests of behaviour: paths in, load steps out."""

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour.sessions import read_sessions

START_US = 1_700_000_000_000_000


def steps_of(*paths, gap_s=10.0, start_every_s=60.0):
    """Return load steps of paths: ``"abc"`` is one session that asks for a, b and c; gaps may be given by session."""
    rows = []
    for number, path in enumerate(paths):
        names, gaps = (path, [gap_s] * len(path)) if isinstance(path, str) else path
        at_s = number * start_every_s
        for step, name in enumerate(names):
            at_s += gaps[step - 1] if step else 0.0
            rows.append((f"s{number:05d}", step + 1, START_US + round(at_s * 1e6), name))
    return pl.DataFrame(rows, schema=["session_key", "step_no", "time_us", "endpoint"], orient="row")


def log_of(*paths, **options):
    return read_sessions(steps_of(*paths, **options))


def walks(matrix, *, sessions, seed, names="abcd"):
    """Return paths of a first-order chain; rows are START and then each name, the last column is END."""
    rng = np.random.default_rng(seed)
    paths = []
    for _ in range(sessions):
        path, row = "", 0
        while True:
            to = int(rng.choice(len(names) + 1, p=matrix[row]))
            if to == len(names):
                break
            path, row = path + names[to], to + 1
        paths.append(path)
    return paths


# Two ways to behave that share all endpoints: one cycles forward through them, the other back.
FORWARD = [
    [0.7, 0.1, 0.1, 0.1, 0.0],
    [0.0, 0.7, 0.05, 0.05, 0.2],
    [0.05, 0.0, 0.7, 0.05, 0.2],
    [0.05, 0.05, 0.0, 0.7, 0.2],
    [0.7, 0.05, 0.05, 0.0, 0.2],
]
BACK = [
    [0.1, 0.1, 0.1, 0.7, 0.0],
    [0.0, 0.05, 0.05, 0.75, 0.15],
    [0.75, 0.0, 0.05, 0.05, 0.15],
    [0.05, 0.75, 0.0, 0.05, 0.15],
    [0.05, 0.05, 0.75, 0.0, 0.15],
]
