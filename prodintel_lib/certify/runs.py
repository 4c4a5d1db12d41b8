"""Order rounds of a suite from a pytest process of their own, follow them, and end them when they take too long."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from prodintel_lib.certify.outcomes import NOT_RUN, Outcome, SystemUnderTest
from prodintel_lib.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prodintel_lib.certify.alterations import Target

ROUND_TIMEOUT_S: Final = 900.0
START_WITHIN_S: Final = 120.0
_POLL_S: Final = 0.1
_GRACE_S: Final = 20.0
_NOT_INHERITED: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "BASE_URL", "TIME_SCALE")


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: a suite against a system, in rounds.

    Attributes
    ----------
    tests : Path
        The folder with the rendered files.
    system : SystemUnderTest
    rounds : tuple of str
        A label each; every test runs once a round.
    time_scale : float
        Scales the delays of conditions.
    without_conditions : bool
    allow_writes : bool
        Whether tests may write to a system beyond loopback.
    alterations : mapping
        By round and test name, the requests whose answers are altered in the way the round is called.
    """

    tests: Path
    system: SystemUnderTest
    rounds: tuple[str, ...] = ("1",)
    time_scale: float = 1.0
    without_conditions: bool = False
    allow_writes: bool = False
    alterations: Mapping[str, Mapping[str, Sequence[Target]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one test: what came of it, how long it took, and how many answers were altered on the way."""

    round: str
    test: str
    outcome: Outcome
    duration_ms: float
    altered: int


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of an order.

    Attributes
    ----------
    tests : tuple of str
        ``file::test``, as collected.
    runs : tuple of Run
        In the order in which they ended.
    cut_off : str
        Why they ended early; empty where they did not.
    """

    tests: tuple[str, ...]
    runs: tuple[Run, ...]
    cut_off: str = ""

    def outcomes_of(self, test: str, rounds: Sequence[str]) -> tuple[Outcome, ...]:
        """Return a test's outcome in each round; what was not run is an error that says why."""
        came = {run.round: run.outcome for run in self.runs if run.test == test}
        missing = Outcome("error", "", self.cut_off or NOT_RUN)
        return tuple(came.get(label, missing) for label in rounds)


def run_rounds(
    order: Order,
    *,
    timeout_s: float = ROUND_TIMEOUT_S,
    on_run: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> Runs:
    """Run an order to its end, or until a round takes longer than it may.

    Parameters
    ----------
    order : Order
    timeout_s : float
        How long one round may take; then pytest is interrupted, and what it has not run is told as such.
    on_run : callable, optional
        Called with the number of runs done and of all runs, as they end.
    stop : threading.Event, optional
        Ends it early.

    Raises
    ------
    RenderError
        If pytest could not collect or run the tests.
    """
    with tempfile.TemporaryDirectory(prefix="prodintel-") as folder:
        results, said = Path(folder) / "results.jsonl", Path(folder) / "pytest.txt"
        results.touch()
        with said.open("wb") as output, _started(order, results, output) as process:
            cut_off = _follow(process, results, len(order.rounds), timeout_s, on_run, stop or threading.Event())
        if not cut_off and process.returncode not in {0, 1}:
            raise RenderError(
                f"pytest ended with {process.returncode} on {order.tests}: "
                f"{said.read_text(encoding='utf-8', errors='replace')[-600:]}",
                hint="run by hand: pytest " + " ".join([*_arguments(order), "--base-url", order.system.base_url]),
            )
        collected, runs = _read_results(results)
        return Runs(collected, runs, cut_off)


def run_tests(
    tests: Path, system: SystemUnderTest, *, time_scale: float = 1.0, without_conditions: bool = False
) -> dict[str, Outcome]:
    """Run the rendered tests once against a system in a process of their own.

    Returns
    -------
    dict
        ``file::test`` to what came of it.

    Raises
    ------
    RenderError
        If pytest could not collect or run them.
    """
    order = Order(tests, system, time_scale=time_scale, without_conditions=without_conditions)
    came = run_rounds(order)
    return {test: came.outcomes_of(test, order.rounds)[0] for test in came.tests}


@contextlib.contextmanager
def _started(order: Order, results: Path, output: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    process = subprocess.Popen(
        [sys.executable, "-m", "prodintel_lib.certify.session"],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**environment, "TOXIPROXY_URL": order.system.toxiproxy_url, "PYTHONDONTWRITEBYTECODE": "1"},
        # Ctrl-C is ours to handle: we interrupt it in turn, and it lifts its conditions.
        start_new_session=True,
    )
    try:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it ended at once, and its status says so
                process.stdin.write(json.dumps(_described(order, results)).encode() + b"\n")
                process.stdin.flush()
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt it if it runs, so that it removes its conditions; kill it only if that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _described(order: Order, results: Path) -> dict[str, Any]:
    return {
        "arguments": _arguments(order),
        "base_url": order.system.base_url,
        "toxiproxy_url": order.system.toxiproxy_url,
        "rounds": list(order.rounds),
        "results": str(results),
        "alterations": {
            label: {test: [target.as_json() for target in targets] for test, targets in by_test.items()}
            for label, by_test in order.alterations.items()
        },
    }


def _arguments(order: Order) -> list[str]:
    return [
        str(order.tests),
        *("-q", "-p", "no:cacheprovider", "--include-unverified"),
        *("--time-scale", str(order.time_scale)),
        *(["--without-conditions"] if order.without_conditions else []),
        *(["--allow-writes"] if order.allow_writes else []),
    ]


def _follow(
    process: subprocess.Popen[bytes],
    results: Path,
    rounds: int,
    timeout_s: float,
    on_run: Callable[[int, int], None] | None,
    stop: threading.Event,
) -> str:
    """Wait for the end; return why it was cut off, or nothing."""
    seen_lines = done_rounds = 0
    round_began_s = time.monotonic()
    while True:
        ended = process.poll() is not None
        first, *later = results.read_bytes().split(b"\n")
        if len(later) > seen_lines:
            seen_lines, total = len(later), rounds * len(json.loads(first)["collected"])
            done = seen_lines - 1
            if on_run and done:
                on_run(done, total)
            if not done or done * rounds // total > done_rounds:
                done_rounds = done * rounds // total if done else 0
                round_began_s = time.monotonic()
        if ended:
            return ""
        if stop.wait(_POLL_S):
            return "stopped before its end"
        # Starting pytest takes its time on a busy machine, and none of the first round's.
        limit_s = timeout_s if seen_lines else max(timeout_s, START_WITHIN_S)
        if time.monotonic() - round_began_s > limit_s:
            return f"a round of the suite took longer than {timeout_s:g} s"


def _read_results(path: Path) -> tuple[tuple[str, ...], tuple[Run, ...]]:
    # A run that was killed may leave half a line at the end.
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    runs = tuple(
        Run(
            line["round"],
            line["test"],
            Outcome(line["colour"], line["symptom"], line["message"]),
            line["duration_ms"],
            line["altered"],
        )
        for line in lines[1:]
    )
    return tuple(lines[0]["collected"]) if lines else (), runs
