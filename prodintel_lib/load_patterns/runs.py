"""How close what a load test sent is to what production did, from the record of the run and the recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.load_fidelity import find_omission, score_load
from prodintel_lib.errors import NoDataError
from prodintel_lib.load_patterns.run_records import LoadRun, RunSettings, read_recording, read_run
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.load_fidelity import LoadFidelity, Omission

__all__ = ["LoadRun", "RunSettings", "choose_bucket_s", "read_recording", "read_run", "score_run"]

BUCKETS_S: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
MOST_BUCKETS: Final = 100
"""Rates are compared in the narrowest of these buckets of which no more cover the part of the curve that was run."""

AT_ONCE_S: Final = 0.02
"""A request that follows the answer before within so long waited for it."""

TOLD_SHARE: Final = 0.01
_NAMES_TOLD: Final = 5
_OTHER_TIME: Final = (
    "The recording is not of the time the curve was counted in: its first request stands for the curve's beginning."
)
_WHOLE_SECONDS: Final = "The recording keeps whole seconds; the load's times were cut to them."


def score_run(
    run: LoadRun,
    recording: pl.DataFrame,
    *,
    origin_s: float | None = None,
    bucket_s: float | None = None,
    splits: int | None = None,
    seed: int = 0,
) -> LoadFidelity:
    """Score what a load test sent against the part of production that it followed.

    Parameters
    ----------
    run : LoadRun
    recording : polars.DataFrame
        ``session, endpoint, t``, as `read_recording` returns it.
    origin_s : float, optional
        What the recording's clock shows where the curve begins; default: the run's own record where the recording is
        of that time, else its first request.
    bucket_s : float, optional
        Of production's time; default: the narrowest of `BUCKETS_S` that gives no more than `MOST_BUCKETS`.
    splits, seed : int
        As analyses.load_fidelity.score_load takes them.

    Raises
    ------
    NoDataError
        Where either has too few sessions, or they share no endpoint.

    Notes
    -----
    Production is turned so that it begins where the run did, and cut to what was run; sessions belong where they begin
    and are kept whole. So are the load's, beyond the recording's end too: sessions that were cut there are among those
    that behaviour was learned from. Of a run that goes through the curve more than once, the first turn is scored: a
    second one would be compared with the same sessions.
    """
    if run.requests.is_empty():
        raise NoDataError("The run sent nothing.", hint="read what the load test said when it ended.")
    unmatched = _compare_names(run.requests, recording)
    part = _as_coarse(_lay_out(run, recording, origin_s), recording, run.settings)
    if part.production.is_empty():
        raise NoDataError(
            "No session of the recording begins in the part of the curve that was run.",
            hint="check --window, and that the recording is of the time the load test was made of.",
        )
    settings = run.settings
    scored = score_load(
        part.production,
        part.load,
        bucket_s=bucket_s or choose_bucket_s(part.length_s),
        scale=settings.volume if settings else 1.0,
        compress=settings.compress if settings else 1.0,
        starts_s=(0.0, 0.0),
        splits=splits,
        seed=seed,
    )
    return replace(scored, omission=_find_missed(run), notes=(*part.notes, *unmatched, *_tell_run(run)))


def _find_missed(run: LoadRun) -> Omission | None:
    if run.planned is None:
        return None
    found = find_omission(run.planned, run.begun)
    # A session that lacked a value for its first request has begun and left no row.
    begun = run.settings.begun_sessions if run.settings else 0
    return replace(found, missing=min(found.missing, max(found.planned - begun, 0))) if begun else found


def choose_bucket_s(length_s: float) -> float:
    """Return the narrowest bucket of which no more than `MOST_BUCKETS` cover so long.

    Examples
    --------
    >>> choose_bucket_s(300.0), choose_bucket_s(86_400.0)
    (5.0, 900.0)
    """
    return next((width for width in BUCKETS_S if length_s / width <= MOST_BUCKETS), BUCKETS_S[-1])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Production and load on clocks that begin where the run did: production's, and the run's."""

    production: pl.DataFrame
    load: pl.DataFrame
    length_s: float
    notes: tuple[str, ...]


def _lay_out(run: LoadRun, recording: pl.DataFrame, origin_s: float | None) -> _Part:
    settings = run.settings
    origin, notes = _find_origin(settings, recording, origin_s)
    clock = recording.with_columns(pl.col("t").cast(pl.Float64) - origin)
    begun = clock.with_columns(start_s=pl.col("t").min().over("session"))
    if settings is None:
        load = run.requests.with_columns(pl.col("t") - pl.col("t").min())
        whole = begun.filter(pl.col("start_s") >= 0).drop("start_s")
        return _Part(whole, load, float(str(clock["t"].max())), notes)
    turn_s = settings.curve.duration_s
    length_s = min(settings.length_s, turn_s)
    turned_s = (pl.col("start_s") - settings.start_s) % turn_s
    production = begun.filter(pl.col("start_s") >= 0, pl.col("start_s") < turn_s, turned_s < length_s).select(
        "session", "endpoint", t=turned_s + pl.col("t") - pl.col("start_s")
    )
    load = run.requests
    if settings.length_s > turn_s:
        load = load.filter(pl.col("t").min().over("session") * settings.compress < turn_s)
        notes = (*notes, "The run went through the curve more than once: its first turn is scored.")
    return _Part(production, load, length_s, notes)


def _as_coarse(part: _Part, recording: pl.DataFrame, settings: RunSettings | None) -> _Part:
    """Cut the load's times to whole seconds where the recording keeps no more, as access logs do."""
    if not bool((recording["t"].cast(pl.Float64) % 1 == 0).all()):
        return part
    faster = settings.compress if settings else 1.0
    start_s = pl.col("t").min().over("session")
    # Starts are cut on production's clock; what is inside a session is not compressed.
    cut_s = (start_s * faster).floor() / faster + (pl.col("t").floor() - start_s.floor())
    return replace(part, load=part.load.with_columns(cut_s.alias("t")), notes=(*part.notes, _WHOLE_SECONDS))


def _find_origin(
    settings: RunSettings | None, recording: pl.DataFrame, origin_s: float | None
) -> tuple[float, tuple[str, ...]]:
    first_s, last_s = float(str(recording["t"].min())), float(str(recording["t"].max()))
    if origin_s is not None:
        return origin_s, ()
    if settings is None:
        return first_s, ()
    curve_s = settings.curve_start_us / US_PER_S
    if first_s < settings.curve_end_us / US_PER_S and last_s >= curve_s:
        return curve_s, ()
    return first_s, (_OTHER_TIME,)


def _compare_names(requests: pl.DataFrame, recording: pl.DataFrame) -> tuple[str, ...]:
    """Say which endpoints only one of the two has.

    Raises
    ------
    NoDataError
        Where they share none.
    """
    sent, recorded = (set(frame["endpoint"].unique()) for frame in (requests, recording))
    if not sent & recorded:
        raise NoDataError(
            f"The run and the recording share no endpoint: the run asked for {_listed(sorted(sent))}; production for "
            f"{_listed(sorted(recorded))}.",
            hint="endpoints are compared by name: take the workspace the load test was made of, and the same --source.",
        )
    said = []
    for whose, frame, names in (("production", recording, recorded - sent), ("the load", requests, sent - recorded)):
        share = frame["endpoint"].is_in(list(names)).sum() / frame.height
        if names:
            said.append(f"Only in {whose}: {_listed(sorted(names))}, {100 * share:.1f} % of its requests.")
    return tuple(said)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {rest:,} more" if rest > 0 else "")


def _tell_run(run: LoadRun) -> tuple[str, ...]:
    """Say what of the run itself matters for the scores."""
    said = []
    settings = run.settings
    if settings and settings.cut_short:
        said.append(
            f"{settings.cut_short:,} of {settings.begun_sessions:,} sessions ended early: no answer gave a value they "
            "had to send."
        )
    held = _held_up(run.requests)
    if held:
        said.append(held)
    if settings and settings.failed:
        said.append(f"The run itself failed: {' '.join(settings.why) or 'it does not say why.'}")
    return tuple(said)


def _held_up(requests: pl.DataFrame) -> str:
    """Say how many requests were sent as soon as the answer before was there: users held up by it."""
    if "elapsed_ms" not in requests.columns:
        return ""
    ordered = requests.sort("session", "t", maintain_order=True)
    since_s = (pl.col("t") - pl.col("t").shift(1) - pl.col("elapsed_ms").shift(1) / 1000).over("session")
    waits = ordered.select(free_s=since_s, answer_ms=pl.col("elapsed_ms").shift(1).over("session"))
    waits = waits.drop_nulls()
    held = waits.filter(pl.col("free_s") < AT_ONCE_S)
    if held.height <= TOLD_SHARE * waits.height:
        return ""
    typical_ms = float(str(held["answer_ms"].median()))
    return (
        f"Slow answers held users up: {held.height:,} of {waits.height:,} further requests "
        f"({100 * held.height / waits.height:.1f} %) were sent as soon as the answer before was there, which took "
        f"{typical_ms:,.0f} ms in the median. Gaps and durations of the load hold these waits."
    )
