"""The closed loop of the user interface: tests told from recorded sessions, run in Chromium against both front ends.

The sessions are those of the demo: real browsers visited real pages, and the faulty build's scripts really failed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.journeys import learn_routes
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.engines import collect
from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.ui_suite import render_ui_suite
from prodintel_lib.rollups.rum_paths import PATHS_SCHEMA, build_paths
from prodintel_lib.scenarios.ui_journeys import (
    ErrorPattern,
    Journey,
    build_error_scenario,
    build_journey_scenario,
    build_ui_suite,
)
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.workspace import open_workspace
from tests.conftest import CHROMIUM_FLAGS, lacking

ROOT = Path(__file__).parents[1]
RECORDING = ROOT / "demo" / "workspace" / "rum" / "sessions.jsonl.zst"
NODE_MODULES = ROOT / "tests" / "renderers" / "ui_node" / "node_modules"
PRICE = "Cannot read properties of undefined (reading 'toFixed')"
POSTCODE = "Enter a valid postcode."
FIXED = "2.9.1"
# A pause of a shared machine is none of the shop's: here the vitals are measured, their limits are tested elsewhere.
AMPLE_MS = 60_000.0

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Return the recorded sessions, the shortest first, with the routes learned from them."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "prodintel.yaml").write_text("name: recorded\nsources:\n  - path: rum/*\n", encoding="utf-8")
    (folder / "rum").mkdir()
    shutil.copy(RECORDING, folder / "rum")
    workspace = open_workspace(folder)
    ingest(workspace)
    view = open_view(workspace)
    events = view.scan(RUM_EVENTS.name)
    routes = learn_routes(collect(build_paths(events), schema=PATHS_SCHEMA, sort_by=["url_path"]))
    rows = view.collect(events, schema=RUM_EVENTS.schema, sort_by=["session_id", "time_us"])
    told = rows.join(routes, on="url_path", how="left", maintain_order="left")
    parts = [part for _, part in told.group_by("session_id", maintain_order=True)]
    return sorted(parts, key=lambda part: (part.height, part["time_us"][0]))


def met(session: pl.DataFrame, **said: str) -> bool:
    return not session.filter(**said).is_empty()


def pattern(sessions, source: str, kind: str, message: str, *, healthy) -> ErrorPattern:
    found = [session for session in sessions if met(session, exception_message=message)]
    return ErrorPattern(
        message, kind, message, source, found[:5], healthy, occurrences=len(found), sessions=len(found), priority="P0"
    )


@pytest.fixture(scope="module")
def suite_folder(sessions, tmp_path_factory):
    healthy = [session for session in sessions if not met(session, event_kind="error")]
    bought = [session for session in healthy if met(session, event_name="purchase", service_version=FIXED)]
    vitals = pl.DataFrame({"route": ["/", "/cart"], "metric": "lcp_ms", "p75": AMPLE_MS, "p95": AMPLE_MS, "n": 1})
    suite = build_ui_suite(
        "The demo's sessions",
        [
            build_journey_scenario(
                Journey("buying", bought, sessions=len(bought), of_sessions=len(sessions)),
                conversions=["purchase"],
                vitals=vitals,
            ),
            build_error_scenario(pattern(sessions, "exception", "TypeError", PRICE, healthy=healthy)),
            build_error_scenario(pattern(sessions, "validation", "ValidationError", POSTCODE, healthy=bought)),
        ],
    )
    assert any(step.do == "expect_conversion" for step in suite.scenarios[0].steps)
    folder = tmp_path_factory.mktemp("suite")
    write_files(render_ui_suite(suite), folder)
    return folder


@pytest.fixture(scope="module")
def run(suite_folder, needs_program):
    """Return a function that runs the tests of a language against a build of the front end."""
    from demo.storefront import running

    if not (NODE_MODULES / "@playwright" / "test").is_dir():
        lacking("the Node packages of tests/renderers/ui_node")
    (suite_folder / "typescript" / "node_modules").symlink_to(NODE_MODULES)
    environment = {
        **os.environ,
        "PLAYWRIGHT_CHROMIUM": needs_program("chromium"),
        "PLAYWRIGHT_CHROMIUM_ARGS": " ".join(CHROMIUM_FLAGS),
        "THINK_TIME_SCALE": "0.01",
        "NO_COLOR": "1",
    }
    node = str(NODE_MODULES / "@playwright" / "test" / "cli.js")
    pytest_options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--tb=short", "-o", "addopts="]

    def run_tests(language: str, build: str, *arguments: str):
        with running(build) as url:
            commands = {
                "python": [sys.executable, "-m", "pytest", *pytest_options, "--base-url", url],
                "typescript": [needs_program("node"), node, "test", "--workers=1"],
            }
            return subprocess.run(
                [*commands[language], *arguments],
                cwd=suite_folder / language,
                env={**environment, "BASE_URL": url},
                capture_output=True,
                text=True,
                check=False,
            )

    return run_tests


ERRORS = {"python": ("-k", "error"), "typescript": ("-g", "error")}


@pytest.mark.parametrize(("language", "tests"), [("python", 6), ("typescript", 3)])
def test_recorded_sessions_go_well_on_the_fixed_front_end(run, language, tests):
    done = run(language, "fixed")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tests} passed" in done.stdout


@pytest.mark.parametrize(("language", "tests"), [("python", 4), ("typescript", 2)])
def test_error_patterns_are_met_again_on_the_faulty_front_end(run, language, tests):
    done = run(language, "faulty", *ERRORS[language])

    assert f"{tests} failed" in done.stdout, done.stdout + done.stderr
    assert " passed" not in done.stdout
    assert f"production's error occurred: TypeError: {PRICE}" in done.stdout
    assert f"the page says: {POSTCODE}" in done.stdout
