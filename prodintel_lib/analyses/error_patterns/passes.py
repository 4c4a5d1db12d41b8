"""Go through the errors of the lake part by part: what is held at once does not grow with the window."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.routes import ROUTES_SCHEMA, learn_routes
from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.error_events import (
    DEFINITION_KEYS,
    DEFINITIONS_SCHEMA,
    ERROR_EVENTS_SCHEMA,
    build_error_definitions,
    build_error_events,
    build_error_rows,
)
from prodintel_lib.rollups.expressions import WARNING_NUMBER
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.telemetry import LakeView

ROWS_AT_ONCE: Final = 500_000
MARGIN_S: Final = 600.0
"""A span is looked for so long before and after the errors of a part: what was logged later in it counts apart."""

_NATIVE: Final = "polars"
_ROWS_SCHEMA: Final[dict[str, pl.DataType]] = {**ERROR_EVENTS_SCHEMA, "pattern_no": pl.Int64()}
_UNUSED: Final = (
    "message",
    "note",
    "stacktrace",
    "error_source",
    "field",
    "error_type",
    "level",
    "is_answer",
    "span_id",
)
NARROW_SCHEMA: Final = {name: dtype for name, dtype in _ROWS_SCHEMA.items() if name not in _UNUSED}
_KEYED_SCHEMA: Final = {
    **{name: dtype for name, dtype in DEFINITIONS_SCHEMA.items() if name in DEFINITION_KEYS},
    "pattern_no": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class ErrorPasses:
    """The errors of a lake, to be gone through twice: for what they say, and for what is counted.

    Attributes
    ----------
    view : LakeView
    slices : tuple of Window
        In order of time, disjoint.
    levels : tuple of str
        Of log records.
    routes : polars.DataFrame
        ``url_path, route``: learned from the paths of requests.
    """

    view: LakeView
    slices: tuple[Window, ...]
    levels: tuple[str, ...]
    routes: pl.DataFrame

    def definitions(self) -> pl.DataFrame:
        """Return what the errors of all slices say: DEFINITIONS_SCHEMA, each of DEFINITION_KEYS once."""
        with on_engine(self.routes, ROUTES_SCHEMA, self.view.engine) as routes:
            parts = [
                collect(
                    build_error_definitions(self._events(part, routes)),
                    schema=DEFINITIONS_SCHEMA,
                    sort_by=DEFINITION_KEYS,
                )
                for part in self.slices
            ]
        return _merged(parts)

    def rows(self, keys: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the errors of each slice with their pattern: NARROW_SCHEMA, in order of time.

        Parameters
        ----------
        keys : polars.DataFrame
            DEFINITION_KEYS and ``pattern_no``, as grouping.Grouping holds them.
        """
        engine = self.view.engine
        with (
            on_engine(self.routes, ROUTES_SCHEMA, engine) as routes,
            on_engine(keys, _KEYED_SCHEMA, engine) as patterns,
        ):
            for part in self.slices:
                found = build_error_rows(self._events(part, routes), patterns).select(*NARROW_SCHEMA)
                yield collect(found, schema=NARROW_SCHEMA, sort_by=list(NARROW_SCHEMA))

    def _events(self, part: Window, routes: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        wide = part.widened(before_s=MARGIN_S, after_s=MARGIN_S)
        events = build_error_events(
            self.view.scan("logs", wide),
            self.view.scan("spans", wide),
            self.view.scan("rum_events", part),
            levels=self.levels,
            routes=routes,
        )
        return events.filter(nw.col("time_us") >= part.start_us, nw.col("time_us") < part.end_us)


def open_error_passes(view: LakeView, windows: Sequence[Window], *, levels: Sequence[str]) -> ErrorPasses:
    """Learn the routes of requests, and decide in how many parts the windows are gone through.

    Parameters
    ----------
    view : LakeView
    windows : sequence of Window
        Disjoint.
    levels : sequence of str
    """
    paths = [collect(_paths(view, window), schema=_PATHS_SCHEMA, sort_by=["url_path"]) for window in windows]
    every = pl.concat(paths).group_by("url_path").agg(pl.col("views", "bad").sum()).sort("url_path")
    slices = tuple(part for window in windows for part in _cut(window, _count(view, window)))
    return ErrorPasses(view, slices, tuple(levels), learn_routes(every))


_PATHS_SCHEMA: Final[dict[str, pl.DataType]] = {"url_path": pl.String(), "views": pl.Int64(), "bad": pl.Int64()}
_COUNT_SCHEMA: Final[dict[str, pl.DataType]] = {"rows": pl.Int64()}
_CLIENT_ERROR: Final = 400


def _paths(view: LakeView, window: Window) -> nw.LazyFrame[Any]:
    """Count the paths of pages and requests that the source gives no template for."""
    events = view.scan("rum_events", window).with_columns(nw.coalesce("request_path", "url_path").alias("asked"))
    seen = events.filter(
        nw.col("event_kind").is_in(["view", "request"]), nw.col("http_route").is_null(), ~nw.col("asked").is_null()
    )
    bad = (nw.col("http_response_status_code") >= _CLIENT_ERROR).fill_null(value=False).cast(nw.Int64)
    counted = seen.with_columns(bad.alias("bad")).group_by("asked").agg(nw.len().alias("views"), nw.col("bad").sum())
    return counted.select(nw.col("asked").alias("url_path"), "views", "bad")


def _count(view: LakeView, window: Window) -> int:
    """Return how many rows there are at most to be errors."""
    logs = view.scan("logs", window).filter((nw.col("severity_number") >= WARNING_NUMBER).fill_null(value=True))
    tables = [logs, view.scan("spans", window).filter(nw.col("status_code") == nw.lit("error"))]
    tables.append(view.scan("rum_events", window).filter(nw.col("event_kind").is_in(["error", "request"])))
    counts = [collect(part.select(nw.len().alias("rows")), schema=_COUNT_SCHEMA, sort_by=["rows"]) for part in tables]
    return sum(int(part.item()) for part in counts)


def _cut(window: Window, rows: int) -> list[Window]:
    """Divide a window into equal stretches of at most about ROWS_AT_ONCE rows."""
    pieces = max(1, min(-(-rows // ROWS_AT_ONCE), int(window.duration_s)))
    edges = [window.start_us + (window.end_us - window.start_us) * piece // pieces for piece in range(pieces + 1)]
    return [Window(start, end) for start, end in pairwise(edges)]


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    merged = pl.concat(parts).group_by(DEFINITION_KEYS).agg(
        pl.col("rows").sum(), pl.col("first_us").min(), pl.col("last_us").max(), pl.col("^example.*$").min()
    )  # fmt: skip
    return merged.select(DEFINITIONS_SCHEMA.keys()).sort(DEFINITION_KEYS)


@contextmanager
def on_engine(frame: pl.DataFrame, schema: dict[str, pl.DataType], engine: str) -> Iterator[nw.LazyFrame[Any]]:
    """Hand a small frame to an engine: a file is what they all can read."""
    if engine == _NATIVE:
        yield nw.from_native(frame.lazy())
        return
    with tempfile.TemporaryDirectory(prefix="prodintel-errors-") as folder:
        file = Path(folder, "frame.parquet")
        frame.select(schema.keys()).write_parquet(file)
        yield scan_parquet([file], schema=schema, engine=engine)
