"""How evenly requests come inside a bucket: against arrivals at random, which a load test of constant rate has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load.model import BURSTINESS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

MIN_CLUSTERS: Final = 8
MIN_REQUESTS: Final = 100
CLUSTER_BUCKETS: Final = 10
"""So many neighbouring buckets are one when it comes to how sure the figure is: what makes bursts lasts longer."""

MATERIAL: Final = 0.1
"""So far from 1 the dispersion must be to be told of, and as near its interval to be called at random."""

DRAWS: Final = 400
EXACT_UNTIL: Final = 200
_SEED: Final = 8
_CONFIDENT: Final = 0.975


def find_burstiness(
    arrivals: pl.DataFrame, whole_us: NDArray[np.int64], *, bucket_s: int, endpoints: Sequence[str]
) -> pl.DataFrame:
    """Measure the dispersion of requests by second within buckets.

    Parameters
    ----------
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    whole_us : array of int
        Starts of the buckets that were recorded from end to end.
    bucket_s : int
    endpoints : sequence of str
        Which to measure; ALL_ENDPOINTS for all together.

    Returns
    -------
    polars.DataFrame
        Columns of BURSTINESS_SCHEMA, in the order of `endpoints`.

    Notes
    -----
    The index of dispersion (Fano 1947, doi:10.1103/PhysRev.72.26): the variance of the counts by second within a bucket
    over their mean, summed over buckets before dividing, so that how traffic changes from bucket to bucket does not
    count as bursts. Its interval is that of a ratio of sums over groups of CLUSTER_BUCKETS buckets (Cochran 1977,
    Sampling Techniques, section 6.4). The peak is set against the mean of the same bucket, and against what the
    fullest second would hold if the bucket's requests fell on its seconds at random (the mean of DRAWS drawn buckets).
    """
    rows = [
        _of_endpoint(arrivals.filter(pl.col("endpoint") == endpoint), endpoint, whole_us, bucket_s)
        for endpoint in endpoints
    ]
    return pl.DataFrame(rows, schema=BURSTINESS_SCHEMA, orient="row")


def _of_endpoint(rows: pl.DataFrame, endpoint: str, whole_us: NDArray[np.int64], bucket_s: int) -> tuple[Any, ...]:
    chosen = rows.filter(pl.col("bucket_us").is_in(whole_us.tolist())).sort("bucket_us")
    counts = chosen["requests"].to_numpy().astype(np.float64)
    total = int(counts.sum())
    if total < MIN_REQUESTS or bucket_s < 2:
        why = "too few to say" if bucket_s > 1 else "a bucket of one second has no inside"
        return (endpoint, total, chosen.height, None, None, None, None, None, why)
    squares = chosen["seconds_sq"].to_numpy().astype(np.float64)
    variances = (squares - counts**2 / bucket_s) / (bucket_s - 1)
    clusters = np.searchsorted(whole_us, chosen["bucket_us"].to_numpy()) // CLUSTER_BUCKETS
    fano, low, high = _ratio(variances, counts / bucket_s, clusters)
    peaks = chosen["peak_per_s"].to_numpy().astype(np.float64)
    peak = float(peaks.sum() / (counts.sum() / bucket_s))
    random = float(_random_peaks(chosen["requests"].to_numpy(), bucket_s).sum() / (counts.sum() / bucket_s))
    verdict = _verdict(fano, low, high)
    return (endpoint, total, chosen.height, fano, low, high, peak, random, verdict)


def _ratio(above: Vector, below: Vector, clusters: NDArray[np.int64]) -> tuple[float, float | None, float | None]:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    ids, at = np.unique(clusters, return_inverse=True)
    tops, bottoms = np.bincount(at, above), np.bincount(at, below)
    ratio, n = float(tops.sum() / bottoms.sum()), len(ids)
    if n < MIN_CLUSTERS:
        return ratio, None, None
    residuals = tops - ratio * bottoms
    error = math.sqrt(n / (n - 1) * float(residuals @ residuals)) / float(bottoms.sum())
    reach = float(t.ppf(_CONFIDENT, n - 1)) * error
    return ratio, max(0.0, ratio - reach), ratio + reach


def _verdict(fano: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "too few to say"
    if low > 1 and fano >= 1 + MATERIAL:
        return "bursty"
    if high < 1 and fano <= 1 - MATERIAL:
        return "even"
    return "at random" if low > 1 - MATERIAL and high < 1 + MATERIAL else "too few to say"


def _random_peaks(requests: NDArray[np.int64], seconds: int) -> Vector:
    """Return the mean of the fullest second of buckets with so many requests that fall on their seconds at random."""
    # What is drawn for 200 requests and more serves all within half a per cent of it.
    digits = np.maximum(0, np.floor(np.log10(np.maximum(requests, 1))).astype(np.int64) - 2)
    coarse = np.where(requests > EXACT_UNTIL, requests // 10**digits * 10**digits, requests)
    known, at = np.unique(coarse, return_inverse=True)
    rng = np.random.default_rng(_SEED)
    shares = np.full(seconds, 1 / seconds)
    means = [float(rng.multinomial(number, shares, DRAWS).max(axis=1).mean()) for number in known.tolist()]
    return np.array(means)[at]
