"""What is abnormal from end to end, as the notebook calls it: observe, find, locate, build guards, write files."""

from prodintel_lib.anomalies.exploration import (
    AnomalyReport,
    AnomalyWish,
    Observation,
    choose_observed_window,
    explore_anomalies,
    observe,
)
from prodintel_lib.anomalies.outputs import write_outputs, write_summary

__all__ = [
    "AnomalyReport",
    "AnomalyWish",
    "Observation",
    "choose_observed_window",
    "explore_anomalies",
    "observe",
    "write_outputs",
    "write_summary",
]
