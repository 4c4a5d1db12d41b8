"""Production made of rows of request bins."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from prodintel_lib.analyses.production import EDGES_SCHEMA, Production
from prodintel_lib.analyses.slos.counts import Course
from prodintel_lib.analyses.slos.objectives import Objective
from prodintel_lib.rollups.request_bins import REQUEST_BINS_SCHEMA
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# 2025-09-01T00:00Z
START_US = 1_756_684_800_000_000


def make_row(bucket_us: int, route: str, requests: int, failed: int = 0, **others: object) -> dict[str, object]:
    row: dict[str, object] = {
        "bucket_us": bucket_us,
        "service_name": "shop",
        "route": route,
        "is_entry": True,
        "region": "",
        "release": "",
        "cache": "",
        "bin": 50,
        "requests": requests,
        "failed": failed,
        "duration_ms_sum": 0.0,
        "over_limit": 0,
    }
    return {**row, **others}


def make_production(
    rows: "Sequence[dict[str, object]]",
    *,
    window: Window,
    bucket_s: int,
    history: Window | None = None,
    limits_ms: "Mapping[str, float] | None" = None,
) -> Production:
    requests = pl.DataFrame(rows, schema=REQUEST_BINS_SCHEMA)
    empty = pl.DataFrame()
    return Production(
        window=window,
        history=history or Window(window.start_us - 28 * 86_400 * US_PER_S, window.start_us),
        bucket_s=bucket_s,
        requests=requests,
        metrics=empty,
        visits=empty,
        log_levels=empty,
        calls=pl.DataFrame(schema=EDGES_SCHEMA),
        changes=empty,
        incidents=empty,
        recorded_us=np.unique(requests["bucket_us"].to_numpy()),
        digest="made",
        limits_ms=limits_ms or {},
    )


def at(bucket: int, bucket_s: int = 300) -> int:
    return START_US + bucket * bucket_s * US_PER_S


def course_of(total: "Sequence[int]", bad: "Sequence[int]", *, bucket_s: int = 300) -> Course:
    requests = np.array(total, dtype=np.int64)
    return Course(START_US, bucket_s * US_PER_S, requests, np.array(bad, dtype=np.int64), np.ones(len(total), np.bool_))


def promise(
    target: float = 0.99, *, limit_ms: float | None = None, period_days: int = 28, route: str = "GET /a"
) -> Objective:
    kind = "availability" if limit_ms is None else "latency"
    return Objective("the promise", route, kind, target, limit_ms, period_days)
