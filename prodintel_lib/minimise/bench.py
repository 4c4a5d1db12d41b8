"""Candidates judged on a system: a control before every run, as many runs as the confidence asks for, within bounds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ConditionError
from prodintel_lib.minimise.parts import why_invalid
from prodintel_lib.minimise.sequential import MOST_RUNS, SequentialTest

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.certify import Outcome
    from prodintel_lib.scenarios.model import Scenario

    Run = Callable[[Scenario, bool], Outcome]
    """Runs a scenario once; the flag leaves its conditions out."""

RECOVERY_WITHIN_S: Final = 90.0
RECOVERY_POLL_S: Final = 0.5
DEFAULT_RUNS: Final = 200
DEFAULT_MINUTES: Final = 30.0


class SearchEnded(Exception):  # noqa: N818 - it is an end, not an error
    """A bound was reached; what was found so far stands."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a search may cost.

    Attributes
    ----------
    max_runs : int
        Runs under the conditions; the controls between them are not counted.
    max_minutes : float
    recovery_within_s : float
        How long the system may take to be healthy again between two runs.
    """

    max_runs: int = DEFAULT_RUNS
    max_minutes: float = DEFAULT_MINUTES
    recovery_within_s: float = RECOVERY_WITHIN_S


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a candidate.

    Attributes
    ----------
    shows : bool
        Whether it shows the symptom.
    shown, runs : int
        In how many of how many runs under the conditions.
    why : str
        Why it was not run, or what else came of it; empty where the runs say it all.
    """

    shows: bool
    shown: int = 0
    runs: int = 0
    why: str = ""

    @property
    def is_unclear(self) -> bool:
        """Whether as many runs as are taken could not tell."""
        return not self.shows and self.runs >= MOST_RUNS


@dataclass(slots=True)
class Counts:
    """What a search has cost."""

    candidates: int = 0
    runs: int = 0
    controls: int = 0


@dataclass(slots=True)
class Bench:
    """Judges candidates against a system, and remembers what came of each.

    Attributes
    ----------
    run : callable
        ``run(scenario, without_conditions)``.
    bounds : Bounds
    test : SequentialTest
        How many runs decide.
    has_control : bool
        Whether the scenarios behave otherwise without their conditions. Then each run follows a control: the same
        candidate without the conditions has to be green. That tells a system which has not recovered from the run
        before, and a candidate that fails for a reason of its own.
    restart : callable, optional
        Brings the system back where it does not recover by itself.
    on_run : callable, optional
        Called after every run.
    """

    run: Run
    bounds: Bounds = field(default_factory=Bounds)
    test: SequentialTest = field(default_factory=SequentialTest)
    has_control: bool = True
    restart: Callable[[], None] | None = None
    on_run: Callable[[Counts], None] = lambda _counts: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    counts: Counts = field(default_factory=Counts)
    _known: dict[str, Verdict] = field(default_factory=dict)
    _controls: dict[str, list[bool]] = field(default_factory=dict)
    _began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_s = self.clock()

    @property
    def took_ms(self) -> int:
        """How long it has taken so far."""
        return round((self.clock() - self._began_s) * 1000)

    def observe(self, scenario: Scenario, runs: int) -> tuple[int, Outcome]:
        """Run a scenario so often, whatever comes; return how often it showed its symptom, and the last other outcome.

        Raises
        ------
        ConditionError
            If its conditions cannot be applied, or it fails without them too.
        """
        shown, other = 0, None
        for _ in range(runs):
            if why := self._control(scenario, scenario):
                raise ConditionError(
                    f"Without its conditions `{scenario.id}` is not green: {why}",
                    hint="restart the system: it may not have recovered, or it fails whatever the conditions are.",
                )
            outcome = self._run(scenario)
            if outcome.colour == "skipped":
                raise ConditionError(
                    f"The conditions of `{scenario.id}` cannot be applied: {outcome.message}.",
                    hint="name the Toxiproxy before the system's dependencies with --toxiproxy.",
                )
            if shows(outcome, scenario):
                shown += 1
            else:
                other = outcome
        return shown, other or outcome

    def judge(self, candidate: Scenario, best: Scenario) -> Verdict:
        """Judge a candidate; `best` is known to be green without its conditions on a healthy system.

        Raises
        ------
        SearchEnded
            If a bound is reached before it is decided.
        """
        key = candidate.model_dump_json()
        if key not in self._known:
            why = why_invalid(candidate)
            if not why and self.has_control and not candidate.conditions:
                why = "no condition is left: that is what the controls are"
            if why:
                self._known[key] = Verdict(shows=False, why=why)
            else:
                self.counts.candidates += 1
                self._known[key] = self._judged(candidate, best)
        return self._known[key]

    def known(self, candidate: Scenario) -> Verdict | None:
        """Return what became of a candidate, None where it was never judged."""
        return self._known.get(candidate.model_dump_json())

    def forget(self) -> None:
        """Forget what showed it, so that it is judged by new runs; what did not is nothing to build upon anyhow."""
        self._known = {key: verdict for key, verdict in self._known.items() if not verdict.shows}

    def controls_of(self, scenario: Scenario) -> tuple[int, int]:
        """Return how often a scenario showed its symptom without its conditions, and of how many runs."""
        came = self._controls.get(scenario.model_dump_json(), [])
        return sum(came), len(came)

    def settle(self, scenario: Scenario) -> None:
        """Wait until the system is healthy again.

        Raises
        ------
        SearchEnded
            If it does not become so in time.
        """
        until_s = self.clock() + self.bounds.recovery_within_s
        restarts = [self.restart] if self.restart else []
        while (outcome := self._run_control(scenario)).colour != "green":
            if self.clock() >= until_s:
                if not restarts:
                    raise SearchEnded(
                        f"without the conditions the system was not healthy again within "
                        f"{self.bounds.recovery_within_s:g} s ({outcome.message or outcome.colour})"
                    )
                restarts.pop()()
                until_s = self.clock() + self.bounds.recovery_within_s
            self.sleep(RECOVERY_POLL_S)

    def _judged(self, candidate: Scenario, best: Scenario) -> Verdict:
        shown = runs = 0
        while (decided := self.test.decide(shown, runs)) is None:
            self._require_room()
            if why := self._control(candidate, best):
                return Verdict(
                    shows=False, shown=shown, runs=runs, why=f"not green without the conditions either: {why}"
                )
            outcome = self._run(candidate)
            runs += 1
            if shows(outcome, candidate):
                shown += 1
            elif not outcome.is_judgement:
                # Its set-up fails where the control's did not: there is nothing to learn from more of it.
                return Verdict(shows=False, shown=shown, runs=runs, why=f"no reproduction: {outcome.message}")
        return Verdict(shows=decided, shown=shown, runs=runs)

    def _control(self, candidate: Scenario, best: Scenario) -> str:
        """See that the candidate is green without its conditions; return what it is otherwise, once `best` is green."""
        if not self.has_control:
            return ""
        if self._run_control(candidate).colour == "green":
            return ""
        if candidate != best:
            self.settle(best)
        else:
            try:
                self.settle(best)
            except SearchEnded as ended:
                return str(ended)
            return ""
        again = self._run_control(candidate)
        return "" if again.colour == "green" else again.message or again.colour

    def _run(self, scenario: Scenario) -> Outcome:
        outcome = self.run(scenario, False)  # noqa: FBT003 - the callable has two positions
        self.counts.runs += 1
        self.on_run(self.counts)
        return outcome

    def _run_control(self, scenario: Scenario) -> Outcome:
        self.counts.controls += 1
        outcome = self.run(scenario, True)  # noqa: FBT003
        self._controls.setdefault(scenario.model_dump_json(), []).append(shows(outcome, scenario))
        return outcome

    def _require_room(self) -> None:
        if self.counts.runs >= self.bounds.max_runs:
            raise SearchEnded(f"{self.bounds.max_runs} runs were taken (--max-runs)")
        if self.took_ms >= self.bounds.max_minutes * 60_000:
            raise SearchEnded(f"{self.bounds.max_minutes:g} minutes went by (--max-minutes)")


def shows(outcome: Outcome, scenario: Scenario) -> bool:
    """Say whether an outcome is the incident's: red, with one of the symptoms users met."""
    return outcome.colour == "red" and outcome.symptom in scenario.symptom.kinds
