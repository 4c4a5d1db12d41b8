"""The closed loop of guards: red on the faulty build under the incident's condition, green without either."""

import pytest

from benchmarks.guards import CASES, build_case, is_as_wanted, run_case

# A shared machine may pause: what does not hold at once is tried once more, all of it anew.
ATTEMPTS = 2
PROVEN = {case.incident_id: case for case in CASES}


@pytest.mark.proof
@pytest.mark.parametrize(
    ("incident_id", "kinds"),
    [
        ("INC-2024-1388", {"error_ratio"}),
        ("INC-2024-1342", {"latency"}),
        ("INC-2024-1234", {"error_ratio", "latency", "throughput", "conversion"}),
    ],
)
def test_guards_are_red_under_the_fault_and_green_without(incident_id, kinds, demo_workspace, tmp_path):
    case = PROVEN[incident_id]
    suite = build_case(case, demo_workspace)
    assert {guard.kind for guard in suite.guards} == kinds
    assert suite.left_out == ()
    for attempt in range(ATTEMPTS):
        came = list(run_case(case, suite, tmp_path / str(attempt), runs=1))
        wrong = [(setting, each) for setting, each in came if not is_as_wanted(setting, each.symptom)]
        if not wrong:
            break
    assert len(came) == len(kinds) * len(case.settings)
    assert wrong == []
