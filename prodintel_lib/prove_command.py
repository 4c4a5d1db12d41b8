"""`prodintel prove`: start both builds of the demo, run the generated tests in the three settings, keep the proof."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from prodintel_lib.certify import PROOFS_FOLDER, Proof, SystemUnderTest, prove
from prodintel_lib.errors import ConditionError, NoDataError
from prodintel_lib.incident_replay import replay_incident, write_outputs
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.terminal import Terminal

STOP_WITHIN_S: Final = 20


@contextmanager
def running_demo(incident_id: str, build: str, *, repository: Path) -> Iterator[SystemUnderTest]:
    """Run one build of the demo shop in a process of its own.

    Raises
    ------
    ConditionError
        If it does not become ready.
    """
    # On a leash: even if this process is killed, the shop stops.
    command = [
        *(sys.executable, "-m", "demo.leash", "demo", "up"),
        *("--incident", incident_id, "--build", build, "--json"),
    ]
    process = subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
        command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise ConditionError(
                f"The {build} build of the demo for {incident_id} did not become ready.",
                hint=f"run `prodintel demo up --incident {incident_id} --build {build}` and read what it says.",
            )
        ready = json.loads(line)
        yield SystemUnderTest(ready["base_url"], ready["toxiproxy_url"])
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def prove_incident(
    incident_id: str, *, workspace_path: Path, repository: Path, time_scale: float, terminal: Terminal
) -> Proof:
    """Prove the tests of one incident on the demo and keep the proof in ``<workspace>/proofs``."""
    workspace = open_workspace(workspace_path)
    ingest(workspace, progress=terminal.reading)
    replay = replay_incident(workspace_path, incident_id)
    suite = replay.scenarios.suite
    if suite is None:
        raise NoDataError(f"There is nothing to prove of {incident_id}: {replay.scenarios.reason}")
    with tempfile.TemporaryDirectory(prefix="prodintel-") as folder, ExitStack() as stack:
        terminal.step(0, 2, "starting both builds")
        faulty = stack.enter_context(running_demo(incident_id, "faulty", repository=repository))
        fixed = stack.enter_context(running_demo(incident_id, "fixed", repository=repository))
        terminal.step(1, 2, "running the tests in three settings")
        tests = write_outputs(replay, folder).folder / "tests"
        proof = prove(tests, suite, faulty=faulty, fixed=fixed, time_scale=time_scale)
    target = workspace.root / PROOFS_FOLDER / f"{incident_id}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(proof.as_json())
    for test in proof.tests:
        colours = " / ".join(run.colour for run in test.runs.values())
        terminal.say(f"  {'proven      ' if test.holds else 'DOES NOT HOLD'} {test.test}: {colours}")
    terminal.say(f"  Kept in {target}")
    return proof
