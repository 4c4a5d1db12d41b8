"""Distinct things counted in parts: exact while they are few, estimated with a stated error when they are many."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import polars as pl

KEPT: Final = 2048
"""How many of the smallest hashes of a pattern are kept; up to so many distinct values a count is exact."""

RELATIVE_ERROR: Final = 1 / math.sqrt(KEPT - 2)
"""Standard error of an estimate beyond KEPT values, as a share of it."""

_HASHES: Final = 2**64
SKETCH_SCHEMA: Final[dict[str, pl.DataType]] = {"pattern_no": pl.Int64(), "hash": pl.UInt64(), "value": pl.String()}


@dataclass(frozen=True, slots=True)
class Sketch:
    """The values with the smallest hashes of each pattern: sketches of parts of the data are merged by `+`.

    Attributes
    ----------
    smallest : polars.DataFrame
        SKETCH_SCHEMA and whatever else was given of each value, in order of pattern and hash.

    Notes
    -----
    Bar-Yossef et al. (2002), doi:10.1007/3-540-45726-7_1, algorithm 2, with the unbiased estimator and the error of
    Beyer et al. (2007), doi:10.1145/1247480.1247504, section 4: ``(k - 1) / U(k)``. The hash is BLAKE2b, so that a
    sketch of the same values is the same on every machine; the values kept are also a uniform sample of all.

    Examples
    --------
    >>> part = pl.DataFrame({"pattern_no": [0, 0, 0], "value": ["a", "b", "a"]})
    >>> (Sketch.of(part) + Sketch.of(part)).counts().rows()
    [(0, 2, True)]
    """

    smallest: pl.DataFrame

    @classmethod
    def of(cls, values: pl.DataFrame) -> Sketch:
        """Make a sketch of ``pattern_no, value`` (and what goes with them); of equal values the first row stays."""
        once = values.filter(pl.col("value") != "").unique(["pattern_no", "value"], keep="first", maintain_order=True)
        hashed = once.with_columns(hash_of(once["value"]).alias("hash"))
        return cls(_smallest(hashed.select(*SKETCH_SCHEMA, pl.exclude(*SKETCH_SCHEMA))))

    def __add__(self, other: Sketch) -> Sketch:
        both = pl.concat([self.smallest, other.smallest])
        return Sketch(_smallest(both.unique(["pattern_no", "value"], keep="first", maintain_order=True)))

    def counts(self) -> pl.DataFrame:
        """Return ``pattern_no, n, is_exact``."""
        found = self.smallest.group_by("pattern_no").agg(pl.len().alias("kept"), pl.col("hash").max().alias("largest"))
        estimate = (KEPT - 1) * _HASHES / pl.col("largest").cast(pl.Float64)
        is_exact = pl.col("kept") < KEPT
        return found.select(
            "pattern_no",
            pl.when(is_exact)
            .then(pl.col("kept").cast(pl.Float64))
            .otherwise(estimate)
            .round()
            .cast(pl.Int64)
            .alias("n"),
            is_exact.alias("is_exact"),
        ).sort("pattern_no")


def hash_of(values: pl.Series) -> pl.Series:
    """Return 64 bits of each text: the same on every machine."""
    found = {
        value: int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest())
        for value in values.unique().to_list()
    }
    return pl.Series("hash", [found[value] for value in values.to_list()], dtype=pl.UInt64)


def _smallest(hashed: pl.DataFrame) -> pl.DataFrame:
    return hashed.sort("pattern_no", "hash", "value").group_by("pattern_no", maintain_order=True).head(KEPT)
