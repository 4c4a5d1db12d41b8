"""The demo's faults as error patterns: the pattern that names each, and the tests that come of it."""

import functools
import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from prodintel_lib.analyses.incident import find_incident
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.certify import SETTINGS, prove
from prodintel_lib.error_correlation import ErrorWish, choose_patterns, find_patterns
from prodintel_lib.error_correlation.stretches import read_stretches
from prodintel_lib.error_correlation.suites import build_pattern_tests
from prodintel_lib.incident_replay import replay_incident
from prodintel_lib.prove_command import running_demo
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.windows import to_datetime
from prodintel_lib.workspace import open_workspace

ROOT = Path(__file__).parents[2]
TRUTH = yaml.safe_load((ROOT / "demo" / "incidents" / "truth.yaml").read_text(encoding="utf-8"))
# What the faulty code throws, or says where it throws nothing; nothing where the fault makes no error: it is only slow.
NAMED = {
    "INC-2024-1234": "TimeoutError",
    "INC-2024-1301": "UnicodeEncodeError",
    "INC-2024-1317": "CartIntegrityError",
    "INC-2024-1342": "",
    "INC-2024-1365": "TimeoutError",
    "INC-2024-1388": "TypeError",
    "INC-2024-1402": "TimeoutError",
    "INC-2024-1419": "TicketExpiredError",
    "INC-2024-1433": "KeyError",
    "INC-2024-1451": "KeyError",
    "INC-2024-1467": "Gateway Timeout: order <id> waits for its confirmation",
    "INC-2024-1480": "KeyError",
    "INC-2024-1496": "CartOwnershipError",
    "INC-2024-1512": "MissingChargeError",
    "INC-2024-1530": "TimeoutError",
    "INC-2024-1547": "call of card-processor answered 503",
}
TIME_SCALE = 0.2


@functools.cache
def errors_of_the_day(workspace_path, incident_id):
    """Return the patterns of an incident's day, and the tests of those that may be bugs."""
    workspace = open_workspace(workspace_path)
    view = open_view(workspace)
    day = to_datetime(find_incident(workspace, incident_id).reported.start_us)
    patterns = find_patterns(view, ErrorWish(f"{day:%Y-%m-%d}T00:00/{day:%Y-%m-%d}T23:59"))
    chosen = choose_patterns(patterns, 10)
    tests = build_pattern_tests(
        read_stretches(view, patterns, chosen), patterns, chosen, authorization=Authorization.of(workspace)
    )
    return patterns, tests


def what_it_does(scenario):
    """Return a scenario without its names: what is sent, under which conditions, and what is expected."""
    parts = {"actions", "expectations", "conditions", "kind"}
    return json.dumps(scenario.model_dump(mode="json", by_alias=True, include=parts), sort_keys=True)


@pytest.mark.parametrize("incident_id", NAMED)
def test_the_first_pattern_of_the_day_names_the_fault(incident_id, demo_workspace):
    patterns, _ = errors_of_the_day(demo_workspace, incident_id)
    bugs = patterns.frame.filter((pl.col("class") == "bug") & (pl.col("occurrences") > 0))
    if not NAMED[incident_id]:
        assert bugs.is_empty()
        return
    first = bugs.row(0, named=True)
    assert first["service_name"] == TRUTH[incident_id]["first_failing_service"]
    assert NAMED[incident_id] in (first["error_type"], first["template"])


@pytest.mark.parametrize("incident_id", [name for name, error in NAMED.items() if error])
def test_the_patterns_of_the_day_have_the_tests_of_the_incident(incident_id, demo_workspace):
    """They say the same, so that what proves the incident's tests (proof_test) proves these."""
    _, tests = errors_of_the_day(demo_workspace, incident_id)
    made = {what_it_does(scenario) for suite in tests.suites for scenario in suite.scenarios}
    wanted = replay_incident(demo_workspace, incident_id).scenarios.suite.scenarios
    assert [scenario.id for scenario in wanted if what_it_does(scenario) not in made] == []


@pytest.mark.proof
@pytest.mark.parametrize("incident_id", ["INC-2024-1388", "INC-2024-1547"])
def test_a_patterns_tests_are_red_green_green(incident_id, demo_workspace, tmp_path):
    _, tests = errors_of_the_day(demo_workspace, incident_id)
    found = tests.suites[0]
    write_files(render_suite(found.suite), tmp_path)
    with (
        running_demo(incident_id, "faulty", repository=ROOT) as faulty,
        running_demo(incident_id, "fixed", repository=ROOT) as fixed,
    ):
        proof = prove(tmp_path, found.suite, faulty=faulty, fixed=fixed, time_scale=TIME_SCALE)

    assert len(proof.tests) == 2 * len(found.scenarios), "each scenario as pytest and as Gherkin"
    shown = {
        test.test: {setting: (test.runs[setting].colour, test.runs[setting].message) for setting in SETTINGS}
        for test in proof.tests
        if not test.holds
    }
    assert shown == {}
