"""Probable causes: every candidate with evidence for and against, ranked, and "cannot tell" among them.

`rank_causes` takes an incident that has been analysed; `gather_case` and `weigh_causes` take tables alone. The
weights are written where they are used, the same for every workspace; no name of any system is among them.
"""

from prodintel_lib.analyses.causes.case import Case
from prodintel_lib.analyses.causes.dependencies import ends_of, find_degraded_dependencies, is_external
from prodintel_lib.analyses.causes.location import Location, locate, rank_by_own_growth
from prodintel_lib.analyses.causes.model import NO_LINK, Cause, CauseKind, Causes, Claim, score_causes
from prodintel_lib.analyses.causes.ranking import gather_case, rank_causes, weigh_causes

__all__ = [
    "NO_LINK",
    "Case",
    "Cause",
    "CauseKind",
    "Causes",
    "Claim",
    "Location",
    "ends_of",
    "find_degraded_dependencies",
    "gather_case",
    "is_external",
    "locate",
    "rank_by_own_growth",
    "rank_causes",
    "score_causes",
    "weigh_causes",
]
