"""Series of visits: how many convert, where they begin, and what goes wrong in their browsers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.production.grid import join_quiet
from prodintel_lib.analyses.production.layout import Columns, Rows, choose_rows, to_signal
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.analyses.production.model import Production, SignalSet

MIN_JOURNEYS: Final = 2
"""The share of the only journey is always all."""

_GRAINS: Final = (("journey", "journey ", ""),)


def build_visit_series(production: Production, *, min_sessions: int, max_series: int) -> Iterator[SignalSet | None]:
    """Yield the signals of visits, in buckets of ``production.visit_bucket_s``.

    - ``conversion``: sessions that converted, of those that ended; of all, and by the page they began on
    - ``journey_mix``: sessions that began on a page, of all that ended
    - ``frontend_errors``: errors of browsers by page views; of all, and by page

    What is of all journeys has an empty ``route``.
    """
    visits = production.visits
    if visits.is_empty():
        return
    bucket_us = production.visit_bucket_s * US_PER_S
    recorded_us = join_quiet(visits["bucket_us"].unique().sort().to_numpy(), bucket_us=bucket_us)
    columns = Columns.of(production, recorded_us, bucket_us=bucket_us)
    by_page = visits.filter(pl.col("journey") != "").rename({"journey": "route"})
    of_all = visits.with_columns(pl.lit("").alias("journey")).rename({"journey": "route"})
    cells = pl.concat([of_all, by_page]).with_columns(pl.lit("journey").alias("grain"))
    ended = choose_rows(cells, columns, grains=_GRAINS, weight="sessions", least=min_sessions, most=max_series)
    seen = choose_rows(cells, columns, grains=_GRAINS, weight="views", least=min_sessions, most=max_series)
    if visits["converted"].sum():
        sessions = ended.dense("sessions", columns)
        converted = np.where(sessions > 0, ended.dense("converted", columns), math.nan)
        yield to_signal("conversion", ended, columns, values=converted, exposure=sessions, kind="ratio", worse=-1)
    yield _journey_mix(ended, columns)
    views = seen.dense("views", columns)
    errors = np.where(views > 0, seen.dense("errors", columns), math.nan)
    yield to_signal("frontend_errors", seen, columns, values=errors, exposure=views, kind="count", worse=1)


def _journey_mix(ended: Rows, columns: Columns) -> SignalSet | None:
    """Divide the sessions of each journey by those of all: the first row, where there are any."""
    sessions = ended.dense("sessions", columns)
    if len(sessions) < MIN_JOURNEYS + 1:
        return None
    of_all = np.broadcast_to(sessions[:1], sessions[1:].shape)
    values = np.where(of_all > 0, sessions[1:], math.nan)
    journeys = Rows(ended.about[1:], ended.cells, ended.left_out, ended.too_few)
    return to_signal("journey_mix", journeys, columns, values=values, exposure=of_all, kind="ratio", worse=0)
