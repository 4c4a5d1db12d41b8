"""How far the requests of one log are from those of another, each way of looking at them a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOG_COLUMNS: Final = ("session", "endpoint", "t")
PATH_STEPS: Final = 12
RARE_PATH_SHARE: Final = 0.001
_RARE: Final = "<rare>"
_START: Final = "<start>"
_END: Final = "<end>"
_TINY: Final = 1e-12

DISTANCES: Final[dict[str, str]] = {
    "rate_wape": "requests per bucket: sum of absolute differences over the sum",
    "peak_rel": "requests of the busiest bucket: relative difference",
    "iat_cv": "coefficient of variation of the gaps between arrivals of sessions: difference",
    "open_wape": "sessions open per bucket: sum of absolute differences over the sum",
    "mix_tv": "shares of endpoints: total variation",
    "mix_js": "shares of endpoints: Jensen-Shannon divergence, bits",
    "trans_tv": "what follows each endpoint: total variation, weighted by visits",
    "path_tv": "whole paths, first 12 steps: total variation",
    "len_ks": "requests of a session: Kolmogorov-Smirnov",
    "think_ks": "time between requests of a session: Kolmogorov-Smirnov",
    "dur_ks": "duration of a session: Kolmogorov-Smirnov",
}
"""What is measured, in the order shown; each is 0 for two equal logs."""


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the distances are made of.

    Attributes
    ----------
    mix : dict
        Requests by endpoint.
    lengths, durations_s, gaps_s : array
        Of sessions; of their steps after the first.
    transitions : dict of dict
        Counts by what came before, with ``<start>`` and ``<end>``.
    paths : dict
        Sessions by path, the rare ones together.
    rate, open_sessions : array
        By bucket: requests; sessions between their first and last request.
    arrival_cv : float
    """

    mix: dict[str, float]
    lengths: Floats
    durations_s: Floats
    gaps_s: Floats
    transitions: dict[str, dict[str, float]]
    paths: dict[str, float]
    rate: Floats
    open_sessions: Floats
    arrival_cv: float


def read_log(log: pl.DataFrame, *, name: str, compress: float = 1.0, start_s: float | None = None) -> pl.DataFrame:
    """Return the log by session and time, with time from its start on.

    Parameters
    ----------
    log : polars.DataFrame
        ``session, endpoint, t`` (seconds).
    name : str
        What to call it in an error.
    compress : float
        How much faster sessions arrived than they should appear to: starts are stretched by it, and what happens inside
        a session is not, for users think no faster in a compressed test.
    start_s : float, optional
        What its clock says when it begins; default: its first request.

    Raises
    ------
    MissingColumnsError, NoDataError
        Where a column or every request is missing.
    ParameterError
        Where `compress` is not above 0, or a request was sent before the start.
    """
    missing = set(LOG_COLUMNS) - set(log.columns)
    if missing:
        raise MissingColumnsError.in_table(name, missing=missing, available=log.columns)
    if log.is_empty():
        raise NoDataError(
            f"The {name} log needs a request at least; it has 0.", hint="check that the run sent anything."
        )
    if not compress > 0:
        raise ParameterError(f"compress must be above 0; it is {compress}.", hint="24 h in 10 min is 144.")
    ordered = log.select(LOG_COLUMNS).sort("session", "t", maintain_order=True)
    first_s = float(str(ordered["t"].min()))
    if start_s is not None and first_s < start_s:
        raise ParameterError(
            f"The {name} log must begin at {start_s:g} s or after; its first request is of {first_s:g} s.",
            hint="give the time its clock showed when the curve began.",
        )
    since_s = ordered.with_columns(pl.col("t").cast(pl.Float64) - (first_s if start_s is None else start_s))
    if compress == 1.0:
        return since_s
    begun_s = pl.col("t").first().over("session")
    return since_s.with_columns(begun_s * compress + (pl.col("t") - begun_s))


def measure_facts(log: pl.DataFrame, *, bucket_s: float, rare_below: float | None = None) -> LogFacts:
    """Count what the distances need.

    Parameters
    ----------
    log : polars.DataFrame
        As `read_log` returns it.
    bucket_s : float
    rare_below : float, optional
        Paths of fewer sessions count as one; default: 0.1 % of the log's sessions.
    """
    sessions = log.group_by("session", maintain_order=True).agg(
        pl.col("endpoint"), start_s=pl.col("t").first(), end_s=pl.col("t").last()
    )
    same = (pl.col("session") == pl.col("session").shift(1)).fill_null(value=False)
    steps = log.select(
        "endpoint",
        before=pl.when(same).then(pl.col("endpoint").shift(1)).otherwise(pl.lit(_START)),
        gap_s=pl.when(same).then(pl.col("t").diff()),
    )
    transitions: dict[str, dict[str, float]] = {}
    # In an order of its own, so that sums come out the same to the last digit.
    for before, after, count in steps.group_by("before", "endpoint").len().sort("before", "endpoint").iter_rows():
        transitions.setdefault(before, {})[after] = float(count)
    for last, count in sessions.group_by(pl.col("endpoint").list.last()).len().sort("endpoint").iter_rows():
        transitions.setdefault(last, {})[_END] = float(count)
    start_s, end_s = sessions["start_s"].to_numpy(), sessions["end_s"].to_numpy()
    arrivals_s = np.diff(np.sort(start_s))
    return LogFacts(
        mix={name: float(count) for name, count in log["endpoint"].value_counts(name="n").iter_rows()},
        lengths=sessions["endpoint"].list.len().to_numpy().astype(np.float64),
        durations_s=end_s - start_s,
        gaps_s=steps["gap_s"].drop_nulls().to_numpy(),
        transitions=transitions,
        paths=_count_paths(sessions, RARE_PATH_SHARE * sessions.height if rare_below is None else rare_below),
        rate=np.bincount((log["t"].to_numpy() // bucket_s).astype(np.int64)).astype(np.float64),
        open_sessions=_count_open(start_s, end_s, bucket_s),
        arrival_cv=float(arrivals_s.std() / max(float(arrivals_s.mean()), _TINY)) if len(arrivals_s) else 0.0,
    )


def _count_paths(sessions: pl.DataFrame, least: float) -> dict[str, float]:
    shown = sessions.select(pl.col("endpoint").list.head(PATH_STEPS).list.join(">"))
    counts = {path: float(count) for path, count in shown.to_series().value_counts(name="n").iter_rows()}
    known = {path: count for path, count in counts.items() if count >= least}
    return {**known, _RARE: sum(count for count in counts.values() if count < least)}


def _count_open(start_s: Floats, end_s: Floats, bucket_s: float) -> Floats:
    first, last = (start_s // bucket_s).astype(np.int64), (end_s // bucket_s).astype(np.int64)
    buckets = int(last.max()) + 2
    changes = np.bincount(first, minlength=buckets) - np.bincount(last + 1, minlength=buckets)
    return np.cumsum(changes)[:-1].astype(np.float64)


def measure_distances(original: LogFacts, generated: LogFacts, *, scale: float = 1.0) -> dict[str, float]:
    """Return every distance of `DISTANCES`, by name.

    Parameters
    ----------
    original, generated : LogFacts
    scale : float
        How many times as many users the generated log was to have; its rates are divided by it.

    Notes
    -----
    A total variation is half the sum of absolute differences of shares. An endpoint that the generated log never leaves
    counts as all different. Jensen-Shannon: Lin (1991), doi:10.1109/18.61115, logarithms to base 2.
    """
    rates, generated_rates = _padded(original.rate, generated.rate / scale)
    opens, generated_opens = _padded(original.open_sessions, generated.open_sessions / scale)
    visits = {before: sum(after.values()) for before, after in original.transitions.items()}
    total = sum(visits.values())
    return {
        "rate_wape": float(np.abs(rates - generated_rates).sum() / rates.sum()),
        "peak_rel": abs(float(generated_rates.max() / rates.max()) - 1),
        "iat_cv": abs(original.arrival_cv - generated.arrival_cv),
        "open_wape": float(np.abs(opens - generated_opens).sum() / opens.sum()),
        "mix_tv": total_variation(original.mix, generated.mix),
        "mix_js": jensen_shannon(original.mix, generated.mix),
        "trans_tv": sum(
            visits[before] / total * total_variation(original.transitions[before], generated.transitions[before])
            if before in generated.transitions
            else visits[before] / total
            for before in visits
        ),
        "path_tv": total_variation(original.paths, generated.paths),
        "len_ks": kolmogorov_smirnov(original.lengths, generated.lengths),
        "think_ks": kolmogorov_smirnov(original.gaps_s, generated.gaps_s),
        "dur_ks": kolmogorov_smirnov(original.durations_s, generated.durations_s),
    }


def _padded(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    size = max(len(one), len(other))
    return np.pad(one, (0, size - len(one))), np.pad(other, (0, size - len(other)))


def total_variation(counts: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return half the sum of absolute differences between two sets of shares.

    Examples
    --------
    >>> total_variation({"a": 1, "b": 1}, {"a": 3, "b": 1})
    0.25
    """
    one, other = _shares(counts, others)
    return float(np.abs(one - other).sum() / 2)


def jensen_shannon(counts: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return the Jensen-Shannon divergence between two sets of shares, in bits: from 0 to 1.

    Examples
    --------
    >>> jensen_shannon({"a": 1}, {"b": 5})
    1.0
    """
    one, other = _shares(counts, others)
    middle = (one + other) / 2
    halves = [float((part * np.log2(np.where(part > 0, part / middle, 1.0))).sum()) for part in (one, other)]
    return max(0.0, sum(halves) / 2)


def _shares(counts: Mapping[str, float], others: Mapping[str, float]) -> tuple[Floats, Floats]:
    names = sorted({name for each in (counts, others) for name, count in each.items() if count > 0})
    rows = [np.array([each.get(name, 0.0) for name in names], dtype=np.float64) for each in (counts, others)]
    return rows[0] / rows[0].sum(), rows[1] / rows[1].sum()


def kolmogorov_smirnov(values: Floats, others: Floats) -> float:
    """Return the largest distance between two distribution functions; 1 where one side only has values, 0 where none.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    if not len(values) or not len(others):
        return float(len(values) != len(others))
    points = np.concatenate([values, others])
    one, other = (np.searchsorted(np.sort(each), points, side="right") / len(each) for each in (values, others))
    return float(np.abs(one - other).max())
