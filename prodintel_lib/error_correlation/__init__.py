"""Errors and logs from end to end, as the notebook calls it: find patterns, correlate, build tests, write files."""

from prodintel_lib.error_correlation.exploration import (
    TABLES_OF_ERRORS,
    ErrorCorrelation,
    ErrorWish,
    choose_patterns,
    correlate_patterns,
    explore_errors,
    find_patterns,
    read_changes,
)
from prodintel_lib.error_correlation.outputs import write_outputs, write_summary

__all__ = [
    "TABLES_OF_ERRORS",
    "ErrorCorrelation",
    "ErrorWish",
    "choose_patterns",
    "correlate_patterns",
    "explore_errors",
    "find_patterns",
    "read_changes",
    "write_outputs",
    "write_summary",
]
