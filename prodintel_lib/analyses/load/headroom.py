"""How much traffic fits until something is full: utilisation against requests a second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.resources import find_resources
from prodintel_lib.analyses.load.model import HEADROOM_SCHEMA, POINTS_SCHEMA, Headroom
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.rollups.arrivals import ALL_ENDPOINTS
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

LIMIT: Final = 0.8
MIN_POINTS: Final = 20
MIN_SPREAD: Final = 1.5
"""So many times the low traffic the high one must be to tell what traffic does."""

FARTHEST: Final = 3.0
"""A line is not drawn further than so many times the highest traffic that was seen."""

BENT: Final = 3.0
MAX_MEMORY: Final = 0.95
_RANGE: Final = (0.05, 0.95)
_CONFIDENT: Final = 0.975
_RESOURCE: Final = ["service_name", "metric_name", "series", "limit_from", "service_instance_id"]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line through levels by rate.

    Attributes
    ----------
    squares : float
        Sum of the squared distances of the rates from their mean.
    variance : float
        Of the points about the line, multiplied by `inflation`.
    inflation : float
        Points over as many as are worth the same: neighbouring ones are alike.
    """

    n: int
    mean_rps: float
    mean_level: float
    slope: float
    squares: float
    variance: float
    inflation: float
    r2: float
    t_critical: float

    @property
    def doubt(self) -> float:
        """Fieller's g: 1 and more where the slope may as well be zero."""
        return self.t_critical**2 * self.variance / (self.slope**2 * self.squares) if self.slope else math.inf


def measure_headroom(
    metrics: pl.DataFrame, arrivals: pl.DataFrame, *, bucket_s: int = 60, limit: float = LIMIT
) -> Headroom:
    """Find the traffic at which each resource reaches a limit.

    Parameters
    ----------
    metrics : polars.DataFrame
        Columns of metric_buckets.METRIC_BUCKETS_SCHEMA. Resources are those with a known limit of
        golden_signals.resources.find_resources.
    arrivals : polars.DataFrame
        Columns of arrivals.ARRIVALS_SCHEMA.
    bucket_s : int
        Width of the buckets of both, seconds.
    limit : float
        The utilisation that is asked about, above 0, at most 1.

    Raises
    ------
    ParameterError
        If `limit` is not a share.
    NoDataError
        If there is no request.

    Notes
    -----
    Least squares of a bucket's mean utilisation on its requests a second, and inverse prediction with Fieller's
    interval (Fieller 1954, Journal of the Royal Statistical Society B 16, 175-185) for where the line reaches the
    limit. Buckets near each other are alike: the variance is multiplied by ``(1 + r) / (1 - r)``, r being the
    correlation of neighbouring residuals. Nothing is said where points are few or traffic hardly varied, where the
    slope may as well be zero, where a parabola fits clearly better (a queue that builds up rises ever faster), and
    beyond FARTHEST times the highest traffic seen.
    """
    if not 0 < limit <= 1:
        raise ParameterError(f"The limit is a share above 0 and at most 1; it is {limit:g}.", hint="0.8 is usual.")
    every = arrivals.filter(pl.col("endpoint") == ALL_ENDPOINTS)
    if every.is_empty():
        raise NoDataError("There is no request to set utilisations against.", hint="choose a window that holds some.")
    rates = every.select("bucket_us", (pl.col("requests") / bucket_s).alias("rps"))
    peak_rps = float(every["requests"].to_numpy().max()) / bucket_s
    resources = find_resources(metrics).filter(pl.col("limit_from") != "")
    rows, points = [], [pl.DataFrame(schema=POINTS_SCHEMA)]
    for part in resources.partition_by(_RESOURCE, maintain_order=True):
        about, known = part.row(0, named=True), part.join(rates, on="bucket_us").sort("bucket_us")
        rows.append(_row(known, about, peak_rps, limit, bucket_s))
        points.append(_points(known, rows[-1]["resource"]))
    rows.sort(key=lambda row: (row["rps_at_limit"] is None, row["rps_at_limit"] or 0.0, row["resource"]))
    return Headroom(
        limit=limit,
        peak_rps=peak_rps,
        frame=pl.DataFrame(rows, schema=HEADROOM_SCHEMA),
        points=pl.concat(points),
    )


def _points(known: pl.DataFrame, resource: str) -> pl.DataFrame:
    named = known.select("service_name", pl.lit(resource).alias("resource"), "bucket_us", "rps", utilization="mean")
    return named.select(pl.col(name).cast(dtype) for name, dtype in POINTS_SCHEMA.items())


def _row(points: pl.DataFrame, about: dict[str, Any], peak_rps: float, limit: float, bucket_s: int) -> dict[str, Any]:
    rps, levels = (points[name].to_numpy().astype(np.float64) for name in ("rps", "mean"))
    series = f" ({about['series']})" if about["series"] else ""
    row: dict[str, Any] = {
        "service_name": about["service_name"],
        "resource": f"{about['metric_name']}{series}",
        "n": len(rps),
        **dict.fromkeys(("slope", "r2", "rps_at_limit", "rps_low", "rps_high", "times_peak")),
        "lowest_rps": float(rps.min()) if len(rps) else None,
        "highest_rps": float(rps.max()) if len(rps) else None,
    }
    if len(rps) < MIN_POINTS:
        return row | {"says": f"{len(rps)} points are too few: {MIN_POINTS} are needed"}
    low, high = np.quantile(rps, _RANGE)
    if high < MIN_SPREAD * low:
        return row | {"says": f"traffic hardly varied: most of it lay between {low:.3g} and {high:.3g} a second"}
    line = _fit(points["bucket_us"].to_numpy(), rps, levels, bucket_s)
    row |= {"slope": line.slope, "r2": line.r2}
    if line.slope <= 0 or line.doubt >= 1:
        return row | {"says": "it does not rise with traffic for certain"}
    if _is_bent(rps, levels, line):
        return row | {"says": "it does not rise along a line: where it ends cannot be foreseen"}
    at_limit, least, most = _reaches(line, limit)
    if at_limit > FARTHEST * row["highest_rps"]:
        return row | {"says": f"further than {FARTHEST:g} times the highest traffic seen: no further can be foreseen"}
    beyond = "; beyond what was seen" if at_limit > row["highest_rps"] else ""
    known = {"rps_at_limit": at_limit, "rps_low": least, "rps_high": most, "times_peak": at_limit / peak_rps}
    return row | known | {"says": f"rises by {100 * line.slope:.3g} points a request per second{beyond}"}


def _fit(times_us: NDArray[np.int64], rps: Vector, levels: Vector, bucket_s: int) -> _Line:
    from scipy.stats import t  # noqa: PLC0415 - costs a second to import

    n = len(rps)
    centred, lifted = rps - rps.mean(), levels - levels.mean()
    squares = float(centred @ centred)
    slope = float(centred @ lifted) / squares
    residuals = lifted - slope * centred
    whole, left = float(lifted @ lifted), float(residuals @ residuals)
    memory = _memory(times_us, residuals, bucket_s)
    worth = max(3.0, n * (1 - memory) / (1 + memory))
    return _Line(
        n=n,
        mean_rps=float(rps.mean()),
        mean_level=float(levels.mean()),
        slope=slope,
        squares=squares,
        variance=left / (n - 2) * n / worth,
        inflation=n / worth,
        r2=1 - left / whole if whole else 0.0,
        t_critical=float(t.ppf(_CONFIDENT, max(1.0, worth - 2))),
    )


def _memory(times_us: NDArray[np.int64], residuals: Vector, bucket_s: int) -> float:
    """Return the correlation of residuals of neighbouring buckets, not below 0."""
    beside = np.diff(times_us) == bucket_s * US_PER_S
    whole = float(residuals @ residuals)
    if not whole or not beside.any():
        return 0.0
    seen = float((residuals[1:] * residuals[:-1])[beside].mean()) / (whole / len(residuals))
    return min(MAX_MEMORY, max(0.0, seen))


def _is_bent(rps: Vector, levels: Vector, line: _Line) -> bool:
    """Say whether a squared term is clearly there, and changes the levels seen by as much as a twentieth of a whole."""
    scaled = (rps - line.mean_rps) / (float(rps.std()) or 1.0)
    design = np.column_stack([np.ones(line.n), scaled, scaled**2])
    inverse = np.linalg.pinv(design.T @ design)
    terms = inverse @ design.T @ levels
    left = levels - design @ terms
    error = math.sqrt(float(left @ left) / (line.n - 3) * line.inflation * float(inverse[2, 2]))
    reach = float(terms[2]) * float((scaled**2).max())
    return abs(float(terms[2])) > BENT * error and abs(reach) >= 0.05


def _reaches(line: _Line, limit: float) -> tuple[float, float, float | None]:
    """Return where the line reaches the limit, with its interval: rates that are not negative."""
    away = (limit - line.mean_level) / line.slope
    spread = line.t_critical * math.sqrt(line.variance) / line.slope
    root = spread * math.sqrt((1 - line.doubt) / line.n + away**2 / line.squares)
    low, high = ((away + sign * root) / (1 - line.doubt) + line.mean_rps for sign in (-1, 1))
    return max(0.0, line.mean_rps + away), max(0.0, low), high
