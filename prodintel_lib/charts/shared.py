"""What the charts share: the theme, turned on once, and times in UTC."""

from __future__ import annotations

from typing import Final

import polars as pl

from prodintel_lib.chart_theme import alt, enable

enable()

Plot = alt.TopLevelMixin
"""Any Altair chart: layered, concatenated or plain."""

ROW_PX: Final = 24


def utc(column: str, *, plus_us: int = 0) -> pl.Expr:
    """Return a column of microseconds as UTC datetimes, moved by `plus_us`."""
    return pl.from_epoch(pl.col(column) + plus_us, time_unit="us").dt.replace_time_zone("UTC")
