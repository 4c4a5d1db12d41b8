"""The one cut that every analysis makes: the rows of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from prodintel_lib.windows import Window


def within(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return the rows whose ``time_us`` lies in the half-open window."""
    return frame.filter(pl.col("time_us").is_between(window.start_us, window.end_us, closed="left"))
