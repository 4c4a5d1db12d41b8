"""A finding as a ticket: ``issue.md`` and ``issue.json``, in the shape ``gh issue create`` takes.

Everything from production is shown as it is and does nothing: no markup, no mention, no reference, no closing keyword.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.markup import four_digits
from prodintel_lib.renderers.markdown import code, inert, plain
from prodintel_lib.renderers.suite import RenderedFile
from prodintel_lib.renderers.triage import (
    LIKELY,
    Decided,
    Signature,
    decide_category,
    decide_severity,
    find_signature,
    fingerprint,
)
from prodintel_lib.scenarios.model import DependencyFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.causes import Cause
    from prodintel_lib.analyses.differences import Difference
    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.scenarios.model import Suite

ISSUE_SCHEMA: Final = "prodintel/issue/1"
ISSUE_FILES: Final = ("issue.md", "issue.json")
PRODUCTION_BUG: Final = "production-bug"
UNVERIFIED: Final = "unverified: no test has been run against a faulty and a fixed system"
MAX_TITLE: Final = 180
MAX_LINES: Final = 8
_SYMPTOMS: Final[Mapping[str, str]] = {
    "no_answer_in_time": "no answer in time",
    "server_error": "server errors",
    "wrong_state": "wrong results",
}


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to see the failure again.

    Attributes
    ----------
    folder : str
        The tests to run, relative to the issue.
    says : str
        What they are, in a sentence without its full stop.
    needs_toxiproxy : bool
    mattered : tuple of str
        What of it mattered, each with the runs that showed it.
    is_minimal : bool
        Whether it is the minimal scenario; otherwise it is the whole suite.
    """

    folder: str
    says: str
    needs_toxiproxy: bool
    mattered: tuple[str, ...] = ()
    is_minimal: bool = False

    @property
    def command(self) -> str:
        """The line to type."""
        return (
            f"{'TOXIPROXY_URL=http://127.0.0.1:8474 ' if self.needs_toxiproxy else ''}"
            f"pytest {self.folder} --base-url http://127.0.0.1:8080"
        )


@dataclass(frozen=True, slots=True)
class Issue:
    """Everything a ticket says, as plain values; strings may come from production.

    Attributes
    ----------
    incident_id, title : str
    fingerprint : str
        The same for the same failure, whenever and however often it is looked at.
    severity, category : Decided
    owner : Decided
        Who takes it; the value is empty where nobody is named for the category.
    summary : str
    evidence, cause_for, cause_against : tuple of str
        Sentences, with n and intervals.
    cause : str
    verification : str
        What is known of the tests.
    reproduction : Reproduction or None
    links : tuple of (str, str)
        Relative files and what they are for.
    """

    incident_id: str
    title: str
    fingerprint: str
    severity: Decided
    category: Decided
    owner: Decided
    summary: str
    evidence: tuple[str, ...]
    cause: str
    cause_for: tuple[str, ...]
    cause_against: tuple[str, ...]
    remediation: str
    verification: str
    reproduction: Reproduction | None
    links: tuple[tuple[str, str], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The tracker's labels: that it comes from production, and the category."""
        return PRODUCTION_BUG, self.category.value.replace(" ", "-")


def describe_issue(
    findings: IncidentFindings,
    suite: Suite | None,
    *,
    owners: Mapping[str, str],
    verification: str = "",
    minimal: Reproduction | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> Issue:
    """Put a ticket together from what is known of an incident.

    Parameters
    ----------
    findings : IncidentFindings
    suite : Suite or None
        None where no test could be made.
    owners : mapping
        Category to who takes it, as in prodintel.yaml.
    verification : str
        What certificate or proof say; empty where there is none.
    minimal : Reproduction, optional
        The minimal scenario, where there is one.
    links : sequence of (str, str)
        Further relative files.
    """
    signature = find_signature(findings)
    symptoms = _symptoms_of(suite, signature)
    best = findings.causes.ranked[0]
    category = decide_category(findings, signature, symptoms)
    whole = _whole(suite) if suite else None
    return Issue(
        incident_id=findings.record.incident_id,
        title=_title(signature, symptoms, best),
        fingerprint=fingerprint(signature, symptoms, best),
        severity=decide_severity(findings),
        category=category,
        owner=_owner(category.value, owners),
        summary=findings.headline.sentence,
        evidence=(*_hit(findings), *_errors(findings, signature), *_differences(findings)),
        cause=f"{best.statement} (score {best.score:.2f})",
        cause_for=tuple(claim.says for claim in best.evidence_for),
        cause_against=tuple(claim.says for claim in best.evidence_against),
        remediation=best.remediation,
        verification=verification or UNVERIFIED,
        reproduction=minimal or whole,
        links=(*_LINKS, *((whole.folder, "the whole suite") for _ in range(1) if whole), *links),
    )


def render_issue(issue: Issue) -> tuple[RenderedFile, ...]:
    r"""Render a ticket as Markdown and as JSON.

    The Markdown is the body; title, labels and the rest are in the JSON::

        gh issue create --title "$(jq -r .title issue.json)" --body-file issue.md \
          --label "$(jq -r '.labels | join(",")' issue.json)"

    What is filed already is found by its fingerprint::

        gh issue list --state all --search "$(jq -r .search issue.json)"
    """
    return RenderedFile("issue.json", _render_json(issue)), RenderedFile("issue.md", _render_markdown(issue))


_LINKS: Final = (
    ("report.html", "the report"),
    ("summary.md", "the first screen"),
    ("capsule.json", "the conditions"),
    ("result.json", "everything for programs"),
)


def _render_json(issue: Issue) -> str:
    reproduction = issue.reproduction
    content = {
        "schema": ISSUE_SCHEMA,
        "fingerprint": issue.fingerprint,
        "search": f'"{_mark(issue)}" in:body',
        "title": inert(issue.title)[:MAX_TITLE],
        "labels": list(issue.labels),
        "severity": {"level": issue.severity.value, "reason": inert(issue.severity.reason)},
        "category": {"name": issue.category.value, "reason": inert(issue.category.reason)},
        "owner": {"name": issue.owner.value or None, "reason": inert(issue.owner.reason)},
        "incident_id": issue.incident_id,
        "body_file": "issue.md",
        "verification": inert(issue.verification),
        "cause": inert(issue.cause),
        "evidence": [inert(line) for line in issue.evidence],
        "reproduction": None
        if reproduction is None
        else {
            "folder": reproduction.folder,
            "command": reproduction.command,
            "is_minimal": reproduction.is_minimal,
            "says": inert(reproduction.says),
            "mattered": [inert(line) for line in reproduction.mattered],
        },
        "links": [path for path, _ in issue.links],
    }
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def _render_markdown(issue: Issue) -> str:
    owner = code(issue.owner.value) if issue.owner.value else "unassigned"
    lines = [
        plain(issue.summary) or "No summary.",
        "",
        f"- Severity: **{issue.severity.value}**: {plain(issue.severity.reason)}",
        f"- Category: **{issue.category.value}**: {plain(issue.category.reason)}",
        f"- Owner: {owner}: {plain(issue.owner.reason)}",
        f"- Incident: {code(issue.incident_id)}",
        "",
        "## Evidence",
        "",
        *_bullets(issue.evidence),
        "",
        "## Likely cause",
        "",
        f"{plain(issue.cause)}.",
        "",
        *(f"- for: {plain(line)}" for line in issue.cause_for[:MAX_LINES]),
        *(f"- against: {plain(line)}" for line in issue.cause_against[:MAX_LINES]),
        *([f"- calls for: {plain(issue.remediation)}"] if issue.remediation else []),
        "",
        "## Reproduction",
        "",
        *_reproduction(issue),
        "",
        "## Files",
        "",
        *(f"- [{plain(path)}]({path}): {plain(words)}" for path, words in issue.links),
        "",
        f"Fingerprint: {code(_mark(issue))}",
        "",
    ]
    return "\n".join(lines)


def _reproduction(issue: Issue) -> list[str]:
    found = issue.reproduction
    if found is None:
        return ["No test could be made from the recorded requests."]
    return [
        f"{plain(found.says)}. Tests: {plain(issue.verification)}.",
        "",
        "```sh",
        found.command,
        "```",
        *(["", "What of it mattered:", "", *_bullets(found.mattered)] if found.mattered else []),
    ]


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {said}" for line in lines if (said := plain(line))] or ["- none"]


def _mark(issue: Issue) -> str:
    return f"prodintel-{issue.fingerprint}"


def _title(signature: Signature, symptoms: tuple[str, ...], best: Cause) -> str:
    """Name the failure; with no figure in it, since they differ from one look to the next."""
    met = " or ".join(_SYMPTOMS.get(symptom, symptom.replace("_", " ")) for symptom in symptoms) or signature.outcome
    since = f", likely since the {best.subject}" if best.kind == "change" and best.score >= LIKELY else ""
    return f"{signature.route or 'Production'}: {met or 'failures'}{since}"


def _symptoms_of(suite: Suite | None, signature: Signature) -> tuple[str, ...]:
    if suite:
        return tuple(sorted({kind for scenario in suite.scenarios[:1] for kind in scenario.symptom.kinds}))
    if signature.outcome.startswith("slow") or signature.outcome == "no answer":
        return ("no_answer_in_time",)
    return ("server_error",) if signature.outcome.startswith("5") else ()


def _owner(category: str, owners: Mapping[str, str]) -> Decided:
    names = {name.replace("_", " ").replace("-", " ").lower(): owner for name, owner in owners.items()}
    if category in names:
        return Decided(names[category], f"prodintel.yaml routes {category} there")
    return Decided("", f"prodintel.yaml names no owner for {category}")


def _whole(suite: Suite) -> Reproduction:
    faults = any(isinstance(each, DependencyFault) for scenario in suite.scenarios for each in scenario.conditions)
    return Reproduction("tests", f"{len(suite.scenarios)} scenarios, each as pytest and as Gherkin", faults)


def _hit(findings: IncidentFindings) -> list[str]:
    blast = findings.blast
    parts = (("users", blast.users), ("sessions", blast.sessions), ("requests", blast.requests))
    lines = [f"{part} {name} affected" for name, part in parts if part.n]
    worst = blast.routes.filter(blast.routes["bad"] > 0).head(3)
    lines += [
        f"{row['route']}: {row['bad']:,} of {row['requests']:,} requests bad ({100 * row['share']:.1f} %, 95 % CI "
        f"{100 * row['low']:.1f}-{100 * row['high']:.1f} %)"
        for row in worst.iter_rows(named=True)
    ]
    return lines


def _errors(findings: IncidentFindings, signature: Signature) -> list[str]:
    total = findings.signatures.bad_requests
    said = ": ".join(part for part in (signature.error_type, signature.message) if part)
    lines = [f"Their common error, in {signature.origin_service}: {said}"] if said else []
    lines += [
        f"{row['requests']:,} of {total:,} bad requests: {row['route']} got {row['outcome']}"
        + (f"; {row['origin_service']} says {row['message']}" if row["message"] else "")
        for row in findings.signatures.groups.head(3).iter_rows(named=True)
    ]
    return lines


def _differences(findings: IncidentFindings) -> list[str]:
    return [_difference(row) for row in findings.differences.rows if row.notable][:MAX_LINES]


def _difference(row: Difference) -> str:
    scale, sign = (100, " %") if row.unit == "share" else (1, f" {row.unit}" if row.unit else "")
    before, during = (four_digits(scale * (value or 0)) for value in (row.baseline, row.incident))
    return f"{row.subject}, {row.measure}: {before} → {during}{sign} (n {row.baseline_n:,} → {row.incident_n:,})"
