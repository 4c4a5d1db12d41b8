"""The columns of the golden signals' frames. Times are µs since the epoch, UTC; intervals are at 95 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    Schema = dict[str, pl.DataType]

_TEXT, _WHOLE, _NUMBER = pl.String(), pl.Int64(), pl.Float64()
ABOUT: Final[Schema] = {"grain": _TEXT, "service_name": _TEXT, "route": _TEXT}
"""What a row is about; an empty ``service_name`` or ``route`` means all of them."""

QUANTILES: Final[dict[str, float]] = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}
JUDGED: Final = ("p50", "p95", "p99")

LATENCY_SCHEMA: Final[Schema] = {
    **ABOUT,
    "n": _WHOLE,
    **{f"{name}{end}_ms": _NUMBER for name in QUANTILES for end in ("", "_low", "_high")},
    "tail_ratio": _NUMBER,
    "history_n": _WHOLE,
    **{f"history_{name}{end}_ms": _NUMBER for name in JUDGED for end in ("", "_low", "_high")},
    "verdict": _TEXT,
    "judged_by": _TEXT,
    "trend": _TEXT,
    "trend_per_hour": _NUMBER,
    "trend_low": _NUMBER,
    "trend_high": _NUMBER,
    "trend_p": _NUMBER,
    "modes": _WHOLE,
    "modes_p": _NUMBER,
    "split_by": _TEXT,
    "modes_say": _TEXT,
}
MODES_SCHEMA: Final[Schema] = {
    **ABOUT,
    "mode": _WHOLE,
    "value_ms": _NUMBER,
    "low_ms": _NUMBER,
    "high_ms": _NUMBER,
    "n": _WHOLE,
    "of_n": _WHOLE,
    "share": _NUMBER,
    "share_low": _NUMBER,
    "share_high": _NUMBER,
    "split_by": _TEXT,
}
SPLITS_SCHEMA: Final[Schema] = {
    **ABOUT,
    "dimension": _TEXT,
    "value": _TEXT,
    "n": _WHOLE,
    "slow_n": _WHOLE,
    "slow_share": _NUMBER,
    "slow_share_elsewhere": _NUMBER,
    "explains": _NUMBER,
}
"""``explains``: how much of the uncertainty about a request's mode the dimension takes away, 0 to 1."""

DISTRIBUTION_SCHEMA: Final[Schema] = {
    **ABOUT,
    "low_ms": _NUMBER,
    "high_ms": _NUMBER,
    "value_ms": _NUMBER,
    "n": _WHOLE,
    "density": _NUMBER,
    "mode": _WHOLE,
}
"""``density``: share of requests for each unit of the duration's natural logarithm, smoothed."""

LATENCY_TIME_SCHEMA: Final[Schema] = {
    **ABOUT,
    "bucket_us": _WHOLE,
    "n": _WHOLE,
    "p50_ms": _NUMBER,
    "p95_ms": _NUMBER,
    "p99_ms": _NUMBER,
    "in_window": pl.Boolean(),
}
TRAFFIC_SCHEMA: Final[Schema] = {
    **ABOUT,
    "n": _WHOLE,
    "recorded_s": _NUMBER,
    "rps": _NUMBER,
    "usual_rps": _NUMBER,
    "usual_low_rps": _NUMBER,
    "usual_high_rps": _NUMBER,
    "times_usual": _NUMBER,
    "verdict": _TEXT,
    "trend": _TEXT,
    "trend_per_hour": _NUMBER,
    "trend_low": _NUMBER,
    "trend_high": _NUMBER,
    "trend_p": _NUMBER,
    "pattern": _TEXT,
    "seasonal_strength": _NUMBER,
    "forecast_method": _TEXT,
    "forecast_says": _TEXT,
    "coverage": _NUMBER,
    "coverage_n": _WHOLE,
}
TRAFFIC_TIME_SCHEMA: Final[Schema] = {
    **ABOUT,
    "bucket_us": _WHOLE,
    "requests": _WHOLE,
    "rps": _NUMBER,
    "usual_rps": _NUMBER,
    "usual_low_rps": _NUMBER,
    "usual_high_rps": _NUMBER,
    "in_window": pl.Boolean(),
}
FORECAST_SCHEMA: Final[Schema] = {
    **ABOUT,
    "bucket_us": _WHOLE,
    "step_s": _WHOLE,
    "rps": _NUMBER,
    "low_rps": _NUMBER,
    "high_rps": _NUMBER,
    "method": _TEXT,
}
DECOMPOSITION_SCHEMA: Final[Schema] = {
    **ABOUT,
    "bucket_us": _WHOLE,
    "step_s": _WHOLE,
    "observed_rps": _NUMBER,
    "trend_rps": _NUMBER,
    "seasonal_rps": _NUMBER,
    "remainder_rps": _NUMBER,
}
PROFILE_SCHEMA: Final[Schema] = {
    **ABOUT,
    "period": _TEXT,
    "hour": _WHOLE,
    "rps": _NUMBER,
    "low_rps": _NUMBER,
    "high_rps": _NUMBER,
    "n": _WHOLE,
}
"""``hour``: 0 to 23 of a ``day``, or 0 (Monday 00:00 UTC) to 167 of a ``week``; ``n`` how many such hours were seen."""

ERRORS_SCHEMA: Final[Schema] = {
    **ABOUT,
    "n": _WHOLE,
    "failed": _WHOLE,
    "ratio": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "history_n": _WHOLE,
    "history_failed": _WHOLE,
    "history_ratio": _NUMBER,
    "times": _NUMBER,
    "times_low": _NUMBER,
    "times_high": _NUMBER,
    "q_value": _NUMBER,
    "trend": _TEXT,
    "says": _TEXT,
}
CATEGORIES_SCHEMA: Final[Schema] = {
    "kind": _TEXT,
    "category": _TEXT,
    "service_name": _TEXT,
    "n": _WHOLE,
    "of_n": _WHOLE,
    "share": _NUMBER,
    "history_n": _WHOLE,
    "history_of_n": _WHOLE,
    "times": _NUMBER,
    "times_low": _NUMBER,
    "times_high": _NUMBER,
    "q_value": _NUMBER,
    "trend": _TEXT,
    "says": _TEXT,
    "first_us": _WHOLE,
}
"""``kind``: ``HTTP class``, ``error type`` or ``log level``; ``of_n``: requests of the service, each of which may log
several rows (log rows, where the service has no requests); ``first_us`` the first bucket it was seen in."""

ERRORS_TIME_SCHEMA: Final[Schema] = {
    **ABOUT,
    "bucket_us": _WHOLE,
    "n": _WHOLE,
    "failed": _WHOLE,
    "ratio": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "in_window": pl.Boolean(),
}
SATURATION_SCHEMA: Final[Schema] = {
    "key": _TEXT,
    "service_name": _TEXT,
    "service_instance_id": _TEXT,
    "resource": _TEXT,
    "metric_name": _TEXT,
    "unit": _TEXT,
    "limit_from": _TEXT,
    "level": _NUMBER,
    "highest": _NUMBER,
    "last": _NUMBER,
    "n": _WHOLE,
    "watch_share": _NUMBER,
    "high_share": _NUMBER,
    "critical_share": _NUMBER,
    "risk": _TEXT,
    "history_level": _NUMBER,
    "history_n": _WHOLE,
    "trend": _TEXT,
    "per_hour": _NUMBER,
    "per_hour_low": _NUMBER,
    "per_hour_high": _NUMBER,
    "trend_p": _NUMBER,
    "hours_left": _NUMBER,
    "hours_low": _NUMBER,
    "hours_high": _NUMBER,
    "says": _TEXT,
}
"""``limit_from``: ``utilisation``, ``used of limit``, ``used of used and free`` or ``""``; ``per_hour``: change of the
level an hour; ``n``: recorded buckets of the window."""

SATURATION_TIME_SCHEMA: Final[Schema] = {
    "key": _TEXT,
    "service_name": _TEXT,
    "resource": _TEXT,
    "bucket_us": _WHOLE,
    "value": _NUMBER,
    "highest": _NUMBER,
    "has_limit": pl.Boolean(),
    "in_window": pl.Boolean(),
}
