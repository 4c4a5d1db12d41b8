"""How users behave: classes of sessions, what they do next, what must come first, how long they take; and more of it.

`find_behaviour` models the sessions of a log; `simulate` makes sessions by the model.
"""

from prodintel_lib.analyses.behaviour.finding import find_behaviour
from prodintel_lib.analyses.behaviour.gaps import ClassGaps, GapCurve
from prodintel_lib.analyses.behaviour.guards import Guard
from prodintel_lib.analyses.behaviour.model import BehaviourClass, BehaviourModel
from prodintel_lib.analyses.behaviour.sessions import SessionLog, read_sessions
from prodintel_lib.analyses.behaviour.simulation import ArrivalCurve, simulate

__all__ = [
    "ArrivalCurve",
    "BehaviourClass",
    "BehaviourModel",
    "ClassGaps",
    "GapCurve",
    "Guard",
    "SessionLog",
    "find_behaviour",
    "read_sessions",
    "simulate",
]
