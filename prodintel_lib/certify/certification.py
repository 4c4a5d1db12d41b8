"""Certify a suite: every test many times in every setting, and once with each kind of altered answer."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from prodintel_lib.certify.alterations import KINDS, UNALTERED, find_targets
from prodintel_lib.certify.certificate import (
    NOW,
    SETTING_WORDS,
    Alteration,
    Certificate,
    Tally,
    TestCertificate,
    judge_one_system,
    judge_two_systems,
)
from prodintel_lib.certify.outcomes import WANTED, Outcome
from prodintel_lib.certify.proof import digest_suite
from prodintel_lib.certify.runs import ROUND_TIMEOUT_S, Order, Runs, run_rounds
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from prodintel_lib.certify.certificate import Mode
    from prodintel_lib.certify.outcomes import Colour, SystemUnderTest
    from prodintel_lib.scenarios.model import Suite

    Progress = Callable[[int, int, str], None]

S = TypeVar("S", bound=str)
DEFAULT_RUNS: Final = 10
ALTERED: Final = "altered answers"
_ANSWER_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a certificate may cost.

    Attributes
    ----------
    runs : int
        How often each test runs in each setting.
    time_scale : float
        Scales the delays of conditions; deadlines stay.
    round_timeout_s : float
        How long one round of the suite may take.
    at_once : bool
        Whether two systems are used at the same time.
    allow_writes : bool
        Whether tests may write to a system beyond loopback.
    """

    runs: int = DEFAULT_RUNS
    time_scale: float = 1.0
    round_timeout_s: float = ROUND_TIMEOUT_S
    at_once: bool = True
    allow_writes: bool = False


def certify(
    tests: Path,
    suite: Suite,
    *,
    faulty: SystemUnderTest,
    fixed: SystemUnderTest,
    now_us: int,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Run a rendered suite repeatedly in the three settings of a reproduction.

    Parameters
    ----------
    tests : Path
        The folder with the rendered files.
    suite : Suite
        The scenarios they were rendered from.
    faulty, fixed : SystemUnderTest
    now_us : int
        When the certificate is made, microseconds UTC.
    effort : Effort, optional
    progress : callable, optional
        Called with rounds done, all rounds, and what is run.

    Raises
    ------
    ParameterError
        If a system does not answer.
    RenderError
        If pytest cannot run the suite at all.
    """
    effort = effort or Effort()
    require_answer(faulty, "faulty system")
    require_answer(fixed, "fixed system")
    order = _ordering(tests, effort)
    lanes = [
        # In this order: what the conditions leave behind for a while is no failure without them.
        {"faulty_without": order(faulty, without_conditions=True), "faulty_with": order(faulty)},
        {"fixed_with": order(fixed), ALTERED: _altering(order(fixed), suite)},
    ]
    shared = {faulty.base_url, faulty.toxiproxy_url} & {fixed.base_url, fixed.toxiproxy_url} - {""}
    if shared or not effort.at_once:
        lanes = [lanes[0] | lanes[1]]
    began_s = time.monotonic()
    came = _run_lanes(lanes, effort, progress)
    found = []
    for test, symptoms in _tests_of(suite, came):
        settings = _tallies(test, came, _rounds(effort), WANTED, symptoms)
        alterations = _alterations_of(test, came[ALTERED])
        judged = judge_two_systems(settings, alterations)
        found.append(TestCertificate(test, symptoms, settings, alterations, *judged))
    return _issued(
        suite,
        "two_systems",
        {"faulty": faulty.label, "fixed": fixed.label},
        effort,
        now_us=now_us,
        began_s=began_s,
        tests=tuple(found),
    )


def certify_against(
    tests: Path,
    suite: Suite,
    *,
    system: SystemUnderTest,
    now_us: int,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Run a rendered suite repeatedly against the one system there is, with the conditions and without them.

    The parameters are those of `certify`. The certificate says how the system fares now, and what remains unknown.

    Raises
    ------
    ParameterError
        If the system does not answer.
    RenderError
        If pytest cannot run the suite at all.
    """
    effort = effort or Effort()
    require_answer(system, "system")
    order = _ordering(tests, effort)
    lane = {
        "with": order(system),
        "without": order(system, without_conditions=True),
        ALTERED: _altering(order(system), suite),
    }
    began_s = time.monotonic()
    came = _run_lanes([lane], effort, progress)
    found = []
    for test, symptoms in _tests_of(suite, came):
        settings = _tallies(test, came, _rounds(effort), NOW, symptoms)
        alterations = _alterations_of(test, came[ALTERED])
        found.append(TestCertificate(test, symptoms, settings, alterations, *judge_one_system(settings)))
    return _issued(
        suite, "one_system", {"system": system.label}, effort, now_us=now_us, began_s=began_s, tests=tuple(found)
    )


def require_answer(system: SystemUnderTest, role: str) -> None:
    """See that a system answers HTTP at all, with whatever status.

    Raises
    ------
    ParameterError
        If it does not.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(system.base_url, timeout=_ANSWER_WITHIN_S).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ParameterError(
            f"Could not be run: the {role} does not answer at {system.base_url} ({error}).",
            hint="start it, or name the address where it answers.",
        ) from error


def _issued(
    suite: Suite,
    mode: Mode,
    systems: dict[str, str],
    effort: Effort,
    *,
    now_us: int,
    began_s: float,
    tests: tuple[TestCertificate, ...],
) -> Certificate:
    return Certificate(
        incident_id=suite.incident_id,
        suite_digest=digest_suite(suite),
        mode=mode,
        runs=effort.runs,
        time_scale=effort.time_scale,
        systems=systems,
        certified_at_us=now_us,
        took_ms=round((time.monotonic() - began_s) * 1000),
        tests=tests,
    )


def _ordering(tests: Path, effort: Effort) -> Callable[..., Order]:
    def order(system: SystemUnderTest, *, without_conditions: bool = False) -> Order:
        return Order(
            tests,
            system,
            rounds=_rounds(effort),
            time_scale=effort.time_scale,
            without_conditions=without_conditions,
            allow_writes=effort.allow_writes,
        )

    return order


def _rounds(effort: Effort) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, effort.runs + 1))


def _tallies(
    test: str, came: Mapping[str, Runs], rounds: Sequence[str], wanted: Mapping[S, Colour], symptoms: tuple[str, ...]
) -> dict[str, Tally]:
    """Count a test's runs in each setting, against the colour that the setting wants."""
    return {
        setting: Tally.of(came[setting].outcomes_of(test, rounds), colour=colour, symptoms=symptoms)
        for setting, colour in wanted.items()
    }


def _altering(order: Order, suite: Suite) -> Order:
    """Turn an order into one whose rounds alter the answers, one kind each; the control comes first."""
    targets = find_targets(suite)
    return Order(
        order.tests,
        order.system,
        rounds=(UNALTERED, *KINDS),
        time_scale=order.time_scale,
        allow_writes=order.allow_writes,
        alterations={UNALTERED: {}, **dict.fromkeys(KINDS, targets)},
    )


def _run_lanes(lanes: Sequence[Mapping[str, Order]], effort: Effort, progress: Progress | None) -> dict[str, Runs]:
    """Run every lane in a thread of its own, the orders of a lane one after another."""
    rounds_done = {name: 0 for lane in lanes for name in lane}
    total = sum(len(order.rounds) for lane in lanes for order in lane.values())
    stop, lock = threading.Event(), threading.Lock()

    def run(lane: Mapping[str, Order]) -> dict[str, Runs]:
        came = {}
        for name, order in lane.items():

            def show(done: int, of: int, name: str = name, rounds: int = len(order.rounds)) -> None:
                with lock:
                    rounds_done[name] = done * rounds // of
                    words = SETTING_WORDS.get(name, name)
                    if progress:
                        progress(sum(rounds_done.values()), total, f"{words}: {rounds_done[name]} of {rounds} rounds")

            if not stop.is_set():
                came[name] = run_rounds(order, timeout_s=effort.round_timeout_s, on_run=show, stop=stop)
        return came

    with ThreadPoolExecutor(len(lanes)) as pool:
        try:
            futures = [pool.submit(run, lane) for lane in lanes]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # Ctrl-C and a failure of one lane end the other; where all are done it changes nothing.
            stop.set()
    return {name: runs for future in futures for name, runs in future.result().items()}


def _tests_of(suite: Suite, came: Mapping[str, Runs]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the suite's tests with the symptoms they have to show; a test somebody added is none of them."""
    symptoms = {f"test_{scenario.id}": tuple(scenario.symptom.kinds) for scenario in suite.scenarios}
    tests = sorted({test for runs in came.values() for test in runs.tests})
    return [(test, symptoms[name]) for test in tests if (name := test.rpartition("::")[2]) in symptoms]


def _alterations_of(test: str, runs: Runs) -> dict[str, Alteration]:
    control, *outcomes = runs.outcomes_of(test, (UNALTERED, *KINDS))
    counts = {run.round: run.altered for run in runs.runs if run.test == test}
    return {
        kind: _alteration(control, outcome, counts.get(kind, 0)) for kind, outcome in zip(KINDS, outcomes, strict=True)
    }


def _alteration(control: Outcome, outcome: Outcome, altered: int) -> Alteration:
    if control.colour != "green":
        return Alteration("could_not_tell", altered, control)
    if not altered:
        return Alteration("nothing_altered", 0, outcome)
    if outcome.colour == "green":
        return Alteration("unnoticed", altered, outcome)
    return Alteration("noticed" if outcome.colour == "red" else "could_not_tell", altered, outcome)
