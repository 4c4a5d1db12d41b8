"""The search for the smallest scenario: one kind of part after another, again until no single part can go."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from prodintel_lib.errors import ConditionError, ParameterError
from prodintel_lib.minimise.bench import SearchEnded, Verdict
from prodintel_lib.minimise.ddmin import ddmin, drop_singles, smallest_count
from prodintel_lib.minimise.evidence import NUMBER_UNITS, Numbers, gather_findings, numbers_of, with_number
from prodintel_lib.minimise.parts import (
    Part,
    list_actions,
    list_conditions,
    list_expectations,
    list_guards,
    list_set_up_requests,
    measure,
    without,
)
from prodintel_lib.minimise.payload import MOST_SINGLE_ITEMS, list_lists, list_parts, with_items, without_parts
from prodintel_lib.minimise.result import Finding, MinimalScenario
from prodintel_lib.minimise.sequential import SequentialTest
from prodintel_lib.scenarios.model import Answered, DependencyFault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prodintel_lib.minimise.bench import Bench
    from prodintel_lib.minimise.payload import PayloadList, PayloadPart
    from prodintel_lib.scenarios.model import Condition, Scenario

    P = TypeVar("P", Part, PayloadPart)

ATTEMPTS: Final = 3
OBSERVED_RUNS: Final = 5
"""How often the original is run before the search, and the minimal scenario after it."""


def minimise(
    scenario: Scenario,
    *,
    incident_id: str,
    suite_digest: str,
    bench: Bench,
    confidence: float = 0.95,
    time_scale: float = 1.0,
) -> MinimalScenario:
    """Find the smallest scenario that still shows the symptom of this one.

    Parameters
    ----------
    scenario : Scenario
    incident_id, suite_digest : str
        Of the suite it belongs to (certify.digest_suite).
    bench : Bench
        Judges candidates; its test is set from the original's own rate.
    confidence : float
        With which each candidate is judged.
    time_scale : float
        Scales the delays of the conditions before anything else is done; deadlines stay.

    Returns
    -------
    MinimalScenario
        1-minimal in its units: no single condition, expectation, action, set-up request or payload field can go, no
        number of customers or copies can be one less, no delay a half, no long list shorter at an end. Where a bound
        ended the search it says so.

    Raises
    ------
    ConditionError
        If the scenario does not show the symptom at all, or is not green without its conditions.
    ParameterError
        If at this time scale a delay would lie within the deadline.

    Notes
    -----
    Delta debugging (Zeller & Hildebrandt 2002, see `ddmin`), coarse parts before fine ones as in Misherghi & Su (2006),
    "HDD: hierarchical delta debugging", doi:10.1145/1134285.1134307. A candidate counts as showing the symptom where a
    sequential test says so (see `SequentialTest`) and where it is green without the conditions; so the search cannot
    slip to a failure of another kind, which an ill-formed request would meet on any system.
    """
    original = scaled(scenario, time_scale)
    shown, last = bench.observe(original, OBSERVED_RUNS)
    if not shown:
        raise ConditionError(
            f"`{scenario.id}` does not show the symptom ({' or '.join(scenario.symptom.kinds)}) in any of "
            f"{OBSERVED_RUNS} runs; the last was {last.colour}{': ' if last.message else ''}{last.message}.",
            hint="run it against the system that fails, under the same conditions.",
        )
    bench.test = SequentialTest.like(shown / OBSERVED_RUNS, confidence=confidence)
    search = Search(bench, original)
    minimal_shown, minimal_runs = search.run()
    observed = Verdict(shows=True, shown=minimal_shown, runs=minimal_runs)
    return MinimalScenario(
        incident_id=incident_id,
        suite_digest=suite_digest,
        confidence=confidence,
        often=round(bench.test.often, 4),
        seldom=round(bench.test.seldom, 4),
        time_scale=time_scale,
        scenario=search.current,
        original_sizes=measure(scenario),
        sizes=measure(search.current),
        original_shown=shown,
        original_runs=OBSERVED_RUNS,
        shown=observed.shown,
        runs=observed.runs,
        findings=gather_findings(original, search.current, bench, search.gone, observed=observed),
        candidates=bench.counts.candidates,
        runs_taken=bench.counts.runs,
        controls=bench.counts.controls,
        took_ms=bench.took_ms,
        stopped=search.stopped,
    )


def scaled(scenario: Scenario, time_scale: float) -> Scenario:
    """Return the scenario with the delays of its conditions scaled, as they will be run.

    Raises
    ------
    ParameterError
        If a delay beyond the deadline would lie within it: what waits so long proves nothing.
    """
    deadline_ms = max((each.deadline_ms for each in scenario.expectations if isinstance(each, Answered)), default=0)
    conditions: list[Condition] = []
    for condition in scenario.conditions:
        if isinstance(condition, DependencyFault) and condition.latency_ms is not None:
            delay_ms = max(1, round(condition.latency_ms * time_scale))
            if condition.latency_ms > deadline_ms >= delay_ms:
                raise ParameterError(
                    f"At time scale {time_scale:g} the delay of `{condition.id}` is {delay_ms} ms, within the deadline "
                    f"of {deadline_ms} ms.",
                    hint="take a larger --time-scale.",
                )
            conditions.append(condition.model_copy(update={"latency_ms": delay_ms}))
        else:
            conditions.append(condition)
    return scenario.model_copy(update={"conditions": tuple(conditions)})


@dataclass(slots=True)
class Search:
    """The search itself: the smallest scenario so far, and what has gone.

    Attributes
    ----------
    bench : Bench
    current : Scenario
    gone : dict of Finding
        By unit and name: parts that did not matter, with the runs that showed it.
    stopped : str
    """

    bench: Bench
    current: Scenario
    gone: dict[tuple[str, str], Finding] = field(default_factory=dict)
    stopped: str = ""
    _trail: list[tuple[Scenario, dict[tuple[str, str], Finding]]] = field(default_factory=list)

    def run(self) -> tuple[int, int]:
        """Search; return how often the result shows the symptom, and in how many runs.

        The result is measured anew: the runs of the search chose it, and flatter it. Where it does not hold, the search
        goes back to the last scenario that does and begins again from there, with nothing remembered of what
        seemed to show it.
        """
        for _ in range(ATTEMPTS):
            self._shrink_all()
            holds, shown, runs = self._observed()
            if holds:
                return shown, runs
            while self._trail and not holds:
                self.current, self.gone = self._trail.pop()
                holds, shown, runs = self._observed()
            self.bench.forget()
            if self.stopped:
                break
        self.stopped = self.stopped or "what is smaller shows it only now and then"
        return shown, runs

    def _shrink_all(self) -> None:
        """Shrink until nothing changes, or until a bound ends it."""
        try:
            is_first, before = True, None
            while before != self.current:
                before = self.current
                self._shrink(thoroughly=is_first)
                is_first = False
        except SearchEnded as ended:
            self.stopped = str(ended)

    def _observed(self) -> tuple[bool, int, int]:
        """Run the current scenario anew; say whether it holds, or cannot be run any more, and the figures."""
        try:
            shown = self.bench.observe(self.current, OBSERVED_RUNS)[0]
        except ConditionError as error:
            self.stopped = self.stopped or error.message
            return True, 0, 0
        return shown >= math.floor(self.bench.test.often * OBSERVED_RUNS), shown, OBSERVED_RUNS

    def _shrink(self, *, thoroughly: bool) -> None:
        drop = ddmin if thoroughly else drop_singles
        for listed in (list_expectations, list_conditions, list_actions):
            self._drop(self._unguarded(listed), without, drop)
        for unit in NUMBER_UNITS:
            for number in [each for each in numbers_of(self.current) if each.unit == unit]:
                self._lower(number, thoroughly=thoroughly)
        self._drop(self._unguarded(list_set_up_requests), without, drop)
        outer = [part for part in list_parts(self.current) if len(part.keys) == 1]
        self._drop(outer, without_parts, drop)
        for which in list_lists(self.current):
            self._shorten(which, thoroughly=thoroughly)
        depths = sorted({len(part.keys) for part in list_parts(self.current)} - {1})
        for depth in depths:
            inner = [part for part in list_parts(self.current) if len(part.keys) == depth]
            self._drop(inner, without_parts, drop)

    def _unguarded(self, listed: Callable[[Scenario], list[Part]]) -> list[Part]:
        guards = list_guards(self.current)
        return [part for part in listed(self.current) if part not in guards]

    def _drop(
        self,
        parts: Sequence[P],
        remove: Callable[[Scenario, Collection[P]], Scenario],
        search: Callable[[Sequence[P], Callable[[Sequence[P]], bool]], list[P]],
    ) -> None:
        base = self.current

        def shows(kept: Sequence[P]) -> bool:
            lost = [part for part in parts if part not in kept]
            candidate = remove(base, lost)
            if candidate == self.current:
                return True  # it went with another part
            verdict = self._judge(candidate)
            if verdict.shows:
                self._note(lost, verdict)
            return verdict.shows

        search(parts, shows)

    def _note(self, lost: Sequence[Part] | Sequence[PayloadPart], verdict: Verdict) -> None:
        for part in lost:
            # Items of a list are told as its length: their numbers change while others go.
            if isinstance(part, Part) or not any(isinstance(key, int) for key in part.keys):
                unit = part.unit if isinstance(part, Part) else "payload_field"
                finding = Finding(unit, part.name, "did_not_matter", verdict.shown, verdict.runs)
                self.gone.setdefault((unit, part.name), finding)

    def _lower(self, number: Numbers, *, thoroughly: bool) -> None:
        base = self.current

        def shows(value: int) -> bool:
            return self._judge(with_number(base, number, value)).shows

        if number.unit == "delay_ms":
            value = number.value
            while value > 1 and shows(value // 2):
                value //= 2
        elif number.unit == "at_once":
            shows(0)
        elif thoroughly or shows(number.value - 1):
            smallest_count(number.value if thoroughly else number.value - 1, shows)

    def _shorten(self, which: PayloadList, *, thoroughly: bool) -> None:
        base, length = self.current, which.length
        if not thoroughly:
            if length > MOST_SINGLE_ITEMS and not self._judge(with_items(base, which, 0, length - 1)).shows:
                self._judge(with_items(base, which, 1, length))
            return
        stop = smallest_count(length, lambda n: self._judge(with_items(base, which, 0, n)).shows)
        smallest_count(stop, lambda n: self._judge(with_items(base, which, stop - n, stop)).shows)

    def _judge(self, candidate: Scenario) -> Verdict:
        verdict = self.bench.judge(candidate, self.current)
        if verdict.shows:
            self._trail.append((self.current, dict(self.gone)))
            self.current = candidate
        return verdict
