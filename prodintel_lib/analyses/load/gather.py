"""The heavy passes of load: read the lake part by part, and keep counts by bucket and by size."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, get_args

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.analyses.journeys.passes import routes_on_engine
from prodintel_lib.analyses.journeys.routes import learn_routes
from prodintel_lib.analyses.journeys.running import RunningSum, detached
from prodintel_lib.analyses.load.local_hours import QUARTER_S
from prodintel_lib.analyses.production.grid import join_quiet
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.privacy.fields import Kind
from prodintel_lib.rollups.arrivals import (
    ARRIVALS_KEYS,
    ARRIVALS_SCHEMA,
    PAYLOAD_SIZES_KEYS,
    PAYLOAD_SIZES_SCHEMA,
    build_arrivals,
    build_payload_sizes,
)
from prodintel_lib.rollups.load_requests import LoadSource, build_request_paths, load_requests
from prodintel_lib.rollups.load_steps import LOAD_STEPS_KEYS, LOAD_STEPS_SCHEMA, build_load_steps
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_KEYS, METRIC_BUCKETS_SCHEMA, build_metric_buckets
from prodintel_lib.rollups.recorded import RECORDED_SCHEMA, build_recorded
from prodintel_lib.tables import RUM_BUCKETS, RUM_EVENTS, SPANS
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.rollups.load_requests import Callers

TABLE_OF: Final[dict[LoadSource, str]] = {"spans": SPANS.name, "rum": RUM_EVENTS.name}
SERVER_TABLES: Final = ("spans", "logs", "metrics")
ROWS_AT_ONCE: Final = 4_000_000
"""A part of the lake holds about so many rows at most, so that what is held at once does not grow with the window."""

MARGIN_S: Final = 600.0
"""Parents of spans are looked for so long before and after a part."""

_PATHS_SCHEMA: Final = {"url_path": pl.String(), "views": pl.Int64(), "bad": pl.Int64()}


@dataclass(frozen=True, slots=True, eq=False)
class LoadHistory:
    """The requests of a window, counted: small frames, people replaced.

    Attributes
    ----------
    window : Window
    source : {"spans", "rum"}
    bucket_s : int
        Width of a bucket, seconds.
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    sizes : polars.DataFrame
        Columns of arrivals.PAYLOAD_SIZES_SCHEMA.
    recorded_us : array of int or None
        Starts of the buckets in which anything of a server was recorded, quiet ones between them included
        (production.grid.join_quiet): what measure_profiles takes. None where only browsers or access logs were.
    routes : polars.DataFrame or None
        ``url_path, route``: the templates that were learned for ``rum``, as recorded: for load_requests, and not for
        what leaves the lake.
    digest : str
    """

    window: Window
    source: LoadSource
    bucket_s: int
    arrivals: pl.DataFrame
    sizes: pl.DataFrame
    recorded_us: NDArray[np.int64] | None
    routes: pl.DataFrame | None
    digest: str


def gather_load(
    view: LakeView, *, window: Window, source: LoadSource, bucket_s: int = 60, callers: Callers = "people"
) -> LoadHistory:
    """Count the requests of a window.

    Parameters
    ----------
    view : LakeView
    window : Window
    source : {"spans", "rum"}
        As load_requests.load_requests takes it.
    bucket_s : int
        Width of a bucket, seconds; it divides a quarter of an hour.
    callers : {"people", "machines", "all"}

    Raises
    ------
    NoDataError
        If the source holds nothing in the window.
    ParameterError
        If the source, the callers or the width cannot be used.
    """
    if source not in get_args(LoadSource):
        raise ParameterError.unknown("source", source, known=get_args(LoadSource))
    if bucket_s < 1 or QUARTER_S % bucket_s:
        raise ParameterError(
            f"The width of a bucket must divide a quarter of an hour; it is {bucket_s} s.", hint="60 s are usual."
        )
    rows = _recorded_rows(view, TABLE_OF[source], window, QUARTER_S)
    if rows.is_empty():
        raise NoDataError(
            f"Nothing of `{TABLE_OF[source]}` was recorded in {window.label()}.",
            hint="choose a window that holds data, or the other source.",
        )
    routes = _learned(view, window) if source == "rum" else None
    sizes, arrivals = RunningSum(PAYLOAD_SIZES_KEYS), []
    with routes_on_engine(routes, view.engine) if routes is not None else nullcontext() as learned:
        for part in _parts(rows, window):
            requests = _requests_of(view, part, source, callers, learned)
            counted = build_arrivals(requests, bucket_s=bucket_s)
            arrivals.append(detached(view.collect(counted, schema=ARRIVALS_SCHEMA, sort_by=ARRIVALS_KEYS)))
            measured = build_payload_sizes(requests)
            sizes.add(view.collect(measured, schema=PAYLOAD_SIZES_SCHEMA, sort_by=PAYLOAD_SIZES_KEYS))
    # Parts end at the edges of buckets: no bucket is in two of them.
    whole = pl.concat(arrivals).sort(ARRIVALS_KEYS)
    return LoadHistory(
        window=window,
        source=source,
        bucket_s=bucket_s,
        arrivals=whole,
        sizes=sizes.total(),
        recorded_us=_recorded(view, window, bucket_s) if source == "spans" else None,
        routes=routes,
        digest=digest_of(window.label(), source, str(bucket_s), whole.write_csv()),
    )


def gather_steps(
    view: LakeView,
    *,
    window: Window,
    source: LoadSource,
    gap_min: float = 30.0,
    callers: Callers = "people",
    routes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """List what each visitor of a window asked for, cut into sessions.

    Parameters
    ----------
    view : LakeView
    window : Window
        A session that goes on beyond it is cut there.
    source : {"spans", "rum"}
    gap_min : float
        Minutes without a request that end a session.
    callers : {"people", "machines", "all"}
    routes : polars.DataFrame, optional
        LoadHistory.routes, so that endpoints are called the same.

    Returns
    -------
    polars.DataFrame
        Columns of load_steps.LOAD_STEPS_SCHEMA, by session and step; people replaced. It is as long as there are
        requests: visitors of browsers and access logs are gone through a part at a time, those of spans at once.
    """
    parts: int = 1
    if source == "rum":
        rows = int(_recorded_rows(view, RUM_EVENTS.name, window, QUARTER_S)["rows"].sum())
        parts = min(RUM_BUCKETS, max(1, -(-rows // ROWS_AT_ONCE)))
    found = []
    with routes_on_engine(routes, view.engine) if routes is not None else nullcontext() as learned:
        for number in range(parts):
            requests = _requests_of(view, window, source, callers, learned, bucket=(number, parts))
            steps = collect(
                build_load_steps(requests, gap_min=gap_min), schema=LOAD_STEPS_SCHEMA, sort_by=LOAD_STEPS_KEYS
            )
            found.append(view.private.frame(steps, columns={"session_key": Kind.ID}))
    return pl.concat(found).sort(LOAD_STEPS_KEYS)


def gather_utilisation(view: LakeView, *, window: Window, bucket_s: int = 60) -> pl.DataFrame:
    """Sum up the metrics of a window by bucket, for measure_headroom.

    Returns
    -------
    polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA; people replaced.
    """
    measured = build_metric_buckets(view.scan("metrics", window), bucket_s=bucket_s)
    return view.collect(measured, schema=METRIC_BUCKETS_SCHEMA, sort_by=METRIC_BUCKETS_KEYS)


def _recorded_rows(view: LakeView, table: str, window: Window, bucket_s: int) -> pl.DataFrame:
    lazy = build_recorded(view.scan(table, window), bucket_s=bucket_s)
    return collect(lazy, schema=RECORDED_SCHEMA, sort_by=["bucket_us"])


def _recorded(view: LakeView, window: Window, bucket_s: int) -> NDArray[np.int64]:
    starts = [_recorded_rows(view, table, window, bucket_s)["bucket_us"].to_numpy() for table in SERVER_TABLES]
    return join_quiet(np.unique(np.concatenate(starts)), bucket_us=bucket_s * US_PER_S)


def _learned(view: LakeView, window: Window) -> pl.DataFrame:
    lazy = build_request_paths(view.scan(RUM_EVENTS.name, window))
    return learn_routes(collect(lazy, schema=_PATHS_SCHEMA, sort_by=["url_path"]))


def _parts(rows: pl.DataFrame, window: Window) -> list[Window]:
    """Divide the window into parts of about ROWS_AT_ONCE rows, at quarters of an hour, in order of time."""
    part = (pl.col("rows").cum_sum() - pl.col("rows")) // ROWS_AT_ONCE
    starts = rows.sort("bucket_us").group_by(part.alias("part")).agg(pl.col("bucket_us").min())["bucket_us"].sort()
    inner = [start_us for start_us in starts[1:] if window.contains(start_us)]
    return [Window(start_us, end_us) for start_us, end_us in pairwise([window.start_us, *inner, window.end_us])]


def _requests_of(
    view: LakeView,
    part: Window,
    source: LoadSource,
    callers: Callers,
    routes: nw.LazyFrame[Any] | None,
    *,
    bucket: tuple[int, int] = (0, 1),
) -> nw.LazyFrame[Any]:
    """Return the requests of a part of the time, and of one of so many parts of the visitors of browsers."""
    wide = part.widened(before_s=MARGIN_S, after_s=MARGIN_S) if source == "spans" else part
    number, parts = bucket
    # A range, and not every n-th bucket: files and groups of rows outside it are then left unread.
    low, high = (RUM_BUCKETS * edge // parts for edge in (number, number + 1))
    events = view.scan(RUM_EVENTS.name, wide).filter(nw.col("user_bucket") >= low, nw.col("user_bucket") < high)
    asked = load_requests(view.scan(SPANS.name, wide), events, source=source, callers=callers, routes=routes)
    return asked.filter(nw.col("time_us") >= part.start_us, nw.col("time_us") < part.end_us)
