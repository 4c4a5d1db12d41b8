"""Errors of logs, spans and browsers: one list of patterns, whom they hit, how they went, and what they are.

`find_error_patterns` reads a window of the lake; `find_pattern_traces` lists all traces of a pattern.
"""

from prodintel_lib.analyses.error_patterns.analysis import find_error_patterns, find_pattern_traces
from prodintel_lib.analyses.error_patterns.finer import count_finer
from prodintel_lib.analyses.error_patterns.model import ErrorPatterns, label_of, short_name_of
from prodintel_lib.analyses.error_patterns.releases import MAY_BE_BUGS, OneRelease, find_one_release
from prodintel_lib.analyses.error_patterns.stack_records import read_stack_records

__all__ = [
    "MAY_BE_BUGS",
    "ErrorPatterns",
    "OneRelease",
    "count_finer",
    "find_error_patterns",
    "find_one_release",
    "find_pattern_traces",
    "label_of",
    "read_stack_records",
    "short_name_of",
]
