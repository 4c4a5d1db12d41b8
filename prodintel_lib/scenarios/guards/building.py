"""From findings to guards: for each kind of signal that a finding shows, the routes that show it with few requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prodintel_lib import __version__
from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.scenarios.guards.conversions import find_converting_route
from prodintel_lib.scenarios.guards.exchanges import Recorded, RequestNames, read_exchanges, routes_of
from prodintel_lib.scenarios.guards.levels import (
    Measured,
    Sides,
    measure_drop,
    measure_errors,
    measure_journey,
    measure_slowness,
    take_sides,
    why_too_close,
)
from prodintel_lib.scenarios.guards.model import WORDS, Guard, GuardKind, GuardSet, GuardSuite, Plan
from prodintel_lib.scenarios.guards.plans import choose_plan
from prodintel_lib.scenarios.guards.subjects import Subject, subjects_of
from prodintel_lib.scenarios.recorded import slug
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prodintel_lib.analyses.anomaly_findings import AnomalyFindings
    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.recorded import Authorization

ROUTES_KEPT: Final = 2
"""Guards of one kind for one finding: what fails first, and what fails because of it, may need different requests."""

NOT_ASKED: Final = "it shows in no answer's outcome or duration, so a client cannot ask for it."
_SLUG: Final = 60
_LEAST_RATE: Final = 0.1


def build_guards(
    view: LakeView,
    findings: AnomalyFindings,
    production: Production,
    *,
    authorization: Authorization | None = None,
    converting_route: str = "",
    most: int | None = None,
) -> GuardSuite:
    """Build guards of findings.

    Parameters
    ----------
    view : LakeView
        Where recorded requests are read.
    findings : AnomalyFindings
    production : Production
        What the findings were made from.
    authorization : Authorization, optional
        How a session is authorised, from prodintel.yaml.
    converting_route : str
        Method and template of the request that makes a visit a conversion; where it is left out it is learned, which
        takes visits and traces that name the same sessions or traces.
    most : int, optional
        Of how many findings, the severest first; of all where it is left out.

    Returns
    -------
    GuardSuite
        For each finding and kind at most ROUTES_KEPT; what no guard can be made of is left out with the reason.
    """
    asked = {finding.id for finding in findings.findings[:most]}
    subjects = [each for each in subjects_of(findings.findings, production) if each.finding_id in asked]
    made = guard_subjects(view, production, subjects, authorization=authorization, converting_route=converting_route)
    others = [f"{finding.id}: {finding.title}" for finding in findings.findings if finding.id not in asked]
    return GuardSuite(made.made, (*made.left_out, *((other, f"only {most:,} were asked for.") for other in others)))


def guard_subjects(
    view: LakeView,
    production: Production,
    subjects: Iterable[Subject],
    *,
    authorization: Authorization | None = None,
    converting_route: str = "",
) -> GuardSuite:
    """Build guards of signals that were abnormal, found by whatever means; parameters as for build_guards."""
    maker = _Maker(view, production, authorization, converting_route)
    left_out: list[tuple[str, str]] = []
    for subject in subjects:
        if subject.kind is None:
            left_out.append((subject.label, NOT_ASKED))
            continue
        try:
            maker.guard(subject, subject.kind)
        except _NoGuardError as why:
            left_out.append((subject.label, f"{subject.kind.replace('_', ' ')}: {why}"))
    return GuardSuite(maker.guard_set(), tuple(left_out))


class _NoGuardError(Exception):
    """Says why there is no guard."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A route that may stand for a subject."""

    sides: Sides
    measured: Measured
    recorded: Recorded | None = None


@dataclass(slots=True)
class _Maker:
    """Makes guards of one production, and names their requests on the way."""

    view: LakeView
    production: Production
    authorization: Authorization | None
    converting_route: str
    made: list[Guard] = field(default_factory=list)
    names: RequestNames = field(default_factory=RequestNames)

    def guard(self, subject: Subject, kind: GuardKind) -> None:
        """Make the guards of a subject.

        Raises
        ------
        _NoGuardError
            If there can be none.
        """
        reasons = []
        candidates = self.candidates(subject, kind)
        for candidate in candidates:
            try:
                self.add(subject, kind, candidate)
            except _NoGuardError as why:
                reasons.append(str(why))
        if len(reasons) == len(candidates):
            raise _NoGuardError(reasons[0])

    def candidates(self, subject: Subject, kind: GuardKind) -> list[_Candidate]:
        """Return the routes that tell the two levels apart, with the fewest requests first.

        Raises
        ------
        _NoGuardError
            If none does.
        """
        tried = list(self._journey(subject) if kind == "conversion" else self._measured(subject, kind))
        if not tried:
            raise _NoGuardError("none of its routes was asked for often enough from outside, before it and in it.")
        known = [(needed, each) for each in tried if (needed := each.measured.needed) is not None]
        if not known:
            measured = tried[0].measured
            plan = choose_plan(measured.healthy.bound, measured.anomalous.bound)
            raise _NoGuardError(why_too_close(measured, plan) if not isinstance(plan, Plan) else "")
        known.sort(key=lambda pair: (pair[0], -pair[1].measured.anomalous.bad, pair[1].sides.route))
        guarded = {(guard.kind, guard.route): guard.finding_id for guard in self.made}
        new = [each for _, each in known if (kind, each.sides.route) not in guarded]
        if not new:
            raise _NoGuardError(f"the guard of {guarded[kind, known[0][1].sides.route]} holds for it as well.")
        return new[:ROUTES_KEPT]

    def add(self, subject: Subject, kind: GuardKind, candidate: _Candidate) -> None:
        """Make a guard.

        Raises
        ------
        _NoGuardError
            If nothing can be sent, or the levels are too near after all.
        """
        sides, measured = candidate.sides, candidate.measured
        recorded = candidate.recorded or self._recorded(sides)
        if not recorded.built:
            raise _NoGuardError(recorded.why_not)
        plan = choose_plan(measured.healthy.bound, measured.anomalous.bound, at_once=sides.at_once)
        if not isinstance(plan, Plan):
            raise _NoGuardError(why_too_close(measured, plan))
        self.made.append(
            Guard(
                id=self._id(sides.route, kind),
                finding_id=subject.finding_id,
                kind=kind,
                route=sides.route,
                title=_title(kind, sides.route, measured),
                seen=_seen(kind, measured),
                healthy=measured.healthy,
                anomalous=measured.anomalous,
                limit_ms=measured.limit_ms,
                statuses=recorded.statuses,
                whole=kind == "conversion",
                at_once=sides.at_once,
                rate_per_s=max(_LEAST_RATE, round(sides.rate_per_s, 3)),
                exchanges=tuple(self.names.exchange(built) for built in recorded.built),
                plan=plan,
            )
        )

    def guard_set(self) -> GuardSet | None:
        """Return what was made."""
        if not self.made:
            return None
        return GuardSet(
            generator=f"prodintel {__version__}",
            input_digest=digest_of(self.production.digest, *(guard.model_dump_json() for guard in self.made)),
            requests=self.names.requests,
            guards=tuple(self.made),
        )

    def _measured(self, subject: Subject, kind: GuardKind) -> Iterator[_Candidate]:
        measure = {"error_ratio": measure_errors, "latency": measure_slowness, "throughput": measure_drop}[kind]
        for route in subject.routes:
            sides = take_sides(self.production, route, subject.window, avoid=subject.avoid)
            if sides is not None:
                yield _Candidate(sides, measure(sides))

    def _journey(self, subject: Subject) -> Iterator[_Candidate]:
        """Yield the request that converts, with the steps that healthy sessions took to it."""
        known = Window(self.production.history.start_us, subject.window.end_us)
        route = self.converting_route or find_converting_route(self.view, known)
        if not route:
            raise _NoGuardError("no request was found that visits which converted sent, and others did not.")
        sides = take_sides(self.production, route, subject.window, avoid=subject.avoid)
        if sides is not None:
            recorded = self._recorded(sides)
            steps = routes_of(recorded.built)[:-1] if recorded.built else ()
            chain = [take_sides(self.production, step, subject.window, avoid=subject.avoid) for step in steps]
            measured = measure_journey([*(each for each in chain if each is not None), sides])
            yield _Candidate(sides, measured, recorded)

    def _recorded(self, sides: Sides) -> Recorded:
        return read_exchanges(self.view, sides.route, sides.healthy_window, authorization=self.authorization)

    def _id(self, route: str, kind: GuardKind) -> str:
        base = f"{slug(route, fallback='route')[:_SLUG].strip('_')}_{kind}"
        taken = {guard.id for guard in self.made}
        return next(name for name in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _title(kind: GuardKind, route: str, measured: Measured) -> str:
    bad = f"are slower than {measured.limit_ms:,} ms" if kind == "latency" else WORDS[kind]
    name = re.sub(r"\s+", " ", route).strip()
    return f"{name}: at most {100 * measured.healthy.bound:.1f} % {bad}"


def _seen(kind: GuardKind, measured: Measured) -> str:
    healthy, anomalous = measured.healthy, measured.anomalous
    return (
        f"{anomalous.bad:,} of {anomalous.n:,} {_PAST[kind]} ({100 * anomalous.share:.1f} %); before, "
        f"{healthy.bad:,} of {healthy.n:,} ({100 * healthy.share:.1f} %)"
    )


_PAST: Final[dict[GuardKind, str]] = {
    "error_ratio": "failed",
    "latency": "were slower",
    "throughput": "were not answered in time",
    "conversion": "did not get through",
}
