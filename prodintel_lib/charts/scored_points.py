"""Scored series as rows: what was observed, what was expected, and how abnormal it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFindings, ScoredSignals
    from prodintel_lib.windows import Window

POINTS_SCHEMA: Final = {
    "bucket_us": pl.Int64(), "value": pl.Float64(), "n": pl.Float64(), "expected": pl.Float64(), "score": pl.Float64(),
}  # fmt: skip
"""``value`` is the level (of a ratio hits / n), ``n`` what it is counted among; null where it is missing."""

SIGNALS: Final = {
    "error_ratio": "requests that failed",
    "latency": "requests slower than usual",
    "throughput": "requests",
    "saturation": "saturation",
    "log_errors": "error logs",
    "conversion": "sessions that converted",
    "journey_mix": "sessions on the journey",
    "frontend_errors": "front-end errors",
}
SHORT: Final = {
    "error_ratio": "failed",
    "latency": "slow",
    "throughput": "traffic",
    "log_errors": "error logs",
    "conversion": "converted",
    "journey_mix": "journey",
    "frontend_errors": "front end",
}
_NAME_CHARS: Final = 70


def series_points(findings: AnomalyFindings, *, signal: str, key: str, within: Window) -> pl.DataFrame:
    """Return the points of one series, columns of POINTS_SCHEMA in order of time; no row where it was not kept."""
    for scored in findings.scored:
        if scored.signals.signal == signal and key in scored.signals.matrix.keys:
            return _points(scored, scored.signals.matrix.keys.index(key), within)
    return pl.DataFrame(schema=POINTS_SCHEMA)


def all_points(findings: AnomalyFindings, *, within: Window) -> pl.DataFrame:
    """Return the points of all series that were kept, with columns ``signal`` and ``key`` before those."""
    parts = [
        _points(scored, row, within).select(
            pl.lit(scored.signals.signal).alias("signal"), pl.lit(key).alias("key"), pl.all()
        )
        for scored in findings.scored
        for row, key in enumerate(scored.signals.matrix.keys)
    ]
    empty = pl.DataFrame(schema={"signal": pl.String(), "key": pl.String(), **POINTS_SCHEMA})
    return pl.concat([empty, *parts])


def series_label(signal: str, key: str) -> str:
    """Name a series for people; the signal tells apart what has one key."""
    return f"{key[:_NAME_CHARS]}: {SIGNALS.get(signal, signal)}"


def nothing_found(findings: AnomalyFindings) -> Note:
    """Return the sentence that stands for the charts of no finding: what was looked at."""
    return Note(
        f"Nothing abnormal began in {findings.window.label()}: {findings.series_scored:,} series with "
        f"{findings.points_scored:,} points were scored, {findings.series_too_short:,} had too little before it."
    )


def short_label(signal: str, key: str) -> str:
    """Name a series where there is little room: the signal first, since the end of a label is cut off on a phone."""
    return f"{SHORT.get(signal, signal)}: {key}"


def _points(scored: ScoredSignals, row: int, within: Window) -> pl.DataFrame:
    matrix, scores = scored.signals.matrix, scored.scores
    first, end = (int(place) for place in np.searchsorted(matrix.time_us, (within.start_us, within.end_us)))
    times = matrix.time_us[first:end]
    expected, score = np.full(len(times), np.nan), np.full(len(times), np.nan)
    # The scores are of the window and a short lead, the series also of the history before.
    _, here, there = np.intersect1d(times, scores.time_us, assume_unique=True, return_indices=True)
    own = scores.keys.index(matrix.keys[row])
    expected[here], score[here] = scores.expected[own, there], scores.score[own, there]
    n = np.full(len(times), np.nan) if matrix.exposure is None else matrix.exposure[row, first:end]
    columns = {"bucket_us": times, "value": matrix.levels[row, first:end], "n": n, "expected": expected, "score": score}
    return pl.DataFrame(columns, schema=POINTS_SCHEMA).with_columns(pl.exclude("bucket_us").fill_nan(None))
