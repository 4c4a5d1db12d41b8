"""How many requests were in flight: one count of their overlap for all who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.engines import collect
from prodintel_lib.rollups.concurrency import CONCURRENCY_SCHEMA, build_concurrency

if TYPE_CHECKING:
    from prodintel_lib.windows import Window


def count_in_flight(requests: pl.DataFrame) -> pl.DataFrame:
    """Count the requests in flight over time.

    Parameters
    ----------
    requests : polars.DataFrame
        ``time_us, duration_ms``.

    Returns
    -------
    polars.DataFrame
        ``time_us, in_flight``: a row for each time at which the number may change (rollups.concurrency).
    """
    lazy = build_concurrency(nw.from_native(requests.lazy()))
    return collect(lazy, schema=CONCURRENCY_SCHEMA, sort_by=("time_us",))


def peak_in_flight(requests: pl.DataFrame, route: str, window: Window) -> int:
    """Return the most requests of a route in flight at once, of those that began in the window."""
    of_route = within(requests.filter(pl.col("route") == route), window)
    return int(str(count_in_flight(of_route)["in_flight"].max())) if of_route.height else 0


def count_company(requests: pl.DataFrame) -> list[int]:
    """Count, for each request, how many were in flight when it began, itself included."""
    counts = requests.select("time_us").join(count_in_flight(requests), on="time_us", how="left", maintain_order="left")
    return counts["in_flight"].to_list()
