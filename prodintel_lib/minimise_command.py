"""`prodintel minimise`: find the smallest scenario of a run that still shows the symptom, and keep it with the run."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prodintel_lib.certify import digest_suite
from prodintel_lib.certify_command import read_suite
from prodintel_lib.errors import ConditionError, NoDataError, ParameterError
from prodintel_lib.minimise import (
    MINIMAL_FILE,
    MINIMAL_FOLDER,
    MINIMALS_FOLDER,
    Confirmation,
    MinimalScenario,
    MinimalView,
    render_minimal,
)
from prodintel_lib.minimise.bench import Bench, Bounds, Counts
from prodintel_lib.minimise.parts import measure
from prodintel_lib.notebooks.run_folder import list_files_anew, locked, workspace_of
from prodintel_lib.prove_command import running_demo
from prodintel_lib.renderers import write_files
from prodintel_lib.terminal import ending_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.certify import Outcome, SystemUnderTest
    from prodintel_lib.scenarios.model import Scenario, Suite
    from prodintel_lib.terminal import Terminal

LOCK_WAIT_S: Final = 60.0
CONFIRM_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a search.

    Attributes
    ----------
    scenario_id : str
        Which scenario; empty for the first that shows its symptom.
    confidence : float
    bounds : Bounds
    time_scale : float
        Scales the delays of the conditions; deadlines stay.
    allow_writes : bool
        Whether requests may write to a system beyond loopback.
    """

    scenario_id: str = ""
    confidence: float = 0.95
    bounds: Bounds = field(default_factory=Bounds)
    time_scale: float = 1.0
    allow_writes: bool = False


def minimise_run(
    run_dir: Path,
    *,
    faulty: SystemUnderTest,
    fixed: SystemUnderTest | None,
    wish: Wish,
    terminal: Terminal,
    restart: Callable[[], SystemUnderTest] | None = None,
) -> MinimalScenario:
    """Minimise a scenario of a run, confirm it by its rendered test, and put both into the run and its workspace.

    Parameters
    ----------
    run_dir : Path
        A folder that `prodintel replay` has written.
    faulty : SystemUnderTest
    fixed : SystemUnderTest or None
        Where the rendered minimal test has to be green, if there is such a system.
    wish : Wish
    terminal : Terminal
    restart : callable, optional
        Starts the faulty system anew, for where it does not recover by itself.

    Raises
    ------
    ConditionError
        If no scenario shows its symptom; nothing is written then.
    ParameterError
        If the folder is no run, or there is no such scenario.
    NoDataError
        If the run was replaced meanwhile.
    """
    _require_runtime()
    suite = read_suite(run_dir)
    digest = digest_suite(suite)
    stand = _Stand(faulty, wish, terminal, restart)
    with ending_on_sigterm(), warnings.catch_warnings():
        # Customers who give up while they still connect leave such coroutines; in pytest nobody sees them either.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        minimal = stand.search(_chosen(suite, wish.scenario_id), incident_id=suite.incident_id, digest=digest)
    minimal = replace(minimal, confirmations=_confirm(minimal, stand.system, fixed, wish, terminal))
    _keep(minimal, run_dir, digest, terminal)
    return minimal


def minimise_run_on_demo(run_dir: Path, *, repository: Path, wish: Wish, terminal: Terminal) -> MinimalScenario:
    """Start both builds of the demo for a run's incident, and minimise against the faulty one.

    Raises
    ------
    ConditionError
        If a build does not become ready; otherwise as `minimise_run`.
    """
    incident_id = read_suite(run_dir).incident_id
    with ExitStack() as stack, ExitStack() as faulty_stack:
        terminal.say(f"{incident_id}: starting both builds")

        def start_faulty() -> SystemUnderTest:
            faulty_stack.close()
            return faulty_stack.enter_context(running_demo(incident_id, "faulty", repository=repository))

        fixed = stack.enter_context(running_demo(incident_id, "fixed", repository=repository))
        return minimise_run(
            run_dir, faulty=start_faulty(), fixed=fixed, wish=wish, terminal=terminal, restart=start_faulty
        )


class _Stand:
    """The faulty system, and a bench on it for each scenario that is tried."""

    def __init__(
        self,
        system: SystemUnderTest,
        wish: Wish,
        terminal: Terminal,
        restart: Callable[[], SystemUnderTest] | None,
    ) -> None:
        self.system = system
        self._wish = wish
        self._terminal = terminal
        self._restart = restart

    def search(self, scenarios: list[Scenario], *, incident_id: str, digest: str) -> MinimalScenario:
        """Minimise the first scenario that shows its symptom."""
        from prodintel_lib.minimise.search import minimise  # noqa: PLC0415 - it needs pytest and httpx

        wish, missed = self._wish, []
        for scenario in scenarios:
            try:
                return minimise(
                    scenario,
                    incident_id=incident_id,
                    suite_digest=digest,
                    bench=self._bench(scenario),
                    confidence=wish.confidence,
                    time_scale=wish.time_scale,
                )
            except ConditionError as error:
                missed.append(error)
        if len(missed) == 1:
            raise missed[0]
        raise ConditionError(
            "No scenario can be minimised. " + " ".join(error.message for error in missed), hint=missed[0].hint
        )

    def _bench(self, scenario: Scenario) -> Bench:
        from prodintel_lib.minimise.trial import Target, run_scenario  # noqa: PLC0415

        bounds = self._wish.bounds

        def run(candidate: Scenario, without_conditions: bool) -> Outcome:  # noqa: FBT001 - the bench's contract
            smallest["tried"] = candidate
            target = Target(self.system, self._wish.allow_writes)
            return run_scenario(candidate, target, without_conditions=without_conditions)

        def show(counts: Counts) -> None:
            sizes = measure(smallest["tried"])
            now = ", ".join(f"{sizes[unit]} {words}" for unit, words in _SHOWN.items())
            self._terminal.step(counts.runs, bounds.max_runs, f"candidate {counts.candidates}: {now}")

        smallest = {"tried": scenario}
        return Bench(
            run,
            bounds=bounds,
            has_control=bool(scenario.conditions),
            restart=self._start_anew if self._restart else None,
            on_run=show,
        )

    def _start_anew(self) -> None:
        if self._restart:
            self._terminal.say("  The system does not recover: starting it anew.")
            self.system = self._restart()


_SHOWN: Final = {"customers": "customers", "requests_sent": "requests", "payload_fields": "fields"}


def _require_runtime() -> None:
    missing = [name for name in ("pytest", "pytest_bdd", "httpx") if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(
            f"Running scenarios needs {', '.join(missing)}, which this environment lacks.",
            hint=f"pip install {' '.join(missing).replace('_', '-')}",
        )


def _chosen(suite: Suite, scenario_id: str) -> list[Scenario]:
    if not scenario_id:
        return list(suite.scenarios)
    found = [scenario for scenario in suite.scenarios if scenario.id == scenario_id]
    if not found:
        raise ParameterError.unknown("scenario", scenario_id, known=[scenario.id for scenario in suite.scenarios])
    return found


def _confirm(
    minimal: MinimalScenario, faulty: SystemUnderTest, fixed: SystemUnderTest | None, wish: Wish, terminal: Terminal
) -> tuple[Confirmation, ...]:
    """Run the rendered minimal test as anybody would: red where it fails, green without the conditions and mended."""
    from prodintel_lib.certify.certificate import Tally  # noqa: PLC0415
    from prodintel_lib.certify.outcomes import WANTED, Setting  # noqa: PLC0415
    from prodintel_lib.certify.runs import Order, run_rounds  # noqa: PLC0415

    settings: list[tuple[Setting, SystemUnderTest]] = [("faulty_with", faulty)]
    if minimal.scenario.conditions:
        settings.append(("faulty_without", faulty))
    if fixed:
        settings.append(("fixed_with", fixed))
    found = []
    with tempfile.TemporaryDirectory(prefix="prodintel-") as folder:
        tests = Path(folder) / MINIMAL_FOLDER
        write_files(render_minimal(minimal), tests)
        for number, (setting, system) in enumerate(settings):
            terminal.step(number, len(settings), f"the rendered minimal test: {setting.replace('_', ', ')} conditions")
            order = Order(
                tests,
                system,
                rounds=tuple(str(n + 1) for n in range(CONFIRM_ROUNDS)),
                without_conditions=setting == "faulty_without",
                allow_writes=wish.allow_writes,
            )
            came = run_rounds(order)
            for test in came.tests:
                outcomes = came.outcomes_of(test, order.rounds)
                tally = Tally.of(outcomes, colour=WANTED[setting], symptoms=minimal.scenario.symptom.kinds)
                found.append(Confirmation(setting, test, tally.as_wanted, tally.n, tally.told()))
    return tuple(found)


def _keep(minimal: MinimalScenario, run_dir: Path, digest: str, terminal: Terminal) -> None:
    workspace = workspace_of(run_dir)
    if workspace:
        target = workspace / MINIMALS_FOLDER / f"{minimal.incident_id}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(minimal.as_json())
    with locked(run_dir.resolve(), wait_s=LOCK_WAIT_S):
        if digest_suite(read_suite(run_dir)) != digest:
            raise NoDataError(
                f"{run_dir} was replaced by other scenarios while they were minimised.", hint="minimise it again."
            )
        MinimalView(minimal.incident_id, minimal).write_into(run_dir)
        list_files_anew(run_dir)
    _say(minimal, run_dir, terminal)


def _say(minimal: MinimalScenario, run_dir: Path, terminal: Terminal) -> None:
    terminal.say(f"{minimal.incident_id}: {minimal.scenario.id}")
    terminal.say(f"  {minimal.sentence()}, {minimal.controls} controls, {minimal.took_ms / 1000:.0f} s")
    terminal.say(f"  Shows it: original {minimal.original_rate}; minimal {minimal.rate}")
    for finding in minimal.findings:
        runs = f"{finding.shown} of {finding.runs} runs showed it" if finding.runs else "not run"
        change = f" {finding.before} → {finding.after}" if finding.before != finding.after else ""
        why = f"; {finding.why}" if finding.why else ""
        words = f"{finding.role.replace('_', ' '):<14} {finding.unit.replace('_', ' ')} {finding.name}{change}"
        terminal.say(f"  {words} ({runs}{why})")
    for part in minimal.confirmations:
        terminal.say(
            f"  rendered, {part.setting.replace('_', ' ')}: {part.as_wanted} of {part.runs} as wanted ({part.told})"
        )
    terminal.say(f"  Kept in {run_dir / MINIMAL_FILE} and {run_dir / MINIMAL_FOLDER}")
