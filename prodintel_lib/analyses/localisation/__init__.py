"""Which attribute combinations (browser, version, region, release ...) explain an error, an anomaly or a drop.

`localise` takes counts by cell, with a baseline or without; `fold_history` makes such cells from counts by time,
and `locate_requests` from single requests.
"""

from prodintel_lib.analyses.localisation.engine import localise
from prodintel_lib.analyses.localisation.history import History, fold_history
from prodintel_lib.analyses.localisation.model import Cause, Localisation, Verdict
from prodintel_lib.analyses.localisation.requests import locate_requests

__all__ = ["Cause", "History", "Localisation", "Verdict", "fold_history", "localise", "locate_requests"]
