"""Whether guards are red under the fault and green without it, over ten runs, and what their plans promise and do.

    python benchmarks/guards.py                    # every case, ten runs in each setting: some twenty minutes
    python benchmarks/guards.py --runs 2 --case error_ratio

A guard is made from the demo's recordings for the time an incident's own analysis names, rendered into a temporary
folder and run as it is: guards apply no conditions, so this script lets the incident's begin where a setting says so.
The plans of all guards are also followed on made-up answers at both shares.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

import numpy as np

from demo.incidents import find_incident
from prodintel_lib.analyses.production import gather_production
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.faults.client import FaultClient
from prodintel_lib.incident_replay import replay_incident
from prodintel_lib.prove_command import running_demo
from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.guards import render_guards
from prodintel_lib.scenarios.guards import GuardSuite, Subject, guard_subjects
from prodintel_lib.scenarios.guards.plans import conclude
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.guards import Guard, GuardKind

REPOSITORY = Path(__file__).parents[1]
WORKSPACE = REPOSITORY / "demo" / "workspace"
DAY_US = 86_400 * US_PER_S
DRAWS = 20_000

Setting = Literal["faulty", "fixed", "unprovoked"]
"""The faulty build under the incident's condition; the fixed one under it; the faulty one without it."""


@dataclass(frozen=True, slots=True)
class Case:
    """An incident of the demo, and the signals whose guards are run."""

    incident_id: str
    kinds: tuple[GuardKind, ...]
    route: str

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Where customers themselves are the condition there is no faulty build without it."""
        return ("faulty", "fixed", "unprovoked") if find_incident(self.incident_id).condition else ("faulty", "fixed")


CASES = (
    Case("INC-2024-1388", ("error_ratio",), "GET /api/home"),
    Case("INC-2024-1301", ("error_ratio",), "POST /api/cart/coupon"),
    Case("INC-2024-1342", ("latency",), "GET /api/orders/{order_id}"),
    Case("INC-2024-1234", ("error_ratio", "latency", "throughput", "conversion"), "POST /api/orders"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one guard: its symptom (``healthy``, ``setup`` …), and the requests it took."""

    guard: str
    symptom: str
    requests: int


def build_case(case: Case, workspace: Path) -> GuardSuite:
    """Make the guards of a case from the recordings."""
    view = open_view(open_workspace(workspace))
    stretch = replay_incident(workspace, case.incident_id).findings.onset.window
    production = _production(view, stretch)
    subjects = [
        Subject(case.incident_id, case.incident_id, kind, stretch, () if kind == "conversion" else (case.route,))
        for kind in case.kinds
    ]
    authorization = Authorization.of(view.workspace)
    return guard_subjects(view, production, subjects, authorization=authorization, converting_route=case.route)


def _production(view: LakeView, stretch: Window) -> Production:
    day_us = stretch.start_us // DAY_US * DAY_US
    return gather_production(view, window=Window(day_us, day_us + DAY_US), history_days=1)


def run_case(case: Case, suite: GuardSuite, folder: Path, *, runs: int) -> Iterator[tuple[Setting, Outcome]]:
    """Run the guards of a case in every setting."""
    write_files(render_guards(suite), folder)
    for setting in case.settings:
        build = "fixed" if setting == "fixed" else "faulty"
        with ExitStack() as stack:
            system = stack.enter_context(running_demo(case.incident_id, build, repository=REPOSITORY))
            faults = FaultClient(system.toxiproxy_url)
            for toxic in () if setting == "unprovoked" else find_incident(case.incident_id).condition:
                faults.add_toxic(toxic.proxy, toxic.type, toxic.attributes)
            for _ in range(runs):
                yield from ((setting, outcome) for outcome in run_guards(folder, system.base_url))


def run_guards(folder: Path, base_url: str) -> list[Outcome]:
    """Run rendered guards once, in an interpreter that knows nothing of this one."""
    report = folder / "out.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-I", "-B", "-m", "pytest", str(folder), "-q", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, "--junitxml", str(report), "-o", "junit_family=xunit1", "--base-url", base_url],
        env={"PATH": os.environ.get("PATH", ""), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        timeout=600,
        check=False,
    )
    outcomes = []
    for case in ET.parse(report).iter("testcase"):
        told = {each.get("name"): str(each.get("value")) for each in case.iter("property")}
        clean = case.find("failure") is None and case.find("error") is None and case.find("skipped") is None
        symptom = told.get("symptom", "healthy" if clean else "error")
        name = str(case.get("name")).removeprefix("test_")
        outcomes.append(Outcome(name, symptom, int(told.get("requests", "0"))))
    return outcomes


def is_as_wanted(setting: Setting, symptom: str) -> bool:
    """Say whether a symptom is what a setting has to give."""
    if setting == "faulty":
        return symptom in {"server_error", "no_answer_in_time"}
    return symptom == "healthy"


def follow_plan(guard: Guard, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """Follow a plan on made-up answers: the share of runs that end red, and the mean number of requests."""
    reds, sent = 0, 0
    answers = rng.random((DRAWS, guard.plan.max_requests)) < share
    counts = np.cumsum(answers, axis=1)
    for row in counts:
        for look in guard.plan.looks:
            colour = conclude(guard.plan.looks, look.n, int(row[look.n - 1]))
            if colour:
                reds, sent = reds + (colour == "red"), sent + look.n
                break
    return reds / DRAWS, sent / DRAWS


def main() -> None:
    """Run the cases and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--case", default="", help="an incident, or a kind of signal")
    parser.add_argument("--plans-only", action="store_true", help="run no system")
    asked = parser.parse_args()
    chosen = [case for case in CASES if asked.case in {"", case.incident_id, *case.kinds}]
    built = [(case, build_case(case, WORKSPACE)) for case in chosen]
    if not asked.plans_only:
        _print_runs(built, asked.runs)
    rng = np.random.default_rng(7)
    print(
        "\n| guard | at most (one look) | power | seen | false alarms | seen | requests, healthy | seen | bad | seen |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for _, suite in built:
        for guard in suite.guards:
            plan = guard.plan
            (alarms, healthy_n), (power, bad_n) = (follow_plan(guard, p, rng) for p in (plan.healthy, plan.bad))
            print(
                f"| {guard.finding_id} {guard.id} | {plan.max_requests} ({plan.fixed_requests}) | {plan.power:.4f} | "
                f"{power:.4f} | {plan.false_alarm:.4f} | {alarms:.4f} | {plan.expected_healthy:.1f} | "
                f"{healthy_n:.1f} | {plan.expected_bad:.1f} | {bad_n:.1f} |"
            )


def _print_runs(built: Sequence[tuple[Case, GuardSuite]], runs: int) -> None:
    print("| guard | setting | as wanted | symptoms | requests, mean |")
    print("|---|---|---|---|---|", flush=True)
    wrong = 0
    for case, suite in built:
        with tempfile.TemporaryDirectory(prefix="prodintel-") as folder:
            came = list(run_case(case, suite, Path(folder), runs=runs))
        for guard in suite.guards:
            for setting in case.settings:
                own = [each for where, each in came if where == setting and each.guard == guard.id]
                good = sum(is_as_wanted(setting, each.symptom) for each in own)
                wrong += runs - good
                symptoms = Counter(each.symptom for each in own)
                mean = sum(each.requests for each in own) / max(1, len(own))
                told = ", ".join(f"{n} {name}" for name, n in symptoms.most_common())
                print(
                    f"| {case.incident_id} {guard.id} | {setting} | {good} of {runs} | {told} | {mean:.1f} |",
                    flush=True,
                )
    if wrong:
        sys.exit(f"{wrong} runs were not as wanted")


if __name__ == "__main__":
    main()
