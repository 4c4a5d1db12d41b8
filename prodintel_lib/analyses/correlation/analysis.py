"""Which errors and signals go together: by time with traffic and rhythm taken out, and by the traces they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.correlation.changes import find_beginnings
from prodintel_lib.analyses.correlation.hypotheses import suggest
from prodintel_lib.analyses.correlation.lags import scan_lags
from prodintel_lib.analyses.correlation.model import (
    PAIRS_SCHEMA,
    SHARED,
    TIME_ONLY,
    Beginnings,
    Correlations,
)
from prodintel_lib.analyses.correlation.preparation import prepare_series
from prodintel_lib.analyses.correlation.shared_traces import SHARED_SCHEMA, SharedTraces, find_shared_traces

if TYPE_CHECKING:
    from collections.abc import Collection

    from prodintel_lib.analyses.correlation.lags import LagScan
    from prodintel_lib.analyses.correlation.preparation import Prepared

FALSE_DISCOVERY_RATE: Final = 0.05
MAX_LAG_S: Final = 600.0
MAX_PAIRS: Final = 200
_LAGS_SCHEMA: Final = {
    name: PAIRS_SCHEMA[name]
    for name in ("lag_s", "lag_low_s", "lag_high_s", "strength", "low", "high", "p_value", "q_value", "n_windows")
}


@dataclass(frozen=True, slots=True)
class TraceEvidence:
    """The traces that signals were seen in, and how many there were in all.

    Attributes
    ----------
    traces : polars.DataFrame
        shared_traces.TRACES_SCHEMA.
    strata : polars.DataFrame
        shared_traces.STRATA_SCHEMA.
    sampled : frozenset of str
        Signals whose traces are a sample.
    """

    traces: pl.DataFrame
    strata: pl.DataFrame
    sampled: frozenset[str] = frozenset()


def correlate(
    series: pl.DataFrame,
    *,
    evidence: TraceEvidence | None = None,
    changes: pl.DataFrame | None = None,
    contexts: pl.DataFrame | None = None,
    focus: Collection[str] = (),
    max_lag_s: float = MAX_LAG_S,
    false_discovery_rate: float = FALSE_DISCOVERY_RATE,
) -> Correlations:
    """Find the pairs of signals that go together, what errors began with, and what that suggests.

    Parameters
    ----------
    series : polars.DataFrame
        preparation.SERIES_SCHEMA.
    evidence : TraceEvidence, optional
        Without it only time speaks.
    changes : polars.DataFrame, optional
        The canonical table.
    contexts : polars.DataFrame, optional
        ``pattern_id, attribute, value, rows``: on which releases an error was seen.
    focus : collection of str
        Kinds of signals; only pairs with one of them are tested, and only they are compared with changes. Empty: all.
    max_lag_s : float
        How far apart, seconds; at most a fifth of the time that the series cover.
    false_discovery_rate : float

    Raises
    ------
    MissingColumnsError, ParameterError
    NoDataError
        If there is no series at all.

    Notes
    -----
    There are up to three families of tests: by time among signals, by time against traffic (lags.scan_lags), and by
    shared traces (shared_traces.find_shared_traces). Each is held to its part of the false discovery rate, so that
    their union is held to the whole.
    """
    prepared = prepare_series(series)
    max_lag = max(1, int(max_lag_s // prepared.bucket_s))
    has_traffic = prepared.first_traffic < prepared.signals.height
    level = false_discovery_rate / (1 + has_traffic + (evidence is not None))
    scan = scan_lags(prepared, max_lag=max_lag, false_discovery_rate=level, focus=frozenset(focus))
    shared = _shared(evidence, series, frozenset(focus))
    found = _joined(
        _in_time(scan, prepared, level), shared.pairs.filter(pl.col("trace_q_value") <= level), shared.pairs
    )
    pairs = _described(found, series)
    asked = series.filter(pl.col("kind").is_in(list(focus))) if focus else series
    began = _beginnings(asked, changes, contexts, prepared.bucket_s, false_discovery_rate)
    return Correlations(
        pairs=pairs.head(MAX_PAIRS),
        began=began,
        hypotheses=suggest(
            pairs, began.frame, prepared.bucket_s, tested=scan.pairs_tested + shared.pairs_tested,
            has_traces=evidence is not None,
        ),
        bucket_s=prepared.bucket_s,
        max_lag_s=float(scan.max_lag * prepared.bucket_s),
        windows=prepared.windows,
        signals=prepared.signals,
        not_tested=prepared.not_tested,
        pairs_tested_in_time=scan.pairs_tested,
        pairs_tested_in_traces=shared.pairs_tested,
        pairs_of_samples=shared.pairs_of_samples,
        false_discovery_rate=false_discovery_rate,
        rhythm=prepared.rhythm,
        notes=tuple(_notes(pairs, scan, shared, evidence)),
    )  # fmt: skip


def _in_time(scan: LagScan, prepared: Prepared, level: float) -> pl.DataFrame:
    """Return the pairs that passed, their ends in order of name, lags positive where ``one`` leads."""
    names = prepared.signals["signal"].to_numpy()
    first, second = names[scan.first], names[scan.second]
    turned = first > second
    sign = np.where(turned, -1.0, 1.0) * prepared.bucket_s
    ends = np.sort(np.column_stack([sign * scan.lag_low, sign * scan.lag_high]), axis=1)
    frame = pl.DataFrame(
        {
            "one": np.where(turned, second, first).astype(str), "other": np.where(turned, first, second).astype(str),
            "lag_s": sign * scan.lag, "lag_low_s": ends[:, 0], "lag_high_s": ends[:, 1], "strength": scan.strength,
            "low": scan.low, "high": scan.high, "p_value": scan.p_value, "q_value": scan.q_value,
            "n_windows": scan.n_windows,
        },
        schema={"one": pl.String, "other": pl.String, **_LAGS_SCHEMA},
    )  # fmt: skip
    # Said to pass by chance's measure and not to be told from nothing by its interval: that would be no answer.
    return frame.filter((pl.col("q_value") <= level) & (pl.col("low") * pl.col("high") > 0))


def _shared(evidence: TraceEvidence | None, series: pl.DataFrame, focus: frozenset[str]) -> SharedTraces:
    if evidence is None:
        return SharedTraces(pl.DataFrame(schema=SHARED_SCHEMA), 0, 0, 0)
    family = series["family"] if "family" in series.columns else pl.lit("")
    known = series.with_columns(family.alias("family")).group_by("signal").agg(pl.col("kind", "family").min())
    return find_shared_traces(
        evidence.traces.join(known.select("signal"), on="signal", how="semi"),
        strata=evidence.strata,
        sampled=evidence.sampled,
        families=dict(known.select("signal", "family").iter_rows()),
        focus=frozenset(known.filter(pl.col("kind").is_in(sorted(focus)))["signal"]) if focus else None,
    )


def _joined(timed: pl.DataFrame, passing: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """Put both kinds of evidence beside each other, and turn each pair so that what comes first stands first."""
    traced = passing.select("one", "other", pl.lit(value=True).alias("by_traces"))
    keys = pl.concat([timed.select("one", "other"), traced.select("one", "other")]).unique()
    both = (
        keys.join(timed, on=["one", "other"], how="left")
        .join(shared, on=["one", "other"], how="left")
        .join(traced, on=["one", "other"], how="left")
        .with_columns(pl.col("by_traces").fill_null(value=False))
    )
    # Order within one request says more than order between windows.
    by_traces = pl.col("by_traces") & (pl.col("leader").fill_null("") != "")
    by_time = pl.col("lag_s").fill_null(0.0)
    turned = pl.when(by_traces).then(pl.col("leader") == pl.col("other")).otherwise(by_time < 0)
    both = both.with_columns(turned.alias("turned"))
    return both.select(
        _either("turned", "other", "one").alias("first"), _either("turned", "one", "other").alias("second"),
        _signed("lag_s").alias("lag_s"),
        _either("turned", -pl.col("lag_high_s"), pl.col("lag_low_s")).alias("lag_low_s"),
        _either("turned", -pl.col("lag_low_s"), pl.col("lag_high_s")).alias("lag_high_s"),
        "strength", "low", "high", "p_value", "q_value", "n_windows", "traces_both",
        _either("turned", "traces_other", "traces_one").alias("traces_first"),
        _either("turned", "traces_one", "traces_other").alias("traces_second"),
        pl.col("expected").alias("traces_expected"), "lift", "lift_low", "lift_high", "trace_p_value",
        "trace_q_value", _either("turned", "other_before", "one_before").alias("first_before"),
        _signed("gap_ms").alias("gap_ms"),
        pl.when("by_traces")
        .then(pl.col("leader").fill_null("") != "")
        .otherwise((pl.col("lag_low_s") > 0) | (pl.col("lag_high_s") < 0))
        .alias("is_ordered"),
        pl.when("by_traces").then(pl.lit(SHARED)).otherwise(pl.lit(TIME_ONLY)).alias("evidence"),
    )  # fmt: skip


def _either(condition: str, yes: str | pl.Expr, no: str | pl.Expr) -> pl.Expr:
    return pl.when(condition).then(yes).otherwise(no)


def _signed(column: str) -> pl.Expr:
    # A zero stays a zero: -0.0 is written with its sign.
    return _either("turned", 0.0 - pl.col(column), pl.col(column))


def _described(pairs: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    known = series.group_by("signal").agg(pl.col("label", "kind").min())
    verdict = (
        pl.when((pl.col("evidence") == SHARED) & pl.col("strength").is_not_null())
        .then(pl.lit("in the same traces, and together in time"))
        .when(pl.col("evidence") == SHARED)
        .then(pl.lit("in the same traces"))
        .when(pl.col("strength") < 0)
        .then(pl.lit("one falls when the other rises"))
        .otherwise(pl.lit("together in time"))
    )
    named = pairs.with_columns(verdict.alias("verdict"))
    for side in ("first", "second"):
        names = known.rename({"signal": side, "label": f"{side}_label", "kind": f"{side}_kind"})
        named = named.join(names, on=side, how="left")
    return (
        named.with_columns(_weight().alias("weight"))
        .sort(pl.col("evidence") != SHARED, -pl.col("weight"), "first", "second")
        .select(pl.col(name).cast(dtype) for name, dtype in PAIRS_SCHEMA.items())
    )


def _weight() -> pl.Expr:
    """How many nats speak for a pair: the likelihood ratio of its shared traces, and how unlikely its course is."""
    both, expected = pl.col("traces_both"), pl.col("traces_expected").clip(lower_bound=1e-9)
    traced = pl.when(both > expected).then(both * (both / expected).log() - (both - expected)).fill_null(0.0)
    timed = -pl.col("p_value").clip(lower_bound=1e-300).log()
    return (traced + timed.fill_null(0.0)).round(9)


def _beginnings(
    series: pl.DataFrame, changes: pl.DataFrame | None, contexts: pl.DataFrame | None, bucket_s: int, level: float
) -> Beginnings:
    known = changes if changes is not None else pl.DataFrame()
    is_comparable = not known.is_empty() and series["exposure"].is_not_null().any()
    frame = find_beginnings(series, known, bucket_s=bucket_s, contexts=contexts, false_discovery_rate=level)
    return Beginnings(frame, is_comparable)


def _notes(pairs: pl.DataFrame, scan: LagScan, shared: SharedTraces, evidence: TraceEvidence | None) -> list[str]:
    return [
        *(["No traces were given: only time speaks."] if evidence is None else []),
        *([f"{shared.pairs_of_samples:,} pairs of sampled signals could not be tested by traces."]
          if shared.pairs_of_samples else []),
        *([f"{scan.set_aside:,} weaker pairs were set aside unconfirmed."] if scan.set_aside else []),
        *([f"The strongest {MAX_PAIRS} of {pairs.height:,} pairs are kept."] if pairs.height > MAX_PAIRS else []),
    ]  # fmt: skip
