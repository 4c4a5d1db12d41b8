"""How long a certificate takes, per test and run, and how much of that is waiting for the system under test.

    python benchmarks/certify.py                          # INC-2024-1301, three runs in each setting
    python benchmarks/certify.py --incident INC-2024-1234 --runs 10

Both builds of the demo are started, the incident's tests rendered into a temporary folder and certified as `prodintel
certify` does it: nothing is kept. Time in which pytest's processes use no processor counts as waiting: for answers, for
delays that are the conditions' own, and, on a busy machine, for their turn.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from prodintel_lib.certify import Effort, certification, certify
from prodintel_lib.certify.runs import run_rounds
from prodintel_lib.incident_replay import replay_incident
from prodintel_lib.prove_command import running_demo
from prodintel_lib.renderers import render_suite, write_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.certify.certificate import Certificate
    from prodintel_lib.certify.runs import Order, Runs
    from prodintel_lib.scenarios.model import Suite

REPOSITORY = Path(__file__).parents[1]
TIME_SCALE = 0.2


class Stopwatch:
    """Runs orders as certify does, and keeps how long each took and how much of that its tests took."""

    def __init__(self) -> None:
        self.orders_s = 0.0
        self.tests_s = 0.0
        self.runs = 0
        self.processor_s = 0.0
        self._lock = threading.Lock()

    def run_rounds(
        self,
        order: Order,
        *,
        timeout_s: float,
        on_run: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Runs:
        """Stand in for runs.run_rounds."""
        began_s = time.monotonic()
        came = run_rounds(order, timeout_s=timeout_s, on_run=on_run, stop=stop)
        with self._lock:
            self.orders_s += time.monotonic() - began_s
            self.tests_s += sum(run.duration_ms for run in came.runs) / 1000
            self.runs += len(came.runs)
        return came


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incident", default="INC-2024-1301", help="one of `prodintel demo incidents`")
    parser.add_argument("--runs", type=int, default=3, help="runs of each test in each setting")
    options = parser.parse_args()
    suite = replay_incident(REPOSITORY / "demo" / "workspace", options.incident).scenarios.suite
    if suite is None:
        sys.exit(f"No test can be made of {options.incident}.")
    watch = Stopwatch()
    _say(_certify(suite, options.incident, options.runs, watch), watch, runs=options.runs)
    return 0


def _certify(suite: Suite, incident_id: str, runs: int, watch: Stopwatch) -> Certificate:
    with ExitStack() as stack:
        faulty, fixed = (
            stack.enter_context(running_demo(incident_id, build, repository=REPOSITORY))
            for build in ("faulty", "fixed")
        )
        tests = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_files(render_suite(suite), tests)
        stack.enter_context(mock.patch.object(certification, "run_rounds", watch.run_rounds))
        # The demo's processes have not ended yet, and so do not count among the children that have.
        before_s = _processor_s()
        certificate = certify(
            tests, suite, faulty=faulty, fixed=fixed, now_us=time.time_ns() // 1000,
            effort=Effort(runs=runs, time_scale=TIME_SCALE),
        )  # fmt: skip
        watch.processor_s = _processor_s() - before_s
        return certificate


def _processor_s() -> float:
    """Return the processor time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _say(certificate: Certificate, watch: Stopwatch, *, runs: int) -> None:
    took_s, tests = certificate.took_ms / 1000, len(certificate.tests)
    print(f"{certificate.incident_id}: {len(certificate.certified)} of {tests} tests certified, {runs} runs a setting")
    print(
        f"{took_s:.1f} s by the clock for {watch.runs} runs of a test: {took_s / watch.runs:.2f} s each (two at once)"
    )
    print(f"one after the other {watch.orders_s:.1f} s, of which {watch.tests_s / watch.orders_s:.0%} inside the tests")
    waiting_s = max(0.0, watch.orders_s - watch.processor_s)
    print(f"waiting, no processor used: {waiting_s / watch.orders_s:.0%} ({waiting_s:.1f} of {watch.orders_s:.1f} s)")


if __name__ == "__main__":
    sys.exit(main())
