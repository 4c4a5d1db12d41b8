"""The made-up month once more as spans in a lake, so that its frames come the way that production's come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from benchmarks.anomalies.month import draw_requests
from benchmarks.anomalies.month_plan import (
    BUCKET_S,
    BUCKETS,
    BUCKETS_AN_HOUR,
    EDGES,
    START,
    draw_liveliness,
    usual_load,
)
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import US_PER_S, to_us
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from benchmarks.anomalies.month import Drawn
    from benchmarks.anomalies.month_plan import Plan
    from prodintel_lib.workspace import Workspace

BUCKETS_A_DAY: Final = 24 * BUCKETS_AN_HOUR
NOBODY: Final = -1
LOST: Final = -2
"""The parent of an entry, and that of a call in whose bucket its caller has no span."""
CONFIG: Final = """name: made-up-month
sources:
  - path: "*.parquet"
    table: spans
    columns:
      time_us: started_us
      duration_ms: duration_ms
      trace_id: trace
      span_id: span
      parent_span_id: parent
      span_name: operation
      span_kind: kind
      service_name: service
      service_version: version
      http_request_method: method
      http_route: route
      http_response_status_code: status
privacy:
  made_up_data_phrase: nobody was there
"""


def write_spans(plan: Plan, chance: Generator, folder: Path) -> Workspace:
    """Write the requests of `make_month` with the same plan and seed as server spans, and read them into a lake.

    Each call has a span of its caller's as parent, of the same bucket: enough to tell entries from calls, and who calls
    whom. When in its bucket a request begins is drawn besides.
    """
    (folder / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
    moment = np.random.default_rng(0)
    load = usual_load() * draw_liveliness(chance)
    spans = pl.concat(
        [_span_numbers(number, drawn, moment) for number, drawn in enumerate(draw_requests(plan, load, chance))]
    )
    spans = _with_parents(spans.with_row_index("span"), moment)
    for day, part in (
        spans.with_columns((pl.col("bucket") // BUCKETS_A_DAY).alias("day")).partition_by("day", as_dict=True).items()
    ):
        _as_exported(part).write_parquet(folder / f"day-{day[0]:02d}.parquet")
    workspace = open_workspace(folder)
    ingest(workspace)
    return workspace


def _span_numbers(number: int, drawn: Drawn, moment: Generator) -> pl.DataFrame:
    size = len(drawn.bucket)
    offset_us = moment.integers(0, BUCKET_S * US_PER_S, size)
    method, _, route = drawn.stream.route.partition(" ")
    return pl.DataFrame(
        {
            "stream": np.full(size, number, dtype=np.int16),
            "bucket": drawn.bucket,
            "started_us": to_us(START) + drawn.bucket * BUCKET_S * US_PER_S + offset_us,
            "duration_ms": drawn.duration_ms,
            "status": np.where(drawn.failed, 500, 200),
            "service": pl.repeat(drawn.stream.service, size, dtype=pl.Categorical, eager=True),
            "version": pl.Series(np.array(drawn.versions)[drawn.bucket], dtype=pl.String).cast(pl.Categorical),
            "method": pl.repeat(method, size, dtype=pl.Categorical, eager=True),
            "route": pl.repeat(route, size, dtype=pl.Categorical, eager=True),
            "region": pl.repeat(drawn.region or None, size, dtype=pl.String, eager=True).cast(pl.Categorical),
        }
    )


def _with_parents(spans: pl.DataFrame, moment: Generator) -> pl.DataFrame:
    """Give each call a span of its caller's in its bucket as parent, and that one's trace."""
    service = spans["service"].cast(pl.String).to_numpy()
    bucket = spans["bucket"].to_numpy()
    parent = np.full(spans.height, NOBODY, dtype=np.int64)
    trace = np.arange(spans.height, dtype=np.int64)
    for caller, dependency in EDGES:
        callers, calls = np.flatnonzero(service == caller), np.flatnonzero(service == dependency)
        parent[calls] = _draw_callers(callers, bucket[callers], bucket[calls], moment)
        has_parent = parent[calls] >= 0
        trace[calls[has_parent]] = trace[parent[calls[has_parent]]]
    return spans.with_columns(pl.Series("parent", parent), pl.Series("trace", trace))


def _draw_callers(
    callers: NDArray[np.int64], caller_bucket: NDArray[np.int64], call_bucket: NDArray[np.int64], moment: Generator
) -> NDArray[np.int64]:
    ordered = callers[np.argsort(caller_bucket, kind="stable")]
    count = np.bincount(caller_bucket, minlength=BUCKETS)
    first = np.cumsum(count) - count
    chosen = first[call_bucket] + np.floor(moment.random(len(call_bucket)) * count[call_bucket]).astype(np.int64)
    return np.where(count[call_bucket] > 0, ordered[np.minimum(chosen, len(ordered) - 1)], LOST)


def _as_exported(part: pl.DataFrame) -> pl.DataFrame:
    def written(column: str, digits: int) -> pl.Expr:
        # An id of zeros alone is none.
        return (pl.col(column) + 1).cast(pl.String).str.zfill(digits)

    return part.select(
        "started_us",
        "duration_ms",
        written("trace", 32).alias("trace"),
        written("span", 16).alias("span"),
        pl.when(pl.col("parent") == LOST)
        .then(pl.lit("f" * 16))
        .when(pl.col("parent") >= 0)
        .then(written("parent", 16))
        .alias("parent"),
        pl.concat_str("method", "route", separator=" ").alias("operation"),
        pl.lit("server").alias("kind"),
        pl.col("service", "version", "method", "route", "region").cast(pl.String),
        "status",
    )
