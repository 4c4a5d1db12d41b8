"""Sessions without the requests that nobody can send again, so that a load test does not end at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.load_steps import LOAD_STEPS_KEYS
from prodintel_lib.scenarios.load_model.feeders import find_sendable
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from prodintel_lib.scenarios.load_model.exchanges import Exchanges


def keep_sendable(steps: pl.DataFrame, exchanges: Exchanges) -> pl.DataFrame:
    """Leave out the steps of which nothing can be sent again, such as a POST whose body nobody recorded.

    Behaviour that is learned from what is left goes on where the step was, after the gaps before and behind it.

    Parameters
    ----------
    steps : polars.DataFrame
        Columns of load_steps.LOAD_STEPS_SCHEMA.
    exchanges : Exchanges
        Of the same requests, endpoints called the same.

    Returns
    -------
    polars.DataFrame
        The same columns, steps numbered anew. Sessions of which nothing is left are not in it.

    Raises
    ------
    NoDataError
        If nothing at all can be sent.
    """
    sendable = sorted(find_sendable(exchanges))
    kept = steps.filter(pl.col("endpoint").is_in(sendable)).sort(LOAD_STEPS_KEYS)
    if kept.is_empty():
        raise NoDataError(
            "Nothing that was recorded can be sent again: no request has a method and a path, and a body where it "
            "needs one.",
            hint="record the path of each request, and the bodies of those that write.",
        )
    waited_us = pl.col("time_us") - pl.col("time_us").shift(1).over("session_key")
    return kept.with_columns(
        (pl.int_range(pl.len(), dtype=pl.Int64).over("session_key") + 1).alias("step_no"),
        (waited_us / US_PER_S).alias("gap_s"),
    )
