"""Which attribute combinations (browser, version, region, release ...) explain an error, an anomaly or a drop.

`localise` takes counts by cell, with a baseline or without; `fold_history` makes such cells from counts by time.
"""

from prodintel_lib.analyses.localisation.engine import localise
from prodintel_lib.analyses.localisation.history import History, fold_history
from prodintel_lib.analyses.localisation.model import Cause, Localisation, Verdict

__all__ = ["Cause", "History", "Localisation", "Verdict", "fold_history", "localise"]
