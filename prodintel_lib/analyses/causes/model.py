"""What a cause is: a claim with evidence on both sides, what would refute it, and what to do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from prodintel_lib.markup import Markup, number, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prodintel_lib.analyses.causes.location import Location

CauseKind = Literal["change", "dependency", "traffic", "certificate", "node", "data", "cannot_tell"]

CALIBRATION: Final = 0.8
MAX_SHOWN: Final = 12
SCORE_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Claim:
    """One piece of evidence and how much it weighs (in nats; its sign is given by the side it stands on)."""

    says: str
    weight: float


NO_LINK: Final = Claim("no interval of bad requests stands out, so nothing links a change to a failure", 4.0)


@dataclass(frozen=True, slots=True)
class Cause:
    """A candidate: what it claims, what speaks for it, what against it, and what would refute it.

    Attributes
    ----------
    kind : str
    subject : str
        What it blames, short.
    statement : str
        One sentence without its full stop.
    evidence_for, evidence_against : tuple of Claim
    would_refute : str
        The observation or test that would show it wrong.
    score : float
        See Causes.
    remediation : str
        What such a cause calls for; empty for "cannot tell".
    change_id : str
        For changes: the id in the table ``changes``.
    commit_id : str
        For changes: the revision, where it is known.
    """

    kind: CauseKind
    subject: str
    statement: str
    evidence_for: tuple[Claim, ...]
    evidence_against: tuple[Claim, ...]
    would_refute: str
    score: float = 0.0
    remediation: str = ""
    change_id: str = ""
    commit_id: str = ""

    @property
    def weight(self) -> float:
        """What is for it less what is against it."""
        return sum(claim.weight for claim in self.evidence_for) - sum(claim.weight for claim in self.evidence_against)


@dataclass(frozen=True, slots=True)
class Causes:
    """Candidates, most likely first; scores add up to one.

    Attributes
    ----------
    ranked : tuple of Cause
    contributing : tuple of str
        What made it worse without having begun it.
    location : Location or None
        Where it failed first and whom it reached; None where no service can be told apart.
    """

    ranked: tuple[Cause, ...]
    contributing: tuple[str, ...]
    location: Location | None = None

    def _repr_html_(self) -> str:
        rows = [
            [
                number(cause.score, digits=2),
                text(cause.statement),
                _lines([claim.says for claim in cause.evidence_for]),
                _lines([claim.says for claim in cause.evidence_against]),
                text(cause.would_refute),
                text(cause.remediation or None),
            ]
            for cause in self.ranked[:MAX_SHOWN]
        ]
        more = len(self.ranked) - MAX_SHOWN
        notes = [
            f"First failing service: {self.location.first_failing}." if self.location else "",
            f"Contributing: {'; '.join(self.contributing)}." if self.contributing else "",
            f"{more} more candidates, each less likely, are in result.json." if more > 0 else "",
        ]
        headers = ["Score", "Cause", "For", "Against", "Would be refuted by", "What it calls for"]
        return str(table(headers, rows, align="rlllll", caption=" ".join(note for note in notes if note)))


def _lines(sentences: Sequence[str]) -> Markup:
    return Markup("<br>").join(text(sentence) for sentence in sentences)


def score_causes(candidates: Iterable[Cause]) -> tuple[Cause, ...]:
    """Turn weights into scores that add up to one, most likely first.

    Notes
    -----
    The weights are nats of evidence that are added as if they were independent, which they are not quite: they are
    scaled by CALIBRATION before the exponential (temperature scaling, Guo et al. 2017, arXiv:1706.04599, section 4.2).
    benchmarks/causes holds the table of scores against outcomes from which it was chosen.
    """
    every = list(candidates)
    top = max(cause.weight for cause in every)
    powers = [math.exp(CALIBRATION * (cause.weight - top)) for cause in every]
    scored = [
        replace(cause, score=round(power / sum(powers), SCORE_DIGITS))
        for cause, power in zip(every, powers, strict=True)
    ]
    # What cannot be told comes last among equals, and first where it outweighs every candidate.
    return tuple(sorted(scored, key=lambda cause: (-round(cause.score, 6), cause.kind == "cannot_tell", cause.subject)))
