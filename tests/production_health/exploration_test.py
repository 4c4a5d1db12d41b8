"""Is production well, from end to end on the demo, on quiet data, and as a person asks for it."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main
from prodintel_lib.errors import ParameterError
from prodintel_lib.production_health import HealthWish, explore_health, write_outputs
from tests.quiet_workspace import write_quiet_workspace

DAY = "2026-11-19T00:00/2026-11-20T00:00"


@pytest.fixture(scope="module")
def last_day(demo_workspace):
    return explore_health(demo_workspace)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = write_quiet_workspace(tmp_path_factory.mktemp("quiet") / "quiet")
    with (folder / "prodintel.yaml").open("a", encoding="utf-8") as file:
        file.write("slos: [{route: GET /items, availability: 0.95, latency_ms: 500, percentile: 99}]\n")
    return explore_health(folder, HealthWish("12h"))


def test_explore_health_says_that_the_demo_is_not_well_and_why(last_day):
    assert last_day.headline.title == "Production is not well"
    assert last_day.board.verdict == "bad"
    bad = last_day.board.rows.filter(pl.col("status") == "bad")
    assert ("errors", "POST /api/orders") in set(bad.select("signal", "route").rows())
    assert last_day.golden.errors.frame.height > 0


def test_explore_health_burns_the_budgets_that_were_promised(last_day):
    promised = last_day.slos.objectives.filter(~pl.col("is_proposed"))
    assert set(promised["route"]) == {"POST /api/orders", "GET /api/products/{product_id}"}
    assert set(promised["status"]) == {"bad"}
    tile = last_day.headline.tiles[1]
    assert (tile[0], tile[2]) == ("budgets burning", "of 4 promised")


def test_explore_health_of_a_quiet_service_is_well(quiet):
    assert quiet.headline.title == "Production is well"
    assert quiet.findings.findings == ()
    promised = quiet.slos.objectives.filter(~pl.col("is_proposed"))
    assert set(promised["status"]) == {"ok"}
    latency = quiet.golden.latency.frame.filter(pl.col("grain") == "all")
    # The median of exp(N(3, 0.5)) is exp(3) = 20.1 ms.
    assert latency["p50_ms"].item() == pytest.approx(20.1, rel=0.06)


def test_every_part_has_something_to_show(last_day, quiet):
    for report in (last_day, quiet):
        golden = report.golden
        parts = (report.headline, report.board, report.slos, golden.latency, golden.traffic, golden.errors,
                 golden.saturation, report.findings, report.accounting)  # fmt: skip
        assert all(len(part._repr_html_()) > 60 for part in parts)


def test_write_outputs_writes_the_board_in_three_forms_and_the_same_bytes_twice(quiet, tmp_path):
    first, second = write_outputs(quiet, tmp_path / "a"), write_outputs(quiet, tmp_path / "b")
    assert first.files == second.files == ("result.json", "summary.md", "board.html", "board.md", "board.json")
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["schema"] == "prodintel/production_health/1"
    assert result["verdict"] == "ok"
    assert len(result["board"]) == quiet.board.rows.height
    assert "GET /items: 95 % succeed" in (tmp_path / "a" / "summary.md").read_text()
    assert "<script" not in (tmp_path / "a" / "board.html").read_text()


def test_explore_health_refuses_what_cannot_be_meant(demo_workspace):
    with pytest.raises(ParameterError, match="`history_days` is at least 0"):
        explore_health(demo_workspace, HealthWish(history_days=-1))


def test_health_leaves_a_report_and_a_board(demo_workspace, tmp_path):
    command = ["health", "--workspace", str(demo_workspace), "--window", DAY, "--reports", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "production_health" / "2026-11-19_2026-11-19"
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "result.json", "summary.md", "notebook.ipynb", "run.json", "board.html", "board.md", "board.json"
    }  # fmt: skip
    assert (folder / "report.html").stat().st_size < 5_000_000
    assert f"Board  {folder / 'board.html'}" in done.output


def test_slo_shows_what_is_left_of_each_promise(demo_workspace):
    done = CliRunner().invoke(main, ["slo", "--workspace", str(demo_workspace), "--window", DAY])
    assert done.exit_code == 0, done.output
    assert "POST /api/orders: 99.5 % succeed" in done.output
    assert max(len(line) for line in done.output.splitlines()) <= 110
