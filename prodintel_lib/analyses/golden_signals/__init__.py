"""The four golden signals of a window of production: latency, traffic, errors, saturation.

`measure_golden_signals` takes what analyses.production gathered and returns a result with a frame a signal.
"""

from prodintel_lib.analyses.golden_signals.measurement import measure_golden_signals
from prodintel_lib.analyses.golden_signals.model import (
    Baseline,
    ErrorSignals,
    GoldenSignals,
    LatencySignals,
    SaturationSignals,
    TrafficSignals,
)

__all__ = [
    "Baseline",
    "ErrorSignals",
    "GoldenSignals",
    "LatencySignals",
    "SaturationSignals",
    "TrafficSignals",
    "measure_golden_signals",
]
