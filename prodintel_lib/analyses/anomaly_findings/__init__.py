"""Findings: what was abnormal in which series at once, how sure, for whom, and what was near."""

from prodintel_lib.analyses.anomaly_findings.analysis import find_anomalies
from prodintel_lib.analyses.anomaly_findings.locating import locate, locate_all
from prodintel_lib.analyses.anomaly_findings.model import (
    CHANGES_SCHEMA,
    MEMBERS_SCHEMA,
    AnomalyFinding,
    AnomalyFindings,
    FindingDetails,
    FindingType,
    FindingUnit,
    ScoredSignals,
)

__all__ = [
    "CHANGES_SCHEMA",
    "MEMBERS_SCHEMA",
    "AnomalyFinding",
    "AnomalyFindings",
    "FindingDetails",
    "FindingType",
    "FindingUnit",
    "ScoredSignals",
    "find_anomalies",
    "locate",
    "locate_all",
]
