"""What is abnormal in thousands of series at once, each point judged only by what came before it.

`SeriesMatrix` holds the series; a detector is fitted on a history, scores, and explains one point; `find_alarms` makes
events of scores. `Combined` is the detector used by default.
"""

from prodintel_lib.analyses.anomalies.alarms import Alarm, Severity, find_alarms, hold
from prodintel_lib.analyses.anomalies.change import ChangePoints
from prodintel_lib.analyses.anomalies.combined import Combined
from prodintel_lib.analyses.anomalies.counts import Counts
from prodintel_lib.analyses.anomalies.joint import IsolationForest
from prodintel_lib.analyses.anomalies.model import Detector, Kind, Part, Scores, SeriesMatrix
from prodintel_lib.analyses.anomalies.robust import FixedThreshold, Percentile, RobustZ, ZScore

__all__ = [
    "Alarm",
    "ChangePoints",
    "Combined",
    "Counts",
    "Detector",
    "FixedThreshold",
    "IsolationForest",
    "Kind",
    "Part",
    "Percentile",
    "RobustZ",
    "Scores",
    "SeriesMatrix",
    "Severity",
    "ZScore",
    "find_alarms",
    "hold",
]
