"""Errors in users' browsers: one pattern a defect, whom it hits and when, what it costs, and whether it is one.

`tally_errors` counts a part of the data, `add_tallies` adds parts up, `assess_errors` judges the whole;
analyses.experience does it for a workspace.
"""

from prodintel_lib.analyses.frontend_errors.assessment import assess_errors
from prodintel_lib.analyses.frontend_errors.hours import HourPattern
from prodintel_lib.analyses.frontend_errors.model import FrontEndErrors
from prodintel_lib.analyses.frontend_errors.tally import ANY_DEFECT, ANYWHERE, ErrorTally, add_tallies, tally_errors

__all__ = [
    "ANYWHERE",
    "ANY_DEFECT",
    "ErrorTally",
    "FrontEndErrors",
    "HourPattern",
    "add_tallies",
    "assess_errors",
    "tally_errors",
]
