"""How true the foreseen breaches of error budgets are, on planted production whose future is known.

    python benchmarks/slos.py                          # 150 objectives, a dozen moments each
    python benchmarks/slos.py --objectives 600 --seed 7

Each objective has a promise of 99 % to 99.9 % over seven days, traffic with a daily rhythm, a share of failures that
is always there, and outages: at random moments, of lengths with a heavy tail, some slow burns and some near total. What
is foreseen at random moments, from up to four weeks before them, is compared with what came: Brier scores (0 is
perfect), against always saying the share that breached, and against letting the burn of the last six hours go on; and
how often a breach came where it was foreseen with each probability. Moments at which the budget is used up already are
left out: they are no forecast.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from prodintel_lib.analyses.slos.counts import Course
from prodintel_lib.analyses.slos.foresight import foresee_budget
from prodintel_lib.analyses.slos.objectives import Objective
from prodintel_lib.windows import US_PER_S

BUCKET_S = 300
DAY = 86_400 // BUCKET_S
PERIOD_DAYS = 7
HISTORY_DAYS = 28
FUTURE_DAYS = 7
HOURS = {"6h": 6, "24h": 24, "period": PERIOD_DAYS * 24}
RUNG = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


@dataclass(frozen=True)
class Planted:
    """An objective and all that was asked of it."""

    objective: Objective
    total: np.ndarray
    bad: np.ndarray


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objectives", type=int, default=150)
    parser.add_argument("--moments", type=int, default=12, help="at which each objective's future is foreseen")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows, began_s = [], time.monotonic()
    for _ in range(options.objectives):
        planted = plant(rng)
        for _ in range(options.moments):
            now = int(rng.integers(HISTORY_DAYS * DAY, len(planted.total) - FUTURE_DAYS * DAY))
            rows += look(planted, now)
    report(pl.DataFrame(rows), spent_s=time.monotonic() - began_s, looks=options.objectives * options.moments)
    return 0


def plant(rng: np.random.Generator) -> Planted:
    """Make 70 days of an objective."""
    days = HISTORY_DAYS + FUTURE_DAYS + 35
    target = float(rng.choice([0.99, 0.995, 0.999]))
    places = np.arange(days * DAY)
    rhythm = 1 + rng.uniform(0.2, 0.9) * np.sin(2 * np.pi * places / DAY + rng.uniform(0, 6.28))
    total = rng.poisson(np.exp(rng.uniform(np.log(5), np.log(500))) * rhythm)
    share = np.full(days * DAY, (1 - target) * rng.uniform(0.05, 0.95))
    for _ in range(rng.poisson(days / rng.uniform(2, 20))):
        start = int(rng.integers(0, days * DAY))
        length = int(np.ceil(min(2 * DAY, (rng.pareto(1.1) + 1) * 2)))
        # As many slow burns as outages: the logarithm of the share is even from twice the promise to all.
        share[start : start + length] = np.exp(rng.uniform(np.log(2 * (1 - target)), 0.0))
    objective = Objective("planted", "GET /", "availability", target, None, PERIOD_DAYS)
    return Planted(objective, total, rng.binomial(total, np.minimum(share, 1.0)))


def look(planted: Planted, now: int) -> list[dict[str, object]]:
    """Foresee at one moment, and say what came."""
    past = slice(now - HISTORY_DAYS * DAY, now)
    course = Course(
        0,
        BUCKET_S * US_PER_S,
        planted.total[past],
        planted.bad[past],
        np.ones(HISTORY_DAYS * DAY, dtype=np.bool_),
    )
    allowed = planted.objective.allowed_share
    left = left_ahead(planted, now)
    if left[0] <= 0:
        return []
    recent = slice(now - 6 * 12, now)
    burn = planted.bad[recent].sum() / max(1, planted.total[recent].sum()) / allowed
    rows = []
    for foreseen in foresee_budget(planted.objective, course).foreseen:
        hours = HOURS[foreseen["horizon"]]
        rows.append(
            {
                "horizon": foreseen["horizon"],
                "foreseen": foreseen["probability"],
                "came": bool((left[1 : hours + 1] <= 0).any()),
                "goes_on": bool(left[0] - burn * hours / (PERIOD_DAYS * 24) <= 0),
            }
        )
    return rows


def left_ahead(planted: Planted, now: int) -> np.ndarray:
    """Return the share of the budget left now and after each hour of the days to come."""
    total, bad = (np.concatenate([[0], np.cumsum(values)]) for values in (planted.total, planted.bad))
    ends = now + np.arange(FUTURE_DAYS * 24 + 1) * 12
    starts = ends - PERIOD_DAYS * DAY
    return 1 - (bad[ends] - bad[starts]) / (planted.objective.allowed_share * (total[ends] - total[starts]))


def report(rows: pl.DataFrame, *, spent_s: float, looks: int) -> None:
    """Print scores and reliability by horizon."""
    print(f"{rows.height / 3:,.0f} of {looks:,} moments had a budget left; {1000 * spent_s / looks:.0f} ms each")
    for horizon in HOURS:
        own = rows.filter(pl.col("horizon") == horizon)
        came, foreseen = own["came"].cast(pl.Float64), own["foreseen"]
        base = float(came.mean())
        print(
            f"{horizon:>6}: breached {base:.1%}; Brier {((foreseen - came) ** 2).mean():.4f}, "
            f"always {base:.1%}: {base * (1 - base):.4f}, burn of 6 h goes on: "
            f"{((own['goes_on'].cast(pl.Float64) - came) ** 2).mean():.4f}"
        )
        rung = pl.Series("rung", np.searchsorted(RUNG, foreseen.to_numpy()))
        rungs = own.group_by(rung).agg(pl.len().alias("n"), pl.col("foreseen").mean(), pl.col("came").mean())
        for row in rungs.sort("foreseen").iter_rows(named=True):
            print(f"        foreseen {row['foreseen']:6.1%}  came {row['came']:6.1%}  n {row['n']:,}")


if __name__ == "__main__":
    raise SystemExit(main())
