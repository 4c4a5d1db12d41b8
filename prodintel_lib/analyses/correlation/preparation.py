"""Series made comparable: traffic and rhythm taken out, and what a series says of its own next value as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.correlation.adjustment import (
    adjust_count,
    adjust_level,
    build_rhythm,
    orthonormal,
    traffic_columns,
    traffic_parts,
    without_hours,
)
from prodintel_lib.analyses.correlation.whitening import whiten
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

SERIES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "signal": pl.String(),
    "kind": pl.String(),
    "label": pl.String(),
    "service_name": pl.String(),
    "family": pl.String(),
    "bucket_us": pl.Int64(),
    "value": pl.Float64(),
    "exposure": pl.Float64(),
}
"""A row a signal and bucket. ``exposure`` is the traffic of the bucket, null where ``value`` is a level. Signals of one
``family`` measure the same thing (quantiles of one route) and are not paired; an empty one is a family of its own."""
REQUIRED: Final = ("signal", "kind", "label", "bucket_us", "value", "exposure")
TRAFFIC_KIND: Final = "throughput"
MIN_WINDOWS: Final = 24
MIN_EVENTS: Final = 5
MIN_MOVING: Final = 4
DENSE: Final = 0.5
_MAX_BUCKETS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """Series without traffic, rhythm and memory, ready to be laid beside each other.

    Attributes
    ----------
    signals : polars.DataFrame
        ``signal, kind, label, service_name, family, n_windows``, traffic last; a row a row of the matrices.
    bucket_s : int
    windows : int
        Buckets, T.
    innovations : array, shape (signals, T)
        What each bucket had that neither the traffic, the time of day nor the buckets before foretold; zero where
        nothing was observed, unit variance elsewhere.
    innovations_with_traffic : array, shape (signals, T)
        The same with the traffic left in: for pairs of which one is traffic.
    observed : array of bool, shape (signals, T)
    regressors : int
        How many figures were fitted to each series.
    rhythm : str
        Which rhythm was taken out, or why none was: a sentence.
    not_tested : mapping of str to int
        Signals left out, by reason.
    """

    signals: pl.DataFrame
    bucket_s: int
    windows: int
    innovations: Matrix
    innovations_with_traffic: Matrix
    observed: Mask
    regressors: int
    rhythm: str
    not_tested: dict[str, int]

    @property
    def first_traffic(self) -> int:
        """The row at which the series of traffic begin."""
        return int((self.signals["kind"] != TRAFFIC_KIND).sum())


def prepare_series(series: pl.DataFrame) -> Prepared:
    """Take out of every series what is known to move many of them at once.

    Parameters
    ----------
    series : polars.DataFrame
        Columns of SERIES_SCHEMA; ``service_name`` and ``family`` may be left out. A bucket without a row was not
        observed (it is not a zero).

    Raises
    ------
    MissingColumnsError
    NoDataError
        If there is no row.
    ParameterError
        If a bucket comes twice for a signal, or buckets are so unlike that there would be too many.

    Notes
    -----
    The expected course is a regression on the rhythm of the day and the week, slow drift, the principal components of
    all traffic (adjustment.build_rhythm, traffic_columns) and the traffic of the signal's own service: of the
    logarithm of a level, and Poisson with the exposure as offset for counts, whose errors may yet grow faster than
    traffic. What recurs at the same place of every hour goes as well, and then what an autoregression foretells
    (whitening.whiten). What is left of series that move in most buckets becomes normal scores, so that one spike does
    not decide; rare events keep theirs, which lags.peak_p_value allows for.
    """
    frame = _checked(series)
    bucket_us = _bucket_width(frame)
    values, exposures, signals = _matrices(frame, bucket_us)
    is_count = np.asarray(np.isfinite(exposures).any(axis=1), dtype=np.bool_)
    observed = np.isfinite(values) & (~is_count[:, None] | (exposures > 0))
    keep, not_tested = _usable(values, observed, is_count)
    signals = signals.with_columns(pl.Series("n_windows", observed.sum(axis=1)).cast(pl.Int64))
    order = np.flatnonzero(keep)
    order = order[np.argsort((signals["kind"] == TRAFFIC_KIND).to_numpy()[order], kind="stable")]
    is_traffic = (signals["kind"] == TRAFFIC_KIND).to_numpy()
    traffic = np.where(observed, values, np.nan)[is_traffic]
    parts = traffic_parts(np.vstack([traffic, exposures[is_count]]))
    own = _own_traffic(signals, traffic, exposures, is_count)[order]
    values, exposures, observed, is_count = values[order], exposures[order], observed[order], is_count[order]
    width_s = bucket_us // US_PER_S
    rhythm, said = build_rhythm(values.shape[1], width_s)
    plain, freed = orthonormal(rhythm), orthonormal(np.column_stack([rhythm, traffic_columns(parts)]))
    dense = ~is_count | ((np.nan_to_num(values) != 0).mean(axis=1) > DENSE)
    left = [
        _whitened(
            without_hours(_adjusted(values, exposures, observed, is_count, *design), observed, width_s), observed, dense
        )
        for design in ((plain, np.full_like(own, np.nan)), (freed, own))
    ]
    return Prepared(
        signals=signals[order],
        bucket_s=width_s,
        windows=values.shape[1],
        innovations=left[1],
        innovations_with_traffic=left[0],
        observed=observed,
        regressors=freed.shape[1] + 1,
        rhythm=said,
        not_tested=not_tested,
    )


def _checked(series: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in REQUIRED if name not in series.columns]
    if missing:
        raise MissingColumnsError.in_table("series", missing=missing, available=series.columns)
    if series.is_empty():
        raise NoDataError("There is no series to correlate.", hint="choose a window in which something was recorded.")
    optional = [name for name in SERIES_SCHEMA if name not in series.columns]
    frame = series.with_columns(pl.lit("").alias(name) for name in optional)
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in SERIES_SCHEMA.items())
    doubled = frame.filter(frame.select("signal", "bucket_us").is_duplicated())
    if doubled.height:
        raise ParameterError(
            f"A signal has one value a bucket; `{doubled['signal'][0]}` has more than one.",
            hint="add up the rows of a bucket first.",
        )
    return frame


def _bucket_width(frame: pl.DataFrame) -> int:
    times_us = frame["bucket_us"].unique().sort().to_numpy()
    width_us = int(np.gcd.reduce(np.diff(times_us))) if len(times_us) > 1 else US_PER_S
    buckets = (int(times_us[-1]) - int(times_us[0])) // width_us + 1
    if width_us < US_PER_S or buckets > _MAX_BUCKETS:
        raise ParameterError(
            f"Buckets of one width in whole seconds were expected; there are {buckets:,} of {width_us:,} µs.",
            hint="bring all series to buckets of one width.",
        )
    return width_us


def _matrices(frame: pl.DataFrame, bucket_us: int) -> tuple[Matrix, Matrix, pl.DataFrame]:
    signals = frame.group_by("signal").agg(pl.col("kind", "label", "service_name", "family").min()).sort("signal")
    first_us = int(frame["bucket_us"].min() or 0)  # type: ignore[arg-type]  # a column of integers
    places = frame.select(
        "value", "exposure", ((pl.col("bucket_us") - first_us) // bucket_us).alias("column"),
        pl.col("signal").replace_strict(signals["signal"], pl.int_range(signals.height, eager=True)).alias("row"),
    )  # fmt: skip
    shape = (signals.height, int(places["column"].max() or 0) + 1)  # type: ignore[arg-type]
    values, exposures = np.full(shape, np.nan), np.full(shape, np.nan)
    where = places["row"].to_numpy(), places["column"].to_numpy()
    values[where] = places["value"].fill_null(float("nan")).to_numpy()
    exposures[where] = places["exposure"].fill_null(float("nan")).to_numpy()
    return values, exposures, signals


def _usable(values: Matrix, observed: Mask, is_count: NDArray[np.bool_]) -> tuple[Mask, dict[str, int]]:
    """Say which series can be judged, and count the others by what they lack."""
    seen = np.where(observed, values, 0.0)
    few_windows = observed.sum(axis=1) < MIN_WINDOWS
    few_events = is_count & (seen.sum(axis=1) < MIN_EVENTS)
    usual = np.array([np.median(row[mask]) if mask.any() else 0.0 for row, mask in zip(values, observed, strict=True)])
    still = ((values != usual[:, None]) & observed).sum(axis=1) < MIN_MOVING
    reasons = {
        f"observed in fewer than {MIN_WINDOWS} windows": few_windows,
        f"fewer than {MIN_EVENTS} events": few_events & ~few_windows,
        f"moved in fewer than {MIN_MOVING} windows": still & ~few_events & ~few_windows,
    }
    counted = {reason: int(mask.sum()) for reason, mask in reasons.items() if mask.any()}
    return ~(few_windows | few_events | still), counted


def _own_traffic(signals: pl.DataFrame, traffic: Matrix, exposures: Matrix, is_count: Mask) -> Matrix:
    """Return the logarithm of each signal's own traffic, NaN where none is known: its exposure, or its service's."""
    known = signals.filter(pl.col("kind") == TRAFFIC_KIND)["service_name"].to_list()
    rows = {name: row for name, row in zip(known, traffic, strict=True) if name}
    nothing = np.full(exposures.shape[1], np.nan)
    own = np.array([rows.get(name, nothing) for name in signals["service_name"]]).reshape(exposures.shape)
    own[is_count] = exposures[is_count]
    return np.log(np.where(own > 0, own, np.nan))


def _adjusted(values: Matrix, exposures: Matrix, observed: Mask, is_count: Mask, design: Matrix, own: Matrix) -> Matrix:
    left = np.zeros_like(values)
    for row in range(len(values)):
        seen = observed[row]
        columns = _with_own(design, own[row])
        if is_count[row]:
            left[row] = adjust_count(values[row], exposures[row], seen, columns)
        else:
            left[row] = adjust_level(values[row], seen, columns)
    return left


def _with_own(design: Matrix, own: NDArray[np.float64]) -> Matrix:
    known = np.isfinite(own)
    if not known.any():
        return design
    filled = np.where(known, own, own[known].mean())
    spread = filled.std()
    return np.column_stack([design, (filled - filled.mean()) / spread]) if spread > 0 else design


def _whitened(series: Matrix, observed: Mask, dense: Mask) -> Matrix:
    innovations = whiten(series, observed)
    for row in np.flatnonzero(dense):
        seen = observed[row]
        scores = _normal_scores(innovations[row, seen])
        innovations[row, seen] = scores / max(float(scores.std()), 1e-12)
    return innovations


def _normal_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri  # noqa: PLC0415 - scipy costs half a second to import

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    return np.asarray(ndtri(middle[place] / len(values)), dtype=np.float64)
