"""The answer first: what is abnormal, how sure that is, and whom it hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.headline import Headline
from prodintel_lib.markup import number

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFinding, AnomalyFindings
    from prodintel_lib.scenarios.guards import GuardSuite

MAX_NAMED: Final = 3
SEVERE: Final = frozenset({"high", "critical"})


def write_headline(findings: AnomalyFindings, guards: GuardSuite) -> Headline:
    """Sum up what was found.

    Parameters
    ----------
    findings : AnomalyFindings
    guards : GuardSuite
    """
    found = findings.findings
    severe = sum(one.severity in SEVERE for one in found)
    users = found[0].affected_users if found else None
    judged = f"of {findings.series_scored:,} series"
    return Headline(
        title_of(findings),
        sentence_of(findings),
        (
            ("anomalies", number(len(found)), judged, "bad" if found else "good"),
            ("high or critical", number(severe), f"of {len(found):,}", "bad" if severe else "good"),
            (
                "users hit by the first",
                number(users.hits) if users else "not known",
                f"of {users.n:,} active meanwhile" if users else "no user is named",
                "",
            ),
            ("guards", number(len(guards.guards)), f"{len(guards.left_out):,} could not be made", ""),
        ),
    )


def title_of(findings: AnomalyFindings) -> str:
    """Return the anomalies of a window as a title."""
    found = findings.findings
    if not found:
        return f"Nothing abnormal among {findings.series_scored:,} series"
    return found[0].title if len(found) == 1 else f"{len(found):,} anomalies; first to look at: {found[0].title}"


def sentence_of(findings: AnomalyFindings) -> str:
    """Return what was looked at and what of it was abnormal."""
    found = findings.findings
    said = [f"{_named(one)}." for one in found[:MAX_NAMED]]
    said[1:1] = [found[0].recommendation] if found else []
    if len(found) > MAX_NAMED:
        said.append(f"{len(found) - MAX_NAMED:,} more are below.")
    judged = f"{findings.points_scored:,} points of {findings.series_scored:,} series were judged"
    said.append(f"{judged}, each against what came before it.")
    if findings.series_too_short:
        said.append(f"{findings.series_too_short:,} more series have too little history to be judged.")
    return " ".join(said)


def _named(finding: AnomalyFinding) -> str:
    return f"{finding.title}: {finding.severity}, {finding.sure} sure"
