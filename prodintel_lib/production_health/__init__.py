"""Is production well, from end to end, as the notebook calls it: golden signals, promises, board, and files."""

from prodintel_lib.production_health.exploration import HealthReport, HealthWish, explore_health, measure_promises
from prodintel_lib.production_health.outputs import write_outputs, write_summary

__all__ = [
    "HealthReport",
    "HealthWish",
    "explore_health",
    "measure_promises",
    "write_outputs",
    "write_summary",
]
