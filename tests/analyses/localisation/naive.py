"""The obvious way, one combination after the other: what the fast counting must agree with."""

from itertools import combinations

import polars as pl


def count_combinations(cells: pl.DataFrame, dimensions: list[str], max_attributes: int) -> dict[frozenset, tuple]:
    """Return bad and total of every combination of values that occurs."""
    counts: dict[frozenset, tuple] = {}
    for size in range(1, max_attributes + 1):
        for names in combinations(dimensions, size):
            for row in cells.iter_rows(named=True):
                if any(row[name] is None for name in names):
                    continue
                key = frozenset((name, row[name]) for name in names)
                bad, total = counts.get(key, (0, 0))
                counts[key] = (bad + row["bad"], total + row["total"])
    return counts


def strongest(cells: pl.DataFrame, dimensions: list[str], max_attributes: int, strength) -> frozenset:
    """Return the strongest combination against all else, by exhaustion; fewer attributes first."""
    bad, total = cells["bad"].sum(), cells["total"].sum()
    best, found = 0.0, frozenset()
    for key, (b, n) in sorted(
        count_combinations(cells, dimensions, max_attributes).items(), key=lambda one: len(one[0])
    ):
        if n < total and (worth := strength(b, n * (bad - b) / (total - n)) * 0.98 ** len(key)) > best:
            best, found = worth, key
    return found
