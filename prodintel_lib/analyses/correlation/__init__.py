"""Which errors and signals go together, what they began with, and what that suggests."""

from prodintel_lib.analyses.correlation.analysis import TraceEvidence, correlate
from prodintel_lib.analyses.correlation.model import Beginnings, Correlations, Hypotheses, Hypothesis
from prodintel_lib.analyses.correlation.series import build_signal_series, build_trace_evidence

__all__ = [
    "Beginnings",
    "Correlations",
    "Hypotheses",
    "Hypothesis",
    "TraceEvidence",
    "build_signal_series",
    "build_trace_evidence",
    "correlate",
]
