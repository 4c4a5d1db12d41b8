"""Sessions that met an error pattern, and sessions on the same page that met nothing: for tests and for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import name_patterns
from prodintel_lib.analyses.journeys.exemplars import name_session
from prodintel_lib.analyses.journeys.passes import NATIVE_ENGINE, routes_on_engine
from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_errors import (
    ERROR_TEXTS,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    build_session_errors,
)
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.rollups.rum_sorted_uses import ERRORS_LOOKED_UP, list_session_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.journeys.passes import Passes, Slice

MOST: Final = 3
_NAMED: Final = ("user_bucket", "start_us", "visitor_id", "session_id")
_SESSIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "start_us": pl.Int64(),
    "visitor_id": pl.String(),
    "user_bucket": pl.Int64(),
    "session_id": pl.String(),
    "events": pl.Int64(),
}
_VISITS_SCHEMA: Final[dict[str, pl.DataType]] = {"session_key": pl.String(), "route": pl.String()}
# What build_session_errors needs, and what names a session.
_USED: Final = (
    "session_key", "view_no", "time_us", "visitor_id", "user_bucket", "session_id", "event_kind", "event_name", "route",
    "url_path", "utc_offset_min", "error_source", "error_type", "exception_message", "exception_stacktrace",
    "target_role", "target_name", "target_test_id", "target_selector",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorSessions:
    """Names of sessions for one_session.read_session; the shortest first.

    Attributes
    ----------
    met : tuple of str
        Sessions that met the pattern.
    healthy : tuple of str
        Sessions that were on the same page and met no error at all.
    """

    met: tuple[str, ...]
    healthy: tuple[str, ...]


def find_error_sessions(passes: Passes, patterns: pl.DataFrame, *, most: int = MOST) -> dict[str, ErrorSessions]:
    """Find sessions for each of some patterns.

    Parameters
    ----------
    passes : Passes
        Only as many parts are gone through as it takes to have `most` sessions on both sides of every pattern.
    patterns : polars.DataFrame
        ``pattern_id, page`` of FrontEndErrors.patterns.
    most : int
        Sessions on either side.

    Returns
    -------
    dict of pattern_id to ErrorSessions
    """
    pages = dict(patterns.select("pattern_id", "page").iter_rows())
    met: dict[str, list[dict[str, Any]]] = {name: [] for name in pages}
    healthy: dict[str, list[dict[str, Any]]] = {name: [] for name in pages}
    for which in passes.slices:
        sessions, errors, visits = _read(passes, which)
        for name, page in pages.items():
            mine = errors.filter(pl.col("pattern_id") == name).select("session_key").unique()
            met[name] += _shortest(sessions.join(mine, on="session_key", how="semi"), most)
            seen = visits if page == "*" else visits.filter(pl.col("route") == page)
            well = seen.select("session_key").unique().join(errors, on="session_key", how="anti")
            healthy[name] += _shortest(sessions.join(well, on="session_key", how="semi"), most)
        if all(len(met[name]) >= most and len(healthy[name]) >= most for name in pages):
            break
    return {name: ErrorSessions(_names(met[name], most), _names(healthy[name], most)) for name in pages}


def _read(passes: Passes, which: Slice) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the sessions of a part, its errors with their patterns, and the pages each session was on."""
    is_native = passes.view.engine == NATIVE_ENGINE
    sessions, errors, visits = _read_sorted(passes, which) if is_native else _read_portable(passes, which)
    texts = errors.select(ERROR_TEXTS).unique(maintain_order=True)
    named = texts.with_columns(name_patterns(passes.view.private.frame(texts))["pattern_id"])
    return sessions, errors.join(named, on=list(ERROR_TEXTS), how="left", maintain_order="left"), visits


def _read_sorted(passes: Passes, which: Slice) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Read a part on Polars; the number of a session stands for its key."""
    events, sessions = passes.sort(which, keep=ERRORS_LOOKED_UP)
    counts = events.rows.group_by("session_no").agg(pl.len().cast(pl.Int64).alias("events"))
    named = sessions.select("session_no", *_NAMED).join(counts, on="session_no", maintain_order="left")
    visits = events.rows.filter("is_view").select("session_no", "route").unique()
    return (
        named.rename({"session_no": "session_key"}),
        list_session_errors(events).with_columns(pl.col("route").cast(pl.String)).rename({"session_no": "session_key"}),
        visits.select(pl.col("session_no").alias("session_key"), pl.col("route").cast(pl.String)),
    )


def _read_portable(passes: Passes, which: Slice) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    with routes_on_engine(passes.routes, passes.view.engine) as routes:
        events = build_session_events(passes.scan(which), gap_min=passes.gap_min, routes=routes).select(*_USED)
        sessions = collect(
            events.group_by("session_key").agg(
                nw.col("time_us").min().alias("start_us"),
                nw.col("visitor_id").min(),
                nw.col("user_bucket").min(),
                nw.col("session_id").max(),
                nw.len().alias("events"),
            ),
            schema=_SESSIONS_SCHEMA,
            sort_by=["session_key"],
        )
        errors = collect(
            build_session_errors(events, conversions=passes.conversions),
            schema=SESSION_ERRORS_SCHEMA,
            sort_by=SESSION_ERRORS_KEYS,
        )
        visits = collect(
            events.filter(nw.col("event_kind") == "view").select("session_key", "route").unique(),
            schema=_VISITS_SCHEMA,
            sort_by=list(_VISITS_SCHEMA),
        )
    return sessions, errors, visits


def _shortest(sessions: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    """Return the sessions with the fewest events: the quickest to read, and the test with the least in it."""
    return sessions.sort("events", "start_us", "visitor_id").head(most).select("events", *_NAMED).to_dicts()


def _names(rows: Sequence[dict[str, Any]], most: int) -> tuple[str, ...]:
    ranked = sorted(rows, key=lambda row: (row["events"], row["start_us"], row["visitor_id"]))
    return tuple(name_session(*(row[name] for name in _NAMED)) for row in ranked[:most])
