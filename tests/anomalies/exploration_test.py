"""What is abnormal from end to end on the demo, on quiet data, and as a person asks for it."""

import json

import pytest
from click.testing import CliRunner

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.anomalies import AnomalyWish, explore_anomalies, observe, write_outputs
from prodintel_lib.cli import main
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace
from tests.quiet_workspace import write_quiet_workspace

DAY = "2026-11-19T00:00/2026-11-20T00:00"


@pytest.fixture(scope="module")
def last_day(demo_workspace):
    return explore_anomalies(demo_workspace)


def test_explore_anomalies_finds_the_incident_of_the_last_day_as_one_finding(last_day):
    assert last_day.findings.window == Window.parse("2026-11-21T00:00/2026-11-22T00:00")
    severe = [one for one in last_day.findings.findings if one.severity in {"high", "critical"}]
    assert [(one.type, one.service_name) for one in severe] == [("ERROR_RATE_SPIKE", "gateway")]
    (found,) = severe
    assert found.series.height > 10, "what shares the cause is one finding"
    assert found.nearby_changes["label"][0] == "deployment of payment 2.4.2"
    assert 0.7 < found.affected_users.share < 0.9
    assert found.confidence > 0.9


def test_explore_anomalies_builds_guards_of_it(last_day):
    assert {guard.finding_id for guard in last_day.guards.guards} == {last_day.findings.findings[0].id}
    assert len(last_day.guards.guards) >= 2


def test_explore_anomalies_leaves_every_part_with_something_to_show(last_day):
    shown = (last_day.headline, last_day.findings, last_day.findings.chosen(""), last_day.guards, last_day.accounting)
    assert all(len(part._repr_html_()) > 100 for part in shown)
    assert last_day.headline.title in last_day.findings.findings[0].title
    assert last_day.findings.findings[0].recommendation in last_day.headline.sentence


def test_write_outputs_gives_the_same_bytes_twice(last_day, tmp_path):
    first, second = write_outputs(last_day, tmp_path / "a"), write_outputs(last_day, tmp_path / "b")
    assert first.files == second.files
    assert {"result.json", "summary.md"} < set(first.files)
    assert any(name.startswith("tests/") for name in first.files)
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    said = (tmp_path / "a" / "summary.md").read_text()
    assert " UTC (" in said
    assert "UTC UTC" not in said
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["schema"] == "prodintel/anomalies/1"
    assert result["anomalies"][0]["id"] == last_day.findings.findings[0].id
    assert result["rows"]["read"] == last_day.accounting.rows_read
    assert {guard["finding"] for guard in result["guards"]} <= {one["id"] for one in result["anomalies"]}


def test_explore_anomalies_builds_no_guard_where_none_is_asked_for(demo_workspace):
    assert explore_anomalies(demo_workspace, AnomalyWish(DAY, top=0)).guards.guards == ()


def test_explore_anomalies_of_a_quiet_workspace_says_so_in_every_part(tmp_path):
    found = explore_anomalies(write_quiet_workspace(tmp_path / "quiet"), AnomalyWish("1d"))
    assert found.findings.findings == ()
    assert found.findings.series_scored > 0
    assert found.headline.title.startswith("Nothing abnormal among ")
    assert found.findings.chosen("") is None
    assert "Nothing abnormal" in write_outputs(found, tmp_path / "run").folder.joinpath("summary.md").read_text()
    assert not (tmp_path / "run" / "tests").exists()


def test_explore_anomalies_of_nothing_says_what_to_add(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: w\nsources: [{path: a.csv}]\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("id,title,started\nINC-1,t,2025-01-01T00:00:00Z\n", encoding="utf-8")
    with pytest.raises(NoDataError, match=r"has no spans or metrics or logs or rum_events.*\nHint: add an export"):
        explore_anomalies(tmp_path)


def test_a_named_event_is_neither_learned_from_nor_judged(demo_workspace):
    view = open_view(open_workspace(demo_workspace))
    seen = observe(view, AnomalyWish(events=("2026-11-21T09:50/2026-11-21T10:10 rehearsal",)))
    assert seen.findings.findings == ()


def test_a_threshold_may_be_given_in_sigmas(demo_workspace):
    view = open_view(open_workspace(demo_workspace))
    assert observe(view, AnomalyWish(DAY, threshold="3-sigma")).findings.threshold == pytest.approx(2.57, abs=0.01)
    assert observe(view, AnomalyWish(DAY, detector="z-score", threshold="3-sigma")).findings.threshold == 3


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (AnomalyWish(history_days=-1), "`history_days` is at least 0; got -1"),
        (AnomalyWish(quiet_hours=float("nan")), "`quiet_hours` is at least 0; got nan"),
        (AnomalyWish(top=-1), "`top` is at least 0; got -1"),
        (AnomalyWish(detector="combind"), "did you mean `combined`"),
        (AnomalyWish(threshold="a lot"), "a lot"),
        (AnomalyWish(events=("tomorrow",)), "tomorrow"),
        (AnomalyWish(window="soon"), "`soon` is not a length of time"),
    ],
)
def test_observe_refuses_what_cannot_be_meant(demo_workspace, wish, said):
    with pytest.raises(ParameterError, match=said.replace("(", r"\(")):
        observe(open_view(open_workspace(demo_workspace)), wish)


def test_anomalies_leaves_a_report_and_says_what_to_do(demo_workspace, tmp_path):
    command = ["anomalies", "--workspace", str(demo_workspace), "--window", DAY, "--threshold", "4-sigma"]
    done = CliRunner().invoke(main, [*command, "--reports", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "anomalies" / "2026-11-19_2026-11-19"
    assert {"report.html", "result.json", "summary.md", "notebook.ipynb", "run.json", "tests"} == {
        path.name for path in folder.iterdir()
    }
    assert (folder / "report.html").stat().st_size < 5_000_000
    first = json.loads((folder / "result.json").read_text())["anomalies"][0]
    assert f"{first['severity']:<8}  {first['id']}" in done.output
    assert first["recommendation"] in done.output
    assert f"Run    pytest {folder / 'tests'}" in done.output
