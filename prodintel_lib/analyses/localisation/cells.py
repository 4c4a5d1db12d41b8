"""Cells of traffic as arrays: the one gate through which a frame of counts enters the search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl

from prodintel_lib.analyses.localisation.expectation import expect_bad
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Worse = Literal["higher", "lower"]
UNNAMED: Final = -1
"""The code of a null: it counts in every total, and no cause can name it."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One entry a combination of attribute values.

    Attributes
    ----------
    dimensions : tuple of str
        Length D.
    values : tuple of list of str
        For each dimension its values in order; a code is an index into them.
    codes : array of int32, shape (D, cells)
        `UNNAMED` where the attribute is null.
    bad, total : array of float, shape (cells,)
        Counts of the time that is explained.
    expected : array of float, shape (cells,), or None
        Bad events that the baseline's rates make of `total`; None without a baseline.
    reference : array of float, shape (cells,), or None
        Trials on which `expected` rests.
    sign : int
        1 where a raised rate is worse, -1 where a lowered one is.
    """

    dimensions: tuple[str, ...]
    values: tuple[list[str], ...]
    codes: NDArray[np.int32]
    bad: NDArray[np.float64]
    total: NDArray[np.float64]
    expected: NDArray[np.float64] | None
    reference: NDArray[np.float64] | None
    sign: int

    @property
    def counts(self) -> tuple[NDArray[np.float64], ...]:
        """Bad and total, with a baseline also expected and reference."""
        if self.expected is None or self.reference is None:
            return self.bad, self.total
        return self.bad, self.total, self.expected, self.reference

    def covered_by(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which cells lie in a combination (a code a dimension, `UNNAMED` where it says nothing)."""
        inside = np.ones(len(self.total), dtype=bool)
        for dimension in np.flatnonzero(codes != UNNAMED):
            inside &= self.codes[dimension] == codes[dimension]
        return inside

    def only(self, rows: NDArray[np.bool_]) -> Cells:
        """Return the cells of `rows`."""
        return replace(
            self,
            codes=self.codes[:, rows],
            bad=self.bad[rows],
            total=self.total[rows],
            expected=None if self.expected is None else self.expected[rows],
            reference=None if self.reference is None else self.reference[rows],
        )


def sum_by(keys: NDArray[np.integer[Any]], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Add up `weights` by key, keys from 0 to `size` - 1."""
    return np.bincount(keys, weights, minlength=size).astype(np.float64, copy=False)


def read_cells(
    frame: pl.DataFrame,
    *,
    dimensions: Sequence[str],
    bad: str,
    total: str,
    baseline_bad: str | None,
    baseline_total: str | None,
    worse: Worse,
) -> Cells:
    """Check a frame of counts and turn it into arrays; rows of the same combination are added up.

    Raises
    ------
    MissingColumnsError
        If a dimension or a count is not in the frame.
    ParameterError
        If only one of the baseline's columns is named, a dimension is named twice, or a count is impossible.
    NoDataError
        If nothing was counted in the time that is explained, or none in the baseline that was named.
    """
    if (baseline_bad is None) != (baseline_total is None):
        raise ParameterError(
            "A baseline needs both its bad events and its total; only one column is named.",
            hint="name both baseline_bad and baseline_total, or neither.",
        )
    names = {"bad": bad, "total": total}
    if baseline_bad is not None and baseline_total is not None:
        names |= {"baseline_bad": baseline_bad, "baseline_total": baseline_total}
    _check(frame, dimensions, names)
    counts = (
        frame.group_by(dimensions)
        .agg(pl.col(column).fill_null(0).sum().cast(pl.Float64).alias(name) for name, column in names.items())
        .with_columns(pl.col(dimensions).cast(pl.String))
        .sort(dimensions)
    )
    _check_counts(counts, names)
    encoded = [_encode(counts[name]) for name in dimensions]
    arrays = {name: counts[name].to_numpy() for name in names}
    codes = np.stack([codes for _, codes in encoded])
    expected = reference = None
    if baseline_bad is not None:
        expected, reference = expect_bad(codes, arrays["total"], arrays["baseline_bad"], arrays["baseline_total"])
    return Cells(
        dimensions=tuple(dimensions),
        values=tuple(values for values, _ in encoded),
        codes=codes,
        bad=arrays["bad"],
        total=arrays["total"],
        expected=expected,
        reference=reference,
        sign=1 if worse == "higher" else -1,
    )


def _check(frame: pl.DataFrame, dimensions: Sequence[str], names: dict[str, str]) -> None:
    if not dimensions or len(set(dimensions)) != len(dimensions):
        raise ParameterError(
            f"Dimensions must be named, each once; got {list(dimensions)}.",
            hint="name the attribute columns to look through.",
        )
    missing = {*dimensions, *names.values()} - set(frame.columns)
    if missing:
        raise MissingColumnsError.in_table("cells", missing=missing, available=frame.columns)
    shared = set(dimensions) & set(names.values())
    if shared:
        raise ParameterError(
            f"Column `{min(shared)}` is named as a dimension and as a count.",
            hint="leave counts out of the dimensions.",
        )


def _check_counts(counts: pl.DataFrame, names: dict[str, str]) -> None:
    for part, whole in (("bad", "total"), ("baseline_bad", "baseline_total")):
        if part not in names:
            continue
        wrong = counts.filter(~(pl.col(part).is_between(0, pl.col(whole)) & pl.col(whole).is_finite()))
        if wrong.height:
            row = wrong.row(0, named=True)
            raise ParameterError(
                f"`{names[part]}` must lie between 0 and `{names[whole]}` in every cell; "
                f"{wrong.height} of {counts.height} do not, the first has {row[part]:g} of {row[whole]:g}.",
                hint="count both over the same events.",
            )
        if counts[whole].sum() == 0:
            raise NoDataError(
                f"No event was counted in `{names[whole]}`: its sum over {counts.height} cells is 0.",
                hint="choose a time with traffic.",
            )


def _encode(column: pl.Series) -> tuple[list[str], NDArray[np.int32]]:
    """Return the values in order and the code of each row."""
    values = column.drop_nulls().unique().sort()
    codes = column.replace_strict(values, pl.Series(range(len(values)), dtype=pl.Int32), default=UNNAMED)
    return values.to_list(), codes.cast(pl.Int32).fill_null(UNNAMED).to_numpy()
