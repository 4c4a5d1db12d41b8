"""What was planted, and what an analysis said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The words of the truth, and those an analysis uses for the same. A slow load shows in the vitals of the load, and in
# those only: an INP or a CLS that is said to make people leave is made up.
REASONS: Final[Mapping[str, frozenset[str]]] = {
    "slow_page": frozenset({"slow page"}),
    "bad_vital": frozenset({"poor LCP", "poor FCP", "poor TTFB"}),
    "error": frozenset({"error"}),
    "validation": frozenset({"validation failure"}),
    "failed_request": frozenset({"failed request"}),
    "rage_click": frozenset({"rage click"}),
    "back_and_forth": frozenset({"back and forth"}),
}

# Seen at 1.96 standard errors with a chance of 98 %.
POWER_Z: Final = 4.0


@dataclass(frozen=True, slots=True)
class PlantedCause:
    """A cause as truth.yaml tells it; see demo/rum/causes.py."""

    cause_id: str
    routes: tuple[str, ...]
    reasons: frozenset[str]
    pattern: str
    affected: Mapping[str, str]
    effect: float
    exposed_sessions: int
    sessions_with_pattern: int
    dropped_because: int
    conversions_lost: float

    @property
    def makes_people_leave(self) -> bool:
        return self.effect > 0


@dataclass(frozen=True, slots=True)
class PlantedExperiment:
    """An experiment as truth.yaml tells it; `treatment` is the variant that has the effect, if there is one."""

    key: str
    has_effect: bool
    treatment: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Something that an analysis reported as a cause, in the words it used.

    Attributes
    ----------
    kind : str
        ``drop_off``, ``error`` (a pattern that is a bug), ``impact`` (a pattern that costs conversions), ``place`` (a
        pattern that keeps to some attributes), ``experiment`` (a variant said to differ), ``machine`` (a visitor
        that is said to be one).
    route, reason : str
        Of a drop-off.
    message : str
        Of a pattern: its example; of an experiment its key; of a machine its visitor.
    attributes : mapping
        Of a place; of an experiment the variant that is said to convert more often.
    figure : str
        What it says of the size.
    """

    kind: str
    route: str = ""
    reason: str = ""
    message: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    figure: str = ""

    def __str__(self) -> str:
        what = f"{self.reason} on {self.route}" if self.kind == "drop_off" else self.message
        where = ", ".join(f"{name}={value}" for name, value in self.attributes.items())
        return " ".join(part for part in (f"{self.kind}:", what, where, self.figure) if part)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one workspace fared.

    Attributes
    ----------
    seed : int
    found, missed : tuple of (kind, cause)
    false : tuple of Reported
        What was reported and belongs to no planted cause.
    """

    seed: int
    found: tuple[tuple[str, str], ...]
    missed: tuple[tuple[str, str], ...]
    false: tuple[Reported, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What holds of a generated workspace.

    Attributes
    ----------
    causes : tuple of PlantedCause
    defects : tuple of str
        Parts of the messages of errors that are defects but make nobody leave: to call them bugs is right.
    conversion : float
        Share of all sessions that bought.
    experiments : tuple of PlantedExperiment
    machines : frozenset of str
        Visitors that are machines and do not say so.
    """

    causes: tuple[PlantedCause, ...]
    defects: tuple[str, ...]
    conversion: float
    experiments: tuple[PlantedExperiment, ...] = ()
    machines: frozenset[str] = frozenset()

    def expected_of(self, cause: PlantedCause) -> set[str]:
        """Return the kinds of report by which a cause is to be found."""
        kinds = {"drop_off"} if cause.makes_people_leave else set()
        if cause.pattern:
            kinds |= {"error", "place"}
            if self.can_show_loss(cause):
                kinds.add("impact")
        return kinds

    def can_show_loss(self, cause: PlantedCause) -> bool:
        """Say whether the conversions a cause took are so many that a comparison of this size all but surely sees it.

        The loss must be POWER_Z standard errors of the share that converts among so many sessions as met its pattern.
        """
        if not cause.conversions_lost:
            return False
        lost = cause.conversions_lost / cause.sessions_with_pattern
        before = max(self.conversion, lost)
        return lost >= POWER_Z * math.sqrt(before * (1 - before) / cause.sessions_with_pattern)


def read_truth(file: Path) -> Truth:
    """Read a truth.yaml."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    causes = [
        PlantedCause(
            each["id"],
            tuple(each["routes"]),
            frozenset().union(*(REASONS[reason] for reason in each["reasons"])),
            each["pattern"],
            each["affected"],
            each["effect"],
            each["exposed_sessions"],
            each["sessions_with_pattern"],
            each["dropped_because"],
            each["conversions_lost"],
        )
        for each in document["causes"]
    ]
    defects = tuple(error["pattern"] for error in document["ordinary_errors"] if error["is_defect"])
    experiments = tuple(
        PlantedExperiment(each["feature_flag_key"], each["has_effect"], each["variants"][1]["variant"])
        for each in document["experiments"]
    )
    machines = frozenset(document["machines"]["undeclared_visitors"])
    return Truth(tuple(causes), defects, document["conversion"], experiments, machines)


def belongs(report: Reported, cause: PlantedCause) -> bool:
    """Say whether a report is of this cause."""
    if report.kind == "drop_off":
        on_route = not cause.routes or any(_same_route(report.route, route) for route in cause.routes)
        return on_route and report.reason in cause.reasons
    if not cause.pattern or cause.pattern not in report.message:
        return False
    if report.kind == "impact":
        return cause.makes_people_leave
    return report.kind != "place" or _same_place(report.attributes, cause.affected)


def judge(seed: int, reports: Sequence[Reported], truth: Truth) -> Outcome:
    """Match reports to causes: each kind by which a cause is expected is found or missed; the rest is false."""
    wanted = [(kind, cause) for cause in truth.causes for kind in sorted(truth.expected_of(cause))]
    found = [
        (kind, cause.cause_id)
        for kind, cause in wanted
        if any(report.kind == kind and belongs(report, cause) for report in reports)
    ]
    missed = [(kind, cause.cause_id) for kind, cause in wanted if (kind, cause.cause_id) not in found]
    for kind, names, told in (
        ("experiment", [each.key for each in truth.experiments if each.has_effect], _told_effects(reports, truth)),
        ("machine", sorted(truth.machines), {report.message for report in reports if report.kind == "machine"}),
    ):
        found += [(kind, name) for name in names if name in told]
        missed += [(kind, name) for name in names if name not in told]
    false = [report for report in reports if not _is_true(report, truth)]
    return Outcome(seed, tuple(found), tuple(missed), tuple(false))


def _told_effects(reports: Sequence[Reported], truth: Truth) -> set[str]:
    return {report.message for report in reports if report.kind == "experiment" and _is_true(report, truth)}


def _is_true(report: Reported, truth: Truth) -> bool:
    if report.kind == "machine":
        return report.message in truth.machines
    if report.kind == "experiment":
        effects = {(each.key, each.treatment) for each in truth.experiments if each.has_effect}
        return (report.message, report.attributes["variant"]) in effects
    if any(belongs(report, cause) for cause in truth.causes):
        return True
    return report.kind == "error" and any(defect in report.message for defect in truth.defects)


def _same_route(reported: str, planted: str) -> bool:
    """Compare two templates whose slots may be named differently."""
    mine, theirs = reported.strip("/").split("/"), planted.strip("/").split("/")
    return len(mine) == len(theirs) and all(
        left == right or (left.startswith("{") and right.startswith("{"))
        for left, right in zip(mine, theirs, strict=True)
    )


def _same_place(reported: Mapping[str, str], planted: Mapping[str, str]) -> bool:
    """Say whether the attributes named are the planted ones, all of them and no other; an hour is no attribute."""
    return set(reported.items()) == {item for item in planted.items() if item[0] != "local_hour"}
