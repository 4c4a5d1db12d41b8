"""Series in which it is known what goes with what."""

import numpy as np
import polars as pl

from prodintel_lib.analyses.correlation import TraceEvidence
from prodintel_lib.tables import CHANGES, conform

BUCKET_S = 10
US = BUCKET_S * 1_000_000
STRATA = pl.DataFrame({"route": ["r"], "traces": [2000]})


def frame(name, values, *, exposure=None, kind=None, label=None, service="", family="", start=0):
    n = len(values)
    return pl.DataFrame(
        {
            "signal": [name] * n,
            "kind": [kind or ("latency" if exposure is None else "pattern")] * n,
            "label": [label or name] * n,
            "service_name": [service] * n,
            "family": [family] * n,
            "bucket_us": (start + np.arange(n)) * US,
            "value": np.asarray(values, dtype=float),
            "exposure": pl.Series([None] * n if exposure is None else np.asarray(exposure, dtype=float),
                                  dtype=pl.Float64),
        }
    )  # fmt: skip


def noise(seed, n=400):
    return np.random.default_rng(seed).normal(size=n)


def with_memory(shocks, weight=0.8):
    course = np.zeros_like(shocks)
    for place in range(1, len(shocks)):
        course[place] = weight * course[place - 1] + shocks[place]
    return course


def linked(lag=3, effect=0.7, n=400):
    """A latency that leads another one by `lag` buckets, and a third that has nothing to do with either."""
    first, own, other = noise(1, n), noise(2, n), noise(3, n)
    second = effect * np.concatenate([np.zeros(lag), first[: n - lag]]) + np.sqrt(1 - effect**2) * own
    parts = [frame(name, np.exp(0.3 * with_memory(shocks))) for name, shocks in
             (("a", first), ("b", second), ("c", other))]  # fmt: skip
    return pl.concat(parts)


def changes(*rows):
    """Each row: bucket, id, service, version."""
    return conform(
        pl.DataFrame(
            {
                "time_us": [bucket * US for bucket, *_ in rows], "source": "made", "change_kind": "deployment",
                "change_id": [row[1] for row in rows], "service_name": [row[2] for row in rows],
                "service_version": [row[3] for row in rows], "status": "success",
            }
        ),
        CHANGES,
    )  # fmt: skip


def traces(*signals):
    """Each signal: name, first trace, last trace, time in µs."""
    rows = [
        (name, f"{trace:032x}", time_us, "r") for name, first, last, time_us in signals for trace in range(first, last)
    ]
    return pl.DataFrame(
        rows, schema={"signal": pl.String, "trace_id": pl.String, "time_us": pl.Int64, "route": pl.String}, orient="row"
    )


def evidence(*signals):
    return TraceEvidence(traces(*signals), STRATA)
