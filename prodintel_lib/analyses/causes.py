"""Probable causes, as far as changes before the onset and the end of the failing chain show them.

Each candidate collects evidence for and against; the weights are stated here, the same for every workspace, and are
turned into scores that add up to one together with "cannot tell". The scores order the candidates; they are not yet
calibrated probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from prodintel_lib.markup import Markup, number, table, text
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.differences import Difference, Differences
    from prodintel_lib.analyses.onset import Onset
    from prodintel_lib.analyses.paths import ServiceMap, TracePath

CauseKind = Literal["change", "dependency", "traffic", "cannot_tell"]

CHANGE_HALF_LIFE_S: Final = 3 * 3600
MAX_CHANGE_AGE_S: Final = 24 * 3600
DEGRADED_EFFECT: Final = 0.5
SURGE_RATIO: Final = 1.5
MIN_QUIET_REQUESTS: Final = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """One piece of evidence and how much it weighs (in nats; its sign is given by the side it stands on)."""

    says: str
    weight: float


NO_LINK: Final = Claim("no interval of bad requests stands out, so nothing links a change to a failure", 4.0)


@dataclass(frozen=True, slots=True)
class Cause:
    """A candidate: what it claims, what speaks for it, what against it, and what would refute it."""

    kind: CauseKind
    subject: str
    statement: str
    evidence_for: tuple[Claim, ...]
    evidence_against: tuple[Claim, ...]
    would_refute: str
    score: float = 0.0

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
    """

    ranked: tuple[Cause, ...]
    contributing: tuple[str, ...]

    def _repr_html_(self) -> str:
        rows = [
            [
                number(cause.score, digits=2),
                text(cause.statement),
                _lines([claim.says for claim in cause.evidence_for]),
                _lines([claim.says for claim in cause.evidence_against]),
                text(cause.would_refute),
            ]
            for cause in self.ranked
        ]
        caption = "Contributing: " + "; ".join(self.contributing) + "." if self.contributing else ""
        headers = ["Score", "Cause", "For", "Against", "Would be refuted by"]
        return str(table(headers, rows, align="rllll", caption=caption))


def _lines(sentences: Sequence[str]) -> Markup:
    return Markup("<br>").join(text(sentence) for sentence in sentences)


def rank_causes(
    *,
    changes: pl.DataFrame,
    requests: pl.DataFrame,
    calls: pl.DataFrame,
    onset: Onset,
    differences: Differences,
    service_map: ServiceMap,
    path: TracePath | None,
) -> Causes:
    """Rank the candidates.

    Parameters
    ----------
    changes : polars.DataFrame
        The canonical table.
    requests : polars.DataFrame
        Entry requests: ``time_us, bad``.
    calls : polars.DataFrame
        One row a call: ``time_us, duration_ms, caller, dependency, failed``.
    onset, differences, service_map, path
        The results of the same incident.
    """
    degraded = find_degraded_dependencies(differences, service_map)
    on_path = set(path.failing["service_name"].drop_nulls()) if path else set()
    candidates = [
        *_changes_before(changes, requests, onset, on_path, degraded),
        *(_dependency_cause(row, calls, onset) for row in degraded[:1] if is_external(row, service_map)),
        *_surge(differences),
        Cause(
            "cannot_tell",
            "",
            "Cannot tell from this data",
            (NO_LINK,) if onset.how == "inferred" else (),
            (),
            "evidence for any one of the others",
        ),
    ]
    total = sum(math.exp(cause.weight) for cause in candidates)
    scored = [_scored(cause, math.exp(cause.weight) / total) for cause in candidates]
    # What cannot be told comes last among equals, and first where it outweighs every candidate.
    ranked = sorted(scored, key=lambda cause: (-round(cause.score, 6), cause.kind == "cannot_tell", cause.subject))
    return Causes(tuple(ranked), tuple(_contributing(differences)))


def _scored(cause: Cause, score: float) -> Cause:
    return Cause(
        cause.kind,
        cause.subject,
        cause.statement,
        cause.evidence_for,
        cause.evidence_against,
        cause.would_refute,
        score,
    )


def find_degraded_dependencies(differences: Differences, service_map: ServiceMap) -> tuple[Difference, ...]:
    """Find the dependencies at the end of the chain: degraded, and not calling anything degraded themselves.

    Returns
    -------
    tuple of Difference
        The ``p99 of calls`` or ``calls that failed`` condition of each, largest effect first.
    """
    rows = [
        row
        for row in differences.rows
        if row.aspect == "dependency" and (row.effect or 0) > 0 and row.notable
    ]  # fmt: skip
    callers = {_ends(row.subject)[0] for row in rows}
    known = {(edge["caller"], edge["dependency"]) for edge in service_map.edges.iter_rows(named=True)}
    last = [row for row in rows if _ends(row.subject)[1] not in callers and _ends(row.subject) in known]
    unique: dict[str, Difference] = {}
    for row in last:
        unique.setdefault(row.subject, row)
    return tuple(unique.values())


def is_external(row: Difference, service_map: ServiceMap) -> bool:
    """Say whether a degraded dependency sends no spans of its own, so that its trouble cannot be looked into."""
    caller, dependency = _ends(row.subject)
    edge = service_map.edges.filter((pl.col("caller") == caller) & (pl.col("dependency") == dependency))
    return edge.height > 0 and not bool(edge["has_own_spans"].any())


def _ends(subject: str) -> tuple[str, str]:
    caller, _, dependency = subject.partition(" → ")
    return caller, dependency


def _changes_before(
    changes: pl.DataFrame, requests: pl.DataFrame, onset: Onset, on_path: set[str], degraded: Sequence[Difference]
) -> list[Cause]:
    onset_us = onset.window.start_us
    done = changes.filter(
        (pl.col("time_us") < onset_us)
        & (pl.col("time_us") >= onset_us - MAX_CHANGE_AGE_S * US_PER_S)
        & ~pl.col("status").fill_null("").is_in(["failure", "error", "inactive", "cancelled"])
    )
    failed = set(changes.filter(pl.col("status").is_in(["failure", "error"]))["change_id"])
    last_seen = done.filter(~pl.col("change_id").is_in(failed)).sort("time_us").group_by("change_id").last()
    return [
        _change_cause(row, requests, onset, on_path, degraded)
        for row in last_seen.sort("time_us", "change_id").iter_rows(named=True)
    ]


def _change_cause(
    row: dict[str, object], requests: pl.DataFrame, onset: Onset, on_path: set[str], degraded: Sequence[Difference]
) -> Cause:
    time_us, service = int(str(row["time_us"])), str(row["service_name"] or "?")
    age_s = (onset.window.start_us - time_us) / US_PER_S
    what = f"{row['change_kind']} of {service}" + (f" {row['service_version']}" if row["service_version"] else "")
    claims_for = [Claim(f"{format_duration(age_s)} before the onset", 1.5 * 0.5 ** (age_s / CHANGE_HALF_LIFE_S))]
    claims_against: list[Claim] = []
    calls_it = [row for row in degraded if _ends(row.subject)[0] == service]
    if any(_ends(row.subject)[1] == service for row in degraded):
        claims_for.append(Claim(f"{service} is where the failing chain ends", 2.0))
    elif calls_it:
        claims_for.append(
            Claim(f"{service} is the caller of {_ends(calls_it[0].subject)[1]}, where the chain ends", 1.5)
        )
    elif service in on_path:
        claims_for.append(Claim(f"{service} is on the failing path", 0.5))
    else:
        claims_against.append(Claim(f"{service} is not on the failing path", 2.0))
    quiet = requests.filter(pl.col("time_us").is_between(time_us, onset.window.start_us, closed="left"))
    if quiet.height >= MIN_QUIET_REQUESTS:
        bad = int(quiet["bad"].sum())
        claims_against.append(
            Claim(
                f"{bad:,} of {quiet.height:,} requests between it and the onset were bad: alone it does no harm "
                "under usual conditions",
                0.5,
            )
        )
    changed = _ends(degraded[0].subject)[1] if degraded else service
    if changed != service:
        claims_against.append(Claim(f"{changed} itself changed at the onset", 0.5))
    return Cause(
        "change", what, f"The {what}", tuple(claims_for), tuple(claims_against),
        f"the same failure on the version before, with {changed} as slow" if changed != service
        else "the same failure on the version before",
    )  # fmt: skip


def _dependency_cause(row: Difference, calls: pl.DataFrame, onset: Onset) -> Cause:
    caller, dependency = _ends(row.subject)
    edge = calls.filter(
        (pl.col("caller") == caller)
        & (pl.col("dependency") == dependency)
        & (pl.col("time_us") >= onset.window.start_us - onset.bucket_s * US_PER_S)
    )
    claims_for = [Claim(_went(row), 1.5)]
    slow = edge.filter(pl.col("failed") | (pl.col("duration_ms") > (row.baseline or 0) * 3))
    claims_against: list[Claim] = []
    if slow.height:
        lag_s = (int(slow["time_us"].min()) - onset.window.start_us) / US_PER_S  # type: ignore[arg-type]
        near = abs(lag_s) <= 2 * onset.bucket_s
        side = claims_for if near else claims_against
        side.append(Claim(f"its first bad call began {lag_s:+.1f} s from the onset", 1.0))
    claims_against.append(
        Claim(f"a caller that bounds its calls survives a slow dependency; {caller} waited {row.incident:,.0f} ms", 0.8)
        if row.unit == "ms"
        else Claim(f"{caller} passed the failure on instead of containing it", 0.5)
    )
    return Cause(
        "dependency", dependency, f"{dependency} alone, called by {caller}", tuple(claims_for), tuple(claims_against),
        f"{dependency} as slow at another time without harm",
    )  # fmt: skip


def _went(row: Difference) -> str:
    if row.unit == "share":
        before, during = 100 * (row.baseline or 0), 100 * (row.incident or 0)
        return f"{row.measure}: {before:.1f} % → {during:.1f} % (n {row.incident_n:,})"
    return f"{row.measure}: {row.baseline:,.0f} → {row.incident:,.0f} {row.unit} (n {row.incident_n:,})"


def _surge(differences: Differences) -> list[Cause]:
    rows = differences.of("traffic")
    if not rows or not rows[0].baseline or rows[0].incident is None:
        return []
    ratio = rows[0].incident / rows[0].baseline
    if ratio < SURGE_RATIO or not rows[0].notable:
        return []
    said = Claim(f"traffic × {ratio:.1f} ({rows[0].baseline:.1f} → {rows[0].incident:.1f} requests/s)", 1.5)
    return [Cause("traffic", "traffic", "A surge of traffic", (said,), (), "the same failure at usual traffic")]


def _contributing(differences: Differences) -> list[str]:
    full = [
        f"{row.subject}: {row.measure}, {row.baseline:.1f} → {row.incident:.1f} of {row.limit:.0f}"
        for row in differences.of("connections")
        if row.limit and row.incident is not None and row.baseline is not None and row.incident >= 0.8 * row.limit
    ]
    cache = [
        f"{row.subject}: {row.measure} {row.baseline:.3g} → {row.incident:.3g}"
        for row in differences.of("cache")
        if row.notable
    ]
    return full + cache
