"""Made sessions whose classes, transitions and think times are known, and how much of that is found again.

Each seed makes another shop: its classes' transition matrices are drawn (Dirichlet, so that from each endpoint a few
others are likely), and so are their chances to end, their think times and their shares. `shape` is what is planted:

- `chains`: three classes whose next step depends on the last one alone
- `single`: one class; to find more is wrong
- `counted`: two classes that must put something into the cart before they can pay, and take out only what is in it
- `counters`: one class whose sessions all run through the same five pages before they do as they like
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from prodintel_lib.analyses.behaviour import ArrivalCurve, find_behaviour, read_sessions, simulate
from prodintel_lib.analyses.behaviour.chain import END, START
from prodintel_lib.analyses.behaviour.selection import adjusted_rand

if TYPE_CHECKING:
    from prodintel_lib.analyses.behaviour import BehaviourModel, SessionLog

ENDPOINTS = ("GET /", "GET /cart", "GET /help", "GET /item", "GET /list", "POST /cart", "POST /out", "POST /pay")
START_US = 1_700_000_000_000_000
CART, OUT, PAY = 5, 6, 7
MAX_STEPS = 400
CLASSES = {"chains": 3, "single": 1, "counted": 2, "counters": 1}
RULES = {("POST /out", "POST /cart", "POST /out"), ("POST /pay", "POST /cart", "POST /out")}


@dataclass(frozen=True)
class Planted:
    """What was made, and what it was made of: rows of `moves` and `begins` sum to 1 without the chance to end."""

    steps: pl.DataFrame
    classes: np.ndarray
    shares: np.ndarray
    begins: np.ndarray
    moves: np.ndarray
    ends: np.ndarray
    median_s: np.ndarray
    spread: np.ndarray


def make(shape: str, *, sessions: int, seed: int) -> Planted:
    rng = np.random.default_rng(seed)
    count, states = CLASSES[shape], len(ENDPOINTS)
    begins = rng.dirichlet(np.full(states, 0.5), count)
    moves = rng.dirichlet(np.full(states, 0.4), (count, states))
    ends = rng.uniform(0.08, 0.3, (count, states))
    shares = np.maximum(rng.dirichlet(np.full(count, 6.0)), 0.1)
    shares /= shares.sum()
    median_s, spread = rng.uniform(3, 40, count), rng.uniform(0.5, 1.1, count)
    if shape == "counted":
        begins[:, [CART, OUT, PAY]] = 0
        begins /= begins.sum(axis=1, keepdims=True)
        moves[:, :, [CART, OUT, PAY]] += 0.15
        moves /= moves.sum(axis=2, keepdims=True)
    classes = rng.choice(count, size=sessions, p=shares)
    starts = np.sort(rng.uniform(0, 6 * 3600, sessions))
    made = Planted(pl.DataFrame(), classes, shares, begins, moves, ends, median_s, spread)
    rows = [
        row
        for number, (which, start_s) in enumerate(zip(classes.tolist(), starts.tolist(), strict=True))
        for row in _walk(rng, made, (number, which, start_s), shape)
    ]
    names = ["session_key", "step_no", "time_us", "endpoint"]
    steps = pl.DataFrame(rows, schema=names, orient="row")
    return Planted(steps, classes, shares, begins, moves, ends, median_s, spread)


def _walk(rng: np.random.Generator, made: Planted, session: tuple[int, int, float], shape: str) -> list[tuple]:
    number, which, at_s = session
    held, step, rows = 0, 0, []
    state = int(rng.choice(len(ENDPOINTS), p=made.begins[which]))
    while True:
        step += 1
        if shape == "counters" and step <= 5:
            state = 0
        held += (state == CART) - (state == OUT)
        rows.append((f"s{number:06d}", step, START_US + round(at_s * 1e6), ENDPOINTS[state]))
        may_end = shape != "counters" or step >= 5
        if (may_end and rng.random() < made.ends[which, state]) or step >= MAX_STEPS:
            return rows
        shares = made.moves[which, state].copy()
        if shape == "counted" and held <= 0:
            shares[[OUT, PAY]] = 0
            shares /= shares.sum()
        state = int(rng.choice(len(shares), p=shares))
        at_s += float(rng.lognormal(np.log(made.median_s[which]), made.spread[which]))


def measure(shape: str, *, sessions: int, seed: int) -> dict[str, float]:
    """Return how much of what was planted is found; `best` is what whoever knows all parameters would get."""
    made = make(shape, sessions=sessions, seed=seed)
    log = read_sessions(made.steps)
    model = find_behaviour(made.steps, seed=seed)
    best = best_labels(made, log)
    figures = {
        "classes": len(model.classes),
        "rand": adjusted_rand(model.likeliest, made.classes),
        "rand_best": adjusted_rand(best, made.classes),
        "rand_to_best": adjusted_rand(model.likeliest, best),
        "order": model.order,
        "counts_steps": float(model.counts_steps),
    }
    if shape in {"chains", "single"} and len(model.classes) == CLASSES[shape]:
        figures |= _transition_errors(made, model)
    if shape == "counted":
        found = {
            tuple("" if code < 0 else ENDPOINTS[code] for code in (rule.endpoint, rule.needs, rule.used_by))
            for rule in model.guards
        }
        again = simulate(model, ArrivalCurve.of(log), seed=seed + 1)
        loose = simulate(model, ArrivalCurve.of(log), seed=seed + 1, guarded=False)
        figures |= {
            "rules_found": len(found & RULES),
            "rules_wrong": len(found - RULES),
            "breaks_guarded": _broken_share(again),
            "breaks_unguarded": _broken_share(loose),
        }
    return figures


def best_labels(made: Planted, log: SessionLog) -> np.ndarray:
    """Return the likeliest class of each session by the planted parameters."""
    session, first, last = log.session_of, log.is_first, log.offsets[1:] - 1
    gaps = np.log(np.maximum(log.gaps_s, 1e-6))
    scores = np.empty((log.size, len(made.shares)))
    with np.errstate(divide="ignore"):
        for which, share in enumerate(made.shares):
            moved = np.log(made.moves[which][np.roll(log.codes, 1), log.codes])
            stayed = np.log1p(-made.ends[which][np.roll(log.codes, 1)])
            normal = (gaps - np.log(made.median_s[which])) / made.spread[which]
            of_step = moved + stayed - normal**2 / 2 - np.log(made.spread[which])
            of_step = np.where(first, np.log(made.begins[which])[log.codes], of_step)
            ended = np.log(made.ends[which])[log.codes[last]]
            scores[:, which] = np.log(share) + np.bincount(session, of_step, log.size) + ended
    return scores.argmax(axis=1)


def _transition_errors(made: Planted, model: BehaviourModel) -> dict[str, float]:
    """Return the weighted total variation of each class's transitions, and of a count by the true classes."""
    count = len(made.shares)
    common = np.zeros((count, count))
    np.add.at(common, (model.likeliest, made.classes), 1)
    mine, theirs = linear_sum_assignment(-common)
    errors, floors, share_errors = [], [], []
    for own, true in zip(mine.tolist(), theirs.tolist(), strict=True):
        matrix = planted_matrix(made, true)
        errors.append(_distance(_seen_matrix(model.classes[own].transitions), matrix))
        counted = find_behaviour(_only(made, true), max_classes=1).classes[0].transitions
        floors.append(_distance(_seen_matrix(counted), matrix))
        share_errors.append(abs(model.classes[own].share.share - float((made.classes == true).mean())))
    weights = made.shares[theirs]
    return {
        "transition_error": float(np.average(errors, weights=weights)),
        "transition_floor": float(np.average(floors, weights=weights)),
        "share_error": max(share_errors),
    }


def _only(made: Planted, which: int) -> pl.DataFrame:
    keys = made.steps["session_key"].unique(maintain_order=True).gather(np.flatnonzero(made.classes == which))
    return made.steps.filter(pl.col("session_key").is_in(keys.implode()))


def planted_matrix(made: Planted, which: int) -> np.ndarray:
    """Return what follows each endpoint and, last, START: shape (endpoints + 1, endpoints + 1), END last."""
    size = len(ENDPOINTS)
    matrix = np.zeros((size + 1, size + 1))
    matrix[:size, :size] = made.moves[which] * (1 - made.ends[which])[:, None]
    matrix[:size, size] = made.ends[which]
    matrix[size, :size] = made.begins[which]
    return matrix


def _seen_matrix(transitions: pl.DataFrame) -> np.ndarray:
    place = {name: number for number, name in enumerate(ENDPOINTS)} | {START: len(ENDPOINTS), END: len(ENDPOINTS)}
    matrix = np.zeros((len(ENDPOINTS) + 1, len(ENDPOINTS) + 1))
    for before, after, count in transitions.select("from_endpoint", "to_endpoint", "transitions").iter_rows():
        matrix[place[before], place[after]] = count
    return matrix


def _distance(counts: np.ndarray, matrix: np.ndarray) -> float:
    visits = counts.sum(axis=1)
    shares = counts / np.maximum(visits, 1)[:, None]
    return float(np.average(np.abs(shares - matrix).sum(axis=1) / 2, weights=visits))


def _broken_share(log: pl.DataFrame) -> float:
    """Return the share of sessions that take out or pay for what is not in the cart."""
    change = (pl.col("endpoint") == "POST /cart").cast(pl.Int64) - (pl.col("endpoint") == "POST /out").cast(pl.Int64)
    held = log.with_columns(change.cum_sum().over("session").alias("held"))
    broken = (held["held"] < 0) | ((held["held"] < 1) & (held["endpoint"] == "POST /pay"))
    return held.filter(broken)["session"].n_unique() / held["session"].n_unique()
