"""Production's load from end to end, as the notebook calls it: patterns, behaviour, a load test, its rehearsal."""

from prodintel_lib.load_patterns.exploration import LoadReport, LoadWish, explore_load
from prodintel_lib.load_patterns.outputs import write_outputs

__all__ = ["LoadReport", "LoadWish", "explore_load", "write_outputs"]
