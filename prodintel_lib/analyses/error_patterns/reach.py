"""Who got the failure: how the requests ended in which an error occurred, and how the next try went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.engines import collect
from prodintel_lib.rollups.requests import REQUESTS_SCHEMA, build_requests
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.windows import Window

SAMPLED: Final = 50
MAX_ASKED: Final = 5_000
NEXT_TRY_US: Final = 600 * US_PER_S
_CLIENT_ERROR: Final = 400
_ENTRY_SCHEMA: Final = {
    name: REQUESTS_SCHEMA[name]
    for name in (
        "time_us",
        "trace_id",
        "span_id",
        "session_id",
        "route",
        "http_response_status_code",
        "status_code",
        "failed",
    )
}
_SETTLED: Final = ("ok", "error")
NOBODY: Final = Proportion.of(0, 0)


@dataclass(frozen=True, slots=True)
class Reach:
    """Of a sample of a pattern's traces.

    Attributes
    ----------
    reached : Proportion
        Requests from outside in which it occurred that failed, or were refused, for whoever asked; n counts those of
        which it was recorded how they ended.
    mended : Proportion
        Sessions that met it whose next request of the same route, within ten minutes, went well; n counts those that
        asked again.
    """

    reached: Proportion = NOBODY
    mended: Proportion = NOBODY


def measure_reach(spans: nw.LazyFrame[Any], members: pl.DataFrame, *, window: Window) -> dict[str, Reach]:
    """Look up how the requests of each pattern's sample ended, and what the same sessions met next.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    members : polars.DataFrame
        ``pattern_id, member, sample_key, trace_id``; the SAMPLED with the smallest keys are looked up, of all patterns
        together at most MAX_ASKED traces.
    window : Window

    Returns
    -------
    dict of pattern_id to Reach
        Only patterns of which a request was found.
    """
    traced = members.filter(pl.col("trace_id") != "").unique(["pattern_id", "trace_id"])
    sample = (
        traced.sort("pattern_id", "sample_key", "trace_id").group_by("pattern_id", maintain_order=True).head(SAMPLED)
    ).select("pattern_id", "trace_id")
    asked = sample["trace_id"].unique().sort().head(MAX_ASKED)
    if asked.is_empty():
        return {}
    entries = build_requests(spans, window=window)
    met = _collect(entries, "trace_id", asked.to_list())
    sessions = met["session_id"].drop_nulls().unique().sort()
    later = _collect(entries, "session_id", sessions.to_list()) if len(sessions) else met.clear()
    ended = sample.join(met.with_columns(_went_wrong().alias("bad")), on="trace_id")
    tried = _next_tries(ended, later)
    reached = _proportions(ended.group_by("pattern_id", "trace_id").agg(pl.col("bad").any()), "bad")
    mended = _proportions(tried.group_by("pattern_id", "session_id").agg(pl.col("went_well").any()), "went_well")
    return {key: Reach(reached[key], mended.get(key, NOBODY)) for key in reached}


def _collect(entries: nw.LazyFrame[Any], column: str, values: Sequence[str]) -> pl.DataFrame:
    chosen = entries.filter(nw.col(column).is_in(list(values))).select(*_ENTRY_SCHEMA)
    entries_found = collect(chosen, schema=_ENTRY_SCHEMA, sort_by=("time_us", "trace_id", "span_id"))
    answered = pl.col("http_response_status_code").is_not_null() | pl.col("status_code").is_in(_SETTLED)
    return entries_found.filter(answered.fill_null(value=False) | pl.col("failed"))


def _went_wrong() -> pl.Expr:
    return pl.col("failed") | (pl.col("http_response_status_code") >= _CLIENT_ERROR).fill_null(value=False)


def _next_tries(ended: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Return, for each request that went wrong, whether the session's next one of its route went well."""
    wrong = ended.filter(pl.col("bad") & pl.col("session_id").is_not_null()).select(
        "pattern_id", "session_id", "route", "time_us"
    )
    tries = later.select("session_id", "route", "time_us", (~_went_wrong()).alias("went_well"))
    joined = wrong.join(tries, on=["session_id", "route"], suffix="_next").filter(
        (pl.col("time_us_next") > pl.col("time_us")) & (pl.col("time_us_next") <= pl.col("time_us") + NEXT_TRY_US)
    )
    return joined.sort("pattern_id", "session_id", "route", "time_us", "time_us_next").unique(
        ["pattern_id", "session_id", "route", "time_us"], keep="first", maintain_order=True
    )


def _proportions(rows: pl.DataFrame, column: str) -> dict[str, Proportion]:
    counted = rows.group_by("pattern_id").agg(pl.col(column).sum().alias("hits"), pl.len().alias("n"))
    return {key: Proportion.of(int(hits), int(n)) for key, hits, n in counted.iter_rows()}
