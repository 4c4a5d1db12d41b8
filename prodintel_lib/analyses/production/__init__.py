"""Production in buckets: read once from the lake, then brought to the series and percentiles that are judged.

`gather_production` reads, `build_series` makes what detectors judge, `latency_percentiles` reads durations.
"""

from prodintel_lib.analyses.production.gather import gather_production, latency_limits_ms
from prodintel_lib.analyses.production.grid import choose_bucket_s
from prodintel_lib.analyses.production.latency import latency_percentiles
from prodintel_lib.analyses.production.model import (
    ABOUT_SCHEMA,
    EDGES_SCHEMA,
    QUIET_BUCKETS,
    Grain,
    Production,
    SignalName,
    SignalSet,
)
from prodintel_lib.analyses.production.series import build_series
from prodintel_lib.analyses.production.utilisation import pair_utilisations

__all__ = [
    "ABOUT_SCHEMA",
    "EDGES_SCHEMA",
    "QUIET_BUCKETS",
    "Grain",
    "Production",
    "SignalName",
    "SignalSet",
    "build_series",
    "choose_bucket_s",
    "gather_production",
    "latency_limits_ms",
    "latency_percentiles",
    "pair_utilisations",
]
