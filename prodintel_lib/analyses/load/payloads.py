"""How large requests and answers are, by endpoint."""

from __future__ import annotations

from typing import Final

import polars as pl

from prodintel_lib.analyses.load.model import PAYLOADS_SCHEMA, Payloads
from prodintel_lib.rollups.histograms import quantile

QUANTILES: Final = {"p50_bytes": 0.5, "p95_bytes": 0.95, "p99_bytes": 0.99}
_OF: Final = ["endpoint", "direction"]


def measure_payloads(sizes: pl.DataFrame) -> Payloads:
    """Sum up the sizes of bodies.

    Parameters
    ----------
    sizes : polars.DataFrame
        Columns of arrivals.PAYLOAD_SIZES_SCHEMA.

    Returns
    -------
    Payloads
    """
    is_known = pl.col("bin").is_not_null()
    summed = sizes.group_by(_OF).agg(
        pl.col("requests").filter(is_known).sum().alias("n"),
        pl.col("requests").filter(~is_known).sum().alias("unknown"),
        pl.col("bytes_sum").sum(),
        pl.col("requests").sum().alias("_all"),
    )
    known = summed.filter(pl.col("n") > 0).with_columns((pl.col("bytes_sum") / pl.col("n")).alias("mean_bytes"))
    for name, q in QUANTILES.items():
        values = quantile(sizes, q, by=_OF, count="requests").select(*_OF, pl.col("value").alias(name))
        known = known.join(values, on=_OF, how="left")
    ordered = known.sort(["_all", "endpoint", "direction"], descending=[True, False, False])
    frame = ordered.select(pl.col(name).cast(dtype) for name, dtype in PAYLOADS_SCHEMA.items())
    left_out = summed["endpoint"].n_unique() - known["endpoint"].n_unique()
    return Payloads(frame=frame, left_out=left_out)
