"""Every series that detectors judge: errors, latency, traffic, saturation, logs and visits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomalies.model import DAY_US
from prodintel_lib.analyses.production.latency import count_slow
from prodintel_lib.analyses.production.layout import Columns, Rows, choose_rows, to_signal
from prodintel_lib.analyses.production.saturation import build_saturation_levels
from prodintel_lib.analyses.production.visit_series import build_visit_series
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prodintel_lib.analyses.production.model import Production, SignalSet

MAX_SERIES: Final = 1000
MIN_POINTS: Final = 3
"""A metric or a log with fewer points has no past to be judged by."""

_GRAINS: Final = (
    ("service", "service ", ""),
    ("route", "", ": "),
    ("region", "region ", ""),
    ("release", "", " release "),
)  # fmt: skip
_COUNTS: Final = ("requests", "failed")
_SUMS: Final = (*_COUNTS, "timed", "slow")
_NAME: Final = pl.Categorical()


def build_series(
    production: Production, *, min_requests: int = 30, max_series: int = MAX_SERIES
) -> tuple[SignalSet, ...]:
    """Bring production to the series that detectors judge.

    Parameters
    ----------
    production : Production
    min_requests : int
        Series with fewer requests (or sessions, or page views) in history and window are left out.
    max_series : int
        Of each signal at most so many are made, those with the most traffic first.

    Returns
    -------
    tuple of SignalSet
        Those that there is anything of, in this order:

        - ``error_ratio``: failed of all requests
        - ``latency``: of all requests, those slower than nine in ten of their own route were before, whatever the
          series they are summed up in (latency.count_slow): a change of who asks for what is none of how slow it is
        - ``throughput``: requests; 0 in a bucket in which the service was recorded and not asked
        - ``saturation``: levels of what is limited (saturation.build_saturation_levels), shares where limits are known;
          of services without traces every metric
        - ``log_errors``: error records; 0 in a bucket in which the service was recorded and logged none
        - ``conversion``, ``journey_mix``, ``frontend_errors``: see visit_series.build_visit_series

        The first four are there for services, routes, regions and releases (of entry requests where it is a region;
        of a service where it had more than one release, and without throughput); metrics and logs for services.

    Raises
    ------
    ParameterError
        If `min_requests` or `max_series` is not positive.

    Notes
    -----
    What was not recorded is missing. The first and the last bucket of a stretch of recording were recorded in part:
    counts (``throughput``, ``log_errors``) are missing there, ratios are not. What lies in a known incident before the
    window, or within ten minutes of it, is missing: it is not what production is like.
    """
    if min(min_requests, max_series) < 1:
        raise ParameterError(
            f"At least one request and one series are needed; asked for {min_requests} and {max_series}.",
            hint="leave both out for 30 and 1,000.",
        )
    columns = Columns.of(production, production.recorded_us, bucket_us=production.bucket_us)
    found = [
        *_request_signals(production, columns, min_requests, max_series),
        _saturation(production, columns, max_series),
        _log_errors(production, columns, max_series),
        *build_visit_series(production, min_sessions=min_requests, max_series=max_series),
    ]
    return tuple(signal for signal in found if signal is not None)


def _request_signals(production: Production, columns: Columns, least: int, most: int) -> Iterator[SignalSet | None]:
    if production.requests.is_empty():
        return
    day = max(1, DAY_US // production.bucket_us)
    cells = _cells_of_requests(production.requests, columns, points_a_day=day, most=max(most, MAX_SERIES))
    rows = choose_rows(cells, columns, grains=_GRAINS, weight="requests", least=least, most=most)
    requests, failed = rows.dense("requests", columns), rows.dense("failed", columns)
    errors = np.where(requests > 0, failed, math.nan)
    yield to_signal("error_ratio", rows, columns, values=errors, exposure=requests, kind="ratio", worse=1)
    timed, slow = rows.dense("timed", columns), rows.dense("slow", columns)
    slower = np.where(timed > 0, slow, math.nan)
    yield to_signal("latency", rows, columns, values=slower, exposure=timed, kind="ratio", worse=1)
    if rows.about.is_empty():
        return
    is_steady = (rows.about["grain"] != "release").to_numpy()
    steady = Rows(rows.about.filter(is_steady), rows.cells, rows.left_out, rows.too_few)
    observed = _is_observed(production, steady.about, columns)
    traffic = np.where(observed & ~columns.is_edge, requests[is_steady], math.nan)
    yield to_signal("throughput", steady, columns, values=traffic, exposure=None, kind="count", worse=0)


def _cells_of_requests(requests: pl.DataFrame, columns: Columns, *, points_a_day: int, most: int) -> pl.DataFrame:
    """Sum up the requests of each series: ``grain``, what names it, ``bucket_us`` and the columns of _SUMS."""
    named = ("service_name", "route", "region", "release")
    # A few names in millions of rows: their numbers are grouped several times as fast as the texts.
    numbered = requests.select(
        "bucket_us", pl.col(named).cast(_NAME), "is_entry", pl.col("bin").cast(pl.Int16), *_COUNTS
    )
    small = numbered.group_by("bucket_us", *named, "is_entry", "bin").agg(pl.col(_COUNTS).sum())
    small = small.with_columns(pl.Series("column", columns.place(small["bucket_us"]), dtype=pl.Int32))
    learn = ~columns.is_abnormal
    small = count_slow(small, points=len(columns), points_a_day=points_a_day, learn=learn, most=most)
    several = pl.col("release").n_unique().over("service_name") > 1
    entries = small.filter("is_entry", pl.col("region") != "")
    # A route is compared with itself or not at all: what its service is like would be news of the others.
    own = small.with_columns(timed="timed_by_route", slow="slow_by_route").filter(pl.col("route") != "")
    parts = (
        ("service", ("service_name",), small),
        ("route", ("service_name", "route"), own),
        ("region", ("region",), entries if entries["region"].n_unique() > 1 else entries.clear()),
        ("release", ("service_name", "release"), small.filter(several, pl.col("release") != "")),
    )
    empty = {name: pl.lit("").cast(_NAME).alias(name) for name in named}
    return pl.concat(
        part.group_by("bucket_us", *keys)
        .agg(pl.col(_SUMS).sum())
        .with_columns(pl.lit(grain).cast(_NAME).alias("grain"), *(empty[name] for name in named if name not in keys))
        .select("grain", *named, "bucket_us", *_SUMS)
        for grain, keys, part in parts
    )


def _is_observed(production: Production, about: pl.DataFrame, columns: Columns) -> NDArray[np.bool_]:
    """Say in which columns the service of each series was recorded, so that no request means none was made.

    From the first sign of the service in a stretch of recording to the stretch's end, and not before the first request
    of anyone: metrics that were there before traces say nothing of requests.
    """
    asked = _first_columns(production.requests.select("bucket_us"), columns)
    seen = {
        service: np.maximum(first, asked)
        for service, first in _signs_of_life(production, columns, about["service_name"].unique().to_list()).items()
    }
    at = np.arange(len(columns))
    begins = np.stack([seen[service] for service in about["service_name"]])
    is_recorded = columns.stretch >= 0
    return is_recorded & (at >= np.where(is_recorded, begins[:, columns.stretch], 0))


def _signs_of_life(production: Production, columns: Columns, services: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return the first column of each service in each stretch; of all together where the name is empty."""
    frames = (production.requests, production.metrics, production.log_levels)
    signs = pl.concat(frame.select("bucket_us", "service_name").unique() for frame in frames).unique()
    by_service = {str(key[0]): part for key, part in signs.group_by("service_name")}
    of_all = production.requests.select("bucket_us")
    return {service: _first_columns(by_service[service] if service else of_all, columns) for service in services}


def _first_columns(signs: pl.DataFrame, columns: Columns) -> NDArray[np.int64]:
    """Return the first column of each stretch that has a sign; beyond the last column where it has none."""
    firsts = np.full(int(columns.stretch.max()) + 1, len(columns), dtype=np.int64)
    places = columns.place(signs["bucket_us"])
    np.minimum.at(firsts, columns.stretch[places], places)
    return firsts


def _saturation(production: Production, columns: Columns, most: int) -> SignalSet | None:
    traced = production.requests["service_name"].unique().to_list()
    levels = build_saturation_levels(production.metrics, traced=traced).with_columns(pl.lit("metric").alias("grain"))
    if levels.is_empty():
        return None
    rows = choose_rows(levels, columns, grains=(("metric", "", " "),), weight="n", least=MIN_POINTS, most=most)
    counted, sums = rows.dense("n", columns) > 0, rows.dense("value", columns)
    values = np.where(counted, sums, math.nan)
    worse = rows.cells.group_by("row").agg(pl.col("worse").first()).sort("row")["worse"]
    return to_signal("saturation", rows, columns, values=values, exposure=None, kind="level", worse=pl.lit(worse))


def _log_errors(production: Production, columns: Columns, most: int) -> SignalSet | None:
    cells = production.log_levels.with_columns(pl.lit("service").alias("grain"))
    if cells.is_empty():
        return None
    rows = choose_rows(
        cells, columns, grains=(("service", "service ", ""),), weight="rows", least=MIN_POINTS, most=most
    )
    lives = _signs_of_life(production, columns, rows.about["service_name"].to_list())
    is_recorded = columns.stretch >= 0
    begins = np.stack([lives[service] for service in rows.about["service_name"]])
    observed = is_recorded & (np.arange(len(columns)) >= np.where(is_recorded, begins[:, columns.stretch], 0))
    errors = np.where(observed & ~columns.is_edge, rows.dense("errors", columns), math.nan)
    return to_signal("log_errors", rows, columns, values=errors, exposure=None, kind="count", worse=1)
