"""Stack traces of many languages: read, grouped by what went wrong where, and the places that fail most."""

from prodintel_lib.analyses.stack_traces.grouping import group_stacks
from prodintel_lib.analyses.stack_traces.groups import StackGroups
from prodintel_lib.analyses.stack_traces.hot_spots import HotSpots, find_hot_spots
from prodintel_lib.analyses.stack_traces.model import Link, StackFrame, Trace
from prodintel_lib.analyses.stack_traces.reading import read_trace

__all__ = [
    "HotSpots",
    "Link",
    "StackFrame",
    "StackGroups",
    "Trace",
    "find_hot_spots",
    "group_stacks",
    "read_trace",
]
