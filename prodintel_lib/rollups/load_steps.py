"""What each visitor asked for in turn, cut into sessions: the steps that behaviour is learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

LOAD_STEPS_KEYS: Final = ("session_key", "step_no")
LOAD_STEPS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session_key": pl.String(),
    "step_no": pl.Int64(),
    "time_us": pl.Int64(),
    "endpoint": pl.String(),
    "gap_s": pl.Float64(),
    "duration_ms": pl.Float64(),
}
_MINUTE_US: Final = 60 * US_PER_S
# Of what one visitor asks for at one moment the order is not known: these make it the same everywhere.
_ORDER: Final[Sequence[str]] = ("time_us", "endpoint", "_duration")
_NOT_KNOWN: Final = -1.0
# Among requests that are alike in all of it, the one that waited comes first: the session begins with it.
_IN_SESSION: Final[Sequence[str]] = (*_ORDER, "_waited_last_us")
_BEFORE_ALL: Final = -(1 << 62)


def build_load_steps(requests: nw.LazyFrame[Any], *, gap_min: float) -> nw.LazyFrame[Any]:
    """Put each visitor's requests in order, cut into sessions.

    Parameters
    ----------
    requests : narwhals.LazyFrame
        As load_requests.load_requests makes it; whole visitors. Requests that name no visitor are left out: they belong
        to no session.
    gap_min : float
        Minutes without a request that end a session.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LOAD_STEPS_SCHEMA, unordered, a row a request:

        - ``session_key``: the visitor and the number of the piece a gap has cut off, joined by ``|``; the number counts
          within the rows given
        - ``step_no``: from 1
        - ``gap_s``: from the beginning of the step before to that of this one; null at the first step
        - ``duration_ms``: of the step itself, so that a think time is the gap without the duration of the step before

    Raises
    ------
    ParameterError
        If `gap_min` is not positive.
    """
    if gap_min <= 0:
        raise ParameterError(
            f"A session ends after a gap of more than nothing; `gap_min` is {gap_min:g}.", hint="30 minutes are usual."
        )
    gap_us = round(gap_min * _MINUTE_US)
    # Nulls do not sort alike on every engine.
    known = requests.filter(nw.col("visitor") != nw.lit("")).select(
        "visitor", "time_us", "endpoint", "duration_ms", nw.col("duration_ms").fill_null(_NOT_KNOWN).alias("_duration")
    )
    waited_us = nw.col("time_us") - nw.col("time_us").shift(1).over("visitor", order_by=_ORDER)
    waited = known.with_columns(waited_us.alias("_waited_us"))
    begins = nw.col("_waited_us").is_null() | (nw.col("_waited_us") >= gap_us)
    marked = waited.with_columns(
        begins.cast(nw.Int64).alias("_begins"),
        (0 - nw.col("_waited_us")).fill_null(_BEFORE_ALL).alias("_waited_last_us"),
        nw.lit(1).cast(nw.Int64).alias("_one"),
    )
    pieces = marked.with_columns(
        nw.col("_begins").cum_sum().over("visitor", order_by=_IN_SESSION).cast(nw.Int64).alias("_piece")
    )
    step_no = nw.col("_one").cum_sum().over("visitor", "_piece", order_by=_IN_SESSION)
    gap_s = nw.when(nw.col("_begins") == 0).then(nw.col("_waited_us") / US_PER_S)
    return pieces.select(
        nw.concat_str(nw.col("visitor"), nw.col("_piece").cast(nw.String), separator="|").alias("session_key"),
        step_no.cast(nw.Int64).alias("step_no"),
        "time_us",
        "endpoint",
        gap_s.alias("gap_s"),
        "duration_ms",
    )
