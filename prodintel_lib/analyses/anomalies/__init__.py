"""What is abnormal in thousands of series at once, each point judged only by what came before it.

`SeriesMatrix` holds the series; a detector is fitted on a history, scores, and explains one point; `find_alarms` makes
events of scores. `Combined` is the detector used by default.
"""

from prodintel_lib.analyses.anomalies.alarms import Alarm, Severity, find_alarms, hold
from prodintel_lib.analyses.anomalies.calibration import confidence_of
from prodintel_lib.analyses.anomalies.change import ChangePoints
from prodintel_lib.analyses.anomalies.combined import Combined
from prodintel_lib.analyses.anomalies.counts import Counts
from prodintel_lib.analyses.anomalies.events import NamedEvent, parse_events
from prodintel_lib.analyses.anomalies.joint import IsolationForest
from prodintel_lib.analyses.anomalies.model import Detector, Kind, Part, Scores, SeriesMatrix
from prodintel_lib.analyses.anomalies.names import (
    DEFAULT_DETECTOR,
    DETECTOR_NAMES,
    chance_of_sigmas,
    default_threshold,
    detector_named,
    parse_threshold,
)
from prodintel_lib.analyses.anomalies.robust import FixedThreshold, Percentile, RobustZ, ZScore

__all__ = [
    "DEFAULT_DETECTOR",
    "DETECTOR_NAMES",
    "Alarm",
    "ChangePoints",
    "Combined",
    "Counts",
    "Detector",
    "FixedThreshold",
    "IsolationForest",
    "Kind",
    "NamedEvent",
    "Part",
    "Percentile",
    "RobustZ",
    "Scores",
    "SeriesMatrix",
    "Severity",
    "ZScore",
    "chance_of_sigmas",
    "confidence_of",
    "default_threshold",
    "detector_named",
    "find_alarms",
    "hold",
    "parse_events",
    "parse_threshold",
]
