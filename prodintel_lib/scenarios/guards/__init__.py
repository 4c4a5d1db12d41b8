"""Guards: tests that ask a running system whether a signal is as it was when healthy, or as bad as in an anomaly."""

from prodintel_lib.scenarios.guards.building import build_guards, guard_subjects
from prodintel_lib.scenarios.guards.model import (
    Exchange,
    Guard,
    GuardKind,
    GuardSet,
    GuardSuite,
    Level,
    Look,
    Plan,
)
from prodintel_lib.scenarios.guards.plans import TooClose, choose_plan
from prodintel_lib.scenarios.guards.subjects import Subject

__all__ = [
    "Exchange",
    "Guard",
    "GuardKind",
    "GuardSet",
    "GuardSuite",
    "Level",
    "Look",
    "Plan",
    "Subject",
    "TooClose",
    "build_guards",
    "choose_plan",
    "guard_subjects",
]
