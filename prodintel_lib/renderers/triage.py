"""What kind of failure an incident was, how grave, and what identifies it, each with its reason.

Nothing here knows a system: the rules look at the kind of the likeliest cause, at what users met, and at whom it hit.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from prodintel_lib.analyses.causes import is_external

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.causes import Cause
    from prodintel_lib.analyses.findings import IncidentFindings

Category = Literal[
    "code", "performance", "security", "integration", "configuration", "business logic", "infrastructure"
]
Severity = Literal["critical", "high", "medium", "low"]

GRAVEST: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low")
CRITICAL_SHARE: Final = 0.5
HIGH_SHARE: Final = 0.1
MEDIUM_SHARE: Final = 0.01
LIKELY: Final = 0.5
_REFUSED: Final = frozenset({"401", "403"})
_SWITCHED: Final = frozenset({"config", "configuration", "flag", "feature_flag"})
_OF_TOOL: Final[Mapping[str, Severity]] = {
    "p0": "critical", "p1": "critical", "sev0": "critical", "sev1": "critical", "critical": "critical",
    "p2": "high", "sev2": "high", "high": "high", "error": "high", "major": "high",
    "p3": "medium", "sev3": "medium", "medium": "medium", "moderate": "medium", "warning": "medium",
    "p4": "low", "p5": "low", "sev4": "low", "sev5": "low", "low": "low", "minor": "low", "info": "low",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the reason for it."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Signature:
    """The failure as the requests of the subject's route show it most often.

    Attributes
    ----------
    route : str
    outcome : str
        What the user got: a status, or ``slow (200)``.
    origin_service, error_type, message : str
        The deepest error behind it; empty where none was recorded.
    """

    route: str
    outcome: str = ""
    origin_service: str = ""
    error_type: str = ""
    message: str = ""


def find_signature(findings: IncidentFindings) -> Signature:
    """Find the error that most bad requests of the subject's route have in common; what varies in its text is gone.

    Where none of them recorded an error, the most frequent outcome has to do.
    """
    groups = findings.signatures.groups.filter(pl.col("route") == findings.subject_route)
    if groups.is_empty():
        return Signature(findings.subject_route)
    counts: dict[tuple[bool, Signature], int] = {}
    for row in groups.iter_rows(named=True):
        signature = Signature(
            row["route"],
            row["outcome"] or "",
            row["origin_service"] or "",
            row["error_type"] or "",
            same_words(row["message"] or ""),
        )
        key = (bool(signature.error_type or signature.message), signature)
        counts[key] = counts.get(key, 0) + int(row["requests"])
    return max(counts, key=lambda key: (key[0], counts[key], repr(key[1])))[1]


def same_words(message: str) -> str:
    r"""Return what is alike in two messages of one kind: the words, without what is quoted, numbered or escaped.

    Examples
    --------
    >>> same_words("'ascii' codec can't encode character '\\xdc' in position <n>")
    "codec can't encode character in position"
    """
    unquoted = re.sub(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`|<[^>]*>|https?://\S+", " ", message)
    return " ".join(word for word in unquoted.split() if re.fullmatch(r"[^\W\d_](?:[^\W\d_]|['-])*[.,:;]?", word))


def decide_category(findings: IncidentFindings, signature: Signature, symptoms: tuple[str, ...]) -> Decided:
    """Decide what kind of work it is; by the likeliest cause, then by what users met."""
    best = findings.causes.ranked[0]
    if signature.outcome in _REFUSED:
        return _decided("security", f"users were refused with status {signature.outcome}")
    by_cause: Mapping[str, tuple[Category, str]] = {
        "dependency": ("integration", f"it lies with {best.subject}, which others provide"),
        "traffic": ("performance", "more traffic came than it bears"),
        "certificate": ("configuration", "a certificate or a token ran out"),
        "node": ("infrastructure", "it lies with a machine"),
        "data": ("business logic", "certain data are not handled"),
    }
    if best.kind in by_cause:
        return _decided(*by_cause[best.kind])
    if best.kind == "change" and _change_kind(findings, best) in _SWITCHED:
        return _decided("configuration", f"the likeliest cause is the {best.subject}")
    external = [row for row in findings.degraded if is_external(row, findings.service_map)]
    if external:
        return _decided("integration", f"the failing chain ends in a call of another's service: {external[0].subject}")
    return _by_symptom(signature, symptoms, best)


def decide_severity(findings: IncidentFindings) -> Decided:
    """Decide how grave it is: as the incident's tool says or by whom it hit, whichever is graver."""
    blast = findings.blast
    hit, whom = next(
        ((part, name) for part, name in ((blast.users, "active users"), (blast.sessions, "sessions")) if part.n),
        (blast.requests, "requests"),
    )
    share = hit.share if hit.n else 0.0
    by_share: Severity = "low"
    for least, level in ((CRITICAL_SHARE, "critical"), (HIGH_SHARE, "high"), (MEDIUM_SHARE, "medium")):
        if share >= least:
            by_share = level  # type: ignore[assignment]
            break
    said = findings.record.severity
    by_tool = _OF_TOOL.get(re.sub(r"[\s_-]", "", said.lower()))
    reason = f"{hit} {whom} were affected: {by_share}"
    if by_tool is None:
        return Decided(by_share, reason + (f"; the incident's tool says {said}" if said else ""))
    graver = min(by_share, by_tool, key=GRAVEST.index)
    return Decided(graver, f"{reason}; the incident's tool says {said}: {by_tool}")


def fingerprint(signature: Signature, symptoms: tuple[str, ...], cause: Cause) -> str:
    """Return what identifies the failure, 16 hex digits: no time, no count, no id of the incident is in it."""
    parts = [
        signature.route,
        sorted(symptoms),
        signature.origin_service,
        signature.error_type,
        signature.message,
        cause.kind,
        cause.subject,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _by_symptom(signature: Signature, symptoms: tuple[str, ...], best: Cause) -> Decided:
    after = f", after the {best.subject}" if best.kind == "change" else "; no cause stands out"
    if "wrong_state" in symptoms and "server_error" not in symptoms:
        return _decided("business logic", f"answers were wrong rather than missing{after}")
    if signature.error_type or signature.message or "server_error" in symptoms:
        where = f" in {signature.origin_service}" if signature.origin_service else ""
        return _decided("code", f"an error{where}{after}")
    if "no_answer_in_time" in symptoms or signature.outcome.startswith("slow"):
        return _decided("performance", f"answers came late, and no error was recorded{after}")
    return _decided("code", f"requests failed without a recorded error{after}")


def _change_kind(findings: IncidentFindings, cause: Cause) -> str:
    changes = findings.changes
    if not cause.change_id:
        return ""
    kinds = changes.filter(pl.col("change_id") == cause.change_id)["change_kind"]
    return str(kinds[0]) if len(kinds) else ""


def _decided(category: Category, reason: str) -> Decided:
    return Decided(category, reason)
