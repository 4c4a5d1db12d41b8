import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.localisation.candidates import Limits, Whole, count_tested, find_candidates
from prodintel_lib.analyses.localisation.cells import UNNAMED, read_cells
from prodintel_lib.analyses.localisation.scoring import strength_of

from . import naive

NAMES = ["a", "b", "c", "d"]
LIMITS = Limits(max_attributes=3, max_causes=3, min_coverage=0.01, min_contrast=1.01, max_p=0.01, dispersion=1.0)


def make_cells(seed, sizes=(2, 3, 4, 5), rows=200):
    chance = np.random.default_rng(seed)
    columns = {
        name: [None if i == 0 and name == "b" else f"{name}{i}" for i in chance.integers(0, size, rows)]
        for name, size in zip(NAMES, sizes, strict=True)
    }
    total = chance.integers(1, 50, rows)
    return pl.DataFrame({**columns, "bad": chance.binomial(total, 0.2), "total": total})


def read(frame, **baseline):
    columns = {"baseline_bad": None, "baseline_total": None, **baseline}
    return read_cells(frame, dimensions=NAMES, bad="bad", total="total", worse="higher", **columns)


def strength(bad, expected):
    return float(strength_of(np.array([bad], dtype=float), np.array([expected], dtype=float), 1)[0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(2, 3, 4, 5), (2, 30, 40, 50)])
def test_find_candidates_counts_what_the_naive_way_counts(seed, sizes):
    frame = make_cells(seed, sizes)
    cells = read(frame)
    found, strengths = find_candidates(cells, limits=LIMITS, min_evidence=0.5, most=10**6)
    named = {
        frozenset(
            (name, cells.values[d][code])
            for d, (name, code) in enumerate(zip(NAMES, codes, strict=True))
            if code != UNNAMED
        ): worth
        for codes, worth in zip(found.tolist(), strengths.tolist(), strict=True)
    }
    counts = naive.count_combinations(frame, NAMES, 3)
    bad, total = frame["bad"].sum(), frame["total"].sum()
    expected = {}
    for key, (b, n) in counts.items():
        usual = n * (bad - b) / (total - n)
        far = evidence(b, n, bad - b, total - n)
        if b > usual and (b + 0.5) / (usual + 0.5) >= 1.01 and far >= 0.5 and b - usual >= 0.002 * bad and b >= 3:
            expected[key] = strength(b, usual)
    assert named == pytest.approx(expected)
    assert len(named) > 10
    assert strengths.tolist() == sorted(strengths.tolist(), reverse=True)


def evidence(bad, total, other_bad, other):
    def likelihood(k, n):
        return (k * math.log(k / n) if k else 0.0) + ((n - k) * math.log(1 - k / n) if k < n else 0.0)

    return likelihood(bad, total) + likelihood(other_bad, other) - likelihood(bad + other_bad, total + other)


def test_count_tested_is_bounded_by_cells():
    cells = read(make_cells(1))
    assert (count_tested(cells, 1), count_tested(cells, 2)) == (2 + 2 + 4 + 5, 13 + 4 + 8 + 10 + 8 + 10 + 20)
    few = read(make_cells(1, rows=3))
    assert count_tested(few, 3) <= 3 * 14


def test_whole_excess_is_what_the_baseline_does_not_explain():
    frame = pl.DataFrame(
        {**{name: ["x"] for name in NAMES}, "bad": [50], "total": [1000], "was": [100], "of": [10_000]}
    )
    assert Whole.of(read(frame)).excess == 50.0
    assert Whole.of(read(frame)).surely_excess == 10.0
    whole = Whole.of(read(frame, baseline_bad="was", baseline_total="of"))
    assert whole.excess == pytest.approx(40, abs=0.2)
    assert whole.surely_excess == whole.excess
